// Runs kernels on WebAssembly in tests. In: kernels, buffers by name, sizes. Out: the buffers, changed in place.

import { setFlagsFromString } from "node:v8";
import binaryen from "binaryen";
import type { Kernel } from "../../compiler/kernel.ts";
import { printWasm, scratchBytes } from "../../compiler/wasm/print.ts";
import { evaluate, type Sizes } from "../../runtime/size.ts";

setFlagsFromString("--experimental-wasm-relaxed-simd");

export type Buffers = Map<string, Float32Array | Int32Array>;
export type KernelFunction = (...args: number[]) => void;

/** Compiles kernels and gives their functions, over a memory of so many pages. */
export function instantiateKernels(
  kernels: readonly Kernel[],
  options: { readonly relaxed?: boolean; readonly pages?: number } = {},
): { memory: WebAssembly.Memory; functions: KernelFunction[] } {
  const bytes = printWasm(kernels, { relaxed: options.relaxed ?? false, shared: false });
  const memory = new WebAssembly.Memory({ initial: options.pages ?? 16 });
  const module = new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
  const instance = new WebAssembly.Instance(module, { env: { memory } });
  return { memory, functions: kernels.map((_, index) => instance.exports[`k${index}`] as KernelFunction) };
}

/** Where the first buffer lies. Some space below it catches what writes before its buffer. */
const firstAddress = 1024;

/** Runs one kernel over its whole grid. */
export function runOnWasm(
  kernel: Kernel,
  buffers: Buffers,
  sizes: Sizes = {},
  options: { readonly relaxed?: boolean } = {},
): void {
  let next = firstAddress;
  const place = (bytes: number): number => {
    const at = next;
    next += Math.ceil(bytes / 16) * 16 + 64;
    return at;
  };
  const addresses = kernel.buffers.map(({ name }) => place(buffers.get(name)!.byteLength));
  const scratch = place(scratchBytes(kernel));
  const { memory, functions } = instantiateKernels([kernel], { ...options, pages: Math.ceil(next / 65536) });
  const view = (index: number): Float32Array | Int32Array => {
    const given = buffers.get(kernel.buffers[index]!.name)!;
    return given instanceof Float32Array
      ? new Float32Array(memory.buffer, addresses[index], given.length)
      : new Int32Array(memory.buffer, addresses[index], given.length);
  };
  kernel.buffers.forEach(({ name }, index) => view(index).set(buffers.get(name)!));
  const launch = [...addresses, ...kernel.sizes.map((name) => sizes[name]!)];
  functions[0]!(0, evaluate(kernel.grid, sizes), scratch, ...launch);
  kernel.buffers.forEach(({ name }, index) => buffers.get(name)!.set(view(index)));
}

/** Parses and validates a module with an independent implementation; gives its text. */
export function checkWasm(bytes: Uint8Array): string {
  const module = binaryen.readBinary(bytes);
  try {
    module.setFeatures(
      binaryen.Features.SIMD128 |
        binaryen.Features.RelaxedSIMD |
        binaryen.Features.Atomics |
        binaryen.Features.NontrappingFPToInt,
    );
    if (module.validate() !== 1) throw new Error("binaryen refuses the module");
    return module.emitText();
  } finally {
    module.dispose();
  }
}
