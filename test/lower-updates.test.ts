// Updates of tensors: in place where that is safe, aside and copied where it is not.

import { describe, expect, test } from "vitest";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Graph, Node } from "../compiler/graph.ts";
import { noise } from "./helpers/gradient-check.ts";
import { smallGpu } from "./helpers/gpu.ts";
import { expectLowered } from "./helpers/lowered.ts";

interface Case {
  readonly tensors: Record<string, ArrayLike<number>>;
  readonly inputs?: Record<string, ArrayLike<number>>;
  /** Kernels wanted. */
  readonly kernels: number;
  readonly build: (b: GraphBuilder) => {
    readonly updates: Record<string, Node>;
    readonly outputs?: Record<string, Node>;
  };
}

const cases: Record<string, Case> = {
  "adamw writes parameter and moments in one kernel, in place": {
    tensors: { p: noise(1, 96), m: noise(2, 96), v: noise(3, 96).map(Math.abs), g: noise(4, 96) },
    inputs: { $step: [3] },
    kernels: 1,
    build: (b) => {
      const [p, m, v, g] = ["p", "m", "v", "g"].map((name) => b.tensor(name, [8, 12])) as [
        Node,
        Node,
        Node,
        Node,
      ];
      const step = b.add(b.cast(b.input("$step", "i32"), "f32"), 1);
      const m1 = b.add(b.mul(m, 0.9), b.mul(g, 0.1));
      const v1 = b.add(b.mul(v, 0.99), b.mul(b.square(g), 0.01));
      const correct = (rate: number): Node =>
        b.broadcastTo(b.sub(1, b.map("pow", b.constant(rate), step)), p.shape, []);
      const wanted = b.div(b.div(m1, correct(0.9)), b.add(b.map("sqrt", b.div(v1, correct(0.99))), 1e-8));
      return { updates: { p: b.sub(p, b.mul(b.add(wanted, b.mul(p, 0.1)), 0.001)), m: m1, v: v1 } };
    },
  },
  "a sum into an accumulator": {
    tensors: { sum: noise(1, 48), a: noise(2, 40), b: noise(3, 30) },
    kernels: 1,
    build: (b) => {
      const product = b.contract(b.tensor("a", [5, 8]), b.tensor("b", [5, 6]), "tk,tn->kn");
      return { updates: { sum: b.add(b.tensor("sum", [8, 6]), product) } };
    },
  },
  "an old value that is read elsewhere": {
    tensors: { x: noise(1, 16) },
    kernels: 2,
    build: (b) => {
      const x = b.tensor("x", [4, 4]);
      return { updates: { x: b.permute(b.mul(x, 2), [1, 0]) } };
    },
  },
  "an old value that is read later": {
    tensors: { x: noise(1, 16), y: noise(2, 16) },
    kernels: 3,
    build: (b) => {
      const [x, y] = [b.tensor("x", [4, 4]), b.tensor("y", [4, 4])];
      const x1 = b.add(x, b.contract(y, y, "ab,bc->ac"));
      return { updates: { x: x1, y: b.contract(x, x1, "ab,bc->ac") } };
    },
  },
  "two tensors change places": {
    tensors: { x: noise(1, 5), y: noise(2, 5) },
    kernels: 4,
    build: (b) => ({ updates: { x: b.tensor("y", [5]), y: b.tensor("x", [5]) } }),
  },
  "an update that is an output too": {
    tensors: { x: noise(1, 5) },
    kernels: 2,
    build: (b) => {
      const next = b.mul(b.tensor("x", [5]), 2);
      return { updates: { x: next }, outputs: { next } };
    },
  },
};

describe("updates", () => {
  for (const [name, { tensors, inputs = {}, kernels, build }] of Object.entries(cases))
    test(name, () => {
      const { updates, outputs = {} } = build(new GraphBuilder());
      const graph: Graph = {
        name: "update",
        outputs: Object.entries(outputs).map(([port, node]) => ({ name: port, node })),
        updates: Object.entries(updates).map(([tensor, node]) => ({ tensor, node })),
      };
      const environment = {
        sizes: {},
        inputs: new Map(Object.entries(inputs)),
        tensors: new Map(Object.entries(tensors)),
      };
      expectLowered(graph, environment, { fuse: false });
      expectLowered(graph, environment, { target: smallGpu, targets: ["interpreter"] });
      const entry = expectLowered(graph, environment);
      expect(entry.dispatches.map(({ label }) => label)).toHaveLength(kernels);
    });
});
