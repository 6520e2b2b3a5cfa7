// One entry of a program on a GPU, at given sizes: what each dispatch binds and how many workgroups it has. In: a program, an
// entry, sizes, memory and pipelines. Out: steps that a run only has to record, and what a run is told and gives.

import { elements } from "../arena.ts";
import type { BufferRef, Dispatch, Entry, Program, StoredName } from "../program.ts";
import type { BoundBuffer, DispatchInfo, Place } from "../session-entry.ts";
import { evaluate, type Sizes } from "../size.ts";
import { elementsOf, storedIn } from "../stored.ts";
import { layoutGpu, type GpuLayout, type Spot } from "./layout.ts";
import { partLength, type GpuMemory } from "./memory.ts";
import type { EntryPipelines } from "./pipelines.ts";

export interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly x: number;
  readonly y: number;
}

/** What does not depend on where the pools are. */
export interface PreparedEntry {
  readonly entry: Entry;
  readonly sizes: Sizes;
  readonly layout: GpuLayout;
  /** Addresses are offsets in the buffer of inputs. */
  readonly inputs: readonly Place[];
  readonly dispatches: readonly DispatchInfo[];
}

/** WebGPU launches at most so many workgroups along one axis. */
const longestAxis = 65535;

export function prepareEntry(
  program: Program,
  entry: Entry,
  sizes: Sizes,
  limits: GPUSupportedLimits,
): PreparedEntry {
  const layout = layoutGpu(program, entry, sizes, {
    alignment: limits.minStorageBufferOffsetAlignment,
    buffer: limits.maxBufferSize,
  });
  const inputs = entry.inputs.map((port): Place => {
    const shape = port.shape.map((size) => evaluate(size, sizes));
    return {
      port,
      address: layout.inputs.get(port.name)!.offset,
      length: elements(port.shape, sizes),
      shape,
    };
  });
  return { entry, sizes, layout, inputs, dispatches: describe(program, entry, sizes) };
}

/** Makes the steps of an entry, with bind groups that hold until pools move. */
export function stepMaker(
  program: Program,
  { sizes, layout }: PreparedEntry,
  gpu: GPUDevice,
  memory: GpuMemory,
  pipelines: EntryPipelines,
): (dispatch: Dispatch) => Step {
  const bound = (ref: BufferRef): GPUBufferBinding => {
    const at = (buffer: GPUBuffer, { offset, bytes }: Spot): GPUBufferBinding => ({
      buffer,
      offset,
      size: bytes,
    });
    switch (ref.kind) {
      case "tensor":
        return { buffer: memory.tensor(ref.name)[ref.part ?? 0]! };
      case "input":
        return at(memory.inputs, layout.inputs.get(ref.name)!);
      case "output": {
        const spot = layout.outputs.get(ref.name)!;
        return at(memory.pool(spot.pool), spot);
      }
      case "temporary": {
        const spot = layout.temporaries[ref.index]!;
        return at(memory.pool(spot.pool), spot);
      }
      default:
        return ref satisfies never;
    }
  };
  return ({ kernel: number, buffers, label, launch: own }) => {
    const kernel = program.kernels[number]!;
    const { pipeline, layout: groupLayout } = pipelines.get(number)!;
    const launch = memory.launch(kernel.sizes.map((name) => (own?.[name] ?? sizes[name])!));
    const group = gpu.createBindGroup({
      label,
      layout: groupLayout,
      entries: [...buffers.map(bound), { buffer: launch }].map((resource, binding) => ({
        binding,
        resource,
      })),
    });
    const grid = evaluate(kernel.grid, sizes);
    const y = Math.max(1, Math.ceil(grid / longestAxis));
    return { pipeline, group, x: Math.ceil(grid / y), y };
  };
}

function describe(program: Program, entry: Entry, sizes: Sizes): DispatchInfo[] {
  const tensors = new Map(storedIn(program).map((stored) => [stored.name, stored]));
  const ports = new Map([...entry.inputs, ...entry.outputs].map((port) => [port.name, port]));
  const touched = new Set<string>();
  const about = (ref: BufferRef): { name: string; type: StoredName; length: number } => {
    if (ref.kind === "temporary") {
      const { label, type, length } = entry.temporaries[ref.index]!;
      return { name: label, type, length: evaluate(length, sizes) };
    }
    if (ref.kind === "tensor") {
      const tensor = tensors.get(ref.name)!;
      const length = ref.part === undefined ? elementsOf(tensor) : partLength(tensor);
      return { name: ref.name, type: tensor.type, length };
    }
    const { type, shape } = ports.get(ref.name)!;
    return { name: ref.name, type, length: elements(shape, sizes) };
  };
  return entry.dispatches.map((dispatch): DispatchInfo => {
    const kernel = program.kernels[dispatch.kernel]!;
    const multiplyAdds = kernel.multiplyAdds === undefined ? 0 : evaluate(kernel.multiplyAdds, sizes);
    const bound = dispatch.buffers.map((ref, at): BoundBuffer => {
      const key = ref.kind === "temporary" ? `temporary ${ref.index}` : `${ref.kind} ${ref.name}`;
      const fresh = !touched.has(key) && (ref.kind === "temporary" || ref.kind === "output");
      touched.add(key);
      return { ref, ...about(ref), access: kernel.buffers[at]!.access, address: 0, fresh };
    });
    return { ...dispatch, kernel: kernel.name, multiplyAdds, buffers: bound };
  });
}
