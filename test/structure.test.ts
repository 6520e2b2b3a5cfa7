// Structure: which kernels a graph becomes, and what they bind, stated as tables. A change here is a change of design.

import { describe, expect, test } from "vitest";
import type { LoweredEntry } from "../compiler/lowered.ts";
import { lowerGraph } from "../compiler/lower.ts";
import { simplify } from "../compiler/simplify.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Node } from "../compiler/graph.ts";
import { differentiate } from "../compiler/differentiate.ts";
import { clipping, optimise } from "../compiler/build/optimizer.ts";
import { named } from "../runtime/size.ts";
import { noise } from "./helpers/gradient-check.ts";
import { languageModel } from "./helpers/language-model.ts";
import { expectLowered } from "./helpers/lowered.ts";

const T = named("T");
const [width, hidden, experts, k] = [256, 512, 8, 2];

/** A routed SwiGLU layer with a residual, and with `train` the gradients of everything for a given `dout`. */
function routedLayer(train: boolean): LoweredEntry {
  const b = new GraphBuilder();
  const tensor = (name: string, shape: readonly number[]): Node => b.tensor(name, shape);
  const x = b.input("x", "f32", [T, width]);
  const router = tensor("router", [width, experts]);
  const [gate, up] = ["gate", "up"].map((name) => tensor(name, [experts, width, hidden])) as [Node, Node];
  const down = tensor("down", [experts, hidden, width]);
  const score = b.softmax(b.contract(x, router, "td,de->te"));
  const picks = b.choose(score, k);
  const chosen = b.take(score, picks, 1);
  const weight = b.div(chosen, b.expand(b.sum(chosen, [1]), chosen.shape, 1));
  const route = b.route(picks, experts);
  const rows = b.dispatch(x, route);
  const ragged = { row: "r", group: "e" };
  const inner = b.mul(
    b.silu(b.contract(rows, gate, "rk,ekn->rn", ragged)),
    b.contract(rows, up, "rk,ekn->rn", ragged),
  );
  const out = b.contract(inner, down, "rk,ekn->rn", ragged);
  const rowWeight = b.broadcastTo(b.dispatch(weight, route, "pick"), out.shape, [0]);
  const y = b.add(x, b.combine(b.mul(out, rowWeight), route));
  const outputs = [{ name: "y", node: y }];
  if (train) {
    const loss = b.sum(b.mul(y, b.input("dout", "f32", [T, width])));
    for (const [leaf, node] of differentiate(b, loss, [x, router, gate, up, down]))
      outputs.push({ name: `d${leaf.op === "tensor" ? leaf.name : "x"}`, node });
  }
  return lowerGraph(simplify({ name: "layer", outputs, updates: [] }, { removeStops: true }));
}

const table = (entry: LoweredEntry): string[] =>
  entry.dispatches.map(({ kernel, label }) => `${label} | ${kernel.buffers.length}`);

describe("a routed layer", () => {
  test("forward: logits, selection, route, up, down, merge", () => {
    const entry = routedLayer(false);
    expect(table(entry)).toEqual([
      "contract | 3",
      "max, exp, sum x2, div x2, choose, take | 3",
      "route | 4",
      "contract x2, mul | 6",
      "contract, mul | 6",
      "combine, add | 4",
    ]);
    expect(entry.refusals).toEqual([]);
  });

  test("backward: ten more", () => {
    const entry = routedLayer(true);
    expect(entry.dispatches).toHaveLength(16);
    expect(Math.max(...entry.dispatches.map(({ kernel }) => kernel.buffers.length))).toBeLessThanOrEqual(8);
    // the gradient of the down projection's input makes those of gate and up, and is kept for the row dots
    expect(table(entry).slice(6)).toEqual([
      "': contract, mul, add | 7",
      // Weights of the down projection; what gate and up give back to their rows; their weights.
      ...["': contract | 6", "': contract | 4", "': contract x2 | 6", "': contract, add | 5"],
      "': combine | 3",
      // The router: how much each row's result counted, its softmax, its weights and inputs.
      ...["': sum | 4", "': sum x3, mul | 7", "': contract, add | 5", "': contract | 3"],
    ]);
  });
});

describe("a language model", () => {
  const sizes = { width: 256, hidden: 512, heads: 4, experts: 8, k: 2, vocabulary: 256 };

  test("layers share their kernels", () => {
    const kinds = (layers: number): { readonly kernels: number; readonly different: number } => {
      const { graph } = languageModel({ layers, ...sizes }, false);
      const { dispatches } = lowerGraph(simplify(graph, { removeStops: true }));
      return {
        kernels: dispatches.length,
        different: new Set(dispatches.map(({ kernel }) => JSON.stringify(kernel))).size,
      };
    };
    const [three, four] = [kinds(3), kinds(4)];
    expect(four.kernels - three.kernels).toBe(11);
    expect(four.different).toBe(three.different);
  });

  test("no kernel binds more than it may, however few that is", () => {
    const { graph } = languageModel({ layers: 1, ...sizes }, true);
    for (const bindings of [8, 10, 16]) {
      const { dispatches } = lowerGraph(simplify(graph, { removeStops: true }), { bindings });
      expect(Math.max(...dispatches.map(({ kernel }) => kernel.buffers.length))).toBeLessThanOrEqual(
        bindings,
      );
    }
  });

  test("a training step computes what the graph says", () => {
    const small = { layers: 2, width: 8, hidden: 12, heads: 2, experts: 4, k: 2, vocabulary: 11 };
    const { graph, shapes } = languageModel(small, true);
    const tensors = new Map(
      [...shapes].map(([name, shape], i) => [
        name,
        noise(
          i + 1,
          shape.reduce((n, size) => n * size, 1),
        ),
      ]),
    );
    const ids = Array.from({ length: 14 }, (_, i) => (i * 7) % 11);
    const environment = {
      sizes: { B: 2, T: 7 },
      inputs: new Map<string, ArrayLike<number>>([
        ["text", ids],
        ["text.next", ids.map((id) => (id + 3) % 11)],
      ]),
      tensors,
    };
    expectLowered(simplify(graph, { removeStops: true }), environment, {
      targets: ["wasm"],
      tolerance: 2e-3,
    });
    expectLowered(graph, environment, { targets: ["wasm"], fuse: false, tolerance: 2e-3 });
  });
});

describe("an optimiser's step", () => {
  test("AdamW with clipping: one kernel for each parameter, in place, beside the norm", () => {
    const b = new GraphBuilder();
    const shapes = [[256, 64], [64], [8, 64, 128]];
    const tensors = shapes.map(
      (shape, i) =>
        ({
          name: `w${i}`,
          role: "parameter",
          type: "f32",
          shape,
          init: { kind: "constant", value: 0 },
        }) as const,
    );
    const gradients = tensors.map(({ name, shape }) => b.tensor(`gradient.${name}`, shape));
    const { norm, factor } = clipping(b, gradients, 1);
    const trained = tensors.map((tensor, i) => ({
      tensor,
      value: b.tensor(tensor.name, tensor.shape),
      gradient: b.mul(gradients[i]!, factor!),
      factor: 1,
    }));
    const step = b.cast(b.input("$step", "i32"), "f32");
    const rate = b.div(b.constant(0.01), b.add(step, 1));
    const { updates } = optimise(b, "adamw", { rate }, trained, step);
    const outputs = [
      { name: "rate", node: rate },
      { name: "norm", node: norm },
    ];
    const entry = lowerGraph(simplify({ name: "update", outputs, updates }));
    const labels = entry.dispatches.map(({ label }) => label);
    expect(labels.filter((label) => label === "add x2, sub")).toHaveLength(shapes.length);
    expect(labels.filter((label) => label.includes("update"))).toEqual([]);
    expect(labels.filter((label) => label.includes("sum")).length).toBeLessThanOrEqual(2 * shapes.length);
    expect(Math.max(...entry.dispatches.map(({ kernel }) => kernel.buffers.length))).toBeLessThanOrEqual(8);
  });
});
