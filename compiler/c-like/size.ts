// Sizes as arithmetic of integers. In: a size and the language's words. Out: text with its tightness.

import { known, type Factor, type Size } from "../../runtime/size.ts";
import { unary, type Text } from "./text.ts";

export interface SizeWords {
  readonly integer: (value: number) => string;
  /** How the launch calls a symbolic size. */
  readonly symbol: (name: string) => string;
  /** The function that divides two sizes and rounds up or down. */
  readonly rounded: (up: boolean) => string;
}

export function printSize(words: SizeWords, size: Size): Text<"product" | "sum"> {
  const constant = known(size);
  if (constant !== undefined) return unary(words.integer(constant));
  const terms = size.map(({ coefficient, factors }): string => {
    const parts = factors.map((factor) => printFactor(words, factor));
    if (coefficient !== 1 || parts.length === 0) parts.unshift(words.integer(coefficient));
    return parts.join(" * ");
  });
  const alone = terms.length === 1 && size[0]!.coefficient === 1 && size[0]!.factors.length === 1;
  return { text: terms.join(" + "), level: alone ? "unary" : terms.length === 1 ? "product" : "sum" };
}

function printFactor(words: SizeWords, factor: Factor): string {
  if (typeof factor === "string") return words.symbol(factor);
  const [of, by] = [printSize(words, factor.of).text, printSize(words, factor.by).text];
  if (factor.fn === "min" || factor.fn === "max") return `${factor.fn}(${of}, ${by})`;
  return `${words.rounded(factor.fn === "ceil")}(${of}, ${by})`;
}
