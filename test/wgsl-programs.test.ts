// Whole programs on WebGPU: every entry gives what it gives on the CPU, from the same tensors and inputs; routings at their edges;
// fifty steps of training fall on the same curve, and repeat to the bit. Kernels as they are scheduled for GPUs, and as for CPUs (any kernel can be printed).
// MOE_RUNS=1 runs more programs; every-kernel.test.ts runs all of their kernels, and webgpu-differential.test.ts all of them in Chromium.
// Skipped where there is no device, but not in continuous integration.

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../compiler/compile.ts";
import { printWgsl } from "../compiler/wgsl/print.ts";
import type { Shader } from "../runtime/artifact.ts";
import { openWebGpu } from "../runtime/webgpu/open.ts";
import { plainText } from "../runtime/webgpu/shader.ts";
import {
  expectAlikeOnDevice,
  expectEdgesAlike,
  expectSameCurve,
  fewTokens,
  learnerOptions,
  type OpenDevice,
} from "./helpers/device-programs.ts";
import { learner } from "./helpers/device-texts.ts";
import { compileText } from "./helpers/differential.ts";
import { hostOf } from "./helpers/elaborate.ts";
import { partOf, wholeRuns } from "./helpers/runs.ts";
import { findDevice } from "./helpers/webgpu.ts";
import type { Executor } from "../runtime/executor.ts";

// Without Dawn's own checks of bounds: they take a seventh of the time, and the kernel interpreter checks them all.
const found = await findDevice({ dawn: ["enable-dawn-features=disable_robustness"] });
const device = typeof found === "string" ? undefined : found;
/** For the title of what is skipped. */
const why = typeof found === "string" ? ` (skipped: ${found})` : "";

/** The same program with kernels that are scheduled for a CPU. */
const openAsOnCpu =
  (text: string): OpenDevice =>
  (options) => {
    const { program, kernels } = compileText(text);
    const shaders = kernels.map((kernel) => printWgsl(kernel));
    return openWebGpu({ ...program, target: "webgpu" }, shaders, { ...options, device: device! });
  };

const openAsOnGpu =
  (text: string) =>
  (options: Parameters<OpenDevice>[0]): Promise<Executor> => {
    const { compiled } = compile({ host: hostOf({ "main.moe": text }), path: "main.moe", target: "webgpu" });
    return openWebGpu(compiled!.program, compiled!.shaders, { ...options, device: device! });
  };

/** All that the device can be given for a kernel. */
const textsOf = (shader: Shader): readonly string[] =>
  typeof shader !== "string" && device!.gpu.features.has("subgroups")
    ? [shader.plain, shader.subgroups]
    : [plainText(shader)];

const more = "attention chain choose-until-reached optimizer-muon".split(" ");
const chosen = wholeRuns ? partOf(more) : ["capacity-batch-lowest"];

const program = (name: string): string =>
  readFileSync(new URL(`./programs/${name}.moe`, import.meta.url), "utf8");
describe.skipIf(device === undefined)(`on WebGPU${why}`, () => {
  afterAll(() => device?.dispose(), 60_000);

  test("every shader of many programs is one that WebGPU accepts", async () => {
    const folder = new URL("./programs/", import.meta.url);
    const names = readdirSync(folder).filter((_, at) => at % 9 === 0);
    for (const name of names) {
      const text = readFileSync(new URL(name, folder), "utf8");
      const { compiled } = compile({
        host: hostOf({ "main.moe": text }),
        path: "main.moe",
        target: "webgpu",
      });
      for (const code of compiled!.shaders.flatMap(textsOf)) {
        const { messages } = await device!.gpu.createShaderModule({ code }).getCompilationInfo();
        const worst = messages.find(({ type }) => type !== "info");
        if (worst !== undefined) expect.fail(`${name}: line ${worst.lineNum}: ${worst.message}\n${code}`);
      }
    }
  });

  test("kernels that are scheduled for a CPU", async () => {
    const text = `model Small {
  modality x = features(5)
  modality y = features(5)
  param gain: [5] = 2
  logits = softmax(tanh(x * gain))
  loss mean(square(logits - y))
}

train Small {
  data x = csv("data.csv", "a", "b", "c", "d", "e")
  data y = csv("data.csv", "f", "g", "h", "i", "j")
  batch 3
  optimizer adamw { rate = 1e-2 }
}
`;
    await expectAlikeOnDevice(text, openAsOnCpu(text), { sizes: { B: 3 }, tolerance: 3e-5 });
  });

  test.each(chosen)(
    "%s",
    async (name) => {
      const text = program(name);
      await expectAlikeOnDevice(text, openAsOnGpu(text), { sizes: fewTokens(text), tolerance: 3e-5 });
    },
    300_000,
  );

  test("routings at their edges", () => expectEdgesAlike(openAsOnGpu), 300_000);

  test(
    "fifty steps of training",
    () => openAsOnGpu(learner())(learnerOptions).then(expectSameCurve),
    300_000,
  );
});
