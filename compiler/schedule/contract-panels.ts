// Register tiles over packed panels of b. In: a block of a and one of b, staged. Out: statements that leave its sums in scratch.
// Tiles of 3 by 12 and of 4 by 8 leave room in 15 registers for all that they load, in whatever order the engine schedules
// the loads. Deliberately absent: staging, the loop over blocks.

import type { Expr, Stmt } from "../kernel.ts";
import { keptAhead, readAhead } from "./contract-ahead.ts";
import type { Block, Context } from "./contract-context.ts";
import { always } from "./contract-context.ts";
import { emitEpilogue } from "./contract-epilogue.ts";
import { emitMicroKernel } from "./contract-micro.ts";
import type { ContractPlace } from "./contract-spec.ts";
import type { Panels } from "./contract-stage.ts";
import { rowsOfGroup, type Range } from "./contract-tasks.ts";
import { packsOnTheWay } from "./contract-tiles.ts";
import {
  add,
  both,
  branch,
  ceilDivide,
  divide,
  either,
  equal,
  int,
  less,
  lessOrEqual,
  letInt,
  literalOf,
  loadFloat,
  loadVector,
  loop,
  minimum,
  multiply,
  selectInt,
  sizeOf,
  store,
  subtract,
} from "./expr.ts";

const heightOf = ({ width }: Panels): number => (width === 12 ? 3 : 4);

/** One panel of b: where it lies packed, and its first column, counted from the block's. */
interface Panel {
  readonly run: Panels;
  readonly at: Expr;
  readonly column: Expr;
}

function panelOf({ spec: { fresh } }: Context, run: Panels, panel: Expr, into: Stmt[]): Panel {
  return {
    run,
    at: letInt(fresh, into, "panelAt", add(run.at, multiply(panel, int(run.stride)))),
    column: letInt(fresh, into, "columnAt", add(run.first, multiply(panel, int(run.width)))),
  };
}

/** One register tile. `packs`: b is read where it is, and packed. */
function emitTile(
  context: Context,
  { depth, goOn }: Block,
  sibling: number,
  panel: Panel,
  aAt: Expr,
  sumsAt: Expr,
  packs: boolean,
  into: Stmt[],
): void {
  const { spec, place, columns, panels, aStride, tileStride } = context;
  const { width } = panel.run;
  const [rowStep, kStep] = panels ? [1, 12] : [aStride, 1];
  const block = `bBlock${sibling}`;
  const packed = (k: Expr, v: number): Expr => add(panel.at, multiply(k, int(width)), int(4 * v));
  const from = add(columns.from, panel.column);
  emitMicroKernel(
    {
      fresh: spec.fresh,
      rows: heightOf(panel.run),
      vectors: width / 4,
      depth: depth.count,
      a: (r, k) => loadFloat("aBlock", add(aAt, multiply(k, int(kStep)), int(r * rowStep))),
      b: (k, at) => {
        if (!packs) return (v) => loadVector(block, packed(k, v));
        const read = spec.b[sibling]!.open(place, add(depth.from, k), at);
        return (v) => read(add(from, int(4 * v)), 4, at);
      },
      ...(packs ? { keep: (k: Expr, v: number, value: Expr) => store(block, packed(k, v), value) } : {}),
      tile: `sums${sibling}`,
      tileBase: letInt(spec.fresh, into, "tileAt", sumsAt),
      tileStride,
      goOn,
    },
    into,
  );
}

/** Panels of columns outside, so that a panel stays in the nearest cache while all rows pass. `first` holds where b is
 * not packed yet. */
export function emitColumns(
  context: Context,
  block: Block,
  first: Expr,
  next: NextBlock | undefined,
  into: Stmt[],
): void {
  const { spec, runs, aStride, tileStride, panels, place } = context;
  const { rows, depth } = block;
  const { fresh } = spec;
  spec.b.forEach((operand, sibling) => {
    const following = sibling + 1 < spec.b.length ? { place, k: depth } : next;
    const ahead = readPanels(context, (sibling + 1) % spec.b.length, rows, following, into);
    let before: Expr = int(0);
    for (const run of runs) {
      const height = heightOf(run);
      const panelsBefore = before;
      before = add(before, run.count);
      loop(fresh, into, "panel", int(0), run.count, 1, (number, body) => {
        const panel = panelOf(context, run, number, body);
        const tile = (row: Expr, aAt: Expr, packs: boolean, inner: Stmt[]): void => {
          const sumsAt = add(multiply(row, int(tileStride)), panel.column);
          emitTile(context, block, sibling, panel, aAt, sumsAt, packs, inner);
        };
        const turn = letInt(fresh, body, "turn", multiply(add(panelsBefore, number), ahead.turns));
        let start: Expr = int(0);
        if (packsOnTheWay(operand)) {
          const packs = both(first, less(number, run.whole));
          branch(body, packs, (inner) => {
            ahead.read(turn, inner);
            tile(int(0), int(0), true, inner);
          });
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
            ahead.read(add(turn, divide(row, int(height))), inner);
            const aAt = letInt(fresh, inner, "aAt", multiply(row, int(aStride)));
            tile(row, aAt, false, inner);
          });
      });
    }
  });
}

/** Rows outside, twelve at a time, and the epilogue of a tile right after it: where sums have few terms, as in the weight
 * gradients of experts with few rows, results are written in the order of memory while the next are computed.
 * `only` holds where there is no other block: then one tile's place in scratch serves for all. */
export function emitRows(context: Context, block: Block, only: Expr, last: Expr, into: Stmt[]): void {
  const { spec, runs, aStride, tileStride, columns, panels } = context;
  const { rows } = block;
  const { fresh } = spec;
  loop(fresh, into, "twelve", int(0), rows.count, 12, (row, outer) => {
    const line = panels ? divide(row, int(12)) : row;
    const blockAt = letInt(fresh, outer, "blockAt", multiply(line, int(aStride)));
    const rowFrom = letInt(fresh, outer, "rowFrom", add(rows.from, row));
    const here = letInt(fresh, outer, "here", minimum(int(12), subtract(rows.count, row)));
    for (const run of runs)
      loop(fresh, outer, "part", int(0), here, heightOf(run), (part, strip) => {
        const there = letInt(fresh, strip, "there", minimum(int(heightOf(run)), subtract(here, part)));
        const aAt = letInt(fresh, strip, "aAt", add(blockAt, multiply(part, int(panels ? 1 : aStride))));
        const stripRows = { from: letInt(fresh, strip, "stripFrom", add(rowFrom, part)), count: there };
        const stripAt = letInt(fresh, strip, "stripAt", multiply(add(row, part), int(tileStride)));
        loop(fresh, strip, "panel", int(0), run.count, 1, (number, body) => {
          const panel = panelOf(context, run, number, body);
          const sumsAt = letInt(fresh, body, "sumsAt", selectInt(only, int(0), add(stripAt, panel.column)));
          spec.b.forEach((_, sibling) => emitTile(context, block, sibling, panel, aAt, sumsAt, false, body));
          const left = letInt(fresh, body, "left", subtract(columns.count, panel.column));
          const whole = both(equal(there, int(heightOf(run))), lessOrEqual(int(run.width), left));
          const from = add(columns.from, panel.column);
          const results = (rowCount: Expr, count: Expr, inner: Stmt[]): void =>
            emitEpilogue(context, { ...stripRows, count: rowCount }, { from, count }, sumsAt, inner);
          branch(body, last, (done) =>
            branch(
              done,
              whole,
              (inner) => results(int(heightOf(run)), int(run.width), inner),
              (inner) => results(there, minimum(left, int(run.width)), inner),
            ),
          );
        });
      });
  });
}

/** The block of b that is read after this one. */
export interface NextBlock {
  readonly place: ContractPlace;
  readonly k: Range;
}

/** Further down in the same matrix, or at the top of the next group's, if that has rows. */
export function nextBlock(
  { spec, tiles, place, depth }: Context,
  now: Range,
  into: Stmt[],
): NextBlock | undefined {
  if (!tiles.readsAhead) return undefined;
  const { fresh } = spec;
  const last = spec.ragged!.groups - 1;
  const group = letInt(fresh, into, "nextGroup", minimum(add(place.group!, int(1)), int(last)));
  const rows = rowsOfGroup(spec, group, into).count;
  const nobody =
    literalOf(sizeOf(tiles.columnTasks)) === 1
      ? either(equal(group, place.group!), equal(rows, int(0)))
      : always;
  const top = letInt(fresh, into, "top", selectInt(nobody, int(0), minimum(int(tiles.depth), depth.count)));
  if (tiles.oneDepth) return { place: { ...place, group }, k: { from: int(0), count: top } };
  const from = letInt(fresh, into, "nextK", add(now.from, now.count));
  const more = less(from, depth.count);
  const rest = minimum(int(tiles.depth), subtract(depth.count, from));
  return {
    place: { ...place, group: letInt(fresh, into, "nextGroup", selectInt(more, place.group!, group)) },
    k: {
      from: letInt(fresh, into, "nextK", selectInt(more, from, int(0))),
      count: letInt(fresh, into, "nextKs", selectInt(more, rest, top)),
    },
  };
}

/** Four parts where each has two pages at least: shorter ones would begin, and wait for memory, too often, and more parts crowd
 * out what the processor follows besides. */
const partsAhead = (floats: number): number => (floats >= 8192 ? 4 : 1);

interface AheadOfPanels {
  /** Turns for each panel. */
  readonly turns: Expr;
  readonly read: (turn: Expr, into: Stmt[]) => void;
}

function readPanels(
  { spec, tiles, columns, runs }: Context,
  sibling: number,
  rows: Range,
  next: NextBlock | undefined,
  into: Stmt[],
): AheadOfPanels {
  const length = literalOf(columns.count);
  if (!tiles.readsAhead || next === undefined || length === undefined)
    return { turns: int(0), read: () => undefined };
  const { fresh } = spec;
  const turns = letInt(fresh, into, "turns", ceilDivide(rows.count, int(4)));
  const panels = runs.reduce((sum, run) => add(sum, run.count), int(0));
  const read = (row: Expr, position: Expr, body: Stmt[]): Expr =>
    spec.b[sibling]!.open(next.place, add(next.k.from, row), body)(add(columns.from, position), 4, body);
  const all = letInt(fresh, into, "allTurns", multiply(panels, turns));
  const ahead = {
    fresh,
    rows: next.k.count,
    length,
    parts: partsAhead(tiles.depth * length),
    read,
    turns: all,
    keep: keptAhead.name,
  };
  return { turns, read: readAhead(ahead, into) };
}
