// From the `data` lines of a recipe to batches. In: a folder (of disk or memory), the recipe, the modalities. Out: `Data`.
// Says which reader makes what, and that all modalities line up; the work is in the readers.

import { crc32, hex8 } from "../checkpoint-checksum.ts";
import { UserError } from "../errors.ts";
import type { DataSource, Modality, Training } from "../program.ts";
import { assemble, streamOf, type Opened } from "./assemble.ts";
import { collectorOf, type Collector } from "./columns.ts";
import type { Data, RowStore } from "./data.ts";
import { memoryFolder, type DataFile, type DataFolder } from "./folder.ts";
import { idxRows } from "./idx.ts";
import { readCsv, readJsonLines, type Request } from "./tables.ts";
import {
  byteTokens,
  characterTokens,
  pairTokens,
  textByteTokens,
  textDocument,
  type Tokens,
} from "./tokens.ts";

/** Data from files in memory, by the paths of the recipe: for pages and tests. */
export const dataFromMemory = (
  files: Readonly<Record<string, string | Uint8Array>>,
  training: Training,
  modalities: readonly Modality[],
): Promise<Data> => openDataIn(memoryFolder(files), training, modalities);

/** Reads what must be read before the first batch. Every mistake in the data is a UserError that names the file. */
export async function openDataIn(
  folder: DataFolder,
  training: Training,
  modalities: readonly Modality[],
): Promise<Data> {
  const opened: Opened = { streams: [], rows: [], tokenizers: {}, labels: {} };
  const collectors = await readTables(folder, training, modalities);
  for (const modality of modalities) {
    const sources = training.data.filter((source) => source.modality === modality.name);
    if (sources.length === 0) {
      if (modality.ports.length === 0) continue;
      throw new UserError("R0132", `the modality \`${modality.name}\` has no data`, {
        help: `add \`data ${modality.name} = "..."\` to the \`train\` block`,
      });
    }
    const reader = readerOf(sources, modality);
    if (reader === "csv" || reader === "jsonl") continue;
    const files = (await Promise.all(sources.map(({ path }) => folder.find(path)))).flat();
    if (reader === "idx") addRows(opened, modality, await joined(files, modality));
    else addStream(opened, modality, await tokensOf(reader, files, modality, folder));
  }
  await addTables(opened, collectors, folder, training);
  return assemble(opened, training);
}

/** The reader of all sources of a modality; they must agree, and be able to make it. */
function readerOf(sources: readonly DataSource[], { name, kind }: Modality): DataSource["reader"] {
  const { reader } = sources[0]!;
  const other = sources.find((source) => source.reader !== reader);
  if (other !== undefined)
    throw new UserError("R0132", `\`${name}\` is read with \`${reader}\` and with \`${other.reader}\``, {
      help: "use one reader for all files of a modality",
    });
  const table = reader === "csv" || reader === "jsonl";
  if (!table && (kind === "tokens") === (reader === "idx"))
    throw new UserError("R0132", `the reader \`${reader}\` makes no ${kind}, which \`${name}\` is`, {
      file: sources[0]!.path,
      help:
        kind === "tokens"
          ? "use `bytes`, `characters`, `pairs`, or a column of `csv` or `jsonl`"
          : "use `idx`, or columns of `csv` or `jsonl`",
    });
  return reader;
}

function tokensOf(
  reader: "bytes" | "characters" | "pairs",
  files: readonly DataFile[],
  { name, count }: Modality,
  folder: DataFolder,
): Promise<Tokens> {
  if (reader === "bytes") return byteTokens(files, name, count);
  const documents = files.map((file) => textDocument(file));
  return reader === "characters"
    ? characterTokens(documents, name, count, folder)
    : pairTokens(documents, name, count, folder);
}

/** Reads each table once, for all modalities that want columns of it. */
async function readTables(
  folder: DataFolder,
  training: Training,
  modalities: readonly Modality[],
): Promise<ReadonlyMap<Modality, Collector>> {
  const collectors = new Map<Modality, Collector>();
  const tables = new Map<string, { source: DataSource; requests: Request[] }>();
  for (const source of training.data) {
    if (source.reader !== "csv" && source.reader !== "jsonl") continue;
    const modality = modalities.find(({ name }) => name === source.modality);
    if (modality === undefined) throw new Error(`internal: no modality ${source.modality}`);
    let collector = collectors.get(modality);
    if (collector === undefined) collectors.set(modality, (collector = collectorOf(modality)));
    const key = `${source.reader} ${source.path}`;
    const table = tables.get(key) ?? { source, requests: [] };
    tables.set(key, table);
    table.requests.push({
      modality,
      collector,
      ...(source.columns === undefined ? {} : { columns: source.columns }),
    });
  }
  for (const { source, requests } of tables.values())
    for (const file of await folder.find(source.path))
      await (source.reader === "csv" ? readCsv(file, requests) : readJsonLines(file, requests));
  return collectors;
}

/**
 * Columns become rows; texts too, when there are other rows beside them in their stream. Texts alone are documents of one running text.
 * Their tokenizer: pairs where the vocabulary has room for them, else bytes.
 */
async function addTables(
  opened: Opened,
  collectors: ReadonlyMap<Modality, Collector>,
  folder: DataFolder,
  training: Training,
): Promise<void> {
  const withRows = new Set(
    [
      ...opened.rows.map(({ modality }) => modality),
      ...[...collectors.keys()].filter(({ kind }) => kind !== "tokens"),
    ].map((modality) => streamOf(training, modality)),
  );
  for (const [modality, collector] of collectors) {
    if (modality.kind !== "tokens") {
      addRows(opened, modality, collector.finish());
      continue;
    }
    const documents = collector.texts.map((text) => ({
      version: `${text.length} ${hex8(crc32(new TextEncoder().encode(text)))}`,
      async *chunks() {
        yield await Promise.resolve(text);
      },
    }));
    const tokens =
      (modality.count ?? 0) > 257
        ? await pairTokens(documents, modality.name, modality.count, folder)
        : await textByteTokens(documents, modality.name, modality.count);
    if (!withRows.has(streamOf(training, modality))) addStream(opened, modality, tokens);
    else {
      opened.tokenizers[modality.name] = tokens.tokenizer;
      opened.rows.push({ modality, tokens: tokens.store, starts: tokens.starts });
    }
  }
}

function addStream(opened: Opened, modality: Modality, tokens: Tokens): void {
  opened.tokenizers[modality.name] = tokens.tokenizer;
  opened.streams.push({ modality, store: tokens.store, tokens });
}

function addRows(
  opened: Opened,
  modality: Modality,
  { store, labels }: { readonly store: RowStore; readonly labels?: readonly string[] },
): void {
  opened.rows.push({ modality, store });
  if (labels !== undefined) opened.labels[modality.name] = labels;
}

/** Rows of several files, one after another. */
async function joined(
  files: readonly DataFile[],
  modality: Modality,
): Promise<{ readonly store: RowStore; readonly labels?: readonly string[] }> {
  const parts = [];
  for (const file of files) parts.push(await idxRows(file, modality));
  const [first] = parts;
  if (parts.length === 1) return first!;
  const stores = parts.map(({ store }) => store);
  return {
    store: {
      rows: stores.reduce((sum, { rows }) => sum + rows, 0),
      width: first!.store.width,
      type: first!.store.type,
      read(row, into, at) {
        let index = 0;
        while (row >= stores[index]!.rows) row -= stores[index++]!.rows;
        stores[index]!.read(row, into, at);
      },
      close: () => stores.forEach((store) => store.close()),
    },
    ...(first!.labels === undefined ? {} : { labels: first!.labels }),
  };
}
