// Memory plan: what a session will allocate, by part, and who fills the arena at its fullest moment.
// In: a program, the entries that are to run, sizes, threads. Out: numbers only; nothing is allocated.
// runtime/session.ts lays its memory out by this same plan, so that prediction and fact cannot drift apart.

import { align, layoutArena } from "./arena.ts";
import type { ArenaLayout, Placed } from "./arena.ts";
import type { Program, Tensor } from "./program.ts";
import type { Sizes } from "./size.ts";

export interface EntryMemory {
  readonly name: string;
  readonly bytes: number;
  /** The lower bound of any layout: bytes alive at the busiest dispatch. */
  readonly floor: number;
  /** What the user wrote that is computed at the fullest moment. */
  readonly at: string;
  /** What is alive then, largest first. */
  readonly alive: readonly Pick<Placed, "kind" | "name" | "bytes">[];
}

export interface MemoryPlan {
  readonly parameters: number;
  readonly state: number;
  readonly optimiser: number;
  readonly entries: readonly EntryMemory[];
  /** The entries run one after another in the same bytes: the largest of them. */
  readonly arena: number;
  /** Private memory of kernels, for all threads. */
  readonly scratch: number;
  readonly total: number;
}

export const tensorBytes = (tensor: Tensor): number => align(4 * tensor.shape.reduce((a, b) => a * b, 1));

/** Values of all symbolic sizes: the given ones, defaults for the others. */
export const withDefaults = (program: Program, sizes: Sizes = {}): Sizes => ({
  ...Object.fromEntries(program.sizes.map((size) => [size.name, size.default])),
  ...sizes,
});

/** The tensors that a session of these entries holds. Optimiser state stays out of sessions that do not train, caches out of
 * those that do not decode: generating costs no optimiser memory, and training no caches. */
export function heldTensors(program: Program, entries: readonly string[]): readonly Tensor[] {
  const bound = new Set<string>();
  for (const name of entries)
    for (const dispatch of program.entries[name]?.dispatches ?? [])
      for (const ref of dispatch.buffers) if (ref.kind === "tensor") bound.add(ref.name);
  const trains = program.tensors.some((tensor) => tensor.role === "optimiser" && bound.has(tensor.name));
  return program.tensors.filter((tensor) => {
    if (isCache(tensor)) return bound.has(tensor.name);
    // All of it, or none: what trains also saves, and a checkpoint is whole.
    return tensor.role !== "optimiser" || trains;
  });
}

/** The tensors of a checkpoint. */
export const savedTensors = (program: Program): readonly Tensor[] => program.tensors.filter((tensor) => !isCache(tensor));

/** Caches of decoding are state that belongs to one text, not to the model: no checkpoint needs them. */
export const isCache = (tensor: Tensor): boolean => tensor.role === "state" && tensor.name.startsWith("cache.");

/** Scratch of one thread. */
export function scratchBytes(program: Program, entries: readonly string[]): number {
  let most = 0;
  for (const name of entries)
    for (const { kernel } of program.entries[name]?.dispatches ?? [])
      most = Math.max(most, program.kernels[kernel]!.scratch);
  return align(most);
}

export function memoryPlan(
  program: Program,
  entries: readonly string[],
  sizes: Sizes = {},
  threads = 1,
): MemoryPlan {
  const values = withDefaults(program, sizes);
  const held = heldTensors(program, entries);
  const sum = (role: Tensor["role"]) =>
    held.reduce((bytes, tensor) => bytes + (tensor.role === role ? tensorBytes(tensor) : 0), 0);
  const perEntry = entries.map((name): EntryMemory => {
    const entry = program.entries[name];
    if (entry === undefined) throw new Error(`internal: the program has no entry ${name}`);
    const layout = layoutArena(entry, values);
    const at = entry.dispatches[layout.busiest]?.label ?? (layout.busiest < 0 ? "inputs" : "outputs");
    return { name, bytes: layout.bytes, floor: layout.floor, at, alive: aliveAt(layout, layout.busiest) };
  });
  const parts = { parameters: sum("parameter"), state: sum("state"), optimiser: sum("optimiser") };
  const arena = perEntry.reduce((most, { bytes }) => Math.max(most, bytes), 0);
  const scratch = threads * scratchBytes(program, entries);
  const total = parts.parameters + parts.state + parts.optimiser + arena + scratch;
  return { ...parts, entries: perEntry, arena, scratch, total };
}

function aliveAt(layout: ArenaLayout, dispatch: number): EntryMemory["alive"] {
  return [...layout.inputs.values(), ...layout.outputs.values(), ...layout.temporaries]
    .filter(({ first, last }) => first <= dispatch && dispatch <= last)
    .map(({ kind, name, bytes }) => ({ kind, name, bytes }))
    .sort((a, b) => b.bytes - a.bytes);
}
