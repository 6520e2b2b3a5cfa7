// What a session on WebGPU will allocate, before there is a device: tensors, pools and inputs of the entries that are to run.
// In: a program, entries, sizes. Out: the plan of the CPU with the numbers that differ. Sessions lay out memory by the same
// functions; devices whose buffers may be smaller than the pools need some more.

import { heldMemory, memoryPlan, withDefaults, type MemoryPlan } from "../arena-plan.ts";
import type { Program } from "../program.ts";
import type { Sizes } from "../size.ts";
import { layoutGpu, type LayoutLimits } from "./layout.ts";
import { tensorBytes } from "./memory.ts";

/** Offsets that every device takes, and buffers of any length. */
const anyDevice: LayoutLimits = { alignment: 256, buffer: Infinity };

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
