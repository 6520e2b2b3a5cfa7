// Table: rows of cells -> aligned lines. The first column is left-aligned, the others as the caller says.

import { stripVTControlCharacters } from "node:util";

/** `align`: one letter for each column, `l` or `r`. */
export function table(rows: readonly (readonly string[])[], align: string, indent = ""): string {
  const width = (text: string): number => [...stripVTControlCharacters(text)].length;
  const widths = [...align].map((_, column) => Math.max(0, ...rows.map((row) => width(row[column] ?? ""))));
  return rows
    .map((row) => {
      const cells = row.map((cell, column) => {
        const space = " ".repeat(widths[column]! - width(cell));
        return align[column] === "r" ? space + cell : cell + space;
      });
      return `${indent}${cells.join("  ").trimEnd()}\n`;
    })
    .join("");
}
