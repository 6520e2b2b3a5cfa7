// Launches (launches.ts) on targets: WGSL over Dawn and in Chromium, CUDA C++ on the host. In: launches, whose memory is copied. Out: the first that leaves
// something else than the kernel interpreter did fails. Half width, where the device has none: f16 is another name of f32, which shows
// no difference, because what is stored is rounded before.

import { isHalf } from "../../compiler/half.ts";
import type { Kernel } from "../../compiler/kernel.ts";
import { printWgsl } from "../../compiler/wgsl/print.ts";
import { evaluate } from "../../runtime/size.ts";
import type { Device } from "../../runtime/webgpu/device.ts";
import type { Chromium, ShaderRun } from "./chromium.ts";
import { loadKernels, type HostKernels } from "./cuda-host.ts";
import { f32Tolerance } from "./differential.ts";
import { copied, expectLaunch, type Launch, type Memory } from "./launches.ts";
import { runOnWebGpu, withF32ForF16 } from "./webgpu.ts";

/** A sum in another order rounds to a neighbour in 16 bits. */
function toleranceFor({ buffers, scratch }: Kernel): number {
  const types = [...buffers, ...scratch].map(({ type }) => type).filter(isHalf);
  return types.includes("bf16") ? 2 ** -7 : types.includes("f16") ? 2 ** -10 : f32Tolerance;
}

/** What a kernel is on a device that has these features. */
export function textOn(kernel: Kernel, features: Pick<ReadonlySet<string>, "has">): string {
  const text = printWgsl(kernel, { subgroups: features.has("subgroups") });
  return features.has("shader-f16") ? text : withF32ForF16(text);
}

export async function expectOnWebGpu(device: Device, launches: readonly Launch[]): Promise<void> {
  for (const launch of launches) {
    const memory = copied(launch.before);
    const text = textOn(launch.kernel, device.gpu.features);
    await runOnWebGpu(device, launch.kernel, memory, launch.sizes, { text });
    expectLaunch(launch, memory, toleranceFor(launch.kernel));
  }
}

/** Without subgroups, and with f32 for f16. */
export async function expectInChromium(chromium: Chromium, launches: readonly Launch[]): Promise<void> {
  const runs = runsOf(launches);
  await chromium.run(runs);
  for (const [at, { memory }] of runs.entries())
    expectLaunch(launches[at]!, memory, toleranceFor(launches[at]!.kernel));
}

/** Each in a copy of its memory. */
export const runsOf = (launches: readonly Launch[]): readonly ShaderRun[] =>
  launches.map(({ kernel, before, sizes }) => ({
    ...{ kernel, sizes },
    memory: copied(before),
    text: textOn(kernel, new Set()),
  }));

/** One library for all of them. */
export function expectOnHost(launches: readonly Launch[]): void {
  if (launches.length === 0) return;
  const library = loadKernels(launches.map(({ kernel }) => kernel));
  for (const [index, launch] of launches.entries()) {
    const memory = copied(launch.before);
    runLaunch(library, index, launch, memory);
    expectLaunch(launch, memory, toleranceFor(launch.kernel));
  }
}

/** One kernel of a library, in a launch's memory. */
export const runLaunch = (
  library: HostKernels,
  index: number,
  { kernel, sizes }: Launch,
  memory: Memory,
): void =>
  library.run(
    index,
    evaluate(kernel.grid, sizes),
    kernel.buffers.map(({ name }) => memory.get(name)!),
    kernel.sizes.map((name) => sizes[name]!),
  );
