// Tiles of a contraction on a GPU: a workgroup computes BM x BN of the result, block by block along k. In: a spec, tiles, the rows
// of the tile. Out: statements. Both operands' blocks are staged in scratch by all invocations; each invocation keeps 4 or 8 rows
// of 4 or 8 columns in locals, for each sibling: they share the staged left operand. Neighbouring invocations own neighbouring
// fours of columns. With `slices`, groups of invocations sum different k of each block and add up through scratch at the end.
// Operands of half width are staged as they are: twice as much of k in the same bytes. Products and sums are f32: the product of two
// f16 may lie beyond the largest, and has twice their digits, all of which f32 holds. Where the target asks for it, a few products at a time
// are added up in f16 first (gpu-half-sums.ts).
// Deliberately absent: numbers (gpu-tiles.ts), which tile (gpu-place.ts).

import type { Expr, Scratch, Stmt } from "../kernel.ts";
import type { ContractSpec } from "./contract-spec.ts";
import {
  add,
  add4,
  both,
  branch,
  divide,
  extract,
  int,
  less,
  lessOrEqual,
  letInt,
  literalOf,
  loadVector,
  local,
  loop,
  modulo,
  multiply,
  multiplyAdd4,
  setLocal,
  sizeOf,
  splat,
  store,
  subtract,
  type FloatVector,
} from "./expr.ts";
import { emitBlocks, placesOf, type BlockPlaces, type BlockPlan, type Depth } from "./gpu-blocks.ts";
import type { RowRange } from "./gpu-place.ts";
import { termsTogether, widened, zeroOf } from "./gpu-half-sums.ts";
import { byDepth } from "./gpu-stage.ts";
import type { GpuTiles } from "./gpu-tiles.ts";

export const block = "block";
const halfBlock = "halfBlock";
const blockOf = ({ half }: ContractSpec): string => (half === undefined ? block : halfBlock);

interface Tiled {
  readonly spec: ContractSpec;
  readonly tiles: GpuTiles;
  readonly rows: RowRange;
  readonly columnFrom: Expr;
  readonly columnEnd: Expr;
  /** Which part of k, which fours of rows and columns. */
  readonly slice: Expr;
  readonly rowFour: Expr;
  readonly columnFour: Expr;
  /** The invocation's number within its slice. */
  readonly member: Expr;
  readonly members: number;
  /** Products that are added up in f16 at a time; absent: none. */
  readonly halfSums?: number;
}

const planOf = (
  spec: ContractSpec,
  { rows, columns, depth, invocations, buffers, vectors }: GpuTiles,
): BlockPlan => ({
  rows,
  columns,
  depth,
  invocations,
  buffers,
  vectors,
  scratch: blockOf(spec),
  layout: byDepth,
});

/** Floats of scratch, and an array of half width. */
export function tiledScratch(
  spec: ContractSpec,
  tiles: GpuTiles,
): { readonly floats: number; readonly halves: readonly Scratch[] } {
  const { rows, columns, slices, buffers } = tiles;
  const length = buffers * placesOf(spec, planOf(spec, tiles)).length;
  const sums = slices === 1 ? 0 : (slices / 2) * rows * columns;
  if (spec.half === undefined) return { floats: Math.max(length, sums), halves: [] };
  return { floats: sums, halves: [{ name: halfBlock, type: spec.half, length }] };
}

export function emitTile(
  spec: ContractSpec,
  tiles: GpuTiles,
  rows: RowRange,
  columnTile: Expr,
  depth: Depth,
  halfSums: number | undefined,
  into: Stmt[],
): void {
  const { fresh } = spec;
  const invocation: Expr = { op: "invocation", type: "i32" };
  const across = tiles.columns / tiles.wide;
  const members = (tiles.rows / tiles.tall) * across;
  const member =
    tiles.slices === 1 ? invocation : letInt(fresh, into, "member", modulo(invocation, int(members)));
  const tiled: Tiled = {
    spec,
    tiles,
    rows,
    columnFrom: letInt(fresh, into, "nFrom", multiply(columnTile, int(tiles.columns))),
    columnEnd: sizeOf(spec.n),
    slice: tiles.slices === 1 ? int(0) : letInt(fresh, into, "slice", divide(invocation, int(members))),
    rowFour: letInt(fresh, into, "rowFour", multiply(divide(member, int(across)), int(4))),
    columnFour: letInt(fresh, into, "columnFour", multiply(modulo(member, int(across)), int(4))),
    member,
    members,
    ...(halfSums === undefined ? {} : { halfSums }),
  };
  const sums = declareSums(tiled, into);
  const plan = planOf(spec, tiles);
  const places = placesOf(spec, plan);
  const multiplyBlock = (offset: Expr, body: Stmt[]): void => emitMultiply(tiled, places, offset, sums, body);
  emitBlocks(spec, plan, rows, tiled.columnFrom, depth, multiplyBlock, into);
  addSlices(tiled, sums, into);
  branch(into, less(tiled.slice, int(1)), (then) => emitEpilogue(tiled, sums, then));
}

/** Names by sibling, row and four of columns. */
type Sums = readonly (readonly (readonly string[])[])[];

function declareSums({ spec, tiles }: Tiled, into: Stmt[], type: FloatVector = "f32x4"): Sums {
  const hint = type === "f32x4" ? "sum" : "part";
  const names = spec.b.map(() =>
    Array.from({ length: tiles.tall }, () => Array.from({ length: tiles.wide / 4 }, () => spec.fresh(hint))),
  );
  for (const name of names.flat(2)) into.push({ op: "var", name, value: zeroOf(type) });
  return names;
}

/** A block: each slice its share. */
function emitMultiply(tiled: Tiled, places: BlockPlaces, offset: Expr, sums: Sums, into: Stmt[]): void {
  const { spec, tiles, slice, halfSums } = tiled;
  const { fresh } = spec;
  const share = tiles.depth / tiles.slices;
  const first = letInt(fresh, into, "k", multiply(slice, int(share)));
  if (halfSums === undefined)
    return loop(fresh, into, "k", first, add(first, int(share)), 1, (k, body) =>
      emitStep(tiled, places, offset, k, sums, "f32x4", body),
    );
  const terms = termsTogether(share, halfSums);
  const shortSum = (from: Expr, body: Stmt[]): void => {
    const parts = declareSums(tiled, body, "f16x4");
    loop(fresh, body, "k", from, add(from, int(terms)), 1, (k, inner) =>
      emitStep(tiled, places, offset, k, parts, "f16x4", inner),
    );
    const names = parts.flat(2);
    sums
      .flat(2)
      .forEach((name, i) => body.push(setLocal(name, add4(local(name, "f32x4"), widened(names[i]!)))));
  };
  if (terms === share) shortSum(first, into);
  else loop(fresh, into, "k", first, add(first, int(share)), terms, shortSum);
}

/** One k, with products and sums of a type. */
function emitStep(
  { spec, tiles, rowFour, columnFour }: Tiled,
  { a: left, b: right }: BlockPlaces,
  offset: Expr,
  k: Expr,
  sums: Sums,
  type: FloatVector,
  body: Stmt[],
): void {
  const vector = (hint: string, index: Expr): Expr => {
    const name = spec.fresh(hint);
    body.push({ op: "let", name, value: loadVector(blockOf(spec), index, type) });
    return local(name, type);
  };
  const a = Array.from({ length: tiles.tall / 4 }, (_, i) =>
    vector("a", add(multiply(k, int(left.k)), rowFour, offset, int((i * 4 * tiles.rows) / tiles.tall))),
  );
  right.forEach(({ at, layout }, sibling) => {
    const b = Array.from({ length: tiles.wide / 4 }, (_, j) => {
      const from = at + (j * 4 * tiles.columns) / tiles.wide;
      return vector("b", add(multiply(k, int(layout.k)), columnFour, offset, int(from)));
    });
    sums[sibling]!.forEach((row, i) => {
      const one = extract(a[Math.floor(i / 4)]!, (i % 4) as 0 | 1 | 2 | 3, type === "f32x4" ? "f32" : "f16");
      const all = splat(one, type);
      row.forEach((name, j) => body.push(setLocal(name, multiplyAdd4(all, b[j]!, local(name, type), type))));
    });
  });
}

/** The upper half of the slices hands its sums to the lower half, until one is left. */
function addSlices({ tiles, slice, member, members }: Tiled, sums: Sums, into: Stmt[]): void {
  for (let half = tiles.slices / 2; half >= 1; half /= 2)
    for (const names of sums) {
      const each = names.flat();
      const at = (from: Expr, i: number): Expr =>
        add(multiply(add(multiply(from, int(members * each.length)), member, int(i * members)), int(4)));
      const upper = subtract(slice, int(half));
      branch(into, both(lessOrEqual(int(half), slice), less(slice, int(2 * half))), (then) =>
        each.forEach((name, i) => then.push(store(block, at(upper, i), local(name, "f32x4")))),
      );
      into.push({ op: "barrier" });
      branch(into, less(slice, int(half)), (then) =>
        each.forEach((name, i) => {
          const other = loadVector(block, at(slice, i));
          then.push(
            setLocal(name, { op: "binary", type: "f32x4", fn: "add", a: local(name, "f32x4"), b: other }),
          );
        }),
      );
      into.push({ op: "barrier" });
    }
}

/** The invocation's sums through the epilogue, row by row. The loop has one copy of the epilogue for all rows: it picks the row's
 * sums by comparing, and a compiler that unrolls it sees through that. */
function emitEpilogue(tiled: Tiled, sums: Sums, into: Stmt[]): void {
  const { spec, tiles, rows, rowFour, columnFour, columnFrom, columnEnd } = tiled;
  const { fresh } = spec;
  loop(fresh, into, "i", int(0), int(tiles.tall), 1, (i, body) => {
    const strip = tiles.tall === 4 ? int(0) : multiply(divide(i, int(4)), int(tiles.rows / 2));
    const row = add(rows.from, rowFour, strip, tiles.tall === 4 ? i : modulo(i, int(4)));
    const m = letInt(fresh, body, "m", row);
    branch(body, less(m, rows.end), (then) => {
      const write = spec.epilogue(rows.place, m, then);
      for (let j = 0; j < tiles.wide / 4; j++) {
        const offset = (j * 4 * tiles.columns) / tiles.wide;
        const n = letInt(fresh, then, "n", add(columnFrom, columnFour, int(offset)));
        const picked = (inner: Stmt[]): Expr[] =>
          sums.map((names) => {
            const value = names.reduceRight<Expr | undefined>((rest, each, at) => {
              const own = local(each[j]!, "f32x4");
              if (rest === undefined) return own;
              const condition: Expr = { op: "binary", type: "bool", fn: "eq", a: i, b: int(at) };
              return { op: "select", type: "f32x4", condition, a: own, b: rest };
            }, undefined)!;
            const name = fresh("total");
            inner.push({ op: "let", name, value });
            return local(name, "f32x4");
          });
        writeFour(n, columnEnd, tiles.columns, picked, write, fresh, then);
      }
    });
  });
}

/** Four columns from n on, or those of them that are there. */
export function writeFour(
  n: Expr,
  end: Expr,
  tile: number,
  picked: (into: Stmt[]) => Expr[],
  write: ReturnType<ContractSpec["epilogue"]>,
  fresh: (hint: string) => string,
  into: Stmt[],
): void {
  const extent = literalOf(end);
  const inTiles = extent !== undefined && extent % tile === 0;
  const inFours = extent !== undefined && extent % 4 === 0;
  const always: Expr = { op: "literal", type: "bool", value: 1 };
  const all = inTiles ? always : inFours ? less(n, end) : lessOrEqual(add(n, int(4)), end);
  branch(
    into,
    all,
    (then) => write(n, 4, picked(then), then),
    inTiles || inFours
      ? undefined
      : (otherwise) =>
          branch(otherwise, less(n, end), (then) => {
            const sums = picked(then);
            loop(fresh, then, "column", n, end, 1, (column, inner) => {
              const at = subtract(column, n);
              const lane = (sum: Expr): Expr =>
                ([0, 1, 2, 3] as const).reduceRight<Expr | undefined>((rest, each) => {
                  const own: Expr = { op: "extract", type: "f32", a: sum, lane: each };
                  if (rest === undefined) return own;
                  const condition: Expr = { op: "binary", type: "bool", fn: "eq", a: at, b: int(each) };
                  return { op: "select", type: "f32", condition, a: own, b: rest };
                }, undefined)!;
              write(column, 1, sums.map(lane), inner);
            });
          }),
  );
}
