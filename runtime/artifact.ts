// A compiled model: the program, and its kernels in the form that one kind of device takes. What the compiler makes, what
// folders hold, what sessions are opened with.

import type { Program, TargetName } from "./program.ts";
import type { WasmBytes } from "./wasm-module.ts";

/** Kernels by target. */
export interface Code {
  readonly wasm: { readonly wasm: { readonly plain: WasmBytes["plain"]; readonly relaxed: Uint8Array } };
  /** WGSL, for each of the program's kernels. */
  readonly webgpu: { readonly shaders: readonly Shader[] };
  readonly cuda: CudaCode;
}

/** A kernel's text, or two: devices with subgroups combine the values of a workgroup by them, and the kernels that do so have a text for
 * such devices beside the plain one, which every device takes. */
export type Shader = string | { readonly plain: string; readonly subgroups: string };

export interface CudaCode {
  /** CUDA C++, all kernels in one text; kernel i is the function `k{i}`. */
  readonly source: string;
  /** The same, compiled, where there was a compiler. */
  readonly images?: readonly CudaImage[];
}

/** Kernels in a form that CUDA's driver loads. */
export interface CudaImage {
  /** `sm_80`, `sm_90a`: machine code for that architecture; `compute_80`: PTX for it and all later ones. */
  readonly architecture: string;
  readonly bytes: Uint8Array;
}

/** For the CPU when no target is named. */
export type Artifact<Target extends TargetName = "wasm"> = { readonly program: Program } & Code[Target];

export type AnyArtifact = { readonly [Target in TargetName]: Artifact<Target> }[TargetName];
