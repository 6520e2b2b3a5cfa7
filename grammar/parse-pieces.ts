// Pieces: parsing a text again after an edit, for editors. In: versions of one module's text. Out: for each the same as `parse` gives; but
// declarations whose text is as it was are not read again, only moved. The text is cut where a line begins with a declaration's
// word outside of all brackets; whatever else stands between belongs to the piece before.

import type { IToken } from "chevrotain";
import { layOut, depthOf, type Layout } from "./layout.ts";
import { diagnosticLimit } from "./parse-base.ts";
import { moduleParser, type Parsed } from "./parse-modules.ts";
import { parseLayout, type Parse } from "./parse.ts";
import * as T from "./tokens.ts";

interface Piece {
  readonly start: number;
  readonly parsed: Parsed;
}

/** Remembers the pieces of the last text that it was given. */
export function pieceParser(): (text: string, module: string) => Parse {
  let before: ReadonlyMap<string, Piece> = new Map();
  return (text, module) =>
    parseLayout(layOut(text), text, module, (layout) => {
      const now = new Map<string, Piece>();
      const parts = cut(layout, text).map(({ tokens, start, key }) => {
        const whole = `${module}\n${key}`;
        const known = now.get(whole) ?? before.get(whole);
        const piece =
          known === undefined
            ? { start, parsed: moduleParser().read({ ...layout, tokens: [...tokens] }, text, module) }
            : { start, parsed: moved(known.parsed, start - known.start) };
        now.set(whole, piece);
        return piece.parsed;
      });
      before = now;
      const diagnostics = parts.flatMap((part) => part.diagnostics);
      // A text with so many errors is read to a certain point only, counted over all of it.
      if (diagnostics.length >= diagnosticLimit) return moduleParser().read(layout, text, module);
      return {
        imports: parts.flatMap((part) => part.imports),
        declarations: parts.flatMap((part) => part.declarations),
        diagnostics,
      };
    });
}

interface Cut {
  readonly tokens: readonly IToken[];
  readonly start: number;
  /** Everything that reading it depends on. */
  readonly key: string;
}

function cut({ tokens, docs, brackets }: Layout, text: string): readonly Cut[] {
  const starts = [0];
  tokens.forEach((token, i) => {
    if (i === 0 || depthOf(token) > 0 || tokens[i - 1]!.tokenType !== T.Newline) return;
    if (T.declarationWords.some((type) => type === token.tokenType)) starts.push(i);
  });
  return starts.map((from, piece) => {
    const to = starts[piece + 1] ?? tokens.length;
    const own = tokens.slice(from, to);
    const start = own[0]?.startOffset ?? 0;
    const end = tokens[to]?.startOffset ?? text.length;
    // Brackets that were put in or left out are not in the text.
    const mended =
      brackets.length === 0
        ? ""
        : own.map(({ startOffset, image }) => `${startOffset - start}${image}`).join(" ");
    // What comes last is read up to the end of the file, not of a line.
    const last = to === tokens.length ? "last" : "";
    return {
      tokens: own,
      start,
      key: `${last}\n${docs.get(start) ?? ""}\n${mended}\n${text.slice(start, end)}`,
    };
  });
}

/** A copy with every span moved. */
function moved<Part>(part: Part, by: number): Part {
  return by === 0 ? part : (move(part, by) as Part);
}

function move(value: unknown, by: number): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => move(each, by));
  const from = value as Readonly<Record<string, unknown>>;
  const out: Record<string, unknown> = {};
  for (const key in from) {
    const each = from[key];
    if (typeof each === "object") out[key] = move(each, by);
    else out[key] = typeof each === "number" && (key === "start" || key === "end") ? each + by : each;
  }
  return out;
}
