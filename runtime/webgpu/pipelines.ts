// Shaders made ready to run: one compute pipeline for each kernel, compiled once and all at the same time. In: a device, a
// program and the texts of its kernels. Out: pipelines with the layouts of their bindings.
// A kernel that the device refuses is one error that names it and what the user wrote that it does.

import { UserError } from "../errors.ts";
import type { Program } from "../program.ts";
import { computeStage } from "./constants.ts";
import { reasonOf, type Device } from "./device.ts";

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Pipelines by number of kernel, for the kernels that the entries use. Errors: R0604, R0606. */
export async function makePipelines(
  device: Device,
  program: Program,
  shaders: readonly string[],
  entries: readonly string[],
): Promise<ReadonlyMap<number, Pipeline>> {
  const labels = new Map<number, string>();
  for (const name of entries)
    for (const { kernel, label } of program.entries[name]!.dispatches)
      if (!labels.has(kernel)) labels.set(kernel, label);
  const layouts = new Map<string, { readonly group: GPUBindGroupLayout; readonly all: GPUPipelineLayout }>();
  const layoutOf = (kernel: number): { group: GPUBindGroupLayout; all: GPUPipelineLayout } => {
    const { buffers } = program.kernels[kernel]!;
    const key = buffers.map(({ access }) => (access === "read" ? "r" : "w")).join("");
    const known = layouts.get(key);
    if (known !== undefined) return known;
    const group = device.gpu.createBindGroupLayout({
      entries: [
        ...buffers.map(({ access }, binding): GPUBindGroupLayoutEntry => ({
          binding,
          visibility: computeStage,
          buffer: { type: access === "read" ? "read-only-storage" : "storage" },
        })),
        { binding: buffers.length, visibility: computeStage, buffer: { type: "uniform" } },
      ],
    });
    const made = { group, all: device.gpu.createPipelineLayout({ bindGroupLayouts: [group] }) };
    layouts.set(key, made);
    return made;
  };
  const compiled = [...labels].map(async ([kernel, label]): Promise<[number, Pipeline]> => {
    checkLimits(device, program, kernel, label);
    const code = shaders[kernel];
    if (code === undefined) throw new Error(`internal: kernel ${kernel} has no shader`);
    const { group, all } = layoutOf(kernel);
    const name = program.kernels[kernel]!.name;
    device.gpu.pushErrorScope("validation");
    const module = device.gpu.createShaderModule({ code, label: name });
    const invalid = device.gpu.popErrorScope();
    try {
      const pipeline = await device.gpu.createComputePipelineAsync({
        label: name,
        layout: all,
        compute: { module, entryPoint: "main" },
      });
      await invalid;
      return [kernel, { pipeline, layout: group }];
    } catch (error) {
      await invalid;
      const { messages } = await module.getCompilationInfo();
      const worst = messages.find(({ type }) => type === "error");
      const why = worst === undefined ? reasonOf(error) : `line ${worst.lineNum}: ${worst.message}`;
      throw new UserError("R0606", `${device.name} refuses the kernel ${name} (\`${label}\`): ${why}`, {
        help: "use the CPU, and report this to the makers of moe",
      });
    }
  });
  // All are waited for, so that none fails unheard.
  const results = await Promise.allSettled(compiled);
  return new Map(
    results.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    }),
  );
}

function checkLimits({ gpu, name: device }: Device, program: Program, kernel: number, label: string): void {
  const { name, workgroup, scratch, buffers } = program.kernels[kernel]!;
  const limits = gpu.limits;
  const checks: readonly (readonly [number, number, string])[] = [
    [scratch, limits.maxComputeWorkgroupStorageSize, "bytes of workgroup memory"],
    [
      workgroup,
      Math.min(limits.maxComputeInvocationsPerWorkgroup, limits.maxComputeWorkgroupSizeX),
      "invocations in a workgroup",
    ],
    [buffers.length, limits.maxStorageBuffersPerShaderStage, "buffers"],
  ];
  for (const [needs, has, what] of checks)
    if (needs > has)
      throw new UserError(
        "R0604",
        `the kernel ${name} (\`${label}\`) needs ${needs} ${what}, and ${device} offers ${has}`,
        { help: "use the CPU" },
      );
}
