// nvcc, where it is installed: CUDA C++ to images for the GPUs that are wanted. In: the source. Out: machine code for sm_80 and sm_90a, and PTX
// for later ones; nothing where there is no nvcc. Node only.

import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CudaImage } from "../artifact.ts";
import { UserError } from "../errors.ts";

/** As printed kernels are meant: no contraction of sums and products. NVRTC takes them, too. */
export const compilerFlags: readonly string[] = ["-fmad=false"];

/** `a`: with what only that architecture has. The last, PTX, is for all later ones. */
export const architectures = ["sm_80", "sm_90a", "compute_80"] as const;

const commands = ["nvcc", "/usr/local/cuda/bin/nvcc"];

/** Undefined where there is no nvcc. Errors: R0704 it does not take the source. */
export async function compileImages(
  source: string,
  wanted: readonly string[] = architectures,
): Promise<readonly CudaImage[] | undefined> {
  const nvcc = await findNvcc();
  if (nvcc === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), "moe-cuda-"));
  try {
    const file = join(folder, "kernels.cu");
    await writeFile(file, source);
    return await Promise.all(
      wanted.map(async (architecture): Promise<CudaImage> => {
        const output = join(folder, architecture);
        const { failure, text } = await run(nvcc, argumentsFor(architecture, file, output));
        if (failure) throw refused(architecture, text);
        return { architecture, bytes: new Uint8Array(await readFile(output)) };
      }),
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One image, waiting for it; for loading kernels where there is no NVRTC. */
export function compileImage(source: string, architecture: string): Uint8Array | undefined {
  const nvcc = commands.find((command) => spawnSync(command, ["--version"]).status === 0);
  if (nvcc === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "moe-cuda-"));
  try {
    const [file, output] = [join(folder, "kernels.cu"), join(folder, "image")];
    writeFileSync(file, source);
    const { status, stdout, stderr } = spawnSync(nvcc, argumentsFor(architecture, file, output), {
      encoding: "utf8",
    });
    if (status !== 0) throw refused(architecture, `${stdout}${stderr}`);
    return new Uint8Array(readFileSync(output));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function argumentsFor(architecture: string, file: string, output: string): string[] {
  const kind = architecture.startsWith("compute") ? "-ptx" : "-cubin";
  return [kind, `-arch=${architecture}`, "-std=c++17", "-w", ...compilerFlags, file, "-o", output];
}

const refused = (architecture: string, text: string): UserError =>
  new UserError("R0704", `nvcc does not compile the kernels for ${architecture}: ${firstError(text)}`, {
    help: "use nvcc of CUDA 12 or later; if it stays, report it with the model",
  });

async function findNvcc(): Promise<string | undefined> {
  for (const command of commands) if (!(await run(command, ["--version"])).failure) return command;
  return undefined;
}

const run = (command: string, args: readonly string[]): Promise<{ failure: boolean; text: string }> =>
  new Promise((resolve) => {
    execFile(command, args, { encoding: "utf8", maxBuffer: 1 << 26 }, (error, out, err) =>
      resolve({ failure: error !== null, text: `${out}${err}` }),
    );
  });

const firstError = (text: string): string =>
  (text.split("\n").find((line) => line.includes("error")) ?? text.trim().split("\n")[0] ?? "").trim();
