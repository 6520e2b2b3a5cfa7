// Models of generated modules in tests: opened, disposed of after each test, with batches for the regression that is written by hand; and
// what an error says.

import { afterEach } from "vitest";
import { UserError } from "../../runtime/errors.ts";
import type { LoadedModel } from "../../runtime/model.ts";
import { openModel, type OpenOptions } from "../../runtime/model-open.ts";
import { regression, type HandWritten } from "./hand-written.ts";

const open: LoadedModel[] = [];
afterEach(() => open.splice(0).forEach((model) => model.dispose()));

/** On one thread of the CPU. */
export async function opened(
  { program, wasm }: Pick<HandWritten, "program" | "wasm"> = regression(),
  options: OpenOptions = {},
): Promise<LoadedModel> {
  const model = await openModel({ program, wasm }, { threads: 1, seed: 3, ...options });
  open.push(model);
  return model;
}

/** Code, message and help of the UserError that something ends with. */
export async function errorOf(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return `${error.code} ${error.message} = ${error.help ?? ""}`;
  }
  return "no error";
}

/** Features of the regression. */
export const rows = (count: number, shift = 0): number[][] =>
  Array.from({ length: count }, (_, b) =>
    Array.from({ length: 4 }, (_, d) => ((7 * b + 3 * d + shift) % 11) / 11 - 0.5),
  );
/** For the regression. */
export const batch = (count = 8, shift = 0) => ({
  x: rows(count, shift),
  y: rows(count, shift).map(([a = 0, , , d = 0]) => 2 * a - d),
});
