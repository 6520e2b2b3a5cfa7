// All shaders of a model in one file that people can read (`model.wgsl`), and apart again. Each text begins with a line that has its
// kernel's number; WGSL takes it for a comment. A second text of a kernel, for devices with subgroups, follows the plain one.

import type { Shader } from "../artifact.ts";

const headOf = (kernel: number, subgroups = false): string =>
  `// ======== kernel ${kernel}${subgroups ? " with subgroups" : ""} ========`;
const heads = /^(\/\/ ======== kernel \d+(?: with subgroups)? ========)\n/m;

export const joinShaders = (shaders: readonly Shader[]): string =>
  shaders
    .flatMap((shader, kernel) =>
      typeof shader === "string"
        ? [`${headOf(kernel)}\n${shader}`]
        : [`${headOf(kernel)}\n${shader.plain}`, `${headOf(kernel, true)}\n${shader.subgroups}`],
    )
    .join("\n");

/** Undefined when it is not such a file, or not of so many kernels. */
export function splitShaders(file: string, count: number): readonly Shader[] | undefined {
  const [before, ...parts] = file.replaceAll("\r\n", "\n").split(heads);
  if (before !== "") return undefined;
  const shaders: Shader[] = [];
  for (let at = 0; at < parts.length; at += 2) {
    const [head, text] = [parts[at]!, parts[at + 1]!];
    const last = shaders.at(-1);
    if (head === headOf(shaders.length)) shaders.push(text);
    else if (head === headOf(shaders.length - 1, true) && typeof last === "string")
      shaders[shaders.length - 1] = { plain: last, subgroups: text };
    else return undefined;
  }
  return shaders.length === count ? shaders : undefined;
}
