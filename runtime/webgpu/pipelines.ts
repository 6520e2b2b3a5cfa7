// Shaders made ready to run: a compute pipeline for each kernel, all of an entry at the same time when the entry is first used, so that
// opening a model compiles nothing and an entry that nobody runs costs nothing. Kernels that entries share are compiled once.
// In: a device, a program and its shaders, of which the text is taken that the device can do. Out: pipelines with the layouts of their bindings.
// A kernel that the device refuses is one error that names it and what the user wrote that it does.

import type { Shader } from "../artifact.ts";
import { UserError } from "../errors.ts";
import { inWords } from "../in-words.ts";
import type { Dispatch, Entry, Program } from "../program.ts";
import { computeStage } from "./constants.ts";
import { reasonOf, type Device } from "./device.ts";
import { textFor } from "./shader.ts";

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** By number of kernel. */
export type EntryPipelines = ReadonlyMap<number, Pipeline>;

interface Layouts {
  readonly group: GPUBindGroupLayout;
  readonly all: GPUPipelineLayout;
}

export class Pipelines {
  readonly #device: Device;
  readonly #program: Program;
  readonly #shaders: readonly Shader[];
  readonly #layouts = new Map<string, Layouts>();
  readonly #compiled = new Map<number, Promise<Pipeline>>();

  /** What the device's limits forbid of these entries is known before anything is compiled. Errors: R0604. */
  constructor(device: Device, program: Program, shaders: readonly Shader[], entries: Iterable<Entry>) {
    this.#device = device;
    this.#program = program;
    this.#shaders = shaders;
    for (const entry of entries) for (const dispatch of usesOf(entry)) checkLimits(device, program, dispatch);
  }

  /** Those of an entry, compiled unless they have been. Errors: R0606. */
  async of(entry: Entry): Promise<EntryPipelines> {
    const asked = usesOf(entry).map(async (dispatch): Promise<[number, Pipeline]> => {
      const { kernel } = dispatch;
      const known = this.#compiled.get(kernel);
      const compiled = known ?? this.#compile(dispatch);
      if (known === undefined) this.#compiled.set(kernel, compiled);
      return [kernel, await compiled];
    });
    // All are waited for, so that none fails unheard.
    const results = await Promise.allSettled(asked);
    return new Map(
      results.map((result) => {
        if (result.status === "rejected") throw result.reason;
        return result.value;
      }),
    );
  }

  async #compile(dispatch: Dispatch): Promise<Pipeline> {
    const { kernel } = dispatch;
    const { gpu, name: device, check } = this.#device;
    const shader = this.#shaders[kernel];
    if (shader === undefined) throw new Error(`internal: kernel ${kernel} has no shader`);
    const code = textFor(shader, gpu.features.has("subgroups"));
    const { group, all } = this.#layoutOf(kernel);
    const { name } = this.#program.kernels[kernel]!;
    gpu.pushErrorScope("validation");
    const module = gpu.createShaderModule({ code, label: name });
    const invalid = gpu.popErrorScope();
    try {
      const pipeline = await gpu.createComputePipelineAsync({
        label: name,
        layout: all,
        compute: { module, entryPoint: "main" },
      });
      await invalid;
      return { pipeline, layout: group };
    } catch (error) {
      await invalid.catch(() => null);
      // A device that is gone refuses everything.
      check();
      const { messages } = await module.getCompilationInfo();
      const worst = messages.find(({ type }) => type === "error");
      const why = worst === undefined ? reasonOf(error) : `line ${worst.lineNum}: ${worst.message}`;
      throw new UserError("R0606", `${device} refuses the kernel ${name} (${inWords(dispatch)}): ${why}`, {
        help: "use the CPU, and report this to the makers of moe",
      });
    }
  }

  /** Kernels that bind alike have one layout. */
  #layoutOf(kernel: number): Layouts {
    const { buffers } = this.#program.kernels[kernel]!;
    const key = buffers.map(({ access }) => (access === "read" ? "r" : "w")).join("");
    const known = this.#layouts.get(key);
    if (known !== undefined) return known;
    const { gpu } = this.#device;
    const group = gpu.createBindGroupLayout({
      entries: [
        ...buffers.map(({ access }, binding): GPUBindGroupLayoutEntry => ({
          binding,
          visibility: computeStage,
          buffer: { type: access === "read" ? "read-only-storage" : "storage" },
        })),
        { binding: buffers.length, visibility: computeStage, buffer: { type: "uniform" } },
      ],
    });
    const made = { group, all: gpu.createPipelineLayout({ bindGroupLayouts: [group] }) };
    this.#layouts.set(key, made);
    return made;
  }
}

/** The first use of each kernel of an entry. */
function usesOf({ dispatches }: Entry): readonly Dispatch[] {
  const uses = new Map<number, Dispatch>();
  for (const dispatch of dispatches) if (!uses.has(dispatch.kernel)) uses.set(dispatch.kernel, dispatch);
  return [...uses.values()];
}

function checkLimits({ gpu, name: device }: Device, program: Program, dispatch: Dispatch): void {
  const { name, workgroup, scratch, buffers } = program.kernels[dispatch.kernel]!;
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
        `the kernel ${name} (${inWords(dispatch)}) needs ${needs} ${what}, and ${device} offers ${has}`,
        { help: "use the CPU" },
      );
}
