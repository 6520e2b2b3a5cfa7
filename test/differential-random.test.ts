// Random well-typed programs: they compile without a word, fused or not, every back end agrees, and gradients are those of the loss.
// MOE_RUNS=1000 tries more of them, MOE_SEED=7 others.

import fc from "fast-check";
import { test } from "vitest";
import { compileText, expectDifferential, expectGradients } from "./helpers/differential.ts";
import { randomProgram } from "./helpers/random-program.ts";
import { programText, unlikeTokens } from "./helpers/random-program-text.ts";
import { randomRuns } from "./helpers/runs.ts";

const runs = randomRuns(24);
const seed = Number(process.env["MOE_SEED"] ?? 20);

test("random programs", { timeout: 120_000 * Math.max(1, runs / 24) }, async () => {
  await fc.assert(
    fc.asyncProperty(randomProgram, fc.integer({ min: 1, max: 1000 }), async (program, values) => {
      const text = programText(program);
      try {
        const compiled = compileText(text);
        const sizes = program.tokens ? { B: 2, T: 3 } : { B: 4 };
        const options = {
          sizes,
          seed: values,
          steps: 1,
          conditioned: true,
          inputs: program.tokens ? { text: unlikeTokens } : {},
        } as const;
        // The kernel interpreter is slow: it has every third program.
        const targets = values % 3 === 0 ? (["interpreter", "wasm"] as const) : (["wasm"] as const);
        const run = await expectDifferential(compiled, { ...options, targets, threads: [] });
        // Nearly tied: what is chosen hangs on the last bit.
        if (run === undefined) return;
        expectGradients(compiled, run.get("train")!);
        await expectDifferential(compileText(text, { fuse: false }), {
          ...options,
          threads: [],
          targets: ["wasm"],
        });
      } catch (error) {
        throw new Error(`${error instanceof Error ? error.message : String(error)}\n${text}`, {
          cause: error,
        });
      }
    }),
    { numRuns: runs, seed, endOnFailure: process.env["MOE_SHRINK"] === undefined },
  );
});
