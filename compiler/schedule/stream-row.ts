// The rows of a block of a streamed kernel on a CPU: from the tile to weights, with the running maximum and the row's own sums.
// In: tiles in scratch. Out: statements that write weights and row values to scratch.

import type { Expr, Stmt } from "../kernel.ts";
import { binary, extract } from "../lower/expr.ts";
import type { Range } from "./contract-tasks.ts";
import { finiteMaximum } from "./stream-max.ts";
import type { StreamContext } from "./stream-product.ts";
import type { Span } from "./stream-range.ts";
import type { StreamCell } from "./stream-spec.ts";
import { letFloat } from "./stream-tasks.ts";
import {
  add,
  branch,
  float,
  int,
  letInt,
  loadFloat,
  loadVector,
  local,
  loop,
  minimum,
  multiply,
  roundDown,
  setLocal,
  splat,
  store,
} from "./expr.ts";

/** Columns of a block, and elements from one row of a tile to the next. */
export const blockColumns = 24;
export const tileStride = blockColumns + 4;
/** Elements from one row of sums to the next: the last register tile computes columns that are not there. */
export const sumStride = (width: number): number => Math.ceil(width / 4) * 4 + 4;

export const startOf = (fn: "sum" | "max"): Expr => float(fn === "sum" ? 0 : -Infinity);

/** Four columns at a time, then one at a time. */
function eachCell(
  fresh: (hint: string) => string,
  base: Expr,
  columns: Range,
  into: Stmt[],
  visit: (cell: StreamCell, place: Expr, body: Stmt[]) => void,
): void {
  const whole = letInt(fresh, into, "whole", roundDown(columns.count, 4));
  const cells = (lanes: 1 | 4, from: Expr, to: Expr): void =>
    loop(fresh, into, "column", from, to, lanes, (column, body) => {
      const place = letInt(fresh, body, "cell", add(base, column));
      const at = letInt(fresh, body, "j", add(columns.from, column));
      const tile = (i: number): Expr => (lanes === 4 ? loadVector : loadFloat)(`tiles${i}`, place);
      visit({ at, lanes, tile }, place, body);
    });
  cells(4, int(0), whole);
  cells(1, whole, columns.count);
}

/** A vector and a scalar that are joined in the end. */
class Accumulator {
  private readonly names: { readonly vector: string; readonly scalar: string };
  private readonly fn: "add" | "max";

  constructor(fresh: (hint: string) => string, fn: "sum" | "max", into: Stmt[]) {
    this.fn = fn === "sum" ? "add" : "max";
    this.names = { vector: fresh("all"), scalar: fresh("one") };
    into.push({ op: "var", name: this.names.vector, value: splat(startOf(fn)) });
    into.push({ op: "var", name: this.names.scalar, value: startOf(fn) });
  }

  add(value: Expr, lanes: 1 | 4, into: Stmt[]): void {
    const name = lanes === 4 ? this.names.vector : this.names.scalar;
    into.push(setLocal(name, binary(this.fn, local(name, lanes === 4 ? "f32x4" : "f32"), value)));
  }

  total(): Expr {
    const lane = (i: 0 | 1 | 2 | 3): Expr => extract(local(this.names.vector, "f32x4"), i);
    const join = (a: Expr, b: Expr): Expr => binary(this.fn, a, b);
    return join(join(join(lane(0), lane(1)), join(lane(2), lane(3))), local(this.names.scalar, "f32"));
  }
}

/** The block's rows: scores, the maximum so far, and what the sums need of each. */
export function emitRows(context: StreamContext, columns: Range, part: Span, into: Stmt[]): void {
  const { spec, rows, place, widths } = context;
  const { fresh } = spec;
  loop(fresh, into, "row", part.from, minimum(part.to, rows.count), 1, (row, body) => {
    const m = letInt(fresh, body, "m", add(rows.from, row));
    const base = letInt(fresh, body, "rowAt", multiply(row, int(tileStride)));
    let max: Expr | undefined;
    let shrink: Expr | undefined;
    if (spec.max) {
      const score = spec.score(place, m, body);
      const top = new Accumulator(fresh, "max", body);
      eachCell(fresh, base, columns, body, (cell, at, inner) => {
        const value = letFloat(fresh, inner, "score", score(cell, inner));
        inner.push(store("weights0", at, value));
        top.add(value, cell.lanes, inner);
      });
      const before = letFloat(fresh, body, "before", loadFloat("rowMax", row));
      const after = letFloat(fresh, body, "after", binary("max", before, top.total()));
      body.push(store("rowMax", row, after));
      max = letFloat(fresh, body, "max", finiteMaximum(after));
      shrink = letFloat(fresh, body, "shrink", {
        op: "unary",
        type: "f32",
        fn: "exp",
        a: binary("sub", before, max),
      });
      const grew = binary("ne", before, after);
      const factor = shrink;
      branch(body, grew, (then) =>
        widths.forEach((width, i) => {
          const at = letInt(fresh, then, "sumAt", multiply(row, int(sumStride(width))));
          loop(fresh, then, "n", int(0), int(Math.ceil(width / 4) * 4), 4, (n, inner) => {
            const place = letInt(fresh, inner, "place", add(at, n));
            inner.push(store(`sums${i}`, place, binary("mul", loadVector(`sums${i}`, place), splat(factor))));
          });
        }),
      );
    }
    const terms = spec.terms(place, m, max, body);
    const sums = spec.rows.map((fn) => new Accumulator(fresh, fn, body));
    eachCell(fresh, base, columns, body, (cell, at, inner) => {
      const score = spec.max ? (cell.lanes === 4 ? loadVector : loadFloat)("weights0", at) : undefined;
      const found = terms(cell, score, inner);
      const named = found.weights.map((weight) => letFloat(fresh, inner, "weight", weight));
      found.rows.forEach((term, i) => sums[i]!.add(term, cell.lanes, inner));
      named.forEach((weight, i) => inner.push(store(`weights${i}`, at, weight)));
    });
    spec.rows.forEach((fn, i) => {
      const before = loadFloat(`rowSums${i}`, row);
      const kept = shrink === undefined ? before : binary("mul", before, shrink);
      body.push(store(`rowSums${i}`, row, binary(fn === "sum" ? "add" : "max", kept, sums[i]!.total())));
    });
  });
}
