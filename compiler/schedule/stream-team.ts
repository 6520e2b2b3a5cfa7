// The schedule of a streamed kernel on a GPU: a workgroup owns some rows and walks the other side 32 columns at a time.
// In: a StreamSpec. Out: scratch, grid and body of one kernel. Invocations lie over the tile, eight for each of their rows, and
// each has four rows and four columns of a block: what it sums of the tile stays in its locals until it is weights, and
// the sums of its rows stay there to the end. In scratch are staged operands, weights (all of a row's invocations multiply
// them with the other operand) and what the eight of a row tell each other. Barriers stand in loops over sizes and ranges of
// indices only. Deliberately absent: what the expressions are (lower/stream.ts); matrix units.

import { ceilDivide as ceilSizes, constant, product } from "../../runtime/size.ts";
import type { Expr, Scratch, Stmt } from "../kernel.ts";
import type { Parallel } from "../target.ts";
import { binary, invocation, select, unary } from "../lower/expr.ts";
import type { Range } from "./contract-tasks.ts";
import { decodeStream, depthsOf, letFloat, widthsOf, workOf } from "./stream-tasks.ts";
import type { StreamBody, StreamCell, StreamPlace, StreamSpec } from "./stream-spec.ts";
import { block, each, side, stage, stride } from "./stream-team-stage.ts";
import { rangeOfColumns } from "./stream-range.ts";
import { finished, finiteMaximum } from "./stream-max.ts";
import {
  add,
  branch,
  divide,
  equal,
  float,
  int,
  less,
  letInt,
  loadFloat,
  local,
  loop,
  minimum,
  modulo,
  multiply,
  setLocal,
  sizeOf,
  store,
  subtract,
} from "./expr.ts";

/** Invocations along the rows, at most: more share what is staged, and need more scratch. */
const mostRowSide = 16;
/** Steps of an inner sum that are staged at a time. */
const depthStep = 16;
/** The least power of two that is no less, and a share for every invocation. */
const powerAbove = (count: number): number => 2 ** Math.ceil(Math.log2(Math.max(2, count)));

const four = [0, 1, 2, 3] as const;
const barrier: Stmt = { op: "barrier" };

interface Context {
  readonly spec: StreamSpec;
  readonly place: StreamPlace;
  readonly rows: Range;
  /** Invocations along the rows; a workgroup owns four times as many rows. */
  readonly rowSide: number;
  /** Where the invocation is in the block, and its rows in the whole: beyond the end, the last one. */
  readonly row: Expr;
  readonly column: Expr;
  readonly m: readonly Expr[];
  readonly depths: readonly number[];
  readonly widths: readonly number[];
  /** Names of what the invocation holds of each row. */
  readonly maxima: readonly string[];
  readonly totals: readonly (readonly string[])[];
  /** [sum][row][column] */
  readonly sums: readonly (readonly (readonly string[])[])[];
}

export function streamTeamBody(
  spec: StreamSpec,
  parallel: Parallel,
): StreamBody & { readonly workgroup: number } {
  const { fresh } = spec;
  const rowSide = chooseRowSide(spec, parallel);
  const rowBlock = rowSide * each;
  const body: Stmt[] = [];
  const tasks = ceilSizes(spec.own, constant(rowBlock));
  const { task, place } = decodeStream(spec, tasks, body);
  const from = letInt(fresh, body, "rowFrom", multiply(task, int(rowBlock)));
  const count = letInt(fresh, body, "rows", minimum(int(rowBlock), subtract(sizeOf(spec.own), from)));
  const row = letInt(fresh, body, "row", divide(invocation, int(side)));
  const column = letInt(fresh, body, "column", modulo(invocation, int(side)));
  const last = letInt(fresh, body, "lastRow", subtract(count, int(1)));
  const m = four.map((i) => letInt(fresh, body, "m", add(from, minimum(add(row, int(i * rowSide)), last))));
  const widths = widthsOf(spec);
  const declare = (hint: string, value: number): string => {
    const name = fresh(hint);
    body.push({ op: "var", name, value: float(value) });
    return name;
  };
  const context: Context = {
    spec,
    place,
    rows: { from, count },
    rowSide,
    row,
    column,
    m,
    depths: depthsOf(spec),
    widths,
    maxima: spec.max ? four.map(() => declare("max", -Infinity)) : [],
    totals: spec.rows.map((fn) => four.map(() => declare("total", fn === "sum" ? 0 : -Infinity))),
    sums: widths.map((width) =>
      four.map(() => Array.from({ length: columnsHeld(width) }, () => declare("sum", 0))),
    ),
  };
  emitExtra(context, 0, context.place, body);
  emitFinish(context, body);
  return {
    scratch: scratchOf(spec, rowSide),
    workgroup: rowSide * side,
    grid: product([...spec.batch, tasks]),
    body,
    multiplyAdds: workOf(spec),
  };
}

/** Columns of a sum that an invocation holds: four of every block of 32, fewer where there are not so many. */
const columnsHeld = (width: number): number => Math.ceil(width / side);

const stagedLength = (rowSide: number): number =>
  Math.max(depthStep * (rowSide * each + 1) + depthStep * stride, block * stride);

function scratchOf(spec: StreamSpec, rowSide: number): Scratch[] {
  const f32 = (name: string, length: number): Scratch => ({ name, type: "f32", length });
  const tells = spec.max || spec.rows.length > 0;
  const rows = rowSide * each;
  return [
    f32("staged", stagedLength(rowSide)),
    ...spec.sums.map((_, i) => f32(`weights${i}`, rows * stride)),
    ...(tells ? [f32("told", rows * side)] : []),
  ];
}

/** The most rows that fit. */
function chooseRowSide(spec: StreamSpec, parallel: Parallel): number {
  const fits = (rowSide: number): boolean =>
    rowSide * side <= parallel.workgroup &&
    4 * scratchOf(spec, rowSide).reduce((sum, { length }) => sum + length, 0) <= parallel.scratch;
  let rowSide = mostRowSide;
  while (rowSide > 1 && !fits(rowSide)) rowSide /= 2;
  return rowSide;
}

function emitExtra(context: Context, depth: number, place: StreamPlace, into: Stmt[]): void {
  const { spec } = context;
  const size = spec.extra[depth];
  if (size === undefined) return emitWalk({ ...context, place }, into);
  loop(spec.fresh, into, "also", int(0), sizeOf(size), 1, (index, body) =>
    emitExtra(context, depth + 1, { batch: [...place.batch, index] }, body),
  );
}

function emitWalk(context: Context, into: Stmt[]): void {
  const { spec, rows } = context;
  const { fresh } = spec;
  const columns = rangeOfColumns(spec, rows, block, into);
  loop(fresh, into, "from", columns.from, columns.to, block, (from, body) => {
    const count = letInt(fresh, body, "columns", minimum(int(block), subtract(columns.to, from)));
    const part: Range = { from, count };
    const tiles = spec.tiles.map((_, i) => emitTile(context, i, part, body));
    emitRows(context, tiles, part, body);
    spec.sums.forEach((_, i) => emitSum(context, i, part, body));
  });
}

const accumulate = (name: string, a: Expr, b: Expr): Stmt =>
  setLocal(name, { op: "fma", type: "f32", a, b, c: local(name, "f32") });

/** Sums of a tile that the invocation holds, [row][column]. */
function emitTile(context: Context, tile: number, columns: Range, into: Stmt[]): string[][] {
  const { spec, place, rows, rowSide, row, column, depths } = context;
  const { fresh } = spec;
  const depth = depths[tile]!;
  const { left, right } = spec.tiles[tile]!;
  const names = four.map(() => four.map(() => fresh("tile")));
  for (const name of names.flat()) into.push({ op: "var", name, value: float(0) });
  const step = Math.min(depthStep, powerAbove(depth));
  const shared = { kBlock: step, kEnd: depth % step === 0 ? undefined : int(depth) };
  const rowBlock = rowSide * each;
  const sides = [
    { operand: left(place), at: 0, stride: rowBlock + 1, outer: rows, outerBlock: rowBlock },
    {
      operand: right(place),
      at: depthStep * (rowBlock + 1),
      stride,
      outer: columns,
      outerBlock: block,
    },
  ] as const;
  loop(fresh, into, "k0", int(0), int(depth), step, (k, body) => {
    body.push(barrier);
    for (const one of sides) stage(context, { ...shared, ...one, k }, body);
    body.push(barrier);
    loop(fresh, body, "k", int(0), int(step), 1, (at, inner) => {
      const [a, b] = sides.map((one, way) => {
        const [own, apart] = way === 0 ? [row, rowSide] : [column, side];
        const base = letInt(fresh, inner, "at", add(multiply(at, int(one.stride)), own));
        return four.map((i) =>
          letFloat(fresh, inner, "x", loadFloat("staged", add(base, int(one.at + i * apart)))),
        );
      }) as [Expr[], Expr[]];
      names.forEach((line, i) => line.forEach((name, j) => inner.push(accumulate(name, a[i]!, b[j]!))));
    });
  });
  return names;
}

/** What the eight invocations of each row have, told to each other. The barrier before reading is here, the one before the
 * next telling is the caller's. */
function tell(context: Context, mine: readonly Expr[], fn: "add" | "max", into: Stmt[]): Expr[] {
  const { spec, rowSide, row, column } = context;
  const { fresh } = spec;
  const at = (i: number, of: Expr): Expr => add(multiply(add(row, int(i * rowSide)), int(side)), of);
  mine.forEach((value, i) => into.push(store("told", at(i, column), value)));
  into.push(barrier);
  return mine.map((_, i) => {
    const name = fresh("all");
    into.push({ op: "var", name, value: loadFloat("told", at(i, int(0))) });
    loop(fresh, into, "other", int(1), int(side), 1, (other, body) =>
      body.push(setLocal(name, binary(fn, local(name, "f32"), loadFloat("told", at(i, other))))),
    );
    return local(name, "f32");
  });
}

/** From tiles to weights, with the maxima so far. */
function emitRows(context: Context, tiles: readonly string[][][], columns: Range, into: Stmt[]): void {
  const { spec, place, rowSide, row, column, m, maxima, totals, sums } = context;
  const { fresh } = spec;
  const last = letInt(fresh, into, "lastColumn", subtract(columns.count, int(1)));
  const places = four.map((j) => letInt(fresh, into, "place", add(column, int(j * side))));
  const at = places.map((place) => letInt(fresh, into, "j", add(columns.from, minimum(place, last))));
  const cell = (i: number, j: number): StreamCell => ({
    at: at[j]!,
    lanes: 1,
    tile: (tile) => local(tiles[tile]![i]![j]!, "f32"),
  });
  const there = (j: number, value: Expr, otherwise: number): Expr =>
    select(less(places[j]!, columns.count), value, float(otherwise));
  const scores: Expr[][] = [];
  const peaks: Expr[] = [];
  if (spec.max) {
    const tops = four.map((i) => {
      const score = spec.score(place, m[i]!, into);
      scores.push(
        four.map((j) => letFloat(fresh, into, "score", there(j, score(cell(i, j), into), -Infinity))),
      );
      return scores[i]!.reduce((a, b) => binary("max", a, b));
    });
    const peak = tell(context, tops, "max", into);
    four.forEach((i) => {
      const name = maxima[i]!;
      const before = letFloat(fresh, into, "before", local(name, "f32"));
      const after = letFloat(fresh, into, "after", binary("max", before, peak[i]!));
      into.push(setLocal(name, after));
      const max = letFloat(fresh, into, "peak", finiteMaximum(after));
      peaks.push(max);
      const shrink = letFloat(fresh, into, "shrink", unary("exp", binary("sub", before, max)));
      for (const held of [...sums.map((sum) => sum[i]!), totals.map((total) => total[i]!)])
        for (const each of held) into.push(setLocal(each, binary("mul", local(each, "f32"), shrink)));
    });
  }
  four.forEach((i) => {
    const terms = spec.terms(place, m[i]!, peaks[i], into);
    four.forEach((j) => {
      const found = terms(cell(i, j), scores[i]?.[j], into);
      const named = found.weights.map((weight) => letFloat(fresh, into, "weight", there(j, weight, 0)));
      found.rows.forEach((term, r) => {
        const fn = spec.rows[r]!;
        const name = totals[r]![i]!;
        const value = there(j, term, fn === "sum" ? 0 : -Infinity);
        into.push(setLocal(name, binary(fn === "sum" ? "add" : "max", local(name, "f32"), value)));
      });
      const to = add(multiply(add(row, int(i * rowSide)), int(stride)), places[j]!);
      named.forEach((weight, w) => into.push(store(`weights${w}`, to, weight)));
    });
  });
}

/** Weights times a block of the other operand, 32 columns of the result at a time. */
function emitSum(context: Context, sum: number, columns: Range, into: Stmt[]): void {
  const { spec, place, rowSide, row, column, widths, sums } = context;
  const { fresh } = spec;
  const width = widths[sum]!;
  const end = add(columns.from, columns.count);
  const operand = spec.sums[sum]!.right(place);
  for (let from = 0; from < width; from += block) {
    const count = Math.min(block, width - from);
    const held = sums[sum]!.map((line) => line.slice(from / side, from / side + Math.ceil(count / side)));
    into.push(barrier);
    const outer = { from: int(from), count: int(count) };
    const outerBlock = powerAbove(count);
    stage(
      context,
      { operand, at: 0, outer, outerBlock, stride, k: columns.from, kEnd: end, kBlock: block },
      into,
    );
    into.push(barrier);
    loop(fresh, into, "k", int(0), int(block), 1, (k, body) => {
      const weights = four.map((i) =>
        letFloat(
          fresh,
          body,
          "w",
          loadFloat(`weights${sum}`, add(multiply(row, int(stride)), k, int(i * rowSide * stride))),
        ),
      );
      const base = letInt(fresh, body, "at", add(multiply(k, int(stride)), column));
      held[0]!.forEach((_, j) => {
        // Columns that do not exist are read from a neighbour, and never stored.
        const place = add(base, int(j * side));
        const inside =
          count - j * side >= side ? place : minimum(place, add(multiply(k, int(stride)), int(count - 1)));
        const value = letFloat(fresh, body, "v", loadFloat("staged", inside));
        four.forEach((i) => body.push(accumulate(held[i]![j]!, weights[i]!, value)));
      });
    });
  }
}

function emitFinish(context: Context, into: Stmt[]): void {
  const { spec, rows, rowSide, row, column, m, maxima, totals, sums, widths, place } = context;
  const { fresh } = spec;
  const joined = totals.map((names, r) => {
    into.push(barrier);
    const mine = names.map((name) => local(name, "f32"));
    return tell(context, mine, spec.rows[r] === "sum" ? "add" : "max", into);
  });
  four.forEach((i) =>
    branch(into, less(add(row, int(i * rowSide)), rows.count), (body) => {
      const max = spec.max ? local(maxima[i]!, "f32") : undefined;
      const all = joined.map((values) => letFloat(fresh, body, "total", finished(values[i]!, max)));
      const { store: storeRow, write } = spec.finish(place, m[i]!, max, all, body);
      const own: Stmt[] = [];
      storeRow(own);
      if (own.length > 0) body.push({ op: "if", condition: equal(column, int(0)), then: own, otherwise: [] });
      widths.forEach((width, sum) =>
        sums[sum]![i]!.forEach((name, j) => {
          const n = letInt(fresh, body, "n", add(column, int(j * side)));
          const whole = (j + 1) * side <= width;
          branch(body, whole ? { op: "literal", type: "bool", value: 1 } : less(n, int(width)), (inner) =>
            write(sum, n, 1, local(name, "f32"), inner),
          );
        }),
      );
    }),
  );
}
