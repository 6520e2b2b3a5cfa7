// The peak: what a bare multiply-add loop in wasm reaches on this machine: twelve independent chains of f32x4
// relaxed multiply-adds, nothing else. In: nothing. Out: multiply-adds per second of one thread, the best of short repeats.
// Every bench of contractions divides by this number, measured in the same run.

import { setFlagsFromString } from "node:v8";
import { constant } from "../runtime/size.ts";
import type { Expr, Kernel, Stmt } from "../compiler/kernel.ts";
import { printWasm } from "../compiler/wasm/print.ts";

setFlagsFromString("--experimental-wasm-relaxed-simd");

const chains = 12;
const rounds = 2048;
const unroll = 4;

/** The loop as a kernel: sums stay in registers, factors too. */
function peakKernel(): Kernel {
  const vector = (name: string): Expr => ({ op: "local", type: "f32x4", name });
  const names = Array.from({ length: chains }, (_, i) => `sum${i}`);
  const load = (index: number): Expr => ({
    op: "load",
    type: "f32x4",
    buffer: "io",
    index: { op: "literal", type: "i32", value: index },
  });
  const step: Stmt[] = names.map((name) => ({
    op: "set",
    name,
    value: { op: "fma", type: "f32x4", a: vector("x"), b: vector("y"), c: vector(name) },
  }));
  return {
    name: "peak",
    buffers: [{ name: "io", type: "f32", access: "update", length: constant(64) }],
    sizes: [],
    grid: constant(1),
    workgroup: 1,
    scratch: [],
    body: [
      { op: "let", name: "x", value: load(0) },
      { op: "let", name: "y", value: load(4) },
      ...names.map((name): Stmt => ({ op: "var", name, value: load(8) })),
      {
        op: "for",
        name: "round",
        from: { op: "literal", type: "i32", value: 0 },
        to: { op: "literal", type: "i32", value: rounds },
        step: 1,
        body: Array.from({ length: unroll }, () => step).flat(),
      },
      ...names.map((name, i): Stmt => ({
        op: "store",
        buffer: "io",
        index: { op: "literal", type: "i32", value: 8 + 4 * i },
        value: vector(name),
      })),
    ],
  };
}

/** A function that runs the loop once and gives its multiply-adds per second. */
export function preparePeak(): () => number {
  const bytes = printWasm([peakKernel()], { relaxed: true, shared: false });
  const memory = new WebAssembly.Memory({ initial: 1 });
  new Float32Array(memory.buffer).fill(0);
  const module = new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>);
  const run = new WebAssembly.Instance(module, { env: { memory } }).exports["k0"] as (
    ...args: number[]
  ) => void;
  const once = (): number => {
    const start = performance.now();
    for (let i = 0; i < 2; i++) run(0, 1, 4096, 1024);
    return (2 * rounds * unroll * chains * 4) / ((performance.now() - start) / 1000);
  };
  for (let i = 0; i < 100; i++) once();
  return once;
}

/** The best of several short runs. */
export function measurePeak(repeats = 10): number {
  const once = preparePeak();
  let best = 0;
  for (let i = 0; i < repeats; i++) best = Math.max(best, once());
  return best;
}
