// Contractions scheduled for GPUs of several sizes, checked against plain loops. In: a case, what a workgroup has. Out: the kernel
// and its buffers, within the limits; failures.

import { expect } from "vitest";
import { bytesOf, roundHalf } from "../../compiler/half.ts";
import { runKernel } from "../../compiler/interpret-kernel.ts";
import type { HalfType } from "../../compiler/kernel.ts";
import type { Parallel } from "../../compiler/target.ts";
import { verifyKernel } from "../../compiler/verify-kernel.ts";
import { outputsOf, prepare, type Case, type Prepared } from "./contraction.ts";
import { expectUniform } from "./gpu.ts";

/** Schedules follow what a target has: small ones make small tiles, which the interpreter runs quickly. */
export const small: Parallel = { workgroup: 32, scratch: 6144, sums: 16 };
export const medium: Parallel = { workgroup: 64, scratch: 16384, sums: 64, vectors: true };
export const withMatrix = (type: HalfType, sums: number): Parallel => ({
  workgroup: 64,
  scratch: 49152,
  sums,
  vectors: true,
  matrix: { type },
});

export function prepareFor(item: Case, parallel: Parallel): Prepared {
  const prepared = prepare(item, parallel);
  const { kernel, buffers } = prepared;
  verifyKernel(kernel);
  expectUniform(kernel);
  expect(kernel.workgroup).toBeLessThanOrEqual(parallel.workgroup);
  const bytes = kernel.scratch.reduce((all, { type, length }) => all + bytesOf(type) * length, 0);
  expect(bytes).toBeLessThanOrEqual(parallel.scratch);
  // Numbers that half width can hold: then products are exact there, too.
  const half = item.half ?? parallel.matrix?.type;
  if (half !== undefined)
    for (const [name, data] of buffers)
      if (/^[ab]\d?$/.test(name)) data.forEach((value, i) => (data[i] = roundHalf(half, value)));
  return prepared;
}

export function expectResult(item: Case, prepared: Prepared): void {
  const [actual, expected] = [outputsOf(prepared), prepared.expected()];
  expect(actual.length).toBe(expected.length);
  const length = item.ragged === "reduction" ? Math.max(...item.rows!) : item.k;
  const tolerance = 2e-6 * (8 + (item.prologue === true ? 4 : 1) * length);
  for (const [i, value] of actual.entries())
    if (!(Math.abs(value - expected[i]!) <= tolerance))
      expect.fail(`${JSON.stringify(item)}: element ${i} is ${value}, wanted ${expected[i]}`);
}

/** By the kernel interpreter, which checks bounds, races and barriers. */
export function check(item: Case, parallel: Parallel = small): void {
  const prepared = prepareFor(item, parallel);
  runKernel(prepared.kernel, prepared.buffers, prepared.sizes);
  expectResult(item, prepared);
}

export const layouts = (["k", "m"] as const).flatMap((a) => (["n", "k"] as const).map((b) => ({ a, b })));
