// Pieces of a novel, for models that read something else beside text: rows of one length, which windows of a file are not. In: how many, how
// long. Out: lines of JSON. The text is that of the examples.

import { readFileSync } from "node:fs";

const novel = "examples/book/corpus/moby-dick.txt";

/** Rows `{"line": text}`, spread evenly over the text. */
export function novelLines(rows: number, length: number): string {
  const text = readFileSync(novel, "latin1").replaceAll(/\s/g, " ");
  const stride = Math.floor((text.length - length) / rows);
  const row = (_: unknown, i: number): string =>
    JSON.stringify({ line: text.slice(i * stride, i * stride + length) });
  return `${Array.from({ length: rows }, row).join("\n")}\n`;
}
