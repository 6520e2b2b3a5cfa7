// Runs kernels on WebGPU in tests: Dawn in Node, over whatever Vulkan finds (SwiftShader where there is no GPU). In: kernels,
// buffers by name, sizes. Out: the buffers, changed in place.

import { expect } from "vitest";
import type { ElementType, Kernel } from "../../compiler/kernel.ts";
import { printWgsl, type WgslOptions } from "../../compiler/wgsl/print.ts";
import { UserError } from "../../runtime/errors.ts";
import { heldIn, isHalf, narrowed, valuesOf } from "../../runtime/halves.ts";
import { evaluate, type Sizes } from "../../runtime/size.ts";
import type { Device, DeviceOptions } from "../../runtime/webgpu/device.ts";
import { openDevice } from "../../runtime/webgpu/open.ts";
import { launchShader, type ShaderLaunch } from "./shader-launch.ts";
import { driverZeroes } from "./swiftshader.ts";

export type Buffers = Map<string, Float32Array | Int32Array>;

/** The device of this process, or why there is none. */
export async function findDevice({ dawn = [] }: DeviceOptions = {}): Promise<Device | string> {
  try {
    return await openDevice({ dawn: [...dawn, `disable-dawn-features=${driverZeroes}`] });
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

/** The package is optional. */
export const hasDawn = await import("webgpu").then(
  () => true,
  () => false,
);

/** Gives what Dawn has against a shader, on a device that can do anything and runs nothing; "" when nothing. */
export async function validator(features: GPUFeatureName[]): Promise<(code: string) => Promise<string>> {
  const { create } = await import("webgpu");
  const gpu = create(["backend=null"]);
  const adapter = (await gpu.requestAdapter())!;
  const device = await adapter.requestDevice({ requiredFeatures: features });
  return async (code) => {
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code });
    // The instance must not be collected before it has answered.
    const { messages } = gpu === undefined ? { messages: [] } : await module.getCompilationInfo();
    if (messages.length === 0)
      await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
    await device.popErrorScope();
    return messages.map(({ lineNum, message }) => `${lineNum}: ${message}`).join("\n");
  };
}

/** With `text`, that in the place of what is printed. */
export async function runOnWebGpu(
  { gpu }: Device,
  kernel: Kernel,
  buffers: Buffers,
  sizes: Sizes = {},
  { text, ...options }: WgslOptions & { readonly text?: string } = {},
): Promise<void> {
  const launch = shaderLaunch(text ?? printWgsl(kernel, options), kernel, buffers, sizes);
  takeBack(await launchShader(gpu, launch), launch.code, kernel, buffers);
}

/** For a device without f16. What the text enables besides stays before all declarations. */
export const withF32ForF16 = (text: string): string =>
  text.includes("enable f16;\n") ? `${text.replace("enable f16;\n", "")}\nalias f16 = f32;\n` : text;

/** Buffers of half width are given and taken as f32, and are of f32 where the text has no f16. */
const typesIn = (code: string, { buffers }: Kernel): readonly ElementType[] =>
  buffers.map(({ type }) => (isHalf(type) && !code.includes("enable f16;") ? "f32" : type));

/** A kernel's text and memory for a device. */
export function shaderLaunch(code: string, kernel: Kernel, buffers: Buffers, sizes: Sizes): ShaderLaunch {
  const types = typesIn(code, kernel);
  const words = new Int32Array(4 * Math.ceil((kernel.sizes.length + 2) / 4));
  words.set(kernel.sizes.map((name) => sizes[name]!));
  new Float32Array(words.buffer).set([Infinity, NaN], kernel.sizes.length);
  return {
    code,
    buffers: kernel.buffers.map(({ name, access }, at) => {
      const [type, given] = [types[at]!, buffers.get(name)!];
      const data = isHalf(type) ? narrowed(type, given as Float32Array) : given;
      return {
        readOnly: access === "read",
        bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      };
    }),
    uniform: new Uint8Array(words.buffer),
    workgroups: evaluate(kernel.grid, sizes),
  };
}

/** What a device left, into the kernel's buffers; what it refused fails. */
export function takeBack(
  left: readonly ArrayBuffer[] | string,
  code: string,
  kernel: Kernel,
  buffers: Buffers,
): void {
  if (typeof left === "string") expect.fail(`${left}\n${code}`);
  const types = typesIn(code, kernel);
  for (const [at, { name }] of kernel.buffers.entries()) {
    const data = buffers.get(name)!;
    data.set(valuesOf(types[at]!, heldIn(types[at]!, left[at]!, 0, data.length)));
  }
}
