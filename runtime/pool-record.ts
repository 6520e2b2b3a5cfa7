// Layout of what threads share: control words, and one record per dispatch. In 32-bit words; whatever threads write at the
// same time as others read has a cache line of its own.

import type { PoolWords } from "./pool-worker.ts";

/** Words of a cache line. */
export const line = 16;
export const words: PoolWords = {
  ready: 0,
  open: line,
  active: 2 * line,
  sleepers: 3 * line,
  waiting: 4 * line,
  failed: 5 * line,
  quit: 6 * line,
  record: {
    next: 0,
    done: line,
    id: line + 1,
    kernel: line + 2,
    grid: line + 3,
    chunk: line + 4,
    count: line + 5,
    args: line + 6,
  },
};
export const { record } = words;

/** Words of a record with so many arguments, in whole cache lines. */
export const recordWords = (count: number): number => Math.ceil((record.args + count) / line) * line;
/** Bytes of records that a list of dispatches needs at most; `counts` are their numbers of arguments. */
export const tapeBytes = (counts: readonly number[]): number =>
  counts.reduce((bytes, count) => bytes + 4 * recordWords(count), 0);
