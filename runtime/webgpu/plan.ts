// What a session on WebGPU will allocate, before there is a device: tensors, pools and inputs of the entries that are to run.
// In: a program, entries, sizes. Out: the plan of the CPU with the numbers that differ. Sessions lay out memory by the same
// functions; devices whose buffers may be smaller than the pools need some more. And what some devices will refuse: a piece that is
// longer than WebGPU guarantees.

import { heldMemory, memoryPlan, withDefaults, type MemoryPlan } from "../arena-plan.ts";
import type { Program } from "../program.ts";
import type { Sizes } from "../size.ts";
import { layoutGpu, type LayoutLimits } from "./layout.ts";
import { partBytes, tensorBytes } from "./memory.ts";

/** Offsets that every device takes, and buffers of any length. */
const anyDevice: LayoutLimits = { alignment: 256, buffer: Infinity };

/** Bytes that every device binds in one piece. How much more it takes is known when it is there. */
export const guaranteedPiece = 2 ** 27;

export interface LongPiece {
  /** A tensor, or what makes a value. */
  readonly name: string;
  readonly bytes: number;
  /** The line that makes it. */
  readonly place?: string;
}

/** What these entries have in one piece that is longer than guaranteed, longest first: a device may refuse it (R0604). */
export function longPieces(program: Program, entries: readonly string[], sizes: Sizes = {}): LongPiece[] {
  const values = withDefaults(program, sizes);
  const pieces: LongPiece[] = heldMemory(program, entries).map((tensor) => ({
    name: tensor.name,
    bytes: partBytes(tensor),
  }));
  const known = new Set<string>();
  for (const entry of entries.map((name) => program.entries[name]!)) {
    const { temporaries, outputs, inputs } = layoutGpu(program, entry, values, anyDevice);
    const made = entry.temporaries.map(({ first, label }, at): LongPiece => {
      const { place } = entry.dispatches[first]!;
      return { name: label.trim(), bytes: temporaries[at]!.bytes, ...(place === undefined ? {} : { place }) };
    });
    for (const { name, bytes } of [...outputs.values(), ...inputs.values()]) made.push({ name, bytes });
    // What several entries have is told once.
    pieces.push(...made.filter((piece) => !known.has(JSON.stringify(piece))));
    for (const piece of made) known.add(JSON.stringify(piece));
  }
  return pieces.filter(({ bytes }) => bytes > guaranteedPiece).sort((a, b) => b.bytes - a.bytes);
}

export function gpuMemoryPlan(program: Program, entries: readonly string[], sizes: Sizes = {}): MemoryPlan {
  const values = withDefaults(program, sizes);
  const layouts = entries.map((name) => layoutGpu(program, program.entries[name]!, values, anyDevice));
  const pools: number[] = [];
  for (const layout of layouts)
    layout.pools.forEach((bytes, at) => (pools[at] = Math.max(pools[at] ?? 0, bytes)));
  const arena =
    pools.reduce((sum, bytes) => sum + bytes, 0) +
    Math.max(0, ...layouts.map(({ inputBytes }) => inputBytes));
  const tensors = heldMemory(program, entries).reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
  const plan = memoryPlan(program, entries, values);
  return {
    ...plan,
    entries: plan.entries.map((entry, at) => ({
      ...entry,
      bytes: layouts[at]!.inputBytes + layouts[at]!.pools.reduce((sum, bytes) => sum + bytes, 0),
    })),
    arena,
    threads: 0,
    total: tensors + arena,
  };
}
