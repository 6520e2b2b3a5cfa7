// Where data come from: a folder in which patterns name files. Readers see only this, so that they work in Node
// (`folder-node.ts`) and in a page (`memoryFolder`). Also the text of files: decoded in pieces, checked, lines counted.

import { crc32, hex8 } from "../checkpoint-checksum.ts";
import { UserError } from "../errors.ts";
import { glob, tidyPath } from "./glob.ts";
import { joinedBytes } from "../join.ts";

export interface DataFile {
  /** As messages show it: the path relative to the `.moe` file. */
  readonly name: string;
  /** Changes when the contents do. */
  readonly version: string;
  /** Bytes, for files that can be read by position: not compressed ones. */
  readonly size: number | undefined;
  /** The contents, decompressed, in pieces that are only valid until the next. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Fills `into` from byte `offset` on; throws when the file has become shorter. Only where `size` is known. */
  read(offset: number, into: Uint8Array): void;
  close(): void;
}

/** What was computed from the data at some cost, kept from one run to the next. Losing it only costs time. */
export interface DataCache {
  load(key: string): Promise<Uint8Array | undefined>;
  save(key: string, bytes: Uint8Array): Promise<void>;
}

/** Room outside of memory, gone when it is closed or the process ends. */
export interface DataScratch {
  append(bytes: Uint8Array): void;
  read(offset: number, into: Uint8Array): void;
  close(): void;
}

export interface DataFolder {
  /** The files a path or pattern names, sorted by name; a UserError when there are none. */
  find(pattern: string): Promise<readonly DataFile[]>;
  readonly cache?: DataCache;
  readonly scratch?: () => DataScratch;
}

/** `place`: the path that was looked for, where there is a disk. */
export const noSuchFile = (pattern: string, wild: boolean, place?: string): UserError =>
  new UserError("R0101", wild ? `no file matches \`${pattern}\`` : `there is no file \`${pattern}\``, {
    file: pattern,
    help:
      "mend the path of the `data` line; it is relative to the `.moe` file" +
      (place === undefined ? "" : `, so this is ${place}`),
  });

/** Files that are in memory already, by path: for pages and tests. Text is taken as UTF-8. */
export function memoryFolder(files: Readonly<Record<string, string | Uint8Array>>): DataFolder {
  const byPath = new Map(Object.entries(files).map(([path, contents]) => [tidyPath(path), contents]));
  return {
    find(pattern) {
      const { wild, matches } = glob(pattern);
      const plain = tidyPath(pattern);
      const found = [...byPath.keys()]
        .filter((path) => path === plain || (wild && matches(path)))
        .sort(byCodeUnits);
      if (found.length === 0) return Promise.reject(noSuchFile(pattern, wild));
      return Promise.resolve(found.map((path) => memoryFile(path, byPath.get(path)!)));
    },
  };
}

export const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export function memoryFile(name: string, contents: string | Uint8Array): DataFile {
  const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
  return {
    name,
    version: `${bytes.length} ${hex8(crc32(bytes))}`,
    size: bytes.length,
    async *chunks() {
      for (let at = 0; at < bytes.length; at += 2 ** 18)
        yield await Promise.resolve(bytes.subarray(at, at + 2 ** 18));
    },
    read: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)),
    close: () => undefined,
  };
}

/** The whole file, for formats that are small or must be whole. */
export async function wholeFile(file: DataFile): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of file.chunks()) parts.push(chunk.slice());
  return joinedBytes(parts);
}

/**
 * The text of a file in pieces, as it stands but without a byte order mark. A file that is not UTF-8, holds zero bytes, or
 * nothing at all is a UserError with the line.
 */
export async function* textChunks(file: DataFile, help: string): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let line = 1;
  let empty = true;
  const notText = (line: number, reason: string): UserError =>
    new UserError("R0105", `${file.name} is not a text file: line ${line} ${reason}`, {
      file: file.name,
      line,
      help,
    });
  for await (const chunk of file.chunks()) {
    let text: string;
    try {
      text = decoder.decode(chunk, { stream: true });
    } catch {
      throw notText(line + linesBeforeBreak(chunk), "has bytes that are not UTF-8");
    }
    const zero = text.indexOf("\0");
    if (zero >= 0) throw notText(line + newlines(text.slice(0, zero)), "has a zero byte");
    line += newlines(text);
    if (text !== "") {
      empty = false;
      yield text;
    }
  }
  try {
    decoder.decode();
  } catch {
    throw notText(line, "ends within a character");
  }
  if (empty) throw emptyFile(file);
}

export const emptyFile = (file: DataFile): UserError =>
  new UserError("R0103", `${file.name} is empty`, {
    file: file.name,
    help: "fetch it again, or take it out of the `data` line",
  });

export function newlines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

/** Lines before the first byte that is not UTF-8. The chunk may begin within a character, so the first three do not count. */
function linesBeforeBreak(chunk: Uint8Array): number {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(chunk);
  const at = text.indexOf("\ufffd", 3);
  return newlines(at < 0 ? "" : text.slice(0, at));
}

/** Lines of a text file without their ends (`\n` or `\r\n`), with their numbers from 1; a last empty one is left out. */
export async function* textLines(
  file: DataFile,
  help: string,
): AsyncGenerator<{ text: string; line: number }> {
  let rest = "";
  let line = 1;
  for await (const chunk of textChunks(file, help)) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop()!;
    if (rest.length > lineLimit)
      throw new UserError("R0105", `line ${line + lines.length} of ${file.name} does not end within 16 MB`, {
        file: file.name,
        line: line + lines.length,
        help,
      });
    for (const text of lines) yield { text: text.endsWith("\r") ? text.slice(0, -1) : text, line: line++ };
  }
  if (rest !== "") yield { text: rest, line };
}

/** A line is looked through again with each further chunk until it ends, so its length has a bound. */
const lineLimit = 2 ** 24;
