// Gradients against central differences in double precision, through the graph interpreter.
// In: a function that builds a value from tensors, and their sizes. Compares the derivative of a random weighting of the
// value in random directions of all tensors together. Deterministic: numbers come from threefry.

import { expect } from "vitest";
import { differentiate } from "../../compiler/differentiate.ts";
import type { Graph, Node } from "../../compiler/graph.ts";
import { GraphBuilder } from "../../compiler/graph-builder.ts";
import { interpretGraph, type Environment } from "../../compiler/interpret-graph.ts";
import { verifyGraph } from "../../compiler/verify-graph.ts";
import { evaluate, type Sizes } from "../../runtime/size.ts";
import { threefry, uniform } from "../../runtime/random.ts";

/** Numbers in [-1, 1). */
export const noise = (seed: number, length: number): Float64Array =>
  Float64Array.from({ length }, (_, i) => 2 * uniform(threefry(seed, 17, i, 3)[0]) - 1);

export interface GradientCase {
  /** Builds the value; floats made by `tensor` are differentiated by. */
  readonly build: (
    builder: GraphBuilder,
    tensor: (name: string, shape: readonly number[], from?: (noise: number) => number) => Node,
  ) => Node;
  readonly sizes?: Sizes;
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
}

export interface GradientResult {
  readonly expected: number;
  readonly actual: number;
  readonly gradients: ReadonlyMap<string, Float64Array>;
}

/** The derivative along a random direction, by differences and by differentiate. */
export function derivatives({ build, sizes = {}, inputs = {} }: GradientCase, seed = 1): GradientResult {
  const builder = new GraphBuilder();
  const values = new Map<string, Float64Array>();
  const tensors: Node[] = [];
  const value = build(builder, (name, shape, from = (x) => x) => {
    const length = shape.reduce((a, b) => a * b, 1);
    values.set(name, noise(seed * 31 + tensors.length, length).map(from));
    const node = builder.tensor(name, shape);
    tensors.push(node);
    return node;
  });
  // A ragged result is weighted by index, a dense one by noise; both tell elements apart.
  const weights = new Map<string, Float64Array>();
  let weighted = value;
  if (value.shape.every((axis) => axis.kind === "dense")) {
    const length = value.shape.reduce((n, axis) => n * evaluate(axis.size, sizes), 1);
    weights.set("weights", noise(seed + 99, length));
    weighted = builder.mul(
      value,
      builder.make({ op: "input", name: "weights" }, { dtype: "f32", shape: value.shape }),
    );
  } else {
    const rows = value.shape.findIndex((axis) => axis.kind === "ragged");
    const index = builder.map("sin", builder.cast(builder.index(value.shape[rows]!), "f32"));
    weighted = builder.mul(value, builder.broadcastTo(index, value.shape, [rows]));
  }
  const loss = builder.sum(weighted);
  const gradients = differentiate(builder, loss, tensors);
  const name = (node: Node): string => (node.op === "tensor" ? node.name : "");
  const graph: Graph = {
    name: "gradient",
    outputs: [
      { name: "loss", node: loss },
      ...tensors.map((tensor) => ({ name: name(tensor), node: gradients.get(tensor)! })),
    ],
    updates: [],
  };
  verifyGraph(graph);
  const run = (at: ReadonlyMap<string, Float64Array>) => {
    const environment: Environment = {
      sizes,
      inputs: new Map<string, ArrayLike<number>>([...Object.entries(inputs), ...weights]),
      tensors: at,
    };
    return interpretGraph(graph, environment).outputs;
  };
  const results = run(values);
  const directions = new Map(
    tensors.map((tensor, i) => [name(tensor), noise(seed * 7 + i, values.get(name(tensor))!.length)]),
  );
  const step = 1e-5;
  const moved = (by: number) =>
    run(
      new Map([...values].map(([key, data]) => [key, data.map((x, i) => x + by * directions.get(key)![i]!)])),
    ).get("loss")!.data[0]!;
  const expected = (moved(step) - moved(-step)) / (2 * step);
  let actual = 0;
  const found = new Map<string, Float64Array>();
  for (const [key, direction] of directions) {
    const { data } = results.get(key)!;
    found.set(key, data);
    data.forEach((x, i) => (actual += x * direction[i]!));
  }
  return { expected, actual, gradients: found };
}

/** Fails unless both derivatives agree, in three directions. */
export function expectGradient(gradientCase: GradientCase): void {
  for (const seed of [1, 2, 3]) {
    const { expected, actual } = derivatives(gradientCase, seed);
    expect(actual).not.toBeNaN();
    expect(Math.abs(actual - expected)).toBeLessThan(1e-6 * (1 + Math.abs(expected)));
  }
}
