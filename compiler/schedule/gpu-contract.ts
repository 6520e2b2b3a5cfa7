// The schedule of a contraction on a GPU. In: a ContractSpec and what a workgroup may have. Out: scratch, grid, workgroup and body
// of one kernel. Tall tiles, on matrix units (gpu-matrix.ts) or not (gpu-tiled.ts), or short ones that stream the right operand
// (gpu-few-rows.ts); where the number of rows is known at launch only, the kernel has both bodies, and all workgroups take the
// same one. Deliberately absent: sharing the k of one tile between workgroups, which would take a second kernel.

import {
  constant,
  ceilDivide,
  known,
  maximum,
  minimum,
  multiply as times,
  product,
  type Size,
} from "../../runtime/size.ts";
import type { Parallel } from "../target.ts";
import type { Expr, KernelWay, Scratch, Stmt } from "../kernel.ts";
import type { ContractBody, ContractSpec } from "./contract-spec.ts";
import { branch, int, less, lessOrEqual, literalOf, sizeOf } from "./expr.ts";
import { chooseFewRows, emitFewRows, fewRows, fewRowsScratch, mostFewRows } from "./gpu-few-rows.ts";
import {
  denseRows,
  groupDepth,
  raggedRows,
  raggedTiles,
  tileOfWorkgroup,
  type RowRange,
  type TileAt,
} from "./gpu-place.ts";
import type { Depth } from "./gpu-blocks.ts";
import { bulkParts, emitBulkTile } from "./gpu-bulk.ts";
import { chooseBulkTiles, warpgroup } from "./gpu-bulk-tiles.ts";
import { emitMatrixTile, matrixScratch } from "./gpu-matrix.ts";
import { chooseMatrixTiles } from "./gpu-matrix-tiles.ts";
import { block, emitTile, tiledScratch } from "./gpu-tiled.ts";
import { chooseGpuTiles, presume } from "./gpu-tiles.ts";

export interface GpuContractBody extends ContractBody {
  readonly workgroup: number;
}

/** One of the ways to compute a contraction. */
interface Way {
  readonly grid: Size;
  readonly workgroup: number;
  /** Floats, and arrays of half width. */
  readonly scratch: number;
  readonly halves?: readonly Scratch[];
  readonly parts?: Pick<KernelWay, "maps" | "signals">;
  readonly emit: (into: Stmt[]) => void;
}

/** Groups that have rows when there are few rows: one token's experts. */
const expertsPresumed = 8;
const workgroup: Expr = { op: "workgroup", type: "i32" };

export function gpuContractBody(spec: ContractSpec, parallel: Parallel): GpuContractBody {
  const usual = bodyOf(spec, parallel, () => matrixWay(spec, parallel) ?? tiledWay(spec, parallel));
  const onlyFew = literalOf(fewRowsCondition(spec)) === 1;
  const bulk = onlyFew ? undefined : bulkWay(spec, parallel);
  return {
    ...usual,
    multiplyAdds: times(product([...spec.batch, spec.m, spec.n, spec.k]), constant(spec.b.length)),
    ...(bulk === undefined ? {} : { warpgroups: bodyOf(spec, parallel, () => bulk, mostSumsBeside) }),
  };
}

/** Of few rows, for an invocation, where all have the 128 registers that warpgroups begin with to hand them over. */
const mostSumsBeside = 64;

/** Tall tiles, few rows, or both. */
function bodyOf(spec: ContractSpec, parallel: Parallel, tall: () => Way, mostSums?: number): KernelWay {
  const few = fewRowsCondition(spec);
  const decided = few.op === "literal" ? few.value !== 0 : undefined;
  const body: Stmt[] = [];
  const ways: Way[] = [];
  if (decided !== true) ways.push(tall());
  if (decided !== false) ways.push(fewRowsWay(spec, parallel, ways[0]?.workgroup, mostSums));
  const [first, second] = ways as [Way, Way | undefined];
  if (second === undefined) first.emit(body);
  else {
    const within = (way: Way, into: Stmt[]): void =>
      branch(into, less(workgroup, sizeOf(way.grid)), (then) => way.emit(then));
    branch(
      body,
      few,
      (then) => within(second, then),
      (otherwise) => within(first, otherwise),
    );
  }
  const floats = {
    name: block,
    type: "f32",
    length: Math.max(...ways.map(({ scratch }) => scratch)),
  } as const;
  return {
    scratch: [...(first.halves ?? []), floats],
    grid: ways.map(({ grid }) => grid).reduce(maximum),
    workgroup: first.workgroup,
    ...first.parts,
    body,
  };
}

/** Whether short tiles are better. Rows of a routing: when groups have no more than a short tile on average. */
function fewRowsCondition(spec: ContractSpec): Expr {
  if (spec.ragged?.kind === "reduction") return { op: "literal", type: "bool", value: 0 };
  return lessOrEqual(sizeOf(spec.m), int(fewRowsLimit(spec)));
}

const fewRowsLimit = (spec: ContractSpec): number =>
  Math.max(mostFewRows, (spec.ragged?.groups ?? 1) * fewRows);

/** What the two kinds of tall tiles have in common. */
function tallWay(
  spec: ContractSpec,
  tiles: {
    readonly rows: number;
    readonly columns: number;
    readonly depth: number;
    readonly invocations: number;
  },
  emit: (range: RowRange, columnTile: Expr, depth: Depth, into: Stmt[]) => void,
): Pick<Way, "grid" | "workgroup" | "emit"> {
  const columnTiles = ceilDivide(spec.n, constant(tiles.columns));
  const rows = spec.ragged?.kind === "rows";
  const rowTiles = rows ? raggedTiles(spec, tiles.rows, false) : ceilDivide(spec.m, constant(tiles.rows));
  const { ragged } = spec;
  const groups = ragged?.kind === "reduction" ? (ragged.window?.groups ?? ragged.groups) : 1;
  const k = known(spec.k);
  return {
    grid: product([...spec.batch, constant(groups), rowTiles, columnTiles]),
    workgroup: tiles.invocations,
    emit: (into) => {
      const at = tileOfWorkgroup(spec, rowTiles, columnTiles, into);
      const range = rows
        ? raggedRows(spec, at, tiles.rows, false, into)
        : denseRows(spec, at, tiles.rows, into);
      const depth =
        spec.ragged?.kind === "reduction"
          ? { ...groupDepth(spec, at.group!, into), exact: false }
          : { from: int(0), end: sizeOf(spec.k), exact: k !== undefined && k % tiles.depth === 0 };
      branch(into, range.there, (then) => emit(range, at.columnTile, depth, then));
    },
  };
}

function tiledWay(spec: ContractSpec, parallel: Parallel): Way {
  const tiles = chooseGpuTiles(spec, parallel);
  const halfSums = spec.half === "f16" ? parallel.halfSums : undefined;
  const way = tallWay(spec, tiles, (range, columnTile, depth, into) =>
    emitTile(spec, tiles, range, columnTile, depth, halfSums, into),
  );
  const scratch = tiledScratch(spec, tiles);
  return { ...way, scratch: scratch.floats, halves: scratch.halves };
}

/** On matrix units, where there are some and the caller lets operands be rounded. */
function matrixWay(spec: ContractSpec, parallel: Parallel): Way | undefined {
  if (parallel.matrix === undefined) return undefined;
  const tiles = chooseMatrixTiles(spec, parallel);
  if (tiles === undefined) return undefined;
  const way = tallWay(spec, tiles, (range, columnTile, depth, into) =>
    emitMatrixTile(spec, tiles, range, columnTile, depth, into),
  );
  const scratch = matrixScratch(spec, tiles);
  return { ...way, scratch: scratch.floats, halves: scratch.halves };
}

/** The same, by two warpgroups: one copies, one multiplies. */
function bulkWay(spec: ContractSpec, parallel: Parallel): Way | undefined {
  if (parallel.matrix?.bulk === undefined) return undefined;
  const tiles = chooseBulkTiles(spec, parallel);
  if (tiles === undefined) return undefined;
  const way = tallWay(spec, tiles, (range, columnTile, depth, into) =>
    emitBulkTile(spec, tiles, range, columnTile, depth, into),
  );
  const scratch = matrixScratch(spec, tiles);
  return {
    ...way,
    workgroup: 2 * warpgroup,
    scratch: scratch.floats,
    halves: scratch.halves,
    parts: bulkParts(spec, tiles),
  };
}

function fewRowsWay(spec: ContractSpec, parallel: Parallel, invocations?: number, mostSums?: number): Way {
  const ragged = spec.ragged;
  const rows = ragged?.kind === "rows";
  // Launched with more rows, these tiles are not used: the grid need not have them.
  const m = minimum(spec.m, constant(fewRowsLimit(spec)));
  const rowTiles = rows ? raggedTiles({ ...spec, m }, fewRows, true) : ceilDivide(m, constant(fewRows));
  const others = spec.batch.reduce((all, size) => all * presume(size), 1);
  const tiles = others * (known(rowTiles) ?? (rows ? Math.min(ragged.groups, expertsPresumed) : 1));
  const all = { ...parallel, workgroup: invocations ?? parallel.workgroup };
  const few = chooseFewRows(spec, all, tiles, mostSums);
  const columnTiles = ceilDivide(spec.n, constant(few.columns));
  return {
    grid: product([...spec.batch, rowTiles, columnTiles]),
    workgroup: (few.columns / few.wide) * few.slices,
    scratch: fewRowsScratch(spec, few),
    emit: (into) => {
      const at: TileAt = tileOfWorkgroup(spec, rowTiles, columnTiles, into);
      const range = rows ? raggedRows(spec, at, fewRows, true, into) : denseRows(spec, at, fewRows, into);
      branch(into, range.there, (then) => emitFewRows(spec, few, range, at.columnTile, then));
    },
  };
}
