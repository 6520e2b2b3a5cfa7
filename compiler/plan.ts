// Plan: lowered entries -> Program. Equal kernels of all entries become one, temporaries get numbers and lifetimes.
// In: what `lower` made, entry by entry, and what the rest of the compiler knows of the model (`ProgramAbout`).
// Out: the Program, and the distinct kernels in the order that their numbers say, for the printer.
// `placeOf` knows the lines of the text: what a dispatch comes from, for errors.
// It places nothing in memory: addresses depend on sizes, and those are the session's (runtime/arena.ts).

import type {
  Dispatch,
  Entry,
  Program,
  ProgramKernel,
  StoredName,
  TargetName,
  Temporary,
} from "../runtime/program.ts";
import { programVersion } from "../runtime/program.ts";
import { sizeKey } from "../runtime/size.ts";
import { sameData } from "./same-data.ts";
import type { Origin } from "./graph.ts";
import { signalBytes } from "./cuda/bulk.ts";
import { bytesOf } from "./half.ts";
import type { Kernel, KernelWay } from "./kernel.ts";
import type { LoweredBuffer, LoweredEntry } from "./lowered.ts";
import { scratchBytes } from "./wasm/print.ts";

/** What a program says of its model besides the entries. */
export type ProgramAbout = Pick<
  Program,
  | "name"
  | "sizes"
  | "tensors"
  | "copies"
  | "modalities"
  | "routers"
  | "training"
  | "precision"
  | "accumulation"
  | "undecodable"
>;

export interface Planned {
  readonly program: Program;
  /** `kernels[i]` is what `program.kernels[i]` describes. */
  readonly kernels: readonly Kernel[];
}

export function plan(
  entries: readonly LoweredEntry[],
  about: ProgramAbout,
  target: TargetName = "wasm",
  placeOf: (origin: Origin) => string | undefined = () => undefined,
): Planned {
  const kernels: Kernel[] = [];
  const known = new Map<Kernel, number>();
  /** Numbers of kernels of one outline: few, so each is compared with the others. */
  const alike = new Map<string, number[]>();
  const numberOf = (kernel: Kernel): number => {
    let number = known.get(kernel);
    if (number === undefined) known.set(kernel, (number = numberByContent(kernel)));
    return number;
  };
  const numberByContent = (kernel: Kernel): number => {
    const outline = outlineOf(kernel);
    const others = alike.get(outline);
    const before = others?.find((number) => sameWork(kernels[number]!, kernel));
    if (before !== undefined) return before;
    if (others === undefined) alike.set(outline, [kernels.length]);
    else others.push(kernels.length);
    kernels.push(kernel);
    return kernels.length - 1;
  };

  const tensors = new Map<string, StoredName>(
    [...about.tensors, ...(about.copies ?? [])].map(({ name, type }) => [name, type]),
  );
  const planned: Record<string, Entry> = {};
  for (const entry of entries) {
    if (planned[entry.name] !== undefined) throw new Error(`internal: two entries are called ${entry.name}`);
    planned[entry.name] = planEntry(entry, numberOf, tensors, placeOf);
  }
  return {
    program: {
      format: "moe-program",
      version: programVersion,
      name: about.name,
      target,
      ...(about.precision === undefined ? {} : { precision: about.precision }),
      ...(about.accumulation === undefined ? {} : { accumulation: about.accumulation }),
      sizes: about.sizes,
      tensors: about.tensors,
      ...(about.copies === undefined ? {} : { copies: about.copies }),
      kernels: kernels.map(describeKernel),
      entries: planned,
      modalities: about.modalities,
      routers: about.routers,
      ...(about.training === undefined ? {} : { training: about.training }),
      ...(about.undecodable === undefined ? {} : { undecodable: about.undecodable }),
    },
    kernels,
  };
}

/** What is quick to see of a kernel's work. */
const outlineOf = ({ buffers, grid, workgroup, scratch, body }: Kernel): string =>
  [
    workgroup,
    ...buffers.map(({ type, access, length }) => `${type} ${access} ${sizeKey(length)}`),
    sizeKey(grid),
    ...scratch.map(({ length }) => length),
    ...body.map(({ op }) => op),
  ].join();

/** The name says where a kernel was first met, not what it does: the same work of two layers is one kernel. */
const sameWork = ({ name: _a, ...a }: Kernel, { name: _b, ...b }: Kernel): boolean => sameData(a, b);

/** All that a runtime sees of a kernel. */
export function describeKernel(kernel: Kernel): ProgramKernel {
  return {
    name: kernel.name,
    buffers: kernel.buffers.map(({ name, access }) => ({ name, access })),
    sizes: kernel.sizes,
    grid: kernel.grid,
    workgroup: kernel.workgroup,
    scratch: scratchBytes(kernel),
    ...(kernel.multiplyAdds === undefined ? {} : { multiplyAdds: kernel.multiplyAdds }),
    ...(kernel.warpgroups === undefined ? {} : { warpgroups: describeWay(kernel, kernel.warpgroups) }),
  };
}

function describeWay({ buffers }: Kernel, way: KernelWay): NonNullable<ProgramKernel["warpgroups"]> {
  const { grid, workgroup, maps = [] } = way;
  return {
    ...{ grid, workgroup, scratch: scratchBytes(way) + signalBytes(way) },
    maps: maps.map(({ buffer, offset, axes }) => {
      const number = buffers.findIndex(({ name }) => name === buffer);
      const { type } = buffers[number]!;
      return { buffer: number, type, offset, axes, swizzle: (axes[0]!.box * bytesOf(type)) as 32 | 64 | 128 };
    }),
  };
}

function planEntry(
  entry: LoweredEntry,
  numberOf: (kernel: Kernel) => number,
  tensors: ReadonlyMap<string, string>,
  placeOf: (origin: Origin) => string | undefined,
): Entry {
  const indices = new Map<LoweredBuffer, number>();
  const temporaries: { -readonly [Field in keyof Temporary]: Temporary[Field] }[] = [];
  const written = new Set<string>();
  const types = {
    tensor: tensors,
    input: new Map(entry.inputs.map((port) => [port.name, port.type])),
    output: new Map(entry.outputs.map((port) => [port.name, port.type])),
  };
  const dispatches = entry.dispatches.map((dispatch, at): Dispatch => {
    const fail = (why: string): never => {
      throw new Error(`internal: entry ${entry.name}, dispatch ${at} (${dispatch.label}): ${why}`);
    };
    const { kernel, buffers } = dispatch;
    if (buffers.length !== kernel.buffers.length)
      fail(`kernel ${kernel.name} binds ${kernel.buffers.length} buffers, ${buffers.length} given`);
    const refs = buffers.map((buffer, i) => {
      const bound = kernel.buffers[i]!;
      const type = buffer.kind === "temporary" ? buffer.type : types[buffer.kind].get(buffer.name);
      if (type === undefined) return fail(`there is no ${buffer.kind} ${nameOf(buffer)}`);
      if (type !== bound.type)
        fail(`${buffer.kind} ${nameOf(buffer)} is ${type}, ${bound.name} is ${bound.type}`);
      if (buffer.kind === "input" && bound.access !== "read") fail(`input ${buffer.name} is written`);
      if (buffer.kind !== "temporary") {
        if (buffer.kind === "output") {
          if (bound.access === "read" && !written.has(buffer.name))
            fail(`output ${buffer.name} is read unwritten`);
          if (bound.access !== "read") written.add(buffer.name);
        }
        return buffer;
      }
      const index = indices.get(buffer);
      if (index !== undefined) {
        temporaries[index]!.last = at;
        return { kind: buffer.kind, index };
      }
      // The first to touch a temporary must fill it: arenas are never cleared. A kernel may read what it wrote itself.
      if (bound.access === "read") fail(`temporary ${buffer.label} is read before anything writes it`);
      const { label, length } = buffer;
      indices.set(buffer, temporaries.length);
      temporaries.push({ label, type: buffer.type, length, first: at, last: at });
      return { kind: buffer.kind, index: temporaries.length - 1 };
    });
    const { label, origin, launch } = dispatch;
    const place = origin === undefined ? undefined : placeOf(origin);
    return {
      ...{ kernel: numberOf(kernel), buffers: refs, label },
      ...(place === undefined ? {} : { place }),
      ...(launch === undefined ? {} : { launch }),
    };
  });
  for (const port of entry.outputs)
    if (!written.has(port.name)) throw new Error(`internal: entry ${entry.name} never writes ${port.name}`);
  const { name, inputs, outputs, refusals } = entry;
  return { name, inputs, outputs, temporaries, dispatches, refusals };
}

const nameOf = (buffer: LoweredBuffer): string => (buffer.kind === "temporary" ? buffer.label : buffer.name);
