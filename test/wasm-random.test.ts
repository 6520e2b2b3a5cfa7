// Random kernels: the interpreter and WebAssembly agree to the bit, and an independent validator accepts the modules.

import fc from "fast-check";
import { expect, test } from "vitest";
import { runKernel } from "../compiler/interpret-kernel.ts";
import type { Kernel } from "../compiler/kernel.ts";
import { printKernel } from "../compiler/print-kernel.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import { printWasm } from "../compiler/wasm/print.ts";
import { groups, randomKernel, slice, tableLength } from "./helpers/random-kernels.ts";
import { checkWasm, runOnWasm, type Buffers } from "./helpers/wasm.ts";

const buffers = (): Buffers =>
  new Map<string, Float32Array | Int32Array>([
    ["table", Float32Array.from({ length: tableLength }, (_, at) => Math.fround(((at * 37) % 23) / 3 - 4))],
    ["index", Int32Array.from({ length: 16 }, (_, at) => (at * 29) % 61)],
    ["update", Float32Array.from({ length: groups * slice }, (_, at) => ((at * 11) % 17) - 8)],
  ]);

/** With each multiply-add as two operations, as engines without relaxed SIMD compute it. */
function unfused(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(unfused);
  if (typeof node !== "object" || node === null) return node;
  const inner = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, unfused(value)]));
  const { op, type, a, b, c } = inner;
  if (op !== "fma") return inner;
  return { op: "binary", type, fn: "add", a: { op: "binary", type, fn: "mul", a, b }, b: c };
}

const seed = fc.integer();
const depth = fc.integer({ min: 0, max: 3 });

test("random kernels give the interpreter's results", () => {
  fc.assert(
    fc.property(
      seed,
      depth,
      fc.integer({ min: 0, max: 4 }),
      fc.boolean(),
      (number, nesting, size, relaxed) => {
        const kernel = randomKernel(number, nesting);
        verifyKernel(kernel);
        // divisors are S, so that S = 0 is only for kernels that do not divide by it: the interpreter refuses those
        const sizes = { S: size };
        const expected = buffers();
        try {
          runKernel(relaxed ? kernel : (unfused(kernel) as Kernel), expected, sizes);
        } catch (error) {
          fc.pre(!/whole division/.test(String(error)));
          throw error;
        }
        const actual = buffers();
        runOnWasm(kernel, actual, sizes, { relaxed });
        const [want, got] = [expected.get("update")!, actual.get("update")!];
        // zeros of either sign are equal
        const at = want.findIndex(
          (value, index) => value !== got[index] && !(Number.isNaN(value) && Number.isNaN(got[index]!)),
        );
        if (at >= 0)
          expect.fail(`update[${at}] is ${got[at]}, wanted ${want[at]} in\n${printKernel(kernel)}`);
      },
    ),
    { numRuns: 400 },
  );
});

test("binaryen accepts random modules, shared and not, relaxed and not", () => {
  fc.assert(
    fc.property(seed, seed, fc.boolean(), fc.boolean(), (first, second, relaxed, shared) => {
      checkWasm(printWasm([randomKernel(first, 2), randomKernel(second, 3)], { relaxed, shared }));
    }),
    { numRuns: 25 },
  );
});
