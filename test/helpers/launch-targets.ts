// Launches (launches.ts) on targets: WGSL over Dawn, CUDA C++ on the host. In: launches, whose memory is copied. Out: the first that leaves
// something else than the kernel interpreter did fails. Half width, where the device has none: f16 is another name of f32, which shows
// no difference, because what is stored is rounded before.

import { isHalf } from "../../compiler/half.ts";
import type { Kernel } from "../../compiler/kernel.ts";
import { printWgsl } from "../../compiler/wgsl/print.ts";
import { evaluate } from "../../runtime/size.ts";
import type { Device } from "../../runtime/webgpu/device.ts";
import { loadKernels } from "./cuda-host.ts";
import { f32Tolerance } from "./differential.ts";
import { copied, expectLaunch, type Launch } from "./launches.ts";
import { runOnWebGpu } from "./webgpu.ts";

/** A sum in another order rounds to a neighbour in 16 bits. */
function toleranceFor({ buffers, scratch }: Kernel): number {
  const types = [...buffers, ...scratch].map(({ type }) => type).filter(isHalf);
  return types.includes("bf16") ? 2 ** -7 : types.includes("f16") ? 2 ** -10 : f32Tolerance;
}

export async function expectOnWebGpu(device: Device, launches: readonly Launch[]): Promise<void> {
  const { features } = device.gpu;
  for (const launch of launches) {
    const memory = copied(launch.before);
    const text = printWgsl(launch.kernel, { subgroups: features.has("subgroups") });
    await runOnWebGpu(device, launch.kernel, memory, launch.sizes, {
      text: features.has("shader-f16") ? text : text.replace("enable f16;", "alias f16 = f32;"),
    });
    expectLaunch(launch, memory, toleranceFor(launch.kernel));
  }
}

/** One library for all of them. */
export function expectOnHost(launches: readonly Launch[]): void {
  if (launches.length === 0) return;
  const library = loadKernels(launches.map(({ kernel }) => kernel));
  for (const [index, launch] of launches.entries()) {
    const { kernel, sizes } = launch;
    const memory = copied(launch.before);
    library.run(
      index,
      evaluate(kernel.grid, sizes),
      kernel.buffers.map(({ name }) => memory.get(name)!),
      kernel.sizes.map((name) => sizes[name]!),
    );
    expectLaunch(launch, memory, toleranceFor(kernel));
  }
}
