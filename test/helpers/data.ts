// What tests of data readers share: recipes, modalities, sources, files in memory, and small tables and pictures to read.
// In: files by name. Out: batches, or the text of a mistake.

import { expect } from "vitest";
import type { Batch, Batches } from "../../runtime/data/data.ts";
import { dataFromMemory } from "../../runtime/data/open.ts";
import { runtimeCodes } from "../../runtime/error-codes.ts";
import { UserError } from "../../runtime/errors.ts";
import type { DataSource, Modality, Training } from "../../runtime/program.ts";

export const recipe = (data: readonly DataSource[], more: Partial<Training> = {}): Training => ({
  data,
  batch: 4,
  length: 8,
  steps: 10,
  accumulate: 1,
  seed: 1,
  evaluateEvery: 5,
  holdOut: 0.1,
  checkpointEvery: 5,
  patience: 0,
  metrics: ["loss"],
  optimiser: "adamw",
  rate: "rate",
  norm: "norm",
  ...more,
});
export const text = (count?: number): Modality => ({
  name: "text",
  kind: "tokens",
  ...(count === undefined ? {} : { count }),
  length: "T",
  ports: ["text", "text.next"],
});
export const source = (
  reader: DataSource["reader"],
  path: string,
  modality = "text",
  columns?: string[],
): DataSource => ({
  modality,
  reader,
  path,
  ...(columns === undefined ? {} : { columns }),
});
export type Files = Record<string, string | Uint8Array>;
export const open = (
  files: Files,
  data: readonly DataSource[],
  modalities: readonly Modality[],
  more?: Partial<Training>,
) => dataFromMemory(files, recipe(data, more), modalities);

export async function failure(action: Promise<unknown>): Promise<string> {
  try {
    await action;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(runtimeCodes[error.code]).toBeDefined();
    expect(error.help).toBeTruthy();
    return `${error.code} ${error.message}`;
  }
  return "no error";
}

/** All different bytes in a known order, so that windows can be told apart. */
export const counted = Uint8Array.from({ length: 250 }, (_, i) => i + 1);
export const rowsOf = (batch: Batch, port: string, width: number): number[][] =>
  Array.from({ length: batch[port]!.length / width }, (_, row) => [
    ...batch[port]!.slice(row * width, (row + 1) * width),
  ]);
export const epoch = (batches: Batches, port: string, width: number): number[][] =>
  Array.from({ length: Math.ceil(batches.examples / 4) }, (_, i) => rowsOf(batches.batch(i), port, width))
    .flat()
    .slice(0, batches.examples);

export const flowers = [
  "width,length,kind,note",
  ...Array.from(
    { length: 40 },
    (_, i) => `${i},${i / 2},${["setosa", "virginica", "alba"][i % 3]},"row ${i}, of\nforty"`,
  ),
  "",
].join("\n");
export const flowerModalities: Modality[] = [
  { name: "flower", kind: "features", count: 2, ports: ["flower"] },
  { name: "kind", kind: "category", count: 3, ports: ["kind"] },
];
export const flowerSources = [
  source("csv", "f.csv", "flower", ["width", "length"]),
  source("csv", "f.csv", "kind"),
];

/** An IDX file of these axes. */
export function idx(
  type: number,
  axes: readonly number[],
  values: Uint8Array | readonly number[],
): Uint8Array {
  const header = new DataView(new ArrayBuffer(4 + 4 * axes.length));
  header.setUint8(2, type);
  header.setUint8(3, axes.length);
  axes.forEach((axis, i) => header.setUint32(4 + 4 * i, axis));
  return Uint8Array.from([...new Uint8Array(header.buffer), ...values]);
}
export const digit: Modality = { name: "image", kind: "image", shape: [2, 2, 1], ports: ["image"] };
export const label: Modality = { name: "label", kind: "category", count: 10, ports: ["label"] };
export const digitSources = [source("idx", "i", "image"), source("idx", "l", "label")];
export const images = idx(
  8,
  [20, 2, 2],
  Array.from({ length: 80 }, (_, i) => (i % 4 === 0 ? i / 4 : 255)),
);
export const marks = idx(
  8,
  [20],
  Array.from({ length: 20 }, (_, i) => i % 10),
);
