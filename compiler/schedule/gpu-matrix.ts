// Tiles of a contraction on matrix units: warps multiply fragments of 16 x 16, sums are f32. In: a spec, tiles, the rows of the tile. Out:
// statements. Operands that lie in memory at half width come through a pipeline (gpu-pipeline.ts); where none does, blocks are rounded
// while they are staged (gpu-blocks.ts). Each warp owns `tall` x `wide` fragments of every sibling. Where warpgroups may multiply, the kernel
// has a variant in which four warps own 64 rows of the same tile, and their units read the same blocks. The epilogue gets `spilled` fragments
// side by side after the others through scratch, four columns at a time. Deliberately absent: numbers (gpu-matrix-tiles.ts), which
// tile (gpu-place.ts).

import type { Expr, Scratch, Stmt, Tile } from "../kernel.ts";
import type { ContractSpec } from "./contract-spec.ts";
import {
  add,
  branch,
  divide,
  int,
  less,
  letInt,
  loadVector,
  local,
  loop,
  modulo,
  multiply,
  sizeOf,
  subtract,
} from "./expr.ts";
import { emitBlocks, placesOf, type BlockPlan, type Depth } from "./gpu-blocks.ts";
import {
  asInMemory,
  fragment,
  rowsOfWarpgroup,
  spillLength,
  spillStride,
  type MatrixTiles,
} from "./gpu-matrix-tiles.ts";
import { emitPipeline, pipelineScratch, type Staged } from "./gpu-pipeline.ts";
import type { RowRange } from "./gpu-place.ts";
import { placeIn } from "./gpu-stage.ts";
import { block, writeFour } from "./gpu-tiled.ts";

const halves = "halves";

const planOf = (tiles: MatrixTiles, buffers: 1 | 2): BlockPlan => ({
  ...{ rows: tiles.rows, columns: tiles.columns, depth: tiles.depth },
  ...{ invocations: tiles.invocations, vectors: tiles.vectors },
  ...{ buffers, scratch: halves, layout: asInMemory },
});

/** Arrays of half width, and floats. */
export function matrixScratch(
  spec: ContractSpec,
  tiles: MatrixTiles,
): { readonly halves: readonly Scratch[]; readonly floats: number } {
  const { staging, type } = tiles;
  const floats = spillLength(tiles, spec.b.length);
  if ("stages" in staging) return { halves: pipelineScratch(spec, { ...tiles, ...staging }), floats };
  const { length } = placesOf(spec, planOf(tiles, staging.buffers));
  return { halves: [{ name: halves, type, length: staging.buffers * length }], floats };
}

/** What a warp has of a tile: `tall` x `wide` fragments, the first at (row, column) of the tile, rows of them `rowStep` apart. */
export interface Share {
  readonly warp: Expr;
  readonly row: Expr;
  readonly rowStep: number;
  readonly tall: number;
  readonly column: Expr;
  readonly wide: number;
}

/** Names of sums by sibling, row and column of fragments. */
export type Sums = readonly (readonly (readonly string[])[])[];

type MultiplyBlock = (a: Staged, b: readonly Staged[], into: Stmt[]) => void;

export function emitMatrixTile(
  spec: ContractSpec,
  tiles: MatrixTiles,
  rows: RowRange,
  columnTile: Expr,
  depth: Depth,
  into: Stmt[],
): void {
  const columnFrom = letInt(spec.fresh, into, "nFrom", multiply(columnTile, int(tiles.columns)));
  const emit = (products: boolean, list: Stmt[]): void => {
    const share = products ? shareOfWarpgroup(spec, tiles, list) : shareOfWarp(spec, tiles, list);
    const sums = declareSums(spec, share, list);
    const multiplyBlock = products ? byProducts(tiles, share, sums) : byFragments(spec, tiles, share, sums);
    emitAll(spec, tiles, rows, columnFrom, depth, multiplyBlock, products, list);
    emitSpills(spec, tiles, rows, columnFrom, share, sums, { op: "barrier" }, list);
  };
  if (!tiles.warpgroups) return emit(false, into);
  const [warpgroups, otherwise]: [Stmt[], Stmt[]] = [[], []];
  emit(true, warpgroups);
  emit(false, otherwise);
  into.push({ op: "variant", warpgroups, otherwise });
}

const invocation: Expr = { op: "invocation", type: "i32" };

export function declareSums({ b, fresh }: ContractSpec, { tall, wide }: Share, into: Stmt[]): Sums {
  const sums: Sums = b.map(() => names(tall, () => names(wide, () => fresh("sums"))));
  for (const name of sums.flat(2)) into.push({ op: "fragment", name, is: { of: "sums" } });
  return sums;
}

function shareOfWarp({ fresh }: ContractSpec, { tall, wide, across }: MatrixTiles, into: Stmt[]): Share {
  const warp = letInt(fresh, into, "warp", divide(invocation, int(32)));
  const row = letInt(fresh, into, "warpRow", multiply(divide(warp, int(across)), int(tall * fragment)));
  const column = letInt(fresh, into, "warpColumn", multiply(modulo(warp, int(across)), int(wide * fragment)));
  return { warp, row, rowStep: fragment, tall, column, wide };
}

/** Each of four warps has 16 of every 64 rows of its warpgroup, and all columns. The first `before` warps have nothing. */
export function shareOfWarpgroup(
  { fresh }: ContractSpec,
  tiles: MatrixTiles,
  into: Stmt[],
  before = 0,
): Share {
  const warp = letInt(fresh, into, "warp", subtract(divide(invocation, int(32)), int(before)));
  const rows = rowsOfWarpgroup(tiles);
  const first = multiply(divide(warp, int(4)), int(rows));
  const row = letInt(fresh, into, "warpRow", add(first, multiply(modulo(warp, int(4)), int(fragment))));
  return { warp, row, rowStep: 64, tall: rows / 64, column: int(0), wide: tiles.columns / fragment };
}

/** Reads fragments and multiplies them, warp by warp. */
function byFragments(spec: ContractSpec, { depth }: MatrixTiles, share: Share, sums: Sums): MultiplyBlock {
  const { fresh } = spec;
  const { row, column, tall, wide } = share;
  return (a, b, body) => {
    // A warp's rows and columns begin at a multiple of their number, so that places within panels add up.
    const read = (of: "left" | "right", from: Staged, first: Expr, own: number, k: number): string => {
      const { scratch, layout, at } = from;
      const name = fresh(of);
      const index = add(placeIn(layout, first, int(0)), at, placeIn(layout, int(own), int(k)));
      const [stride, contiguous] = layout.k === 1 ? [layout.row, "k" as const] : [layout.k, "other" as const];
      body.push({ op: "fragment", name, is: { of, scratch, index, stride, contiguous } });
      return name;
    };
    for (let k = 0; k < depth; k += fragment) {
      const left = names(tall, (i) => read("left", a, row, i * fragment, k));
      for (let j = 0; j < wide; j++)
        b.forEach((each, sibling) => {
          const right = read("right", each, column, j * fragment, k);
          left.forEach((name, i) =>
            body.push({ op: "multiply", sums: sums[sibling]![i]![j]!, left: name, right }),
          );
        });
    }
  };
}

/** Lets warpgroups multiply what lies in scratch, at most so many columns at once. */
export function byProducts(
  tiles: MatrixTiles,
  share: Share,
  sums: Sums,
  widest: number = tiles.columns,
): MultiplyBlock {
  const first = multiply(divide(share.warp, int(4)), int(rowsOfWarpgroup(tiles)));
  const tile = ({ scratch, layout, at }: Staged, width: number, from: Expr, own: number, k: number): Tile => {
    const index = add(placeIn(layout, from, int(0)), at, placeIn(layout, int(own), int(k)));
    const { panels } = layout;
    const panel = panels !== undefined && width > panels.width ? { panel: panels.length } : {};
    return { scratch, index, contiguous: layout.k === 1 ? "k" : "other", ...panel };
  };
  return (a, b, body) => {
    const columns = Math.min(widest, tiles.columns);
    const parts = names(tiles.columns / columns, (at) => at * columns);
    for (let k = 0; k < tiles.depth; k += fragment)
      for (let i = 0; i < share.tall; i++)
        b.forEach((each, sibling) => {
          for (const from of parts)
            body.push({
              op: "product",
              sums: sums[sibling]![i]!.slice(from / fragment, (from + columns) / fragment),
              left: tile(a, 64, first, i * 64, k),
              right: tile(each, columns, int(0), from, k),
            });
        });
  };
}

/** All of k. */
function emitAll(
  spec: ContractSpec,
  tiles: MatrixTiles,
  rows: RowRange,
  columnFrom: Expr,
  depth: Depth,
  multiplyBlock: MultiplyBlock,
  products: boolean,
  into: Stmt[],
): void {
  const { staging } = tiles;
  if ("stages" in staging) {
    const shape = { ...tiles, ...staging };
    emitPipeline(spec, shape, rows, columnFrom, depth, { multiplyBlock, goesOn: products }, into);
    return;
  }
  const plan = planOf(tiles, staging.buffers);
  const places = placesOf(spec, plan);
  const whole = (offset: Expr, body: Stmt[]): void =>
    multiplyBlock(
      { scratch: halves, layout: places.a, at: offset },
      places.b.map(({ at, layout }) => ({ scratch: halves, layout, at: add(offset, int(at)) })),
      body,
    );
  emitBlocks(spec, plan, rows, columnFrom, depth, whole, into);
}

/** `meet`: what those who read sums of a warp wait at, until they are there. */
export function emitSpills(
  spec: ContractSpec,
  tiles: MatrixTiles,
  rows: RowRange,
  columnFrom: Expr,
  { warp, row, rowStep, tall, column, wide }: Share,
  sums: Sums,
  meet: Stmt,
  into: Stmt[],
): void {
  const stride = spillStride(tiles);
  const spilled = letInt(spec.fresh, into, "spilled", multiply(warp, int(spec.b.length * fragment * stride)));
  for (let i = 0; i < tall; i++)
    for (let j = 0; j < wide; j += tiles.spilled) {
      if (i + j > 0) into.push(meet);
      sums.forEach((each, sibling) =>
        each[i]!.slice(j, j + tiles.spilled).forEach((name, at) => {
          const index = add(spilled, int((sibling * stride + at) * fragment));
          into.push({ op: "spill", sums: name, scratch: block, index, stride });
        }),
      );
      into.push(meet);
      const m = add(rows.from, row, int(i * rowStep));
      const n = add(columnFrom, column, int(j * fragment));
      emitFragment(spec, tiles, rows, m, n, spilled, into);
    }
}

const names = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));

/** Spilled fragments through the epilogue: eight rows at a time, four invocations a row; of two side by side, four rows, eight invocations. */
function emitFragment(
  spec: ContractSpec,
  tiles: MatrixTiles,
  rows: RowRange,
  m: Expr,
  n: Expr,
  spilled: Expr,
  into: Stmt[],
): void {
  const { fresh } = spec;
  const stride = spillStride(tiles);
  const across = (tiles.spilled * fragment) / 4;
  const lane = letInt(fresh, into, "lane", modulo(invocation, int(32)));
  const four = letInt(fresh, into, "four", multiply(modulo(lane, int(across)), int(4)));
  const column = letInt(fresh, into, "n", add(n, four));
  loop(fresh, into, "part", int(0), int(fragment), 32 / across, (part, body) => {
    const row = letInt(fresh, body, "row", add(part, divide(lane, int(across))));
    const absolute = letInt(fresh, body, "m", add(m, row));
    branch(body, less(absolute, rows.end), (then) => {
      const write = spec.epilogue(rows.place, absolute, then);
      const sums = (list: Stmt[]): Expr[] =>
        spec.b.map((_, sibling) => {
          const name = fresh("total");
          const at = add(spilled, multiply(row, int(stride)), four, int(sibling * fragment * stride));
          list.push({ op: "let", name, value: loadVector(block, at) });
          return local(name, "f32x4");
        });
      writeFour(column, sizeOf(spec.n), tiles.columns, sums, write, fresh, then);
    });
  });
}
