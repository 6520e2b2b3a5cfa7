// Few rows against a large right operand, on a GPU: decoding, experts with a handful of rows. In: a spec, the rows of a tile (at
// most 8). Out: statements. Every weight is read once, straight to the invocation that multiplies it, by all rows of the tile.
//
// The time is that of streaming the weights, so what counts is bytes on their way: neighbouring invocations read neighbours
// along the axis in which the weights are contiguous, and each has 16 reads in flight: 256 x 16 x 4 B = 16 KiB a workgroup, of
// which two run on a multiprocessor of an H100; 18 KiB cover 700 ns at 3.3 TB/s. A weight costs two broadcast reads of rows from
// scratch and 8 multiply-adds, a quarter of what the machine can do in that time. Of half width, an invocation reads four neighbours at
// once, of four columns or of four k: as many bytes on their way, twice as many weights. None of this is measured.
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
  extract,
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
import { byDepth, letValue, prepareStage, splatBool } from "./gpu-stage.ts";
import { fewRowsRoom, presume, workgroupsWanted } from "./gpu-tiles.ts";
import { block } from "./gpu-tiled.ts";

/** Rows of a tile. */
export const fewRows = 8;
/** Most rows that are cheaper as several such tiles than as one tall tile: the second tile finds the weights in the cache. */
export const mostFewRows = 16;

export interface FewRows {
  /** Columns of a workgroup, and invocations that share the k of a column. */
  readonly columns: number;
  readonly slices: number;
  /** Reads of each invocation and sibling that are on their way at once. */
  readonly together: number;
  /** Columns of an invocation, and neighbouring k that it reads at once: one of them may be 4. */
  readonly wide: 1 | 4;
  readonly deep: 1 | 4;
}

const depthOf = ({ slices, together, deep }: Pick<FewRows, "slices" | "together" | "deep">): number =>
  slices * together * deep;

/** Four weights of half width are one read, where four neighbours are all there or not at all. */
function neighboursOf(spec: ContractSpec, along: boolean): Pick<FewRows, "wide" | "deep"> {
  const extent = known(along ? spec.k : spec.n);
  const plain = spec.b.every((operand) => operand.plain && (operand.contiguous === "k") === along);
  if (spec.half === undefined || !plain || extent === undefined || extent % 4 !== 0)
    return { wide: 1, deep: 1 };
  return along ? { wide: 1, deep: 4 } : { wide: 4, deep: 1 };
}

/** `mostSums`: of an invocation, where the registers of the kernel are bounded. */
export function chooseFewRows(
  spec: ContractSpec,
  parallel: Parallel,
  tiles: number,
  mostSums = Infinity,
): FewRows {
  const along = spec.b[0]!.contiguous === "k";
  const neighbours = neighboursOf(spec, along);
  const { deep } = neighbours;
  const wide = fewRows * spec.b.length * neighbours.wide <= mostSums ? neighbours.wide : 1;
  let slices = Math.min(parallel.workgroup, along ? 32 : Math.max(fewRows, parallel.workgroup / 32));
  let columns = (wide * parallel.workgroup) / slices;
  const n = presume(spec.n);
  const bytes = spec.half === undefined ? parallel.scratch : fewRowsRoom(parallel);
  const fits = (depth: number): boolean => 4 * byDepth(spec.a, fewRows, depth).length <= bytes;
  const narrower = (): boolean =>
    columns > (along ? 1 : wide === 4 ? 16 : 8) && slices < 64 && (deep === 1 || fits(2 * slices * deep));
  while (narrower() && (columns / 2 >= n || tiles * Math.ceil(n / columns) < workgroupsWanted))
    [columns, slices] = [columns / 2, slices * 2];
  const k = known(spec.k);
  const most = spec.b.length === 1 ? 16 : 8;
  const depth = (together: number): number => depthOf({ slices, together, deep });
  const possible = [16, 8, 4, 2, 1].filter(
    (together) =>
      together <= (wide * deep === 4 ? most / 2 : most) &&
      fits(depth(together)) &&
      (k === undefined || depth(together) < 2 * k || together === 1),
  );
  const exact = possible.find(
    (together) => together * deep >= 4 && k !== undefined && k % depth(together) === 0,
  );
  return { columns, slices, together: exact ?? possible[0] ?? 1, wide, deep };
}

export const fewRowsScratch = (spec: ContractSpec, few: FewRows): number =>
  Math.max(
    byDepth(spec.a, fewRows, depthOf(few)).length,
    fewRows * (few.columns / few.wide) * (few.slices + 1),
  );

export function emitFewRows(
  spec: ContractSpec,
  few: FewRows,
  rows: RowRange,
  columnTile: Expr,
  into: Stmt[],
): void {
  const { fresh } = spec;
  const { columns, slices, together, wide, deep } = few;
  const depth = depthOf(few);
  const across = columns / wide;
  const invocation: Expr = { op: "invocation", type: "i32" };
  const along = spec.b[0]!.contiguous === "k";
  const slice = letInt(
    fresh,
    into,
    "slice",
    along ? modulo(invocation, int(slices)) : divide(invocation, int(across)),
  );
  const column = letInt(
    fresh,
    into,
    "column",
    along ? divide(invocation, int(slices)) : modulo(invocation, int(across)),
  );
  const columnFrom = letInt(fresh, into, "nFrom", multiply(columnTile, int(columns)));
  const end = sizeOf(spec.n);
  const there = literalOf(end) !== undefined && literalOf(end)! % columns === 0;
  const own = add(columnFrom, multiply(column, int(wide)));
  const n = letInt(fresh, into, "n", there ? own : minimum(own, subtract(end, int(wide))));
  const count = letInt(fresh, into, "rows", subtract(rows.end, rows.from));
  // By sibling, column and four of rows.
  const sums = spec.b.map(() => Array.from({ length: wide }, () => [fresh("sum"), fresh("sum")] as const));
  for (const name of sums.flat(2)) into.push({ op: "var", name, value: zero4 });

  const layout = byDepth(spec.a, fewRows, depth);
  const kEnd = sizeOf(spec.k);
  const exact = literalOf(kEnd) !== undefined && literalOf(kEnd)! % depth === 0;
  const stage = prepareStage(
    {
      fresh,
      operand: spec.a,
      place: rows.place,
      invocations: across * slices,
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
  /** Weights of a sibling by column and k. */
  const readAt = (k: Expr, body: Stmt[]): Expr[] => {
    const inside = exact ? undefined : less(k, kEnd);
    const at = exact ? k : letInt(fresh, body, "k", minimum(k, subtract(kEnd, int(deep))));
    return spec.b.map((operand, sibling) => {
      const read = readers[sibling];
      const a = read === undefined ? operand.open(rows.place, at, body)(n, wide, body) : read(at, deep, body);
      if (inside === undefined) return letValue(fresh, body, a, "weight");
      const weight: Expr =
        wide * deep === 4
          ? { op: "select", type: "f32x4", condition: splatBool(inside), a, b: zero4 }
          : { op: "select", type: "f32", condition: inside, a, b: float(0) };
      return letValue(fresh, body, weight, "weight");
    });
  };

  loop(fresh, into, "k0", int(0), kEnd, depth, (k0, body) => {
    const steps = Array.from({ length: together }, (_, i) => {
      const step = add(slice, int(i * slices));
      return deep === 1 ? step : multiply(step, int(deep));
    });
    // The weights set out before the rows are staged, and arrive meanwhile.
    const weights = steps.map((step) => readAt(letInt(fresh, body, "k", add(k0, step)), body));
    stage.whole(k0, int(0), body);
    body.push({ op: "barrier" });
    const multiplyRows = (half: 0 | 1, list: Stmt[]): void =>
      steps.forEach((step, i) => {
        for (let next = 0; next < deep; next++) {
          const index = add(multiply(add(step, int(next)), int(layout.k)), int(4 * half));
          const x = letValue(fresh, list, loadVector(block, index), "x");
          sums.forEach((columnsOf, sibling) =>
            columnsOf.forEach((names, at) => {
              const weight = weights[i]![sibling]!;
              const one = wide * deep === 1 ? weight : extract(weight, (at + next) as 0 | 1 | 2 | 3);
              const sum = local(names[half], "f32x4");
              list.push(setLocal(names[half], multiplyAdd4(splat(one), x, sum)));
            }),
          );
        }
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
  { columns, slices, wide }: FewRows,
  rows: RowRange,
  at: {
    readonly slice: Expr;
    readonly column: Expr;
    readonly columnFrom: Expr;
    readonly end: Expr;
    readonly count: Expr;
  },
  sums: readonly (readonly (readonly [string, string])[])[],
  into: Stmt[],
): void {
  const { fresh } = spec;
  const invocation: Expr = { op: "invocation", type: "i32" };
  const run = slices + 1;
  const across = columns / wide;
  const row = letInt(fresh, into, "row", divide(invocation, int(across)));
  const own = multiply(modulo(invocation, int(across)), int(wide));
  const n = letInt(fresh, into, "n", add(at.columnFrom, own));
  const m = letInt(fresh, into, "m", add(rows.from, row));
  const totals = sums.flat().map((names, pass) => {
    if (pass > 0) into.push({ op: "barrier" });
    for (const half of [0, 1] as const)
      for (const lane of [0, 1, 2, 3] as const) {
        const place = add(multiply(add(int((4 * half + lane) * across), at.column), int(run)), at.slice);
        into.push(store(block, place, { op: "extract", type: "f32", a: local(names[half], "f32x4"), lane }));
      }
    into.push({ op: "barrier" });
    const total = fresh("total");
    into.push({ op: "var", name: total, value: float(0) });
    branch(into, less(invocation, int(fewRows * across)), (then) => {
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
  branch(into, both(both(less(row, at.count), less(row, int(fewRows))), less(n, at.end)), (then) => {
    const write = spec.epilogue(rows.place, m, then);
    if (wide === 1) return write(n, 1, totals, then);
    const fours = sums.map((_, sibling): Expr => {
      const [x, y, z, w] = totals.slice(4 * sibling) as [Expr, Expr, Expr, Expr];
      return letValue(fresh, then, { op: "vector", type: "f32x4", lanes: [x, y, z, w] }, "total");
    });
    write(n, 4, fours, then);
  });
}
