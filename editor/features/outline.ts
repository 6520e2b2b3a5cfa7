// Outline: what a module holds, as a tree, and what can be folded. In: a parsed module. Out: entries with spans; ranges of lines
// are the server's to make.

import type { Declaration, Span, Statement } from "../../grammar/syntax.ts";
import type { SymbolKind } from "./names.ts";
import type { Source } from "./source.ts";

export interface Entry {
  readonly name: string;
  readonly kind: SymbolKind | "train" | "choose";
  readonly detail: string;
  readonly span: Span;
  readonly nameSpan: Span;
  readonly children: readonly Entry[];
}

export const outlineOf = (source: Source): readonly Entry[] =>
  source.syntax.declarations.filter((each) => spoken(each)).map((each) => declarationEntry(each, source));

const spoken = (declaration: Declaration): boolean =>
  (declaration.node === "train" ? declaration.model : declaration.name).text !== "";

const short = (text: string): string => {
  const line = text.replace(/\s+/g, " ").trim();
  return line.length > 60 ? `${line.slice(0, 57)}...` : line;
};

function declarationEntry(declaration: Declaration, source: Source): Entry {
  const text = ({ start, end }: Span): string => short(source.text.slice(start, end));
  switch (declaration.node) {
    case "dim": {
      const { name, value, span } = declaration;
      return {
        name: name.text,
        kind: "dim",
        detail: text(value.span),
        span,
        nameSpan: name.span,
        children: [],
      };
    }
    case "train": {
      const { model, span, settings } = declaration;
      const phases = settings.filter((setting) => setting.setting === "phase");
      const entry = (name: string, at: Span, nameSpan: Span, children: readonly Entry[]): Entry => ({
        name,
        kind: "train",
        detail: "",
        span: at,
        nameSpan,
        children,
      });
      const inside = phases.map((phase) =>
        entry(`phase ${phase.name.text}`, phase.span, phase.name.span, []),
      );
      return entry(`train ${model.text}`, span, model.span, inside);
    }
    case "definition": {
      const { name, kind, span, inputs, result, statics } = declaration;
      const list = [...statics, ...inputs].map((each) => text(each.span)).join(", ");
      const detail = short(`${kind} (${list})${result === undefined ? "" : ` -> ${text(result.span)}`}`);
      const children = statementEntries(declaration.body, source);
      return {
        name: name.text,
        kind,
        detail: list === "" ? kind : detail,
        span,
        nameSpan: name.span,
        children,
      };
    }
    default:
      return declaration satisfies never;
  }
}

function statementEntries(body: readonly Statement[], source: Source): readonly Entry[] {
  const text = ({ start, end }: Span): string => short(source.text.slice(start, end));
  const seen = new Set<string>();
  const visit = (statements: readonly Statement[]): Entry[] =>
    statements.flatMap((statement): Entry[] => {
      const { span } = statement;
      const entry = (name: { text: string; span: Span }, kind: Entry["kind"], detail: string): Entry[] =>
        name.text === "" ? [] : [{ name: name.text, kind, detail, span, nameSpan: name.span, children: [] }];
      switch (statement.node) {
        case "param":
          return entry(statement.name, "parameter", text(statement.type.span));
        case "state":
          return entry(statement.name, "state", text(statement.type.span));
        case "dim":
        case "modality":
          return entry(statement.name, statement.node, text(statement.value.span));
        case "metric":
          return entry(statement.name, "metric", "");
        case "loss":
          return statement.name === undefined ? [] : entry(statement.name, "loss", "");
        case "bind":
          if (seen.has(statement.name.text)) return [];
          seen.add(statement.name.text);
          return entry(statement.name, "variable", text(statement.value.span));
        case "choose":
          return [
            {
              name: "choose",
              kind: "choose",
              detail: text(statement.choice.span),
              span,
              nameSpan: span,
              children: [],
            },
          ];
        case "repeat":
          return visit(statement.body);
        case "if":
          return [...visit(statement.then), ...visit(statement.otherwise)];
        default:
          return [];
      }
    });
  return visit(body);
}

export interface Fold extends Span {
  readonly kind: "comment" | "imports" | "region";
}

/** Declarations, blocks, rows of imports and of comments. */
export function foldsOf({ syntax, text }: Source): readonly Fold[] {
  const folds: Fold[] = [];
  const region = ({ start, end }: Span): void => void folds.push({ start, end, kind: "region" });
  const visit = (body: readonly Statement[]): void => {
    for (const statement of body) {
      if (statement.node === "repeat" || statement.node === "after") visit(statement.body);
      if (statement.node === "if") {
        visit(statement.then);
        visit(statement.otherwise);
      }
      if (text.slice(statement.span.start, statement.span.end).includes("\n")) region(statement.span);
    }
  };
  for (const declaration of syntax.declarations) {
    region(declaration.span);
    if (declaration.node === "definition") visit(declaration.body);
  }
  const [first, last] = [syntax.imports[0], syntax.imports.at(-1)];
  if (first !== undefined && last !== undefined && first !== last)
    folds.push({ start: first.span.start, end: last.span.end, kind: "imports" });
  for (const match of text.matchAll(/^[ \t]*\/\/[^\n]*(?:\r?\n[ \t]*\/\/[^\n]*)+/gm))
    folds.push({ start: match.index, end: match.index + match[0].length, kind: "comment" });
  return folds.sort((a, b) => a.start - b.start);
}
