// One contraction kernel in bare memory: a case of test/helpers/contraction.ts -> a function that launches it on this thread.

import { setFlagsFromString } from "node:v8";
import { printWasm, scratchBytes } from "../compiler/wasm/print.ts";
import { evaluate } from "../runtime/size.ts";
import { prepare, type Case } from "../test/helpers/contraction.ts";

setFlagsFromString("--experimental-wasm-relaxed-simd");

export interface KernelRun {
  /** Launches workgroups [from, end). */
  run(from: number, end: number): void;
  readonly grid: number;
  /** Multiply-adds that the case really needs. */
  readonly work: number;
  /** Whether results agree with plain sums at a few places: a wrong kernel is not fast. */
  right(): boolean;
}

function workOf(test: Case): number {
  const rows = test.rows?.reduce((sum, count) => sum + count, 0);
  const [m, k] = [test.ragged === "rows" ? rows! : test.m, test.ragged === "reduction" ? rows! : test.k];
  return (test.batch ?? 1) * m * test.n * k * (test.siblings ?? 1);
}

export function loadKernel(test: Case): KernelRun {
  const { kernel, sizes, buffers, expectedAt } = prepare(test);
  let next = 1024;
  const place = (bytes: number): number => {
    const at = next;
    next += Math.ceil(bytes / 64) * 64 + 64;
    return at;
  };
  const addresses = kernel.buffers.map(({ name }) => place(buffers.get(name)!.byteLength));
  const scratch = place(scratchBytes(kernel));
  const memory = new WebAssembly.Memory({ initial: Math.ceil(next / 65536) });
  const bytes = printWasm([kernel], { relaxed: true, shared: false });
  const module = new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
  const launch = new WebAssembly.Instance(module, { env: { memory } }).exports["k0"] as (
    ...args: number[]
  ) => void;
  kernel.buffers.forEach(({ name, type }, i) => {
    const values = buffers.get(name)!;
    const view = type === "f32" ? Float32Array : Int32Array;
    new view(memory.buffer, addresses[i], values.length).set(values);
  });
  const args = [...addresses, ...kernel.sizes.map((name) => sizes[name]!)];
  return {
    run: (from, end) => launch(from, end, scratch, ...args),
    grid: evaluate(kernel.grid, sizes),
    work: workOf(test),
    right() {
      const out = kernel.buffers.findIndex(({ name }) => name === "out0");
      const result = new Float32Array(memory.buffer, addresses[out], buffers.get("out0")!.length);
      return Array.from({ length: 50 }, (_, i) => Math.floor(((i * 0.618033) % 1) * result.length)).every(
        (at) => Math.abs(result[at]! - expectedAt(at)) < 1e-3,
      );
    },
  };
}
