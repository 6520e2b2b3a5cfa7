// The micro-kernel: one register tile of a product, `rows` by `vectors * 4` columns, over a run of k.
// In: how to read a (one element, broadcast) and b (four columns), and where the tile of sums lies in scratch.
// Out: statements. The loop over k is left to the engine to unroll: written out, its loads are moved before the arithmetic
// and the registers overflow. A tile's sums and all that one k loads must fit 15 registers, for the same reason.
// Deliberately absent: edges. Operands are padded with zeros by staging; columns and rows that do not exist are summed
// into the padding of the scratch tile, where the epilogue does not look.

import type { Expr, Stmt } from "../kernel.ts";
import {
  add,
  branch,
  int,
  loadVector,
  local,
  loop,
  multiplyAdd4,
  setLocal,
  splat,
  store,
  zero4,
} from "./expr.ts";

export interface MicroKernel {
  readonly fresh: (hint: string) => string;
  readonly rows: number;
  /** Vectors of four columns. */
  readonly vectors: number;
  /** Length of the run. */
  readonly depth: Expr;
  /** f32 at (row of the tile, k). */
  readonly a: (row: number, k: Expr, into: Stmt[]) => Expr;
  /** Opens one k; gives f32x4 for each vector of columns. */
  readonly b: (k: Expr, into: Stmt[]) => (vector: number) => Expr;
  /** Where what `b` gives is kept for the tiles that follow. */
  readonly keep?: (k: Expr, vector: number, value: Expr) => Stmt;
  readonly tile: string;
  /** Index of the tile's first element, and elements from one row to the next. */
  readonly tileBase: Expr;
  readonly tileStride: number;
  /** Whether the sums go on from what the tile holds. */
  readonly goOn: Expr;
}

export function emitMicroKernel(micro: MicroKernel, into: Stmt[]): void {
  const { fresh } = micro;
  const sums = Array.from({ length: micro.rows }, () =>
    Array.from({ length: micro.vectors }, () => fresh("sum")),
  );
  const eachSum = (visit: (name: string, place: Expr) => void): void =>
    sums.forEach((row, r) =>
      row.forEach((name, v) => visit(name, add(micro.tileBase, int(r * micro.tileStride + v * 4)))),
    );
  eachSum((name) => into.push({ op: "var", name, value: zero4 }));
  branch(into, micro.goOn, (body) =>
    eachSum((name, place) => body.push(setLocal(name, loadVector(micro.tile, place)))),
  );
  const step = (k: Expr, body: Stmt[]): void => {
    const read = micro.b(k, body);
    const columns = Array.from({ length: micro.vectors }, (_, v) => {
      const name = fresh("b");
      body.push({ op: "let", name, value: read(v) });
      return local(name, "f32x4");
    });
    if (micro.keep !== undefined) columns.forEach((column, v) => body.push(micro.keep!(k, v, column)));
    for (let r = 0; r < micro.rows; r++) {
      const name = fresh("a");
      body.push({ op: "let", name, value: splat(micro.a(r, k, body)) });
      columns.forEach((column, v) => {
        const sum = sums[r]![v]!;
        body.push(setLocal(sum, multiplyAdd4(local(name, "f32x4"), column, local(sum, "f32x4"))));
      });
    }
  };
  loop(fresh, into, "k", int(0), micro.depth, 1, step);
  eachSum((name, place) => into.push(store(micro.tile, place, local(name, "f32x4"))));
}
