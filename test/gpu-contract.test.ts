// Contractions scheduled for GPUs, by the kernel interpreter against plain loops: every operand layout, awkward extents, sizes
// known at launch only, prologues, siblings, routings.

import { describe, expect, test } from "vitest";
import { evaluate } from "../runtime/size.ts";
import { prepare } from "./helpers/contraction.ts";
import { check, layouts, medium } from "./helpers/gpu-contraction.ts";

describe.each(layouts)("dense, a along $a, b along $b", ({ a, b }) => {
  test("awkward extents, few rows and many", () => {
    for (const m of [1, 9, 21]) for (const n of [1, 4, 18]) check({ m, n, k: 7, a, b });
  });
  test("awkward k", () => {
    for (const k of [1, 16, 19, 40]) for (const m of [5, 19]) check({ m, n: 12, k, a, b });
  });
  test("extents known at launch", () => {
    for (const m of [1, 16, 18]) check({ m, n: 13, k: 21, a, b, symbolic: "mnk" });
    for (const m of [2, 20]) check({ m, n: 16, k: 24, a, b, symbolic: "m" });
  });
  test("long k is shared out", () => {
    check({ m: 18, n: 6, k: 260, a, b });
    check({ m: 20, n: 6, k: 130, a, b, symbolic: "mk" }, medium);
  });
  test("reads of four neighbours, two blocks in flight", () => {
    for (const siblings of [1, 2]) check({ m: 36, n: 20, k: 48, a, b, siblings }, medium);
    check({ m: 32, n: 32, k: 28, a, b, prologue: true, epilogue: true }, medium);
    check({ batch: 2, m: 20, n: 24, k: 20, a, b, symbolic: "k" }, medium);
  });
  test("tiny results", () => {
    for (const m of [2, 14, 18]) check({ m, n: 3, k: 8, a, b, symbolic: "m" });
  });
  test("several tiles in every direction", () => check({ m: 70, n: 70, k: 12, a, b }, medium));
  test("batches, siblings, prologue and epilogue", () => {
    for (const siblings of [1, 2, 3])
      for (const m of [5, 18])
        check({ batch: 2, m, n: 10, k: 9, a, b, siblings, prologue: true, epilogue: true });
  });
});

const routings: readonly (readonly [string, readonly number[]])[] = [
  ["even", [8, 8, 8, 8]],
  ["empty groups", [0, 3, 0, 17, 0]],
  ["one group", [20]],
  ["one takes all", [0, 0, 90, 0]],
  ["single rows", [1, 1, 2, 1, 0, 5, 4]],
  ["fewer rows than groups", [0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0]],
  ["one row", [0, 1, 0, 0, 0]],
  ["nobody", [0, 0, 0]],
  ["many rows", [37, 50]],
];

describe.each(routings)("ragged: %s", (_, rows) => {
  const used = rows.reduce((sum, count) => sum + count, 0);
  // Some rows of the bound are never used; a larger bound takes tall tiles.
  const bounds = [Math.max(1, used), used + 5, Math.max(used, 8 * rows.length) + 3];
  test("rows", () => {
    for (const m of bounds)
      check({ ragged: "rows", rows, m, n: 13, k: 6, gather: true, siblings: 2, epilogue: true });
    check({ ragged: "rows", rows, m: bounds[1]!, n: 12, k: 11, b: "k", symbolic: "m" });
    check({ ragged: "rows", rows, m: bounds[2]!, n: 16, k: 16, gather: true, symbolic: "m" }, medium);
  });
  test("reduction", () => {
    const common = { ragged: "reduction", rows, k: bounds[1]!, a: "m" } as const;
    check({ ...common, n: 13, m: 10, gather: true, siblings: 2, epilogue: true });
    check({ ...common, n: 8, m: 20, symbolic: "k" });
    check({ ...common, n: 16, m: 12, gather: true, siblings: 2 }, medium);
  });
});

test("the grid depends on sizes, never on data, and no table could promise much less", () => {
  const grid = (rows: readonly number[], m: number): number => {
    const { kernel, sizes } = prepare({ ragged: "rows", rows, m, n: 64, k: 1, symbolic: "m" }, { ...medium });
    return evaluate(kernel.grid, sizes);
  };
  const spread = (groups: number, rows: number): number[] =>
    Array.from({ length: groups }, () => rows / groups);
  expect(grid([4096, 0, 0, 0], 4096)).toBe(grid([1024, 1024, 1024, 1024], 4096));
  // What decoding would launch costs a long batch next to nothing.
  const long = grid(spread(64, 2 ** 16), 2 ** 16);
  expect(grid(spread(64, 2 ** 17), 2 ** 17)).toBeGreaterThan(1.8 * long);
});
