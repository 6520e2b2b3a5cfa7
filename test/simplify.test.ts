// Simplification: every rule on a small graph, and equality of values on random graphs.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { differentiate } from "../compiler/differentiate.ts";
import { raggedBy } from "../compiler/graph-axis.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Graph, Node, RouteNode } from "../compiler/graph.ts";
import { interpretGraph, type Environment } from "../compiler/interpret-graph.ts";
import { printGraph, printOperation } from "../compiler/print-graph.ts";
import { constantOf } from "../compiler/simplify-rule.ts";
import { simplify } from "../compiler/simplify.ts";
import { nodesOf, rootsOf } from "../compiler/graph-walk.ts";
import { verifyGraph } from "../compiler/verify-graph.ts";
import { named } from "../runtime/size.ts";
import { randomGraph, routingShape } from "./helpers/random-graph.ts";
import { noise } from "./helpers/gradient-check.ts";

function expectSame(graph: Graph, environment: Environment, simplified = simplify(graph)): void {
  verifyGraph(graph);
  verifyGraph(simplified);
  const before = interpretGraph(graph, environment).outputs;
  const after = interpretGraph(simplified, environment).outputs;
  for (const [name, { data, dims }] of before) {
    expect(after.get(name)!.dims).toEqual(dims);
    after.get(name)!.data.forEach((x, i) => {
      if (Number.isFinite(data[i]))
        expect(Math.abs(x - data[i]!)).toBeLessThanOrEqual(1e-8 * (1 + Math.abs(data[i]!)));
    });
  }
}

const graphOf = (...nodes: readonly Node[]): Graph => ({
  name: "test",
  outputs: nodes.map((node, i) => ({ name: `o${i}`, node })),
  updates: [],
});

/** The operations that are left, sources and (repeated) constants aside, in order: `mul; reduce sum 1`. */
const operations = (graph: Graph): string =>
  nodesOf(rootsOf(graph))
    .filter((node) => !["input", "tensor", "size"].includes(node.op) && constantOf(node) === undefined)
    .map(printOperation)
    .join("; ");

type Case = readonly [text: string, build: (b: GraphBuilder) => Node, expected: string];
const dims = { x: [3, 4], y: [3, 4], v: [4], m: [4, 5], c: [3, 2, 4], s: [], o: [3, 1, 4] } as const;
const t = (b: GraphBuilder, name: keyof typeof dims): Node => b.tensor(name, dims[name]);
const flag = (b: GraphBuilder): Node => b.map("lt", t(b, "x"), 0);
const tensors = new Map(
  Object.entries(dims).map(([name, shape], i) => [
    name,
    noise(
      i + 1,
      shape.reduce<number>((a, b) => a * b, 1),
    ),
  ]),
);
const picks = [0, 2, -1, 0, 2, 2];
const environment: Environment = { sizes: { T: 3 }, inputs: new Map([["picks", picks]]), tensors };

function table(cases: readonly Case[]): void {
  test.each(cases)("%s", (_, build, expected) => {
    const graph = graphOf(build(new GraphBuilder()));
    expect(operations(simplify(graph))).toBe(expected);
    expectSame(graph, environment);
  });
}

describe("element-wise", () => {
  table([
    ["x + 0", (b) => b.add(t(b, "x"), 0), ""],
    ["0 + x", (b) => b.add(0, t(b, "x")), ""],
    ["x * 1", (b) => b.mul(1, t(b, "x")), ""],
    ["x * -1", (b) => b.mul(t(b, "x"), -1), "neg"],
    ["x * 0 stays: x may be infinite", (b) => b.mul(t(b, "x"), 0), "mul"],
    ["a condition * 0", (b) => b.mul(b.cast(flag(b), "f32"), 0), ""],
    ["x - 0", (b) => b.sub(t(b, "x"), 0), ""],
    ["0 - x", (b) => b.sub(0, t(b, "x")), "neg"],
    ["x / 4", (b) => b.div(t(b, "x"), 4), "mul"],
    ["(2 x) 3", (b) => b.mul(b.mul(t(b, "x"), 2), 3), "mul"],
    ["(x + 2) - 2", (b) => b.sub(b.add(t(b, "x"), 2), 2), ""],
    ["x^2", (b) => b.map("pow", t(b, "x"), 2), "mul"],
    ["|x|^0.5", (b) => b.map("pow", b.map("abs", t(b, "x")), 0.5), "abs; sqrt"],
    ["x^1", (b) => b.map("pow", t(b, "x"), 1), ""],
    ["constants", (b) => b.map("exp", b.add(b.constant(1), 2)), ""],
    ["repeated constants", (b) => b.add(t(b, "x"), b.mul(b.broadcastTo(b.constant(2), [3, 4]), 0.5)), "add"],
    ["-(-x)", (b) => b.neg(b.neg(t(b, "x"))), ""],
    ["x + -y", (b) => b.add(t(b, "x"), b.neg(t(b, "y"))), "sub"],
    ["-x + y", (b) => b.add(b.neg(t(b, "x")), t(b, "y")), "sub"],
    ["x - -y", (b) => b.sub(t(b, "x"), b.neg(t(b, "y"))), "add"],
    ["-(x - y)", (b) => b.neg(b.sub(t(b, "x"), t(b, "y"))), "sub"],
    ["-x * -y", (b) => b.mul(b.neg(t(b, "x")), b.neg(t(b, "y"))), "mul"],
    ["-x / y", (b) => b.neg(b.div(b.neg(t(b, "x")), t(b, "y"))), "div"],
    [
      "x + repeat(-v)",
      (b) => b.add(t(b, "x"), b.broadcastTo(b.neg(t(b, "v")), [3, 4], [1])),
      "broadcast 1; sub",
    ],
    [
      "(x repeat(v)) 2",
      (b) => b.mul(b.mul(t(b, "x"), b.broadcastTo(t(b, "v"), [3, 4], [1])), 2),
      "mul; broadcast 1; mul",
    ],
    ["x + x", (b) => b.add(t(b, "x"), t(b, "x")), "mul"],
    ["x y - y x", (b) => b.sub(b.mul(t(b, "x"), t(b, "y")), b.mul(t(b, "y"), t(b, "x"))), "mul; sub"],
    ["max(x, x)", (b) => b.map("max", t(b, "x"), t(b, "x")), ""],
    ["not not", (b) => b.cast(b.map("not", b.map("not", flag(b))), "f32"), "lt; f32"],
    ["c and true", (b) => b.cast(b.map("and", flag(b), 1), "f32"), "lt; f32"],
    ["c or true", (b) => b.select(b.map("or", flag(b), 1), t(b, "x"), 7), ""],
    ["c == false", (b) => b.select(b.map("eq", flag(b), 0), t(b, "x"), t(b, "y")), "lt; select"],
    ["select of one", (b) => b.select(flag(b), t(b, "x"), t(b, "x")), ""],
    ["select of select", (b) => b.select(flag(b), b.select(flag(b), t(b, "x"), 1), t(b, "y")), "lt; select"],
    ["f32 of i32 of bool", (b) => b.cast(b.cast(flag(b), "i32"), "f32"), "lt; f32"],
    ["i32 of f32 of i32", (b) => b.cast(b.cast(b.index(3), "f32"), "i32"), "index"],
    ["a known size", (b) => b.add(b.cast(b.size(3), "f32"), 1), ""],
    [
      "a mean of ones",
      (b) => {
        const ones = b.broadcastTo(b.constant(1), [named("T")], []);
        return b.div(b.sum(ones, [0]), b.cast(b.size(named("T")), "f32"));
      },
      "",
    ],
    ["what may be zero is not divided by itself", (b) => b.div(t(b, "s"), t(b, "s")), "div"],
    ["a size that is not known", (b) => b.cast(b.size(named("T")), "f32"), "f32"],
    [
      "before a repeat",
      (b) =>
        b.mul(b.broadcastTo(t(b, "v"), [3, 4], [1]), b.broadcastTo(b.map("exp", t(b, "v")), [3, 4], [1])),
      "exp; mul; broadcast 1",
    ],
    [
      "before a repeat of scalars",
      (b) => b.add(b.broadcastTo(t(b, "s"), [3, 4]), 2),
      "add; broadcast scalar",
    ],
    [
      "before a reshape",
      (b) => b.add(b.mul(b.reshape(t(b, "x"), [12]), 2), b.reshape(t(b, "y"), [12])),
      "mul; add; reshape",
    ],
    [
      "before a permutation",
      (b) => b.add(b.transpose(t(b, "x")), b.transpose(t(b, "y"))),
      "add; permute 1,0",
    ],
  ]);
  test("stops go when asked", () => {
    const b = new GraphBuilder();
    const graph = graphOf(b.softmax(t(b, "x")));
    expect(operations(simplify(graph))).toContain("stop");
    expect(operations(simplify(graph, { removeStops: true }))).not.toContain("stop");
  });
});

describe("views", () => {
  table([
    ["permute of permute", (b) => b.permute(b.permute(t(b, "c"), [1, 2, 0]), [1, 2, 0]), "permute 2,0,1"],
    ["permute back", (b) => b.transpose(b.transpose(t(b, "x"))), ""],
    [
      "permute of broadcast",
      (b) => b.permute(b.insertAxis(t(b, "x"), 0, 2), [2, 0, 1]),
      "permute 1,0; broadcast 0,2",
    ],
    ["reshape of reshape", (b) => b.reshape(b.reshape(t(b, "x"), [12]), [6, 2]), "reshape"],
    ["reshape back", (b) => b.reshape(b.reshape(t(b, "x"), [12]), [3, 4]), ""],
    ["reshape inserting one", (b) => b.reshape(t(b, "x"), [3, 1, 4]), "broadcast 0,2"],
    ["one inserted and removed", (b) => b.reshape(b.insertAxis(t(b, "x"), 1, 1), [3, 4]), ""],
    [
      "reshape of a repeated scalar",
      (b) => b.reshape(b.broadcastTo(t(b, "s"), [3, 4]), [12]),
      "broadcast scalar",
    ],
    ["broadcast of broadcast", (b) => b.insertAxis(b.insertAxis(t(b, "v"), 0, 3), 0, 2), "broadcast 2"],
    ["slice of slice", (b) => b.slice(b.slice(t(b, "x"), 1, 1, 3), 1, 1, 2), "slice axis 1 from 2"],
    ["slice of pad, inside", (b) => b.slice(b.pad(t(b, "x"), 0, 2, 1), 0, 2, 3), ""],
    ["slice of pad, part", (b) => b.slice(b.pad(t(b, "x"), 0, 2, 1), 0, 3, 1), "slice axis 0 from 1"],
    ["slice of pad, zeros", (b) => b.slice(b.pad(t(b, "x"), 0, 2, 1), 0, 0, 2), ""],
    [
      "slice of pad, both",
      (b) => b.slice(b.pad(t(b, "x"), 0, 2, 1), 0, 1, 2),
      "pad axis 0 by 2 and 1; slice axis 0 from 1",
    ],
    ["slice of permute", (b) => b.slice(b.transpose(t(b, "x")), 0, 1, 2), "slice axis 1 from 1; permute 1,0"],
    ["slice of a repeat", (b) => b.slice(b.insertAxis(t(b, "v"), 0, 5), 0, 1, 3), "broadcast 1"],
    ["pad of pad", (b) => b.pad(b.pad(t(b, "x"), 1, 1, 0), 1, 0, 2), "pad axis 1 by 1 and 2"],
  ]);
});

describe("reductions and contractions", () => {
  const wide = (b: GraphBuilder): readonly [Node, Node] => [
    b.broadcastTo(t(b, "x"), [3, 4, 5], [0, 1]),
    b.broadcastTo(t(b, "m"), [3, 4, 5], [1, 2]),
  ];
  table([
    ["sum of sum", (b) => b.sum(b.sum(t(b, "c"), [1]), [1]), "reduce sum 1,2"],
    ["sum of permute", (b) => b.sum(b.permute(t(b, "c"), [2, 0, 1]), [0]), "reduce sum 2"],
    [
      "max of permute",
      (b) => b.reduce("max", b.permute(t(b, "c"), [2, 1, 0]), [2]),
      "reduce max 0; permute 1,0",
    ],
    ["sum of a repeat", (b) => b.sum(b.insertAxis(t(b, "x"), 1, 7), [1]), "mul"],
    ["max of a repeat", (b) => b.reduce("max", b.insertAxis(t(b, "x"), 1, 7), [1]), ""],
    ["sum of a part repeat", (b) => b.sum(b.insertAxis(t(b, "x"), 1, 7), [1, 2]), "reduce sum 1; mul"],
    ["sum of all of a reshape", (b) => b.sum(b.reshape(t(b, "x"), [12])), "reduce sum 0,1"],
    ["sum of one", (b) => b.sum(t(b, "o"), [1]), "reshape"],
    ["sum of -x", (b) => b.sum(b.neg(t(b, "x")), [1]), "reduce sum 1; neg"],
    ["sum of 2 x", (b) => b.sum(b.mul(t(b, "x"), 2), [1]), "reduce sum 1; mul"],
    [
      "a factor leaves the sum",
      (b) => b.sum(b.mul(t(b, "x"), b.broadcastTo(t(b, "v"), [3, 4], [1])), [0]),
      "reduce sum 0; mul",
    ],
    ["a row dot stays", (b) => b.sum(b.mul(t(b, "x"), t(b, "y")), [1]), "mul; reduce sum 1"],
    [
      "a gain stays",
      (b) => b.sum(b.mul(t(b, "x"), b.broadcastTo(t(b, "v"), [3, 4], [1])), [1]),
      "broadcast 1; mul; reduce sum 1",
    ],
    ["index notation", (b) => b.sum(b.mul(...wide(b)), [1]), "contract ab,bc->ac"],
    [
      "index notation, scaled",
      (b) => b.sum(b.mul(b.mul(wide(b)[0], 2), wide(b)[1]), [1]),
      "contract ab,bc->ac; mul",
    ],
    [
      "index notation, transposed operand",
      (b) =>
        b.sum(
          b.mul(
            b.broadcastTo(b.transpose(t(b, "x")), [5, 4, 3], [1, 2]),
            b.broadcastTo(b.transpose(t(b, "m")), [5, 4, 3], [0, 1]),
          ),
          [1],
        ),
      "contract ba,cb->ac",
    ],
    [
      "index notation with a factor on one side",
      (b) => b.sum(b.mul(b.mul(...wide(b)), b.broadcastTo(t(b, "v"), [3, 4, 5], [1])), [1]),
      "broadcast 1; mul; contract ab,bc->ac",
    ],
    [
      "index notation, an axis of one operand",
      (b) => b.sum(b.mul(...wide(b)), [0, 1]),
      "reduce sum 0; broadcast 0; mul; reduce sum 0",
    ],
    [
      "contract of permute",
      (b) => b.contract(b.transpose(t(b, "x")), t(b, "m"), "km,kn->mn"),
      "contract mk,kn->mn",
    ],
    [
      "contract of broadcast",
      (b) => b.contract(b.insertAxis(t(b, "m"), 0, 3), t(b, "x"), "mkn,mk->mn"),
      "contract kn,mk->mn",
    ],
    [
      "contract with a scalar",
      (b) => b.contract(b.broadcastTo(t(b, "s"), [3, 4]), t(b, "m"), "mk,kn->mn"),
      "reduce sum 0; broadcast scalar; mul; broadcast 1",
    ],
    [
      "permute of contract",
      (b) => b.transpose(b.contract(t(b, "x"), t(b, "m"), "mk,kn->mn")),
      "contract mk,kn->nm",
    ],
    [
      "sum of contract",
      (b) => b.sum(b.contract(t(b, "c"), t(b, "m"), "hmk,kn->hmn"), [0]),
      "contract hmk,kn->mn",
    ],
  ]);
});

describe("routed", () => {
  const { tokens, perToken, experts } = routingShape;
  const route = (b: GraphBuilder): RouteNode => b.route(b.input("picks", "i32", [tokens, perToken]), experts);
  const rows = (b: GraphBuilder): Node => b.dispatch(t(b, "x"), route(b));
  table([
    [
      "dispatch of combine per pick",
      (b) => b.dispatch(b.combine(b.map("exp", rows(b)), route(b), "pick"), route(b), "pick"),
      "route to 3 within 6; dispatch per token; exp",
    ],
    [
      "combine of dispatch per token",
      (b) => b.combine(rows(b), route(b)),
      "route to 3 within 6; part slot; le; f32; reduce sum 1; broadcast 0; mul",
    ],
    [
      "combine of dispatch per pick",
      (b) => b.combine(rows(b), route(b), "pick"),
      "route to 3 within 6; part slot; le; broadcast 0,2; broadcast 0,1; select",
    ],
    [
      "what all tokens share",
      (b) => b.dispatch(b.broadcastTo(t(b, "v"), [3, 4], [1]), route(b)),
      "route to 3 within 6; broadcast 1",
    ],
    [
      "what all picks of a token share",
      (b) => b.dispatch(b.insertAxis(t(b, "x"), 1, 2), route(b), "pick"),
      "route to 3 within 6; dispatch per token",
    ],
    [
      "sum of picks",
      (b) => b.sum(b.combine(b.map("exp", rows(b)), route(b), "pick"), [1]),
      "route to 3 within 6; dispatch per token; exp; combine per token",
    ],
    [
      "what all groups share, in sums of groups",
      (b) => {
        const shared = b.broadcastTo(t(b, "v"), [experts, 4], [1]);
        return b.contract(rows(b), shared, "rk,en->en", { row: "r", group: "e" });
      },
      "route to 3 within 6; dispatch per token; contract rk,n->en (e of r)",
    ],
    [
      "what all groups share, per row",
      (b) => {
        const shared = b.broadcastTo(t(b, "m"), [experts, 4, 5], [1, 2]);
        return b.contract(rows(b), shared, "rk,ekn->rn", { row: "r", group: "e" });
      },
      "route to 3 within 6; dispatch per token; contract rk,kn->rn",
    ],
    [
      "weighted sum of picks",
      (b) => {
        const picked = b.combine(b.map("exp", rows(b)), route(b), "pick");
        return b.sum(b.mul(picked, b.broadcastTo(b.slice(t(b, "x"), 1, 0, 2), picked.shape, [0, 1])), [1]);
      },
      "route to 3 within 6; dispatch per token; exp; slice axis 1 from 0; dispatch per pick; broadcast 0; mul; combine per token",
    ],
  ]);

  test("the gradient of a routed layer uses the down-projection's output only forward", () => {
    const b = new GraphBuilder();
    const r = route(b);
    const by = { row: "r", group: "e" };
    const [up, down] = [b.tensor("up", [experts, 4, 5]), b.tensor("down", [experts, 5, 4])];
    const weight = b.tensor("weight", [tokens, perToken]);
    const hidden = b.map("tanh", b.contract(b.dispatch(t(b, "x"), r), up, "rk,ekn->rn", by));
    const y = b.contract(hidden, down, "rk,ekn->rn", by);
    const gate = b.broadcastTo(b.dispatch(weight, r, "pick"), [raggedBy(r), 4], [0]);
    const out = b.combine(b.mul(y, gate), r);
    const wrt = [t(b, "x"), up, down, weight];
    const gradients = differentiate(b, b.sum(b.mul(out, t(b, "y"))), wrt);
    const graph = graphOf(out, ...wrt.map((node) => gradients.get(node)!));
    const applied: string[] = [];
    const simplified = simplify(graph, { removeStops: true, trace: (rule) => applied.push(rule) });
    expect(applied).toContain("row dot of a contraction");
    const more = new Map([
      ...tensors,
      ["up", noise(40, 60)],
      ["down", noise(41, 60)],
      ["weight", noise(42, 6)],
    ] as const);
    expectSame(graph, { ...environment, tensors: more }, simplified);
    const nodes = nodesOf(rootsOf(simplified));
    const contractions = nodes.filter(({ op }) => op === "contract");
    // up, down; dout down^T, its weight gradient; dx, its weight gradient.
    expect(contractions).toHaveLength(6);
    const forward = contractions.find(
      (node) =>
        node.op === "contract" &&
        node.b.op === "tensor" &&
        node.b.name === "down" &&
        node.labels.b === "ekn" &&
        node.labels.a === "rk",
    )!;
    const users = nodes.filter((node) => node.op === "map" && node.inputs.includes(forward));
    expect(users).toHaveLength(1);
    expect(printGraph(simplified)).toContain("combine per token");
  });
});

describe("random graphs keep their values", () => {
  const choices = fc.array(fc.nat(1000), { minLength: 9, maxLength: 90 });
  const somePicks = fc.array(fc.integer({ min: -1, max: 3 }), { minLength: 6, maxLength: 6 });
  test.each([false, true])("with gradients: %s", (gradients) => {
    fc.assert(
      fc.property(choices, somePicks, (list, picked) => {
        const { graph, environment: own } = randomGraph(list, picked, gradients);
        expectSame(graph, own);
        expectSame(graph, own, simplify(graph, { removeStops: true }));
      }),
      { numRuns: 120, seed: 7 },
    );
  });
  test("simplifying again changes nothing", () => {
    fc.assert(
      fc.property(choices, somePicks, (list, picked) => {
        const once = simplify(randomGraph(list, picked, true).graph);
        expect(operations(simplify(once))).toBe(operations(once));
      }),
      { numRuns: 60, seed: 8 },
    );
  });
});
