// What the device at hand can do at most, measured: bytes a second of a copy, operations a second of its matrix units and of its f32 units.
// In: the device, and the folder of the ceilings' kernels. Out: numbers, and by what they were found. Matrix ceilings are cuBLAS's, where
// its library is found; else those of the project's own plain kernels, which on Hopper do not reach all that the units can.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CudaCode, CudaImage } from "../../runtime/artifact.ts";
import type { CudaDevice } from "../../runtime/cuda/device.ts";
import type { Handle } from "../../runtime/cuda/driver.ts";
import { loadModule } from "../../runtime/cuda/kernels.ts";
import { launch, type Launch } from "../../runtime/cuda/launches.ts";
import { addressOf, openLibrary } from "../../runtime/cuda/library.ts";
import { milliseconds } from "../../runtime/cuda/measure.ts";
import { roundOperations } from "./ceilings-source.ts";

export interface Ceiling {
  /** Bytes or operations a second. */
  readonly rate: number;
  readonly by: string;
}

export interface Ceilings {
  readonly copy: Ceiling;
  readonly bf16: Ceiling;
  readonly f32: Ceiling;
}

const doing = "while measuring ceilings";

/** How much is moved and multiplied: enough for a large GPU. */
export interface Amount {
  readonly bytes: number;
  readonly rounds: number;
}
const plenty: Amount = { bytes: 2 ** 30, rounds: 20000 };

export function measureCeilings(device: CudaDevice, folder: string, amount: Amount = plenty): Ceilings {
  const { module } = loadModule(device, readCode(folder));
  try {
    const kernel = (name: string): Handle => device.driver.handle(doing, "cuModuleGetFunction", module, name);
    return {
      copy: copyCeiling(device, kernel("k0"), amount),
      bf16:
        product(device, "bf16") ??
        own(device, kernel("k1"), amount, roundOperations.k1, "mma.sync from registers"),
      f32:
        product(device, "f32") ??
        own(device, kernel("k2"), amount, roundOperations.k2, "multiply-adds in registers"),
    };
  } finally {
    device.driver.try("cuModuleUnload", module);
  }
}

function readCode(folder: string): CudaCode {
  const images = readdirSync(folder).flatMap((name): CudaImage[] => {
    const architecture = /^kernels\.\w+\.(\w+)\.(cubin|ptx)$/.exec(name)?.[1];
    return architecture === undefined
      ? []
      : [{ architecture, bytes: new Uint8Array(readFileSync(join(folder, name))) }];
  });
  return { source: readFileSync(join(folder, "kernels.cu"), "utf8"), images };
}

function launchOf(
  what: string,
  found: Handle,
  blocks: number,
  threads: number,
  args: readonly (bigint | number)[],
): Launch {
  const values = new BigUint64Array(new ArrayBuffer(8 * args.length));
  args.forEach((value, i) => (values[i] = BigInt(value)));
  const first = addressOf(values);
  const parameters = new BigUint64Array(new ArrayBuffer(8 * args.length));
  args.forEach((_, i) => (parameters[i] = first + BigInt(8 * i)));
  return { what, function: found, blocks, threads, shared: 0, parameters, values };
}

const allocate = ({ driver }: CudaDevice, bytes: number): Handle => driver.handle(doing, "cuMemAlloc", bytes);

/** From here to there: read and written. */
function copyCeiling(device: CudaDevice, found: Handle, { bytes }: Amount): Ceiling {
  const { driver, stream, processors } = device;
  const [from, to] = [allocate(device, bytes), allocate(device, bytes)];
  try {
    driver.call(doing, "cuMemsetD8Async", from, 1, bytes, stream);
    const one = launchOf("copy", found, 16 * processors, 256, [from, to, bytes / 16]);
    const kernel = milliseconds(device, 20, () => launch(device, one));
    const engine = milliseconds(device, 20, () =>
      driver.call(doing, "cuMemcpyDtoDAsync", to, from, bytes, stream),
    );
    const best = Math.min(kernel, engine);
    return { rate: (2 * bytes) / (best / 1e3), by: best === kernel ? "a kernel" : "the driver's copy" };
  } finally {
    for (const block of [from, to]) driver.try("cuMemFree", block);
  }
}

function own(device: CudaDevice, found: Handle, { rounds }: Amount, operations: number, by: string): Ceiling {
  const blocks = 8 * device.processors;
  const out = allocate(device, 4 * 256 * blocks);
  try {
    const one = launchOf(by, found, blocks, 256, [out, rounds]);
    const time = milliseconds(device, 5, () => launch(device, one));
    return { rate: (operations * rounds * blocks) / (time / 1e3), by };
  } finally {
    device.driver.try("cuMemFree", out);
  }
}

const declarations = {
  cublasCreate: "int cublasCreate_v2(_Out_ uint64_t *handle)",
  cublasSetStream: "int cublasSetStream_v2(uint64_t handle, uint64_t stream)",
  cublasDestroy: "int cublasDestroy_v2(uint64_t handle)",
  cublasGemmEx:
    "int cublasGemmEx(uint64_t handle, int transA, int transB, int m, int n, int k, const void *alpha, uint64_t a, int typeA, " +
    "int ldA, uint64_t b, int typeB, int ldB, const void *beta, uint64_t c, int typeC, int ldC, int compute, int algorithm)",
} as const;
const files = ["libcublas.so.13", "libcublas.so.12", "libcublas.so", "/usr/local/cuda/lib64/libcublas.so"];
/** cudaDataType, cublasComputeType_t CUBLAS_COMPUTE_32F, cublasGemmAlgo_t CUBLAS_GEMM_DEFAULT. */
const cublas = { bf16: 14, f32: 0, compute: 68, algorithm: -1 } as const;

/** A product of square matrices by cuBLAS; undefined where its library is not found, or does not do it. */
function product(device: CudaDevice, type: "bf16" | "f32"): Ceiling | undefined {
  const library = openLibrary(files, declarations);
  if (library === undefined) return undefined;
  const handle: [bigint | number] = [0];
  if (library.cublasCreate(handle) !== 0) return undefined;
  const side = 8192;
  const bytes = (type === "bf16" ? 2 : 4) * side * side;
  const [a, b, c] = [1, 2, 3].map(() => allocate(device, bytes)) as [Handle, Handle, Handle];
  try {
    if (library.cublasSetStream(handle[0], device.stream) !== 0) return undefined;
    // Zeros would be faster than numbers: they take less power.
    for (const [i, block] of [a, b].entries()) fillNoise(device, block, bytes, type, i);
    const [one, zero] = [Float32Array.of(1), Float32Array.of(0)];
    let status = 0;
    const multiply = (): void => {
      const { compute, algorithm } = cublas;
      const of = cublas[type];
      const [m, n, k] = [side, side, side];
      status ||= library.cublasGemmEx(
        ...[handle[0], 0, 0, m, n, k, one, a, of, m, b, of, k, zero, c, of, m, compute, algorithm],
      );
    };
    const time = milliseconds(device, 20, multiply);
    return status === 0 ? { rate: (2 * side ** 3) / (time / 1e3), by: "cuBLAS" } : undefined;
  } finally {
    for (const block of [a, b, c]) device.driver.try("cuMemFree", block);
    library.cublasDestroy(handle[0]);
  }
}

/** Numbers in [-1, 1), the same block again and again. */
function fillNoise(
  { driver, stream, finish }: CudaDevice,
  address: Handle,
  bytes: number,
  type: "bf16" | "f32",
  seed: number,
): void {
  const numbers = noiseBlock(seed);
  const block =
    type === "f32" ? numbers : Uint16Array.from(new Uint32Array(numbers.buffer), (bits) => bits >>> 16);
  for (let at = 0; at < bytes; at += block.byteLength) {
    const size = Math.min(block.byteLength, bytes - at);
    driver.call(doing, "cuMemcpyHtoDAsync", address + BigInt(at), block, size, stream);
  }
  finish(doing);
}

/** Numbers in [-1, 1), the same in every run; a million when not said otherwise. */
export function noiseBlock(seed: number, length = 2 ** 20): Float32Array<ArrayBuffer> {
  let state = seed + 1;
  const block = new Float32Array(new ArrayBuffer(4 * length));
  for (let i = 0; i < block.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    block[i] = state / 2 ** 31;
  }
  return block;
}
