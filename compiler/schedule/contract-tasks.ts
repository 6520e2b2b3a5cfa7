// Tasks of a contraction: which batch, group, columns and rows a workgroup computes.
// In: a ContractSpec and its tiles. Out: statements at the start of the body, and the ranges that they compute. Work is cut
// by sizes only; a group with few rows leaves its later tasks nothing to do. Deliberately absent: arithmetic.

import { constant, type Size } from "../../runtime/size.ts";
import type { Expr, Stmt } from "../kernel.ts";
import type { ContractPlace, ContractSpec } from "./contract-spec.ts";
import type { Tiles } from "./contract-tiles.ts";
import {
  add,
  ceilDivide,
  divide,
  int,
  letInt,
  literalOf,
  maximum,
  minimum,
  modulo,
  multiply,
  roundUp,
  sizeOf,
  subtract,
} from "./expr.ts";

/** A run of rows, columns or k: first coordinate (absolute) and how many. */
export interface Range {
  readonly from: Expr;
  readonly count: Expr;
}

/** Batch coordinates, group, block of n and block of m from the workgroup's number; blocks of m follow each other. */
export function decodeTask(
  spec: ContractSpec,
  tiles: Tiles,
  into: Stmt[],
): { place: ContractPlace; columnTask: Expr; rowTask: Expr } {
  let rest: Expr = { op: "workgroup", type: "i32" };
  const next = (count: Size, hint: string): Expr => {
    const extent = sizeOf(count);
    if (literalOf(extent) === 1) return int(0);
    const coordinate = letInt(spec.fresh, into, hint, modulo(rest, extent));
    rest = letInt(spec.fresh, into, "task", divide(rest, extent));
    return coordinate;
  };
  const rowTask = next(tiles.rowTasks, "rowTask");
  const columnTask = next(tiles.columnTasks, "columnTask");
  const group = spec.ragged === undefined ? undefined : next(constant(spec.ragged.groups), "group");
  const batch = spec.batch.map((size) => size);
  const coordinates: Expr[] = [];
  for (const size of batch.reverse()) coordinates.unshift(next(size, "batch"));
  return {
    place: group === undefined ? { batch: coordinates } : { batch: coordinates, group },
    columnTask,
    rowTask,
  };
}

export function rowsOfGroup(spec: ContractSpec, group: Expr, into: Stmt[]): Range {
  const { fresh } = spec;
  const from = letInt(fresh, into, "groupFrom", spec.ragged!.offset(group, into));
  const end = spec.ragged!.offset(add(group, int(1)), into);
  return { from, count: letInt(fresh, into, "groupRows", subtract(end, from)) };
}

/** One of the even blocks of a dense extent. */
export function blockOf(
  spec: ContractSpec,
  task: Expr,
  block: number,
  extent: Size,
  tasks: Size,
  hint: string,
  into: Stmt[],
): Range {
  const length = sizeOf(extent);
  const from = letInt(spec.fresh, into, `${hint}From`, multiply(task, int(block)));
  const known = literalOf(length);
  if (known !== undefined && known % block === 0) return { from, count: int(block) };
  if (literalOf(sizeOf(tasks)) === 1) return { from, count: length };
  return { from, count: letInt(spec.fresh, into, `${hint}s`, minimum(int(block), subtract(length, from))) };
}

/** A task's share of a group's rows. Few rows are one share; the other tasks of the group find nothing to do. */
export function raggedTask(spec: ContractSpec, tiles: Tiles, group: Range, task: Expr, into: Stmt[]): Range {
  const { fresh } = spec;
  const limit = sizeOf(tiles.rowTasks);
  if (literalOf(limit) === 1) return group;
  const shares = maximum(int(1), minimum(limit, ceilDivide(group.count, int(tiles.rowsPerTask))));
  const share = letInt(fresh, into, "share", roundUp(ceilDivide(group.count, shares), 12));
  const first = letInt(fresh, into, "first", multiply(task, share));
  return {
    from: add(group.from, first),
    count: letInt(fresh, into, "rows", minimum(share, subtract(group.count, first))),
  };
}
