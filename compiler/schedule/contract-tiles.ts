// The numbers of a contraction's schedule: block sizes and how the work is cut into tasks.
// In: extents. Out: tiles. Numbers only; the structure is in contract.ts.
//
// A block of b (depth x columns) and one of a (rows x depth) lie packed in scratch, sized for the second-level cache; one
// panel of 8 columns of b (32 bytes for each k) stays in the first level while all rows of the block pass.
// Staging costs about 2/rows + 2/columns of the arithmetic, so blocks are as large as the number of tasks allows.

import { ceilDivide, constant, known, minimum, one, type Size } from "../../runtime/size.ts";
import type { ContractOperand, ContractSpec } from "./contract-spec.ts";

export interface Tiles {
  /** Rows of a packed block of a; a multiple of 12. */
  readonly rows: number;
  /** Columns of a packed block of b, for each sibling; a multiple of 4. */
  readonly columns: number;
  /** Length of k in a packed block. */
  readonly depth: number;
  /** All of k in one block. */
  readonly oneDepth: boolean;
  /** Tasks along n, and along m (for ragged rows: at most so many for each group). */
  readonly columnTasks: Size;
  readonly rowTasks: Size;
  /** Groups have so few rows that their weights are read from memory while few sums are made of them. */
  readonly readsAhead: boolean;
  /** Groups give so few terms to each sum that writing the results is most of the work. */
  readonly writesSoon: boolean;
  /** Inner products along so short a k that their sums are dear: with so many rows and more, b is packed after all. */
  readonly packsFrom: number | undefined;
  /** Ragged rows: a group is cut into further tasks for each so many rows. */
  readonly rowsPerTask: number;
}

/** Floats of b that are packed at once (256 KiB). */
const packed = 65536;
const rowsPerBlock = 96;
/** The same, or a little more than the 128 positions of a usual text, where batches are tasks enough. */
const rowsOfBatches = 132;
/** Inner products stage nothing of b, and the sums of a block that is not so high stay in the nearest cache. */
const rowsOfDots = 48;
const columnsPerBlock = 128;
const depthLimit = 1024;
/** k in a block when its length is known only at launch or depends on the routing. */
const depthUnknown = 256;
/** Ragged rows with a plain right operand: short blocks, so that an expert with few rows reads its weights almost in the
 * order of memory. b is then packed again for every block of rows, which costs nothing (see packsOnTheWay in contract.ts). */
const depthRagged = 64;
/** The same where groups are so many that they read ahead: both blocks in the pages that a processor has at hand. */
const depthStreamed = 32;
/** k in a block of a ragged reduction of many groups. */
const depthFew = 64;
/** k for which b is packed in the place of inner products, which take 11 instructions beside k multiply-adds for four columns
 * of a row, to add lanes. Shorter loops over k are written out, and then sums overflow the registers. */
const shortest = 16;
const longest = 64;
/** Columns when weights are read in the order of memory. */
const columnsStreamed = 512;
/** Tasks that let 16 threads finish together. */
const tasksWanted = 32;
const raggedRowTasks = 16;

/** Plain columns are read where they are by the first tile of a panel, which packs them for the other rows: the arithmetic
 * hides the way to memory, which is most of the time when an expert has few rows. */
export const packsOnTheWay = (operand: ContractOperand): boolean =>
  operand.contiguous === "n" && operand.plain;

/** Both operands are contiguous along k and b is there to be read again and again: inner products, nothing packed. */
export const usesDots = ({ a, b }: ContractSpec): boolean =>
  a.contiguous === "k" && b.every((operand) => operand.contiguous === "k" && operand.plain);

/** Transposing takes about k instructions for each column of b. Measured, it pays from somewhat more than k rows on. */
function packsFromRows(spec: ContractSpec): number | undefined {
  const k = known(spec.k);
  if (!usesDots(spec) || spec.ragged !== undefined || k === undefined) return undefined;
  const rows = k + 16;
  return k >= shortest && k <= longest && (known(spec.m) ?? rows) >= rows ? rows : undefined;
}

const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;
/** The block that divides an extent evenly into as few parts as the limit allows. */
const even = (extent: number, limit: number, step: number): number =>
  Math.min(roundUp(limit, step), roundUp(Math.ceil(extent / Math.ceil(extent / limit)), step));

export function chooseTiles(spec: ContractSpec): Tiles {
  const siblings = spec.b.length;
  const groups = spec.ragged?.groups ?? 1;
  const k = spec.ragged?.kind === "reduction" ? undefined : known(spec.k);
  const raggedRows = spec.ragged?.kind === "rows";
  const streams = raggedRows && spec.b.every(packsOnTheWay);
  const manyGroups = groups >= tasksWanted;
  const readsAhead = manyGroups && raggedRows && (streams || usesDots(spec));
  const writesSoon = manyGroups && spec.ragged?.kind === "reduction" && spec.a.contiguous === "m";
  const limit = !streams ? depthLimit : manyGroups ? depthStreamed : depthRagged;
  const unknown = writesSoon ? depthFew : depthUnknown;
  const depth = k === undefined ? unknown : Math.max(1, even(k, limit, 4));
  const oneDepth = k !== undefined && k <= depth;

  // Many groups are tasks enough: each takes whole rows of its weights or results, in the order of memory.
  const columnLimit =
    readsAhead || writesSoon
      ? columnsStreamed
      : Math.max(
          32,
          Math.min(columnsPerBlock, Math.floor(packed / (depth * siblings) / 8) * 8, 256 / siblings),
        );
  const n = known(spec.n);
  let columns =
    n === undefined ? Math.min(128, roundUp(columnLimit, 8)) : Math.max(8, even(n, columnLimit, 4));

  const m = known(spec.m);
  const packsFrom = packsFromRows(spec);
  const others = spec.batch.reduce((all, size) => all * (known(size) ?? 8), 1) * groups;
  let rows = rowsPerBlock;
  if (packsFrom !== undefined && others >= tasksWanted) rows = rowsOfBatches;
  else if (packsFrom === undefined && usesDots(spec) && !readsAhead) rows = rowsOfDots;
  if (m !== undefined && !raggedRows) {
    rows = Math.max(12, even(m, rows, 12));
    // Smaller blocks when there would be too few tasks for a handful of threads.
    const tasks = (r: number, c: number): number => others * Math.ceil(m / r) * Math.ceil((n ?? 256) / c);
    while (tasks(rows, columns) < tasksWanted && columns > 64)
      columns = even(n ?? columns / 2, columns / 2, 4);
    while (tasks(rows, columns) < tasksWanted && rows > 48) rows = roundUp(rows / 2, 12);
  }
  const rowsPerTask = 2 * rowsPerBlock;
  return {
    rows,
    columns,
    depth,
    oneDepth,
    columnTasks: ceilDivide(spec.n, constant(columns)),
    rowTasks: raggedRows
      ? minimum(constant(raggedRowTasks), ceilDivide(spec.m, constant(rowsPerTask)))
      : (known(spec.m) ?? 0) === 1
        ? one
        : ceilDivide(spec.m, constant(rows)),
    rowsPerTask,
    readsAhead,
    writesSoon,
    packsFrom,
  };
}
