// Language: what the editor asks while one types, answered from the text alone with the functions of the language server. In:
// questions. Out: answers. Each declaration is read again only when it has changed.

import { tokenMatcher } from "chevrotain";
import { checkFor } from "../../../editor/features/checked.ts";
import { completionAt } from "../../../editor/features/completion.ts";
import { cursorAt } from "../../../editor/features/cursor.ts";
import { hoverAt, showHover } from "../../../editor/features/hover.ts";
import { namesIn } from "../../../editor/features/name-walk.ts";
import { useAt, type Names } from "../../../editor/features/names.ts";
import { outlineOf, type Entry } from "../../../editor/features/outline.ts";
import { placesIn, rename, renameable } from "../../../editor/features/references.ts";
import { colour } from "../../../editor/features/semantic.ts";
import { signatureAt } from "../../../editor/features/signature.ts";
import { smallestEdit } from "../../../editor/features/smallest-edit.ts";
import { openLibrary } from "../../../editor/features/source.ts";
import { format } from "../../../grammar/format.ts";
import type { Span } from "../../../grammar/syntax.ts";
import { renderDiagnostics } from "../../../grammar/text.ts";
import * as T from "../../../grammar/tokens.ts";
import { colourNames, mainPath } from "../messages.ts";
import type { Colours, Defined, Formatted, Hovered, LanguageAnswers, LanguageAsked } from "../messages.ts";
import type { Outlined, Places, Range } from "../messages.ts";
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
    case "places":
      return places(asked.path, asked.at);
    case "renameable":
    case "rename":
      return renamed(asked);
    case "outline": {
      const names = namesOf(asked.path);
      return names === undefined ? [] : outlineOf(names.source).flatMap((entry) => outlined(entry, 0));
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
  const { module, name } = hovered.costs ?? {};
  const costs = module === undefined || name === undefined ? {} : { costs: { module, name } };
  return {
    ...range(hovered.span),
    text: showHover(hovered),
    isName: useAt(names, at) !== undefined,
    ...costs,
  };
}

function define(path: string, at: number): Defined | undefined {
  const names = namesOf(path);
  const { module, span } = (names === undefined ? undefined : useAt(names, at))?.meaning ?? {};
  if (module === undefined || span === undefined) return undefined;
  const from = { path: module, from: span.start, to: span.end };
  const source = libraryText(module);
  return source === undefined ? from : { ...from, text: source };
}

const range = ({ start, end }: Span): Range => ({ from: start, to: end });

function places(path: string, at: number): Places | undefined {
  const names = namesOf(path);
  const use = names === undefined ? undefined : useAt(names, at);
  if (names === undefined || use === undefined) return undefined;
  return { name: use.meaning.name, places: placesIn(names, use.meaning).map(({ span }) => range(span)) };
}

/** Nothing else imports the text of the page, so that its own places are all. */
function renamed(
  asked: Extract<LanguageAsked, { ask: "renameable" | "rename" }>,
): LanguageAnswers["renameable" | "rename"] {
  const names = namesOf(mainPath);
  if (names === undefined) return { refused: "there is no text" };
  if (asked.ask === "renameable") {
    const found = renameable(names, asked.at);
    return "refused" in found ? found : { ...range(found.use.span), name: found.use.meaning.name };
  }
  const found = rename(names, asked.at, asked.to, [names], library);
  return "refused" in found ? found : { places: found.edits.map(({ span }) => range(span)) };
}

const outlined = ({ name, detail, nameSpan, children }: Entry, level: number): readonly Outlined[] => [
  { name, detail, level, ...range(nameSpan) },
  ...children.flatMap((child) => outlined(child, level + 1)),
];

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
