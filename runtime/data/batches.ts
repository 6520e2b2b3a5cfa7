// Batches from stores. In: by modality a token store, or a row store, of lengths that agree; the recipe. Out: training and
// held-out batches. Token streams are cut in windows (`windows.ts`); rows are shuffled, a fixed share of them held out.

import type { Modality, Training } from "../program.ts";
import { permuted, streamKey } from "../random-stream.ts";
import type { Batch, Batches, RowStore, TokenStore } from "./data.ts";
import { splitWindows } from "./windows.ts";

export interface StreamPart {
  readonly modality: Modality;
  readonly store: TokenStore;
}

/** Rows of numbers, or one document of tokens per row: ids `starts[row]` to `starts[row + 1] - 1`, the end id last. */
export type RowPart = { readonly modality: Modality } & (
  { readonly store: RowStore } | { readonly tokens: TokenStore; readonly starts: readonly number[] }
);

export interface Pair {
  readonly train: Batches;
  readonly held: Batches;
}

type Fill = (examples: readonly number[]) => Batch;

/** Every example of an epoch once before the next epoch begins; batches go over the border. */
function endless(
  examples: number,
  size: number,
  place: (at: number, epoch: number) => number,
  fill: Fill,
): Batches {
  return {
    examples,
    batches: Math.max(1, Math.floor(examples / size)),
    batch(index) {
      const first = index * size;
      return fill(
        Array.from({ length: size }, (_, i) =>
          place((first + i) % examples, Math.floor((first + i) / examples)),
        ),
      );
    },
  };
}

const none: Batches = {
  examples: 0,
  batches: 0,
  batch: () => {
    throw new Error("internal: there are no held-out batches");
  },
};

/** Streams are shuffled each by its own key. */
const orderKey = ({ seed }: Training, stream: string | undefined): ReturnType<typeof streamKey> =>
  streamKey(seed, stream === undefined ? "data order" : `data order of ${stream}`);

/** `undefined` when there are too few tokens for one window each. `stream`: its name; none: the main one. */
export function streamBatches(
  parts: readonly StreamPart[],
  training: Training,
  stream?: string,
): Pair | undefined {
  const length = training.length;
  if (length === undefined) throw new Error("internal: a token modality, but no length");
  const key = orderKey(training, stream);
  const windows = splitWindows(parts[0]!.store.length, length, training.holdOut, key);
  if (windows === undefined) return undefined;
  const { train, held } = windows;
  const size = training.batch;
  const fill: Fill = (starts) => {
    const batch: Record<string, Int32Array> = {};
    for (const { modality, store } of parts) {
      const window = new Int32Array(length + 1);
      const [here, next] = portsOf(modality);
      const now = new Int32Array(size * length);
      const later = new Int32Array(size * length);
      starts.forEach((start, row) => {
        store.read(start, length + 1, window, 0);
        now.set(window.subarray(0, length), row * length);
        later.set(window.subarray(1), row * length);
      });
      if (here !== undefined) batch[here] = now;
      if (next !== undefined) batch[next] = later;
    }
    return batch;
  };
  return {
    train: endless(train.examples, size, train.start, fill),
    held: held.examples === 0 ? none : endless(held.examples, size, (at) => held.start(at, 0), fill),
  };
}

/** The port of a modality and that of its next tokens, where the model has them. */
function portsOf({ name, ports }: Modality): readonly [string | undefined, string | undefined] {
  return [ports.find((port) => port === name), ports.find((port) => port === `${name}.next`)];
}

/** `undefined` when no row is left for one of the parts. `stream` as for `streamBatches`. */
export function rowBatches(
  parts: readonly RowPart[],
  rows: number,
  training: Training,
  stream?: string,
): Pair | undefined {
  const heldRows = training.holdOut <= 0 ? 0 : Math.max(1, Math.round(rows * training.holdOut));
  const trainRows = rows - heldRows;
  if (trainRows < 1) return undefined;
  const size = training.batch;
  // Files are often sorted by class, so the held-out rows are drawn; from a fixed key, so that all seeds share them, and all streams
  // that read the same rows.
  const split = streamKey(0, "held-out rows");
  const order = orderKey(training, stream);
  const fill: Fill = (chosen) => {
    const batch: Record<string, Float32Array | Int32Array> = {};
    for (const part of parts)
      Object.assign(batch, "store" in part ? numbers(part, chosen) : texts(part, chosen, training));
    return batch;
  };
  const rowAt = (place: number): number => permuted(place, rows, split, 0);
  return {
    train: endless(trainRows, size, (at, epoch) => rowAt(permuted(at, trainRows, order, epoch)), fill),
    held: heldRows === 0 ? none : endless(heldRows, size, (at) => rowAt(trainRows + at), fill),
  };
}

function numbers(
  { modality, store }: Extract<RowPart, { store: RowStore }>,
  chosen: readonly number[],
): Batch {
  const length = chosen.length * store.width;
  const values = store.type === "f32" ? new Float32Array(length) : new Int32Array(length);
  chosen.forEach((row, i) => store.read(row, values, i * store.width));
  const [port] = portsOf(modality);
  return port === undefined ? {} : { [port]: values };
}

/** What stands where a text is over. A model takes it for zeros, and no loss counts it. */
const padding = -1;

/** Texts are cut after T tokens; shorter ones have their end, which is to be learned, and then padding. */
function texts(
  { modality, tokens, starts }: Extract<RowPart, { tokens: TokenStore }>,
  chosen: readonly number[],
  { length = 0 }: Training,
): Batch {
  const now = new Int32Array(chosen.length * length).fill(padding);
  const later = new Int32Array(chosen.length * length).fill(padding);
  chosen.forEach((row, i) => {
    const start = starts[row]!;
    const count = starts[row + 1]! - start;
    tokens.read(start, Math.min(length, count), now, i * length);
    tokens.read(start + 1, Math.min(length, count - 1), later, i * length);
  });
  const [here, next] = portsOf(modality);
  return { ...(here === undefined ? {} : { [here]: now }), ...(next === undefined ? {} : { [next]: later }) };
}
