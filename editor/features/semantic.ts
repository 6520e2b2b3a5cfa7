// Semantic tokens: the colour of every name by what it stands for, and of words that are words here and may be names elsewhere. In:
// names of a module. Out: spans with a type and modifiers, in the order of the text, none over another.

import type { Span } from "../../grammar/syntax.ts";
import type { Names, SymbolKind, Use } from "./names.ts";

export const tokenTypes = [
  "namespace",
  "class",
  "function",
  "parameter",
  "variable",
  "property",
  "type",
  "enumMember",
  "keyword",
] as const;
export const tokenModifiers = ["declaration", "readonly", "defaultLibrary", "static"] as const;
export type TokenType = (typeof tokenTypes)[number];
export type TokenModifier = (typeof tokenModifiers)[number];

export interface Coloured {
  readonly span: Span;
  readonly type: TokenType;
  readonly modifiers: readonly TokenModifier[];
}

const typeOf: Readonly<Record<SymbolKind, TokenType>> = {
  expert: "class",
  router: "class",
  moe: "class",
  layer: "class",
  chain: "class",
  model: "class",
  function: "function",
  dim: "type",
  static: "type",
  size: "type",
  input: "parameter",
  variable: "variable",
  parameter: "property",
  state: "property",
  modality: "parameter",
  index: "enumMember",
  counter: "variable",
  loss: "variable",
  metric: "variable",
  member: "property",
  builtin: "function",
  module: "namespace",
};

export function colour({ uses }: Names): readonly Coloured[] {
  const found: Coloured[] = [];
  let end = -1;
  for (const use of uses) {
    if (use.span.start < end) continue;
    end = use.span.end;
    found.push({ span: use.span, type: colourOf(use), modifiers: modifiersOf(use) });
  }
  return found;
}

function colourOf({ meaning }: Use): TokenType {
  const group = meaning.builtin?.group;
  if (group === "constant" || group === "clock" || group === "router" || group === "null expert")
    return "variable";
  if (group === "optimiser") return "class";
  return typeOf[meaning.kind];
}

function modifiersOf({ meaning, role }: Use): readonly TokenModifier[] {
  const { kind, builtin, module } = meaning;
  return [
    ...(role === "declaration" ? (["declaration"] as const) : []),
    ...(kind === "input" || kind === "modality" || kind === "index" ? (["readonly"] as const) : []),
    ...(builtin !== undefined || module?.startsWith("std.") === true ? (["defaultLibrary"] as const) : []),
    ...(kind === "static" || kind === "dim" ? (["static"] as const) : []),
  ];
}
