// Print for WebAssembly: kernels become one module. It imports `env.memory` and exports for kernel number i a function
//   k{i}(first, end, scratch address, ...buffer addresses, ...sizes)
// that runs workgroups first <= w < end; addresses are bytes, all arguments i32. Elementary functions that kernels call are
// added once, unexported. With `shared` the memory is shared between threads; with `relaxed` multiply-adds are fused.
// The two kinds of module differ in single instructions only, so that both come of one translation (encoder.ts, `Edit`).
// Deliberately absent: memory layout and threads (the runtime's), schedules (the kernels come scheduled).

import type { Kernel } from "../kernel.ts";
import { emitFunction, type Signature } from "./emit.ts";
import { encodeModule, type WasmFunction } from "./encoder.ts";
import { flow, type Value } from "./flow.ts";
import { localValue } from "./values.ts";
import { lowerKernel, parametersOf } from "./lower-kernel.ts";
import { mathOf, pow, threefry, type MathFn } from "./math.ts";

export { scratchBytes } from "./lower-kernel.ts";

export interface WasmOptions {
  /** Fused multiply-add and lane selection of the relaxed SIMD extension. */
  readonly relaxed: boolean;
  readonly shared: boolean;
}

export function printWasm(kernels: readonly Kernel[], options: WasmOptions): Uint8Array {
  return encodeModule(functionsOf(kernels), options);
}

/** The same module for engines with relaxed SIMD and for others. */
export function printBoth(
  kernels: readonly Kernel[],
  { shared }: { readonly shared: boolean },
): { readonly plain: Uint8Array; readonly relaxed: Uint8Array } {
  const functions = functionsOf(kernels);
  return {
    plain: encodeModule(functions, { relaxed: false, shared }),
    relaxed: encodeModule(functions, { relaxed: true, shared }),
  };
}

function functionsOf(kernels: readonly Kernel[]): WasmFunction[] {
  const functions: WasmFunction[] = [];
  const helpers = new Map<string, number>();
  const indexOf = (helper: string): number => {
    const known = helpers.get(helper);
    if (known !== undefined) return known;
    const index = kernels.length + helpers.size;
    helpers.set(helper, index);
    return index;
  };
  kernels.forEach((kernel, index) => {
    const signature: Signature = { parameters: parametersOf(kernel), results: [], export: `k${index}` };
    functions.push(emitFunction(lowerKernel(kernel), signature, undefined, indexOf));
  });
  // helpers call no helpers, so there will be no more
  for (const helper of helpers.keys()) functions.push(helperFunction(helper));
  return functions;
}

function helperFunction(helper: string): WasmFunction {
  const none = (): never => {
    throw new Error(`internal: the helper ${helper} calls another`);
  };
  const words = helper === "threefry";
  const count = words ? 4 : helper === "pow" ? 2 : 1;
  const type = words ? "i32" : "v128";
  const parameters = Array<"i32" | "v128">(count).fill(type);
  const at = flow(parameters);
  const [a, b, c, d] = parameters.map((of, index) => localValue(at, of, index, at.root, false));
  const result: Value = words
    ? threefry(at, a!, b!, c!, d!)
    : helper === "pow"
      ? pow(at, a!, b!)
      : mathOf(at, helper as MathFn, a!);
  return emitFunction(at, { parameters, results: [type] }, result, none);
}
