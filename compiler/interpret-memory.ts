// Memory of an interpreted kernel: buffers and scratch, and who may touch which element when. In: places and values of an invocation. Out:
// elements; errors that name the element and the invocation. Deliberately absent: statements and expressions (interpret-kernel.ts).

import type { Sizes } from "../runtime/size.ts";
import { copiedTogether, roundHalf } from "./half.ts";
import type { Copies } from "./interpret-copies.ts";
import type { Accesses, Toucher } from "./interpret-order.ts";
import type { Signals } from "./interpret-signals.ts";
import type { HalfType, Kernel } from "./kernel.ts";

export interface Memory {
  readonly name: string;
  readonly data: Float32Array | Int32Array;
  /** Who wrote and who read each element last; 0 is nobody, -1 several. Empty when nothing can collide. */
  readonly writers: Int32Array;
  readonly readers: Int32Array;
  readonly scratch: boolean;
  /** Scratch only: written since the workgroup started. */
  readonly defined: Uint8Array;
  /** Scratch only: a copy to it is on its way. */
  readonly coming: Uint8Array;
  /** Scratch only: warps whose products read it. */
  readonly held: Int32Array;
  /** Scratch of kernels whose invocations meet otherwise than all at once: then there are no marks. */
  readonly accesses?: Accesses;
  /** Scratch in rows: four elements at once begin at a multiple of four. */
  readonly inFours: boolean;
  /** What is stored is rounded to this, and what is read already is. */
  readonly half?: HalfType;
}

/** A lane's locals: a number, or four. */
export type Value = number | readonly number[];

export interface Invocation {
  readonly kernel: Kernel;
  readonly memory: ReadonlyMap<string, Memory>;
  readonly sizes: Sizes;
  readonly workgroup: number;
  readonly number: number;
  readonly locals: Map<string, Value>;
  readonly copies: Copies;
  /** Where invocations meet otherwise than all at once. */
  readonly toucher?: () => Toucher;
  readonly signals?: Signals;
}

/** Who an invocation is, in the marks of memory. */
const mark = (run: Invocation, memory: Memory): number =>
  1 + run.number + (memory.scratch ? 0 : run.workgroup * run.kernel.workgroup);

function locate(run: Invocation, buffer: string, at: number): Memory {
  const memory = run.memory.get(buffer);
  if (memory === undefined) throw new Error(`internal: kernel ${run.kernel.name} has no buffer ${buffer}`);
  if (!(at >= 0 && at < memory.data.length))
    refuse(run, memory, at, `outside 0 .. ${memory.data.length - 1}`);
  return memory;
}

export function refuse(run: Invocation, memory: Memory, at: number, why: string): never {
  const place = `workgroup ${run.workgroup}, invocation ${run.number}`;
  throw new Error(`internal: kernel ${run.kernel.name}: ${memory.name}[${at}] in ${place}: ${why}`);
}

export function write(run: Invocation, buffer: string, at: number, stored: number): void {
  const memory = locate(run, buffer, at);
  if (memory.coming[at] === 1) refuse(run, memory, at, "written while a copy to it is on its way");
  if (memory.held[at]! > 0) refuse(run, memory, at, "written while a product reads it");
  if (memory.accesses?.write(run.toucher!(), at) === false)
    refuse(run, memory, at, "written before all who touched it are known to be done");
  if (memory.writers.length > 0) {
    const self = mark(run, memory);
    const before = memory.writers[at]!;
    const reader = memory.readers[at]!;
    if (before !== 0 && before !== self) refuse(run, memory, at, "written by another invocation too");
    if (reader !== 0 && reader !== self)
      refuse(run, memory, at, "written here and read by another invocation");
    memory.writers[at] = self;
  }
  if (memory.scratch) memory.defined[at] = 1;
  memory.data[at] = memory.half === undefined ? stored : roundHalf(memory.half, stored);
}

export function read(run: Invocation, buffer: string, at: number): number {
  const memory = locate(run, buffer, at);
  if (memory.scratch && memory.defined[at] === 0) refuse(run, memory, at, "read before it was written");
  if (memory.coming[at] === 1) refuse(run, memory, at, "read while a copy to it is on its way");
  if (memory.accesses?.read(run.toucher!(), at) === false)
    refuse(run, memory, at, "read before what was written is known to be there");
  if (memory.writers.length > 0) {
    const self = mark(run, memory);
    const writer = memory.writers[at]!;
    if (writer !== 0 && writer !== self)
      refuse(run, memory, at, "read here and written by another invocation");
    const reader = memory.readers[at]!;
    memory.readers[at] = reader === 0 || reader === self ? self : -1;
  }
  const held = memory.data[at]!;
  if (memory.half !== undefined && !Object.is(roundHalf(memory.half, held), held))
    refuse(run, memory, at, `${held} is no ${memory.half}`);
  return held;
}

/** From now until it has arrived it may be written any time. Places and the condition of the statement, as numbers. */
export function beginCopy(
  run: Invocation,
  { scratch, buffer }: { readonly scratch: string; readonly buffer: string },
  { at, from, there }: { readonly at: number; readonly from: number; readonly there: boolean },
): void {
  const memory = locate(run, scratch, at);
  const count = copiedTogether(run.kernel.scratch.find(({ name }) => name === scratch)!.type);
  if (at % count !== 0) refuse(run, memory, at, "copied to and no multiple of sixteen bytes");
  if (there && from % count !== 0)
    refuse(run, locate(run, buffer, from), from, "copied from and no multiple of sixteen bytes");
  const values = Array.from({ length: count }, (_, i) => (there ? read(run, buffer, from + i) : 0));
  for (let i = 0; i < count; i++) {
    write(run, scratch, at + i, NaN);
    memory.coming[at + i] = 1;
  }
  run.copies.begin({ scratch, at, values });
}

/** What has been waited for is written by the invocation. */
export function arrive(run: Invocation, open: number): void {
  for (const { scratch, at, values } of run.copies.wait(open))
    values.forEach((arrived, i) => {
      run.memory.get(scratch)!.coming[at + i] = 0;
      write(run, scratch, at + i, arrived);
    });
}

export function nothingLeft(invocations: readonly Invocation[]): void {
  for (const run of invocations) {
    const { left } = run.copies;
    if (left !== undefined)
      refuse(run, run.memory.get(left.scratch)!, left.at, "still on its way when the kernel ends");
  }
}

export function checkFour(run: Invocation, buffer: string, at: number): void {
  const memory = run.memory.get(buffer);
  if (memory?.inFours === true && at % 4 !== 0)
    refuse(run, memory, at, "four elements of rows, from no multiple of four on");
}
