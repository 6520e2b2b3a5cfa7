// Whether the files of a compiled model are those that its module was built with: a program and kernels of two builds run, and compute
// something that nobody wrote. In: contents. Out: checksums, which the module holds, and `load` compares. Line ends and the layout
// of JSON do not count: version control and formatters change them.

import { crc32, hex8 } from "./checkpoint-checksum.ts";
import { UserError } from "./errors.ts";

/** Of an artifact's files, by the name that they are built with. */
export type Checksums = Readonly<Record<string, string>>;

/** The names that `ModelFiles` has places for. */
export const checkedFiles = {
  program: "program.json",
  plain: "model.wasm",
  relaxed: "model.relaxed.wasm",
  gpuProgram: "program.webgpu.json",
  shaders: "model.wgsl",
} as const;

export const checksumOf = (bytes: Uint8Array): string => hex8(crc32(bytes));
export const checksumOfText = (text: string): string =>
  checksumOf(new TextEncoder().encode(text.replaceAll("\r", "")));
export const checksumOfJson = (value: unknown): string => checksumOfText(JSON.stringify(value));

/** `name` is its place, for the message; undefined in `wanted`: nobody knows. Errors: R0507. */
export function checkSame(name: string, wanted: string | undefined, actual: () => string): void {
  if (wanted === undefined || wanted === actual()) return;
  throw new UserError("R0507", `${name} is not the file that this module was built with`, {
    file: name,
    help: "it was changed, cut off, or is of another build: build the model again, and keep the files together",
  });
}
