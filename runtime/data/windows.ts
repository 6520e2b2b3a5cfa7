// Which stretch of a token store is example number i. The store is cut in a few equal blocks; the first part of each is
// for training, its tail is held out: both see the beginning, the middle and the end of the corpus, and no held-out
// window shares a token with a training window. Lengths: T tokens a window and one more, the last target.

import type { Key } from "../random-stream.ts";
import { permuted } from "../random-stream.ts";
import { threefry } from "../random.ts";

interface Segment {
  readonly start: number;
  /** Windows of one epoch. */
  readonly windows: number;
  /** Windows of segments before this. */
  readonly before: number;
  /** An epoch's windows begin 0..shift tokens after `start`. */
  readonly shift: number;
}

export interface Windows {
  readonly examples: number;
  /** Where window `at` of an epoch begins. */
  start(at: number, epoch: number): number;
}

/** `undefined` when not even one window for each part fits. */
export function splitWindows(
  tokens: number,
  length: number,
  holdOut: number,
  key: Key,
): { readonly train: Windows; readonly held: Windows } | undefined {
  const window = length + 1;
  if (holdOut <= 0) {
    if (tokens < window) return undefined;
    return { train: shuffled(segments([[0, tokens]], length, true), length, key), held: inOrder([]) };
  }
  if (tokens < 2 * window) return undefined;
  // Each tail should hold several windows, else so many blocks would waste tokens at their borders.
  const blocks = Math.max(1, Math.min(16, Math.floor((tokens * holdOut) / (8 * window))));
  const trainParts: [number, number][] = [];
  const heldParts: [number, number][] = [];
  for (let block = 0; block < blocks; block++) {
    const start = Math.floor((tokens * block) / blocks);
    const end = Math.floor((tokens * (block + 1)) / blocks);
    const tail = Math.min(end - start - window, Math.max(window, Math.round((end - start) * holdOut)));
    trainParts.push([start, end - tail]);
    heldParts.push([end - tail, end]);
  }
  return {
    train: shuffled(segments(trainParts, length, true), length, key),
    held: inOrder(segments(heldParts, length, false), length),
  };
}

function segments(parts: readonly [number, number][], length: number, moving: boolean): Segment[] {
  let before = 0;
  return parts.map(([start, end]) => {
    const whole = Math.floor((end - start - 1) / length);
    // Long enough parts give up one window, so that each epoch can cut at other places.
    const windows = moving && whole >= 8 ? whole - 1 : whole;
    const shift = moving ? Math.min(length - 1, end - start - 1 - windows * length) : 0;
    const segment = { start, windows, before, shift };
    before += windows;
    return segment;
  });
}

const count = (list: readonly Segment[]): number => list.reduce((sum, { windows }) => sum + windows, 0);

function segmentOf(list: readonly Segment[], at: number): number {
  let low = 0;
  let high = list.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (list[middle]!.before <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

function shuffled(list: readonly Segment[], length: number, key: Key): Windows {
  const examples = count(list);
  return {
    examples,
    start(at, epoch) {
      const place = permuted(at, examples, key, epoch);
      const index = segmentOf(list, place);
      const { start, before, shift } = list[index]!;
      // The highest bit keeps these words apart from those of the permutation.
      const moved = threefry(key[0], key[1], index, (epoch | 0x80000000) >>> 0)[0] % (shift + 1);
      return start + moved + (place - before) * length;
    },
  };
}

function inOrder(list: readonly Segment[], length = 0): Windows {
  return {
    examples: count(list),
    start(at) {
      const { start, before } = list[segmentOf(list, at)]!;
      return start + (at - before) * length;
    },
  };
}
