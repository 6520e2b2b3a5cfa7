// What sizes come to when a model is trained by its recipe, or decoded token by token: numbers that are wrong there are told before
// anything runs. In: a number with symbolic sizes. Out: its value, or undefined where nothing says how large a batch is.

import type { Training } from "../../runtime/program.ts";
import { evaluate, namesOf, type Sizes } from "../../runtime/size.ts";
import type { Elaboration } from "./elaboration.ts";
import type { NumberValue } from "./value.ts";

export type RecipeSizes = Pick<Training, "batch" | "length">;

export function inRecipe(of: Elaboration, { poly }: NumberValue): number | undefined {
  if (poly === undefined) return undefined;
  const sizes: Record<string, number> = {};
  if (of.decode !== undefined) for (const name of of.lengths) sizes[name] = 1;
  else if (of.recipe !== undefined) {
    sizes["B"] = of.recipe.batch;
    if (of.recipe.length !== undefined) for (const name of of.lengths) sizes[name] = of.recipe.length;
  }
  return [...namesOf(poly)].every((name) => name in sizes)
    ? evaluate(poly, sizes satisfies Sizes)
    : undefined;
}

/** "in a batch of 16 of 256" */
export const batchInWords = ({ recipe }: Elaboration): string =>
  recipe === undefined
    ? ""
    : ` in a batch of ${recipe.batch}${recipe.length === undefined ? "" : ` of ${recipe.length}`}`;
