// The numbers of a contraction whose blocks come by bulk copies. In: extents, what a workgroup may have. Out: tiles, or undefined where
// warpgroups have none. Numbers only.
//
// H100: one warpgroup multiplies tiles of 128 x 128 (or as many sums), another one does nothing but copy. A block of 64 along k is
// 512 cycles of the units, beside 384 to read operands from scratch (8 products of 6 KiB at 128 B) and 256 to write
// 32 KiB there: 640 in all, so scratch still holds it at 80 %. Two workgroups on a multiprocessor cover each other's epilogues. Rows of
// 128 bytes are what copies and products like best. Three blocks are 96 KiB of the 113 that a workgroup of two has; where blocks are
// larger, halves of them. An invocation that multiplies has 128 sums; of 2 x 128 registers that there are for one of each
// warpgroup it takes 200, where rows are gathered, and 216. None of this is measured.

import type { Parallel } from "../target.ts";
import type { ContractOperand, ContractSpec } from "./contract-spec.ts";
import { chooseMatrixTiles, spillLength, type MatrixTiles } from "./gpu-matrix-tiles.ts";
import { fewRowsBytes } from "./gpu-tiles.ts";

export interface BulkTiles extends MatrixTiles {
  readonly staging: { readonly stages: number };
  /** Of each invocation that multiplies, and of each that copies. */
  readonly registers: { readonly multiply: number; readonly copy: number };
}

/** Invocations that multiply, and that copy. */
export const warpgroup = 128;

export const isBulk = ({ copied }: ContractOperand): boolean => copied?.tensor !== undefined;

/** Stages that copies of single rows need: one is multiplied, one has been told of, one is on its way. */
const fewestStages = 3;

export function chooseBulkTiles(spec: ContractSpec, given: Parallel): BulkTiles | undefined {
  const { type, bulk } = given.matrix!;
  if (bulk === undefined) return undefined;
  const tiles = chooseMatrixTiles(spec, { ...given, matrix: { type, warpgroups: true } });
  if (tiles === undefined || !tiles.warpgroups || tiles.invocations !== warpgroup) return undefined;
  const all = [spec.a, ...spec.b].every(isBulk);
  const registers = all ? { multiply: 216, copy: 40 } : { multiply: 200, copy: 56 };
  const { rows, columns } = tiles;
  const floats = Math.max(4 * spillLength(tiles, spec.b.length), fewRowsBytes);
  for (const depth of [64, 32])
    for (const stages of [5, 4, fewestStages]) {
      const bytes = 2 * stages * depth * (rows + spec.b.length * columns) + floats + 16 * stages;
      if (bytes <= bulk) return { ...tiles, depth, staging: { stages }, registers };
    }
  return undefined;
}
