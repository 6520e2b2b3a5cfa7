// Every operation's gradient against central differences in double, in random directions, on awkward routings too.

import { describe, expect, test } from "vitest";
import { raggedBy } from "../compiler/graph-axis.ts";
import type { MapFn, Node, RouteNode } from "../compiler/graph.ts";
import type { GraphBuilder } from "../compiler/graph-builder.ts";
import { differentiate } from "../compiler/differentiate.ts";
import { GraphBuilder as Builder } from "../compiler/graph-builder.ts";
import { constant } from "../runtime/size.ts";
import { derivatives, expectGradient, type GradientCase } from "./helpers/gradient-check.ts";

type Build = GradientCase["build"];
type Table = readonly (readonly [string, Build])[];

describe("element-wise", () => {
  const positive = (x: number): number => 1.5 + x;
  const smooth: readonly MapFn[] = ["neg", "abs", "exp", "tanh", "sin", "cos", "erf", "sigmoid"];
  test.each(smooth)("%s", (fn) => expectGradient({ build: (b, t) => b.map(fn, t("x", [7])) }));
  test.each(["log", "sqrt"] as const)("%s", (fn) =>
    expectGradient({ build: (b, t) => b.map(fn, t("x", [7], positive)) }),
  );
  test.each(["floor", "ceil", "round", "sign"] as const)("%s is flat", (fn) =>
    expectGradient({ build: (b, t) => b.mul(b.map(fn, b.mul(t("x", [7]), 3)), t("y", [7])) }),
  );
  test.each(["add", "sub", "mul", "div", "min", "max", "pow", "mod"] as const)("%s", (fn) =>
    expectGradient({
      build: (b, t) =>
        b.map(
          fn,
          t("x", [7], positive),
          t("y", [7], (x) => 0.8 + 0.3 * x),
        ),
    }),
  );
  test("one operand twice", () =>
    expectGradient({ build: (b, t) => b.mul(t("x", [5]), b.tensor("x", [5])) }));
  test("max of a value with itself", () =>
    expectGradient({ build: (b, t) => b.map("max", t("x", [5]), b.tensor("x", [5])) }));
  test("select", () =>
    expectGradient({
      build: (b, t) =>
        b.select(b.map("lt", t("x", [9]), 0.1), b.square(t("y", [9])), b.mul(b.tensor("x", [9]), 3)),
    }));
  test("stop", () => {
    const b = new Builder();
    const x = b.tensor("x", []);
    const gradient = differentiate(b, b.mul(b.stop(x), x), [x]).get(x)!;
    expect(gradient.op === "map" && gradient.fn === "mul" && gradient.inputs[1]!.op).toBe("map");
  });
});

describe("what a select masked out stays out", () => {
  const zero = (): number => 0;
  const masked: Table = [
    ["division by 0", (b, t) => b.div(t("x", [3]), t("y", [3], zero))],
    ["0 / 0", (b, t) => b.div(t("x", [3], zero), b.tensor("x", [3]))],
    ["log 0", (b, t) => b.map("log", t("x", [3], zero))],
    ["sqrt 0", (b, t) => b.map("sqrt", t("x", [3], zero))],
    ["pow of 0", (b, t) => b.map("pow", t("x", [3], zero), 0.5)],
  ];
  test.each(masked)("%s", (_, build) => {
    const { gradients } = derivatives({
      build: (b, t) => b.select(b.broadcastTo(b.constant(false), [3]), build(b, t), 1),
    });
    for (const data of gradients.values())
      expect([...data].map(Math.abs)).toEqual(data.length === 0 ? [] : [0, 0, 0]);
  });
});

describe("ties", () => {
  const tied = (build: Build) => [...derivatives({ build }).gradients.get("x")!];
  test("equal maxima share", () => {
    const low = (b: GraphBuilder): Node => b.cast(b.map("div", b.index(4), 2), "f32"); // 0 0 1 1
    const same = (): number => 0.5;
    const gradient = tied((b, t) => b.reduce("max", b.sub(t("x", [4], same), low(b)), [0]));
    // Half of the weighting's single number each, and not zero.
    expect(gradient[0]).toBe(gradient[1]);
    expect(gradient[0]).not.toBe(0);
    expect(gradient.slice(2)).toEqual([0, 0]);
  });
  test("relu has no gradient at 0", () =>
    expect(
      tied((b, t) =>
        b.map(
          "max",
          t("x", [2], () => 0),
          0,
        ),
      ).map(Math.abs),
    ).toEqual([0, 0]));
});

describe("views, reductions, scans", () => {
  const cases: Table = [
    ["permute", (b, t) => b.permute(t("x", [2, 3, 4]), [2, 0, 1])],
    ["reshape", (b, t) => b.mul(b.reshape(t("x", [2, 6]), [3, 4]), t("y", [3, 4]))],
    ["broadcast", (b, t) => b.mul(b.broadcastTo(t("x", [2, 3]), [4, 2, 5, 3], [1, 3]), t("y", [4, 2, 5, 3]))],
    ["slice", (b, t) => b.slice(t("x", [5, 3]), 0, 1, 3)],
    ["pad", (b, t) => b.mul(b.pad(t("x", [5, 3]), 1, 2, 1), t("y", [5, 6]))],
    ["concat", (b, t) => b.square(b.concat([t("x", [2, 3]), t("y", [4, 3])], 0))],
    ["sum", (b, t) => b.square(b.sum(t("x", [3, 4, 2]), [0, 2]))],
    ["mean", (b, t) => b.square(b.mean(t("x", [3, 4]), [-1]))],
    ["max", (b, t) => b.square(b.reduce("max", t("x", [3, 4]), [1]))],
    ["min", (b, t) => b.reduce("min", t("x", [3, 4]))],
    [
      "shares of a sum",
      (b, t) => {
        const x = b.add(t("x", [3, 4]), 2);
        return b.div(x, b.expand(b.sum(x, [0]), x.shape, 0));
      },
    ],
    ["softmax", (b, t) => b.softmax(t("x", [3, 4]))],
    ["softmax of the first axis", (b, t) => b.softmax(t("x", [3, 4]), 0)],
    ["logsumexp", (b, t) => b.logsumexp(t("x", [3, 4]))],
    ["log softmax", (b, t) => b.logSoftmax(t("x", [3, 4]))],
    ["scan", (b, t) => b.scan(t("x", [3, 5]), 1)],
    ["exclusive scan", (b, t) => b.scan(t("x", [3, 5]), 0, { exclusive: true })],
    ["reverse scan", (b, t) => b.scan(t("x", [3, 5]), -1, { reverse: true, exclusive: true })],
    ["silu", (b, t) => b.silu(t("x", [6]))],
  ];
  test.each(cases)("%s", (_, build) => expectGradient({ build }));
});

describe("contractions", () => {
  const formulas: readonly (readonly [string, readonly number[], readonly number[]])[] = [
    ["mk,kn->mn", [3, 4], [4, 5]],
    ["km,nk->nm", [4, 3], [5, 4]],
    ["bhtd,bhsd->bhts", [2, 2, 3, 4], [2, 2, 5, 4]],
    ["k,k->", [6], [6]],
    ["m,n->mn", [3], [4]],
    ["mk,n->n", [3, 2], [4]],
    ["mk,k->k", [3, 2], [2]],
    ["mj,nk->", [3, 2], [2, 4]],
  ];
  test.each(formulas)("%s", (formula, a, b) =>
    expectGradient({ build: (builder, t) => builder.contract(t("a", a), t("b", b), formula) }),
  );
});

/** Routings, as picks [tokens, K] into E groups. Always the awkward ones. */
const routings = [
  {
    name: "an empty expert",
    experts: 4,
    picks: [
      [0, 2],
      [2, 0],
      [3, 0],
    ],
  },
  { name: "one takes all", experts: 3, picks: [[1], [1], [1], [1]] },
  { name: "one expert", experts: 1, picks: [[0], [0]] },
  {
    name: "as many picks as experts",
    experts: 3,
    picks: [
      [0, 1, 2],
      [2, 1, 0],
    ],
  },
  { name: "one token", experts: 5, picks: [[4, 1]] },
  {
    name: "all null",
    experts: 3,
    picks: [
      [-1, -1],
      [-1, -1],
    ],
  },
  {
    name: "some null",
    experts: 3,
    picks: [
      [0, -1],
      [-1, -1],
      [2, 1],
      [7, 2],
    ],
  },
  {
    name: "one expert twice by one token",
    experts: 3,
    picks: [
      [1, 1],
      [0, 1],
    ],
  },
] as const;

describe.each(routings)("routed, $name", ({ experts, picks }) => {
  const [tokens, perToken] = [picks.length, picks[0].length];
  const [model, hidden] = [3, 2];
  const routed = (
    build: (b: GraphBuilder, route: RouteNode, t: Parameters<Build>[1]) => Node,
  ): GradientCase => ({
    build: (b, t) => build(b, b.route(b.input("picks", "i32", [tokens, perToken]), experts), t),
    inputs: { picks: picks.flat() },
  });
  const cases: readonly (readonly [string, GradientCase])[] = [
    ["dispatch per token", routed((b, r, t) => b.dispatch(t("x", [tokens, model]), r))],
    ["dispatch per pick", routed((b, r, t) => b.dispatch(t("x", [tokens, perToken]), r, "pick"))],
    [
      "combine per token",
      routed((b, r, t) => b.combine(b.square(b.dispatch(t("x", [tokens, model]), r)), r)),
    ],
    [
      "combine per pick",
      routed((b, r, t) => b.combine(b.square(b.dispatch(t("x", [tokens, model]), r)), r, "pick")),
    ],
    [
      "a matrix of each row's group",
      routed((b, r, t) =>
        b.contract(b.dispatch(t("x", [tokens, model]), r), t("w", [experts, model, hidden]), "rk,ekn->rn", {
          row: "r",
          group: "e",
        }),
      ),
    ],
    [
      "rows summed by group",
      routed((b, r, t) =>
        b.contract(
          b.dispatch(t("x", [tokens, model]), r),
          b.dispatch(t("y", [tokens, hidden]), r),
          "rk,rn->ekn",
          {
            row: "r",
            group: "e",
          },
        ),
      ),
    ],
    [
      "rows summed within their group, by another operand",
      routed((b, r, t) =>
        b.contract(b.dispatch(t("x", [tokens, model]), r), t("w", [experts, model, hidden]), "rk,ekn->en", {
          row: "r",
          group: "e",
        }),
      ),
    ],
    [
      "rows and groups both summed",
      routed((b, r, t) =>
        b.contract(b.dispatch(t("x", [tokens, model]), r), t("w", [experts, model, hidden]), "rk,ekn->n", {
          row: "r",
          group: "e",
        }),
      ),
    ],
    [
      "one matrix for all rows",
      routed((b, r, t) =>
        b.contract(b.dispatch(t("x", [tokens, model]), r), t("w", [model, hidden]), "rk,kn->nr"),
      ),
    ],
    ["take by group", routed((b, r, t) => b.square(b.take(t("w", [experts, model]), b.part(r, "group"))))],
    [
      "sum of groups",
      routed((b, r, t) => b.square(b.reduceGroups("sum", b.dispatch(t("x", [tokens, model]), r)))),
    ],
    [
      "max of groups",
      routed((b, r, t) => {
        const max = b.reduceGroups("max", b.permute(b.dispatch(t("x", [tokens, model]), r), [1, 0]), 1);
        return b.select(b.map("lt", max, -100), 0, max);
      }),
    ],
    ["sum of rows", routed((b, r, t) => b.square(b.sum(b.dispatch(t("x", [tokens, model]), r), [0])))],
    [
      "broadcast to rows",
      routed((b, r, t) => b.broadcastTo(t("x", [model]), [raggedBy(r), constant(model)], [1])),
    ],
    [
      "a routed SwiGLU layer",
      routed((b, r, t) => {
        const by = { row: "r", group: "e" };
        const x = b.dispatch(t("x", [tokens, model]), r);
        const up = b.contract(x, t("up", [experts, model, hidden]), "rk,ekn->rn", by);
        const gate = b.silu(b.contract(x, t("gate", [experts, model, hidden]), "rk,ekn->rn", by));
        const y = b.contract(b.mul(up, gate), t("down", [experts, hidden, model]), "rk,ekn->rn", by);
        const weight = b.dispatch(t("weight", [tokens, perToken]), r, "pick");
        return b.combine(b.mul(y, b.broadcastTo(weight, y.shape, [0])), r);
      }),
    ],
  ];
  test.each(cases)("%s", (_, gradientCase) => expectGradient(gradientCase));
});

test("scores that are NaN or -inf are never chosen and get no gradient", () => {
  const { gradients } = derivatives({
    build: (b, t) => {
      const score = b.add(t("x", [2, 4]), b.input("spoil", "f32", [2, 4]));
      const ids = b.choose(score, 2);
      const weight = b.softmax(b.take(b.select(b.map("isnan", score), 0, score), ids, 1));
      const route = b.route(ids, 4);
      return b.combine(b.dispatch(weight, route, "pick"), route);
    },
    inputs: { spoil: [NaN, 0, -Infinity, 0, 0, 0, NaN, 0] },
  });
  const x = [...gradients.get("x")!];
  expect([x[0], x[2], x[6]].map((g) => Math.abs(g!))).toEqual([0, 0, 0]);
  expect(x.some(Number.isNaN)).toBe(false);
});
