// Targets: what the fuser, the lowering and the schedules may count on. Numbers and abilities only: which code is printed is
// the printers' business, and what a device has beyond this is found out when a program is loaded.

import type { HalfType } from "./kernel.ts";
import type { Accumulation, Precision, TargetName } from "../runtime/program.ts";

export interface Target {
  readonly name: TargetName;
  /** What operands of contractions are rounded to; absent: they are f32. */
  readonly narrow?: HalfType;
  /** Storage buffers that a kernel may bind. */
  readonly bindings: number;
  /** Bytes that one of them may cover, where there is a limit: longer stacks lie in parts. */
  readonly binding?: number;
  /** Absent: a workgroup is one invocation, and four neighbours are one vector (a thread of a CPU). Present: neighbours are
   * neighbouring invocations, and vectors are only a way to write four of them (a GPU). */
  readonly parallel?: Parallel;
}

export interface Parallel {
  /** Invocations in a workgroup, at most and where nothing speaks for fewer. A power of two. */
  readonly workgroup: number;
  /** Bytes of scratch that a workgroup may have. */
  readonly scratch: number;
  /** Sums (f32) that an invocation may keep in registers, so that enough others run beside it. 32 when absent. */
  readonly sums?: number;
  /** Four neighbours in memory are one access of an invocation. */
  readonly vectors?: boolean;
  /** Products of two f16 that are added up in f16, so many at a time, before an f32 takes their sum. Absent: none. */
  readonly halfSums?: number;
  /** Matrix units multiply fragments of this type: contractions of such operands may use them. */
  readonly matrix?: {
    readonly type: HalfType;
    /** Kernels have a second variant of their tiles for devices whose warpgroups multiply. */
    readonly warpgroups?: boolean;
    /** Or another way to do all of their work, with bulk copies, on such devices: bytes of scratch that a workgroup has there. */
    readonly bulk?: number;
  };
}

/** What WebGPU guarantees of every device. */
const guaranteedBindings = 8;
const guaranteedBinding = 2 ** 27;

export const targets: Readonly<Record<TargetName, Target>> = {
  wasm: { name: "wasm", bindings: guaranteedBindings },
  webgpu: {
    name: "webgpu",
    bindings: guaranteedBindings,
    binding: guaranteedBinding,
    parallel: { workgroup: 256, scratch: 16384 },
  },
  cuda: {
    name: "cuda",
    // No limit of its own: the same clusters as for WebGPU, so that what is tested there holds here.
    bindings: guaranteedBindings,
    parallel: { workgroup: 256, scratch: 49152, sums: 64, vectors: true },
  },
};

/** What every GPU with matrix units gives a workgroup. */
const scratchBesideMatrix = 98304;

/** Half of what a multiprocessor of sm_90 has (228 KiB), less what each workgroup takes for itself: one multiplies while the other waits. */
const scratchForBulk = 115712;

/** What kernels do where warpgroups multiply: nothing else, a variant of their tiles, or another way with bulk copies. */
export type Warpgroups = boolean | "bulk";

/** Products that are added up in f16 at a time, where somebody asks for that: why so many stands in schedule/gpu-half-sums.ts. */
const shortSum = 8;

export interface Narrowing {
  readonly warpgroups?: Warpgroups;
  /** What the products of values are added up in, a few at a time. */
  readonly accumulation?: Accumulation;
}

/** The same target, operands of contractions rounded to `type` (narrow.ts), and on matrix units where it has them; with what
 * warpgroups that multiply do. */
export function narrowTarget(
  target: Target,
  type: HalfType,
  { warpgroups = false, accumulation = "f32" }: Narrowing = {},
): Target {
  const { parallel } = target;
  if (parallel === undefined) return { ...target, narrow: type };
  if (target.name !== "cuda") {
    if (accumulation === "f32") return { ...target, narrow: type };
    return { ...target, narrow: type, parallel: { ...parallel, halfSums: shortSum } };
  }
  const scratch = Math.max(parallel.scratch, scratchBesideMatrix);
  const matrix = warpgroups === "bulk" ? { type, bulk: scratchForBulk } : { type, warpgroups };
  return { ...target, narrow: type, parallel: { ...parallel, scratch, matrix } };
}

/** What a request to the compiler says of the machine. */
export interface TargetRequest extends Narrowing {
  readonly target?: TargetName;
  readonly precision?: Precision;
  /** Bytes that a binding may cover, other than what the target guarantees. */
  readonly binding?: number;
}

/** What kernels are scheduled for. Errors: a TypeError where the target has no such numbers. */
export function targetFor({
  target: name = "wasm",
  precision = "f32",
  binding,
  ...narrowing
}: TargetRequest): Target {
  const target = { ...targets[name], ...(binding === undefined ? {} : { binding }) };
  if (narrowing.accumulation === "f16" && (name !== "webgpu" || precision !== "f16"))
    throw new TypeError("accumulation in f16 is for the target webgpu with operands of f16");
  if (precision === "f32") return target;
  if (name === "cuda" || (name === "webgpu" && precision === "f16"))
    return narrowTarget(target, precision, narrowing);
  throw new TypeError(`the target ${name} has no ${precision}`);
}

/** The same target with all products added up in f32. */
export function inFullSums(target: Target): Target {
  if (target.parallel?.halfSums === undefined) return target;
  const { halfSums: _, ...parallel } = target.parallel;
  return { ...target, parallel };
}
