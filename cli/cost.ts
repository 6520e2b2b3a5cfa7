// Cost: what one run of an entry takes, from the program alone. In: a program, an entry, sizes. Out: multiply-adds and bytes
// of each kernel launch and of the whole. Nothing is allocated, so that models that no machine could hold have a cost too.
// Bytes are those of the buffers that a launch binds, each once: what it would move if every buffer were read or written whole.

import { elements } from "../runtime/arena.ts";
import type { BufferRef, Entry, Program } from "../runtime/program.ts";
import { bytesOf } from "../runtime/halves.ts";
import { evaluate, type Sizes } from "../runtime/size.ts";
import { elementsOf, storedIn } from "../runtime/stored.ts";

export interface Launch {
  readonly label: string;
  readonly kernel: string;
  /** Line of the text that asks for it, if any does: `story.moe:23`. */
  readonly place?: string;
  /** How many launches have this label, kernel, line and cost. */
  readonly times: number;
  /** Of one launch. */
  readonly bytes: number;
  readonly multiplyAdds: number;
}

export interface EntryCost {
  readonly name: string;
  readonly launches: readonly Launch[];
  readonly kernels: number;
  readonly bytes: number;
  readonly multiplyAdds: number;
}

export function costOf(program: Program, name: string, sizes: Sizes): EntryCost {
  const entry = program.entries[name];
  if (entry === undefined) throw new Error(`internal: the program has no entry ${name}`);
  const bytesIn = buffersOf(program, entry, sizes);
  const partsOf = new Map<string, number>();
  for (const { name, parts } of storedIn(program)) if (parts !== undefined) partsOf.set(name, parts);
  const launches = entry.dispatches.map(({ kernel, label, place, buffers }): Launch => {
    const { name: kernelName, multiplyAdds } = program.kernels[kernel]!;
    // A launch for one part of a long stack moves what that part's experts read and write; its kernel counts their products only.
    const parts = buffers.reduce(
      (most, buffer) =>
        buffer.kind === "tensor" && buffer.part !== undefined
          ? Math.max(most, partsOf.get(buffer.name) ?? 1)
          : most,
      1,
    );
    const bytes = Math.round(buffers.reduce((sum, buffer) => sum + bytesIn(buffer), 0) / parts);
    const adds = multiplyAdds === undefined ? 0 : evaluate(multiplyAdds, sizes);
    const at = place === undefined ? {} : { place };
    return { label, kernel: kernelName, ...at, times: 1, bytes, multiplyAdds: adds };
  });
  const sum = (of: (launch: Launch) => number): number =>
    launches.reduce((total, launch) => total + of(launch), 0);
  return {
    name,
    launches: folded(launches),
    kernels: launches.length,
    bytes: sum(({ bytes }) => bytes),
    multiplyAdds: sum(({ multiplyAdds }) => multiplyAdds),
  };
}

const storedBytes = new WeakMap<Program, ReadonlyMap<string, number>>();
/** Bytes of what a program stores, by name: the same for all entries. */
function bytesStored(program: Program): ReadonlyMap<string, number> {
  let bytes = storedBytes.get(program);
  if (bytes === undefined) {
    bytes = new Map(
      storedIn(program).map((stored) => [stored.name, bytesOf(stored.type) * elementsOf(stored)]),
    );
    storedBytes.set(program, bytes);
  }
  return bytes;
}

function buffersOf(program: Program, entry: Entry, sizes: Sizes): (buffer: BufferRef) => number {
  const tensors = bytesStored(program);
  const ports = new Map(
    [...entry.inputs, ...entry.outputs].map(({ name, shape }) => [name, 4 * elements(shape, sizes)]),
  );
  return (buffer) => {
    switch (buffer.kind) {
      case "tensor":
        return tensors.get(buffer.name) ?? 0;
      case "input":
      case "output":
        return ports.get(buffer.name) ?? 0;
      case "temporary": {
        const { type, length } = entry.temporaries[buffer.index]!;
        return bytesOf(type) * evaluate(length, sizes);
      }
      default:
        return buffer satisfies never;
    }
  };
}

/** `block.0.experts` and `block.11.experts` do the same: one row for all layers. */
function folded(launches: readonly Launch[]): readonly Launch[] {
  const rows = new Map<string, Launch & { times: number }>();
  for (const launch of launches) {
    const label = foldedLabel(launch.label);
    const { kernel, place = "", bytes, multiplyAdds } = launch;
    const key = [label, kernel.replace(/\d+/g, "*"), place, bytes, multiplyAdds].join("\n");
    const row = rows.get(key);
    if (row === undefined) rows.set(key, { ...launch, label });
    else row.times++;
  }
  return [...rows.values()];
}

export const foldedLabel = (label: string): string =>
  // What the model itself does, outside of any layer, has no path.
  label.replace(/^'(?=:)/, "model'").replace(/\.\d+(?=[.:,'\s]|$)/g, ".*");
