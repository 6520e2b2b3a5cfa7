// The numbers of a contraction's schedule on matrix units. In: extents, what a workgroup may have. Out: tiles. Numbers only.
//
// H100, by arithmetic: `mma.sync` reaches some 60 % of the units' 2048 multiply-adds a cycle and multiprocessor. A warp of 4 x 2
// fragments reads (4 + 2) x 512 B of scratch for 8 x 4096 multiply-adds: 24 cycles of scratch beside 26 of arithmetic. A tile of
// 128 x 128 reads 1 KiB of f32 operands for 16384 multiply-adds, 79 B a cycle at that rate where the second-level cache gives
// about 64: operands stored as f32 hold it at about 450 TFLOP/s, whatever the schedule. 64 sums, 16 to 32 values on their way and
// the fragments fit 128 registers (nvcc 13, sm_90a): two workgroups of eight warps a multiprocessor cover each other's barriers.
// None of this is measured.

import { known } from "../../runtime/size.ts";
import type { Parallel } from "../target.ts";
import type { ContractOperand, ContractSpec } from "./contract-spec.ts";
import { fewRowsBytes } from "./gpu-few-rows.ts";
import type { Layout } from "./gpu-stage.ts";
import { presume, workgroupsWanted } from "./gpu-tiles.ts";

export interface MatrixTiles {
  readonly rows: number;
  readonly columns: number;
  /** Length of k that is staged at once: a number of fragments. */
  readonly depth: number;
  readonly invocations: number;
  readonly buffers: 1 | 2;
  readonly vectors: boolean;
  /** Fragments of a warp, for each sibling, and warps side by side. */
  readonly tall: number;
  readonly wide: number;
  readonly across: number;
}

/** Rows and columns of a fragment, and its k. */
export const fragment = 16;
/** Halves that keep rows 16 bytes aligned and neighbouring rows in different banks. */
const padding = 8;
/** Elements from row to row of spilled sums. */
export const spillStride = fragment + 4;
/** With more groups than this their last tiles, half empty, are worth shorter ones. */
const manyGroups = 64;
const mostRaggedRows = 64;

/** Neighbours of memory are neighbours of scratch: [row][k] or [k][row]. */
export function asInMemory(operand: ContractOperand, width: number, depth: number): Layout {
  if (operand.contiguous === "k") return { k: 1, row: depth + padding, length: width * (depth + padding) };
  return { k: width + padding, row: 1, length: depth * (width + padding) };
}

export const spillLength = ({ invocations }: MatrixTiles, siblings: number): number =>
  (invocations / 32) * siblings * fragment * spillStride;

/** Undefined where a contraction is so small that fragments would be mostly empty, or does not fit. */
export function chooseMatrixTiles(spec: ContractSpec, parallel: Parallel): MatrixTiles | undefined {
  const { ragged } = spec;
  const siblings = spec.b.length;
  const groups = ragged?.groups ?? 1;
  const [m, n, k] = [spec.m, spec.n, spec.k].map(presume) as [number, number, number];
  if (Math.min(m, n, k) < fragment || parallel.workgroup < 32) return undefined;
  const others = spec.batch.reduce((all, size) => all * presume(size), 1);

  const each = 2 ** Math.floor(Math.log2(Math.max(1, (parallel.sums ?? 32) / 8 / siblings)));
  let tall = 2 ** Math.ceil(Math.log2(each) / 2);
  let wide = each / tall;
  const warps = parallel.workgroup / 32;
  let down = 2 ** Math.floor(Math.log2(warps) / 2);
  let across = warps / down;
  const rows = (): number => down * tall * fragment;
  const columns = (): number => across * wide * fragment;
  while (rows() < siblings * columns() && across > 1) [down, across] = [down * 2, across / 2];
  if (ragged?.kind === "rows" && groups > manyGroups)
    while (rows() > mostRaggedRows && down > 1) [down, across] = [down / 2, across * 2];
  const shorter = (): void => {
    if (tall > 1) tall /= 2;
    else down /= 2;
  };
  const narrower = (): void => {
    if (wide > 1) wide /= 2;
    else across /= 2;
  };
  while (rows() > fragment && rows() / 2 >= m) shorter();
  while (columns() > fragment && columns() / 2 >= n) narrower();
  const workgroups = (): number => {
    const tiles = Math.ceil(n / columns());
    if (ragged?.kind === "rows") return others * tiles * (groups + Math.floor(m / rows()));
    return others * groups * tiles * Math.ceil(m / rows());
  };
  const smaller = (): void => (rows() >= columns() ? shorter() : narrower());
  while (workgroups() < workgroupsWanted && rows() * columns() > 1024) smaller();

  const length = ragged?.kind === "reduction" ? undefined : known(spec.k);
  for (;;) {
    const tiles = { rows: rows(), columns: columns(), invocations: 32 * down * across, tall, wide, across };
    const vectors = parallel.vectors ?? false;
    for (const depth of [32, 16])
      for (const buffers of [2, 1] as const) {
        if (depth === 32 && (buffers === 1 || (length !== undefined && length % 32 !== 0))) continue;
        const made = { ...tiles, depth, buffers, vectors };
        const block = spec.b.reduce(
          (all, operand) => all + asInMemory(operand, tiles.columns, depth).length,
          asInMemory(spec.a, tiles.rows, depth).length,
        );
        const bytes = 2 * buffers * block + Math.max(4 * spillLength(made, siblings), fewRowsBytes);
        if (bytes <= parallel.scratch) return made;
      }
    if (rows() * columns() <= 256) return undefined;
    smaller();
  }
}
