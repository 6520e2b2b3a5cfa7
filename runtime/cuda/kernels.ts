// A program's kernels on a GPU. In: the artifact's code and the device. Out: functions that can be launched. Takes the binary for the device's
// own architecture, else PTX, which the driver compiles, else the source, which NVRTC compiles. Node only.

import type { CudaCode, CudaImage } from "../artifact.ts";
import { UserError } from "../errors.ts";
import { inWords } from "../in-words.ts";
import type { Program } from "../program.ts";
import { compileSource } from "./compile.ts";
import { compilerFlags } from "./nvcc.ts";
import type { CudaDevice } from "./device.ts";
import { failed, type Handle } from "./driver.ts";

export interface CudaKernels {
  /** By the program's numbers; only those of the entries asked for. */
  readonly functions: ReadonlyMap<number, Handle>;
  readonly dispose: () => void;
}

/** Static shared memory has this bound; kernels with more scratch are given it at launch. The printer goes by the same number. */
const mostStatic = 48 * 1024 - 1024;
export const sharedBytes = (scratch: number): number => (scratch > mostStatic ? scratch : 0);

const dynamicSharedMemory = 8;

export function loadKernels(
  device: CudaDevice,
  program: Program,
  code: CudaCode,
  entries: readonly string[],
): CudaKernels {
  const { driver } = device;
  const module = loadModule(device, code);
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
    return { functions, dispose: () => void driver.try("cuModuleUnload", module) };
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

/** All kernels of a text. Whoever loads them unloads them. */
export function loadModule(device: CudaDevice, { source, images = [] }: CudaCode): Handle {
  const { driver, capability } = device;
  let refusal = 0;
  const load = (bytes: Uint8Array): Handle | undefined => {
    // PTX is a text that ends with a zero.
    const image = new Uint8Array(bytes.length + 1);
    image.set(bytes);
    const module: [bigint | number] = [0];
    const status = driver.try("cuModuleLoadData", module, image);
    if (status === 0) return BigInt(module[0]);
    refusal ||= status;
    return undefined;
  };
  for (const { bytes } of imagesFor(capability, images)) {
    const module = load(bytes);
    if (module !== undefined) return module;
  }
  const compiled = load(
    compileSource(source, `sm_${capability}${capability === 90 ? "a" : ""}`, compilerFlags),
  );
  if (compiled !== undefined) return compiled;
  throw failed(refusal, "while loading kernels");
}
