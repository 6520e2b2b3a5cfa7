// The numbers of a contraction's schedule on a GPU. In: extents and what a workgroup may have. Out: tiles. Numbers only.
//
// A tile of BM x BN stages (1/BM + 1/BN) x 4 bytes for each multiply-add. H100, 132 x 128 multiply-adds a cycle at 1.7 GHz:
// 128 x 128 asks 0.06 B each, 1.8 TB/s of a second-level cache that gives about 5.5. 64 sums make 105 to 128 registers (nvcc 13,
// sm_90a): two workgroups of 256 a multiprocessor. Scratch gives 128 B a cycle: a step of 8 x 8 reads 6 waves of that beside 16
// cycles of arithmetic. A laptop (1.3 T multiply-adds/s) with 32 sums and 128 x 64: 0.09 B each, 120 GB/s from its caches, and
// 12.8 KiB of scratch. Small results: tiles are halved until there are workgroups enough, and the invocations that this frees
// share out k (`slices`). None of this is measured.

import { evaluate, known, namesOf, type Size } from "../../runtime/size.ts";
import type { Parallel } from "../target.ts";
import type { ContractSpec } from "./contract-spec.ts";

export interface GpuTiles {
  /** Of the result, for each sibling. */
  readonly rows: number;
  readonly columns: number;
  /** Length of k that is staged at once, for all slices together. */
  readonly depth: number;
  /** Sums of an invocation: 4 or 8 rows by 4 or 8 columns, for each sibling. */
  readonly tall: 4 | 8;
  readonly wide: 4 | 8;
  /** Groups of invocations that sum different parts of k. */
  readonly slices: number;
  readonly invocations: number;
  /** Blocks in scratch: with two, one is filled while the other is multiplied. */
  readonly buffers: 1 | 2;
  /** Plain operands are read four neighbours at a time. */
  readonly vectors: boolean;
}

/** Scratch that few rows take (gpu-few-rows.ts) beside blocks of half width, at most. */
export const fewRowsBytes = 12288;
/** Where scratch is short, the larger part of it. */
export const fewRowsRoom = ({ scratch }: Parallel): number => Math.min(fewRowsBytes, (scratch / 8) * 5);

/** What is taken for a size that is known at launch only. */
const presumed = 512;
/** Sums that an invocation keeps where the target says nothing. */
const fewestSums = 32;
/** Workgroups that keep a large GPU busy. */
export const workgroupsWanted = 128;
const smallestTile = 256;
const mostSlices = 16;
/** What runs in step on a GPU anyway. */
const fewestInvocations = 32;
/** A group's last tile is half empty on average: with many groups, tall tiles multiply nothing for much of their time. */
const mostRaggedRows = 64;
/** So that loads from scratch of four in a row start at a multiple of four, and writes down a column meet few others. */
export const padding = 4;

export function presume(size: Size): number {
  const value = known(size);
  if (value !== undefined) return value;
  return Math.max(1, evaluate(size, Object.fromEntries([...namesOf(size)].map((name) => [name, presumed]))));
}

export function chooseGpuTiles(spec: ContractSpec, parallel: Parallel): GpuTiles {
  const siblings = spec.b.length;
  const sums = Math.max(16, parallel.sums ?? fewestSums) / siblings;
  const { ragged } = spec;
  const groups = ragged?.groups ?? 1;
  const [m, n, k] = [spec.m, spec.n, spec.k].map(presume) as [number, number, number];
  const depthThere = ragged?.kind === "reduction" ? k / groups : k;
  const others = spec.batch.reduce((all, size) => all * presume(size), 1);

  const full = parallel.workgroup;
  let tall: 4 | 8 = sums >= 32 ? 8 : 4;
  let wide: 4 | 8 = sums >= 64 ? 8 : 4;
  // Invocations down and across the tile.
  let down = 2 ** Math.floor(Math.log2(full) / 2);
  let across = full / down;
  let slices = 1;
  const rows = (): number => down * tall;
  const columns = (): number => across * wide;
  const staged = (depth: number): number =>
    (spec.half === undefined ? 4 : 2) * depth * (rows() + siblings * columns() + padding * (1 + siblings));
  /** Of sums that slices hand to each other. */
  const handed = (count: number): number => (count === 1 ? 0 : 2 * count * rows() * columns());
  /** Blocks of f32 lie where other floats do, but at another time; others beside them. */
  const few = ragged?.kind === "reduction" ? 0 : fewRowsRoom(parallel);
  const fits = (bytes: number, count = slices): boolean =>
    bytes + (spec.half === undefined ? 0 : Math.max(few, handed(count))) <= parallel.scratch;
  /** The invocations that a smaller tile frees share out k, where it is long enough for that. */
  const shareOut = (): void => {
    const next = 2 * slices;
    const room = fits(staged(4 * next), next) && handed(next) <= parallel.scratch;
    if (next <= mostSlices && 8 * next <= depthThere && room) slices = next;
  };
  const halve = (axis: "rows" | "columns"): void => {
    if (axis === "rows" ? down === 1 : across === 1) {
      if (axis === "rows") tall = 4;
      else wide = 4;
      return;
    }
    if (axis === "rows") down /= 2;
    else across /= 2;
    shareOut();
  };
  const halveLonger = (): void => halve(rows() >= columns() ? "rows" : "columns");
  const smallest = (): boolean => rows() * columns() <= smallestTile;

  if (ragged?.kind === "rows" && groups > 1)
    while (rows() > mostRaggedRows) [down, across] = [down / 2, across * 2];
  while (rows() > 4 && rows() / 2 >= m) halve("rows");
  while (columns() > 4 && columns() / 2 >= n) halve("columns");
  const workgroups = (): number => {
    const tiles = Math.ceil(n / columns());
    if (ragged?.kind === "rows") return others * tiles * (groups + Math.floor(m / rows()));
    return others * groups * tiles * Math.ceil(m / rows());
  };
  while (workgroups() < workgroupsWanted && !smallest()) halveLonger();
  while (!fits(staged(4 * slices)) && !smallest()) halveLonger();
  while (down * across * slices < Math.min(fewestInvocations, full)) slices *= 2;
  const invocations = down * across * slices;
  const depth = chooseDepth(spec, slices, (length) => fits(staged(length)));
  const buffers = fits(2 * staged(depth)) ? 2 : 1;
  const vectors = parallel.vectors ?? false;
  return { rows: rows(), columns: columns(), depth, tall, wide, slices, invocations, buffers, vectors };
}

/** Long enough to meet seldom, and a divisor of k where that is possible: then nothing is checked along k. */
function chooseDepth(spec: ContractSpec, slices: number, fits: (depth: number) => boolean): number {
  const k = spec.ragged?.kind === "reduction" ? undefined : known(spec.k);
  if (slices === 1 && k !== undefined && k > 0 && k <= 16 && fits(k)) return k;
  const options = slices === 1 ? [16, 8, 12, 4] : [8 * slices, 4 * slices];
  const possible = options.filter(fits);
  const exact = possible.find((depth) => k !== undefined && k % depth === 0 && depth >= 8);
  return exact ?? possible[0] ?? 4 * slices;
}
