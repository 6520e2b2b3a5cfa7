// What nvcc's assembler makes of contractions on matrix units: everything stays in registers, few enough of them, and products of warpgroups
// go on while the kernel does. Reports are kept by hash. Skipped where there is no nvcc.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { printCuda } from "../compiler/cuda/print.ts";
import { narrowTarget, targets } from "../compiler/target.ts";
import type { Case } from "./helpers/contraction.ts";
import { hasNvcc, imageOf, resourcesOf } from "./helpers/cuda-host.ts";
import { prepareFor } from "./helpers/gpu-contraction.ts";

const large = { half: "bf16", m: 1024, n: 2048, k: 256 } as const;
/** A product with rows known at launch (with the body for few rows), one of transposed operands, gate and up of experts, and the
 * gradient of their weights. */
const cases: readonly Case[] = [
  { ...large, symbolic: "m" },
  { ...large, a: "m", b: "k" },
  { ...large, ragged: "rows", rows: [300, 600], gather: true, siblings: 2, symbolic: "m" },
  { ...large, ragged: "reduction", rows: [300, 600], k: 2048, a: "m", gather: true, symbolic: "k" },
];
const three: Case = { ...large, siblings: 3, symbolic: "m" };
const [plain, withVariants, withBulk] = ([false, true, "bulk"] as const).map((warpgroups) => {
  const parallel = narrowTarget(targets.cuda, "bf16", { warpgroups }).parallel!;
  // Where registers are bounded, few rows of three products would not fit.
  const tested = warpgroups === "bulk" ? [...cases, three] : cases;
  return printCuda(tested.map((item) => prepareFor(item, parallel).kernel));
}) as [string, string, string];

/** The same without matrix units: 64 sums of f32, of one result and of two. */
const f32: readonly Case[] = cases
  .flatMap(({ half: _, ...item }): Case[] => [item, { ...item, siblings: 2 }])
  .filter((item, at, all) => all.findIndex((other) => JSON.stringify(other) === JSON.stringify(item)) === at);

describe.skipIf(!hasNvcc)("nvcc", () => {
  test.each(["sm_80", "sm_90a"])("spills nothing for %s in f32", { timeout: 300_000 }, (architecture) => {
    const text = printCuda(f32.map((item) => prepareFor(item, targets.cuda.parallel!).kernel));
    const { kernels } = resourcesOf(text, architecture);
    // Two workgroups of 256 threads share 65536.
    for (const [at, item] of f32.entries()) {
      const { spilled, registers } = kernels.find(({ kernel }) => kernel === `k${at}`)!;
      expect([spilled, registers <= 128], JSON.stringify(item)).toEqual([0, true]);
    }
  });

  test.each([
    ["sm_80", false],
    ["sm_90a", false],
    ["sm_90a", true],
  ] as const)(
    "spills nothing for %s, with warpgroups that multiply: %s",
    { timeout: 300_000 },
    (architecture, warpgroups) => {
      const { kernels, warnings } = resourcesOf(warpgroups ? withVariants : plain, architecture);
      // Were products serialised, the assembler would say so (C7510).
      expect(warnings).toEqual([]);
      expect(kernels).toHaveLength(cases.length);
      for (const { kernel, registers, spilled } of kernels) {
        expect(spilled, kernel).toBe(0);
        // Two workgroups of 128 threads share 65536.
        expect(registers, kernel).toBeLessThanOrEqual(255);
      }
    },
  );

  test(
    "with bulk copies nothing is spilled, and warpgroups hand each other registers",
    { timeout: 300_000 },
    () => {
      const { kernels, warnings } = resourcesOf(withBulk, "sm_90a");
      // Were what is handed ignored, the assembler would say so (C7508).
      expect(warnings).toEqual([]);
      // Exactly what two workgroups of 256 have at first: with fewer, who wants more would wait for ever.
      expect(kernels.map(({ spilled, registers }) => [spilled, registers])).toEqual(
        [...cases, three].map(() => [0, 128]),
      );
      const ptx = readFileSync(imageOf(withBulk, "compute_90a"), "utf8");
      expect(ptx).toMatch(
        /cp\.async\.bulk\.tensor\.3d\.shared::cluster\.global\.tile\.mbarrier::complete_tx::bytes \[%r\d+\], \[%rd\d+, \{/,
      );
      for (const instruction of [
        "mbarrier.init.shared::cta.b64",
        "mbarrier.arrive.expect_tx.shared::cta.b64",
        "mbarrier.try_wait.parity.shared::cta.b64",
        "setmaxnreg.inc.sync.aligned.u32 216",
        "setmaxnreg.dec.sync.aligned.u32 40",
        "wgmma.mma_async.sync.aligned.m64n128k16",
      ])
        expect(ptx).toContain(instruction);
      const old = readFileSync(imageOf(withBulk, "compute_80"), "utf8");
      expect(old).not.toMatch(/mbarrier|wgmma|setmaxnreg/);
    },
  );

  test("each architecture has its instructions", { timeout: 300_000 }, () => {
    const ptx = (architecture: string): string => readFileSync(imageOf(withVariants, architecture), "utf8");
    const [old, hopper] = [ptx("compute_80"), ptx("compute_90a")];
    for (const text of [old, hopper]) {
      expect(text).toMatch(/cp\.async\.cg\.shared\.global \[%r\d+\], \[%rd\d+\], 16, %r\d+;/);
      expect(text).toMatch(/cp\.async\.wait_group 2;/);
    }
    expect(old).toMatch(/ldmatrix\.sync\.aligned\.m8n8\.x4\.shared\.b16/);
    expect(old).toMatch(/mma\.sync\.aligned\.m16n8k16\.row\.col\.f32\.bf16\.bf16\.f32/);
    expect(old).not.toContain("wgmma");
    expect(hopper).toMatch(/wgmma\.mma_async\.sync\.aligned\.m64n128k16\.f32\.bf16\.bf16/);
    expect(hopper).not.toContain("mma.sync");
  });
});
