// Marks of the largest of a long row come of a threshold, not of ranking: on every target what a plain sort gives, with ties, signed
// zeros, infinities, NaN, and counts from none to more than there are.

import { describe, expect, test } from "vitest";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Graph } from "../compiler/graph.ts";
import type { Kernel } from "../compiler/kernel.ts";
import { lowerGraph } from "../compiler/lower.ts";
import { targets, type Target } from "../compiler/target.ts";
import { named } from "../runtime/size.ts";
import { hasCompiler, runOnHost } from "./helpers/cuda-host.ts";
import { expectUniform, expectWithinLimits, smallGpu } from "./helpers/gpu.ts";
import { noise } from "./helpers/gradient-check.ts";
import { expectLowered } from "./helpers/lowered.ts";
import { findDevice, runOnWebGpu } from "./helpers/webgpu.ts";

const [T, C] = [named("T"), named("C")];
const rows = 3;
const found = await findDevice();

/** Few values, so that most are tied; of all signs and kinds. */
const kinds = [-0, 0, 1, -1, 1e-30, -3e38, 3e38, Infinity, -Infinity, NaN, 0.5, -7];
const tied = (length: number): number[] =>
  [...noise(3, length)].map((x) => kinds[Math.floor(((x + 1) / 2) * kinds.length)]!);

const inputs: Readonly<Record<string, (length: number) => number[]>> = {
  different: (length) => [...noise(5, length)],
  tied,
  "all equal": (length) => Array.from({ length }, () => 2),
  "nothing to choose": (length) => Array.from({ length }, (_, i) => (i % 2 === 0 ? NaN : -Infinity)),
};

function graphOf(): Graph {
  const b = new GraphBuilder();
  const mask = b.choose(b.input("x", "f32", [rows, T]), C, "mask");
  return { name: "forward", outputs: [{ name: "mask", node: b.cast(mask, "i32") }], updates: [] };
}

const environmentOf = (length: number, count: number, x: readonly number[]) => ({
  sizes: { T: length, C: count },
  inputs: new Map([["x", x]]),
  tensors: new Map<string, number[]>(),
});

function sortedMarks(x: readonly number[], length: number, count: number): number[] {
  return Array.from({ length: rows }, (_, row) => x.slice(row * length, (row + 1) * length)).flatMap(
    (scores) => {
      const best = [...scores.keys()]
        .filter((i) => scores[i]! > -Infinity)
        .sort((i, j) => scores[j]! - scores[i]! || i - j)
        .slice(0, count);
      return scores.map((_, i) => Number(best.includes(i)));
    },
  );
}

/** The kernel that chooses, of the target's own. */
const kernelOf = (target: Target): Kernel => lowerGraph(graphOf(), { target }).dispatches[0]!.kernel;

function run(kernel: Kernel, x: readonly number[], length: number, count: number) {
  const sizes = { T: length, C: count };
  const memory = new Map<string, Float32Array | Int32Array>(
    kernel.buffers.map(({ name, type }) => [
      name,
      type === "f32" ? Float32Array.from(x) : new Int32Array(rows * length).fill(-5),
    ]),
  );
  const marks = (): number[] => [...memory.get(kernel.buffers.find(({ type }) => type === "i32")!.name)!];
  return { sizes, memory, marks };
}

test.each(["wasm", "webgpu", "cuda"] as const)("%s takes a threshold", (target) => {
  expect(JSON.stringify(kernelOf(targets[target]))).toContain('"fn":"order"');
});

describe.each(Object.entries(inputs))("%s", (_, make) => {
  const lengths = [1, 7, 70];
  const cases = lengths.flatMap((length) =>
    [0, 1, Math.ceil(length / 2), length, length + 9].map((count) => ({ length, count })),
  );

  test.each(cases)("$count of $length on CPUs and by a small GPU's kernels", ({ length, count }) => {
    const x = make(rows * length);
    const environment = environmentOf(length, count, x);
    const graph = graphOf();
    expectLowered(graph, environment);
    expectWithinLimits(expectLowered(graph, environment, { target: smallGpu, targets: ["interpreter"] }));
  });

  test.skipIf(!hasCompiler)("as CUDA on the host", () => {
    const kernel = kernelOf(targets.cuda);
    expectUniform(kernel);
    for (const { length, count } of cases.filter((each) => each.length > 1)) {
      const x = make(rows * length);
      const { sizes, memory, marks } = run(kernel, x, length, count);
      runOnHost(kernel, memory, sizes);
      expect(marks(), `${count} of ${length}`).toEqual(sortedMarks(x.map(Math.fround), length, count));
    }
  });

  test.skipIf(typeof found === "string")("as WGSL", async () => {
    const kernel = kernelOf(targets.webgpu);
    const [length, count] = [230, 115];
    const x = make(rows * length);
    const { sizes, memory, marks } = run(kernel, x, length, count);
    if (typeof found !== "string") await runOnWebGpu(found, kernel, memory, sizes);
    expect(marks()).toEqual(sortedMarks(x.map(Math.fround), length, count));
  });
});
