// What tests of sessions on WebGPU share: hand-written programs for it, data to train on, and errors as text.

import { printWgsl } from "../../compiler/wgsl/print.ts";
import type { Data } from "../../runtime/data/data.ts";
import type { UserError } from "../../runtime/errors.ts";
import type { Program } from "../../runtime/program.ts";
import type { Device } from "../../runtime/webgpu/device.ts";
import { width, type HandWritten } from "./hand-written.ts";

/** A program of the CPU as one for WebGPU: hand-written kernels run anywhere. */
export const forGpu = ({ program, kernels }: HandWritten): { program: Program; shaders: string[] } => ({
  program: { ...program, target: "webgpu" },
  shaders: kernels.map((each) => printWgsl(each)),
});

export const errorOf = async (act: () => unknown): Promise<string> => {
  try {
    await act();
  } catch (error) {
    const { code, message, help } = error as UserError;
    return `${code} ${message} (${help})`;
  }
  return "no error";
};

export const rows = (count: number, batches: number, seed: number) => ({
  examples: count * batches,
  batches,
  batch: (index: number) => {
    const x = Float32Array.from({ length: count * width }, (_, at) => Math.sin(seed + index * 31 + at * 7.7));
    const y = Float32Array.from({ length: count }, (_, row) => x[row * width]! * 2 - x[row * width + 3]!);
    return { x, y };
  },
});
export const data = {
  train: rows(8, 100, 1),
  held: rows(8, 3, 2),
  tokenizers: {},
  categories: {},
  fingerprint: "made",
  summary: [],
  close: () => {},
};

/** As much of data as `train` reads. */
export const dataOf = data as unknown as Data;

/** The device, but `see` is told of every call of its own, and may answer in its stead (the call is made all the same). */
export function watched(
  { gpu, ...rest }: Device,
  see: (key: string | symbol, given: readonly unknown[]) => unknown,
): Device {
  const get = (target: GPUDevice, key: string | symbol): unknown => {
    const value: unknown = Reflect.get(target, key);
    if (typeof value !== "function") return value;
    return (...given: unknown[]): unknown => {
      const answer: unknown = value.apply(target, given);
      return see(key, given) ?? answer;
    };
  };
  return { ...rest, gpu: new Proxy(gpu, { get }) };
}

/** While `act` runs, every device in Node says whether it is one in software as it is told to. */
export async function withSoftware<T>(software: boolean, act: () => Promise<T>): Promise<T> {
  const { globals } = await import("webgpu");
  const { prototype } = (globals as { readonly GPUAdapterInfo: typeof GPUAdapterInfo }).GPUAdapterInfo;
  const own = Object.getOwnPropertyDescriptor(prototype, "isFallbackAdapter")!;
  Object.defineProperty(prototype, "isFallbackAdapter", { ...own, get: () => software });
  try {
    return await act();
  } finally {
    Object.defineProperty(prototype, "isFallbackAdapter", own);
  }
}
