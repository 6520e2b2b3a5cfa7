// Checks a contraction case against plain loops: on WebAssembly, or on the kernel interpreter (small cases: it is slow).

import { expect } from "vitest";
import { runKernel } from "../../compiler/interpret-kernel.ts";
import { verifyKernel } from "../../compiler/verify-kernel.ts";
import { outputsOf, prepare, type Case } from "./contraction.ts";
import { runOnWasm } from "./wasm.ts";

function largestError(actual: Float32Array, expected: Float64Array): number {
  expect(actual.length).toBe(expected.length);
  let worst = 0;
  actual.forEach((value, i) => {
    const error = Math.abs(value - expected[i]!);
    worst = Math.max(worst, error); // NaN stays
  });
  return worst;
}

/** Sums of `terms` products of numbers below 1 (4 with the prologue). */
const tolerance = (terms: number): number => 2e-6 * (8 + terms);
const termsOf = (item: Case): number =>
  (item.prologue === true ? 4 : 1) * (item.ragged === "reduction" ? Math.max(...item.rows!) : item.k);

export function check(item: Case, relaxed = true): void {
  const prepared = prepare(item);
  verifyKernel(prepared.kernel);
  const expected = prepared.expected();
  runOnWasm(prepared.kernel, prepared.buffers, prepared.sizes, { relaxed });
  expect(largestError(outputsOf(prepared), expected), JSON.stringify(item)).toBeLessThan(
    tolerance(termsOf(item)),
  );
}

export function interpret(item: Case): void {
  const prepared = prepare(item);
  const expected = prepared.expected();
  runKernel(prepared.kernel, prepared.buffers, prepared.sizes);
  const interpreted = outputsOf(prepared);
  expect(largestError(interpreted, expected), JSON.stringify(item)).toBeLessThan(tolerance(termsOf(item)));
}
