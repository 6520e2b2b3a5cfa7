// One launch of a shader on a WebGPU device, in Node or in a page. In: the text, what it binds as bytes, the words of its uniform, how many
// workgroups. Out: the bytes of each buffer afterwards, or what the device has against it, in a sentence. Knows no kernels and no tests.

import { computeStage, mapRead, usage } from "../../runtime/webgpu/constants.ts";

export interface ShaderLaunch {
  readonly code: string;
  readonly buffers: readonly { readonly readOnly: boolean; readonly bytes: Uint8Array }[];
  /** Bound after the buffers: sizes, then what no shader may spell out. */
  readonly uniform: Uint8Array<ArrayBuffer>;
  readonly workgroups: number;
}

/** WebGPU launches at most so many workgroups along one axis. */
const longestAxis = 65535;

export async function launchShader(
  gpu: GPUDevice,
  { code, buffers, uniform, workgroups }: ShaderLaunch,
): Promise<readonly ArrayBuffer[] | string> {
  gpu.pushErrorScope("validation");
  const module = gpu.createShaderModule({ code });
  const refused = gpu.popErrorScope();
  const { messages } = await module.getCompilationInfo();
  const worst = messages.find(({ type }) => type === "error");
  if (worst !== undefined) return `line ${worst.lineNum}: ${worst.message}`;
  await refused;
  const groupLayout = gpu.createBindGroupLayout({
    entries: [
      ...buffers.map(({ readOnly }, binding): GPUBindGroupLayoutEntry => {
        const type = readOnly ? "read-only-storage" : "storage";
        return { binding, visibility: computeStage, buffer: { type } };
      }),
      { binding: buffers.length, visibility: computeStage, buffer: { type: "uniform" } },
    ],
  });
  let pipeline: GPUComputePipeline;
  try {
    pipeline = await gpu.createComputePipelineAsync({
      layout: gpu.createPipelineLayout({ bindGroupLayouts: [groupLayout] }),
      compute: { module, entryPoint: "main" },
    });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  // From here on nothing waits: the scope has only what this launch asks for, whatever else is under way.
  gpu.pushErrorScope("validation");
  const made = buffers.map(({ bytes }) => {
    const padded = new Uint8Array(Math.max(16, 4 * Math.ceil(bytes.byteLength / 4)));
    padded.set(bytes);
    const flags = usage.storage | usage.copySource | usage.copyTarget;
    const buffer = gpu.createBuffer({ size: padded.byteLength, usage: flags });
    gpu.queue.writeBuffer(buffer, 0, padded);
    return buffer;
  });
  const words = gpu.createBuffer({ size: uniform.byteLength, usage: usage.uniform | usage.copyTarget });
  gpu.queue.writeBuffer(words, 0, uniform);
  const group = gpu.createBindGroup({
    layout: groupLayout,
    entries: [...made, words].map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  const y = Math.max(1, Math.ceil(workgroups / longestAxis));
  if (workgroups > 0) {
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(Math.ceil(workgroups / y), y);
  }
  pass.end();
  const reads = made.map((buffer) => {
    const read = gpu.createBuffer({ size: buffer.size, usage: usage.mapRead | usage.copyTarget });
    encoder.copyBufferToBuffer(buffer, 0, read, 0, buffer.size);
    return read;
  });
  gpu.queue.submit([encoder.finish()]);
  const error = await gpu.popErrorScope();
  if (error !== null) return error.message;
  const left: ArrayBuffer[] = [];
  for (const [at, read] of reads.entries()) {
    await read.mapAsync(mapRead);
    left.push(read.getMappedRange().slice(0, buffers[at]!.bytes.byteLength));
  }
  for (const buffer of [...made, ...reads, words]) buffer.destroy();
  return left;
}
