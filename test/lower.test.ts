// Lowered kernels compute what the graph interpreter computes: every kind of cluster, on the kernel interpreter and on
// wasm, and in a GPU's kernels on the kernel interpreter.

import { describe, test } from "vitest";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Graph, Node } from "../compiler/graph.ts";
import type { Environment } from "../compiler/interpret-graph.ts";
import { multiply, named } from "../runtime/size.ts";
import { smallGpu } from "./helpers/gpu.ts";
import { noise } from "./helpers/gradient-check.ts";
import { expectLowered } from "./helpers/lowered.ts";

interface Case {
  readonly sizes?: Record<string, number>;
  readonly inputs?: Record<string, ArrayLike<number>>;
  readonly tensors?: Record<string, ArrayLike<number>>;
  readonly build: (b: GraphBuilder) => Record<string, Node>;
}

const T = named("T");
const graphOf = (outputs: Record<string, Node>): Graph => ({
  name: "test",
  outputs: Object.entries(outputs).map(([name, node]) => ({ name, node })),
  updates: [],
});

function run({ sizes = {}, inputs = {}, tensors = {}, build }: Case): void {
  const environment: Environment = {
    sizes,
    inputs: new Map(Object.entries(inputs)),
    tensors: new Map(Object.entries(tensors)),
  };
  const outputs = build(new GraphBuilder());
  for (const fuse of [true, false]) {
    expectLowered(graphOf(outputs), environment, { fuse });
    expectLowered(graphOf(outputs), environment, { fuse, target: smallGpu, targets: ["interpreter"] });
  }
}

const rows = (b: GraphBuilder, width: number): Node => b.input("x", "f32", [T, width]);
const rmsNorm = (b: GraphBuilder, x: Node, width: number): Node => {
  const mean = b.div(b.sum(b.square(x), [-1]), width);
  const scale = b.div(1, b.map("sqrt", b.add(mean, 1e-5)));
  const wide = b.expand(scale, x.shape, -1);
  return b.mul(b.mul(x, wide), b.broadcastTo(b.tensor("g", [width]), x.shape, [x.shape.length - 1]));
};

const cases: Record<string, Case> = {
  "a map of one vector": {
    inputs: { x: noise(1, 10) },
    build: (b) => ({ y: b.add(b.map("exp", b.input("x", "f32", [10])), 1) }),
  },
  rmsnorm: {
    sizes: { T: 7 },
    inputs: { x: noise(1, 7 * 12) },
    tensors: { g: noise(2, 12) },
    build: (b) => ({ y: rmsNorm(b, rows(b, 12), 12) }),
  },
  "a remainder that a whole row shares": {
    sizes: { T: 5 },
    inputs: { x: noise(1, 5 * 8), p: [0, 1.5, 7, 8, 9] },
    build: (b) => {
      const x = rows(b, 8);
      const of = (node: Node): Node => b.map("mod", node, b.broadcastTo(b.constant(7), [T], []));
      const rest = of(b.map("floor", b.input("p", "f32", [T])));
      return { y: b.mul(x, b.expand(rest, x.shape, -1)) };
    },
  },
  "softmax of an odd width": {
    sizes: { T: 5 },
    inputs: { x: noise(1, 5 * 7) },
    build: (b) => ({ y: b.softmax(rows(b, 7)) }),
  },
  "softmax of a symbolic width": {
    sizes: { T: 5 },
    inputs: { x: noise(1, 3 * 5) },
    build: (b) => ({ y: b.softmax(b.input("x", "f32", [3, T])) }),
  },
  "cross entropy": {
    sizes: { T: 6 },
    inputs: { x: noise(1, 6 * 10), next: [1, 0, 9, 3, 3, 5] },
    build: (b) => {
      const x = rows(b, 10);
      const next = b.input("next", "i32", [T]);
      const picked = b.take(b.logSoftmax(x), b.reshape(next, [T, 1]), 1);
      return { loss: b.neg(b.mean(picked)) };
    },
  },
  "a large sum": {
    sizes: { T: 70 },
    inputs: { x: noise(1, 70 * 300) },
    build: (b) => {
      const x = rows(b, 300);
      return {
        sum: b.div(b.sum(b.square(x)), 7),
        max: b.reduce("max", x),
        norm: b.map("sqrt", b.sum(b.square(x))),
      };
    },
  },
  columns: {
    sizes: { T: 9 },
    inputs: { x: noise(1, 9 * 32), y: noise(3, 9 * 6) },
    build: (b) => ({
      bias: b.sum(rows(b, 32), [0]),
      odd: b.reduce("max", b.input("y", "f32", [T, 6]), [0]),
      middle: b.sum(b.broadcastTo(b.input("y", "f32", [T, 6]), [3, T, 6], [1, 2]), [1]),
    }),
  },
  mlp: {
    sizes: { T: 9 },
    inputs: { x: noise(1, 9 * 12) },
    tensors: { w1: noise(2, 12 * 20), b1: noise(3, 20), w2: noise(4, 20 * 12) },
    build: (b) => {
      const x = rows(b, 12);
      const h = b.contract(x, b.tensor("w1", [12, 20]), "td,dh->th");
      const act = b.silu(b.add(h, b.broadcastTo(b.tensor("b1", [20]), h.shape, [1])));
      return { y: b.add(x, b.contract(act, b.tensor("w2", [20, 12]), "th,hd->td")) };
    },
  },
  attention: {
    sizes: { B: 2, T: 5 },
    inputs: { x: noise(1, 2 * 5 * 8) },
    tensors: { q: noise(2, 64), k: noise(3, 64), v: noise(4, 64), o: noise(5, 64) },
    build: (b) => {
      const x = b.input("x", "f32", [named("B"), T, 8]);
      const heads = (name: string): Node =>
        b.reshape(b.contract(x, b.tensor(name, [8, 8]), "btd,dn->btn"), [named("B"), T, 2, 4]);
      const scores = b.contract(heads("q"), heads("k"), "bthd,bshd->bhts");
      const index = b.index(T);
      const mask = b.map(
        "le",
        b.broadcastTo(index, scores.shape, [3]),
        b.broadcastTo(index, scores.shape, [2]),
      );
      const minus = b.broadcastTo(b.constant(-Infinity), scores.shape, []);
      const p = b.softmax(b.select(mask, b.mul(scores, 0.5), minus));
      const mixed = b.reshape(b.contract(p, heads("v"), "bhts,bshd->bthd"), [named("B"), T, 8]);
      return { y: b.add(x, b.contract(mixed, b.tensor("o", [8, 8]), "btd,dn->btn")), p };
    },
  },
  "rotary by slices and pads": {
    sizes: { T: 5 },
    inputs: { x: noise(1, 5 * 16) },
    build: (b) => {
      const x = rows(b, 16);
      const [left, right] = [b.slice(x, 1, 0, 8), b.slice(x, 1, 8, 8)];
      return {
        y: b.concat([b.neg(right), left], 1),
        z: b.concat([b.slice(x, 1, 0, 3), b.slice(x, 1, 5, 9)], 1),
      };
    },
  },
  scans: {
    sizes: { T: 5 },
    inputs: { x: noise(1, 5 * 6) },
    build: (b) => {
      const x = rows(b, 6);
      return {
        down: b.scan(x, 0),
        back: b.scan(x, 0, { reverse: true, exclusive: true }),
        across: b.scan(x, 1, { exclusive: true }),
        left: b.mul(b.scan(x, 1, { reverse: true }), 2),
        counts: b.scan(b.cast(b.map("lt", x, 0), "i32"), 1, { exclusive: true }),
      };
    },
  },
  choices: {
    sizes: { T: 4 },
    inputs: {
      x: [
        1,
        3,
        3,
        2,
        NaN,
        5,
        5,
        NaN,
        -Infinity,
        -Infinity,
        NaN,
        -Infinity,
        1,
        1,
        1,
        1,
        1,
        1,
        9,
        Infinity,
        0,
        2,
        Infinity,
        3,
      ],
    },
    build: (b) => {
      const x = rows(b, 6);
      return {
        two: b.choose(x, 2),
        all: b.choose(x, 6),
        mask: b.choose(x, 3, "mask"),
        many: b.choose(b.permute(x, [1, 0]), T),
        some: b.choose(b.permute(x, [1, 0]), T, "mask"),
      };
    },
  },
  "random numbers": {
    sizes: { T: 4 },
    inputs: { $seed: [7], $draw: [3] },
    build: (b) => ({ y: b.mul(b.random(2, [T, 6]), 2), z: b.permute(b.random(2, [T, 6]), [1, 0]) }),
  },
  embedding: {
    sizes: { T: 4 },
    inputs: { ids: [2, 0, -1, 7] },
    tensors: { table: noise(1, 24) },
    build: (b) => ({ y: b.take(b.tensor("table", [3, 8]), b.input("ids", "i32", [T])) }),
  },
  "views, copies and booleans": {
    sizes: { T: 4 },
    inputs: { x: noise(1, 24) },
    tensors: { w: noise(2, 6) },
    build: (b) => {
      const x = rows(b, 6);
      const y = b.map("lt", x, 0);
      return {
        x,
        w: b.tensor("w", [6]),
        t: b.permute(x, [1, 0]),
        f: b.reshape(x, [multiply(T, [{ coefficient: 6, factors: [] }])]),
        y,
        again: y,
        c: b.constant(3),
        s: b.size(T),
        i: b.index(T),
      };
    },
  },
};

describe("one graph, every target", () => {
  for (const [name, each] of Object.entries(cases)) test(name, () => run(each));
});
