// Tiles of a contraction whose blocks come by bulk copies. In: a spec, tiles, the rows of the tile. Out: statements. A workgroup is two
// warpgroups: the first copies blocks to scratch, the second multiplies them and stores the tile, and signals are all that passes
// between them. Block t lies in stage t modulo S. `full` ends a phase when a block is there, `empty` when all warps have
// multiplied the one that lay there before.
//
// Operands that are arrays come in boxes that one invocation asks for; of others every invocation copies pieces, waits for its own of an
// earlier block, and arrives. What boxes bring beyond the edge is zero, or rows of another group, which are never stored.

import type { Expr, KernelWay, Stmt, TensorMap } from "../kernel.ts";
import { bytesOf } from "../half.ts";
import type { ContractSpec } from "./contract-spec.ts";
import {
  add,
  branch,
  divide,
  equal,
  int,
  less,
  lessOrEqual,
  letInt,
  loop,
  modulo,
  multiply,
  subtract,
} from "./expr.ts";
import { stageOf, type Depth, type Extents } from "./gpu-blocks.ts";
import { isBulk, warpgroup, type BulkTiles } from "./gpu-bulk-tiles.ts";
import { prepareCopy } from "./gpu-copy.ts";
import { byProducts, declareSums, emitSpills, shareOfWarpgroup } from "./gpu-matrix.ts";
import { heldOf, type Held, type Staged } from "./gpu-pipeline.ts";
import type { RowRange } from "./gpu-place.ts";

/** One of 256 columns takes 128 sums at once, which nvcc 13 refuses where an invocation begins with 128 registers. */
const widestProduct = 128;
const [full, empty] = ["full", "empty"];
const invocation: Expr = { op: "invocation", type: "i32" };
const mapOf = ({ scratch }: Held): string => `${scratch}Map`;

/** The maps of operands that come in boxes, and the signals of the stages. */
export function bulkParts(spec: ContractSpec, tiles: BulkTiles): Pick<KernelWay, "maps" | "signals"> {
  const held = heldOf(spec, tiles);
  const boxed = held.filter(({ operand }) => isBulk(operand));
  const arrivals = (boxed.length > 0 ? 1 : 0) + (boxed.length < held.length ? warpgroup : 0);
  const count = tiles.staging.stages;
  return {
    maps: boxed.map((each) => tensorMap(each, tiles)),
    signals: [
      { name: full, count, arrivals },
      { name: empty, count, arrivals: warpgroup / 32 },
    ],
  };
}

function tensorMap(held: Held, { rows, columns, depth }: BulkTiles): TensorMap {
  const { operand, own, layout } = held;
  const { buffer, offset, axes } = operand.copied!.tensor!;
  const other = operand.contiguous === "k" ? (own === "m" ? rows : columns) : depth;
  return {
    name: mapOf(held),
    buffer: buffer(),
    offset,
    axes: axes.map(({ along, extent, stride }) => {
      const inside = along === "m" || along === "n" || along === "k";
      const box = !inside ? 1 : along === operand.contiguous ? layout.run : other;
      return { extent, stride, box };
    }),
  };
}

export function emitBulkTile(
  spec: ContractSpec,
  tiles: BulkTiles,
  rows: RowRange,
  columnTile: Expr,
  depth: Depth,
  into: Stmt[],
): void {
  const columnFrom = letInt(spec.fresh, into, "nFrom", multiply(columnTile, int(tiles.columns)));
  branch(
    into,
    less(invocation, int(warpgroup)),
    (copying) => {
      copying.push({ op: "registers", to: tiles.registers.copy, more: false });
      emitCopies(spec, tiles, rows, columnFrom, depth, copying);
    },
    (multiplying) => {
      multiplying.push({ op: "registers", to: tiles.registers.multiply, more: true });
      emitProducts(spec, tiles, rows, columnFrom, depth, multiplying);
    },
  );
}

/** Which block of the tile starts at k, where it lies, and how often the stage was used before. */
function blockAt(spec: ContractSpec, tiles: BulkTiles, { from }: Depth, k: Expr, into: Stmt[]) {
  const number = letInt(spec.fresh, into, "block", divide(subtract(k, from), int(tiles.depth)));
  const stage = letInt(spec.fresh, into, "stage", modulo(number, int(tiles.staging.stages)));
  return { number, stage, uses: divide(number, int(tiles.staging.stages)) };
}

function emitCopies(
  spec: ContractSpec,
  tiles: BulkTiles,
  rows: RowRange,
  columnFrom: Expr,
  depth: Depth,
  into: Stmt[],
): void {
  const held = heldOf(spec, tiles);
  const boxed = held.filter(({ operand }) => isBulk(operand));
  const bytes = boxed.reduce((sum, { layout }) => sum + bytesOf(tiles.type) * layout.length, 0);
  const shape = { ...tiles, invocations: warpgroup };
  const extents: Extents = { rows, columnFrom, kEnd: depth.exact ? undefined : depth.end };
  const pieces = held
    .filter(({ operand }) => !isBulk(operand))
    .map(({ scratch, operand, own, layout }) => {
      const stage = stageOf(spec, shape, extents, operand, own, { scratch, at: 0, layout });
      return { layout, begin: prepareCopy(stage, operand.copied!, into) };
    });
  /** Blocks that are on their way when an earlier one is told of. */
  const open = tiles.staging.stages - 2;
  const tell = (number: Expr, list: Stmt[]): void => {
    const which = modulo(number, int(tiles.staging.stages));
    list.push({ op: "arrive", signal: full, which, bytes: 0 });
  };
  const all = (list: Stmt[]): void =>
    loop(spec.fresh, list, "k0", depth.from, depth.end, tiles.depth, (k0, body) => {
      const { number, stage, uses } = blockAt(spec, tiles, depth, k0, body);
      // A stage that was never used is empty.
      const phase = modulo(add(uses, int(1)), int(2));
      body.push({ op: "await", signal: empty, which: stage, phase });
      const boxes = (then: Stmt[]): void => {
        then.push({ op: "arrive", signal: full, which: stage, bytes });
        for (const each of boxed) emitBoxes(each, tiles, rows, columnFrom, k0, stage, then);
      };
      if (pieces.length === 0) return boxes(body);
      if (boxed.length > 0) branch(body, equal(invocation, int(0)), boxes);
      for (const { layout, begin } of pieces) begin(k0, multiply(stage, int(layout.length)), body);
      body.push({ op: "group" }, { op: "wait", open });
      branch(body, lessOrEqual(int(open), number), (then) => tell(subtract(number, int(open)), then));
    });
  if (pieces.length === 0) return branch(into, equal(invocation, int(0)), all);
  all(into);
  const count = letInt(
    spec.fresh,
    into,
    "blocks",
    divide(add(subtract(depth.end, depth.from), int(tiles.depth - 1)), int(tiles.depth)),
  );
  for (let left = open; left > 0; left--) {
    into.push({ op: "wait", open: left - 1 });
    branch(into, lessOrEqual(int(left), count), (then) => tell(subtract(count, int(left)), then));
  }
}

/** One box, or one for each panel. */
function emitBoxes(
  held: Held,
  { rows, columns, staging: _, ...tiles }: BulkTiles,
  range: RowRange,
  columnFrom: Expr,
  k: Expr,
  stage: Expr,
  into: Stmt[],
): void {
  const { operand, own, layout, scratch } = held;
  const first = own === "m" ? range.from : columnFrom;
  const line = operand.contiguous === "k" ? tiles.depth : own === "m" ? rows : columns;
  for (let panel = 0; panel < line / layout.run; panel++) {
    const at = operand.copied!.tensor!.axes.map(({ along }): Expr => {
      if (along === "group") return range.place.group!;
      if (typeof along === "number") return range.place.batch[along]!;
      const start = along === "k" ? k : first;
      return along === operand.contiguous ? add(start, int(panel * layout.run)) : start;
    });
    const index = add(multiply(stage, int(layout.length)), int(panel * (layout.panels?.length ?? 0)));
    into.push({ op: "bulk", scratch, index, map: mapOf(held), at, signal: full, which: stage });
  }
}

function emitProducts(
  spec: ContractSpec,
  tiles: BulkTiles,
  rows: RowRange,
  columnFrom: Expr,
  depth: Depth,
  into: Stmt[],
): void {
  const share = shareOfWarpgroup(spec, tiles, into, warpgroup / 32);
  const sums = declareSums(spec, share, into);
  const multiplyBlock = byProducts(tiles, share, sums, widestProduct);
  const held = heldOf(spec, tiles);
  loop(spec.fresh, into, "k0", depth.from, depth.end, tiles.depth, (k0, body) => {
    const { stage, uses } = blockAt(spec, tiles, depth, k0, body);
    body.push({ op: "await", signal: full, which: stage, phase: modulo(uses, int(2)) });
    const [a, ...b] = held.map(({ scratch, layout }): Staged => {
      return { scratch, layout, at: multiply(stage, int(layout.length)) };
    });
    multiplyBlock(a!, b, body);
    // Another workgroup of the multiprocessor multiplies meanwhile. Sums that are on their way from one turn of a loop to the next
    // make nvcc wait for every product.
    body.push({ op: "settle" });
    branch(body, equal(modulo(invocation, int(32)), int(0)), (then) =>
      then.push({ op: "arrive", signal: empty, which: stage, bytes: 0 }),
    );
  });
  emitSpills(spec, tiles, rows, columnFrom, share, sums, { op: "barrier", of: "warp" }, into);
}
