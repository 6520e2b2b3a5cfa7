// Few rows against a large right operand, on a GPU: decoding, experts with a handful of rows. In: a spec, the rows of a tile (at
// most 8). Out: statements. Every weight is read once, straight to the invocation that multiplies it, by all rows of the tile.
//
// The time is that of streaming the weights, so what counts is bytes on their way: neighbouring invocations read neighbours
// along the axis in which the weights are contiguous, and each has 16 reads in flight: 256 x 16 x 4 B = 16 KiB a workgroup, of
// which two run on a multiprocessor of an H100; 18 KiB cover 700 ns at 3.3 TB/s. A weight costs two broadcast reads of rows from
// scratch and 8 multiply-adds, a quarter of what the machine can do in that time. None of this is measured.
// Sums of slices of k meet in scratch. Deliberately absent: sharing k between workgroups, which would take a second kernel.

import { known } from "../../runtime/size.ts";
import type { Parallel } from "../target.ts";
import type { Expr, Stmt } from "../kernel.ts";
import type { ContractSpec } from "./contract-spec.ts";
import {
  add,
  both,
  branch,
  divide,
  float,
  int,
  less,
  letInt,
  literalOf,
  loadFloat,
  loadVector,
  local,
  loop,
  minimum,
  modulo,
  multiply,
  multiplyAdd4,
  setLocal,
  sizeOf,
  splat,
  store,
  subtract,
  zero4,
} from "./expr.ts";
import type { RowRange } from "./gpu-place.ts";
import { byDepth, letValue, prepareStage } from "./gpu-stage.ts";
import { presume, workgroupsWanted } from "./gpu-tiles.ts";
import { block } from "./gpu-tiled.ts";

/** Rows of a tile. */
export const fewRows = 8;
/** Most rows that are cheaper as several such tiles than as one tall tile: the second tile finds the weights in the cache. */
export const mostFewRows = 16;

/** Scratch that it takes beside blocks of half width. */
export const fewRowsBytes = 12288;

export interface FewRows {
  /** Columns of a workgroup, and invocations that share the k of a column. */
  readonly columns: number;
  readonly slices: number;
  /** Reads of each invocation and sibling that are on their way at once. */
  readonly together: number;
}

const depthOf = ({ slices, together }: FewRows): number => slices * together;

export function chooseFewRows(spec: ContractSpec, parallel: Parallel, tiles: number): FewRows {
  const along = spec.b[0]!.contiguous === "k";
  let slices = Math.min(parallel.workgroup, along ? 32 : Math.max(fewRows, parallel.workgroup / 32));
  let columns = parallel.workgroup / slices;
  const n = presume(spec.n);
  const narrower = (): boolean => columns > (along ? 1 : 8) && slices < 64;
  while (narrower() && (columns / 2 >= n || tiles * Math.ceil(n / columns) < workgroupsWanted))
    [columns, slices] = [columns / 2, slices * 2];
  const k = known(spec.k);
  const bytes = parallel.matrix === undefined ? parallel.scratch : fewRowsBytes;
  const possible = [16, 8, 4, 2, 1].filter(
    (together) =>
      (together < 16 || spec.b.length === 1) &&
      4 * byDepth(spec.a, fewRows, slices * together).length <= bytes &&
      (k === undefined || slices * together < 2 * k || together === 1),
  );
  const exact = possible.find(
    (together) => together >= 4 && k !== undefined && k % (slices * together) === 0,
  );
  return { columns, slices, together: exact ?? possible[0] ?? 1 };
}

export const fewRowsScratch = (spec: ContractSpec, few: FewRows): number =>
  Math.max(byDepth(spec.a, fewRows, depthOf(few)).length, fewRows * few.columns * (few.slices + 1));

export function emitFewRows(
  spec: ContractSpec,
  few: FewRows,
  rows: RowRange,
  columnTile: Expr,
  into: Stmt[],
): void {
  const { fresh } = spec;
  const { columns, slices, together } = few;
  const depth = depthOf(few);
  const invocation: Expr = { op: "invocation", type: "i32" };
  const along = spec.b[0]!.contiguous === "k";
  const slice = letInt(
    fresh,
    into,
    "slice",
    along ? modulo(invocation, int(slices)) : divide(invocation, int(columns)),
  );
  const column = letInt(
    fresh,
    into,
    "column",
    along ? divide(invocation, int(slices)) : modulo(invocation, int(columns)),
  );
  const columnFrom = letInt(fresh, into, "nFrom", multiply(columnTile, int(columns)));
  const end = sizeOf(spec.n);
  const there = literalOf(end) !== undefined && literalOf(end)! % columns === 0;
  const own = add(columnFrom, column);
  const n = letInt(fresh, into, "n", there ? own : minimum(own, subtract(end, int(1))));
  const count = letInt(fresh, into, "rows", subtract(rows.end, rows.from));
  // By sibling and four of rows.
  const sums = spec.b.map(() => [fresh("sum"), fresh("sum")] as const);
  for (const name of sums.flat()) into.push({ op: "var", name, value: zero4 });

  const layout = byDepth(spec.a, fewRows, depth);
  const kEnd = sizeOf(spec.k);
  const exact = literalOf(kEnd) !== undefined && literalOf(kEnd)! % depth === 0;
  const stage = prepareStage(
    {
      fresh,
      operand: spec.a,
      place: rows.place,
      invocations: columns * slices,
      scratch: block,
      at: 0,
      layout,
      width: fewRows,
      from: rows.from,
      end: rows.end,
      whole: false,
      depth,
      lanes: 1,
      ...(exact ? {} : { kEnd }),
    },
    into,
  );
  const readers = spec.b.map((operand) =>
    operand.contiguous === "k" ? operand.open(rows.place, n, into) : undefined,
  );
  const readAt = (k: Expr, body: Stmt[]): Expr[] => {
    const inside = exact ? undefined : less(k, kEnd);
    const at = exact ? k : letInt(fresh, body, "k", minimum(k, subtract(kEnd, int(1))));
    return spec.b.map((operand, sibling) => {
      const read = readers[sibling];
      const a = read === undefined ? operand.open(rows.place, at, body)(n, 1, body) : read(at, 1, body);
      const weight: Expr =
        inside === undefined ? a : { op: "select", type: "f32", condition: inside, a, b: float(0) };
      return letValue(fresh, body, weight, "weight");
    });
  };

  loop(fresh, into, "k0", int(0), kEnd, depth, (k0, body) => {
    const steps = Array.from({ length: together }, (_, i) => add(slice, int(i * slices)));
    // The weights set out before the rows are staged, and arrive meanwhile.
    const weights = steps.map((step) => readAt(letInt(fresh, body, "k", add(k0, step)), body));
    stage.whole(k0, int(0), body);
    body.push({ op: "barrier" });
    const multiplyRows = (half: 0 | 1, list: Stmt[]): void =>
      steps.forEach((step, i) => {
        const index = add(multiply(step, int(layout.k)), int(4 * half));
        const x = letValue(fresh, list, loadVector(block, index), "x");
        sums.forEach((names, sibling) => {
          const sum = local(names[half], "f32x4");
          list.push(setLocal(names[half], multiplyAdd4(splat(weights[i]![sibling]!), x, sum)));
        });
      });
    multiplyRows(0, body);
    branch(body, less(int(4), count), (then) => multiplyRows(1, then));
    body.push({ op: "barrier" });
  });
  addUp(spec, few, rows, { slice, column, columnFrom, end, count }, sums, into);
}

/** Each result's slices are added by one invocation, which takes it through the epilogue; columns are neighbours again. */
function addUp(
  spec: ContractSpec,
  { columns, slices }: FewRows,
  rows: RowRange,
  at: {
    readonly slice: Expr;
    readonly column: Expr;
    readonly columnFrom: Expr;
    readonly end: Expr;
    readonly count: Expr;
  },
  sums: readonly (readonly [string, string])[],
  into: Stmt[],
): void {
  const { fresh } = spec;
  const invocation: Expr = { op: "invocation", type: "i32" };
  const run = slices + 1;
  const row = letInt(fresh, into, "row", divide(invocation, int(columns)));
  const n = letInt(fresh, into, "n", add(at.columnFrom, modulo(invocation, int(columns))));
  const m = letInt(fresh, into, "m", add(rows.from, row));
  const totals = sums.map((names, sibling) => {
    if (sibling > 0) into.push({ op: "barrier" });
    for (const half of [0, 1] as const)
      for (const lane of [0, 1, 2, 3] as const) {
        const place = add(multiply(add(int((4 * half + lane) * columns), at.column), int(run)), at.slice);
        into.push(store(block, place, { op: "extract", type: "f32", a: local(names[half], "f32x4"), lane }));
      }
    into.push({ op: "barrier" });
    const total = fresh("total");
    into.push({ op: "var", name: total, value: float(0) });
    branch(into, less(invocation, int(fewRows * columns)), (then) => {
      const base = letInt(fresh, then, "base", multiply(invocation, int(run)));
      loop(fresh, then, "part", int(0), int(slices), 1, (part, inner) =>
        inner.push(
          setLocal(total, {
            op: "binary",
            type: "f32",
            fn: "add",
            a: local(total, "f32"),
            b: loadFloat(block, add(base, part)),
          }),
        ),
      );
    });
    return local(total, "f32");
  });
  branch(into, both(both(less(row, at.count), less(row, int(fewRows))), less(n, at.end)), (then) =>
    spec.epilogue(rows.place, m, then)(n, 1, totals, then),
  );
}
