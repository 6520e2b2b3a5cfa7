// What the training loop sees of data: batches by number. Batch i is a pure function of the data, the seed and i, so a
// resumed run only needs to know how many batches it has used.

import type { Tokenizer } from "../tokenizer.ts";

/**
 * One array per input port, row-major: tokens i32 [B, T] (`text.next`: the same, one position later), image f32
 * [B, height, width, channels], category i32 [B], features f32 [B, width], number f32 [B].
 */
export type Batch = Readonly<Record<string, Float32Array | Int32Array>>;

export interface Batches {
  /** Examples (windows of tokens, or rows) in one epoch. */
  readonly examples: number;
  /** Whole batches in one epoch, at least 1; 0 when there are no examples at all (nothing was held out). */
  readonly batches: number;
  /** Any index from 0 on. Training: epochs follow each other, each in its own order. Held out: always the same order. */
  batch(index: number): Batch;
}

export interface Data {
  readonly train: Batches;
  /** Never overlaps the training data. */
  readonly held: Batches;
  /** By token modality: how its ids were made. To be saved beside the run. */
  readonly tokenizers: Readonly<Record<string, Tokenizer>>;
  /** By category modality: the names of its classes, in the order of ids. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** Differs when the data differ: a run is only resumed on the data that it began with. */
  readonly fingerprint: string;
  /** For the user: one line per modality about what was read. */
  readonly summary: readonly string[];
  close(): void;
}

/** Values of one modality, one row per example. */
export interface RowStore {
  readonly rows: number;
  /** Numbers per row. */
  readonly width: number;
  readonly type: "f32" | "i32";
  /** Copies a row into `into`, from `at` on. */
  read(row: number, into: Float32Array | Int32Array, at: number): void;
  close(): void;
}

/** A long run of token ids: all documents, each followed by the end id. */
export interface TokenStore {
  readonly length: number;
  /** Copies `count` ids from `start` on into `into`, from `at` on. */
  read(start: number, count: number, into: Int32Array, at: number): void;
  close(): void;
}
