// Entries of the standard library, as the gallery shows them. In: the texts of std. Out: for each definition its text, what its comment
// says, and which modules import it.

import { parse } from "../grammar/parse.ts";
import type { Definition } from "../grammar/syntax.ts";
import { stdlib } from "../stdlib/sources.ts";

export interface Comment {
  /** The first sentence, or two when the first is but a name. */
  readonly summary: string;
  /** Paragraphs of lines, without the source and the traps. */
  readonly about: readonly string[];
  readonly source?: string;
  /** The sentences after `Traps:`. */
  readonly traps: readonly string[];
}

export interface Entry {
  readonly name: string;
  readonly kind: Definition["kind"];
  /** `std.routers`. */
  readonly module: string;
  readonly definition: Definition;
  readonly comment: Comment;
  /** With its comment. */
  readonly text: string;
}

/** A paragraph ends at an empty line, and where a line begins with `Source:` or `Traps:`. */
export function readComment(lines: readonly string[]): Comment {
  const paragraphs: string[][] = [];
  let open = false;
  for (const line of lines) {
    const text = line.trim();
    const starts = /^(Source|Traps):/.test(text);
    if (text === "") open = false;
    else if (open && !starts) paragraphs.at(-1)!.push(text);
    else {
      paragraphs.push([text]);
      open = true;
    }
  }
  const of = (word: string): string[][] => paragraphs.filter(([first]) => first!.startsWith(`${word}:`));
  const rest = paragraphs.filter(([first]) => !/^(Source|Traps):/.test(first!));
  const without = (word: string, list: readonly string[]): string =>
    list
      .join(" ")
      .slice(word.length + 1)
      .trim();
  const [source] = of("Source");
  return {
    summary: firstSentence(rest[0]?.join(" ") ?? ""),
    about: rest.map((list) => list.join(" ")),
    ...(source === undefined ? {} : { source: without("Source", source) }),
    traps: of("Traps").flatMap((list) => trapsOf(without("Traps", list))),
  };
}

/** What goes wrong is listed sentence by sentence. */
const trapsOf = (text: string): string[] =>
  text
    .split(/(?<=\.)\s+(?=[A-Z])/)
    .filter((each) => each !== "")
    .map((each) => each.replace(/^[a-z](?=[a-z]* )/, (letter) => letter.toUpperCase()));

function firstSentence(text: string): string {
  const sentences = text.split(/(?<=[.])\s+(?=[A-Z`])/);
  const [first = "", second] = sentences;
  return first.length < 48 && second !== undefined ? `${first} ${second}` : first;
}

export const libraryEntries = (): readonly Entry[] =>
  Object.entries(stdlib).flatMap(([module, source]) => {
    const { declarations } = parse(source, module).module;
    return declarations.flatMap((each): Entry[] => {
      if (each.node !== "definition") return [];
      const { start, end } = each.span;
      const doc = each.doc?.split("\n") ?? [];
      return [
        {
          name: each.name.text,
          kind: each.kind,
          module,
          definition: each,
          comment: readComment(doc),
          text: source.slice(linesBefore(source, start, doc.length), end),
        },
      ];
    });
  });

/** Where the line begins that stands so many lines above a place. */
function linesBefore(source: string, at: number, lines: number): number {
  let start = source.lastIndexOf("\n", at - 1) + 1;
  for (let i = 0; i < lines; i++) start = source.lastIndexOf("\n", start - 2) + 1;
  return start;
}

/** Names that a module takes from the standard library. */
export const importedNames = (text: string): ReadonlySet<string> =>
  new Set(
    parse(text, "page.moe")
      .module.imports.filter(({ from }) => from.startsWith("std."))
      .flatMap(({ names }) => names.map((name) => name.text)),
  );
