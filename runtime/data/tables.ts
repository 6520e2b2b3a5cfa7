// CSV and JSON-lines files to columns. In: files and, by modality, the columns that it wants. Out: each row's cells,
// handed to the modality's collector. Files are streamed. Does not interpret cells: `columns.ts` does.

import Papa from "papaparse";
import { UserError } from "../errors.ts";
import type { Modality } from "../program.ts";
import type { Collector } from "./columns.ts";
import { emptyFile, newlines, textChunks, textLines, type DataFile } from "./folder.ts";

/** What one modality wants of a table. */
export interface Request {
  readonly modality: Modality;
  /** None: the column of the modality's name; for features and images all columns that no other request names. */
  readonly columns?: readonly string[];
  readonly collector: Collector;
}

const textHelp = "save it as UTF-8 text";
/** A row is read again with each further chunk until it is whole, so its length has a bound. */
const cellLimit = 2 ** 23;

/** The columns of a header that a request means; `*` in a name stands for any characters. */
function choose(
  request: Request,
  header: readonly string[],
  others: readonly Request[],
  file: string,
): number[] {
  const { modality } = request;
  const missing = (name: string): UserError => {
    const list = header.slice(0, 12).map((column) => `\`${column}\``);
    return new UserError(
      "R0112",
      `${file} has no column \`${name}\`; it has ${list.join(", ")}${header.length > 12 ? ", ..." : ""}`,
      {
        file,
        line: 1,
        help: "name the columns as the first line of the file does",
      },
    );
  };
  if (request.columns !== undefined && request.columns.length > 0)
    return request.columns.flatMap((name) => {
      const found = matching(name, header);
      if (found.length === 0) throw missing(name);
      return found;
    });
  const own = header.indexOf(modality.name);
  if (own >= 0) return [own];
  if (modality.kind !== "features" && modality.kind !== "image") throw missing(modality.name);
  const taken = new Set(
    others
      .filter((other) => other !== request)
      .flatMap((other) => (other.columns ?? [other.modality.name]).flatMap((name) => matching(name, header))),
  );
  return header.map((_, index) => index).filter((index) => !taken.has(index));
}

function matching(name: string, header: readonly string[]): number[] {
  const exact = header.indexOf(name);
  if (exact >= 0) return [exact];
  if (!name.includes("*")) return [];
  const pattern = new RegExp(
    `^${name
      .split("*")
      .map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&"))
      .join(".*")}$`,
  );
  return header.flatMap((column, index) => (pattern.test(column) ? [index] : []));
}

export async function readCsv(file: DataFile, requests: readonly Request[]): Promise<void> {
  let plans: { collector: Collector; indexes: number[]; columns: string[] }[] | undefined;
  let header: readonly string[] = [];
  let rows = 0;
  for await (const { cells, line } of csvRows(file)) {
    if (plans === undefined) {
      header = cells.map((cell) => cell.trim());
      plans = requests.map((request) => {
        const indexes = choose(request, header, requests, file.name);
        return { collector: request.collector, indexes, columns: indexes.map((index) => header[index]!) };
      });
      continue;
    }
    if (cells.length !== header.length)
      throw new UserError(
        "R0111",
        `${file.name}, line ${line} has ${cells.length} ${cells.length === 1 ? "cell" : "cells"}; the first line has ${header.length}`,
        { file: file.name, line, help: "add or remove cells, or put cells with separators in double quotes" },
      );
    rows++;
    for (const { collector, indexes, columns } of plans)
      collector.add(
        indexes.map((index) => cells[index]!),
        { file: file.name, line, columns },
      );
  }
  if (rows === 0)
    throw new UserError("R0103", `${file.name} has no rows below its first line`, {
      file: file.name,
      help: "the first line names the columns; add rows",
    });
}

/** Rows with the line they begin at; blank lines are left out. Memory: one chunk, unless a cell is longer. */
async function* csvRows(file: DataFile): AsyncGenerator<{ cells: string[]; line: number }> {
  let parser: { parse(text: string, base: number, more: boolean): Papa.ParseResult<string[]> } | undefined;
  let rest = "";
  let line = 1;
  let carriage = "";
  const rowsOf = function* (text: string, more: boolean): Generator<{ cells: string[]; line: number }> {
    parser ??= new Papa.Parser({ delimiter: delimiterOf(text), newline: "\n" });
    const { data, errors, meta } = parser.parse(text, 0, more);
    const quotes = errors.find(({ type }) => type === "Quotes");
    // Of a text that goes on, only the last row can lack its end, and that one is read again.
    if (quotes !== undefined && (!more || quotes.code !== "MissingQuotes")) {
      const row = quotes.row ?? 0;
      const where = line + data.slice(0, row).reduce((sum, cells) => sum + lines(cells), 0);
      throw new UserError(
        "R0111",
        `${file.name}, line ${where}: a quote is not closed, or something follows it`,
        {
          file: file.name,
          line: where,
          help: "close the quote; quotes inside a quoted cell are doubled",
        },
      );
    }
    rest = more ? text.slice(meta.cursor) : "";
    for (const cells of data) {
      if (cells.length > 1 || cells[0]!.trim() !== "") yield { cells, line };
      line += lines(cells);
    }
  };
  for await (const chunk of textChunks(file, textHelp)) {
    const text = carriage + chunk;
    carriage = text.endsWith("\r") ? "\r" : "";
    rest += (carriage === "" ? text : text.slice(0, -1)).replaceAll("\r\n", "\n");
    if (rest.includes("\n")) yield* rowsOf(rest, true);
    if (rest.length > cellLimit)
      throw new UserError("R0111", `${file.name}, line ${line}: a cell does not end within 8 MB`, {
        file: file.name,
        line,
        help: "close the quote that opens it",
      });
  }
  if (rest !== "") yield* rowsOf(rest, false);
}

const lines = (cells: readonly string[]): number => cells.reduce((sum, cell) => sum + newlines(cell), 1);

/** The separator that the first line has most of. */
function delimiterOf(text: string): string {
  const first = text
    .slice(0, text.indexOf("\n") < 0 ? undefined : text.indexOf("\n"))
    .replace(/"[^"]*"/g, "");
  const counts = [",", ";", "\t", "|"].map((mark) => ({ mark, count: first.split(mark).length }));
  return counts.reduce((best, other) => (other.count > best.count ? other : best)).mark;
}

export async function readJsonLines(file: DataFile, requests: readonly Request[]): Promise<void> {
  let rows = 0;
  for await (const { text, line } of textLines(file, textHelp)) {
    if (text.trim() === "") continue;
    const fail = (code: string, message: string, help: string): UserError =>
      new UserError(code, `${file.name}, line ${line}: ${message}`, { file: file.name, line, help });
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw fail("R0115", "this is not JSON", "write one JSON object per line");
    }
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw fail("R0115", "this is not a JSON object", 'write one object per line, such as {"text": "..."}');
    const fields = new Map<string, unknown>(Object.entries(value));
    for (const { modality, columns, collector } of requests) {
      const names = columns !== undefined && columns.length > 0 ? columns : [modality.name];
      const cells = names.map((name) => {
        if (!fields.has(name))
          throw fail("R0112", `there is no \`${name}\``, "give every line the same keys, or drop it");
        return fields.get(name);
      });
      collector.add(cells, { file: file.name, line, columns: names });
    }
    rows++;
  }
  if (rows === 0) throw emptyFile(file);
}
