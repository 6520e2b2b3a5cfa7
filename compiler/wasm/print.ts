// Print for WebAssembly: kernels become one module. It imports `env.memory` and exports for kernel number i a function
//   k{i}(first, end, scratch address, ...buffer addresses, ...sizes)
// that runs workgroups first <= w < end; addresses are bytes, all arguments i32. Elementary functions that kernels call are
// added once, unexported. With `shared` the memory is shared between threads; with `relaxed` multiply-adds are fused.
// Deliberately absent: memory layout and threads (the runtime's), schedules (the kernels come scheduled).

import type { Kernel } from "../kernel.ts";
import { emitFunction, type Signature } from "./emit.ts";
import { encodeModule, type WasmFunction } from "./encoder.ts";
import { flow, type FlowOptions, type Value } from "./flow.ts";
import { localValue } from "./values.ts";
import { lowerKernel, parametersOf } from "./lower-kernel.ts";
import { mathOf, pow, threefry, type MathFn } from "./math.ts";

export { scratchBytes } from "./lower-kernel.ts";

export interface WasmOptions extends FlowOptions {
  /** Fused multiply-add and lane selection of the relaxed SIMD extension. */
  readonly relaxed: boolean;
  readonly shared: boolean;
}

export function printWasm(kernels: readonly Kernel[], options: WasmOptions): Uint8Array {
  const functions: WasmFunction[] = [];
  const helpers = new Map<string, number>();
  const wanted: string[] = [];
  const indexOf = (helper: string): number => {
    const known = helpers.get(helper);
    if (known !== undefined) return known;
    const index = kernels.length + wanted.length;
    wanted.push(helper);
    helpers.set(helper, index);
    return index;
  };
  kernels.forEach((kernel, index) => {
    const signature: Signature = { parameters: parametersOf(kernel), results: [], export: `k${index}` };
    functions.push(emitFunction(lowerKernel(kernel, options), signature, undefined, indexOf));
  });
  // helpers call no helpers, so the list does not grow any more
  for (const helper of wanted) functions.push(helperFunction(helper, options));
  return encodeModule(functions, options);
}

function helperFunction(helper: string, options: FlowOptions): WasmFunction {
  const none = (): never => {
    throw new Error(`internal: the helper ${helper} calls another`);
  };
  const words = helper === "threefry";
  const count = words ? 4 : helper === "pow" ? 2 : 1;
  const type = words ? "i32" : "v128";
  const parameters = Array<"i32" | "v128">(count).fill(type);
  const at = flow(parameters, options);
  const [a, b, c, d] = parameters.map((of, index) => localValue(at, of, index, at.root, false));
  const result: Value = words
    ? threefry(at, a!, b!, c!, d!)
    : helper === "pow"
      ? pow(at, a!, b!)
      : mathOf(at, helper as MathFn, a!);
  return emitFunction(at, { parameters, results: [type] }, result, none);
}
