// What both schedules of a streamed kernel start with: which rows of which batch a workgroup owns, and the work of all.
// In: a StreamSpec. Out: statements, expressions, numbers.

import { constant, known, multiply as multiplySizes, product, type Size } from "../../runtime/size.ts";
import type { Expr, Stmt } from "../kernel.ts";
import type { StreamPlace, StreamSpec } from "./stream-spec.ts";
import { divide, int, letInt, local, modulo, sizeOf } from "./expr.ts";

/** Batch coordinates and the number of the block of rows from the workgroup's number; blocks of rows follow each other. */
export function decodeStream(
  { fresh, batch }: StreamSpec,
  tasks: Size,
  into: Stmt[],
): { readonly task: Expr; readonly place: StreamPlace } {
  let rest: Expr = { op: "workgroup", type: "i32" };
  const next = (count: Size, hint: string): Expr => {
    if (known(count) === 1) return int(0);
    const coordinate = letInt(fresh, into, hint, modulo(rest, sizeOf(count)));
    rest = letInt(fresh, into, "task", divide(rest, sizeOf(count)));
    return coordinate;
  };
  const task = next(tasks, "rowTask");
  const coordinates = [...batch].reverse().map((size) => next(size, "batch"));
  return { task, place: { batch: coordinates.reverse() } };
}

export const depthsOf = (spec: StreamSpec): number[] => spec.tiles.map(({ depth }) => knownOf(depth));
export const widthsOf = (spec: StreamSpec): number[] => spec.sums.map(({ width }) => knownOf(width));

function knownOf(size: Size): number {
  const value = known(size);
  if (value === undefined) throw new Error("internal: a streamed operand of unknown width");
  return value;
}

/** As if no mask left anything out. */
export function workOf(spec: StreamSpec): Size {
  const each = [...depthsOf(spec), ...widthsOf(spec)].reduce((a, b) => a + b, 0);
  return multiplySizes(product([...spec.batch, ...spec.extra, spec.own, spec.stream]), constant(each));
}

export function letFloat(fresh: (hint: string) => string, into: Stmt[], hint: string, value: Expr): Expr {
  const name = fresh(hint);
  into.push({ op: "let", name, value });
  return local(name, value.type as "f32" | "f32x4");
}
