// Reading ahead: while a few rows pass one block of a matrix, the next block comes nearer, in the order of memory.
// In: a block that will be read soon, as rows of known length, and how many turns there are until then. Out: statements for
// each turn: one load for each cache line of its share. Processors see that the lines follow each other and fetch ahead of
// the loads, which is why the order matters more than the distance; several parts of a block, each in its order, wait for
// memory together. WebAssembly has no prefetch: the loads are real, and their sum goes to scratch, where nobody looks.
// Deliberately absent: what the values are good for.

import type { Expr, Stmt } from "../kernel.ts";
import {
  add,
  add4,
  ceilDivide,
  divide,
  int,
  letInt,
  local,
  loop,
  minimum,
  modulo,
  multiply,
  setLocal,
  store,
  subtract,
  zero4,
} from "./expr.ts";

/** Floats in a cache line. */
const line = 16;

export interface Ahead {
  readonly fresh: (hint: string) => string;
  /** Rows of the block, and elements of each; fewer than a line are not worth it. */
  readonly rows: Expr;
  readonly length: number;
  /** Into so many parts of whole rows the block is cut, which are read side by side. */
  readonly parts: number;
  /** Reads four elements from (row, position) on. */
  readonly read: (row: Expr, position: Expr, into: Stmt[]) => Expr;
  readonly turns: Expr;
  /** Four floats of scratch. */
  readonly keep: string;
}

export const keptAhead = { name: "ahead", type: "f32", length: 4 } as const;

/** To be called before the turns; the function that it gives, in each turn. */
export function readAhead(ahead: Ahead, into: Stmt[]): (turn: Expr, into: Stmt[]) => void {
  const { fresh } = ahead;
  const perRow = Math.floor(ahead.length / line);
  if (perRow === 0) return () => undefined;
  const part = letInt(fresh, into, "partRows", ceilDivide(ahead.rows, int(ahead.parts)));
  const lastRow = subtract(ahead.rows, int(1));
  const lines = letInt(fresh, into, "lines", multiply(part, int(perRow)));
  const share = letInt(fresh, into, "share", ceilDivide(lines, ahead.turns));
  return (turn, body) => {
    const from = letInt(fresh, body, "lineFrom", multiply(turn, share));
    const end = letInt(fresh, body, "lineEnd", minimum(add(from, share), lines));
    const sum = fresh("ahead");
    body.push({ op: "var", name: sum, value: zero4 });
    loop(fresh, body, "line", from, end, 1, (at, inner) => {
      const row = letInt(fresh, inner, "aheadRow", divide(at, int(perRow)));
      const position = letInt(fresh, inner, "aheadAt", multiply(modulo(at, int(perRow)), int(line)));
      for (let i = 0; i < ahead.parts; i++) {
        const there = i === 0 ? row : minimum(add(row, multiply(part, int(i))), lastRow);
        inner.push(setLocal(sum, add4(local(sum, "f32x4"), ahead.read(there, position, inner))));
      }
    });
    body.push(store(ahead.keep, int(0), local(sum, "f32x4")));
  };
}
