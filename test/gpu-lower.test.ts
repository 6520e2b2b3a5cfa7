// What a GPU's kernels compute, by kind: at sizes where invocations, workgroups and kernels share the work. Run by the kernel
// interpreter, which checks bounds, races and barriers, and compared with the graph interpreter.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { differentiate } from "../compiler/differentiate.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Node } from "../compiler/graph.ts";
import { interpretGraph } from "../compiler/interpret-graph.ts";
import type { LoweredEntry } from "../compiler/lowered.ts";
import { simplify } from "../compiler/simplify.ts";
import { multiply } from "../runtime/size.ts";
import { expectWithinLimits, smallGpu } from "./helpers/gpu.ts";
import { noise } from "./helpers/gradient-check.ts";
import { expectLowered } from "./helpers/lowered.ts";
import { randomGraph, routingShape } from "./helpers/random-graph.ts";
import { awkwardPicks, experts, graphOf, routed, T, tensorsOf } from "./helpers/routed-layer.ts";

interface Case {
  readonly sizes?: Record<string, number>;
  readonly inputs?: Record<string, ArrayLike<number>>;
  readonly tensors?: Record<string, ArrayLike<number>>;
  readonly build: (b: GraphBuilder) => Record<string, Node>;
  /** Whether every node is a kernel of its own, too. */
  readonly unfused?: boolean;
  readonly tolerance?: number;
}

function run({ sizes = {}, inputs = {}, tensors = {}, build, unfused, tolerance }: Case): LoweredEntry {
  const environment = {
    sizes,
    inputs: new Map(Object.entries(inputs)),
    tensors: new Map(Object.entries(tensors)),
  };
  const graph = graphOf(build(new GraphBuilder()));
  const about = {
    target: smallGpu,
    targets: ["interpreter"],
    ...(tolerance === undefined ? {} : { tolerance }),
  } as const;
  if (unfused === true) expectWithinLimits(expectLowered(graph, environment, { ...about, fuse: false }));
  const entry = expectLowered(graph, environment, about);
  expectWithinLimits(entry);
  return entry;
}

const whole = (seed: number, length: number, most: number): number[] =>
  [...noise(seed, length)].map((x) => Math.floor(((x + 1) / 2) * (most + 1)) - 1);

/** Scores with ties, infinities and NaN among them. */
const scores = (seed: number, length: number): number[] =>
  whole(seed, length, 12).map((x) => (x < 1 ? NaN : x < 2 ? -Infinity : x > 10 ? Infinity : x));

const softmaxes = (width: number): Case => ({
  sizes: { T: 6 },
  inputs: { x: noise(width, 6 * width) },
  build: (b) => {
    const x = b.input("x", "f32", [T, width]);
    const p = b.softmax(x);
    return {
      p,
      sum: b.sum(b.mul(p, x), [1]),
      shifted: b.sub(b.pad(b.slice(p, 1, 1, width - 1), 1, 0, 1), p),
    };
  },
});

const choices = (width: number, count: number): Case => ({
  sizes: { T: 5 },
  inputs: { x: scores(width + count, 5 * width) },
  unfused: true,
  build: (b) => {
    const x = b.input("x", "f32", [T, width]);
    const ids = b.choose(x, count);
    const mask = b.choose(b.neg(x), count, "mask");
    const before = b.scan(b.cast(mask, "i32"), 1, { exclusive: true });
    return {
      ids,
      next: b.add(ids, 1),
      taken: b.take(x, ids, 1),
      mask,
      before,
      latest: b.reduce("max", before, [1]),
    };
  },
});

const scans = (rows: number, length: number, extra = 1): Case => ({
  sizes: { T: length },
  inputs: { x: noise(rows, rows * length * extra), y: whole(rows, rows * length * extra, 3) },
  build: (b) => {
    const outputs: Record<string, Node> = {};
    const x = b.input("x", "f32", [rows, T, extra]);
    const y = b.input("y", "i32", [rows, T, extra]);
    for (const exclusive of [false, true])
      for (const reverse of [false, true]) {
        const how = { exclusive, reverse };
        const name = `${exclusive ? "before" : "through"}${reverse ? "Back" : ""}`;
        outputs[`${name}Column`] = b.scan(x, 1, how);
        outputs[`${name}Row`] = b.mul(b.scan(b.permute(y, [0, 2, 1]), 2, how), 2);
      }
    return outputs;
  },
});

const columns = (rows: number, width: number): Case => ({
  sizes: { T: rows },
  inputs: { x: noise(rows, rows * width) },
  build: (b) => {
    const x = b.input("x", "f32", [T, width]);
    const twice = b.broadcastTo(x, [3, T, width, 2], [1, 2]);
    return {
      sum: b.sum(x, [0]),
      most: b.reduce("max", x, [0]),
      least: b.reduce("min", b.mul(twice, 2), [0, 1]),
    };
  },
});

const cases: Record<string, Case> = {
  "a map of many elements": {
    sizes: { T: 4 },
    inputs: { x: noise(1, 4 ** 4) },
    build: (b) => ({ y: b.map("exp", b.permute(b.input("x", "f32", [T, T, T, T]), [2, 0, 1, 3])) }),
  },
  "a map of whole workgroups": {
    inputs: { x: noise(1, 96) },
    build: (b) => ({ y: b.neg(b.input("x", "f32", [96])), s: b.constant(2) }),
  },
  "copies, views and random numbers": {
    sizes: { T: 9 },
    inputs: { x: noise(1, 9 * 8), $seed: [7], $draw: [3] },
    tensors: { w: noise(2, 5) },
    build: (b) => {
      const x = b.input("x", "f32", [T, 8]);
      const flat = b.reshape(x, [multiply(T, [{ coefficient: 8, factors: [] }])]);
      return { x, w: b.tensor("w", [5]), flat, again: b.add(flat, 1), r: b.random(2, [T, 6]), i: b.index(T) };
    },
  },
  "softmax of short rows": softmaxes(5),
  "softmax of long rows": softmaxes(70),
  "softmax of rows beyond scratch": { ...softmaxes(1200), sizes: { T: 2 }, inputs: { x: noise(1, 2400) } },
  "softmax of a symbolic width": {
    sizes: { T: 45 },
    inputs: { x: noise(1, 3 * 45) },
    build: (b) => {
      const p = b.softmax(b.input("x", "f32", [3, T]));
      return { p, back: b.scan(p, 1, { reverse: true }), best: b.choose(p, 3), sum: b.sum(b.square(p), [1]) };
    },
  },
  "two of few": choices(6, 2),
  "all of few": choices(7, 7),
  "few of many": choices(50, 4),
  "few of very many": choices(300, 3),
  "many of many": choices(70, 40),
  "of every score in a column": {
    sizes: { T: 37 },
    inputs: { x: scores(3, 37 * 3) },
    unfused: true,
    build: (b) => {
      const x = b.add(b.permute(b.input("x", "f32", [T, 3]), [1, 0]), 0.5);
      const mask = b.choose(x, 5, "mask");
      return { ids: b.choose(x, T), some: b.choose(x, 5), mask, count: b.scan(b.cast(mask, "i32"), 1) };
    },
  },
  "scans of short rows": { ...scans(40, 5), unfused: true },
  "scans of long rows": { ...scans(2, 75), unfused: true },
  "scans of columns": scans(3, 50, 5),
  "a large sum": {
    sizes: { T: 70 },
    inputs: { x: noise(1, 70 * 300) },
    build: (b) => {
      const x = b.input("x", "f32", [T, 300]);
      return {
        sum: b.div(b.sum(b.square(x)), 7),
        max: b.reduce("max", x),
        norm: b.map("sqrt", b.sum(b.square(x))),
      };
    },
  },
  "few columns of many rows": columns(200, 3),
  "some columns of some rows": columns(21, 40),
  "a reduction inside of rows": {
    sizes: { T: 3 },
    inputs: { x: noise(1, 3 * 70 * 6 * 4) },
    build: (b) => {
      const x = b.input("x", "f32", [T, 70, 6, 4]);
      return {
        sum: b.sum(x, [2]),
        two: b.reduce("max", b.sum(x, [2]), [1]),
        inner: b.softmax(b.sum(x, [1])),
      };
    },
  },
  "rows of a routing": {
    sizes: { T: 20 },
    inputs: { x: noise(1, 20 * 40), picks: whole(5, 40, 4) },
    build: (b) => {
      const route = b.route(b.input("picks", "i32", [T, 2]), 4);
      const rows = b.dispatch(b.input("x", "f32", [T, 40]), route);
      const p = b.softmax(rows);
      return {
        p: b.combine(p, route),
        each: b.combine(p, route, "pick"),
        sums: b.reduceGroups("sum", rows),
        most: b.reduceGroups("max", b.sum(rows, [1])),
        all: b.sum(rows, [0]),
        total: b.sum(rows),
      };
    },
  },
};

describe("kinds of kernels", () => {
  test.each(Object.entries(cases))("%s", (_, each) => void run(each));
});

const routing = (tokens: number, perToken: number, groups: number, picks: readonly number[]): Case => ({
  sizes: { T: tokens },
  inputs: { picks },
  build: (b) => {
    const route = b.route(b.input("picks", "i32", [T, perToken]), groups);
    const parts = (["offsets", "source", "group", "slot"] as const).map(
      (part) => [part, b.part(route, part)] as const,
    );
    return Object.fromEntries(parts);
  },
});

describe("routing", () => {
  test.each<[string, Case]>([
    ["of one block", routing(9, 2, 3, whole(1, 18, 4))],
    ["of several blocks", routing(50, 3, 5, whole(2, 150, 5))],
    ["to more groups than invocations", routing(40, 2, 70, whole(3, 80, 71))],
    ["to a vocabulary", routing(40, 2, 2500, whole(4, 80, 2501))],
    ["to one word of a vocabulary", routing(33, 2, 2500, Array<number>(66).fill(7))],
    ["of nobody to a vocabulary", routing(33, 1, 2500, Array<number>(33).fill(-1))],
    ["of one token to the only expert", routing(1, 1, 1, [0])],
    ["of all to the last", routing(70, 1, 4, Array<number>(70).fill(3))],
    ["of nobody", routing(70, 1, 4, Array<number>(70).fill(-1))],
  ])("%s", (_, each) => void run(each));

  test("of a known number of picks is one kernel", () => {
    const entry = run({
      inputs: { picks: whole(1, 40, 4) },
      build: (b) => ({ slot: b.part(b.route(b.input("picks", "i32", [20, 2]), 4), "slot") }),
    });
    expect(entry.dispatches.map(({ label }) => label)).toEqual(["route", "slot: copy"]);
  });
});

describe("a routed layer and its gradients", () => {
  const layers: readonly (readonly [string, Parameters<typeof routed>[1], number])[] = [
    ["of four experts", { experts: 4, k: 2, width: 12, hidden: 6 }, 9],
    ["with k of all", { experts: 3, k: 3, width: 8, hidden: 8 }, 5],
    ["of one expert", { experts: 1, k: 1, width: 6, hidden: 5 }, 4],
    ["of one token", { experts: 6, k: 2, width: 8, hidden: 5 }, 1],
    ["of many experts", { experts: 40, k: 3, width: 8, hidden: 4 }, 7],
  ];
  test.each(layers)("%s", (_, layer, tokens) => {
    const { experts: e, width, hidden } = layer;
    const environment = {
      sizes: { T: tokens },
      inputs: new Map([["x", noise(1, tokens * width)]]),
      tensors: tensorsOf(layer),
    };
    const b = new GraphBuilder();
    const y = routed(b, layer);
    const leaves = [b.tensor("router", [width, e]), b.tensor("down", [e, hidden, width])];
    const [router, down] = [...differentiate(b, b.sum(b.map("sin", y)), leaves).values()];
    const graph = simplify(graphOf({ y, router: router!, down: down! }));
    expectWithinLimits(
      expectLowered(graph, environment, { target: smallGpu, targets: ["interpreter"], tolerance: 1e-3 }),
    );
  });

  test.each(Object.entries(awkwardPicks))("%s", (_, picks) => {
    const layer = { experts: 3, k: 2, width: 8, hidden: 12 };
    const b = new GraphBuilder();
    const x = b.input("x", "f32", [T, 8]);
    const weight = b.input("weight", "f32", [T, 2]);
    const y = experts(b, x, b.input("picks", "i32", [T, 2]), weight, layer);
    const [dx, dgate, dweight] = [
      ...differentiate(b, b.sum(b.map("sin", y)), [x, b.tensor("gate", [3, 8, 12]), weight]).values(),
    ];
    const graph = simplify(graphOf({ y, dx: dx!, dgate: dgate!, dweight: dweight! }));
    const inputs = new Map<string, ArrayLike<number>>([
      ["x", noise(1, 32)],
      ["weight", noise(2, 8)],
      ["picks", picks],
    ]);
    const environment = { sizes: { T: 4 }, inputs, tensors: tensorsOf(layer) };
    expectLowered(graph, environment, { target: smallGpu, targets: ["interpreter"], tolerance: 1e-3 });
  });
});

test("random graphs", () => {
  const { tokens, perToken, experts: groups } = routingShape;
  const count = tokens * perToken;
  const picks = fc.array(fc.integer({ min: -1, max: groups - 1 }), { minLength: count, maxLength: count });
  const steps = fc.array(fc.nat(1000), { minLength: 12, maxLength: 60 });
  fc.assert(
    fc.property(steps, picks, fc.boolean(), fc.boolean(), (chosen, routes, gradients, fuse) => {
      const { graph, environment } = randomGraph(chosen, routes, gradients);
      const { outputs } = interpretGraph(graph, environment);
      // doubles that no f32 can follow are no test of a kernel
      if ([...outputs.values()].some(({ data }) => data.some((x) => Math.abs(x) >= 1e4))) return;
      const entry = expectLowered(simplify(graph), environment, {
        fuse,
        target: smallGpu,
        targets: ["interpreter"],
        tolerance: 2e-3,
      });
      expectWithinLimits(entry);
    }),
    { numRuns: 25 },
  );
});
