// Targets: what the fuser, the lowering and the schedules may count on. Numbers and abilities only: which code is printed is
// the printers' business, and what a device has beyond this is found out when a program is loaded.

import type { TargetName } from "../runtime/program.ts";

export interface Target {
  readonly name: TargetName;
  /** Storage buffers that a kernel may bind. */
  readonly bindings: number;
  /** Absent: a workgroup is one invocation, and four neighbours are one vector (a thread of a CPU). Present: neighbours are
   * neighbouring invocations, and vectors are only a way to write four of them (a GPU). */
  readonly parallel?: Parallel;
}

export interface Parallel {
  /** Invocations in a workgroup, at most and where nothing speaks for fewer. A power of two. */
  readonly workgroup: number;
  /** Bytes of scratch that a workgroup may have. */
  readonly scratch: number;
}

/** What WebGPU guarantees of every device. */
const guaranteedBindings = 8;

export const targets: Readonly<Record<TargetName, Target>> = {
  wasm: { name: "wasm", bindings: guaranteedBindings },
  webgpu: {
    name: "webgpu",
    bindings: guaranteedBindings,
    parallel: { workgroup: 256, scratch: 16384 },
  },
  cuda: {
    name: "cuda",
    // No limit of its own: the same clusters as for WebGPU, so that what is tested there holds here.
    bindings: guaranteedBindings,
    parallel: { workgroup: 256, scratch: 49152 },
  },
};
