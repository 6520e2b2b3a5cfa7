// Scheduled contractions against plain loops: every operand layout, awkward extents, extents that are known at launch only,
// prologues, siblings, ragged rows and ragged reductions with empty and dominating groups; on wasm and, small, interpreted.

import { describe, expect, test } from "vitest";
import { printKernel } from "../compiler/print-kernel.ts";
import { evaluate } from "../runtime/size.ts";
import { check, interpret } from "./helpers/contraction-check.ts";
import { prepare, type Case } from "./helpers/contraction.ts";

const kernelOf = (item: Case): string => printKernel(prepare(item).kernel);
const layouts = (["k", "m"] as const).flatMap((a) => (["n", "k"] as const).map((b) => ({ a, b })));
const awkward = [1, 5, 6, 7, 8, 9, 97];

describe.each(layouts)("dense, a along $a, b along $b", ({ a, b }) => {
  test("every awkward m and n", () => {
    for (const m of awkward) for (const n of awkward) check({ m, n, k: 7, a, b });
  });
  test("every awkward k", () => {
    for (const k of awkward) check({ m: 13, n: 20, k, a, b });
  });
  test("extents known at launch", () => {
    for (const symbolic of ["m", "n", "k", "mnk"])
      for (const m of awkward) check({ m, n: 98 - m, k: m + 3, a, b, symbolic });
  });
  test("several blocks in every direction", () => {
    check({ m: 200, n: 150, k: 1030, a, b });
    check({ m: 200, n: 150, k: 530, a, b, symbolic: "mnk" });
  });
  test("batches, siblings, prologue and epilogue", () => {
    for (const siblings of [1, 2, 3])
      check({ batch: 3, m: 14, n: 26, k: 11, a, b, siblings, prologue: true, epilogue: true });
    check({ batch: 2, m: 14, n: 26, k: 11, a, b, siblings: 2, prologue: true, symbolic: "mnk" });
  });
});

const routings: readonly (readonly [string, readonly number[]])[] = [
  ["even", [8, 8, 8, 8]],
  ["empty groups", [0, 3, 0, 17, 0]],
  ["one group", [20]],
  ["one takes all", [0, 0, 450, 0]],
  ["single rows", [1, 1, 2, 1, 0, 5, 4]],
  ["nobody", [0, 0, 0]],
  ["many rows", [97, 200]],
];

describe.each(routings)("ragged: %s", (_, rows) => {
  // Some rows of the bound are never used.
  const bound = rows.reduce((sum, count) => sum + count, 0) + 5;
  test.each(["n", "k"] as const)("rows, b along %s", (b) => {
    check({ ragged: "rows", rows, m: bound, n: 21, k: 10, b, gather: true, siblings: 2, epilogue: true });
    check({ ragged: "rows", rows, m: bound, n: 40, k: 33, b, symbolic: "m" });
  });
  test.each(["n", "k"] as const)("reduction, b along %s", (b) => {
    check({
      ragged: "reduction",
      rows,
      k: bound,
      n: 21,
      m: 10,
      a: "m",
      b: b === "k" ? "n" : b,
      gather: true,
      siblings: 2,
      epilogue: true,
    });
    check({ ragged: "reduction", rows, k: bound, n: 16, m: 50, a: "m", symbolic: "k" });
  });
});

describe("short inner products, with fewer rows than are worth packing and with more", () => {
  const shapes = [16, 33, 64].flatMap((k) => [k + 15, k + 16, 135].map((m) => ({ m, k })));
  test.each(shapes)("$m rows, k $k", ({ m, k }) => {
    for (const n of [1, 8, 13, 135]) check({ m, n, k, b: "k" });
    check({ m, n: 30, k, b: "k", symbolic: "mn", siblings: 2, epilogue: true, gather: true });
    check({ batch: 3, m, n: m, k, b: "k", symbolic: "mn", prologue: m % 2 === 0 });
  });
  test("many batches", () => {
    check({ batch: 32, m: 130, n: 20, k: 16, b: "k" });
    check({ batch: 5, m: 130, n: 20, k: 16, b: "k", symbolic: "mn", epilogue: true });
  });
  test("b is packed for many rows only", () => {
    const packs = (m: number): boolean => /bBlock0\[.*\] =/.test(kernelOf({ m, n: 64, k: 32, b: "k" }));
    expect([47, 48].map(packs)).toEqual([false, true]);
  });
});

describe("the kernel interpreter agrees", () => {
  test("dense", () => {
    for (const layout of layouts) interpret({ m: 7, n: 13, k: 5, ...layout, siblings: 2, prologue: true });
  });
  test("one vector of columns in a panel of eight", () => {
    for (const layout of layouts) interpret({ m: 4, n: 4, k: 5, ...layout });
  });
  test("sizes known at launch", () => {
    for (const layout of layouts) interpret({ m: 5, n: 22, k: 6, ...layout, symbolic: "mnk" });
  });
  test("short inner products", () => {
    interpret({ m: 50, n: 22, k: 17, b: "k", symbolic: "mn", siblings: 2 });
    interpret({ m: 34, n: 9, k: 16, b: "k", epilogue: true });
  });
  test("ragged", () => {
    interpret({ ragged: "rows", rows: [0, 3, 5, 1], m: 12, n: 14, k: 5, gather: true });
    interpret({ ragged: "rows", rows: [0, 30], m: 34, n: 14, k: 5, b: "k", symbolic: "m" });
    interpret({ ragged: "reduction", rows: [0, 3, 5, 1], k: 12, n: 14, m: 13, a: "m" });
  });
});

test("without fused multiply-adds", () => check({ m: 50, n: 60, k: 70 }, false));

test("the grid depends on sizes, never on data", () => {
  const grid = (rows: readonly number[]): number => {
    const { kernel, sizes } = prepare({ ragged: "rows", rows, m: 4096, n: 512, k: 256, symbolic: "m" });
    return evaluate(kernel.grid, sizes);
  };
  expect(grid([4096, 0, 0, 0])).toBe(grid([1024, 1024, 1024, 1024]));
});

test("enough tasks for sixteen threads, also when one expert takes all", () => {
  const { kernel, sizes } = prepare({
    ragged: "rows",
    rows: [0, 1024, 0, 0],
    m: 1024,
    n: 256,
    k: 64,
    symbolic: "m",
  });
  expect(evaluate(kernel.grid, sizes)).toBeGreaterThanOrEqual(16);
});
