// Which part of a tile a mask leaves: the columns that any of some rows needs, the rows that need any of some columns.
// In: the bounds of a StreamSpec (necessary conditions, linear in m and j). Out: expressions, rounded to what blocks want.

import type { Expr, Stmt } from "../kernel.ts";
import type { Range } from "./contract-tasks.ts";
import type { StreamSpec } from "./stream-spec.ts";
import {
  add,
  int,
  letInt,
  maximum,
  minimum,
  multiply,
  roundDown,
  roundUp,
  sizeOf,
  subtract,
} from "./expr.ts";

export interface Span {
  readonly from: Expr;
  readonly to: Expr;
}

const times = (factor: number, a: Expr): Expr =>
  factor < 0 ? subtract(int(0), multiply(a, int(-factor))) : multiply(a, int(factor));

/** own * m + stream * j + offset <= 0 for some m of the rows: first and last j. The first is a multiple of the block. */
export function rangeOfColumns(spec: StreamSpec, rows: Range, block: number, into: Stmt[]): Span {
  const { fresh } = spec;
  let from: Expr = int(0);
  let to: Expr = sizeOf(spec.stream);
  const last = (): Expr => add(rows.from, rows.count, int(-1));
  for (const { own, stream, offset } of spec.bounds) {
    // stream = 1: j <= -offset - own * m; stream = -1: j >= offset + own * m
    if (stream === 1) {
      const most = own < 0 ? times(-own, last()) : times(-own, rows.from);
      to = minimum(to, add(subtract(int(0), offset), most, int(1)));
    } else {
      const least = own < 0 ? times(own, last()) : times(own, rows.from);
      from = maximum(from, add(offset, least));
    }
  }
  if (spec.bounds.length === 0) return { from, to };
  const start = letInt(fresh, into, "columnFrom", roundDown(from, block));
  return { from: start, to: letInt(fresh, into, "columnTo", to) };
}

/** Rows of a task, counted from its first, that need any of some columns; multiples of 12 but for the end of all. */
export function rangeOfRows(spec: StreamSpec, rows: Range, columns: Range, into: Stmt[]): Span {
  const { fresh } = spec;
  let from: Expr = int(0);
  let to: Expr = rows.count;
  const lastColumn = add(columns.from, columns.count, int(-1));
  for (const { own, stream, offset } of spec.bounds) {
    if (own !== 1 && own !== -1) continue;
    const least = stream === 1 ? times(1, columns.from) : times(-1, lastColumn);
    // own = -1: m >= offset + least; own = 1: m <= -offset - least
    if (own === -1) from = maximum(from, subtract(add(offset, least), rows.from));
    else to = minimum(to, add(subtract(subtract(int(0), offset), add(least, rows.from)), int(1)));
  }
  if (spec.bounds.length === 0) return { from, to };
  const end = letInt(fresh, into, "rowEnd", minimum(roundUp(maximum(to, int(0)), 12), rows.count));
  return { from: letInt(fresh, into, "rowStart", roundDown(maximum(from, int(0)), 12)), to: end };
}
