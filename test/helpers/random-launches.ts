// Random kernels (random-kernels.ts) as launches: what the kernel interpreter makes of them. In: how many. Out: launches, and whether a device
// left the same.

import { expect } from "vitest";
import { runKernel } from "../../compiler/interpret-kernel.ts";
import type { HalfType } from "../../compiler/kernel.ts";
import { printKernel } from "../../compiler/print-kernel.ts";
import { verifyKernel } from "../../compiler/verify-kernel.ts";
import { close } from "./edge-values.ts";
import { copied, type Launch, type Memory } from "./launches.ts";
import { groups, randomKernel, slice, tableLength } from "./random-kernels.ts";

const memory = (): Memory =>
  new Map<string, Float32Array | Int32Array>([
    ["table", Float32Array.from({ length: tableLength }, (_, at) => ((at * 37) % 23) / 3 - 4)],
    ["index", Int32Array.from({ length: 16 }, (_, at) => (at * 29) % 61)],
    ["update", Float32Array.from({ length: groups * slice }, (_, at) => ((at * 11) % 17) - 8)],
    ["halves", Float32Array.from({ length: groups * slice }, (_, at) => ((at * 13) % 29) / 4 - 3)],
  ]);

/** With memory of a type: half width beside f32. */
export const randomLaunches = (count: number, type: "f32" | HalfType): readonly Launch[] =>
  Array.from({ length: count }, (_, seed): Launch => {
    const kernel = randomKernel(seed * 7 + 1, seed % 4, type === "f32" ? undefined : type);
    verifyKernel(kernel);
    const bound = new Set(kernel.buffers.map(({ name }) => name));
    const before: Memory = new Map([...memory()].filter(([name]) => bound.has(name)));
    const after = copied(before);
    const sizes = { S: 1 + (seed % 4) };
    runKernel(kernel, after, sizes);
    return { kernel, sizes, before, after, what: `seed ${seed}` };
  });

export function expectRandom(
  { kernel, after, what }: Launch,
  left: Memory,
  relative: number,
  absolute: number,
): void {
  for (const name of ["update", "halves"]) {
    const [want, got] = [after.get(name), left.get(name)];
    if (want === undefined) continue;
    const at = want.findIndex((value, index) => !close(got![index]!, value, relative, absolute));
    if (at >= 0)
      expect.fail(`${what}: ${name}[${at}] is ${got![at]}, wanted ${want[at]} in\n${printKernel(kernel)}`);
  }
}

/** On a device that fuses as it likes. A last digit more or less in f32 may be one of f16. Sums that are rounded down may become another whole
 * number: kernels of other seeds could differ by that and say nothing. */
export const expectRandomOnWebGpu = (launch: Launch, left: Memory): void =>
  expectRandom(launch, left, launch.kernel.buffers.some(({ type }) => type === "f16") ? 2 ** -9 : 1e-4, 1e-3);
