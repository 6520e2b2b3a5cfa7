// Whole programs scheduled for a GPU, printed as CUDA C++ and run through the CUDA runtime on a driver without a GPU: every entry gives what
// the CPU's session gives; routings at their edges; fifty steps of training fall on the same curve, and repeat to the bit.
// MOE_RUNS=1 runs all programs of programs/ (2/8 the second eighth of them), MOE_RUNS=1000 so many random ones, too.

import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { printCuda } from "../compiler/cuda/print.ts";
import { hasCompiler } from "./helpers/cuda-host.ts";
import { expectCudaAlike, openCudaOf, openOnHost, planCuda } from "./helpers/cuda-session.ts";
import { expectEdgesAlike, expectSameCurve, fewTokens, learnerOptions } from "./helpers/device-programs.ts";
import { learner, spread } from "./helpers/device-texts.ts";
import { randomProgram } from "./helpers/random-program.ts";
import { programText, unlikeTokens } from "./helpers/random-program-text.ts";
import { partOf, randomRuns, wholeRuns } from "./helpers/runs.ts";

const folder = new URL("./programs/", import.meta.url);
const chosen = "attention chain choose-until-reached null-every-kind optimizer-muon rotary".split(" ");
const all = readdirSync(folder).map((name) => name.replace(/\.moe$/, ""));
const programs = wholeRuns ? partOf(all) : chosen;

describe.skipIf(!hasCompiler)("programs on CUDA's host", () => {
  test.each(programs)("%s", { timeout: 120_000 }, async (name) => {
    const text = readFileSync(new URL(`${name}.moe`, folder), "utf8");
    await expectCudaAlike(text, { sizes: fewTokens(text) });
  });

  test("random programs", { timeout: 3_600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(randomProgram, fc.integer({ min: 1, max: 1000 }), async (program, seed) => {
        const sizes = program.tokens ? { B: 2, T: 3 } : { B: 4 };
        const inputs = program.tokens ? { text: unlikeTokens } : {};
        await expectCudaAlike(programText(program), { sizes, seed, inputs });
      }),
      {
        numRuns: randomRuns(2),
        seed: Number(process.env["MOE_SEED"] ?? 20),
        endOnFailure: true,
      },
    );
  });

  const wide = `
import std.experts { SwiGLU }
${spread(2)}
model Layer {
  dim D = 32
  modality x = features(D)
  pool = SwiGLU(D, 32) * 3
  logits = pool(x) by Spread
}`;
  test.each(["bf16", "f16"] as const)(
    "contractions on matrix units of %s, within what rounding operands does",
    { timeout: 120_000 },
    async (precision) => {
      expect(printCuda(planCuda(wide, precision).kernels)).toContain("multiply(sums");
      const tolerance = precision === "bf16" ? 2e-2 : 3e-3;
      for (const B of [1, 70]) await expectCudaAlike(wide, { sizes: { B }, precision, tolerance });
    },
  );

  test("routings at their edges", { timeout: 120_000 }, () => expectEdgesAlike(openCudaOf));
});

test.skipIf(!hasCompiler)("fifty steps of training", { timeout: 120_000 }, () =>
  expectSameCurve(openOnHost(planCuda(learner()), learnerOptions)),
);
