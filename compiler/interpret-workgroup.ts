// A workgroup of an interpreted kernel: its invocations take turns and meet at barriers, in warps and by signals. In: a generator for each invocation
// that stops wherever it has to wait, and is told there what a reduction came to. Out: all of them have ended; or an error that names who
// waits where. Statements and expressions are interpret-kernel.ts's.

import { isMatrix, noFragments, runMatrix, type Fragments, type MatrixStmt } from "./interpret-matrix.ts";
import { nothingLeft, read, write, type Invocation, type Memory } from "./interpret-memory.ts";
import type { Order, Toucher } from "./interpret-order.ts";
import type { Signals } from "./interpret-signals.ts";
import { applyBinary } from "./interpret-scalar.ts";
import type { Kernel, Stmt } from "./kernel.ts";
import { scalarOf } from "./kernel-type.ts";

const warpSize = 32;
/** In the marks of scratch, from here on warps, where no invocation is. */
const byAll = 1 << 20;

/** Where an invocation waits for the others, and what it brings. */
export interface Meeting {
  readonly at: Stmt;
  readonly value: number;
  /** A second index. */
  readonly other?: number;
}

export interface Together {
  readonly kernel: Kernel;
  readonly workgroup: number;
  readonly invocations: readonly Invocation[];
  readonly runs: readonly Generator<Meeting, undefined, number>[];
  readonly scratch: readonly Memory[];
  /** Where invocations meet otherwise than all at once. */
  readonly order: Order | undefined;
  readonly signals: Signals | undefined;
}

interface Warp {
  readonly first: number;
  readonly end: number;
  readonly fragments: Fragments;
  /** Elements that its products read. */
  readonly holding: (readonly [Memory, number])[];
}

export function runTogether(all: Together): void {
  const { kernel, workgroup, invocations, runs, scratch, order, signals } = all;
  const stops: (Meeting | undefined)[] = [];
  const resume = (number: number, told: number): void => {
    stops[number] = runs[number]!.next(told).value;
  };
  const warps = Array.from({ length: Math.ceil(runs.length / warpSize) }, (_, warp): Warp => {
    const [first, end] = [warpSize * warp, Math.min(runs.length, warpSize * (warp + 1))];
    return { first, end, fragments: noFragments(), holding: [] };
  });
  runs.forEach((_, number) => resume(number, 0));
  for (;;) {
    let moved = false;
    for (const warp of warps) while (step(all, warp, stops, resume)) moved = true;
    if (moved && signals !== undefined) continue;
    const meeting = stops[0]?.at;
    const same = stops.every((stop) => stop?.at === meeting);
    if (!same || (meeting?.op !== "barrier" && meeting?.op !== "reduce" && meeting !== undefined))
      throw new Error(`internal: kernel ${kernel.name}: ${stuck(all, warps, stops)}`);
    if (meeting === undefined) break;
    if (meeting.op === "barrier" && meeting.of !== undefined)
      throw new Error(`internal: kernel ${kernel.name}: ${stuck(all, warps, stops)}`);
    const told = meeting.op === "reduce" ? reduceTogether(meeting, stops) : 0;
    for (const { writers, readers } of scratch) {
      writers.fill(0);
      readers.fill(0);
    }
    order?.meet(0, runs.length);
    runs.forEach((_, number) => resume(number, told));
  }
  nothingLeft(invocations);
  const left = signals?.left;
  if (left !== undefined)
    throw new Error(
      `internal: kernel ${kernel.name}: boxes are still on their way when workgroup ${workgroup} ends; ${left}`,
    );
}

/** Lets a warp go on where it need not wait for another one. Whether it has. */
function step(
  { kernel, invocations, order, signals }: Together,
  { first, end, fragments, holding }: Warp,
  stops: readonly (Meeting | undefined)[],
  resume: (number: number, told: number) => void,
): boolean {
  let moved = false;
  for (let number = first; number < end; number++) {
    const stop = stops[number];
    if (stop?.at.op !== "await" || !signals!.hasEnded(stop.at.signal, stop.value, stop.other!)) continue;
    signals!.heard(invocations[number]!, stop.at.signal, stop.value);
    resume(number, 0);
    moved = true;
  }
  const own = stops.slice(first, end);
  const [one] = own;
  const together = own.every(
    (each) => each?.at === one?.at && each?.value === one?.value && each?.other === one?.other,
  );
  if (moved || one === undefined || !together) return moved;
  if (one.at.op === "barrier" && one.at.of === "warp") order!.meet(first, end);
  else if (isMatrix(one.at)) {
    const warp = first / warpSize;
    const toucher = order?.warp(warp, one.at.op === "product" ? "units" : "together");
    // By all of the warp: even an invocation of it may not have written there since the last barrier, or write before the next.
    const all = asWarp(invocations[first]!, toucher);
    runMatrix(kernel, warp, one.at as MatrixStmt, [one.value, one.other ?? 0], fragments, {
      read: (scratch, place) => read(all, scratch, place),
      write: (scratch, place, stored) => write(all, scratch, place, stored),
      hold: (scratch, place) => {
        const memory = all.memory.get(scratch)!;
        memory.held[place]!++;
        holding.push([memory, place]);
      },
      release: () => {
        for (const [memory, place] of holding.splice(0)) memory.held[place]!--;
        order?.settle(warp);
      },
    });
  } else return false;
  for (let number = first; number < end; number++) resume(number, 0);
  return true;
}

const asWarp = (first: Invocation, toucher: Toucher | undefined): Invocation => ({
  ...first,
  number: byAll + first.number,
  ...(toucher === undefined ? {} : { toucher: () => toucher }),
});

/** Why nobody goes on. */
function stuck(
  { invocations, workgroup, signals }: Together,
  warps: readonly Warp[],
  stops: readonly (Meeting | undefined)[],
): string {
  for (const [number, stop] of stops.entries())
    if (stop?.at.op === "await")
      return `invocation ${number} of workgroup ${workgroup} waits for a phase that does not end; ${signals!.describe(stop.at.signal, stop.value)}`;
  for (const { first, end } of warps) {
    const own = stops.slice(first, end);
    const from = `the warp from ${invocations[first]!.number} of workgroup ${workgroup}`;
    if (own.some((each) => each !== undefined && isMatrix(each.at)))
      return `not all invocations of ${from} reach the same matrix statement with the same index`;
    if (own.some((each) => each?.at.op === "barrier" && each.at.of === "warp"))
      return `not all invocations of ${from} reach the same barrier`;
  }
  return `not all invocations of workgroup ${workgroup} reach the same barrier`;
}

type ReduceStmt = Extract<Stmt, { readonly op: "reduce" }>;

/** Halves until one value is left. */
function reduceTogether(
  { fn, value: { type } }: ReduceStmt,
  stops: readonly (Meeting | undefined)[],
): number {
  let left = stops.map((each) => each!.value);
  while (left.length > 1) {
    const half = Math.ceil(left.length / 2);
    left = Array.from({ length: half }, (_, i) =>
      i + half < left.length ? applyBinary(fn, scalarOf(type), left[i]!, left[i + half]!) : left[i]!,
    );
  }
  return left[0]!;
}
