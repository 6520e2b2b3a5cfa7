// Runs kernels on WebGPU in tests: Dawn in Node, over whatever Vulkan finds (SwiftShader where there is no GPU). In: kernels,
// buffers by name, sizes. Out: the buffers, changed in place.

import { expect } from "vitest";
import type { ElementType, Kernel } from "../../compiler/kernel.ts";
import { printWgsl, type WgslOptions } from "../../compiler/wgsl/print.ts";
import { UserError } from "../../runtime/errors.ts";
import { heldIn, isHalf, narrowed, valuesOf } from "../../runtime/halves.ts";
import { evaluate, type Sizes } from "../../runtime/size.ts";
import { mapRead, usage } from "../../runtime/webgpu/constants.ts";
import type { Device, DeviceOptions } from "../../runtime/webgpu/device.ts";
import { openDevice } from "../../runtime/webgpu/open.ts";

export type Buffers = Map<string, Float32Array | Int32Array>;

/** The device of this process, or why there is none. */
export async function findDevice(options: DeviceOptions = {}): Promise<Device | string> {
  try {
    return await openDevice(options);
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
  const code = text ?? printWgsl(kernel, options);
  gpu.pushErrorScope("validation");
  const module = gpu.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  const worst = messages.find(({ type }) => type === "error");
  if (worst !== undefined) expect.fail(`line ${worst.lineNum}: ${worst.message}\n${code}`);
  const stage = 4;
  const groupLayout = gpu.createBindGroupLayout({
    entries: [
      ...kernel.buffers.map(({ access }, binding): GPUBindGroupLayoutEntry => {
        const type = access === "read" ? "read-only-storage" : "storage";
        return { binding, visibility: stage, buffer: { type } };
      }),
      { binding: kernel.buffers.length, visibility: stage, buffer: { type: "uniform" } },
    ],
  });
  const pipeline = await gpu.createComputePipelineAsync({
    layout: gpu.createPipelineLayout({ bindGroupLayouts: [groupLayout] }),
    compute: { module, entryPoint: "main" },
  });
  const flags = usage.storage | usage.copySource | usage.copyTarget;
  // Buffers of half width are given and taken as f32, and are of f32 where the text has no f16.
  const typeIn = (at: number): ElementType => {
    const { type } = kernel.buffers[at]!;
    return isHalf(type) && !code.includes("enable f16;") ? "f32" : type;
  };
  const made = kernel.buffers.map(({ name }, at) => {
    const given = buffers.get(name)!;
    const type = typeIn(at);
    const data = isHalf(type) ? narrowed(type, given as Float32Array) : given;
    const padded = new Uint8Array(Math.max(16, 4 * Math.ceil(data.byteLength / 4)));
    padded.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    const buffer = gpu.createBuffer({ size: padded.byteLength, usage: flags });
    gpu.queue.writeBuffer(buffer, 0, padded);
    return buffer;
  });
  const words = new Int32Array(4 * Math.ceil((kernel.sizes.length + 2) / 4));
  words.set(kernel.sizes.map((name) => sizes[name]!));
  new Float32Array(words.buffer).set([Infinity, NaN], kernel.sizes.length);
  const launch = gpu.createBuffer({ size: words.byteLength, usage: usage.uniform | usage.copyTarget });
  gpu.queue.writeBuffer(launch, 0, words);
  const group = gpu.createBindGroup({
    layout: groupLayout,
    entries: [...made, launch].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  const grid = evaluate(kernel.grid, sizes);
  const y = Math.max(1, Math.ceil(grid / 65535));
  if (grid > 0) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(Math.ceil(grid / y), y);
  }
  pass.end();
  const reads = made.map((buffer) => {
    const read = gpu.createBuffer({ size: buffer.size, usage: usage.mapRead | usage.copyTarget });
    encoder.copyBufferToBuffer(buffer, 0, read, 0, buffer.size);
    return read;
  });
  gpu.queue.submit([encoder.finish()]);
  const error = await gpu.popErrorScope();
  if (error !== null) expect.fail(`${error.message}\n${code}`);
  for (const [at, read] of reads.entries()) {
    await read.mapAsync(mapRead);
    const data = buffers.get(kernel.buffers[at]!.name)!;
    const type = typeIn(at);
    data.set(valuesOf(type, heldIn(type, read.getMappedRange().slice(0), 0, data.length)));
  }
  for (const buffer of [...made, ...reads, launch]) buffer.destroy();
}
