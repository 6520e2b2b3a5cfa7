// Whole programs on WebGPU: every entry gives what it gives on the CPU, from the same tensors and inputs: forward, evaluation,
// two training steps, decoding. Kernels as they are scheduled for GPUs, and as for CPUs (any kernel can be printed).
// Skipped where there is no device, but not in continuous integration.

import { readdirSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { compile, type Compiled } from "../compiler/compile.ts";
import { printWgsl } from "../compiler/wgsl/print.ts";
import { openSession } from "../runtime/session.ts";
import { openWebGpu } from "../runtime/webgpu/open.ts";
import type { WebGpuSession } from "../runtime/webgpu/session.ts";
import { compileText, defaultSizes, expectAlike, inputsFor, tensorsFor } from "./helpers/differential.ts";
import { hostOf } from "./helpers/elaborate.ts";
import { findDevice } from "./helpers/webgpu.ts";

// Without Dawn's own checks of bounds: SwiftShader needs half the time to compile, and the kernel interpreter checks them all.
const found = await findDevice({ dawn: ["enable-dawn-features=disable_robustness"] });
const device = typeof found === "string" ? undefined : found;
/** For the title of what is skipped. */
const why = typeof found === "string" ? ` (skipped: ${found})` : "";

/** The same program with kernels that are scheduled for a CPU. */
async function openAsOnCpu(compiled: Compiled, sizes: Record<string, number>): Promise<WebGpuSession> {
  const program = { ...compiled.program, target: "webgpu" } as const;
  const shaders = compiled.kernels.map((kernel) => printWgsl(kernel));
  return openWebGpu(program, shaders, { sizes, initialise: false, device: device! });
}

async function openAsOnGpu(text: string, sizes: Record<string, number>): Promise<WebGpuSession> {
  const { compiled } = compile({ host: hostOf({ "main.moe": text }), path: "main.moe", target: "webgpu" });
  return openWebGpu(compiled!.program, compiled!.shaders, { sizes, initialise: false, device: device! });
}

async function expectSame(
  text: string,
  schedule: "CPU" | "GPU",
  sizes: Record<string, number>,
): Promise<void> {
  const compiled = compileText(text);
  const all = { ...defaultSizes(compiled), ...sizes };
  const cpu = await openSession(compiled.program, compiled.wasm, {
    sizes: all,
    threads: 1,
    initialise: false,
  });
  const gpu = schedule === "CPU" ? await openAsOnCpu(compiled, all) : await openAsOnGpu(text, all);
  try {
    const tensors = tensorsFor(compiled);
    const entries = Object.keys(compiled.program.entries);
    const rounds = [
      ...entries.filter((name) => name !== "update"),
      ...(entries.includes("train") ? ["update", "train", "update"] : []),
    ];
    for (const [step, name] of rounds.entries()) {
      for (const [tensor, values] of tensors) {
        cpu.write(tensor, values);
        gpu.write(tensor, values);
      }
      const entry = compiled.program.entries[name]!;
      const given = inputsFor(compiled, entry, all, 1 + step, { $step: [step], $draw: [step] });
      const inputs = Object.fromEntries([...given].map(([key, values]) => [key, Array.from(values)]));
      const wanted = cpu.run(name, inputs);
      const actual = await gpu.run(name, inputs);
      for (const [port, values] of Object.entries(wanted))
        expectAlike(actual[port]!, values, `${name}: ${port}`, 3e-5);
      for (const tensor of cpu.tensors()) {
        const values = cpu.read(tensor.name);
        expectAlike(await gpu.read(tensor.name), values, `${name}: ${tensor.name}`, 3e-5);
        if (name === "train" || name === "update") tensors.set(tensor.name, Float64Array.from(values));
      }
    }
  } finally {
    cpu.dispose();
    gpu.dispose();
  }
}

const program = (name: string): string =>
  readFileSync(new URL(`./programs/${name}.moe`, import.meta.url), "utf8");
const sizesOf = (text: string): Record<string, number> =>
  text.includes("tokens(") ? { B: 2, T: 5 } : { B: 6 };

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
      for (const code of compiled!.shaders) {
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
    await expectSame(text, "CPU", { B: 3 });
  });

  // SwiftShader takes up to a second to compile one kernel with barriers.
  test.each(["capacity-batch-lowest"])(
    "%s",
    async (name) => {
      const text = program(name);
      await expectSame(text, "GPU", sizesOf(text));
    },
    300_000,
  );
});
