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

/** `kernels.1a2b3c4d.sm_90a.cubin`, `kernels.1a2b3c4d.compute_80.ptx` */
const imageName = (source: string, { architecture }: Pick<CudaImage, "architecture">): string =>
  `kernels.${hashOf(source)}.${architecture}.${architecture.startsWith("compute") ? "ptx" : "cubin"}`;

const hashOf = (source: string): string => createHash("sha256").update(source).digest("hex").slice(0, 8);

export const cudaFiles = (program: Program, { source }: CudaCode): ReadonlyMap<string, string> =>
  new Map([
    [programFile, `${JSON.stringify(program)}\n`],
    [sourceFile, source],
  ]);

export const imageFiles = ({ source, images = [] }: CudaCode): ReadonlyMap<string, Uint8Array> =>
  new Map(images.map((image) => [imageName(source, image), image.bytes]));

/** Errors: R0607 no kernels for CUDA there, or of another version of moe. */
export function readCudaArtifact(folder: string): { readonly program: Program } & CudaCode {
  let program: Program;
  let source: string;
  try {
    program = JSON.parse(readFileSync(join(folder, programFile), "utf8")) as Program;
    source = readFileSync(join(folder, sourceFile), "utf8");
  } catch {
    throw new UserError("R0607", `${folder} holds no kernels for CUDA`, {
      file: folder,
      help: "build it with `--target cuda`",
    });
  }
  if (program.format !== "moe-program" || program.version !== programVersion)
    throw new UserError("R0607", `${join(folder, programFile)} is of another version of moe`, {
      file: join(folder, programFile),
      help: "build it again with `--target cuda`",
    });
  const pattern = new RegExp(`^kernels\\.${hashOf(source)}\\.(\\w+)\\.(cubin|ptx)$`);
  const images = readdirSync(folder).flatMap((name): CudaImage[] => {
    const architecture = pattern.exec(name)?.[1];
    return architecture === undefined
      ? []
      : [{ architecture, bytes: new Uint8Array(readFileSync(join(folder, name))) }];
  });
  return { program, source, images };
}
