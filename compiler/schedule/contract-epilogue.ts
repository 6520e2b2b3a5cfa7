// The epilogue of a contraction: finished sums leave scratch row by row, four columns at a time.
// In: where sums lie, and which rows and columns of the result they are. Out: statements. Deliberately absent: what is computed
// of the sums (the writers of the spec bring it).

import type { Expr, Stmt } from "../kernel.ts";
import type { Context } from "./contract-context.ts";
import type { Range } from "./contract-tasks.ts";
import { add, int, letInt, loadFloat, loadVector, local, loop, multiply, roundDown } from "./expr.ts";

/** `columns` are absolute, and so are `rows`; `sumsAt`: where the first sum lies. */
export function emitEpilogue(
  { spec, place, tileStride }: Context,
  rows: Range,
  columns: Range,
  sumsAt: Expr,
  into: Stmt[],
): void {
  const { fresh } = spec;
  const whole = letInt(fresh, into, "whole", roundDown(columns.count, 4));
  loop(fresh, into, "row", int(0), rows.count, 1, (row, body) => {
    const write = spec.epilogue(place, letInt(fresh, body, "m", add(rows.from, row)), body);
    const base = letInt(fresh, body, "sumsAt", add(sumsAt, multiply(row, int(tileStride))));
    const at = (column: Expr, lanes: 1 | 4, inner: Stmt[]): void => {
      const sums = spec.b.map((_, i): Expr => {
        const name = fresh("total");
        const load = lanes === 4 ? loadVector : loadFloat;
        inner.push({ op: "let", name, value: load(`sums${i}`, add(base, column)) });
        return local(name, lanes === 4 ? "f32x4" : "f32");
      });
      write(letInt(fresh, inner, "n", add(columns.from, column)), lanes, sums, inner);
    };
    loop(fresh, body, "column", int(0), whole, 4, (column, inner) => at(column, 4, inner));
    loop(fresh, body, "column", whole, columns.count, 1, (column, inner) => at(column, 1, inner));
  });
}
