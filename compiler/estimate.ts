// Estimates: sizes as numbers where a decision must be made before they are known. In: sizes, shapes. Out: numbers.

import type { Shape } from "./graph.ts";
import { evaluate, known, namesOf, type Size } from "../runtime/size.ts";

/** What a symbolic size counts as in estimates. */
export const nominal = 64;
const estimates = new WeakMap<Size, number>();
export function estimate(size: Size): number {
  const value = known(size);
  if (value !== undefined) return value;
  let found = estimates.get(size);
  if (found === undefined) {
    const names = Object.fromEntries([...namesOf(size)].map((name) => [name, nominal]));
    estimates.set(size, (found = Math.max(1, evaluate(size, names))));
  }
  return found;
}
export const elements = (shape: Shape): number =>
  shape.reduce((count, axis) => count * estimate(axis.size), 1);
