// Artifact: a planned program and its kernels -> what a build folder holds, for the target that it was planned for.
// On the CPU two wasm modules with the same functions: one with fused multiply-add (relaxed SIMD), one without; the loader takes
// the first that its engine accepts. Both import a shared memory; a session of one thread that wants an unshared one changes
// that one flag when it loads. For WebGPU a shader for each kernel, and a second text where devices with subgroups take another; for CUDA one text.

import type { Artifact, Code } from "../runtime/artifact.ts";
import type { Program, TargetName } from "../runtime/program.ts";
import type { Planned } from "./plan.ts";
import { printCuda } from "./cuda/print.ts";
import { printBoth } from "./wasm/print.ts";
import { printShader } from "./wgsl/print.ts";

export type { AnyArtifact, Artifact } from "../runtime/artifact.ts";

const printers: { readonly [Target in TargetName]: (planned: Planned) => Code[Target] } = {
  wasm: ({ kernels }) => ({ wasm: printBoth(kernels, { shared: true }) }),
  webgpu: ({ program, kernels }) => {
    const labels = labelsOf(program);
    return { shaders: kernels.map((kernel, at) => printShader(kernel, { label: labels[at] ?? "" })) };
  },
  cuda: ({ program, kernels }) => ({ source: printCuda(kernels, { labels: labelsOf(program) }) }),
};

/** `target` is the one that the program was planned for; the CPU when it is left out. */
export function artifact<Target extends TargetName = "wasm">(
  planned: Planned,
  target: Target = "wasm" as Target,
): Artifact<Target> {
  const { program } = planned;
  if (program.target !== target)
    throw new Error(`internal: ${program.name} was planned for ${program.target}, not ${target}`);
  return { program, ...printers[target](planned) };
}

/** What the user wrote that each kernel does, at its first use. */
function labelsOf(program: Program): (string | undefined)[] {
  const labels: (string | undefined)[] = [];
  for (const { dispatches } of Object.values(program.entries))
    for (const { kernel, label } of dispatches) labels[kernel] ??= label;
  return labels;
}
