// The numbers of a contraction's schedule on matrix units. In: extents, what a workgroup may have. Out: tiles. Numbers only.
//
// H100, by arithmetic: `mma.sync` reaches some 60 % of the units' 2048 multiply-adds a cycle and multiprocessor. A warp of 4 x 2
// fragments reads (4 + 2) x 512 B of scratch for 8 x 4096 multiply-adds: 24 cycles of scratch beside 26 of arithmetic. A tile of
// 128 x 128 reads 1 KiB of f32 operands for 16384 multiply-adds, 79 B a cycle at that rate where the second-level cache gives
// about 64: operands stored as f32 hold it at about 450 TFLOP/s, whatever the schedule. 64 sums, 16 to 32 values on their way and
// the fragments fit 128 registers (nvcc 13, sm_90a): two workgroups of eight warps a multiprocessor cover each other's barriers.
//
// Operands stored at half width ask half of that, 40 B a cycle, and come through a pipeline that keeps nothing in registers. Then
// four warps of 4 x 4 fragments make the same tile: a block of 128 x 128 x 32 is 524288 multiply-adds, 413 cycles on an H100 by the
// rate above and 512 on an A100, beside 128 cycles to write 16 KiB of scratch and 256 to read 32 KiB; eight warps of 4 x 2 would
// read 48 KiB. 128 sums and the fragments are some 200 of 255 registers. Four stages are 64 KiB: with the epilogue's 12 two
// workgroups fit the 164 KiB of an A100's multiprocessor, and one the 99 KiB that the smallest devices give. Three blocks are on their
// way while one is multiplied: 1200 cycles, 700 ns, what memory takes. None of this is measured.

import { known } from "../../runtime/size.ts";
import type { HalfType } from "../kernel.ts";
import type { Parallel } from "../target.ts";
import type { ContractOperand, ContractSpec } from "./contract-spec.ts";
import type { Layout } from "./gpu-stage.ts";
import { fewRowsBytes, presume, workgroupsWanted } from "./gpu-tiles.ts";

export interface MatrixTiles {
  readonly rows: number;
  readonly columns: number;
  /** Length of k that is staged at once: a number of fragments. */
  readonly depth: number;
  readonly invocations: number;
  readonly vectors: boolean;
  /** Of the blocks in scratch. */
  readonly type: HalfType;
  /** Blocks of a pipeline; or blocks that wait in registers and are rounded on their way. */
  readonly staging: { readonly stages: number } | { readonly buffers: 1 | 2 };
  /** Fragments of a warp, for each sibling, and warps side by side. */
  readonly tall: number;
  readonly wide: number;
  readonly across: number;
  /** Fragments side by side that go through the epilogue at once. */
  readonly spilled: 1 | 2;
  /** Whether there is a variant in which warpgroups multiply. */
  readonly warpgroups: boolean;
}

/** Of the rows of a tile. */
export const rowsOfWarpgroup = ({ rows, invocations }: MatrixTiles): number => (rows * 128) / invocations;

/** Rows and columns of a fragment, and its k. */
export const fragment = 16;
/** Halves that keep rows 16 bytes aligned and neighbouring rows in different banks. */
const padding = 8;
/** Elements from row to row of spilled sums: eight apart, the pairs of a warp are in different banks. */
export const spillStride = ({ spilled }: Pick<MatrixTiles, "spilled">): number => spilled * fragment + 8;
/** With more groups than this their last tiles, half empty, are worth shorter ones. */
const manyGroups = 64;
const mostRaggedRows = 64;

/** Neighbours of memory are neighbours of scratch: [row][k] or [k][row]. */
export function asInMemory(operand: ContractOperand, width: number, depth: number): Layout {
  if (operand.contiguous === "k") return { k: 1, row: depth + padding, length: width * (depth + padding) };
  return { k: width + padding, row: 1, length: depth * (width + padding) };
}

export const spillLength = (tiles: Pick<MatrixTiles, "invocations" | "spilled">, siblings: number): number =>
  (tiles.invocations / 32) * siblings * fragment * spillStride(tiles);

/** Length of k that a stage of a pipeline holds: rows of 64 bytes. */
const stageDepth = 32;

/** Whether an operand lies in memory as it is multiplied, in pieces that can be copied. */
const isPipelined = (spec: ContractSpec, type: HalfType): boolean =>
  operandsOf(spec).some(({ copied }) => copied?.type === type);
const operandsOf = ({ a, b }: ContractSpec): readonly ContractOperand[] => [a, ...b];

/** Copies hold no registers on their way: half the invocations keep twice the sums, which reads less of scratch. */
const forPipeline = (parallel: Parallel): Parallel => ({
  ...parallel,
  workgroup: Math.max(32, parallel.workgroup / 2),
  sums: 2 * (parallel.sums ?? 32),
});

/** Undefined where a contraction is so small that fragments would be mostly empty, or does not fit. */
export function chooseMatrixTiles(spec: ContractSpec, given: Parallel): MatrixTiles | undefined {
  const { ragged } = spec;
  const { type } = given.matrix!;
  const pipelined = isPipelined(spec, type);
  const parallel = pipelined ? forPipeline(given) : given;
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
    const spilled = siblings === 1 && wide % 2 === 0 ? 2 : 1;
    const common = { ...tiles, vectors, type, spilled } as const;
    const floats = Math.max(4 * spillLength(common, siblings), fewRowsBytes);
    if (pipelined)
      for (const stages of [4, 3]) {
        const bytes = 2 * stages * stageDepth * (tiles.rows + siblings * tiles.columns) + floats;
        if (bytes > parallel.scratch) continue;
        const made = { ...common, depth: stageDepth, staging: { stages }, warpgroups: false };
        const warpgroups =
          parallel.matrix!.warpgroups === true &&
          // With others, which take registers on their way, nvcc 13 lets nothing else go on beside products.
          operandsOf(spec).every(({ copied }) => copied?.type === type) &&
          made.invocations % 128 === 0 &&
          rowsOfWarpgroup(made) % 64 === 0 &&
          made.columns <= 256;
        return { ...made, warpgroups };
      }
    else
      for (const depth of [32, 16])
        for (const buffers of [2, 1] as const) {
          if (depth === 32 && (buffers === 1 || (length !== undefined && length % 32 !== 0))) continue;
          const block = spec.b.reduce(
            (all, operand) => all + asInMemory(operand, tiles.columns, depth).length,
            asInMemory(spec.a, tiles.rows, depth).length,
          );
          if (2 * buffers * block + floats <= parallel.scratch)
            return { ...common, depth, staging: { buffers }, warpgroups: false };
        }
    if (rows() * columns() <= 256) return undefined;
    smaller();
  }
}
