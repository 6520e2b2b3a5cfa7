// What was read, in short: a fingerprint for resuming, and a line per modality for the user.

import { crc32, hex8 } from "../checkpoint-checksum.ts";
import type { Tokenizer } from "../tokenizer.ts";
import type { RowPart, StreamPart } from "./batches.ts";
import type { Tokens } from "./tokens.ts";

export const rowCount = (part: RowPart): number =>
  "store" in part ? part.store.rows : part.starts.length - 1;

/** Lengths, tokenizers, labels, and values at a few hundred places. */
export function fingerprintOf(
  streams: readonly StreamPart[],
  rows: readonly RowPart[],
  tokenizers: Readonly<Record<string, Tokenizer>>,
): string {
  const encoder = new TextEncoder();
  let sum = 0;
  const add = (text: string): void => void (sum = crc32(encoder.encode(`${text}\n`), sum));
  for (const [name, tokenizer] of Object.entries(tokenizers))
    add(`${name} ${JSON.stringify(tokenizer.toJSON())}`);
  for (const store of [
    ...streams.map(({ store }) => store),
    ...rows.flatMap((part) => ("tokens" in part ? [part.tokens] : [])),
  ]) {
    const block = new Int32Array(Math.min(256, store.length));
    for (let i = 0; i < 16; i++) {
      store.read(Math.floor(((store.length - block.length) * i) / 15), block.length, block, 0);
      add(`${store.length} ${block.join()}`);
    }
  }
  for (const part of rows) {
    if (!("store" in part)) continue;
    const { store } = part;
    const row = store.type === "f32" ? new Float32Array(store.width) : new Int32Array(store.width);
    for (let i = 0; i < 64; i++) {
      store.read(Math.floor(((store.rows - 1) * i) / 63), row, 0);
      add(`${store.rows} ${row.join()}`);
    }
  }
  return hex8(sum);
}

const grouped = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

export function summaryOf(
  streams: readonly (StreamPart & { readonly tokens: Tokens })[],
  rows: readonly RowPart[],
  tokenizers: Readonly<Record<string, Tokenizer>>,
): string[] {
  return [
    ...streams.map(({ modality: { name }, store, tokens }) => {
      const documents = tokens.starts.length - 1;
      const { kind, count } = tokenizers[name]!;
      return `${name}: ${grouped(store.length)} tokens (${kind}, ${grouped(count)} different) in ${grouped(documents)} ${documents === 1 ? "document" : "documents"}`;
    }),
    ...rows.map((part) => `${part.modality.name}: ${grouped(rowCount(part))} rows`),
  ];
}
