// Tiles of a contraction on matrix units: operands are rounded to half width while they are staged, warps multiply fragments of
// 16 x 16, sums are f32. In: a spec, tiles, the rows of the tile. Out: statements. Each warp owns `tall` x `wide` fragments of
// every sibling. The epilogue gets a fragment after the other through scratch, four columns at a time.
// Deliberately absent: asynchronous copies (operands are f32 in memory and must be rounded on the way), numbers
// (gpu-matrix-tiles.ts), which tile (gpu-place.ts).

import type { Expr, Stmt } from "../kernel.ts";
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
} from "./expr.ts";
import { emitBlocks, placesOf, type BlockPlan, type Depth } from "./gpu-blocks.ts";
import { asInMemory, fragment, spillLength, spillStride, type MatrixTiles } from "./gpu-matrix-tiles.ts";
import type { RowRange } from "./gpu-place.ts";
import type { Layout } from "./gpu-stage.ts";
import { block, writeFour } from "./gpu-tiled.ts";

export const halves = "halves";

const planOf = ({ rows, columns, depth, invocations, buffers, vectors }: MatrixTiles): BlockPlan => ({
  rows,
  columns,
  depth,
  invocations,
  buffers,
  vectors,
  scratch: halves,
  layout: asInMemory,
});

/** Elements of half width, and floats. */
export function matrixScratch(
  spec: ContractSpec,
  tiles: MatrixTiles,
): { readonly halves: number; readonly floats: number } {
  const { length } = placesOf(spec, planOf(tiles));
  return { halves: tiles.buffers * length, floats: spillLength(tiles, spec.b.length) };
}

export function emitMatrixTile(
  spec: ContractSpec,
  tiles: MatrixTiles,
  rows: RowRange,
  columnTile: Expr,
  depth: Depth,
  into: Stmt[],
): void {
  const { fresh } = spec;
  const { tall, wide, across } = tiles;
  const invocation: Expr = { op: "invocation", type: "i32" };
  const warp = letInt(fresh, into, "warp", divide(invocation, int(32)));
  const row = letInt(fresh, into, "warpRow", multiply(divide(warp, int(across)), int(tall * fragment)));
  const column = letInt(fresh, into, "warpColumn", multiply(modulo(warp, int(across)), int(wide * fragment)));
  const columnFrom = letInt(fresh, into, "nFrom", multiply(columnTile, int(tiles.columns)));
  const sums = spec.b.map(() => names(tall, () => names(wide, () => fresh("sums"))));
  for (const name of sums.flat(2)) into.push({ op: "fragment", name, is: { of: "sums" } });

  const plan = planOf(tiles);
  const places = placesOf(spec, plan);
  const multiplyBlock = (offset: Expr, body: Stmt[]): void => {
    const read = (of: "left" | "right", layout: Layout, at: number, own: Expr, k: number): string => {
      const name = fresh(of);
      const index = add(multiply(own, int(layout.row)), offset, int(at + k * layout.k));
      const [stride, contiguous] = layout.k === 1 ? [layout.row, "k" as const] : [layout.k, "other" as const];
      body.push({ op: "fragment", name, is: { of, scratch: halves, index, stride, contiguous } });
      return name;
    };
    for (let k = 0; k < tiles.depth; k += fragment) {
      const left = names(tall, (i) => read("left", places.a, 0, add(row, int(i * fragment)), k));
      for (let j = 0; j < wide; j++)
        places.b.forEach(({ at, layout }, sibling) => {
          const right = read("right", layout, at, add(column, int(j * fragment)), k);
          left.forEach((name, i) =>
            body.push({ op: "multiply", sums: sums[sibling]![i]![j]!, left: name, right }),
          );
        });
    }
  };
  emitBlocks(spec, plan, rows, columnFrom, depth, multiplyBlock, into);

  const spilled = letInt(fresh, into, "spilled", multiply(warp, int(spec.b.length * fragment * spillStride)));
  for (let i = 0; i < tall; i++)
    for (let j = 0; j < wide; j++) {
      if (i + j > 0) into.push({ op: "barrier" });
      sums.forEach((each, sibling) =>
        into.push({
          op: "spill",
          sums: each[i]![j]!,
          scratch: block,
          index: add(spilled, int(sibling * fragment * spillStride)),
          stride: spillStride,
        }),
      );
      into.push({ op: "barrier" });
      const m = add(rows.from, row, int(i * fragment));
      const n = add(columnFrom, column, int(j * fragment));
      emitFragment(spec, tiles, rows, m, n, spilled, into);
    }
}

const names = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));

/** A spilled fragment through the epilogue: eight rows at a time, four invocations a row. */
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
  const invocation: Expr = { op: "invocation", type: "i32" };
  const lane = letInt(fresh, into, "lane", modulo(invocation, int(32)));
  const four = letInt(fresh, into, "four", multiply(modulo(lane, int(4)), int(4)));
  const column = letInt(fresh, into, "n", add(n, four));
  loop(fresh, into, "part", int(0), int(fragment), 8, (part, body) => {
    const row = letInt(fresh, body, "row", add(part, divide(lane, int(4))));
    const absolute = letInt(fresh, body, "m", add(m, row));
    branch(body, less(absolute, rows.end), (then) => {
      const write = spec.epilogue(rows.place, absolute, then);
      const sums = (list: Stmt[]): Expr[] =>
        spec.b.map((_, sibling) => {
          const name = fresh("total");
          const at = add(
            spilled,
            multiply(row, int(spillStride)),
            four,
            int(sibling * fragment * spillStride),
          );
          list.push({ op: "let", name, value: loadVector(block, at) });
          return local(name, "f32x4");
        });
      writeFour(column, sizeOf(spec.n), tiles.columns, sums, write, fresh, then);
    });
  });
}
