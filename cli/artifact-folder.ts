// The compiled model in a folder: `program.json` and its two wasm modules, as `moe build` and `moe train` write them.
// With kernels for a GPU there are more: `program.webgpu.json` and `model.wgsl`, `program.cuda.json` and `kernels.cu`.
// In: a folder. Out: what a session needs. A note beside them (`build.json`, `run.json`) has their hashes: files that do not
// belong together are refused before anything runs.

import { join } from "node:path";
import type { AnyArtifact } from "../runtime/artifact.ts";
import type { Program } from "../runtime/program.ts";
import { programVersion } from "../runtime/program.ts";
import { cudaFiles } from "../runtime/cuda/folder.ts";
import { UserError } from "../runtime/errors.ts";
import { joinShaders } from "../runtime/webgpu/shader-file.ts";
import { readBytes, readJson, sha256, writeWhole } from "./files.ts";

export interface Artifact {
  readonly program: Program;
  readonly wasm: { readonly plain: Uint8Array; readonly relaxed: Uint8Array };
}

/** Hash by file name. */
export type Hashes = Readonly<Record<string, string>>;

export const artifactFiles = ({ program, wasm }: Artifact): ReadonlyMap<string, string | Uint8Array> =>
  new Map<string, string | Uint8Array>([
    ["program.json", `${JSON.stringify(program)}\n`],
    ["model.wasm", wasm.plain],
    ["model.relaxed.wasm", wasm.relaxed],
  ]);

/** What is added for a GPU. */
export function deviceFiles(artifact: AnyArtifact): ReadonlyMap<string, string> {
  const program = `${JSON.stringify(artifact.program)}\n`;
  if ("shaders" in artifact)
    return new Map([
      ["program.webgpu.json", program],
      ["model.wgsl", joinShaders(artifact.shaders)],
    ]);
  if ("source" in artifact) return cudaFiles(artifact.program, artifact);
  return new Map();
}

export const hashesOf = (files: ReadonlyMap<string, string | Uint8Array>): Hashes =>
  Object.fromEntries([...files].map(([name, content]) => [name, sha256(content)]));

export function writeFiles(
  folder: string,
  files: ReadonlyMap<string, string | Uint8Array>,
  shown: string,
): void {
  for (const [name, content] of files) writeWhole(join(folder, name), content, join(shown, name));
}

/** Reads the three files and checks them against the note's hashes. */
export function readArtifact(folder: string, shown: string, hashes: Hashes): Artifact {
  const read = (name: string): Uint8Array => {
    const bytes = readBytes(folder, join(shown, name));
    if (hashes[name] !== undefined && hashes[name] !== sha256(bytes))
      throw new UserError("C0106", `${join(shown, name)} is not the file that moe wrote`, {
        file: join(shown, name),
        help: "it was changed since: build or train again",
      });
    return bytes;
  };
  const [plain, relaxed] = [read("model.wasm"), read("model.relaxed.wasm")];
  read("program.json");
  const program = readJson(folder, join(shown, "program.json")) as Program;
  if (program.format !== "moe-program" || program.version !== programVersion)
    throw new UserError("C0106", `${join(shown, "program.json")} is of another version of moe`, {
      file: join(shown, "program.json"),
      help: "build or train again",
    });
  return { program, wasm: { plain, relaxed } };
}
