// Every kernel of every program by itself, forward and with gradients, on every target: what the graph interpreter and the kernel interpreter
// agree on is what the kernel's WGSL gives over Dawn and in Chromium, and its CUDA C++ on the host, from the same memory. The programs are the examples,
// made small, and those of test/programs, which have all of the standard library between them (webgpu-differential.test.ts holds them to
// that). Kernels of the same text are run once. Without MOE_RUNS a few programs; MOE_RUNS=1 all, MOE_RUNS=2/8 the second eighth; with MOE_PASSED=file
// without what passed before.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { printCuda } from "../compiler/cuda/print.ts";
import { planModel } from "../compiler/compile.ts";
import type { Kernel } from "../compiler/kernel.ts";
import type { TargetName } from "../runtime/program.ts";
import { printWgsl } from "../compiler/wgsl/print.ts";
import { chromiumPath } from "./helpers/browser.ts";
import { openChromium, type Chromium } from "./helpers/chromium.ts";
import { hasCompiler } from "./helpers/cuda-host.ts";
import { freshKernels } from "./helpers/fresh.ts";
import { hostOf } from "./helpers/elaborate.ts";
import { libraryFirst } from "./helpers/library.ts";
import { launchesOf, type Launch } from "./helpers/launches.ts";
import { expectInChromium, expectOnHost, expectOnWebGpu } from "./helpers/launch-targets.ts";
import { partOf, wholeRuns } from "./helpers/runs.ts";
import { sizesOf, smallPrograms, type SmallProgram } from "./helpers/small-programs.ts";
import { findDevice } from "./helpers/webgpu.ts";

// Without Dawn's own checks of bounds: the kernel interpreter checks them all.
const found = await findDevice({ dawn: ["enable-dawn-features=disable_robustness"] });
const device = typeof found === "string" ? undefined : found;
/** For the title of what is skipped. */
const why = typeof found === "string" ? ` (skipped: ${found})` : "";
afterAll(() => device?.dispose());

const few = ["programs/chain", "examples/gallery/null-experts"];
const all = libraryFirst(smallPrograms());
const chosen = wholeRuns ? partOf(all) : all.filter(({ name }) => few.includes(name));
const programs = chosen.map((program) => [program.name, program] as const);

/** Of examples what goes forward and back: the rest is as in the programs of the tests. Of a few programs on WebGPU what goes forward: the
 * device in software takes a quarter of a second to compile a contraction, and there are random programs that train. */
function entriesFor({ name }: SmallProgram, target: TargetName): readonly string[] | undefined {
  if (target === "webgpu" && !wholeRuns) return ["forward"];
  return name.startsWith("examples/") ? ["forward", "train"] : undefined;
}

/** The kernels of a program that are new. */
function launches(
  small: SmallProgram,
  target: TargetName,
  wanted: (kernel: Kernel) => boolean,
): readonly Launch[] {
  const host = hostOf({ "main.moe": small.text });
  const { planned, diagnostics } = planModel({ host, path: "main.moe", target });
  if (planned === undefined) expect.fail(diagnostics.map(({ message }) => message).join("\n"));
  const entries = entriesFor(small, target);
  const sizes = sizesOf(planned, small);
  return launchesOf(planned, {
    sizes,
    wanted,
    tolerance: 1e-3,
    ...(entries === undefined ? {} : { entries }),
  });
}

const kernelsOf = (all: readonly Launch[]): Kernel[] => all.map(({ kernel }) => kernel);
const limit = { timeout: wholeRuns ? 1_800_000 : 120_000 };

describe.skipIf(device === undefined)(`WGSL over Dawn${why}`, () => {
  const fresh = freshKernels("dawn", (kernel) => printWgsl(kernel));
  test.each(programs)("%s", limit, async (_, program) => {
    const all = launches(program, "webgpu", fresh.wanted);
    await expectOnWebGpu(device!, all);
    fresh.passed(kernelsOf(all));
  });
});

describe.skipIf(chromiumPath === undefined)("WGSL in Chromium", () => {
  let chromium: Chromium;
  beforeAll(async () => {
    chromium = await openChromium();
  }, 90_000);
  afterAll(() => chromium?.close());

  const fresh = freshKernels("chromium", (kernel) => printWgsl(kernel));
  test.each(programs)("%s", limit, async (_, program) => {
    const all = launches(program, "webgpu", fresh.wanted);
    await expectInChromium(chromium, all);
    fresh.passed(kernelsOf(all));
  });
});

describe.skipIf(!hasCompiler)("CUDA C++ on the host", () => {
  const fresh = freshKernels("cuda", (kernel) => printCuda([kernel]));
  test.each(programs)("%s", limit, (_, program) => {
    const all = launches(program, "cuda", fresh.wanted);
    expectOnHost(all);
    fresh.passed(kernelsOf(all));
  });
});
