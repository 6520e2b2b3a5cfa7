// The code that examples become, as files to read and to compare: the first routed layer of the smallest example in WGSL, in
// CUDA C++, and as kernels for the CPU. A change of the printers or the schedules shows here; `npx vitest run -u` writes them anew.
// `npm run kernels -- diff` shows what a change did to all kernels of all examples.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { artifact } from "../compiler/artifact.ts";
import { planModel, type PlannedModel } from "../compiler/compile.ts";
import { printKernel } from "../compiler/print-kernel.ts";
import type { TargetName } from "../runtime/program.ts";
import { plainText } from "../runtime/webgpu/shader.ts";
import { stdlib } from "../stdlib/sources.ts";

const path = "examples/app/small.moe";
const host = { read: (name: string) => (name === path ? readFileSync(path, "utf8") : stdlib[name]) };

/** Only what the forward pass launches for the layer. */
function planned(target: TargetName): PlannedModel {
  const whole = planModel({ host, path, target }).planned!;
  const { forward } = whole.program.entries;
  const layer = forward!.dispatches.filter(({ label }) => label.startsWith("block.0.experts"));
  expect(layer.length).toBeGreaterThan(3);
  const numbers = [...new Set(layer.map(({ kernel }) => kernel))];
  const dispatches = layer.map((dispatch) => ({
    ...dispatch,
    kernel: numbers.indexOf(dispatch.kernel),
  }));
  return {
    ...whole,
    kernels: numbers.map((number) => whole.kernels[number]!),
    program: {
      ...whole.program,
      kernels: numbers.map((number) => whole.program.kernels[number]!),
      entries: { forward: { ...forward!, dispatches } },
    },
  };
}

describe("the routed layer of examples/app, forward", () => {
  test("kernels for a CPU", async () => {
    const text = planned("wasm").kernels.map(printKernel).join("\n");
    await expect(text).toMatchFileSnapshot("golden/small.kernels.txt");
  });
  test("WGSL", async () => {
    const text = artifact(planned("webgpu"), "webgpu").shaders.map(plainText).join("\n");
    await expect(text).toMatchFileSnapshot("golden/small.wgsl");
  });
  test("CUDA C++", async () => {
    await expect(artifact(planned("cuda"), "cuda").source).toMatchFileSnapshot("golden/small.cu");
  });
});
