// Streams of random words, and permutations, that are pure functions of a seed, a name and an index: nothing is stored,
// so any element can be made without those before it, and a resumed run continues where it stopped. All of it is
// threefry2x32-20 (`random.ts`); here it is only unrolled, so that tens of millions of words a second come out.

import { threefry } from "./random.ts";

export type Key = readonly [number, number];

/** 32 bits of a text (FNV-1a over the bytes of its UTF-16 units, then mixed): the name's part of a key. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The key of the stream `name` under a seed (any safe integer, negative ones too). */
export function streamKey(seed: number, name: string): Key {
  const high = Math.floor(seed / 2 ** 32) | 0;
  return [seed >>> 0, (hashText(name) ^ high) >>> 0];
}

/** Pairs of words from pair `first` on: words 2i and 2i + 1 are threefry(key, (first + i, stream)). Even length. */
export function fillRandom(words: Uint32Array, [k0, k1]: Key, first: number, stream: number): void {
  const k2 = k0 ^ k1 ^ 0x1bd11bda;
  for (let i = 0; i < words.length; i += 2) {
    let x = (first + (i >> 1) + k0) | 0;
    let y = (stream + k1) | 0;
    // prettier-ignore
    {
      x = (x + y) | 0; y = ((y << 13) | (y >>> 19)) ^ x;
      x = (x + y) | 0; y = ((y << 15) | (y >>> 17)) ^ x;
      x = (x + y) | 0; y = ((y << 26) | (y >>> 6)) ^ x;
      x = (x + y) | 0; y = ((y << 6) | (y >>> 26)) ^ x;
      x = (x + k1) | 0; y = (y + k2 + 1) | 0;
      x = (x + y) | 0; y = ((y << 17) | (y >>> 15)) ^ x;
      x = (x + y) | 0; y = ((y << 29) | (y >>> 3)) ^ x;
      x = (x + y) | 0; y = ((y << 16) | (y >>> 16)) ^ x;
      x = (x + y) | 0; y = ((y << 24) | (y >>> 8)) ^ x;
      x = (x + k2) | 0; y = (y + k0 + 2) | 0;
      x = (x + y) | 0; y = ((y << 13) | (y >>> 19)) ^ x;
      x = (x + y) | 0; y = ((y << 15) | (y >>> 17)) ^ x;
      x = (x + y) | 0; y = ((y << 26) | (y >>> 6)) ^ x;
      x = (x + y) | 0; y = ((y << 6) | (y >>> 26)) ^ x;
      x = (x + k0) | 0; y = (y + k1 + 3) | 0;
      x = (x + y) | 0; y = ((y << 17) | (y >>> 15)) ^ x;
      x = (x + y) | 0; y = ((y << 29) | (y >>> 3)) ^ x;
      x = (x + y) | 0; y = ((y << 16) | (y >>> 16)) ^ x;
      x = (x + y) | 0; y = ((y << 24) | (y >>> 8)) ^ x;
      x = (x + k1) | 0; y = (y + k2 + 4) | 0;
      x = (x + y) | 0; y = ((y << 13) | (y >>> 19)) ^ x;
      x = (x + y) | 0; y = ((y << 15) | (y >>> 17)) ^ x;
      x = (x + y) | 0; y = ((y << 26) | (y >>> 6)) ^ x;
      x = (x + y) | 0; y = ((y << 6) | (y >>> 26)) ^ x;
      x = (x + k2) | 0; y = (y + k0 + 5) | 0;
    }
    words[i] = x;
    words[i + 1] = y;
  }
}

/**
 * Where position `at` of 0..count-1 goes in the permutation that `key` and `round` choose: a Feistel network over the
 * next power of four, walked along its cycle until it lands inside. At most four steps on average.
 */
export function permuted(at: number, count: number, [k0, k1]: Key, round: number): number {
  if (count < 2) return at;
  let half = 1;
  while (4 ** half < count) half++;
  const size = 2 ** half;
  let value = at;
  do {
    let left = Math.floor(value / size);
    let right = value % size;
    for (let step = 0; step < 6; step++) {
      // Six rounds of a strong round function; `right` is below 2^27 for any count that a number can hold.
      const mixed = threefry(k0, k1, right, (round * 8 + step) >>> 0)[0] % size;
      [left, right] = [right, (left + mixed) % size];
    }
    value = left * size + right;
  } while (value >= count);
  return value;
}
