// Few rows (one token, or an expert with a handful): b is read once, where it lies, and not packed.
// In: at most four rows of a, staged along k; b plain and contiguous along n. Out: statements that leave sums in scratch.
// One row passes with 24 columns at a time, more rows four high with 8: as many sums as registers hold, so that loads from
// memory follow each other closely. Deliberately absent: b along k (contract-dot.ts reads it once anyway).

import type { Expr, Stmt } from "../kernel.ts";
import type { Block, Context } from "./contract-context.ts";
import { emitMicroKernel } from "./contract-micro.ts";
import type { ContractSpec } from "./contract-spec.ts";
import { packsOnTheWay } from "./contract-tiles.ts";
import {
  add,
  branch,
  equal,
  int,
  less,
  letInt,
  loadFloat,
  loop,
  minimum,
  roundDown,
  subtract,
  vector,
} from "./expr.ts";

export const fewRows = 4;

/** Whether few rows have a way of their own. */
export const takesFew = (spec: ContractSpec): boolean =>
  spec.a.contiguous === "k" && spec.ragged?.kind !== "reduction" && spec.b.every(packsOnTheWay);

export function emitFew(context: Context, block: Block, into: Stmt[]): void {
  branch(
    into,
    equal(block.rows.count, int(1)),
    (body) => emitHeight(context, 1, [6, 2, 1], block, body),
    (body) => emitHeight(context, fewRows, [2, 1], block, body),
  );
}

function emitHeight(
  context: Context,
  height: number,
  widths: readonly number[],
  { depth, goOn }: Block,
  into: Stmt[],
): void {
  const { spec, columns, place, aStride, tileStride } = context;
  const { fresh } = spec;
  const whole = letInt(fresh, into, "whole", roundDown(columns.count, 4));
  const last = letInt(fresh, into, "lastColumn", add(columns.from, columns.count, int(-1)));
  spec.b.forEach((operand, sibling) => {
    const tile = (width: number, column: Expr, body: Stmt[], edge: boolean): void =>
      emitMicroKernel(
        {
          fresh,
          rows: height,
          vectors: width,
          depth: depth.count,
          a: (r, k) => loadFloat("aBlock", add(k, int(r * aStride))),
          b: (k, at) => {
            const read = operand.open(place, add(depth.from, k), at);
            const from = add(columns.from, column);
            if (!edge) return (v) => read(add(from, int(4 * v)), 4, at);
            return () =>
              vector(
                [0, 1, 2, 3].map((lane) =>
                  read(letInt(fresh, at, "n", minimum(add(from, int(lane)), last)), 1, at),
                ),
              );
          },
          tile: `sums${sibling}`,
          tileBase: column,
          tileStride,
          goOn,
        },
        body,
      );
    let from: Expr = int(0);
    for (const width of widths) {
      const count = roundDown(subtract(columns.count, from), 4 * width);
      const to = letInt(fresh, into, "to", add(from, count));
      loop(fresh, into, "column", from, to, 4 * width, (column, body) => tile(width, column, body, false));
      from = to;
    }
    branch(into, less(whole, columns.count), (body) => tile(1, whole, body, true));
  });
}
