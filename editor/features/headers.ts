// Headers: how a definition begins, from its text: kind, name, statics, inputs, result; for hovers and signature help. In: a
// definition and the module that holds it. Out: one line, or lines where it is long.

import type { Definition, Span } from "../../grammar/syntax.ts";
import type { Source } from "./source.ts";

const textOf = (source: Source, { start, end }: Span): string =>
  source.text.slice(start, end).replace(/\s+/g, " ").trim();

export interface Header {
  readonly start: string;
  readonly statics: readonly string[];
  readonly inputs: readonly string[];
  readonly result: string;
}

export function headerOf(definition: Definition, source: Source): Header {
  return {
    start: `${definition.kind} ${definition.name.text}`,
    statics: definition.statics.map(({ span }) => textOf(source, span)),
    inputs: definition.inputs.map(({ span }) => textOf(source, span)),
    result: definition.result === undefined ? "" : ` -> ${textOf(source, definition.result.span)}`,
  };
}

export function showHeader({ start, statics, inputs, result }: Header): string {
  const lists = [statics, inputs].filter((list) => list.length > 0).map((list) => `(${list.join(", ")})`);
  const line = `${start}${lists.join("")}${result}`;
  if (line.length <= 80 || statics.length === 0) return line;
  const last = inputs.length > 0 ? `(${inputs.join(", ")})` : "";
  return `${start}(\n${statics.map((each) => `  ${each}`).join(",\n")}\n)${last}${result}`;
}
