// What tests of sessions on WebGPU share: hand-written programs for it, data to train on, and errors as text.

import { printWgsl } from "../../compiler/wgsl/print.ts";
import type { Data } from "../../runtime/data/data.ts";
import type { UserError } from "../../runtime/errors.ts";
import type { Program } from "../../runtime/program.ts";
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
