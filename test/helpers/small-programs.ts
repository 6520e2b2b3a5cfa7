// Every program that there is to test with: the examples, made small, and those of test/programs. Between them they have every definition
// of the standard library. In: nothing. Out: names, texts, and sizes that an interpreter has the time for.

import { readdirSync, readFileSync } from "node:fs";
import type { PlannedModel } from "../../compiler/compile.ts";
import type { Sizes } from "../../runtime/size.ts";

export interface SmallProgram {
  /** `examples/book/book`, `programs/chain`. */
  readonly name: string;
  readonly text: string;
  /** Of the batch; T counts where the program has one. */
  readonly sizes: { readonly B: number; readonly T: number };
}

/** Those that the program has. */
export const sizesOf = ({ program }: Pick<PlannedModel, "program">, { sizes }: SmallProgram): Sizes =>
  program.sizes.some(({ name }) => name === "T") ? sizes : { B: sizes.B };

/** Widths and vocabularies that an interpreter in double precision has the time for. */
const smaller: readonly (readonly [RegExp, string])[] = [
  [/dim D = (32|128)\b/g, "dim D = 8"],
  [/dim D = 48\b/g, "dim D = 24"],
  [/dim D = 64\b/g, "dim D = 16"],
  [/dim F = 12\b/g, "dim F = 3"],
  [/vocab = (256|512)\b/g, "vocab = 19"],
  [/\[256, D\]/g, "[19, D]"],
  [/\[D, 256\]/g, "[D, 19]"],
  [/\(D, 256,/g, "(D, 19,"],
  [/dim V = 256/g, "dim V = 19"],
  [/repeat 4 \{/g, "repeat 2 {"],
  [/heads = 4/g, "heads = 2"],
  // Heads that have hardly anything in common: what cancels in f32 to a last digit of its terms, ten times.
  [/10 \* Diversity/g, "Diversity"],
];

/** Of two examples all that is left of what a batch normalises is their order. */
const rows = (text: string): number => (/BatchNorm|Correlation|Diversity|GroupedTasks/.test(text) ? 6 : 2);

function textsIn(folder: string): (readonly [name: string, text: string])[] {
  const place = new URL(`../../${folder}/`, import.meta.url);
  return readdirSync(place, { recursive: true, encoding: "utf8" })
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".moe") && !/(^|\/)(node_modules|runs|dist)\//.test(name))
    .sort()
    .map((name) => [name.replace(/\.moe$/, ""), readFileSync(new URL(name, place), "utf8")]);
}

export const smallExamples = (): readonly SmallProgram[] =>
  textsIn("examples").map(([name, whole]) => {
    const text = smaller.reduce((t, [from, to]) => t.replaceAll(from, to), whole);
    return { name: `examples/${name}`, text, sizes: { B: rows(text), T: 5 } };
  });

export const testPrograms = (): readonly SmallProgram[] =>
  textsIn("test/programs").map(([name, text]) => ({
    name: `programs/${name}`,
    text,
    sizes: text.includes("tokens(") ? { B: 2, T: 3 } : { B: 4, T: 3 },
  }));

export const smallPrograms = (): readonly SmallProgram[] => [...testPrograms(), ...smallExamples()];
