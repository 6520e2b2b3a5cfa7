// References and renaming: every place that means the same thing, in this module and in those that import it. In: names of the
// modules that are open or lie in the folder. Out: places; for a new name, edits, or the reason why it cannot be.

import { tokenise } from "../../grammar/tokens.ts";
import type { Span } from "../../grammar/syntax.ts";
import { exportsOf, type Library } from "./source.ts";
import { keyOf, useAt, type Meaning, type Names, type Use } from "./names.ts";

export interface PlaceIn {
  readonly module: string;
  readonly span: Span;
  readonly role: Use["role"];
}

/** `modules`: names of every module that may mean it. */
export function referencesTo(meaning: Meaning, modules: readonly Names[]): readonly PlaceIn[] {
  if (meaning.span === undefined) return [];
  const key = keyOf(meaning);
  return modules.flatMap(({ source, uses }) =>
    uses
      .filter((use) => use.meaning.span !== undefined && keyOf(use.meaning) === key)
      .map(({ span, role }) => ({ module: source.path, span, role })),
  );
}

/** In one module, of what is built in, too. */
export const placesIn = (names: Names, meaning: Meaning): readonly Pick<Use, "span" | "role">[] =>
  meaning.span === undefined
    ? names.uses.filter((use) => meaning.builtin !== undefined && use.meaning.builtin === meaning.builtin)
    : referencesTo(meaning, [names]);

export type Renaming =
  | { readonly edits: readonly { readonly module: string; readonly span: Span }[] }
  | { readonly refused: string };

/** What is renamed at a place, with the span that shows it; or why nothing can be. */
export function renameable(
  names: Names,
  offset: number,
): { readonly use: Use } | { readonly refused: string } {
  const use = useAt(names, offset);
  if (use === undefined) return { refused: "there is no name here" };
  const { meaning } = use;
  if (meaning.builtin !== undefined) return { refused: `\`${meaning.name}\` is built in` };
  if (meaning.kind === "module") return { refused: "a module's name is its path: move the file" };
  if (meaning.span === undefined || meaning.module === undefined)
    return { refused: `\`${meaning.name}\` is no name that a text declares` };
  if (meaning.module.startsWith("std."))
    return { refused: `\`${meaning.name}\` belongs to the standard library` };
  return { use };
}

export function rename(
  names: Names,
  offset: number,
  to: string,
  modules: readonly Names[],
  library: Library,
): Renaming {
  const found = renameable(names, offset);
  if ("refused" in found) return found;
  const { meaning } = found.use;
  const why = badName(to);
  if (why !== undefined) return { refused: why };
  if (meaning.name === "logits" && meaning.kind === "variable")
    return { refused: "`logits` is how a model's output is named" };
  const places = referencesTo(meaning, modules);
  for (const module of new Set(places.map((place) => place.module))) {
    const here = modules.find(({ source }) => source.path === module);
    if (here !== undefined && clashes(here, meaning, to, places, library))
      return { refused: `\`${to}\` already means something here` };
  }
  return { edits: places.map(({ module, span }) => ({ module, span })) };
}

/** Why a text cannot be a name. */
export function badName(text: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(text)) return `\`${text}\` is no name: letters, digits and \`_\``;
  const [token] = tokenise(text).tokens;
  const reserved = ["and", "or", "not", "if", "then", "else"].includes(token?.image ?? "");
  return reserved ? `\`${text}\` is a word of the language` : undefined;
}

/** Whether another thing of that name is in sight where this one is used. */
function clashes(
  { uses, scopes, source }: Names,
  meaning: Meaning,
  to: string,
  places: readonly PlaceIn[],
  library: Library,
): boolean {
  if (to === meaning.name) return false;
  const spans = places.filter(({ module }) => module === source.path).map(({ span }) => span);
  const touched = scopes.filter(({ span }) =>
    spans.some(({ start, end }) => span.start <= start && end <= span.end),
  );
  if (touched.some(({ names }) => names.has(to))) return true;
  const isTop = exportsOf(library.open(meaning.module!) ?? source).some(
    ({ name }) => name.text === meaning.name,
  );
  // A name that is bound in some body would hide the new one there.
  if (
    isTop &&
    scopes.some(
      ({ names, span }) =>
        names.has(to) && spans.some(({ start }) => span.start <= start && start < span.end),
    )
  )
    return true;
  return uses.some(
    (use) =>
      use.meaning.builtin !== undefined &&
      use.meaning.name === to &&
      touched.slice(1).some(({ span }) => span.start <= use.span.start && use.span.end <= span.end),
  );
}
