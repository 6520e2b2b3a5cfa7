// Documents to token ids. In: files, or texts of rows, and the vocabulary that the modality declares. Out: a token store
// (all documents, each followed by the end id), the tokenizer, and where each document begins. Files are streamed; large
// ones are read by position (bytes) or kept as ids outside of memory where the folder has room for that.

import { crc32, hex8 } from "../checkpoint-checksum.ts";
import { UserError } from "../errors.ts";
import { bytesTokenizer, charactersTokenizer, type Tokenizer } from "../tokenizer.ts";
import { firstMerged, pairsTokenizer, pieceCounter, pieceCutter, trainPairs } from "../tokenizer-pairs.ts";
import { tokenizerFromJSON } from "../tokenizer-load.ts";
import type { TokenStore } from "./data.ts";
import { emptyFile, textChunks, wholeFile, type DataFile, type DataFolder } from "./folder.ts";
import { idWriter } from "./ids.ts";

export interface Tokens {
  readonly store: TokenStore;
  readonly tokenizer: Tokenizer;
  /** Where each document begins, and at last the store's length. */
  readonly starts: readonly number[];
}

/** Text that belongs together: a file, or the cell of a row. */
export interface TextDocument {
  readonly version: string;
  chunks(): AsyncIterable<string>;
}

/** Files of this size together are held in memory; larger ones are read by position. */
const holdLimit = 2 ** 26;

const vocabularyError = (modality: string, message: string, vocab: number): UserError =>
  new UserError("R0106", `${message}; \`${modality}\` has ${vocab}`, {
    help: `change the vocabulary of \`${modality}\` in the model`,
  });

const textHelp = "convert it to UTF-8 text, or read it with `bytes`, which takes anything";

export const textDocument = (file: DataFile, help = textHelp): TextDocument => ({
  version: `${file.name} ${file.version}`,
  chunks: () => textChunks(file, help),
});

/** Raw bytes of files as ids. */
export async function byteTokens(files: readonly DataFile[], modality: string, vocab = 256): Promise<Tokens> {
  if (vocab < 256) throw vocabularyError(modality, "`bytes` makes 256 different tokens", vocab);
  const tokenizer = bytesTokenizer(vocab > 256 ? 256 : 0);
  const total = files.reduce((sum, { size }) => sum + (size ?? 0), 0);
  const documents: ByteDocument[] = [];
  for (const file of files) {
    if (file.size !== undefined && total > holdLimit) {
      if (file.size === 0) throw emptyFile(file);
      documents.push({ length: file.size, read: file.read, close: file.close });
      continue;
    }
    const bytes = await wholeFile(file);
    if (bytes.length === 0) throw emptyFile(file);
    documents.push(heldBytes(bytes));
  }
  return byteStore(documents, tokenizer);
}

interface ByteDocument {
  readonly length: number;
  read(offset: number, into: Uint8Array): void;
  close(): void;
}

const heldBytes = (bytes: Uint8Array): ByteDocument => ({
  length: bytes.length,
  read: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)),
  close: () => undefined,
});

function byteStore(documents: readonly ByteDocument[], tokenizer: Tokenizer): Tokens {
  const starts = [0];
  for (const { length } of documents) starts.push(starts.at(-1)! + length + 1);
  const store: TokenStore = {
    length: starts.at(-1)!,
    read(start, count, into, at) {
      let index = documentAt(starts, start);
      for (let position = start; position < start + count; index++) {
        const document = documents[index]!;
        const offset = position - starts[index]!;
        const bytes = new Uint8Array(Math.min(document.length - offset, start + count - position));
        if (bytes.length > 0) document.read(offset, bytes);
        into.set(bytes, at + position - start);
        position += bytes.length;
        if (position < start + count) into[at + position++ - start] = tokenizer.end;
      }
    },
    close: () => documents.forEach((document) => document.close()),
  };
  return { store, tokenizer, starts };
}

/** The document that a position lies in: the last that begins at or before it. */
function documentAt(starts: readonly number[], position: number): number {
  let low = 0;
  let high = starts.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Bytes of texts, for columns of rows. */
export async function textByteTokens(
  documents: readonly TextDocument[],
  modality: string,
  vocab = 256,
): Promise<Tokens> {
  if (vocab < 256) throw vocabularyError(modality, "`bytes` makes 256 different tokens", vocab);
  const encoder = new TextEncoder();
  const parts: ByteDocument[] = [];
  for (const document of documents) {
    let text = "";
    for await (const chunk of document.chunks()) text += chunk;
    parts.push(heldBytes(encoder.encode(text)));
  }
  return byteStore(parts, bytesTokenizer(vocab > 256 ? 256 : 0));
}

/** One id per different character. Ids are handed out as characters come, and renamed in the end to sorted order. */
export async function characterTokens(
  documents: readonly TextDocument[],
  modality: string,
  vocab: number | undefined,
  folder: DataFolder,
): Promise<Tokens> {
  const found = new Map<string, number>();
  const writer = idWriter(folder);
  const starts = [0];
  for (const document of documents) {
    // A pair of surrogates may be cut by the chunks of a row, never by those of a file; `for of` needs it whole.
    for await (const chunk of document.chunks())
      for (const character of chunk) {
        let id = found.get(character);
        if (id === undefined) found.set(character, (id = found.size + 1));
        writer.push(id);
      }
    writer.push(0);
    starts.push(writer.length);
  }
  const tokenizer = charactersTokenizer(found.keys());
  if (vocab !== undefined && tokenizer.count > vocab)
    throw vocabularyError(
      modality,
      `the text has ${found.size} different characters, which with the end of a document needs a vocabulary of ${tokenizer.count}`,
      vocab,
    );
  const renamed = new Int32Array(found.size + 1);
  for (const [character, id] of found) renamed[id] = tokenizer.encode(character)[0]!;
  return { store: writer.finish(renamed), tokenizer, starts };
}

/** Byte-pair tokens. The merges are kept in the folder's cache, keyed by what the text was. */
export async function pairTokens(
  documents: readonly TextDocument[],
  modality: string,
  vocab: number | undefined,
  folder: DataFolder,
): Promise<Tokens> {
  if (vocab === undefined || vocab <= firstMerged)
    throw vocabularyError(modality, `\`pairs\` needs a vocabulary of more than ${firstMerged}`, vocab ?? 0);
  const tokenizer = await pairsOf(documents, vocab, folder);
  const writer = idWriter(folder);
  const starts = [0];
  // Words come again and again; this spares cutting and looking up each.
  const known = new Map<string, Int32Array>();
  const write = (piece: string): void => {
    let ids = known.get(piece);
    if (ids === undefined) {
      ids = tokenizer.encode(piece);
      if (known.size > 200_000) known.clear();
      known.set(piece, ids);
    }
    for (const id of ids) writer.push(id);
  };
  for (const document of documents) {
    const cutter = pieceCutter(write);
    for await (const chunk of document.chunks()) cutter.push(chunk);
    cutter.finish();
    writer.push(tokenizer.end);
    starts.push(writer.length);
  }
  return { store: writer.finish(), tokenizer, starts };
}

async function pairsOf(
  documents: readonly TextDocument[],
  vocab: number,
  folder: DataFolder,
): Promise<Tokenizer> {
  const versions = new TextEncoder().encode(documents.map(({ version }) => version).join("\n"));
  const key = `pairs-${vocab}-${hex8(crc32(versions))}-${versions.length}.json`;
  const kept = await folder.cache?.load(key);
  if (kept !== undefined)
    try {
      return tokenizerFromJSON(JSON.parse(new TextDecoder().decode(kept)));
    } catch {
      // Made by another version: made again.
    }
  const counter = pieceCounter();
  for (const document of documents) {
    const cutter = pieceCutter(counter.add);
    for await (const chunk of document.chunks()) cutter.push(chunk);
    cutter.finish();
  }
  const tokenizer = pairsTokenizer(trainPairs(counter.counts, vocab));
  await folder.cache?.save(key, new TextEncoder().encode(JSON.stringify(tokenizer.toJSON())));
  return tokenizer;
}
