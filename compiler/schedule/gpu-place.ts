// Which tile of a contraction a workgroup computes. In: its number, tiles. Out: statements at the start of the body and the
// coordinates that they compute; all of them are the same for all invocations of the workgroup, also for a compiler that must
// prove it (sizes, the workgroup's number and reads of the offsets).
//
// Rows of a routing: group g gets the tiles from floor(offset[g] / BM) + g on. These numbers rise with g, and there are always
// enough of them: with offset = q BM + r and c rows, floor((r + c) / BM) + 1 >= ceil(c / BM). So a binary search of the offsets
// finds a tile's group, and the bound is E + floor(R / BM) tiles, at most 1 + E / BM more than any table could promise. The
// search reads log2(E) + 2 hot words for a workgroup that reads tens of kilobytes. A table of tiles would be 4.6 KB for 64 experts
// and 32768 rows: planned bytes do not decide, a binding and a kernel that has to be done before do.
// When there are fewer rows than tiles, each row has a tile number, and rows that start no tile have nothing to do.

import {
  add as addSizes,
  constant,
  floorDivide,
  known,
  minimum as minimumSize,
  type Size,
} from "../../runtime/size.ts";
import type { Expr, Stmt } from "../kernel.ts";
import type { ContractPlace, ContractSpec, Ragged } from "./contract-spec.ts";
import {
  add,
  both,
  divide,
  equal,
  int,
  less,
  lessOrEqual,
  letInt,
  literalOf,
  minimum,
  modulo,
  multiply,
  selectInt,
  sizeOf,
  subtract,
} from "./expr.ts";

/** Row tiles that share their columns of b before the next columns come: both operands' blocks then stay in the cache. */
const tilesTogether = 8;

export interface TileAt {
  readonly batch: readonly Expr[];
  /** Ragged reductions only. */
  readonly group?: Expr;
  readonly rowTile: Expr;
  readonly columnTile: Expr;
}

/** Batch, group, then row tiles and column tiles, a few row tiles together. */
export function tileOfWorkgroup(spec: ContractSpec, rowTiles: Size, columnTiles: Size, into: Stmt[]): TileAt {
  const { fresh } = spec;
  let rest: Expr = { op: "workgroup", type: "i32" };
  const next = (extent: Expr, hint: string): Expr => {
    if (literalOf(extent) === 1) return int(0);
    const coordinate = letInt(fresh, into, hint, modulo(rest, extent));
    rest = letInt(fresh, into, "task", divide(rest, extent));
    return coordinate;
  };
  const [tall, wide] = [sizeOf(rowTiles), sizeOf(columnTiles)];
  const [rowsKnown, columnsKnown] = [literalOf(tall), literalOf(wide)];
  let rowTile: Expr;
  let columnTile: Expr;
  if (columnsKnown === 1 || (rowsKnown !== undefined && rowsKnown <= tilesTogether)) {
    rowTile = next(tall, "rowTile");
    columnTile = next(wide, "columnTile");
  } else {
    const inside = next(multiply(tall, wide), "tile");
    const bundle = letInt(fresh, into, "bundle", multiply(wide, int(tilesTogether)));
    const first = letInt(fresh, into, "firstRow", multiply(divide(inside, bundle), int(tilesTogether)));
    const height = letInt(fresh, into, "height", minimum(int(tilesTogether), subtract(tall, first)));
    const within = letInt(fresh, into, "within", modulo(inside, bundle));
    rowTile = letInt(fresh, into, "rowTile", add(first, modulo(within, height)));
    columnTile = letInt(fresh, into, "columnTile", divide(within, height));
  }
  const group = spec.ragged?.kind === "reduction" ? groupOf(spec.ragged, next, into, fresh) : undefined;
  const batch: Expr[] = [];
  for (const size of [...spec.batch].reverse()) batch.unshift(next(sizeOf(size), "batch"));
  return { batch, ...(group === undefined ? {} : { group }), rowTile, columnTile };
}

/** Of a reduction; counted from the first of a window. */
function groupOf(
  { groups, window }: Ragged,
  next: (extent: Expr, hint: string) => Expr,
  into: Stmt[],
  fresh: ContractSpec["fresh"],
): Expr {
  if (window === undefined) return next(int(groups), "group");
  return letInt(fresh, into, "group", add(next(int(window.groups), "inWindow"), window.first));
}

/** Rows of a tile: absolute, `end` is the first that is not its. */
export interface RowRange {
  readonly place: ContractPlace;
  readonly from: Expr;
  readonly end: Expr;
  /** Whether there are any. */
  readonly there: Expr;
}

export function denseRows(spec: ContractSpec, at: TileAt, rows: number, into: Stmt[]): RowRange {
  const from = letInt(spec.fresh, into, "mFrom", multiply(at.rowTile, int(rows)));
  const place = at.group === undefined ? { batch: at.batch } : { batch: at.batch, group: at.group };
  return { place, from, end: sizeOf(spec.m), there: { op: "literal", type: "bool", value: 1 } };
}

/** Tiles of `rows` rows, whatever the routing. */
export function raggedTiles(spec: ContractSpec, rows: number, alsoByRow: boolean): Size {
  const groups = spec.ragged!.groups;
  const tiles = addSizes(constant(groups), floorDivide(spec.m, constant(rows)));
  if (groups === 1 && known(spec.m) !== undefined)
    return constant(Math.max(1, Math.ceil(known(spec.m)! / rows)));
  return alsoByRow ? minimumSize(spec.m, tiles) : tiles;
}

/** The group and the rows of a tile number. With `alsoByRow` there may be a number for each row instead, see above. */
export function raggedRows(
  spec: ContractSpec,
  at: TileAt,
  rows: number,
  alsoByRow: boolean,
  into: Stmt[],
): RowRange {
  const { fresh } = spec;
  const { groups, offset } = spec.ragged!;
  const bound = sizeOf(spec.m);
  let byRow: Expr = { op: "literal", type: "bool", value: 0 };
  if (alsoByRow) {
    const tiles = add(int(groups), divide(bound, int(rows)));
    byRow = lessOrEqual(bound, tiles);
    if (byRow.op !== "literal") {
      const name = fresh("byRow");
      into.push({ op: "let", name, value: byRow });
      byRow = { op: "local", type: "bool", name };
    }
  }
  /** Number of the first tile of a group. */
  const firstTile = (group: Expr, first: Expr): Expr =>
    selectInt(byRow, first, add(divide(first, int(rows)), group));
  let group: Expr = int(0);
  for (let step = 2 ** Math.ceil(Math.log2(groups)) / 2; step >= 1; step /= 2) {
    const probe = letInt(fresh, into, "probe", minimum(add(group, int(step)), int(groups - 1)));
    const first = letInt(fresh, into, "first", offset(probe, into));
    const before = lessOrEqual(firstTile(probe, first), at.rowTile);
    group = letInt(fresh, into, "group", selectInt(before, probe, group));
  }
  const first = letInt(fresh, into, "groupFrom", offset(group, into));
  const end = letInt(fresh, into, "groupEnd", offset(add(group, int(1)), into));
  const number = letInt(fresh, into, "number", subtract(at.rowTile, firstTile(group, first)));
  const from = letInt(
    fresh,
    into,
    "mFrom",
    add(first, selectInt(byRow, number, multiply(number, int(rows)))),
  );
  const starts = selectBool(byRow, equal(modulo(number, int(rows)), int(0)));
  const there = both(starts, less(from, end));
  const { window } = spec.ragged!;
  const place = { batch: at.batch, group };
  if (window === undefined) return { place, from, end, there };
  const inside = both(lessOrEqual(window.first, group), less(group, add(window.first, int(window.groups))));
  return { place, from, end, there: both(inside, there) };
}

/** `test` where the condition holds, true where not. */
function selectBool(condition: Expr, test: Expr): Expr {
  if (literalOf(condition) === 0) return { op: "literal", type: "bool", value: 1 };
  if (literalOf(condition) === 1) return test;
  const not: Expr = { op: "unary", type: "bool", fn: "not", a: condition };
  return { op: "binary", type: "bool", fn: "or", a: not, b: test };
}

/** What a group's rows are along k. */
export function groupDepth(
  spec: ContractSpec,
  group: Expr,
  into: Stmt[],
): { readonly from: Expr; readonly end: Expr } {
  const { offset } = spec.ragged!;
  const from = letInt(spec.fresh, into, "kFrom", offset(group, into));
  const end = letInt(spec.fresh, into, "kEnd", offset(add(group, int(1)), into));
  return { from, end };
}
