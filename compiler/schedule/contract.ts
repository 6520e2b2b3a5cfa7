// The schedule of a contraction on a CPU: blocks, register tiles, an epilogue over the sums.
// In: a ContractSpec. Out: scratch, grid and body of one kernel (workgroup of one invocation). A task is (batch or group,
// block of n, block of m). Its sums stay in scratch until the epilogue has read them, so siblings meet there. Four ways:
//
//   columns  after Goto and van de Geijn: b is packed in panels once, a for each block of rows; panels outside, rows inside
//   rows     the same packed, rows outside: weight gradients of many groups and short k, which are mostly writing
//   dots     b is contiguous along k and stays where it is: inner products                                 (contract-dot.ts)
//   few      up to four rows, decided at run time: b is read once, where it is                             (contract-few.ts)
//
// Deliberately absent: choosing numbers (contract-tiles.ts), fusion (the callbacks bring it).

import { constant, multiply as multiplySizes, product, type Size } from "../../runtime/size.ts";
import type { Expr, Scratch, Stmt } from "../kernel.ts";
import { keptAhead } from "./contract-ahead.ts";
import { always, never, type Context } from "./contract-context.ts";
import { emitDots } from "./contract-dot.ts";
import { emitEpilogue } from "./contract-epilogue.ts";
import { emitFew, fewRows, takesFew } from "./contract-few.ts";
import { emitColumns, emitRows, nextBlock } from "./contract-panels.ts";
import type { ContractBody, ContractSpec } from "./contract-spec.ts";
import { panelsOf, stagePanels, stageRows, stageTransposed, withWhole } from "./contract-stage.ts";
import { blockOf, decodeTask, raggedTask, rowsOfGroup, type Range } from "./contract-tasks.ts";
import { chooseTiles, packsOnTheWay, usesDots } from "./contract-tiles.ts";
import {
  add,
  branch,
  ceilDivide,
  equal,
  int,
  less,
  lessOrEqual,
  letBool,
  letInt,
  literalOf,
  loop,
  maximum,
  minimum,
  multiply,
  roundUp,
  sizeOf,
  subtract,
} from "./expr.ts";

export function contractBody(spec: ContractSpec): ContractBody {
  const tiles = chooseTiles(spec);
  const body: Stmt[] = [];
  const panels = spec.a.contiguous === "m";
  const grid = product([
    ...spec.batch,
    constant(spec.ragged?.groups ?? 1),
    tiles.columnTasks,
    tiles.rowTasks,
  ]);

  const { place, columnTask, rowTask } = decodeTask(spec, tiles, body);
  const columns = blockOf(spec, columnTask, tiles.columns, spec.n, tiles.columnTasks, "column", body);
  const groupRows = spec.ragged === undefined ? undefined : rowsOfGroup(spec, place.group!, body);
  const depth = spec.ragged?.kind === "reduction" ? groupRows! : { from: int(0), count: sizeOf(spec.k) };

  // A stride that is an odd number of cache lines: neighbouring rows and panels do not fight for one cache set.
  const oddLines = (length: number): number => (Math.ceil(length / 16) | 1) * 16;
  const stride12 = oddLines(tiles.depth * 12);
  const context: Context = {
    spec,
    tiles,
    place,
    columns,
    depth,
    aStride: panels ? oddLines(tiles.depth * 12) : oddLines(tiles.depth),
    stride12,
    // Padding columns of the last panel are summed too.
    tileStride: Math.ceil(tiles.columns / 4) * 4 + 4,
    runs: panelsOf(columns.count, stride12, oddLines(tiles.depth * 8), spec.fresh, body),
    panels,
    dots: usesDots(spec),
  };
  const rows =
    spec.ragged?.kind === "rows"
      ? raggedTask(spec, tiles, groupRows!, rowTask, body)
      : blockOf(spec, rowTask, tiles.rows, spec.m, tiles.rowTasks, "row", body);
  branch(body, less(int(0), rows.count), (then) => emitTask(context, rows, then));

  return { scratch: scratchOf(context), grid, body, multiplyAdds: multiplyAddsOf(spec) };
}

/** Rows of every group once; a reduction's bound counts its rows once too. */
const multiplyAddsOf = (spec: ContractSpec): Size =>
  multiplySizes(product([...spec.batch, spec.m, spec.n, spec.k]), constant(spec.b.length));

function scratchOf({ spec, tiles, aStride, stride12, tileStride, panels, dots }: Context): Scratch[] {
  const rows = tiles.rows + 3;
  return [
    ...(tiles.readsAhead ? [keptAhead] : []),
    { name: "aBlock", type: "f32", length: panels ? (tiles.rows / 12) * aStride : rows * aStride },
    ...spec.b.flatMap((_, i): Scratch[] => [
      // Two panels of 8 take less than one and a half of 12.
      ...(dots && tiles.packsFrom === undefined
        ? []
        : [
            {
              name: `bBlock${i}`,
              type: "f32",
              length: Math.ceil(tiles.columns / 12 + 1) * stride12,
            } as const,
          ]),
      { name: `sums${i}`, type: "f32", length: rows * tileStride },
    ]),
  ];
}

/** All rows of a task, in blocks that fit scratch; b is packed before the first when all of k fits. */
function emitTask(context: Context, rows: Range, into: Stmt[]): void {
  const { spec, tiles } = context;
  const way = wayOf(context);
  const usual = (body: Stmt[]): void => emitBlocks(context, rows, way, body);
  if (tiles.packsFrom !== undefined)
    branch(into, less(rows.count, int(tiles.packsFrom)), usual, (body) =>
      emitBlocks(context, rows, "rows", body),
    );
  else if (takesFew(spec))
    branch(
      into,
      lessOrEqual(rows.count, int(fewRows)),
      (body) => emitBlock(context, rows, "few", never, body),
      usual,
    );
  else usual(into);
}

function emitBlocks(context: Context, rows: Range, way: Way, into: Stmt[]): void {
  const { spec, tiles, depth } = context;
  const { fresh } = spec;
  if (tiles.oneDepth && way !== "dots") stageRight(context, depth, into);
  const many = literalOf(rows.count) === undefined || literalOf(rows.count)! > tiles.rows;
  const ragged = spec.ragged?.kind === "rows";
  if (!ragged || !many) return emitBlock(context, rows, way, always, into);
  const blocks = letInt(fresh, into, "blocks", ceilDivide(rows.count, int(tiles.rows)));
  const even = letInt(fresh, into, "even", roundUp(ceilDivide(rows.count, blocks), 12));
  loop(fresh, into, "block", int(0), blocks, 1, (block, body) => {
    const from = letInt(fresh, body, "from", multiply(block, even));
    const count = letInt(fresh, body, "count", minimum(even, subtract(rows.count, from)));
    const part = { from: letInt(fresh, body, "rowFrom", add(rows.from, from)), count };
    emitBlock(context, part, way, equal(block, int(0)), body);
  });
}

/** How a block of sums is computed. */
type Way = "columns" | "rows" | "dots" | "few";
const wayOf = ({ dots, tiles }: Context): Way => (dots ? "dots" : tiles.writesSoon ? "rows" : "columns");

/** One block of rows; `first` holds where b is not packed yet. */
function emitBlock(context: Context, rows: Range, way: Way, first: Expr, into: Stmt[]): void {
  const { spec, tiles, depth, columns } = context;
  const { fresh } = spec;
  const part = (k: Range, goOn: Expr, packs: Expr, body: Stmt[]): void => {
    if (!tiles.oneDepth && (way === "columns" || way === "rows")) stageRight(context, k, body);
    stageLeft(context, rows, k, body);
    const block = { rows, depth: k, goOn };
    switch (way) {
      case "dots":
        return emitDots(context, block, body);
      case "few":
        return emitFew(context, block, body);
      case "columns":
        return emitColumns(context, block, packs, nextBlock(context, k, body), body);
      case "rows": {
        const end = subtract(add(k.from, k.count), depth.from);
        const only = letBool(fresh, body, "only", lessOrEqual(depth.count, int(tiles.depth)));
        const last = letBool(fresh, body, "last", lessOrEqual(depth.count, end));
        return emitRows(context, block, only, last, body);
      }
      default:
        return way satisfies never;
    }
  };
  if (tiles.oneDepth) part(depth, never, first, into);
  else
    // At least one pass, so that an empty sum is written as zero.
    loop(fresh, into, "k0", int(0), maximum(depth.count, int(1)), tiles.depth, (k0, body) => {
      const count = letInt(fresh, body, "kCount", minimum(int(tiles.depth), subtract(depth.count, k0)));
      const from = letInt(fresh, body, "kFrom", add(depth.from, k0));
      part({ from, count }, less(int(0), k0), always, body);
    });
  if (way !== "rows") emitEpilogue(context, rows, columns, int(0), into);
}

function stageRight({ spec, tiles, place, columns, runs }: Context, k: Range, into: Stmt[]): void {
  spec.b.forEach((operand, i) => {
    const stage = {
      fresh: spec.fresh,
      operand,
      place,
      block: `bBlock${i}`,
      outer: columns.from,
      outerCount: columns.count,
      k: k.from,
      kCount: k.count,
    };
    if (operand.contiguous === "n") {
      const later = packsOnTheWay(operand) && !tiles.writesSoon;
      stagePanels(stage, runs, later ? "edges" : "all", into);
    } else stageTransposed(stage, runs, into);
  });
}

function stageLeft({ spec, place, aStride, panels }: Context, rows: Range, k: Range, into: Stmt[]): void {
  const stage = {
    fresh: spec.fresh,
    operand: spec.a,
    place,
    block: "aBlock",
    outer: rows.from,
    outerCount: rows.count,
    k: k.from,
    kCount: k.count,
  };
  if (panels) {
    const count = letInt(spec.fresh, into, "panels", ceilDivide(rows.count, int(12)));
    const run = { width: 12, count, first: int(0), at: int(0), stride: aStride } as const;
    stagePanels(stage, [withWhole(run, rows.count, spec.fresh, into)], "all", into);
  } else {
    // Rows are summed in threes and fours: up to two or three more than there are.
    const padded = maximum(roundUp(rows.count, 3), roundUp(rows.count, 4));
    stageRows(stage, letInt(spec.fresh, into, "padded", padded), aStride, into);
  }
}
