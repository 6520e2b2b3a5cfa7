// What nvcc makes of printed kernels: everything compiles for sm_80 and sm_90a, and what a person would look for in the machine code is there:
// matrix instructions, four elements at once, no contraction. Results are kept by hash. Skipped where there is no nvcc.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { printCuda } from "../compiler/cuda/print.ts";
import type { Kernel, Stmt } from "../compiler/kernel.ts";
import { constant } from "../runtime/size.ts";
import { hasNvcc, imageOf } from "./helpers/cuda-host.ts";
import { planCuda } from "./helpers/cuda-session.ts";
import { layered } from "./helpers/device-texts.ts";
import { add, binary, buffer, f, i, kernel, load, local, mul, store, workgroup } from "./helpers/kernels.ts";

const architectures = ["sm_80", "sm_90a"];

test("there is nvcc to test with, where it is said to be", () => {
  if (process.env["MOE_EXPECT_NVCC"] !== undefined) expect(hasNvcc).toBe(true);
});

/** The text of PTX: what the front end made, before registers. */
const ptxOf = (kernels: readonly Kernel[]): string =>
  readFileSync(imageOf(printCuda(kernels), "compute_80"), "utf8");

describe.skipIf(!hasNvcc)("nvcc", () => {
  test.each(architectures)(
    "takes a routed model and its training for %s",
    { timeout: 300_000 },
    (architecture) => {
      const text = readFileSync(new URL("./programs/std-grouped.moe", import.meta.url), "utf8");
      expect(readFileSync(imageOf(printCuda(planCuda(text).kernels), architecture)).length).toBeGreaterThan(
        10000,
      );
    },
  );

  test.each(architectures)(
    "takes contractions on matrix units for %s",
    { timeout: 300_000 },
    (architecture) => {
      for (const type of ["bf16", "f16"] as const) {
        const text = printCuda(planCuda(layered, type).kernels);
        expect(text).toContain("mma.sync");
        expect(readFileSync(imageOf(text, architecture)).length).toBeGreaterThan(10000);
      }
    },
  );

  const invocation = { op: "invocation", type: "i32" } as const;
  const place: Stmt = { op: "let", name: "at", value: mul(add(mul(workgroup, i(32)), invocation), i(4)) };
  const at = local("at", "i32");
  const copy = (index: Stmt[], from = at): Kernel =>
    kernel({
      buffers: [buffer("x", "read", 1024), buffer("out", "write", 1024)],
      grid: constant(8),
      workgroup: 32,
      body: [...index, store("out", at, load("x", from, "f32x4"))],
    });

  test("four neighbours are one instruction where their place allows it", { timeout: 120_000 }, () => {
    expect(ptxOf([copy([place])])).toMatch(/ld\.global\.nc\.v4\.\w+/);
    expect(ptxOf([copy([place], add(at, i(1)))])).not.toMatch(/ld\.global\.nc\.v4/);
  });

  test("sums and products are rounded one by one; fma is fused", { timeout: 120_000 }, () => {
    const [x, y] = [load("x", invocation), load("y", invocation)];
    const of = (value: typeof x): string =>
      ptxOf([
        kernel({
          buffers: [buffer("x", "read", 32), buffer("y", "read", 32), buffer("out", "write", 32)],
          workgroup: 32,
          body: [store("out", invocation, value)],
        }),
      ]);
    expect(of(add(mul(x, y), f(1)))).not.toMatch(/fma\.rn/);
    expect(of({ op: "fma", type: "f32", a: x, b: y, c: f(1) })).toMatch(/fma\.rn\.f32/);
    expect(of(binary("div", x, y))).toMatch(/div\.rn\.f32/);
    expect(of({ op: "unary", type: "f32", fn: "sqrt", a: x })).toMatch(/sqrt\.rn\.f32/);
  });

  test("matrix statements are ldmatrix and mma", { timeout: 120_000 }, () => {
    const tested = kernel({
      buffers: [buffer("x", "read", 512), buffer("out", "write", 256)],
      workgroup: 32,
      scratch: [
        { name: "half", type: "bf16", length: 512 },
        { name: "sums", type: "f32", length: 256 },
      ],
      body: [
        store("half", mul(invocation, i(16)), load("x", mul(invocation, i(16)))),
        { op: "barrier" },
        { op: "fragment", name: "acc", is: { of: "sums" } },
        {
          op: "fragment",
          name: "a",
          is: { of: "left", scratch: "half", index: i(0), stride: 16, contiguous: "k" },
        },
        {
          op: "fragment",
          name: "b",
          is: { of: "right", scratch: "half", index: i(256), stride: 16, contiguous: "other" },
        },
        { op: "multiply", sums: "acc", left: "a", right: "b" },
        { op: "spill", sums: "acc", scratch: "sums", index: i(0), stride: 16 },
        { op: "barrier" },
        store("out", invocation, load("sums", invocation)),
      ],
    });
    const ptx = ptxOf([tested]);
    expect(ptx.match(/mma\.sync\.aligned\.m16n8k16\.row\.col\.f32\.bf16\.bf16\.f32/g)).toHaveLength(2);
    expect(ptx).toMatch(/ldmatrix\.sync\.aligned\.m8n8\.x4\.shared\.b16/);
    expect(ptx).toMatch(/ldmatrix\.sync\.aligned\.m8n8\.x4\.trans\.shared\.b16/);
    expect(ptx).toMatch(/cvt\.rn\.bf16\.f32/);
  });
});
