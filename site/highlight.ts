// Colours for code: the editor's own TextMate grammar for `.moe`, read by the library that VS Code reads it with, so that the site shows
// what an editor shows. In: text. Out: HTML with a class for each kind of token. Other languages are only escaped.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { escapeText } from "../cli/report/html.ts";

const require = createRequire(import.meta.url);

/** By the beginning of a scope, the most special first. */
const classes: readonly (readonly [string, string])[] = [
  ["comment.line.documentation", "doc"],
  ["comment", "comment"],
  ["string", "string"],
  ["constant.numeric", "number"],
  ["constant.language", "number"],
  ["storage.type", "kind"],
  ["keyword.operator.over", "word"],
  ["keyword.operator.by", "word"],
  ["keyword.operator.as.", "word"],
  ["keyword.operator.logical", "word"],
  ["keyword.operator", "sign"],
  ["keyword", "word"],
  ["entity.name", "name"],
  ["support", "known"],
  ["variable.language", "known"],
  ["variable.parameter", "parameter"],
  ["variable.other.constant", "size"],
];

export type Highlight = (text: string) => string;

export async function loadHighlight(grammarPath: string): Promise<Highlight> {
  const textmate = require("vscode-textmate") as typeof import("vscode-textmate");
  const oniguruma = require("vscode-oniguruma") as typeof import("vscode-oniguruma");
  await oniguruma.loadWASM(readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")).buffer);
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: () =>
      Promise.resolve(textmate.parseRawGrammar(readFileSync(grammarPath, "utf8"), grammarPath)),
  });
  const grammar = (await registry.loadGrammar("source.moe"))!;
  return (text) => {
    let stack = textmate.INITIAL;
    return text
      .replace(/\n$/, "")
      .split("\n")
      .map((line) => {
        const { tokens, ruleStack } = grammar.tokenizeLine(line, stack);
        stack = ruleStack;
        return tokens
          .map(({ startIndex, endIndex, scopes }) => coloured(line.slice(startIndex, endIndex), scopes))
          .join("");
      })
      .join("\n");
  };
}

function coloured(text: string, scopes: readonly string[]): string {
  const scope = scopes.at(-1)!;
  const found = classes.find(([start]) => scope.startsWith(start))?.[1] ?? inherited(scopes);
  return found === undefined ? escapeText(text) : `<span class="${found}">${escapeText(text)}</span>`;
}

/** Signs inside a comment or a string are of it. */
const inherited = (scopes: readonly string[]): string | undefined =>
  classes.slice(0, 3).find(([start]) => scopes.some((scope) => scope.startsWith(start)))?.[1];
