// The schedule of a streamed kernel on a CPU: a workgroup owns some rows and walks the other side in blocks.
// In: a StreamSpec. Out: scratch, grid and body of one kernel (workgroup of one invocation). For each block of j: the right
// operands are packed, tiles are summed by the micro-kernel into scratch, rows are turned into weights one by one (with the
// running maximum and row sums), and the weights are multiplied with the packed block into sums that stay in scratch.
// Blocks and rows where a mask leaves nothing are not computed. Deliberately absent: what the expressions are (lower/stream.ts).

import { ceilDivide as ceilSizes, constant, product } from "../../runtime/size.ts";
import type { Expr, Scratch, Stmt } from "../kernel.ts";
import type { Range } from "./contract-tasks.ts";
import { finished } from "./stream-max.ts";
import { emitProduct, oddLines, panelRoom, slack, stageLeft, type StreamContext } from "./stream-product.ts";
import { rangeOfColumns, rangeOfRows, type Span } from "./stream-range.ts";
import { blockColumns, emitRows, startOf, sumStride, tileStride } from "./stream-row.ts";
import type { StreamBody, StreamPlace, StreamSpec } from "./stream-spec.ts";
import { decodeStream, depthsOf, letFloat, widthsOf, workOf } from "./stream-tasks.ts";
import {
  add,
  branch,
  ceilDivide,
  float,
  int,
  letInt,
  loadFloat,
  loadVector,
  loop,
  maximum,
  minimum,
  multiply,
  roundUp,
  sizeOf,
  splat,
  store,
  subtract,
} from "./expr.ts";

/** Rows of a task, a multiple of 12. */
const mostRows = 96;
const always: Expr = { op: "literal", type: "bool", value: 1 };
const never: Expr = { op: "literal", type: "bool", value: 0 };

export function streamBody(spec: StreamSpec): StreamBody {
  const { fresh } = spec;
  const body: Stmt[] = [];
  const tasks = ceilSizes(spec.own, constant(mostRows));
  const { task, place } = decodeStream(spec, tasks, body);
  const length = sizeOf(spec.own);
  const share = letInt(fresh, body, "share", roundUp(ceilDivide(length, sizeOf(tasks)), 12));
  const from = letInt(fresh, body, "rowFrom", multiply(task, share));
  const count = letInt(fresh, body, "rows", minimum(share, subtract(length, from)));
  const padded = letInt(fresh, body, "padded", maximum(roundUp(count, 3), roundUp(count, 4)));
  const context: StreamContext = {
    spec,
    place,
    rows: { from, count },
    padded,
    depths: depthsOf(spec),
    widths: widthsOf(spec),
  };
  // Sizes may leave the last task without rows.
  branch(body, { op: "binary", type: "bool", fn: "lt", a: int(0), b: count }, (then) => {
    emitStart(context, then);
    emitExtra(context, 0, context.place, then);
    emitFinish(context, then);
  });
  return {
    scratch: scratchOf(context),
    grid: product([...spec.batch, tasks]),
    body,
    multiplyAdds: workOf(spec),
  };
}

function scratchOf({ spec, depths, widths }: StreamContext): Scratch[] {
  const scratch: Scratch[] = [];
  const f32 = (name: string, length: number): void => void scratch.push({ name, type: "f32", length });
  const rows = mostRows + slack;
  depths.forEach((depth, i) => {
    f32(`leftBlock${i}`, rows * oddLines(depth));
    f32(`rightBlock${i}`, panelRoom(depth, blockColumns));
    f32(`tiles${i}`, rows * tileStride);
  });
  widths.forEach((width, i) => {
    f32(`weights${i}`, rows * tileStride);
    f32(`values${i}`, panelRoom(blockColumns, width));
    f32(`sums${i}`, rows * sumStride(width));
  });
  if (widths.length === 0 && spec.max) f32("weights0", rows * tileStride);
  if (spec.max) f32("rowMax", rows);
  spec.rows.forEach((_, i) => f32(`rowSums${i}`, rows));
  return scratch;
}

/** Sums and row values of nothing; weights of rows that are not there. */
function emitStart({ spec, rows, padded, widths }: StreamContext, into: Stmt[]): void {
  const { fresh } = spec;
  loop(fresh, into, "row", int(0), padded, 1, (row, body) => {
    widths.forEach((width, i) => {
      const at = letInt(fresh, body, "at", multiply(row, int(sumStride(width))));
      loop(fresh, body, "n", int(0), int(sumStride(width)), 4, (n, inner) =>
        inner.push(store(`sums${i}`, add(at, n), splat(float(0)))),
      );
    });
    if (spec.max) body.push(store("rowMax", row, float(-Infinity)));
    spec.rows.forEach((fn, i) => body.push(store(`rowSums${i}`, row, startOf(fn))));
  });
  loop(fresh, into, "row", rows.count, padded, 1, (row, body) =>
    widths.forEach((_, i) =>
      loop(fresh, body, "column", int(0), int(tileStride), 4, (column, inner) =>
        inner.push(store(`weights${i}`, add(multiply(row, int(tileStride)), column), splat(float(0)))),
      ),
    ),
  );
}

function emitExtra(context: StreamContext, depth: number, place: StreamPlace, into: Stmt[]): void {
  const { spec } = context;
  const size = spec.extra[depth];
  if (size === undefined) return emitWalk({ ...context, place }, into);
  loop(spec.fresh, into, "also", int(0), sizeOf(size), 1, (index, body) =>
    emitExtra(context, depth + 1, { batch: [...place.batch, index] }, body),
  );
}

function emitWalk(context: StreamContext, into: Stmt[]): void {
  const { spec, place, rows, depths } = context;
  const { fresh } = spec;
  spec.tiles.forEach(({ left }, i) => stageLeft(context, left(place), `leftBlock${i}`, depths[i]!, into));
  const columns = rangeOfColumns(spec, rows, blockColumns, into);
  loop(fresh, into, "from", columns.from, columns.to, blockColumns, (from, body) => {
    const count = letInt(fresh, body, "columns", minimum(int(blockColumns), subtract(columns.to, from)));
    const part = rangeOfRows(spec, rows, { from, count }, body);
    emitTiles(context, { from, count }, part, body);
    emitRows(context, { from, count }, part, body);
    emitSums(context, { from, count }, part, body);
  });
}

function emitTiles(context: StreamContext, columns: Range, part: Span, into: Stmt[]): void {
  const { spec, place, depths } = context;
  spec.tiles.forEach(({ right }, i) => {
    const depth = depths[i]!;
    emitProduct(
      context,
      {
        operand: right(place),
        packed: `rightBlock${i}`,
        outer: columns,
        k: { from: int(0), count: int(depth) },
        depth,
        a: `leftBlock${i}`,
        aStride: oddLines(depth),
        result: `tiles${i}`,
        resultStride: tileStride,
        goOn: never,
      },
      part,
      into,
    );
  });
}

function emitSums(context: StreamContext, columns: Range, part: Span, into: Stmt[]): void {
  const { spec, place, widths } = context;
  spec.sums.forEach(({ right }, i) =>
    emitProduct(
      context,
      {
        operand: right(place),
        packed: `values${i}`,
        outer: { from: int(0), count: int(widths[i]!) },
        k: columns,
        depth: blockColumns,
        a: `weights${i}`,
        aStride: tileStride,
        result: `sums${i}`,
        resultStride: sumStride(widths[i]!),
        goOn: always,
      },
      part,
      into,
    ),
  );
}

/** Results, row by row. */
function emitFinish({ spec, rows, place, widths }: StreamContext, into: Stmt[]): void {
  const { fresh } = spec;
  loop(fresh, into, "row", int(0), rows.count, 1, (row, body) => {
    const m = letInt(fresh, body, "m", add(rows.from, row));
    const max = spec.max ? letFloat(fresh, body, "max", loadFloat("rowMax", row)) : undefined;
    const totals = spec.rows.map((_, i) =>
      letFloat(fresh, body, "total", finished(loadFloat(`rowSums${i}`, row), max)),
    );
    const { store: storeRow, write } = spec.finish(place, m, max, totals, body);
    storeRow(body);
    widths.forEach((width, i) => {
      const at = letInt(fresh, body, "sumAt", multiply(row, int(sumStride(width))));
      const cells = (lanes: 1 | 4, from: number, to: number): void =>
        loop(fresh, body, "n", int(from), int(to), lanes, (n, inner) => {
          const value = (lanes === 4 ? loadVector : loadFloat)(`sums${i}`, add(at, n));
          write(i, n, lanes, letFloat(fresh, inner, "value", value), inner);
        });
      const whole = width - (width % 4);
      cells(4, 0, whole);
      cells(1, whole, width);
    });
  });
}
