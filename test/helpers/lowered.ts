// Runs lowered entries in tests, on the kernel interpreter or on WebAssembly, and compares them with the graph interpreter.
// In: a graph and its environment. Out: outputs and updates by name. Memory that nobody has written is NaN (or a huge index),
// so that reading it shows.

import { expect } from "vitest";
import type { Graph } from "../../compiler/graph.ts";
import { interpretGraph } from "../../compiler/interpret-graph.ts";
import type { Environment } from "../../compiler/interpret-graph.ts";
import { runKernel } from "../../compiler/interpret-kernel.ts";
import { lowerGraph } from "../../compiler/lower.ts";
import type { LowerOptions } from "../../compiler/lower.ts";
import type { LoweredBuffer, LoweredEntry } from "../../compiler/lowered.ts";
import { verifyKernel } from "../../compiler/verify-kernel.ts";
import { scratchBytes } from "../../compiler/wasm/print.ts";
import { evaluate } from "../../runtime/size.ts";
import { instantiateKernels } from "./wasm.ts";

export type Target = "interpreter" | "wasm";
type Data = Float32Array | Int32Array;

export interface EntryResult {
  readonly outputs: ReadonlyMap<string, Data>;
  readonly tensors: ReadonlyMap<string, Data>;
}

/** Memory of every buffer of an entry, with what the environment gives. */
export function allocate(entry: LoweredEntry, environment: Environment): Map<LoweredBuffer, Data> {
  const memory = new Map<LoweredBuffer, Data>();
  /** Tensors that lie in parts. */
  const stacks = new Map<string, Data>();
  for (const { kernel, buffers } of entry.dispatches)
    for (const [i, buffer] of buffers.entries()) {
      if (memory.has(buffer)) continue;
      const { type, length } = kernel.buffers[i]!;
      const count = evaluate(length, environment.sizes);
      if (buffer.kind === "tensor" && buffer.part !== undefined) {
        const { name, part } = buffer;
        const whole = stacks.get(name) ?? Float32Array.from(environment.tensors.get(name)!);
        stacks.set(name, whole);
        memory.set(buffer, whole.subarray(part * count, (part + 1) * count));
        continue;
      }
      const data = type === "i32" ? new Int32Array(count).fill(1 << 28) : new Float32Array(count).fill(NaN);
      const given =
        buffer.kind === "tensor"
          ? environment.tensors.get(buffer.name)
          : buffer.kind === "input"
            ? environment.inputs.get(buffer.name)
            : undefined;
      if (given !== undefined) data.set(Array.from(given));
      memory.set(buffer, data);
    }
  for (const [name, whole] of stacks) memory.set({ kind: "tensor", name }, whole);
  return memory;
}

function runInterpreted(
  entry: LoweredEntry,
  memory: Map<LoweredBuffer, Data>,
  environment: Environment,
): void {
  for (const { kernel, buffers, launch } of entry.dispatches) {
    const byName = new Map(kernel.buffers.map(({ name }, i) => [name, memory.get(buffers[i]!)!]));
    runKernel(kernel, byName, { ...environment.sizes, ...launch });
  }
}

function runCompiled(entry: LoweredEntry, memory: Map<LoweredBuffer, Data>, environment: Environment): void {
  let next = 1024;
  const place = (bytes: number): number => {
    const at = next;
    next += Math.ceil(bytes / 16) * 16 + 64;
    return at;
  };
  const addresses = new Map([...memory].map(([buffer, data]) => [buffer, place(data.byteLength)]));
  const scratch = place(Math.max(0, ...entry.dispatches.map(({ kernel }) => scratchBytes(kernel))));
  const kernels = entry.dispatches.map(({ kernel }) => kernel);
  const wasm = instantiateKernels(kernels, { pages: Math.ceil(next / 65536) });
  const view = (buffer: LoweredBuffer, data: Data): Data =>
    data instanceof Float32Array
      ? new Float32Array(wasm.memory.buffer, addresses.get(buffer), data.length)
      : new Int32Array(wasm.memory.buffer, addresses.get(buffer), data.length);
  for (const [buffer, data] of memory) view(buffer, data).set(data);
  for (const [i, { kernel, buffers }] of entry.dispatches.entries()) {
    const sizes = kernel.sizes.map((name) => environment.sizes[name]!);
    const at = buffers.map((buffer) => addresses.get(buffer)!);
    wasm.functions[i]!(0, evaluate(kernel.grid, environment.sizes), scratch, ...at, ...sizes);
  }
  for (const [buffer, data] of memory) data.set(view(buffer, data));
}

export function runEntry(entry: LoweredEntry, environment: Environment, target: Target): EntryResult {
  for (const { kernel } of entry.dispatches) verifyKernel(kernel);
  const memory = allocate(entry, environment);
  (target === "interpreter" ? runInterpreted : runCompiled)(entry, memory, environment);
  const named = (kind: LoweredBuffer["kind"]): Map<string, Data> =>
    new Map(
      [...memory].flatMap(([buffer, data]) =>
        buffer.kind === kind && buffer.kind !== "temporary" && !("part" in buffer)
          ? [[buffer.name, data] as const]
          : [],
      ),
    );
  return { outputs: named("output"), tensors: named("tensor") };
}

/** Expects equal numbers, NaN and infinities included, within a tolerance of f32. */
export function expectClose(
  actual: ArrayLike<number>,
  wanted: ArrayLike<number>,
  what: string,
  tolerance = 2e-4,
): void {
  let largest = 1e-3;
  for (let i = 0; i < wanted.length; i++)
    if (Number.isFinite(wanted[i]!)) largest = Math.max(largest, Math.abs(wanted[i]!));
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [actual[i]!, wanted[i]!];
    const same = Object.is(a, b) || a === b || Math.abs(a - b) <= tolerance * largest;
    if (!same) expect.fail(`${what}[${i}] is ${a}, wanted ${b}`);
  }
}

/** The elements that are there, of an array whose ragged axes have room for more. */
function withinBounds(data: Data, bounds: readonly number[], dims: readonly number[]): number[] {
  if (dims.length === 0) return [data[0]!];
  const [bound, ...inner] = bounds;
  const size = data.length / bound!;
  return Array.from({ length: dims[0]! }, (_, i) =>
    withinBounds(data.subarray(i * size, (i + 1) * size), inner, dims.slice(1)),
  ).flat();
}

/** Lowers and runs a graph everywhere, and compares every output and every tensor afterwards. Returns the entry. */
export function expectLowered(
  graph: Graph,
  environment: Environment,
  options: LowerOptions & { readonly targets?: readonly Target[]; readonly tolerance?: number } = {},
): LoweredEntry {
  const wanted = interpretGraph(graph, environment);
  const entry = lowerGraph(graph, options);
  for (const target of options.targets ?? (["interpreter", "wasm"] as const)) {
    const { outputs, tensors } = runEntry(entry, environment, target);
    for (const [name, value] of wanted.outputs) {
      if (value.data.length === 0) continue;
      const { shape } = entry.outputs.find((port) => port.name === name)!;
      const bounds = shape.map((size) => evaluate(size, environment.sizes));
      const there = withinBounds(outputs.get(name)!, bounds, value.dims);
      expectClose(there, value.data, `${target} ${name}`, options.tolerance);
    }
    for (const [name, value] of wanted.updates)
      expectClose(tensors.get(name)!, value.data, `${target} ${name}`, options.tolerance);
  }
  return entry;
}
