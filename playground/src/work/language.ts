// Language: what the editor asks while one types, answered from the text alone with the functions of the language server. In:
// questions. Out: answers. Each declaration is read again only when it has changed.

import { tokenMatcher } from "chevrotain";
import { checkFor } from "../../../editor/features/checked.ts";
import { completionAt } from "../../../editor/features/completion.ts";
import { cursorAt } from "../../../editor/features/cursor.ts";
import { hoverAt, showHover } from "../../../editor/features/hover.ts";
import { namesIn } from "../../../editor/features/name-walk.ts";
import { useAt, type Names } from "../../../editor/features/names.ts";
import { colour } from "../../../editor/features/semantic.ts";
import { signatureAt } from "../../../editor/features/signature.ts";
import { smallestEdit } from "../../../editor/features/smallest-edit.ts";
import { openLibrary } from "../../../editor/features/source.ts";
import { format } from "../../../grammar/format.ts";
import { renderDiagnostics } from "../../../grammar/text.ts";
import * as T from "../../../grammar/tokens.ts";
import { colourNames, mainPath } from "../messages.ts";
import type { Colours, Defined, Formatted, Hovered, LanguageAnswers, LanguageAsked } from "../messages.ts";
import { hostOf, libraryText, stdPaths } from "./host.ts";

let text = "";
const library = openLibrary({ read: (path) => (path === mainPath ? text : libraryText(path)) });
let known: Names | undefined;

function namesOf(path: string): Names | undefined {
  const source = library.open(path);
  if (source === undefined) return undefined;
  if (path !== mainPath) return namesIn(source, library);
  if (known?.source !== source) known = namesIn(source, library);
  return known;
}

export function answerLanguage(asked: LanguageAsked): LanguageAnswers[LanguageAsked["ask"]] {
  if ("text" in asked && (!("path" in asked) || asked.path === mainPath)) text = asked.text;
  switch (asked.ask) {
    case "colours":
      return coloursOf(asked.path);
    case "complete":
      return complete(asked.at, asked.explicit);
    case "hover":
      return hover(asked);
    case "define":
      return define(asked.path, asked.at);
    case "sign": {
      const names = namesOf(mainPath);
      return names === undefined ? undefined : signatureAt(names, text, asked.at, library);
    }
    case "format":
      return formatted(asked.text);
    case "module":
      return libraryText(asked.path);
    case "modules":
      return stdPaths;
    default:
      return asked satisfies never;
  }
}

const indexOf = new Map<string, number>(colourNames.map((name, i) => [name, i]));

/** Words, numbers and comments by the lexer; names by what they stand for. */
function coloursOf(path: string): Colours {
  const names = namesOf(path);
  const found: number[] = [];
  if (names === undefined) return Int32Array.of();
  const named = colour(names);
  let next = 0;
  const put = (start: number, end: number, name: string): void => {
    const index = indexOf.get(name);
    if (index !== undefined && end > start) found.push(start, end, index);
  };
  for (const token of T.tokenise(names.source.text).tokens) {
    const start = token.startOffset;
    while (next < named.length && named[next]!.span.end <= start) next += 1;
    const use = named[next];
    if (use !== undefined && use.span.start <= start) {
      if (use.span.start === start) {
        const builtin = use.modifiers.includes("defaultLibrary") && use.type !== "class";
        put(start, use.span.end, builtin ? "builtin" : use.type);
      }
      continue;
    }
    put(start, start + token.image.length, kindOf(token));
  }
  return Int32Array.from(found);
}

function kindOf(token: Parameters<typeof tokenMatcher>[0]): string {
  const { tokenType } = token;
  if (tokenType === T.DocComment) return "doc";
  if (tokenType === T.LineComment) return "comment";
  if (tokenType === T.NumberLiteral) return "number";
  if (tokenMatcher(token, T.StringLiteral)) return "string";
  return tokenType !== T.Identifier && /^[a-z]/.test(token.image) ? "keyword" : "";
}

/** After a blank only words that the grammar asks for are offered; everything else waits for its first letter. */
const afterBlank: ReadonlySet<string> = new Set([
  ...["words", "choose", "null kind", "modality", "reader", "optimiser", "model", "modality name", "axes"],
  ...["import path", "import names", "options"],
]);

function complete(at: number, explicit: boolean): LanguageAnswers["complete"] {
  const names = namesOf(mainPath);
  if (names === undefined) return undefined;
  const { where, start } = cursorAt(text, at);
  if (start === at && !explicit && !afterBlank.has(where.place)) return undefined;
  const items = completionAt(names, text, at, { library, std: stdPaths, files: [] });
  return items.length === 0 ? undefined : { from: start, items };
}

function hover({
  path,
  at,
  found,
}: Extract<LanguageAsked, { ask: "hover" | "define" }>): Hovered | undefined {
  const names = namesOf(path);
  if (names === undefined) return undefined;
  const checked = found === undefined ? undefined : { path, diagnostics: [], modules: [], ...found };
  const hovered = hoverAt(names, at, library, checked);
  if (hovered === undefined) return undefined;
  return { from: hovered.span.start, to: hovered.span.end, text: showHover(hovered) };
}

function define(path: string, at: number): Defined | undefined {
  const names = namesOf(path);
  const { module, span } = (names === undefined ? undefined : useAt(names, at))?.meaning ?? {};
  if (module === undefined || span === undefined) return undefined;
  const from = { path: module, from: span.start, to: span.end };
  const source = libraryText(module);
  return source === undefined ? from : { ...from, text: source };
}

function formatted(before: string): Formatted {
  const { text: after, diagnostics } = format(before, mainPath);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  if (errors.length > 0) return { failed: renderDiagnostics(errors, (path) => hostOf(before).read(path)) };
  const { start, end, insert } = smallestEdit(before, after);
  return { from: start, to: end, insert };
}

/** Reads the library once, before anybody waits for it. */
export function warmUp(): void {
  checkFor(hostOf("import std.experts { SwiGLU }\nmodel M {\n}\n"), mainPath);
}
