// Kernels for CUDA in an artifact's folder: `program.cuda.json`, `kernels.cu`, and images whose names say which source they are of, so that one
// left behind by another build is not taken. In: a folder. Out: what `openCuda` takes. Node only.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CudaCode, CudaImage } from "../artifact.ts";
import { UserError } from "../errors.ts";
import { programVersion, type Program } from "../program.ts";

const programFile = "program.cuda.json";
const sourceFile = "kernels.cu";
/** What `moe build` wrote, with hashes. Artifacts that were made otherwise have none. */
const noteFile = "build.json";

/** `kernels.1a2b3c4d.sm_90a.cubin`, `kernels.1a2b3c4d.compute_80.ptx` */
const imageName = (source: string, { architecture }: Pick<CudaImage, "architecture">): string =>
  `kernels.${hashOf(source)}.${architecture}.${architecture.startsWith("compute") ? "ptx" : "cubin"}`;

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const hashOf = (source: string): string => sha256(source).slice(0, 8);

export const cudaFiles = (program: Program, { source }: CudaCode): ReadonlyMap<string, string> =>
  new Map([
    [programFile, `${JSON.stringify(program)}\n`],
    [sourceFile, source],
  ]);

export const imageFiles = ({ source, images = [] }: CudaCode): ReadonlyMap<string, Uint8Array> =>
  new Map(images.map((image) => [imageName(source, image), image.bytes]));

/** Errors: R0607 no kernels for CUDA there; R0507 files that are damaged, of another version of moe, or not of one build. */
export function readCudaArtifact(folder: string): { readonly program: Program } & CudaCode {
  const [text, source] = [textIn(folder, programFile), textIn(folder, sourceFile)];
  if (text === undefined || source === undefined)
    throw new UserError("R0607", `${folder} holds no kernels for CUDA`, {
      file: folder,
      help: "build it with `--target cuda`",
    });
  const program = parsed(text) as Program | undefined;
  if (program === undefined) throw unfit(folder, programFile, "is not JSON: it was edited or cut off");
  if (program.format !== "moe-program" || program.version !== programVersion)
    throw unfit(folder, programFile, "is of another version of moe");
  // A program and kernels of two builds would run, and compute something that nobody wrote.
  const note = parsed(textIn(folder, noteFile) ?? "{}") as
    { files?: Readonly<Record<string, string>> } | undefined;
  for (const [name, content] of [
    [programFile, text],
    [sourceFile, source],
  ] as const) {
    const wanted = note?.files?.[name];
    if (wanted !== undefined && wanted !== sha256(content.replaceAll("\r\n", "\n")))
      throw unfit(folder, name, "is not the file that moe wrote: it was changed, or is of another build");
  }
  const pattern = new RegExp(`^kernels\\.${hashOf(source)}\\.(\\w+)\\.(cubin|ptx)$`);
  const images = readdirSync(folder).flatMap((name): CudaImage[] => {
    const architecture = pattern.exec(name)?.[1];
    return architecture === undefined
      ? []
      : [{ architecture, bytes: new Uint8Array(readFileSync(join(folder, name))) }];
  });
  return { program, source, images };
}

function textIn(folder: string, name: string): string | undefined {
  try {
    return readFileSync(join(folder, name), "utf8");
  } catch {
    return undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unfit(folder: string, name: string, why: string): UserError {
  const file = join(folder, name);
  return new UserError("R0507", `${file} ${why}`, {
    file,
    help: "build it again with `--target cuda`, and keep the files together",
  });
}
