// Where the values of an entry lie on a GPU. WebGPU forbids one buffer to be read by one binding and written by another of the
// same dispatch, even in different places. So temporaries and outputs lie in several pools, each a buffer: two that one dispatch
// reads and writes are never in the same pool; within a pool, those that never live together share bytes.
// In: an entry, sizes, and what the device allows. Out: a pool and an offset for each, and the bytes of each pool. Pure.
// Each goes, largest first, to the pool that grows least. Inputs are only read: all of them share one buffer.

import { elements } from "../arena.ts";
import { wholeWords } from "../halves.ts";
import type { BufferRef, Dispatch, Entry, Program, StoredName } from "../program.ts";
import { evaluate, type Sizes } from "../size.ts";

export interface Spot {
  readonly pool: number;
  readonly offset: number;
  /** What a binding of it covers. */
  readonly bytes: number;
  readonly name: string;
}

export interface GpuLayout {
  readonly temporaries: readonly Spot[];
  readonly outputs: ReadonlyMap<string, Spot>;
  /** All in the buffer of inputs; `pool` is -1. */
  readonly inputs: ReadonlyMap<string, Spot>;
  /** In bytes. */
  readonly pools: readonly number[];
  readonly inputBytes: number;
}

export interface LayoutLimits {
  /** Offsets of bindings are multiples of it. */
  readonly alignment: number;
  /** Bytes of a buffer, at most. */
  readonly buffer: number;
}

/** The dispatch at which most bytes are alive. */
export function fullest(entry: Entry, { temporaries }: GpuLayout): Dispatch | undefined {
  const alive = (at: number): number =>
    entry.temporaries.reduce(
      (sum, { first, last }, i) => sum + (first <= at && at <= last ? temporaries[i]!.bytes : 0),
      0,
    );
  let [most, found] = [-1, undefined as Dispatch | undefined];
  for (const [at, dispatch] of entry.dispatches.entries()) {
    const bytes = alive(at);
    if (bytes > most) [most, found] = [bytes, dispatch];
  }
  return found;
}

interface Member {
  readonly name: string;
  readonly bytes: number;
  readonly room: number;
  readonly first: number;
  readonly last: number;
  /** Members that a dispatch reads while it writes this one, or the other way round. */
  readonly apart: Set<number>;
}

/** Bindings must cover something, even where there is nothing. */
export const leastBytes = 16;

export function layoutGpu(program: Program, entry: Entry, sizes: Sizes, limits: LayoutLimits): GpuLayout {
  const align = (bytes: number): number => Math.ceil(bytes / limits.alignment) * limits.alignment;
  const sized = (count: number, type: StoredName): { bytes: number; room: number } => {
    const bytes = Math.max(leastBytes, wholeWords(type, count));
    return { bytes, room: align(bytes) };
  };
  const end = entry.dispatches.length;
  const members = entry.temporaries.map(({ label, type, length, first, last }): Member => {
    return { name: label, ...sized(evaluate(length, sizes), type), first, last, apart: new Set() };
  });
  const outputAt = new Map<string, number>();
  for (const { name, type, shape } of entry.outputs) {
    const first = entry.dispatches.findIndex(({ buffers }) =>
      buffers.some((ref) => ref.kind === "output" && ref.name === name),
    );
    outputAt.set(name, members.length);
    members.push({ name, ...sized(elements(shape, sizes), type), first, last: end, apart: new Set() });
  }
  const memberOf = (ref: BufferRef): number | undefined =>
    ref.kind === "temporary" ? ref.index : ref.kind === "output" ? outputAt.get(ref.name) : undefined;
  for (const dispatch of entry.dispatches) keepApart(program, dispatch, members, memberOf);

  const { places, pools } = place(members, limits.buffer);
  const spot = (at: number): Spot => ({ ...places[at]!, bytes: members[at]!.bytes, name: members[at]!.name });
  let inputBytes = 0;
  const inputs = new Map(
    entry.inputs.map(({ name, type, shape }): [string, Spot] => {
      const { bytes, room } = sized(elements(shape, sizes), type);
      const offset = inputBytes;
      inputBytes += room;
      return [name, { pool: -1, offset, bytes, name }];
    }),
  );
  return {
    temporaries: entry.temporaries.map((_, at) => spot(at)),
    outputs: new Map([...outputAt].map(([name, at]) => [name, spot(at)])),
    inputs,
    pools,
    inputBytes,
  };
}

function keepApart(
  program: Program,
  { kernel, buffers, label }: Dispatch,
  members: readonly Member[],
  memberOf: (ref: BufferRef) => number | undefined,
): void {
  const { buffers: bound, name } = program.kernels[kernel]!;
  const keys = new Map<string, boolean>();
  buffers.forEach((ref, at) => {
    const writes = bound[at]!.access !== "read";
    const key = ref.kind === "temporary" ? `temporary ${ref.index}` : `${ref.kind} ${ref.name}`;
    const before = keys.get(key);
    if (before !== undefined && (before || writes))
      throw new Error(`internal: ${label}: the kernel ${name} binds ${key} twice and writes it`);
    keys.set(key, writes);
  });
  const of = (writes: boolean): number[] =>
    buffers.flatMap((ref, at) => ((bound[at]!.access !== "read") === writes ? (memberOf(ref) ?? []) : []));
  const written = of(true);
  for (const read of of(false))
    for (const other of written) {
      members[read]!.apart.add(other);
      members[other]!.apart.add(read);
    }
}

function place(
  members: readonly Member[],
  most: number,
): { places: readonly { pool: number; offset: number }[]; pools: number[] } {
  const places: { pool: number; offset: number }[] = members.map(() => ({ pool: -1, offset: 0 }));
  const pools: { bytes: number; readonly members: number[] }[] = [];
  const order = members.map((_, at) => at).sort((a, b) => members[b]!.room - members[a]!.room || a - b);
  for (const at of order) {
    const member = members[at]!;
    let best: { pool: number; offset: number; growth: number } | undefined;
    for (const [number, pool] of pools.entries()) {
      if (pool.members.some((other) => member.apart.has(other))) continue;
      const offset = gap(member, pool.members, members, places);
      const growth = Math.max(0, offset + member.room - pool.bytes);
      if (offset + member.room > most || (best !== undefined && best.growth <= growth)) continue;
      best = { pool: number, offset, growth };
    }
    if (best === undefined) {
      best = { pool: pools.length, offset: 0, growth: member.room };
      pools.push({ bytes: 0, members: [] });
    }
    const pool = pools[best.pool]!;
    places[at] = { pool: best.pool, offset: best.offset };
    pool.bytes = Math.max(pool.bytes, best.offset + member.room);
    // By rising offset: one pass over them sees the gaps in order.
    let low = 0;
    for (let high = pool.members.length; low < high;) {
      const middle = (low + high) >> 1;
      if (places[pool.members[middle]!]!.offset <= best.offset) low = middle + 1;
      else high = middle;
    }
    pool.members.splice(low, 0, at);
  }
  return { places, pools: pools.map(({ bytes }) => bytes) };
}

/** The lowest offset that is free during a member's life. */
function gap(
  { first, last, room }: Member,
  inPool: readonly number[],
  members: readonly Member[],
  places: readonly { readonly offset: number }[],
): number {
  let offset = 0;
  for (const other of inPool) {
    const { first: from, last: to, room: taken } = members[other]!;
    if (to < first || from > last) continue;
    const at = places[other]!.offset;
    if (at >= offset + room) break;
    offset = Math.max(offset, at + taken);
  }
  return offset;
}
