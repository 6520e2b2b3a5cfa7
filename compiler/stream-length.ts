// How large things are where sequences are long: what is decided about large tiles must hold there.
// In: sizes. Out: numbers.

import type { Node } from "./graph.ts";
import { evaluate, known, namesOf } from "../runtime/size.ts";
import type { Size } from "../runtime/size.ts";

/** Names stand for a long sequence here: what is decided must hold where the tiles are large. */
export const long = 512;

const estimates = new WeakMap<Size, number>();
export function estimateLong(size: Size): number {
  const value = known(size);
  if (value !== undefined) return value;
  let found = estimates.get(size);
  if (found === undefined) {
    const names = Object.fromEntries([...namesOf(size)].map((name) => [name, long]));
    estimates.set(size, (found = Math.max(1, evaluate(size, names))));
  }
  return found;
}

export const elementsLong = ({ shape }: Pick<Node, "shape">): number =>
  shape.reduce((count, { size }) => count * estimateLong(size), 1);
