// Contractions with few rows: one token, experts with a handful of rows each, their weight gradients. Awkward extents, on wasm
// against plain loops and, small, on the kernel interpreter, which sees to bounds.

import { describe, expect, test } from "vitest";
import { printKernel } from "../compiler/print-kernel.ts";
import { check, interpret } from "./helpers/contraction-check.ts";
import { prepare, type Case } from "./helpers/contraction.ts";

/** Forty groups: so many that weights are read ahead and gradients are written at once. */
const routings: readonly (readonly [string, readonly number[]])[] = [
  ["every small count", Array.from({ length: 40 }, (_, i) => i % 20)],
  ["sixteen and seventeen", Array.from({ length: 40 }, (_, i) => 16 + (i % 2))],
  ["one takes all", Array.from({ length: 40 }, (_, i) => (i === 33 ? 330 : 0))],
  ["nobody", Array.from({ length: 40 }, () => 0)],
];
const bounded = (rows: readonly number[]): number => rows.reduce((sum, count) => sum + count, 0) + 3;

describe.each(routings)("forty groups: %s", (_, rows) => {
  const m = bounded(rows);
  test.each(["n", "k"] as const)("rows, b along %s", (b) => {
    for (const [n, k] of [
      [9, 1],
      [12, 3],
      [31, 33],
      [64, 70],
    ] as const)
      check({ ragged: "rows", rows, m, n, k, b });
    check({
      ragged: "rows",
      rows,
      m,
      n: 40,
      k: 66,
      b,
      gather: true,
      siblings: 2,
      epilogue: true,
      symbolic: "m",
    });
    check({ ragged: "rows", rows, m, n: 22, k: 18, b, prologue: true });
    check({ ragged: "rows", rows, m, n: 22, k: 37, b, symbolic: "nk" });
  });
  test("reduction", () => {
    for (const [own, n] of [
      [1, 1],
      [5, 9],
      [12, 24],
      [13, 30],
      [100, 40],
    ] as const)
      check({ ragged: "reduction", rows, k: m, n, m: own, a: "m" });
    check({
      ragged: "reduction",
      rows,
      k: m,
      n: 21,
      m: 26,
      a: "m",
      gather: true,
      siblings: 2,
      epilogue: true,
    });
    check({ ragged: "reduction", rows, k: m, n: 21, m: 26, a: "m", symbolic: "mnk" });
    check({ ragged: "reduction", rows, k: m, n: 21, m: 26, a: "k", b: "k" });
  });
});

test("more columns than one task streams", () => {
  const rows = Array.from({ length: 32 }, (_, i) => i % 7);
  for (const b of ["n", "k"] as const) check({ ragged: "rows", rows, m: 100, n: 530, k: 40, b });
  check({ ragged: "reduction", rows, k: 100, n: 530, m: 14, a: "m" });
});

describe("few dense rows", () => {
  const rows = [1, 2, 3, 4, 5];
  test.each(["n", "k"] as const)("b along %s", (b) => {
    for (const m of rows)
      for (const n of [1, 3, 4, 7, 24, 61, 150]) {
        check({ m, n, k: 37, b });
        check({ m, n, k: 300, b, symbolic: "mk", siblings: 2, epilogue: true });
      }
    check({ m: 1, n: 30, k: 1, b, batch: 3 });
  });
});

describe("the kernel interpreter agrees", () => {
  const rows = Array.from({ length: 33 }, (_, i) => (i % 3 === 0 ? 0 : i % 6));
  const m = bounded(rows);
  test.each(["n", "k"] as const)("rows, b along %s", (b) => {
    interpret({ ragged: "rows", rows, m, n: 14, k: 5, b, gather: true });
    interpret({ ragged: "rows", rows, m, n: 36, k: 35, b, siblings: 2, epilogue: true });
  });
  test("blocks that are read ahead in parts, of which the last has fewer rows", () => {
    const some = rows.map((_, i) => (i === 4 ? 7 : i === 5 ? 5 : 0));
    check({ ragged: "rows", rows, m, n: 512, k: 70, siblings: 2, gather: true });
    interpret({ ragged: "rows", rows: some, m: 15, n: 512, k: 34 });
    interpret({ ragged: "rows", rows: some, m: 15, n: 512, k: 17 });
  });
  test("reduction", () => {
    interpret({ ragged: "reduction", rows, k: m, n: 14, m: 13, a: "m", siblings: 2 });
    interpret({
      ragged: "reduction",
      rows: rows.map((count, i) => (i === 4 ? 70 : count)),
      k: m + 66,
      n: 9,
      m: 5,
      a: "m",
    });
  });
  test("one row", () => {
    for (const b of ["n", "k"] as const) for (const n of [1, 14, 50]) interpret({ m: 1, n, k: 6, b });
    interpret({ m: 3, n: 14, k: 6, symbolic: "mnk" });
  });
});

describe("what is copied", () => {
  const text = (item: Case): string => printKernel(prepare(item).kernel);
  test("one row packs no weights", () => expect(text({ m: 1, n: 64, k: 64 })).not.toMatch(/bBlock0\[.*\] =/));
  test("weights along k are never packed", () =>
    expect(text({ m: 64, n: 64, k: 64, b: "k" })).not.toContain("bBlock"));
});
