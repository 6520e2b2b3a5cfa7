// A GPU that CUDA can use. In: the driver. Out: its first device with a context, one stream in which all work is done in order, and the
// little that the rest has to know of it. Node only.

import { UserError } from "../errors.ts";
import type { Driver, Handle } from "./driver.ts";
import { openDriver } from "./driver.ts";

export interface CudaDevice {
  readonly driver: Driver;
  readonly name: string;
  /** Compute capability: 80, 90, ... */
  readonly capability: number;
  readonly processors: number;
  /** Bytes of shared memory that a block may be given, when asked for. */
  readonly sharedMemory: number;
  /** Whether it reads the host's memory where it lies: a copy from there may then be done later than the call returns. */
  readonly readsHost: boolean;
  readonly stream: Handle;
  /** Bytes. */
  readonly memory: () => { readonly free: number; readonly total: number };
  /** Waits for all work; throws what went wrong on the device. */
  readonly finish: (doing: string) => void;
  readonly dispose: () => void;
}

export interface CudaDeviceOptions {
  /** Path of another driver than the system's. */
  readonly driver?: string;
  readonly ordinal?: number;
}

/** CUdevice_attribute. */
export const attribute = { major: 75, minor: 76, processors: 16, sharedMemory: 97, pageable: 88 } as const;
/** CU_STREAM_NON_BLOCKING. */
export const ownStream = 1;

/** The oldest devices with what printed kernels use (bf16 and its matrix units, asynchronous copies). */
const leastCapability = 80;

/** Errors: R0701 no driver, R0702 driver too old, R0703 no device, R0704 a device too old. */
export function openCudaDevice(options: CudaDeviceOptions = {}): CudaDevice {
  const driver = openDriver(options.driver);
  const starting = "while starting";
  const count = driver.number(starting, "cuDeviceGetCount");
  const ordinal = options.ordinal ?? 0;
  if (ordinal >= count)
    throw new UserError(
      "R0703",
      count === 0 ? "the CUDA driver finds no GPU" : `there is no GPU number ${ordinal}`,
      {
        help: "see what `nvidia-smi` says, or run on the CPU",
      },
    );
  const device = driver.number(starting, "cuDeviceGet", ordinal);
  const of = (which: number): number => driver.number(starting, "cuDeviceGetAttribute", which, device);
  const letters = new Uint8Array(256);
  driver.call(starting, "cuDeviceGetName", letters, letters.length, device);
  const name = new TextDecoder().decode(letters.subarray(0, letters.indexOf(0)));
  const capability = 10 * of(attribute.major) + of(attribute.minor);
  if (capability < leastCapability)
    throw new UserError(
      "R0704",
      `${name} has compute capability ${capability / 10}, and ${(leastCapability / 10).toFixed(1)} is needed`,
      { help: "use a GPU of the Ampere generation or later, WebGPU, or the CPU" },
    );
  const context = driver.handle(starting, "cuDevicePrimaryCtxRetain", device);
  driver.call(starting, "cuCtxSetCurrent", context);
  const stream = driver.handle(starting, "cuStreamCreate", ownStream);
  let open = true;
  return {
    driver,
    name,
    capability,
    processors: of(attribute.processors),
    sharedMemory: of(attribute.sharedMemory),
    readsHost: of(attribute.pageable) !== 0,
    stream,
    memory: () => {
      const [free, total] = [[0n], [0n]];
      driver.call("while measuring its memory", "cuMemGetInfo", free, total);
      return { free: Number(free[0]), total: Number(total[0]) };
    },
    finish: (doing) => driver.call(doing, "cuStreamSynchronize", stream),
    dispose: () => {
      if (!open) return;
      open = false;
      // Nothing can be done about failures any more.
      driver.try("cuStreamDestroy", stream);
      driver.try("cuDevicePrimaryCtxRelease", device);
    },
  };
}
