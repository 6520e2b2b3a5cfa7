// Data for a generated module's model: texts and files in memory -> batches with shapes, as `trainStep` takes them. In: what
// was given for each modality. Out: the batches of the recipe, in its order. The readers do the work (data/open.ts); this
// gives them the recipe, keeps to tokenizers that the model already has, and gives shapes to what comes out.

import type { Batch, Batches, Data, TokenStore } from "./data/data.ts";
import { dataFromMemory } from "./data/open-memory.ts";
import { UserError } from "./errors.ts";
import type { Entry, Modality, Program, Training } from "./program.ts";
import type { Shape, Shaped } from "./shaped.ts";
import { evaluate, type Sizes } from "./size.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** By modality: a text, or the bytes of a file of the kind that the recipe reads. */
export type Sources = Readonly<Record<string, string | Uint8Array>>;

/** Other numbers than the recipe's. */
export type DataOptions = Partial<Pick<Training, "batch" | "length" | "holdOut" | "seed">>;

export type ShapedBatch = Readonly<Record<string, Shaped<"f32" | "i32", Shape>>>;

export interface ShapedBatches<Of> {
  /** Examples (windows of tokens, or rows) in one epoch. */
  readonly examples: number;
  /** Whole batches in one epoch. */
  readonly batches: number;
  /** Batch `index`, from 0 on. Training batches go on after an epoch, each epoch in its own order. */
  batch(index: number): Of;
}

export interface ModelData<Of> {
  readonly train: ShapedBatches<Of>;
  /** Never overlaps the training data. */
  readonly held: ShapedBatches<Of>;
  /** By category modality: the names of its classes, in the order of ids. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
  /** One line for each modality about what was read. */
  readonly summary: readonly string[];
}

export interface OpenedData {
  readonly data: ModelData<ShapedBatch>;
  readonly tokenizers: Readonly<Record<string, Tokenizer>>;
}

export async function openModelData(
  program: Program,
  sources: Sources,
  options: DataOptions,
  tokenizers: Readonly<Record<string, Tokenizer>>,
): Promise<OpenedData> {
  const { training } = program;
  const entry = program.entries["train"] ?? program.entries["evaluate"];
  if (training === undefined || entry === undefined)
    throw new UserError(
      "R0303",
      `the model ${program.name} has no recipe, so it does not say how data are read`,
      {
        help: "add a `train` block to the `.moe` file and build again, or make the batches yourself",
      },
    );
  checkSources(training, sources);
  const recipe: Training = { ...training, ...options, data: oneSourceEach(training) };
  const opened =
    (await withKnown(program, recipe, sources, tokenizers)) ?? (await withReaders(program, recipe, sources));
  for (const [name, tokenizer] of Object.entries(opened.tokenizers)) {
    const before = tokenizers[name];
    if (before !== undefined && JSON.stringify(before.toJSON()) !== JSON.stringify(tokenizer.toJSON()))
      throw new UserError("R0106", `these data would give \`${name}\` another tokenizer than the model has`, {
        help: "load the model without a tokenizer to train it anew, or make the batches yourself with `encode`",
      });
  }
  const lengths = program.modalities.flatMap(({ length }) => length ?? []);
  const sizes: Sizes = {
    B: recipe.batch,
    ...Object.fromEntries(lengths.map((length) => [length, recipe.length ?? 1])),
  };
  const { train, held, labels, summary } = opened;
  return {
    data: {
      train: shapedBatches(train, entry, sizes),
      held: shapedBatches(held, entry, sizes),
      labels,
      summary,
    },
    tokenizers: opened.tokenizers,
  };
}

type Opened = Pick<Data, "train" | "held" | "labels" | "summary" | "tokenizers">;

const withReaders = (program: Program, recipe: Training, sources: Sources): Promise<Opened> =>
  dataFromMemory(sources, recipe, program.modalities);

/** The text of models that already have their tokenizer, in its tokens. Undefined when the readers make the ids. */
async function withKnown(
  program: Program,
  recipe: Training,
  sources: Sources,
  tokenizers: Readonly<Record<string, Tokenizer>>,
): Promise<Opened | undefined> {
  const parts: { modality: Modality; store: TokenStore }[] = [];
  for (const { modality: name, reader } of recipe.data) {
    const modality = program.modalities.find((each) => each.name === name);
    const tokenizer = tokenizers[name];
    const source = sources[name];
    const made = reader === "characters" || reader === "pairs";
    if (!made || modality === undefined || tokenizer === undefined || source === undefined) return undefined;
    const text = typeof source === "string" ? source : new TextDecoder().decode(source);
    parts.push({ modality, store: textStore(tokenizer, text) });
  }
  const [part] = parts;
  if (part === undefined) return undefined;
  const batches = (await import("./data/batches.ts")).streamBatches(parts, recipe);
  if (batches === undefined)
    throw new UserError(
      "R0104",
      `the text of \`${part.modality.name}\` has ${part.store.length} tokens, too few for windows of ${recipe.length ?? 0}`,
      { help: "add text, or make the length shorter" },
    );
  const summary = parts.map(({ modality, store }) => `${modality.name}: ${store.length} tokens`);
  return { ...batches, labels: {}, summary, tokenizers: {} };
}

/** One document, and its end. */
function textStore(tokenizer: Tokenizer, text: string): TokenStore {
  const encoded = tokenizer.encode(text);
  const ids = new Int32Array(encoded.length + 1);
  ids.set(encoded);
  ids[encoded.length] = tokenizer.end;
  return {
    length: ids.length,
    read: (start, count, into, at) => into.set(ids.subarray(start, start + count), at),
    close: () => undefined,
  };
}

function checkSources(training: Training, sources: Sources): void {
  const names = [...new Set(training.data.map(({ modality }) => modality))];
  const listed = names.map((name) => `\`${name}\``).join(", ");
  const unknown = Object.keys(sources).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new UserError("R0132", `the recipe has no data for \`${unknown}\``, { help: `it reads ${listed}` });
  const missing = names.find((name) => sources[name] === undefined);
  if (missing !== undefined)
    throw new UserError("R0132", `no data are given for \`${missing}\``, {
      help: `the recipe reads ${listed}`,
    });
}

/** What is in memory is one file for each modality, called after it. */
const oneSourceEach = (training: Training): Training["data"] =>
  training.data
    .filter(({ modality }, index, all) => all.findIndex((other) => other.modality === modality) === index)
    .map((source) => ({ ...source, path: source.modality }));

function shapedBatches(batches: Batches, entry: Entry, sizes: Sizes): ShapedBatches<ShapedBatch> {
  const shapes = new Map(
    entry.inputs.map(({ name, shape }) => [name, shape.map((size) => evaluate(size, sizes))] as const),
  );
  const shaped = (batch: Batch): ShapedBatch =>
    Object.fromEntries(
      Object.entries(batch).flatMap(([name, values]) => {
        const shape = shapes.get(name);
        return shape === undefined ? [] : [[name, { shape, values }]];
      }),
    );
  const { examples, batches: count } = batches;
  return { examples, batches: count, batch: (index) => shaped(batches.batch(index)) };
}
