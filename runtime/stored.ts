// Where the values of a tensor lie on a device: in itself, in a copy of half width, or in both. In: what a session holds, values. Out:
// the places that writing a tensor fills, and what goes there; what it is now is read from the first of them.

import { heldIn, isHalf, narrowed, type Held } from "./halves.ts";
import type { Copy, Program, Tensor } from "./program.ts";
import type { Values } from "./session-values.ts";

export type Stored = Tensor | Copy;

/** All that dispatches can bind by a tensor's name. */
export const storedIn = (program: Program): readonly Stored[] => [
  ...program.tensors,
  ...(program.copies ?? []),
];

export const elementsOf = ({ shape }: Stored): number => shape.reduce((a, b) => a * b, 1);

/** By name of tensor, itself first. */
export function placesOf(memory: readonly Stored[]): ReadonlyMap<string, readonly Stored[]> {
  const places = new Map<string, Stored[]>();
  for (const stored of memory) {
    const name = "of" in stored ? stored.of : stored.name;
    const known = places.get(name);
    if (known === undefined) places.set(name, [stored]);
    else known.push(stored);
  }
  return places;
}

/** Values as a place holds them; the same array where they already are that. Shared memory is left. */
export function valuesFor({ type }: Stored, values: ArrayLike<number>): Held {
  const numbers = readable(type === "i32" ? Int32Array : Float32Array, values);
  return isHalf(type) ? narrowed(type, numbers as Float32Array) : numbers;
}

function readable(kind: Float32ArrayConstructor | Int32ArrayConstructor, values: ArrayLike<number>): Values {
  return values instanceof kind && values.buffer instanceof ArrayBuffer ? values : kind.from(values);
}

/** The same with zeros behind it, where it is no whole number of words. */
export function padded(held: Held): Held {
  if (held.byteLength % 4 === 0) return held;
  const longer = heldIn("f16", held.length + 1);
  longer.set(held);
  return longer;
}
