// Stores of all modalities become batches. In: token stores and rows, by modality; the recipe, which says what is read side by side. Out:
// `Data`. Modalities of one stream line up, example by example; each stream has an order, a length and epochs of its own.

import { UserError } from "../errors.ts";
import type { Modality, Training } from "../program.ts";
import type { Tokenizer } from "../tokenizer.ts";
import { rowBatches, streamBatches, type Pair, type RowPart, type StreamPart } from "./batches.ts";
import type { Batches, Data } from "./data.ts";
import { fingerprintOf, rowCount, summaryOf } from "./describe.ts";
import type { Tokens } from "./tokens.ts";

export interface Opened {
  readonly streams: (StreamPart & { tokens: Tokens })[];
  readonly rows: RowPart[];
  readonly tokenizers: Record<string, Tokenizer>;
  readonly labels: Record<string, readonly string[]>;
}

/** The stream that a modality is read in; undefined: the main one. */
export const streamOf = ({ data }: Training, { name }: Modality): string | undefined =>
  data.find(({ modality }) => modality === name)?.stream;

export function assemble({ streams, rows, tokenizers, labels }: Opened, training: Training): Data {
  const names = new Set([...streams, ...rows].map(({ modality }) => streamOf(training, modality)));
  // Epochs are those of the main stream, wherever it stands.
  const others = [...names].filter((name) => name !== undefined);
  const ordered = names.has(undefined) ? [undefined, ...others] : others;
  const pairs = ordered.map((name) => {
    const here = ({ modality }: { readonly modality: Modality }): boolean =>
      streamOf(training, modality) === name;
    return pairOf(streams.filter(here), rows.filter(here), training, name);
  });
  if (pairs.length === 0)
    throw new UserError("R0132", "the recipe has no data", { help: "add a `data` line" });
  return {
    train: together(pairs.map(({ train }) => train)),
    held: together(pairs.map(({ held }) => held)),
    tokenizers,
    labels,
    fingerprint: fingerprintOf(streams, rows, tokenizers),
    summary: summaryOf(streams, rows, tokenizers),
    close: () =>
      [
        ...streams.map(({ store }) => store),
        ...rows.map((part) => ("store" in part ? part.store : part.tokens)),
      ].forEach((store) => store.close()),
  };
}

/** Batches of every stream side by side; they are as many as the first has. */
function together(streams: readonly Batches[]): Batches {
  const [first] = streams as readonly [Batches];
  if (streams.length === 1) return first;
  return {
    examples: first.examples,
    batches: first.batches,
    batch: (index) =>
      Object.assign({}, ...streams.map((stream) => stream.batch(index))) as ReturnType<Batches["batch"]>,
  };
}

/** What one stream holds; its modalities must agree. */
function pairOf(
  streams: readonly StreamPart[],
  rows: readonly RowPart[],
  training: Training,
  name: string | undefined,
): Pair {
  const [stream] = streams;
  const [row] = rows;
  if (stream !== undefined && row !== undefined)
    throw new UserError(
      "R0131",
      `\`${stream.modality.name}\` is running text, \`${row.modality.name}\` has rows`,
      {
        help: "put the texts in a column of a CSV or JSON-lines file, one per row",
      },
    );
  if (stream !== undefined) {
    const other = streams.find(({ store }) => store.length !== stream.store.length);
    if (other !== undefined)
      throw new UserError(
        "R0131",
        `\`${stream.modality.name}\` has ${stream.store.length} tokens, \`${other.modality.name}\` has ${other.store.length}`,
        {
          help: `give modalities that are read side by side texts of the same length, or ${apart(other.modality)}`,
        },
      );
    const batches = streamBatches(streams, training, name);
    if (batches === undefined) throw tooShort(stream, training);
    return batches;
  }
  const first = row!;
  const other = rows.find((part) => rowCount(part) !== rowCount(first));
  if (other !== undefined)
    throw new UserError(
      "R0131",
      `\`${first.modality.name}\` has ${rowCount(first)} rows, \`${other.modality.name}\` has ${rowCount(other)}`,
      { help: `give every modality the same rows in the same order, or ${apart(other.modality)}` },
    );
  const batches = rowBatches(rows, rowCount(first), training, name);
  if (batches === undefined)
    throw new UserError(
      "R0104",
      `${rowCount(first) === 1 ? "1 row is" : `${rowCount(first)} rows are`} not enough to train and to hold out ${training.holdOut}`,
      {
        help: "add rows, or hold out less",
      },
    );
  return batches;
}

const apart = ({ name }: Modality): string =>
  `read \`${name}\` apart, in an order of its own: \`stream = ${name}\` behind its file`;

function tooShort({ modality, store }: StreamPart, { data, length = 0, holdOut }: Training): UserError {
  const path = data.find((source) => source.modality === modality.name)?.path;
  const needed = (length + 1) * (holdOut > 0 ? 2 : 1);
  const both =
    holdOut > 0
      ? `a training and a held-out window of length ${length} need`
      : `a window of length ${length} needs`;
  return new UserError("R0104", `${path ?? modality.name} has ${store.length} tokens; ${both} ${needed}`, {
    ...(path === undefined ? {} : { file: path }),
    help: "add text, or make the length shorter",
  });
}
