// The schedule of a contraction on a CPU: packed blocks, register tiles, an epilogue over each block of sums.
// In: a ContractSpec. Out: scratch, grid and body of one kernel (workgroup of one invocation). After Goto and van de Geijn:
// a task is (batch or group, block of n, block of m); it packs b once, then for each block of rows packs a and runs the
// micro-kernel over 8-column panels. The sums of a block stay in scratch until its epilogue has read them, so
// siblings meet there. Deliberately absent: choosing numbers (contract-tiles.ts), fusion (the callbacks bring it).

import { constant, multiply as multiplySizes, product, type Size } from "../../runtime/size.ts";
import type { Expr, Scratch, Stmt } from "../kernel.ts";
import { emitMicroKernel } from "./contract-micro.ts";
import type { ContractBody, ContractPlace, ContractSpec } from "./contract-spec.ts";
import {
  panelsOf,
  stagePanels,
  stageRows,
  stageTransposed,
  withWhole,
  type Panels,
} from "./contract-stage.ts";
import { blockOf, decodeTask, raggedTask, rowsOfGroup, type Range } from "./contract-tasks.ts";
import { chooseTiles, packsOnTheWay, type Tiles } from "./contract-tiles.ts";
import {
  add,
  both,
  branch,
  ceilDivide,
  divide,
  equal,
  int,
  less,
  letInt,
  literalOf,
  loadFloat,
  loadVector,
  local,
  loop,
  maximum,
  minimum,
  multiply,
  roundDown,
  roundUp,
  selectInt,
  sizeOf,
  store,
  subtract,
} from "./expr.ts";

/** Everything that the parts of the body share. */
interface Context {
  readonly spec: ContractSpec;
  readonly tiles: Tiles;
  readonly place: ContractPlace;
  readonly columns: Range;
  readonly depth: Range;
  /** Elements between rows (or 12-row panels) of the block of a, panels of 12 columns of b, and rows of sums. */
  readonly aStride: number;
  readonly stride12: number;
  readonly tileStride: number;
  /** The panels of a block of b. */
  readonly runs: readonly Panels[];
  /** a is packed as [row / 12][k][row % 12]. */
  readonly panels: boolean;
}

const never: Expr = { op: "literal", type: "bool", value: 0 };
const always: Expr = { op: "literal", type: "bool", value: 1 };

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
  };
  const rows =
    spec.ragged?.kind === "rows"
      ? raggedTask(spec, tiles, groupRows!, rowTask, body)
      : blockOf(spec, rowTask, tiles.rows, spec.m, tiles.rowTasks, "row", body);
  branch(body, less(int(0), rows.count), (then) => emitRows(context, rows, then));

  return { scratch: scratchOf(context), grid, body, multiplyAdds: multiplyAddsOf(spec) };
}

/** Rows of every group once; a reduction's bound counts its rows once too. */
const multiplyAddsOf = (spec: ContractSpec): Size =>
  multiplySizes(product([...spec.batch, spec.m, spec.n, spec.k]), constant(spec.b.length));

function scratchOf({ spec, tiles, aStride, stride12, tileStride, panels }: Context): Scratch[] {
  const rows = tiles.rows + 3;
  return [
    { name: "aBlock", type: "f32", length: panels ? (tiles.rows / 12) * aStride : rows * aStride },
    ...spec.b.flatMap((_, i): Scratch[] => [
      // Two panels of 8 take less than one and a half of 12.
      { name: `bBlock${i}`, type: "f32", length: Math.ceil(tiles.columns / 12 + 1) * stride12 },
      { name: `sums${i}`, type: "f32", length: rows * tileStride },
    ]),
  ];
}

/** All rows of a task, in blocks that fit scratch; b is packed before the first when all of k fits. */
function emitRows(context: Context, rows: Range, into: Stmt[]): void {
  const { spec, tiles, depth } = context;
  const { fresh } = spec;
  if (tiles.oneDepth) stageRight(context, depth, into);
  const many = literalOf(rows.count) === undefined || literalOf(rows.count)! > tiles.rows;
  const ragged = spec.ragged?.kind === "rows";
  if (!ragged || !many) return emitBlock(context, rows, always, into);
  const blocks = letInt(fresh, into, "blocks", ceilDivide(rows.count, int(tiles.rows)));
  const even = letInt(fresh, into, "even", roundUp(ceilDivide(rows.count, blocks), 12));
  loop(fresh, into, "block", int(0), blocks, 1, (block, body) => {
    const from = letInt(fresh, body, "from", multiply(block, even));
    const count = letInt(fresh, body, "count", minimum(even, subtract(rows.count, from)));
    const part = { from: letInt(fresh, body, "rowFrom", add(rows.from, from)), count };
    emitBlock(context, part, equal(block, int(0)), body);
  });
}

/** One block of rows; `first` holds where b is not packed yet. */
function emitBlock(context: Context, rows: Range, first: Expr, into: Stmt[]): void {
  const { spec, tiles, depth } = context;
  const { fresh } = spec;
  if (tiles.oneDepth) {
    stageLeft(context, rows, depth, into);
    emitTiles(context, rows, depth, first, never, into);
  } else {
    // At least one pass, so that an empty sum is written as zero.
    loop(fresh, into, "k0", int(0), maximum(depth.count, int(1)), tiles.depth, (k0, body) => {
      const count = letInt(fresh, body, "kCount", minimum(int(tiles.depth), subtract(depth.count, k0)));
      const part: Range = { from: letInt(fresh, body, "kFrom", add(depth.from, k0)), count };
      stageRight(context, part, body);
      stageLeft(context, rows, part, body);
      emitTiles(context, rows, part, always, less(int(0), k0), body);
    });
  }
  emitEpilogue(context, rows, into);
}

function stageRight({ spec, place, columns, runs }: Context, k: Range, into: Stmt[]): void {
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
    if (operand.contiguous === "n") stagePanels(stage, runs, packsOnTheWay(operand) ? "edges" : "all", into);
    else stageTransposed(stage, runs, into);
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

/** Every register tile of a block: panels of columns outside, so that a panel stays in the nearest cache. Tiles of 3 by 12
 * and of 4 by 8 leave room in 15 registers for all that they load, in whatever order the engine schedules the loads. */
function emitTiles(context: Context, rows: Range, depth: Range, first: Expr, goOn: Expr, into: Stmt[]): void {
  const { spec, runs, aStride, tileStride, panels, place, columns } = context;
  const { fresh } = spec;
  spec.b.forEach((operand, sibling) => {
    const block = `bBlock${sibling}`;
    for (const run of runs)
      loop(fresh, into, "panel", int(0), run.count, 1, (panel, body) => {
        const { width } = run;
        const height = width === 12 ? 3 : 4;
        const panelAt = letInt(fresh, body, "panelAt", add(run.at, multiply(panel, int(run.stride))));
        const columnAt = letInt(fresh, body, "columnAt", add(run.first, multiply(panel, int(width))));
        const packed = (k: Expr, v: number): Expr => add(panelAt, multiply(k, int(width)), int(4 * v));
        const tile = (row: Expr, aAt: Expr, packs: boolean, inner: Stmt[]): void => {
          const [rowStep, kStep] = panels ? [1, 12] : [aStride, 1];
          const from = add(columns.from, columnAt);
          emitMicroKernel(
            {
              fresh,
              rows: height,
              vectors: width / 4,
              depth: depth.count,
              a: (r, k) => loadFloat("aBlock", add(aAt, multiply(k, int(kStep)), int(r * rowStep))),
              b: (k, at) => {
                if (!packs) return (v) => loadVector(block, packed(k, v));
                const read = operand.open(place, add(depth.from, k), at);
                return (v) => read(add(from, int(4 * v)), 4, at);
              },
              ...(packs
                ? { keep: (k: Expr, v: number, value: Expr) => store(block, packed(k, v), value) }
                : {}),
              tile: `sums${sibling}`,
              tileBase: letInt(fresh, inner, "tileAt", add(multiply(row, int(tileStride)), columnAt)),
              tileStride,
              goOn,
            },
            inner,
          );
        };
        let start: Expr = int(0);
        if (packsOnTheWay(operand)) {
          const packs = both(first, less(panel, run.whole));
          branch(body, packs, (inner) => tile(int(0), int(0), true, inner));
          start = letInt(fresh, body, "start", selectInt(packs, int(height), int(0)));
        }
        if (panels)
          loop(fresh, body, "twelve", int(0), rows.count, 12, (row, outer) => {
            const blockAt = letInt(fresh, outer, "blockAt", multiply(divide(row, int(12)), int(aStride)));
            const end = minimum(int(12), subtract(rows.count, row));
            const begin = letInt(fresh, outer, "begin", selectInt(equal(row, int(0)), start, int(0)));
            loop(fresh, outer, "part", begin, end, height, (part, inner) => {
              const aAt = letInt(fresh, inner, "aAt", add(blockAt, part));
              tile(add(row, part), aAt, false, inner);
            });
          });
        else
          loop(fresh, body, "row", start, rows.count, height, (row, inner) => {
            const aAt = letInt(fresh, inner, "aAt", multiply(row, int(aStride)));
            tile(row, aAt, false, inner);
          });
      });
  });
}

/** The block of sums through the epilogue: row by row, four columns at a time. */
function emitEpilogue({ spec, place, columns, tileStride }: Context, rows: Range, into: Stmt[]): void {
  const { fresh } = spec;
  const whole = letInt(fresh, into, "whole", roundDown(columns.count, 4));
  loop(fresh, into, "row", int(0), rows.count, 1, (row, body) => {
    const write = spec.epilogue(place, letInt(fresh, body, "m", add(rows.from, row)), body);
    const base = letInt(fresh, body, "sumsAt", multiply(row, int(tileStride)));
    const at = (column: Expr, lanes: 1 | 4, inner: Stmt[]): void => {
      const sums = spec.b.map((_, i): Expr => {
        const name = fresh("total");
        const load = lanes === 4 ? loadVector : loadFloat;
        inner.push({ op: "let", name, value: load(`sums${i}`, add(base, column)) });
        return local(name, lanes === 4 ? "f32x4" : "f32");
      });
      write(letInt(fresh, inner, "n", add(columns.from, column)), lanes, sums, inner);
    };
    loop(fresh, body, "column", int(0), whole, 4, (column, inner) => at(column, 4, inner));
    loop(fresh, body, "column", whole, columns.count, 1, (column, inner) => at(column, 1, inner));
  });
}
