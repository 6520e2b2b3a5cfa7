// Products of a streamed kernel on a CPU: a right operand is packed into scratch, and rows that lie in scratch are multiplied with
// it by the micro-kernel of contractions.
// In: operand readers, ranges. Out: statements.

import type { Expr, Stmt } from "../kernel.ts";
import { emitMicroKernel } from "./contract-micro.ts";
import type { ContractOperand } from "./contract-spec.ts";
import { panelsOf, stagePanels, stageRows, stageTransposed, type Panels } from "./contract-stage.ts";
import type { Range } from "./contract-tasks.ts";
import type { StreamPlace, StreamSpec } from "./stream-spec.ts";
import type { Span } from "./stream-range.ts";
import { add, int, letInt, loadFloat, loadVector, loop, minimum, multiply, store, subtract } from "./expr.ts";

/** Rows are summed in threes and fours: up to three more than there are. */
export const slack = 4;

/** Everything that the parts of the body share. */
export interface StreamContext {
  readonly spec: StreamSpec;
  readonly place: StreamPlace;
  readonly rows: Range;
  /** Rows with those that the last register tile computes besides. */
  readonly padded: Expr;
  readonly depths: readonly number[];
  readonly widths: readonly number[];
}

/** An odd number of cache lines: neighbouring rows do not fight for one cache set. */
export const oddLines = (length: number): number => (Math.ceil(length / 16) | 1) * 16;
/** Panels of 12 and at most two of 8, each with the stride of a whole one. */
export const panelRoom = (depth: number, columns: number): number =>
  (Math.ceil(columns / 12) + 2) * oddLines(depth * 12);

export function stageLeft(
  context: StreamContext,
  operand: ContractOperand,
  block: string,
  depth: number,
  into: Stmt[],
): void {
  const { spec, rows, padded, place } = context;
  const stage = {
    fresh: spec.fresh,
    operand,
    place,
    block,
    outer: rows.from,
    outerCount: rows.count,
    k: int(0),
    kCount: int(depth),
  };
  if (operand.contiguous === "k") return stageRows(stage, padded, oddLines(depth), into);
  const last = letInt(spec.fresh, into, "lastRow", subtract(rows.count, int(1)));
  loop(spec.fresh, into, "k", int(0), int(depth), 1, (k, body) => {
    const read = operand.open(place, k, body);
    loop(spec.fresh, body, "row", int(0), padded, 1, (row, inner) => {
      const from = letInt(spec.fresh, inner, "at", add(rows.from, minimum(row, last)));
      inner.push(store(block, add(multiply(row, int(oddLines(depth))), k), read(from, 1, inner)));
    });
  });
}

/** Packs a right operand, outer = n of the product and `k` its run, and multiplies rows of `a` with it. */
export interface Product {
  readonly operand: ContractOperand;
  readonly packed: string;
  readonly outer: Range;
  readonly k: Range;
  readonly depth: number;
  readonly a: string;
  readonly aStride: number;
  readonly result: string;
  readonly resultStride: number;
  readonly goOn: Expr;
}

export function emitProduct({ spec, place }: StreamContext, each: Product, part: Span, into: Stmt[]): void {
  const { fresh } = spec;
  const stage = {
    fresh,
    operand: each.operand,
    place,
    block: each.packed,
    outer: each.outer.from,
    outerCount: each.outer.count,
    k: each.k.from,
    kCount: each.k.count,
  };
  const runs: readonly Panels[] = panelsOf(
    each.outer.count,
    oddLines(each.depth * 12),
    oddLines(each.depth * 8),
    fresh,
    into,
  );
  if (each.operand.contiguous === "n") stagePanels(stage, runs, "all", into);
  else stageTransposed(stage, runs, into);
  for (const run of runs)
    loop(fresh, into, "panel", int(0), run.count, 1, (panel, body) => {
      const panelAt = letInt(fresh, body, "panelAt", add(run.at, multiply(panel, int(run.stride))));
      const column = letInt(fresh, body, "column", add(run.first, multiply(panel, int(run.width))));
      const height = run.width === 12 ? 3 : 4;
      loop(fresh, body, "row", part.from, part.to, height, (row, inner) => {
        const aAt = letInt(fresh, inner, "aAt", multiply(row, int(each.aStride)));
        emitMicroKernel(
          {
            fresh,
            rows: height,
            vectors: run.width / 4,
            depth: each.k.count,
            a: (r, k) => loadFloat(each.a, add(aAt, k, int(r * each.aStride))),
            b: (k) => (v) => loadVector(each.packed, add(panelAt, multiply(k, int(run.width)), int(4 * v))),
            tile: each.result,
            tileBase: letInt(fresh, inner, "tileAt", add(multiply(row, int(each.resultStride)), column)),
            tileStride: each.resultStride,
            goOn: each.goOn,
          },
          inner,
        );
      });
    });
}
