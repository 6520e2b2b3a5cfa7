// Contractions on matrix units, by the kernel interpreter against plain loops. Operands are numbers that half width can hold, so
// that only the order of additions differs.

import { describe, test } from "vitest";
import type { Case } from "./helpers/contraction.ts";
import { check, layouts, withMatrix } from "./helpers/gpu-contraction.ts";

describe("a pipeline of operands of half width", () => {
  const dense: readonly (readonly [string, Case])[] = [
    ["whole tiles", { m: 64, n: 64, k: 64 }],
    ["awkward rows", { m: 37, n: 24, k: 40 }],
    ["k of many blocks", { m: 24, n: 16, k: 200 }],
    ["a batch of siblings", { batch: 2, m: 24, n: 32, k: 24, siblings: 2 }],
    ["extents known at launch", { m: 33, n: 16, k: 104, symbolic: "m" }],
    ["one operand of f32", { m: 24, n: 24, k: 136, halved: "b" }],
    ["the other of f32", { m: 24, n: 24, k: 136, halved: "a" }],
  ];
  test.each(dense)("%s", (_, item) => {
    for (const layout of layouts)
      check({ ...item, ...layout, half: "bf16", epilogue: true }, withMatrix("bf16", 32));
    check({ ...item, half: "f16" }, withMatrix("f16", 64));
  });
  test("rows of a routing", () => {
    for (const rows of [[0, 30, 1, 45], [90], [0, 0, 0, 70, 0]])
      for (const b of ["n", "k"] as const) {
        const item = { ragged: "rows", rows, m: 8 * rows.length + 100, n: 24, k: 40, b } as const;
        check({ ...item, gather: true, siblings: 2, symbolic: "m", half: "bf16" }, withMatrix("bf16", 32));
      }
  });
  test("a reduction over the rows of a routing", () => {
    for (const rows of [[0, 30, 1, 77], [40], [0, 0, 0]]) {
      const item = { ragged: "reduction", rows, k: 128, n: 24, m: 16, a: "m", gather: true } as const;
      check({ ...item, half: "bf16" }, withMatrix("bf16", 32));
    }
  });
});

describe("matrix units", () => {
  const dense: readonly (readonly [string, Case])[] = [
    ["whole tiles", { m: 64, n: 32, k: 32 }],
    ["awkward extents", { m: 37, n: 21, k: 19 }],
    ["k of several blocks", { m: 20, n: 18, k: 70 }],
    [
      "a batch of siblings with prologue and epilogue",
      { batch: 2, m: 18, n: 20, k: 16, siblings: 2, prologue: true },
    ],
    ["extents known at launch", { m: 33, n: 17, k: 24, symbolic: "mnk" }],
    ["few rows, known at launch", { m: 5, n: 17, k: 24, symbolic: "m" }],
  ];
  test.each(dense)("%s", (_, item) => {
    for (const layout of layouts) check({ ...item, ...layout, epilogue: true }, withMatrix("bf16", 32));
    check(item, withMatrix("f16", 64));
  });
  test("rows of a routing", () => {
    for (const rows of [[0, 30, 1, 45], [90], [0, 0, 0, 70, 0]])
      for (const b of ["n", "k"] as const)
        check(
          {
            ragged: "rows",
            rows,
            m: 8 * rows.length + 100,
            n: 20,
            k: 18,
            b,
            gather: true,
            siblings: 2,
            symbolic: "m",
          },
          withMatrix("bf16", 32),
        );
  });
  test("a reduction over the rows of a routing", () => {
    for (const rows of [[0, 30, 1, 17], [40], [0, 0, 0]])
      check({ ragged: "reduction", rows, k: 64, n: 20, m: 18, a: "m", gather: true }, withMatrix("bf16", 32));
  });
});
