// All shaders of a model in one file that people can read (`model.wgsl`), and apart again. Each begins with a line that has its
// number; WGSL takes it for a comment.

const headOf = (kernel: number): string => `// ======== kernel ${kernel} ========`;

export const joinShaders = (shaders: readonly string[]): string =>
  shaders.map((text, kernel) => `${headOf(kernel)}\n${text}`).join("\n");

/** Undefined when it is not such a file, or not of so many kernels. */
export function splitShaders(file: string, count: number): readonly string[] | undefined {
  const parts = file.replaceAll("\r\n", "\n").split(/^\/\/ ======== kernel \d+ ========\n/m);
  return parts[0] === "" && parts.length === count + 1 ? parts.slice(1) : undefined;
}
