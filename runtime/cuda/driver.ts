// The CUDA driver. In: calls with numbers and typed arrays. Out: numbers, or one clear error: every status that is not success becomes a
// sentence, with what was being done. Handles and device addresses are numbers of 64 bits; addresses fit a double.
// Deliberately absent: what the calls are for (device.ts, memory.ts, kernels.ts, launches.ts). Node only.

import { UserError } from "../errors.ts";
import { openLibrary, type Native } from "./library.ts";

export type Handle = bigint;

/** As cuda.h has them, with handles and addresses of the device as numbers. */
export const declarations = {
  cuInit: "int cuInit(uint flags)",
  cuDriverGetVersion: "int cuDriverGetVersion(_Out_ int *version)",
  cuDeviceGetCount: "int cuDeviceGetCount(_Out_ int *count)",
  cuDeviceGet: "int cuDeviceGet(_Out_ int *device, int ordinal)",
  cuDeviceGetName: "int cuDeviceGetName(void *name, int length, int device)",
  cuDeviceGetAttribute: "int cuDeviceGetAttribute(_Out_ int *value, int attribute, int device)",
  cuDevicePrimaryCtxRetain: "int cuDevicePrimaryCtxRetain(_Out_ uint64_t *context, int device)",
  cuDevicePrimaryCtxRelease: "int cuDevicePrimaryCtxRelease_v2(int device)",
  cuCtxSetCurrent: "int cuCtxSetCurrent(uint64_t context)",
  cuMemGetInfo: "int cuMemGetInfo_v2(_Out_ uint64_t *free, _Out_ uint64_t *total)",
  cuMemAlloc: "int cuMemAlloc_v2(_Out_ uint64_t *address, uint64_t bytes)",
  cuMemFree: "int cuMemFree_v2(uint64_t address)",
  cuMemsetD8Async: "int cuMemsetD8Async(uint64_t address, uint8_t value, uint64_t bytes, uint64_t stream)",
  cuMemcpyHtoDAsync:
    "int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, uint64_t bytes, uint64_t stream)",
  cuMemcpyDtoHAsync: "int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, uint64_t bytes, uint64_t stream)",
  cuMemcpyDtoDAsync: "int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, uint64_t bytes, uint64_t stream)",
  cuModuleLoadData: "int cuModuleLoadData(_Out_ uint64_t *module, const void *image)",
  cuModuleUnload: "int cuModuleUnload(uint64_t module)",
  cuModuleGetFunction: "int cuModuleGetFunction(_Out_ uint64_t *function, uint64_t module, const char *name)",
  cuFuncSetAttribute: "int cuFuncSetAttribute(uint64_t function, int attribute, int value)",
  cuTensorMapEncodeTiled:
    "int cuTensorMapEncodeTiled(void *map, int type, uint axes, uint64_t address, const void *extents, const void *strides, " +
    "const void *box, const void *steps, int interleave, int swizzle, int promotion, int fill)",
  cuStreamCreate: "int cuStreamCreate(_Out_ uint64_t *stream, uint flags)",
  cuStreamSynchronize: "int cuStreamSynchronize(uint64_t stream)",
  cuStreamDestroy: "int cuStreamDestroy_v2(uint64_t stream)",
  cuStreamBeginCapture: "int cuStreamBeginCapture_v2(uint64_t stream, int mode)",
  cuStreamEndCapture: "int cuStreamEndCapture(uint64_t stream, _Out_ uint64_t *graph)",
  cuGraphInstantiate:
    "int cuGraphInstantiateWithFlags(_Out_ uint64_t *executable, uint64_t graph, uint64_t flags)",
  cuGraphLaunch: "int cuGraphLaunch(uint64_t executable, uint64_t stream)",
  cuGraphExecDestroy: "int cuGraphExecDestroy(uint64_t executable)",
  cuGraphDestroy: "int cuGraphDestroy(uint64_t graph)",
  cuEventCreate: "int cuEventCreate(_Out_ uint64_t *event, uint flags)",
  cuEventRecord: "int cuEventRecord(uint64_t event, uint64_t stream)",
  cuEventElapsedTime: "int cuEventElapsedTime(_Out_ float *milliseconds, uint64_t from, uint64_t to)",
  cuEventDestroy: "int cuEventDestroy_v2(uint64_t event)",
  cuLaunchKernel:
    "int cuLaunchKernel(uint64_t function, uint x, uint y, uint z, uint blockX, uint blockY, uint blockZ, uint shared, " +
    "uint64_t stream, const void *parameters, uint64_t extra)",
} as const;

export type DriverCall = keyof typeof declarations;

/** The oldest driver that has all that is called here. */
const oldest = 11040;

const files: readonly string[] =
  process.platform === "win32"
    ? ["nvcuda.dll"]
    : ["libcuda.so.1", "libcuda.so", "/usr/lib/wsl/lib/libcuda.so.1"];

export class Driver {
  readonly #calls: Readonly<Record<DriverCall, Native>>;

  constructor(calls: Readonly<Record<DriverCall, Native>>) {
    this.#calls = calls;
  }

  /** Status of a call; 0 is success. For those who know what to do about a failure. */
  try(call: DriverCall, ...args: readonly unknown[]): number {
    return this.#calls[call](...args);
  }

  /** Calls, and throws what went wrong; `doing` says in words what it was for. */
  call(doing: string, call: DriverCall, ...args: readonly unknown[]): void {
    const status = this.try(call, ...args);
    if (status !== 0) throw failed(status, doing);
  }

  /** A call whose first argument is where the result goes. */
  handle(doing: string, call: DriverCall, ...args: readonly unknown[]): Handle {
    const out: [bigint | number] = [0];
    this.call(doing, call, out, ...args);
    return BigInt(out[0]);
  }
  number(doing: string, call: DriverCall, ...args: readonly unknown[]): number {
    return Number(this.handle(doing, call, ...args));
  }
}

/** CUresult, as far as it means something to a user. */
const noDevice = new Set([3, 46, 100, 101]);
const wrongImage = new Set([200, 209, 218, 300, 301, 500]);
const tooOld = new Set([36, 222, 803, 804]);
export const isTooOld = (status: number): boolean => tooOld.has(status);
/** Faults of a kernel that ran: after them the driver refuses all further work of the process. */
const faults = new Map([
  [700, "a kernel reads or writes where nothing is"],
  [702, "a kernel takes too long"],
  [710, "a kernel found something wrong"],
  [714, "a kernel's stack is broken"],
  [715, "a kernel has an instruction that this GPU has not"],
  [716, "a kernel reads or writes several bytes at once at an odd place"],
  [717, "a kernel reads or writes in the wrong kind of memory"],
  [718, "a kernel has lost its way"],
  [719, "a kernel failed"],
]);
export const isFault = (status: number): boolean => faults.has(status);

/** Every kernel is waited for, so that a fault names it: slow, for looking for one. */
export const isStepwise = (): boolean => process.env["MOE_CUDA_STEPWISE"] === "1";

export function failed(status: number, doing: string): UserError {
  if (status === 2)
    return new UserError("R0705", `the GPU has not enough memory ${doing}`, {
      help: "make the batch smaller (`accumulate` computes the same step in parts), end other programs that use the GPU, or run on the CPU",
    });
  if (noDevice.has(status))
    return new UserError("R0703", `the CUDA driver finds no GPU that can be used (${status})`, {
      help: "see what `nvidia-smi` says, or run on the CPU",
    });
  if (isTooOld(status))
    return new UserError("R0702", `the CUDA driver is too old for these kernels (${status})`, {
      help: "install a current driver from NVIDIA, or run on the CPU",
    });
  if (wrongImage.has(status))
    return new UserError("R0704", `the GPU does not take these kernels (${status})`, {
      help: "build them again with `moe build --target cuda`, or run on the CPU",
    });
  const naming = isFault(status) && !isStepwise() ? ", with `MOE_CUDA_STEPWISE=1` to name the kernel" : "";
  const fault = faults.get(status);
  const why = fault === undefined ? "" : `: ${fault}`;
  return new UserError("R0706", `the GPU stopped ${doing} (CUDA says ${status}${why})`, {
    help: `go on from the last checkpoint${naming}; what was on the GPU is gone`,
  });
}

/** `file`: another driver than the system's. Errors: R0701 none, R0702 too old, R0703 no device. */
export function openDriver(file: string | undefined = process.env["MOE_CUDA_DRIVER"]): Driver {
  // Kernels are launched for the first time while a graph is recorded, which is no time to load them.
  process.env["CUDA_MODULE_LOADING"] ??= "EAGER";
  const calls = openLibrary(file === undefined ? files : [file], declarations);
  if (calls === undefined)
    throw new UserError(
      "R0701",
      `this machine has no CUDA driver${file === undefined ? "" : ` at ${file}`}`,
      {
        help: "CUDA needs an NVIDIA GPU and its driver; run on the CPU, or with `--device webgpu`",
      },
    );
  const driver = new Driver(calls);
  // The version can be asked before anything else, and says more than a refusal.
  const version = driver.number("while starting", "cuDriverGetVersion");
  if (version < oldest)
    throw new UserError(
      "R0702",
      `the CUDA driver is for CUDA ${versionName(version)}, and ${versionName(oldest)} is needed`,
      {
        help: "install a current driver from NVIDIA, or run on the CPU",
      },
    );
  driver.call("while starting", "cuInit", 0);
  return driver;
}

const versionName = (version: number): string =>
  `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
