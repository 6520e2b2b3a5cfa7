// Runs a kernel of a library that the host's compiler made, and by the kernel interpreter. In: the library, the kernel, its memory. Out:
// what each left.

import { runKernel } from "../../compiler/interpret-kernel.ts";
import type { Kernel } from "../../compiler/kernel.ts";
import { verifyKernel } from "../../compiler/verify-kernel.ts";
import type { Sizes } from "../../runtime/size.ts";
import { evaluate } from "../../runtime/size.ts";
import { type HostKernels } from "./cuda-host.ts";

export type Data = Float32Array | Int32Array;
export type Memory = Map<string, Data>;

/** Runs a kernel of a library and by the interpreter; gives what each left. */
export function both(
  library: HostKernels,
  index: number,
  tested: Kernel,
  memory: () => Memory,
  sizes: Sizes = {},
): { readonly actual: Memory; readonly wanted: Memory } {
  verifyKernel(tested);
  const [wanted, actual] = [memory(), memory()];
  runKernel(tested, wanted, sizes);
  library.run(
    index,
    evaluate(tested.grid, sizes),
    tested.buffers.map(({ name }) => actual.get(name)!),
    tested.sizes.map((name) => sizes[name]!),
  );
  return { actual, wanted };
}
