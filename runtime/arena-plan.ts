// Memory plan: what a session will allocate, by part, and who fills the arena at its fullest moment.
// In: a program, the entries that are to run, sizes, threads. Out: numbers only; nothing is allocated.
// runtime/session.ts lays its memory out by this same plan, so that prediction and fact cannot drift apart.

import { align, layoutArena } from "./arena.ts";
import type { ArenaLayout, Placed } from "./arena.ts";
import { tapeBytes } from "./pool-record.ts";
import { bytesOf } from "./halves.ts";
import type { Copy, Program, Tensor } from "./program.ts";
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
  /** Of half width, beside parameters or in their place; absent where the program has none. */
  readonly copies?: number;
  readonly state: number;
  readonly optimiser: number;
  readonly entries: readonly EntryMemory[];
  /** The entries run one after another in the same bytes: the largest of them. */
  readonly arena: number;
  /** Private memory of kernels, and what threads share to divide the work. */
  readonly threads: number;
  /** What the session's memory will hold; it is allocated in whole pages of 64 KiB. */
  readonly total: number;
}

export const tensorBytes = ({ type, shape }: Tensor | Copy): number =>
  align(bytesOf(type) * shape.reduce((a, b) => a * b, 1));

/** Values of all symbolic sizes: the given ones, defaults for the others. */
export const withDefaults = (program: Program, sizes: Sizes = {}): Sizes => ({
  ...Object.fromEntries(program.sizes.map((size) => [size.name, size.default])),
  ...sizes,
});

/** What dispatches of these entries bind by the name of a tensor. */
function boundNames(program: Program, entries: readonly string[]): ReadonlySet<string> {
  const bound = new Set<string>();
  for (const name of entries)
    for (const dispatch of program.entries[name]?.dispatches ?? [])
      for (const ref of dispatch.buffers) if (ref.kind === "tensor") bound.add(ref.name);
  return bound;
}

/** What a session of these entries has in memory: its tensors, and the copies that they read. A parameter that they read by its
 * copy only is not there itself. */
export function heldMemory(program: Program, entries: readonly string[]): readonly (Tensor | Copy)[] {
  const bound = boundNames(program, entries);
  const copies = (program.copies ?? []).filter(({ name }) => bound.has(name));
  const copied = new Set(copies.map(({ of }) => of));
  const held = heldBy(program, bound);
  return [...held.filter(({ name }) => bound.has(name) || !copied.has(name)), ...copies];
}

/** The tensors that a session of these entries has values of. Optimiser state stays out of sessions that do not train, caches out of
 * those that do not decode: generating costs no optimiser memory, and training no caches. */
export const heldTensors = (program: Program, entries: readonly string[]): readonly Tensor[] =>
  heldBy(program, boundNames(program, entries));

function heldBy(program: Program, bound: ReadonlySet<string>): readonly Tensor[] {
  const trains = program.tensors.some((tensor) => tensor.role === "optimiser" && bound.has(tensor.name));
  return program.tensors.filter((tensor) => {
    if (isCache(tensor) || tensor.role === "carry") return bound.has(tensor.name);
    // All of it, or none: what trains also saves, and a checkpoint is whole.
    return tensor.role !== "optimiser" || trains;
  });
}

/** The tensors of a checkpoint. What micro-batches carry to the update is empty between steps. */
export const savedTensors = (program: Program): readonly Tensor[] =>
  program.tensors.filter((tensor) => !isCache(tensor) && tensor.role !== "carry");

/** Caches of decoding are state that belongs to one text, not to the model: no checkpoint needs them. */
export const isCache = (tensor: Tensor): boolean =>
  tensor.role === "state" && tensor.name.startsWith("cache.");

/** Where everything of a session lies that does not depend on sizes; byte addresses. The arena comes last: it may grow. */
export interface MemoryLayout {
  readonly records: number;
  readonly recordsBytes: number;
  readonly scratch: number;
  /** Of each thread. */
  readonly scratchBytes: number;
  readonly tensors: ReadonlyMap<string, number>;
  readonly arena: number;
}

/** Room for the records of so many bindings of all entries at once. */
const recordSets = 4;
/** Nothing lies at address 0, so that 0 can mean nothing. */
const lowest = 64;

export function layoutMemory(
  program: Program,
  entries: readonly string[],
  threads: number,
  held = heldMemory(program, entries),
): MemoryLayout {
  const dispatches = entries.flatMap((name) => program.entries[name]?.dispatches ?? []);
  const counts = dispatches.map(
    ({ kernel, buffers }) => buffers.length + program.kernels[kernel]!.sizes.length,
  );
  const recordsBytes = threads === 1 ? 0 : recordSets * tapeBytes(counts);
  const scratch = lowest + recordsBytes;
  const most = dispatches.reduce((bytes, { kernel }) => Math.max(bytes, program.kernels[kernel]!.scratch), 0);
  // A cache line between the threads' scratch, so that they never write the same one.
  const scratchEach = align(most) + 64;
  let top = scratch + threads * scratchEach;
  const tensors = new Map<string, number>();
  for (const tensor of held) {
    tensors.set(tensor.name, top);
    top += tensorBytes(tensor);
  }
  return { records: lowest, recordsBytes, scratch, scratchBytes: scratchEach, tensors, arena: top };
}

export function memoryPlan(
  program: Program,
  entries: readonly string[],
  sizes: Sizes = {},
  threads = 1,
): MemoryPlan {
  const values = withDefaults(program, sizes);
  const held = heldMemory(program, entries);
  const sum = (role: Tensor["role"] | "copy") =>
    held.reduce(
      (bytes, one) => bytes + (("role" in one ? one.role : "copy") === role ? tensorBytes(one) : 0),
      0,
    );
  const perEntry = entries.map((name): EntryMemory => {
    const entry = program.entries[name];
    if (entry === undefined) throw new Error(`internal: the program has no entry ${name}`);
    const layout = layoutArena(entry, values);
    const at = entry.dispatches[layout.busiest]?.label ?? (layout.busiest < 0 ? "inputs" : "outputs");
    return { name, bytes: layout.bytes, floor: layout.floor, at, alive: aliveAt(layout, layout.busiest) };
  });
  const copies = program.copies === undefined ? {} : { copies: sum("copy") };
  const parts = { parameters: sum("parameter"), ...copies, state: sum("state"), optimiser: sum("optimiser") };
  const arena = perEntry.reduce((most, { bytes }) => Math.max(most, bytes), 0);
  const layout = layoutMemory(program, entries, threads, held);
  const own = layout.scratch + threads * layout.scratchBytes;
  return { ...parts, entries: perEntry, arena, threads: own, total: layout.arena + arena };
}

function aliveAt(layout: ArenaLayout, dispatch: number): EntryMemory["alive"] {
  return [...layout.inputs.values(), ...layout.outputs.values(), ...layout.temporaries]
    .filter(({ first, last }) => first <= dispatch && dispatch <= last)
    .map(({ kind, name, bytes }) => ({ kind, name, bytes }))
    .sort((a, b) => b.bytes - a.bytes);
}
