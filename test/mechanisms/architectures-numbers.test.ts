// Reference numbers of routers on random logits, from independent simulations: how many experts a mass or a threshold takes, and how even
// devices are with and without groups. Means over samples, with the tolerance that the samples allow.

import { describe, expect, test } from "vitest";
import { onStdLogits } from "../helpers/known-answers.ts";
import { counts, mean, sum, type Rows } from "../helpers/plain.ts";

/** Standard normal numbers, the same each time (a linear congruence and Box-Muller). */
function normals(seed: number, rows: number, columns: number): Rows {
  let state = BigInt(seed);
  const uniform = (): number => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & ((1n << 64n) - 1n);
    return (Number(state >> 11n) + 0.5) / 2 ** 53;
  };
  const normal = (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return Array.from({ length: rows }, () => Array.from({ length: columns }, normal));
}
const times = (rows: Rows, by: number): Rows => rows.map((row) => row.map((value) => value * by));

/** Picks of a router over the logits given, in training. */
const picksOf = (module: string, router: string, logits: Rows): Rows =>
  onStdLogits(module, router, logits).picks;
const active = (picks: Rows): number => mean(picks.map((row) => row.filter((e) => e >= 0).length));

test.each([
  [0, 7],
  [0.5, 4.3],
  [1, 2.6],
  [2, 1.5],
])("a mass of 0.4 of 16 experts, logits of deviation %d: %d experts", (deviation, wanted) => {
  const apply = "TopP { N = 16, threshold = 0.4, strict = false }";
  const found = active(picksOf("routers", apply, times(normals(1, 300, 16), deviation)));
  expect(Math.abs(found - wanted)).toBeLessThan(0.15);
});

test.each([
  [2, 8],
  [1, 7.8],
  [0.5, 5.5],
  [0.3, 3.5],
  [0.1, 1.6],
])("8 experts above 0.001 at temperature %d: %d", (tau, wanted) => {
  const found = active(picksOf("sparsity", `DenseToSparse { N = 8, tau = ${tau} }`, normals(2, 600, 8)));
  expect(Math.abs(found - wanted)).toBeLessThan(0.2);
});

describe("8 of 64 experts on 8 devices: (most - least loaded) / tokens", () => {
  const logits = normals(3, 1024, 64);
  const spread = (picks: Rows, tokens: number): number[] =>
    Array.from({ length: picks.length / tokens }, (_, batch) => {
      const load = counts(picks.slice(batch * tokens, (batch + 1) * tokens), 64);
      const devices = Array.from({ length: 8 }, (__, d) => sum(load.slice(8 * d, 8 * d + 8)));
      return (Math.max(...devices) - Math.min(...devices)) / tokens;
    });
  test("the best of all: 2.45 at 1 token, 0.67 at 16, 0.17 at 256", () => {
    const picks = picksOf("routers", "TopK { N = 64, k = 8 }", logits);
    expect(Math.abs(mean(spread(picks, 1)) - 2.45)).toBeLessThan(0.1);
    expect(Math.abs(mean(spread(picks, 16)) - 0.67)).toBeLessThan(0.08);
    expect(Math.min(...spread(picks, 16))).toBeGreaterThan(0);
    expect(Math.abs(mean(spread(picks, 256)) - 0.17)).toBeLessThan(0.06);
  });
  test("one of every group: 0", () => {
    const picks = picksOf("routers", "Grouped { N = 64, groups = 8 }", logits);
    for (const tokens of [1, 16, 256]) expect(Math.max(...spread(picks, tokens))).toBe(0);
  });
});
