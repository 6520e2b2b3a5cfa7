// Random well-typed programs with random routings, kernel by kernel on every target, in f32 and in 16 bits: what the kernel interpreter makes
// of each kernel of each entry, its WGSL gives over Dawn and in Chromium, and its CUDA C++ on the host, from the same memory. In f32 the kernels
// together are held to the graph interpreter, too; in 16 bits sums that round to neighbours may choose another expert, so there each kernel is
// on its own. Random kernels run in Chromium here; over Dawn in wgsl.test.ts, on the host in cuda.test.ts. Each target has programs of its own.
// MOE_RUNS=100 tries so many of each, MOE_SEED=7 others. Skipped where there is no device, but not in continuous integration.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { planModel } from "../compiler/compile.ts";
import { isHalf } from "../compiler/half.ts";
import type { Precision, TargetName } from "../runtime/program.ts";
import { chromiumPath } from "./helpers/browser.ts";
import { openChromium, type Chromium } from "./helpers/chromium.ts";
import { hasCompiler } from "./helpers/cuda-host.ts";
import { hostOf } from "./helpers/elaborate.ts";
import { launchesOf, type Launch } from "./helpers/launches.ts";
import { expectInChromium, expectOnHost, expectOnWebGpu, runsOf } from "./helpers/launch-targets.ts";
import { expectRandomOnWebGpu, randomLaunches } from "./helpers/random-launches.ts";
import { randomProgram, type RandomProgram } from "./helpers/random-program.ts";
import { programText, unlikeTokens } from "./helpers/random-program-text.ts";
import { randomRuns, wholeRuns } from "./helpers/runs.ts";
import { findDevice } from "./helpers/webgpu.ts";

const found = await findDevice({ dawn: ["enable-dawn-features=disable_robustness"] });
const device = typeof found === "string" ? undefined : found;
/** For the title of what is skipped. */
const why = typeof found === "string" ? ` (skipped: ${found})` : "";
afterAll(() => device?.dispose());

const limit = { timeout: wholeRuns ? 3_600_000 : 240_000 };
const seed = Number(process.env["MOE_SEED"] ?? 20);

function launchesFor(
  program: RandomProgram,
  values: number,
  target: TargetName,
  precision: Precision,
): readonly Launch[] {
  const text = programText(program, 16);
  const host = hostOf({ "main.moe": text });
  const { planned, diagnostics } = planModel({ host, path: "main.moe", target, precision });
  if (planned === undefined) expect.fail(`${diagnostics.map(({ message }) => message).join("\n")}\n${text}`);
  return launchesOf(planned, {
    sizes: program.tokens ? { B: 2, T: 3 } : { B: 4 },
    seed: values,
    inputs: program.tokens ? { text: unlikeTokens } : {},
    // What optimisers do is the same in every program.
    entries: ["forward", "train"],
    ...(precision === "f32" ? { tolerance: 1e-3 } : {}),
  });
}

/** Tries programs; gives how many kernels had memory of 16 bits. */
async function tried(
  target: TargetName,
  precision: Precision,
  from: number,
  expectAlike: (launches: readonly Launch[]) => void | Promise<void>,
): Promise<number> {
  let narrow = 0;
  await fc.assert(
    fc.asyncProperty(randomProgram, fc.integer({ min: 1, max: 1000 }), async (program, values) => {
      const launches = launchesFor(program, values, target, precision);
      narrow += launches.filter(({ kernel }) => kernel.buffers.some(({ type }) => isHalf(type))).length;
      await expectAlike(launches);
    }),
    { numRuns: randomRuns(1), seed: from, endOnFailure: true },
  );
  return narrow;
}

describe.skipIf(!hasCompiler)("CUDA C++ on the host", () => {
  test.each(["f32", "bf16", "f16"] as const)("in %s", limit, async (precision) => {
    const narrow = await tried("cuda", precision, seed, expectOnHost);
    expect(narrow > 0).toBe(precision !== "f32");
  });
});

describe.skipIf(device === undefined)(`WGSL over Dawn${why}`, () => {
  test.each(["f32", "f16"] as const)("in %s", limit, async (precision) => {
    const narrow = await tried("webgpu", precision, seed + 10, (launches) =>
      expectOnWebGpu(device!, launches),
    );
    expect(narrow > 0).toBe(precision !== "f32");
  });
});

describe.skipIf(chromiumPath === undefined)("WGSL in Chromium", () => {
  let chromium: Chromium;
  beforeAll(async () => {
    chromium = await openChromium();
  }, 90_000);
  afterAll(() => chromium?.close());

  test.each(["f32", "f16"] as const)("in %s", limit, async (precision) => {
    const narrow = await tried("webgpu", precision, seed + 11, (launches) =>
      expectInChromium(chromium, launches),
    );
    expect(narrow > 0).toBe(precision !== "f32");
  });

  test.each([
    ["f32", 60],
    ["f16", 20],
  ] as const)("random kernels, with memory of %s", limit, async (type, count) => {
    const launches = randomLaunches(count, type);
    const runs = runsOf(launches);
    await chromium.run(runs);
    for (const [at, { memory }] of runs.entries()) expectRandomOnWebGpu(launches[at]!, memory);
  });
});
