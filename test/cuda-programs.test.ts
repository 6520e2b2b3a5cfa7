// Whole programs scheduled for a GPU, printed as CUDA C++ and run through the CUDA runtime on a driver without a GPU: every entry gives what
// the CPU's session gives; routings at their edges; fifty steps of training fall on the same curve, and repeat to the bit.
// MOE_RUNS=1000 runs all programs of programs/ and random ones, too.

import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { printCuda } from "../compiler/cuda/print.ts";
import { layerText } from "../gpu/cases.ts";
import { openSession } from "../runtime/session.ts";
import type { Executor } from "../runtime/executor.ts";
import { hasCompiler } from "./helpers/cuda-host.ts";
import { expectCudaAlike, openOnHost, planCuda } from "./helpers/cuda-session.ts";
import { compileText } from "./helpers/differential.ts";
import { randomProgram } from "./helpers/random-program.ts";
import { programText, unlikeTokens } from "./helpers/random-program-text.ts";

const folder = new URL("./programs/", import.meta.url);
const all = process.env["MOE_RUNS"] !== undefined;
const chosen = "attention chain choose-until-reached null-every-kind optimizer-muon rotary".split(" ");
const programs = all ? readdirSync(folder).map((name) => name.replace(/\.moe$/, "")) : chosen;

describe.skipIf(!hasCompiler)("programs on CUDA's host", () => {
  test.each(programs)("%s", { timeout: 120_000 }, async (name) => {
    const text = readFileSync(new URL(`${name}.moe`, folder), "utf8");
    await expectCudaAlike(text, { sizes: text.includes("tokens(") ? { B: 2, T: 5 } : { B: 6 } });
  });

  test.runIf(all)("random programs", { timeout: 3_600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(randomProgram, fc.integer({ min: 1, max: 1000 }), async (program, seed) => {
        const sizes = program.tokens ? { B: 2, T: 3 } : { B: 4 };
        const inputs = program.tokens ? { text: unlikeTokens } : {};
        await expectCudaAlike(programText(program), { sizes, seed, inputs });
      }),
      {
        numRuns: Number(process.env["MOE_RUNS"]),
        seed: Number(process.env["MOE_SEED"] ?? 20),
        endOnFailure: true,
      },
    );
  });

  test.each(["bf16", "f16"] as const)(
    "contractions on matrix units of %s, within what rounding operands does",
    { timeout: 120_000 },
    async (precision) => {
      const text = layerText({ width: 32, hidden: 32, experts: 3, picks: 2 });
      expect(printCuda(planCuda(text, precision).kernels)).toContain("multiply(sums");
      const tolerance = precision === "bf16" ? 2e-2 : 3e-3;
      for (const B of [1, 70]) await expectCudaAlike(text, { sizes: { B }, precision, tolerance });
    },
  );

  const routed = (experts: number, nulls: number, k: number): string => `
expert Mix(D)(x: [D]) -> [D] {
  param w: [D, D]
  tanh(x @ w)
}
router Forced(N)(x: [D], score: [N]) -> gates[N] {
  param scale: [N]
  choose top ${k} of score
  weight 1 + scale
}
model M {
  modality x = features(3)
  modality score = features(${experts + nulls})
  modality y = category(3)
  param head: [3, 3]
  pool = Mix(3) * ${experts}${nulls === 0 ? "" : ` + zero * ${nulls}`}
  logits = (x + pool(x) by Forced(x, score)) @ head
  loss cross_entropy(logits, y)
}
train M {
  data x = csv("data.csv", "a", "b", "c")
  data score = csv("data.csv", "d", "e", "f", "g")
  data y = csv("data.csv", "h")
  batch 5
  steps 3
  optimizer sgd { rate = 0.1 }
}`;

  const none = -Infinity;
  test("routings at their edges", { timeout: 120_000 }, async () => {
    const four: readonly (readonly [string, readonly number[][]])[] = [
      ["one takes all", Array.from({ length: 5 }, () => [1, 0, 0, none])],
      ["ties", Array.from({ length: 5 }, () => [1, 1, 1, 1])],
      [
        "not numbers",
        [
          [NaN, 1, 2, 0],
          [NaN, NaN, NaN, NaN],
          [none, none, none, none],
          [0, NaN, 1, 2],
          [3, 2, 1, 0],
        ],
      ],
      ["nulls only", Array.from({ length: 5 }, () => [none, none, 1, 1])],
      ["one token", [[0, 3, 1, 2]]],
    ];
    const text = routed(2, 2, 2);
    for (const [, scores] of four)
      await expectCudaAlike(text, {
        sizes: { B: scores.length },
        inputs: { score: scores.flat() },
        entries: ["forward", "train"],
      });
    await expectCudaAlike(routed(1, 0, 1), { sizes: { B: 5 }, inputs: { score: [1, 2, NaN, 0, none] } });
  });
});

const [batch, length, vocabulary, steps] = [4, 6, 9, 50];
const learner = `
import std.attention { CausalAttention }
import std.experts { SwiGLU }
import std.norms { RMSNorm }
import std.routers { LossFree }

moe Experts(D, H)(x: [D]) -> [D] {
  shared SwiGLU(D, H)
  routed SwiGLU(D, H) * 4
  null zero
  router LossFree { k = 2, rate = 0.01 }
}

model Small {
  dim D = 8
  modality text = tokens(vocab = ${vocabulary})
  param table: [text.vocab, D] = normal(0.3)
  x = table[text]
  x = x + CausalAttention(D, heads = 2)(RMSNorm(x))
  x = x + Experts(D, 6)(RMSNorm(x))
  logits = RMSNorm(x) @ transpose(table)
  loss cross_entropy(logits, text.next)
}

train Small {
  data text = bytes("data.txt")
  batch ${batch} of ${length}
  optimizer adamw { rate = cosine(3e-2, warmup = 5), decay = 0.1 }
  clip 1
  steps ${steps}
}`;

/** Texts that can be learned: each token says what comes next, up to a shift of the sequence. */
function sequence(step: number, shift: number): number[] {
  const at = (b: number, t: number): number => (step * 5 + b * 2 + t * (1 + (b % 2))) % vocabulary;
  return Array.from({ length: batch * length }, (_, i) => at(Math.floor(i / length), (i % length) + shift));
}

async function curve(session: Executor): Promise<number[]> {
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const inputs = { text: sequence(step, 0), "text.next": sequence(step, 1), $step: step };
    const takes = (
      entry: string,
      given: Record<string, number | number[]>,
    ): Record<string, number | number[]> =>
      Object.fromEntries(
        Object.entries(given).filter(([name]) =>
          session.program.entries[entry]!.inputs.some((port) => port.name === name),
        ),
      );
    losses.push((await session.run("train", takes("train", inputs)))["loss"]![0]!);
    await session.run("update", takes("update", { $step: step }), { outputs: [] });
  }
  session.dispose();
  return losses;
}

test.skipIf(!hasCompiler)("fifty steps of training", { timeout: 120_000 }, async () => {
  const compiled = compileText(learner);
  const options = { sizes: { B: batch, T: length }, entries: ["train", "update"], seed: 3 };
  const wanted = await curve(await openSession(compiled.program, compiled.wasm, { ...options, threads: 1 }));
  const planned = planCuda(learner);
  const losses = await curve(openOnHost(planned, options));
  losses.forEach((loss, step) =>
    expect(
      Math.abs(loss - wanted[step]!),
      `loss of step ${step}: ${loss}, on the CPU ${wanted[step]}`,
    ).toBeLessThan(5e-3 * wanted[step]!),
  );
  expect(losses.at(-1)!).toBeLessThan(0.75 * losses[0]!);
  expect(await curve(openOnHost(planned, options))).toEqual(losses);
});
