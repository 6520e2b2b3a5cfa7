// Pieces of an array as one.

import type { Values } from "./session-values.ts";

export const joinedBytes = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> =>
  filled(new Uint8Array(lengthOf(parts)), parts);

/** All of one class, that of the first. */
export const joinedNumbers = <T extends Values>(parts: readonly T[]): T =>
  filled(
    (parts[0] instanceof Float32Array
      ? new Float32Array(lengthOf(parts))
      : new Int32Array(lengthOf(parts))) as T,
    parts,
  );

const lengthOf = (parts: readonly { readonly length: number }[]): number =>
  parts.reduce((sum, { length }) => sum + length, 0);

function filled<T extends { set(part: ArrayLike<number>, at: number): void }>(
  whole: T,
  parts: readonly ArrayLike<number>[],
): T {
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
