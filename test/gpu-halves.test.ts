// Contractions of operands of half width without matrix units, by the kernel interpreter against plain loops: tall tiles that are staged
// as they are, few rows that read four neighbours at once. Operands are numbers that half width holds, so that only the order of additions
// differs.

import { describe, expect, test } from "vitest";
import type { Stmt } from "../compiler/kernel.ts";
import type { Parallel } from "../compiler/target.ts";
import type { Case } from "./helpers/contraction.ts";
import { check, layouts, medium, prepareFor } from "./helpers/gpu-contraction.ts";

const webgpu: Parallel = { workgroup: 64, scratch: 16384 };

describe.each(layouts)("a along $a, b along $b", (layout) => {
  test("tall tiles", () => {
    for (const half of ["f16", "bf16"] as const) {
      check({ m: 37, n: 36, k: 48, siblings: 2, epilogue: true, half, ...layout }, webgpu);
      check({ batch: 2, m: 33, n: 19, k: 21, half, ...layout }, medium);
    }
    check({ m: 18, n: 6, k: 260, half: "f16", symbolic: "m", ...layout }, webgpu);
  });
  test("few rows", () => {
    for (const m of [1, 5, 9])
      check({ m, n: 40, k: 24, siblings: 2, epilogue: true, half: "f16", ...layout });
    check({ m: 3, n: 68, k: 260, half: "bf16", ...layout }, medium);
    check({ m: 1, n: 36, k: 20, half: "bf16", symbolic: "m", ...layout }, webgpu);
  });
  test("extents that are no fours", () => {
    for (const m of [2, 20]) check({ m, n: 13, k: 7, half: "f16", ...layout }, webgpu);
    check({ m: 2, n: 12, k: 20, half: "f16", symbolic: "nk", ...layout }, webgpu);
  });
});

test("rows of a routing, few and many, and their reduction", () => {
  for (const rows of [
    [0, 30, 1, 45],
    [1, 0, 2, 1],
    [0, 0, 0],
  ])
    for (const b of ["n", "k"] as const) {
      const m = 8 * rows.length + 60;
      check({ ragged: "rows", rows, m, n: 24, k: 20, b, gather: true, half: "f16", symbolic: "m" }, webgpu);
    }
  check({ ragged: "rows", rows: [2, 3, 0, 1], m: 12, n: 24, k: 20, half: "bf16", siblings: 2 });
  check({ ragged: "reduction", rows: [0, 30, 1, 17], k: 64, n: 20, m: 18, a: "m", half: "f16" }, webgpu);
});

describe("what is read and kept", () => {
  const loadsIn = (list: readonly Stmt[]): string =>
    JSON.stringify(list, (key, value: unknown) => (key === "index" ? undefined : value));
  const kernelOf = (item: Case, parallel: Parallel) => prepareFor(item, parallel).kernel;

  test("one row reads four weights at once", () => {
    for (const b of ["n", "k"] as const) {
      const { body } = kernelOf({ m: 1, n: 64, k: 64, b, half: "f16" }, webgpu);
      expect(loadsIn(body)).toContain('{"op":"load","type":"f32x4","buffer":"b0"}');
    }
  });
  test("tiles lie in scratch of that type; sums do not", () => {
    const item = { m: 64, n: 64, k: 64 };
    const types = (half?: "f16"): unknown =>
      kernelOf(half === undefined ? item : { ...item, half }, webgpu).scratch.map(({ type }) => type);
    expect(types()).toEqual(["f32"]);
    expect(types("f16")).toEqual(["f16", "f32"]);
  });
});
