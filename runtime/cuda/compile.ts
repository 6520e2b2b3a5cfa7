// NVRTC: CUDA C++ to a binary for the GPU at hand, for artifacts that hold source only. In: the source and the architecture. Out: the
// binary, or one clear error. Takes the library of any CUDA toolkit that is installed, or else its nvcc. Node only.

import { existsSync, readdirSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { UserError } from "../errors.ts";
import { compileImage } from "./nvcc.ts";
import { addressOf, koffi, openLibrary } from "./library.ts";

const declarations = {
  nvrtcCreateProgram:
    "int nvrtcCreateProgram(_Out_ uint64_t *program, const char *source, const char *name, int headers, uint64_t texts, uint64_t names)",
  nvrtcCompileProgram: "int nvrtcCompileProgram(uint64_t program, int count, const void *options)",
  nvrtcGetCUBINSize: "int nvrtcGetCUBINSize(uint64_t program, _Out_ uint64_t *bytes)",
  nvrtcGetCUBIN: "int nvrtcGetCUBIN(uint64_t program, void *image)",
  nvrtcGetProgramLogSize: "int nvrtcGetProgramLogSize(uint64_t program, _Out_ uint64_t *bytes)",
  nvrtcGetProgramLog: "int nvrtcGetProgramLog(uint64_t program, void *log)",
  nvrtcDestroyProgram: "int nvrtcDestroyProgram(const void *program)",
} as const;

const versions = ["13", "12", "11.2"];
const files =
  process.platform === "win32"
    ? ["nvrtc64_130_0.dll", "nvrtc64_120_0.dll", "nvrtc64_112_0.dll"]
    : [
        ...versions.map((version) => `libnvrtc.so.${version}`),
        "libnvrtc.so",
        "/usr/local/cuda/lib64/libnvrtc.so",
      ];

/** `architecture`: sm_80, sm_90a. `flags` as nvcc takes them. `file`: another library than the system's. */
export function compileSource(
  source: string,
  architecture: string,
  flags: readonly string[],
  file: string | undefined = process.env["MOE_NVRTC"],
): Uint8Array {
  const tried = file === undefined ? files : [file];
  tried.forEach(loadRest);
  const library = openLibrary(tried, declarations);
  if (library === undefined) {
    const image = file === undefined ? compileImage(source, architecture) : undefined;
    if (image !== undefined) return image;
    throw new UserError(
      "R0704",
      `the artifact holds no kernels for ${architecture}, and this machine cannot compile its source`,
      {
        help: "build it where nvcc is installed, or install NVRTC, which comes with the CUDA toolkit",
      },
    );
  }
  const check = (status: number, doing: string): void => {
    if (status !== 0)
      throw new UserError(
        "R0704",
        `the kernels' source does not compile for ${architecture}: NVRTC ${status} ${doing}`,
        {
          help: "build again with this version of moe; if it stays, report it with the model",
        },
      );
  };
  const program: [bigint | number] = [0];
  check(library.nvrtcCreateProgram(program, source, "kernels.cu", 0, 0, 0), "when given it");
  const handle = program[0];
  try {
    const options = [`--gpu-architecture=${architecture}`, "--std=c++17", ...flags].map((text) =>
      new TextEncoder().encode(`${text}\0`),
    );
    const pointers = BigUint64Array.from(options, addressOf);
    const status = library.nvrtcCompileProgram(handle, options.length, pointers);
    if (status !== 0) check(status, firstError(logOf(library, handle)));
    const size: [bigint | number] = [0];
    check(library.nvrtcGetCUBINSize(handle, size), "when asked for the binary");
    const image = new Uint8Array(Number(size[0]));
    check(library.nvrtcGetCUBIN(handle, image), "when asked for the binary");
    return image;
  } finally {
    library.nvrtcDestroyProgram(BigUint64Array.of(BigInt(handle)));
  }
}

/** NVRTC asks for the rest of itself by name alone, which is not found where the linker does not look, but where it is loaded already. */
function loadRest(file: string): void {
  if (!isAbsolute(file) || !existsSync(file)) return;
  const folder = dirname(file);
  for (const name of readdirSync(folder))
    if (/^libnvrtc-builtins\.so\.[\d.]+$/.test(name)) koffi().load(join(folder, name));
}

function logOf(
  library: Readonly<Record<keyof typeof declarations, (...args: readonly unknown[]) => number>>,
  program: bigint | number,
): string {
  const size: [bigint | number] = [0];
  if (library.nvrtcGetProgramLogSize(program, size) !== 0) return "";
  const bytes = new Uint8Array(Number(size[0]));
  if (library.nvrtcGetProgramLog(program, bytes) !== 0) return "";
  return new TextDecoder().decode(bytes).replace(/\0.*$/s, "");
}

const firstError = (log: string): string =>
  log.split("\n").find((line) => line.includes("error")) ?? log.split("\n")[0]!;
