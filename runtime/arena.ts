// Arena: where an entry's inputs, outputs and temporaries lie for given sizes. Two that never live together share bytes.
// In: an entry and the numbers of its symbolic sizes. Out: an offset for each, and the bytes of the whole. Allocates
// nothing, so that `moe plan` may ask it about models that no machine could hold.
// Placement is first-fit in several orders, of which the tightest is kept; finding the best is a hard problem, and
// `floor` says how far from it a layout can be at most.

import { bytesOf } from "./halves.ts";
import type { Entry } from "./program.ts";
import { evaluate } from "./size.ts";
import type { Size, Sizes } from "./size.ts";

/** Every buffer starts at a cache line, so that no two threads write one line of different buffers. */
export const alignment = 64;
export const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/** One buffer of the arena. `first` and `last` are dispatches, inclusive; inputs live from -1, outputs to the end. */
export interface Placed {
  readonly kind: "input" | "output" | "temporary";
  /** Port name, or the label of a temporary. */
  readonly name: string;
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
  readonly offset: number;
}

export interface ArenaLayout {
  readonly inputs: ReadonlyMap<string, Placed>;
  readonly outputs: ReadonlyMap<string, Placed>;
  /** By index of the entry's temporaries. */
  readonly temporaries: readonly Placed[];
  readonly bytes: number;
  /** No layout can be smaller: the most bytes that live at one dispatch. */
  readonly floor: number;
  /** The dispatch at which that happens. */
  readonly busiest: number;
}

export const elements = (shape: readonly Size[], sizes: Sizes): number =>
  shape.reduce((count, size) => count * evaluate(size, sizes), 1);

export function layoutArena(entry: Entry, sizes: Sizes): ArenaLayout {
  const buffers = lifetimes(entry, sizes);
  const { floor, busiest } = peak(buffers, entry.dispatches.length);
  const orders: ((a: Unplaced, b: Unplaced) => number)[] = [
    (a, b) => b.bytes - a.bytes || a.first - b.first,
    (a, b) => b.last - b.first - (a.last - a.first) || b.bytes - a.bytes,
    (a, b) => a.first - b.first || b.bytes - a.bytes,
  ];
  let best: { offsets: Float64Array; bytes: number } | undefined;
  for (const order of orders) {
    const layout = firstFit(buffers, order);
    if (best === undefined || layout.bytes < best.bytes) best = layout;
    if (best.bytes === floor) break;
  }
  const placed = buffers.map((buffer, i): Placed => ({ ...buffer, offset: best!.offsets[i]! }));
  const ports = (kind: Placed["kind"]) =>
    new Map(placed.filter((buffer) => buffer.kind === kind).map((buffer) => [buffer.name, buffer]));
  return {
    inputs: ports("input"),
    outputs: ports("output"),
    temporaries: placed.filter((buffer) => buffer.kind === "temporary"),
    bytes: best!.bytes,
    floor,
    busiest,
  };
}

type Unplaced = Omit<Placed, "offset">;

function lifetimes(entry: Entry, sizes: Sizes): Unplaced[] {
  const firsts = new Map<string, number>();
  const lasts = new Map<string, number>();
  entry.dispatches.forEach((dispatch, at) => {
    for (const ref of dispatch.buffers) {
      if (ref.kind !== "input" && ref.kind !== "output") continue;
      const key = `${ref.kind} ${ref.name}`;
      if (!firsts.has(key)) firsts.set(key, at);
      lasts.set(key, at);
    }
  });
  // All inputs are written before the first dispatch, so they live from there even when the first to read one comes late.
  return [
    ...entry.inputs.map(({ name, shape }): Unplaced => {
      const last = lasts.get(`input ${name}`) ?? -1;
      return { kind: "input", name, bytes: align(4 * elements(shape, sizes)), first: -1, last };
    }),
    ...entry.outputs.map(({ name, shape }): Unplaced => {
      const first = firsts.get(`output ${name}`) ?? -1;
      return {
        kind: "output",
        name,
        bytes: align(4 * elements(shape, sizes)),
        first,
        last: entry.dispatches.length,
      };
    }),
    ...entry.temporaries.map(({ label, type, length, first, last }): Unplaced => {
      const bytes = align(bytesOf(type) * evaluate(length, sizes));
      return { kind: "temporary", name: label, bytes, first, last };
    }),
  ];
}

function peak(buffers: readonly Unplaced[], dispatches: number): { floor: number; busiest: number } {
  const change = new Float64Array(dispatches + 3);
  for (const { bytes, first, last } of buffers) {
    change[first + 1]! += bytes;
    change[last + 2]! -= bytes;
  }
  let live = 0;
  let floor = 0;
  let busiest = 0;
  for (let at = -1; at <= dispatches; at++) {
    live += change[at + 1]!;
    if (live > floor) [floor, busiest] = [live, at];
  }
  return { floor, busiest };
}

/** Puts each buffer, in the given order, into the lowest gap that is free during its life. */
function firstFit(
  buffers: readonly Unplaced[],
  order: (a: Unplaced, b: Unplaced) => number,
): { offsets: Float64Array; bytes: number } {
  const count = buffers.length;
  const offsets = new Float64Array(count);
  const sorted = buffers.map((_, i) => i).sort((a, b) => order(buffers[a]!, buffers[b]!) || a - b);
  // Placed buffers by rising offset: one pass over them sees the gaps in order. Every buffer is compared with all that are
  // placed, so what is compared lies side by side.
  const [firsts, lasts] = [new Int32Array(count), new Int32Array(count)];
  const [starts, ends] = [new Float64Array(count), new Float64Array(count)];
  let placed = 0;
  let total = 0;
  for (const i of sorted) {
    const { bytes, first, last } = buffers[i]!;
    if (bytes === 0) continue;
    let offset = 0;
    for (let j = 0; j < placed; j++) {
      if (lasts[j]! < first || firsts[j]! > last) continue;
      if (starts[j]! >= offset + bytes) break;
      if (ends[j]! > offset) offset = ends[j]!;
    }
    offsets[i] = offset;
    total = Math.max(total, offset + bytes);
    let low = 0;
    for (let high = placed; low < high;) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    for (const column of [firsts, lasts, starts, ends]) column.copyWithin(low + 1, low, placed);
    firsts[low] = first;
    lasts[low] = last;
    starts[low] = offset;
    ends[low] = offset + bytes;
    placed++;
  }
  return { offsets, bytes: total };
}
