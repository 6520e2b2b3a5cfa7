// Artifact: a planned program and its kernels -> what a build folder holds. Two wasm modules with the same functions: one
// with fused multiply-add (relaxed SIMD), one without; the loader takes the first that its engine accepts.
// Both import a shared memory; a session of one thread that wants an unshared one changes that one flag when it loads.

import type { Program } from "../runtime/program.ts";
import type { Planned } from "./plan.ts";
import { printBoth } from "./wasm/print.ts";

export interface Artifact {
  readonly program: Program;
  readonly wasm: { readonly plain: Uint8Array; readonly relaxed: Uint8Array };
}

export function artifact({ program, kernels }: Planned): Artifact {
  return { program, wasm: printBoth(kernels, { shared: true }) };
}
