// Counting picks. In: picks i32 [rows, width] (-1: none; from `experts` on: null experts) and a value for each row. Out: counts by
// expert, by value, by number of active experts. Pure; the only loops over all tokens of the report are here.

import type { Counted } from "./routing.ts";

export interface PickCounts {
  rows: number;
  empty: number;
  readonly load: number[];
  readonly active: number[];
}

export function countPicks(picks: Int32Array, width: number, experts: number, nulls: number): PickCounts {
  const rows = width === 0 ? 0 : Math.floor(picks.length / width);
  const load = new Array<number>(experts + nulls).fill(0);
  const active = new Array<number>(width + 1).fill(0);
  let empty = 0;
  for (let row = 0; row < rows; row++) {
    let experts_ = 0;
    for (let at = row * width; at < (row + 1) * width; at++) {
      const expert = picks[at]!;
      if (expert < 0 || expert >= load.length) empty++;
      else {
        load[expert]!++;
        if (expert < experts) experts_++;
      }
    }
    active[experts_]!++;
  }
  return { rows, empty, load, active };
}

/** Counts of one value. */
export interface ValueCount {
  readonly value: number;
  rows: number;
  readonly counts: Uint32Array;
}

/** How often each value met each expert. `valueOf` gives the value of a row, negative: not counted. */
export function countValues(
  picks: Int32Array,
  width: number,
  experts: number,
  valueOf: (row: number) => number,
): Map<number, ValueCount> {
  const found = new Map<number, ValueCount>();
  const rows = width === 0 ? 0 : Math.floor(picks.length / width);
  for (let row = 0; row < rows; row++) {
    const value = valueOf(row);
    if (value < 0) continue;
    let entry = found.get(value);
    if (entry === undefined) found.set(value, (entry = { value, rows: 0, counts: new Uint32Array(experts) }));
    entry.rows++;
    for (let at = row * width; at < (row + 1) * width; at++) {
      const expert = picks[at]!;
      if (expert >= 0 && expert < experts) entry.counts[expert]!++;
    }
  }
  return found;
}

export const counted = (label: string, { rows, counts }: ValueCount): Counted => ({
  label,
  rows,
  counts: [...counts],
});

/** Values merged by a group of their own: tokens by kind. */
export function mergeValues(
  values: Iterable<ValueCount>,
  experts: number,
  groupOf: (value: number) => number,
): Map<number, ValueCount> {
  const merged = new Map<number, ValueCount>();
  for (const { value, rows, counts } of values) {
    const group = groupOf(value);
    let entry = merged.get(group);
    if (entry === undefined)
      merged.set(group, (entry = { value: group, rows: 0, counts: new Uint32Array(experts) }));
    entry.rows += rows;
    for (let expert = 0; expert < experts; expert++) entry.counts[expert]! += counts[expert]!;
  }
  return merged;
}

/**
 * How much likelier than the average row a row with this value is to go to the expert: P(expert | value) / P(expert).
 * 1 says that the router does not care; 0 when nothing is known.
 */
export const lift = (count: number, rowsOfValue: number, load: number, rows: number): number =>
  rowsOfValue === 0 || load === 0 || rows === 0 ? 0 : (count / rowsOfValue) * (rows / load);

/**
 * The values that tell an expert from the others most, best first: those with the largest part in the divergence of what it sees
 * from what there is, P(value | expert) log lift. So a rare token needs a strong preference, a frequent one a clear one.
 */
export function mostTelling(
  values: readonly ValueCount[],
  expert: number,
  load: number,
  rows: number,
  most: number,
): readonly { readonly value: ValueCount; readonly count: number }[] {
  // Once or twice is chance, unless there is little of anything.
  const least = load >= 200 ? 3 : 1;
  const scored: { value: ValueCount; count: number; score: number }[] = [];
  for (const value of values) {
    const count = value.counts[expert]!;
    if (count < least) continue;
    const preference = lift(count, value.rows, load, rows);
    if (preference > 1) scored.push({ value, count, score: (count / load) * Math.log(preference) });
  }
  scored.sort((a, b) => b.score - a.score || a.value.value - b.value.value);
  return scored.slice(0, most);
}

/** [expert][feature]: mean of what went to the expert, in deviations from the mean of all rows; 0 for experts without rows. */
export function featureMeans(
  picks: Int32Array,
  width: number,
  experts: number,
  features: number,
  valueOf: (row: number, feature: number) => number,
): number[][] {
  const rows = width === 0 ? 0 : Math.floor(picks.length / width);
  const sum = new Float64Array(features);
  const squares = new Float64Array(features);
  const own = Array.from({ length: experts }, () => new Float64Array(features));
  const load = new Float64Array(experts);
  for (let row = 0; row < rows; row++)
    for (let feature = 0; feature < features; feature++) {
      const value = valueOf(row, feature);
      sum[feature]! += value;
      squares[feature]! += value * value;
      for (let at = row * width; at < (row + 1) * width; at++) {
        const expert = picks[at]!;
        if (expert < 0 || expert >= experts) continue;
        own[expert]![feature]! += value;
        if (feature === 0) load[expert]!++;
      }
    }
  return own.map((sums, expert) =>
    Array.from(sums, (total, feature) => {
      const mean = sum[feature]! / rows;
      const deviation = Math.sqrt(Math.max(0, squares[feature]! / rows - mean * mean));
      if (load[expert] === 0 || !(deviation > 0)) return 0;
      const z = (total / load[expert]! - mean) / deviation;
      return Number.isFinite(z) ? Math.round(z * 1000) / 1000 : 0;
    }),
  );
}
