// Routed layers and a language model with their contractions scheduled for GPUs, by the kernel interpreter against the graph
// interpreter; and how many kernels a layer is.

import { describe, expect, test } from "vitest";
import { bytesOf } from "../compiler/half.ts";
import { differentiate } from "../compiler/differentiate.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Graph } from "../compiler/graph.ts";
import type { Environment } from "../compiler/interpret-graph.ts";
import { lowerGraph } from "../compiler/lower.ts";
import { simplify } from "../compiler/simplify.ts";
import { narrowTarget, targets, type Target } from "../compiler/target.ts";
import { medium, small, withMatrix } from "./helpers/gpu-contraction.ts";
import { noise } from "./helpers/gradient-check.ts";
import { narrowed } from "./helpers/narrowed.ts";
import { languageModel } from "./helpers/language-model.ts";
import { expectLowered } from "./helpers/lowered.ts";
import { graphOf, routed, T, tensorsOf, type Layer } from "./helpers/routed-layer.ts";

interface Sized extends Layer {
  readonly tokens: number;
}

/** A routed SwiGLU layer with its gradients, or without. */
function layerGraph(layer: Layer, train: boolean): Graph {
  const b = new GraphBuilder();
  const y = routed(b, layer);
  const { experts: e, width, hidden } = layer;
  const leaves = [
    b.input("x", "f32", [T, width]),
    b.tensor("router", [width, e]),
    b.tensor("gate", [e, width, hidden]),
    b.tensor("up", [e, width, hidden]),
    b.tensor("down", [e, hidden, width]),
  ];
  const gradients = train ? [...differentiate(b, b.sum(b.map("sin", y)), leaves).values()] : [];
  const named = Object.fromEntries(gradients.map((node, i) => [`d${i}`, node]));
  return simplify(graphOf({ y, ...named }), { removeStops: true });
}

const environmentOf = (layer: Sized): Environment => ({
  sizes: { T: layer.tokens },
  inputs: new Map([["x", noise(1, layer.tokens * layer.width)]]),
  tensors: tensorsOf(layer),
});

describe("a routed layer and its gradients", () => {
  const layers: Record<string, Sized> = {
    "of four experts": { experts: 4, k: 2, width: 12, hidden: 20, tokens: 19 },
    "of one expert": { experts: 1, k: 1, width: 6, hidden: 5, tokens: 20 },
    "of one token": { experts: 6, k: 2, width: 8, hidden: 12, tokens: 1 },
    "of many experts": { experts: 20, k: 3, width: 8, hidden: 8, tokens: 5 },
  };
  test.each(Object.entries(layers))("%s", (_, layer) => {
    const target: Target = { name: "cuda", bindings: 8, parallel: small };
    expectLowered(layerGraph(layer, true), environmentOf(layer), {
      target,
      targets: ["interpreter"],
      tolerance: 1e-3,
    });
  });
});

test("a routed layer and its gradients on matrix units", () => {
  const layer = { experts: 3, k: 2, width: 24, hidden: 20, tokens: 21 };
  const target: Target = { name: "cuda", narrow: "bf16", bindings: 8, parallel: withMatrix("bf16", 32) };
  const { graph, environment, copies } = narrowed(layerGraph(layer, true), environmentOf(layer), target);
  const entry = expectLowered(graph, environment, { target, targets: ["interpreter"], tolerance: 4e-3 });
  expect(copies.map(({ of }) => of).sort()).toEqual(["down", "gate", "up"]);
  const scratch = entry.dispatches.flatMap(({ kernel }) => kernel.scratch.map(({ type }) => type));
  expect(scratch.filter((type) => type === "bf16").length).toBeGreaterThanOrEqual(6);
});

test("a training step of a language model", () => {
  const sizes = { layers: 1, width: 8, hidden: 12, heads: 2, experts: 4, k: 2, vocabulary: 11 };
  const { graph, shapes } = languageModel(sizes, true);
  const count = (shape: readonly number[]): number => shape.reduce((all, size) => all * size, 1);
  const ids = Array.from({ length: 14 }, (_, i) => (i * 7) % 11);
  const environment: Environment = {
    sizes: { B: 2, T: 7 },
    inputs: new Map([
      ["text", ids],
      ["text.next", ids.map((id) => (id + 3) % 11)],
    ]),
    tensors: new Map([...shapes].map(([name, shape], i) => [name, noise(i + 1, count(shape))])),
  };
  expectLowered(simplify(graph, { removeStops: true }), environment, {
    target: { name: "cuda", bindings: 8, parallel: medium },
    targets: ["interpreter"],
    tolerance: 2e-3,
  });
});

test("a routed layer is five kernels and its logits; both targets' limits hold", () => {
  for (const target of [targets.cuda, targets.webgpu]) {
    const layer = { experts: 64, k: 8, width: 2048, hidden: 1024 };
    const { dispatches } = lowerGraph(layerGraph(layer, false), { target });
    const labels = dispatches.map(({ label }) => label);
    expect(labels.filter((label) => label !== "route counts")).toEqual([
      "contract",
      "max, exp, sum x2, div x2, choose, take",
      "route",
      "contract x2, mul",
      "contract, mul",
      "combine, add",
    ]);
    for (const { kernel } of dispatches) {
      const bytes = kernel.scratch.reduce((all, { type, length }) => all + bytesOf(type) * length, 0);
      expect(bytes).toBeLessThanOrEqual(target.parallel!.scratch);
      expect(kernel.workgroup).toBeLessThanOrEqual(target.parallel!.workgroup);
    }
  }
});

test("kernels of experts use matrix units, and routers do not", () => {
  const target = narrowTarget(targets.cuda, "bf16");
  const layer = { experts: 16, k: 2, width: 64, hidden: 64 };
  const { graph } = narrowed(layerGraph(layer, false), environmentOf({ ...layer, tokens: 1 }), target);
  const { dispatches } = lowerGraph(graph, { target });
  const used = dispatches.map(({ kernel, label }) => [
    label,
    JSON.stringify(kernel.body).includes('"multiply"'),
  ]);
  expect(used.filter(([label]) => String(label).includes("contract"))).toEqual([
    ["contract", false],
    ["contract x2, bf16", true],
    ["contract, bf16", true],
  ]);
});
