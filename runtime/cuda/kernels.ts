// A program's kernels on a GPU. In: the artifact's code and the device. Out: functions that can be launched. Takes the binary for the device's
// own architecture, else PTX, which the driver compiles, else the source, which NVRTC compiles. Node only.

import type { CudaCode, CudaImage } from "../artifact.ts";
import { UserError } from "../errors.ts";
import { inWords } from "../in-words.ts";
import type { Program, ProgramKernel, ProgramMap } from "../program.ts";
import { compileSource } from "./compile.ts";
import { compilerFlags } from "./nvcc.ts";
import type { CudaDevice } from "./device.ts";
import { failed, isTooOld, type Handle } from "./driver.ts";

export interface CudaKernels {
  /** By the program's numbers; only those of the entries asked for. */
  readonly functions: ReadonlyMap<number, Handle>;
  /** The program with its kernels as this code has them. */
  readonly program: Program;
  readonly dispose: () => void;
}

/** Static shared memory has this bound; kernels with more scratch are given it at launch. The printer goes by the same number. */
const mostStatic = 48 * 1024 - 1024;
export const sharedBytes = (scratch: number): number => (scratch > mostStatic ? scratch : 0);

/** CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES. */
export const dynamicSharedMemory = 8;

/** What is launched, and what bulk copies read of its buffers. */
export interface LoadedKernel extends ProgramKernel {
  readonly maps?: readonly ProgramMap[];
}

/** What the code for devices whose warpgroups multiply does in a way of its own; `a`, since no later device runs it. */
const withWays = (program: Program, architecture: string): Program => ({
  ...program,
  kernels: program.kernels.map(({ warpgroups, ...usual }): LoadedKernel => {
    return architecture === "sm_90a" ? { ...usual, ...warpgroups } : usual;
  }),
});

export function loadKernels(
  device: CudaDevice,
  given: Program,
  code: CudaCode,
  entries: readonly string[],
): CudaKernels {
  const { driver } = device;
  const { module, architecture } = loadModule(device, code);
  const program = withWays(given, architecture);
  try {
    const functions = new Map<number, Handle>();
    for (const entry of entries)
      for (const dispatch of program.entries[entry]?.dispatches ?? []) {
        const { kernel } = dispatch;
        if (functions.has(kernel)) continue;
        const loading = `while loading ${inWords(dispatch)}`;
        const found = driver.handle(loading, "cuModuleGetFunction", module, `k${kernel}`);
        const { name, scratch } = program.kernels[kernel]!;
        const shared = sharedBytes(scratch);
        if (shared > device.sharedMemory)
          throw new UserError(
            "R0704",
            `the kernel ${name} (${inWords(dispatch)}) needs ${shared} bytes of shared memory, and ${device.name} has ${device.sharedMemory}`,
            { help: "use a larger GPU, or the CPU" },
          );
        if (shared > 0) driver.call(loading, "cuFuncSetAttribute", found, dynamicSharedMemory, shared);
        functions.set(kernel, found);
      }
    return { functions, program, dispose: () => void driver.try("cuModuleUnload", module) };
  } catch (error) {
    driver.try("cuModuleUnload", module);
    throw error;
  }
}

/** What is worth trying, best first. Machine code runs on its own generation; an `a` only on exactly its own architecture. */
export function imagesFor(capability: number, images: readonly CudaImage[]): readonly CudaImage[] {
  const fits = (architecture: string): number => {
    const [, kind, number, special] = /^(sm|compute)_(\d+)(a?)$/.exec(architecture) ?? [];
    const of = Number(number);
    if (kind === "compute") return of <= capability ? 1 : 0;
    if (special === "a") return of === capability ? 3 : 0;
    return Math.floor(of / 10) === Math.floor(capability / 10) && of <= capability ? 2 : 0;
  };
  return images
    .filter(({ architecture }) => fits(architecture) > 0)
    .toSorted((a, b) => fits(b.architecture) - fits(a.architecture));
}

/** All kernels of a text, and what it was compiled for. Whoever loads them unloads them. */
export function loadModule(
  device: CudaDevice,
  { source, images = [] }: CudaCode,
): { readonly module: Handle; readonly architecture: string } {
  const { driver, capability } = device;
  let refusal = 0;
  const load = (bytes: Uint8Array): Handle | undefined => {
    // PTX is a text that ends with a zero.
    const image = new Uint8Array(bytes.length + 1);
    image.set(bytes);
    const module: [bigint | number] = [0];
    const status = driver.try("cuModuleLoadData", module, image);
    if (status === 0) return BigInt(module[0]);
    // Of machine code a driver that is too old says less than of PTX.
    if (refusal === 0 || isTooOld(status)) refusal = status;
    return undefined;
  };
  for (const { bytes, architecture } of imagesFor(capability, images)) {
    const module = load(bytes);
    if (module !== undefined) return { module, architecture };
  }
  const architecture = `sm_${capability}${capability === 90 ? "a" : ""}`;
  const module = load(compiledHere(source, architecture, refusal));
  if (module !== undefined) return { module, architecture };
  throw failed(refusal, "while loading kernels");
}

/** Where there were images, that the driver refused them says more than that nothing else can be had. */
function compiledHere(source: string, architecture: string, refusal: number): Uint8Array {
  try {
    return compileSource(source, architecture, compilerFlags);
  } catch (error) {
    throw refusal === 0 ? error : failed(refusal, "while loading kernels");
  }
}
