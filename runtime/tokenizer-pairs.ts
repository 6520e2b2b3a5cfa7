// Byte-pair tokens (Gage 1994; Sennrich, Haddow, Birch 2016; over bytes as in GPT-2): trained on a corpus, deterministic.
// Ids 0 to 255 are bytes, 256 is the end of a document, 257 and up are merged pairs. Text is first cut in pieces (words
// with the space before them, numbers, signs, spaces); merges never cross pieces. Does not read files.

import { decodeAll, type Tokenizer } from "./tokenizer.ts";

type Merge = readonly [number, number];

export const firstMerged = 257;
const endOfDocument = 256;

/** Runs are cut at 32 characters, so that text without spaces stays within bounds. */
const piecePattern = / ?\p{L}{1,32}| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]{1,32}|\s{1,32}(?!\S)|\s{1,32}/gu;

/** Cuts a stream of text in pieces, the same ones however the stream is cut. */
export function pieceCutter(use: (piece: string) => void): { push(text: string): void; finish(): void } {
  let rest = "";
  return {
    push(text) {
      const pieces = (rest + text).match(piecePattern) ?? [];
      // The last piece may go on in the next text; those before it are settled by what follows them.
      rest = pieces.pop() ?? "";
      pieces.forEach(use);
    },
    finish() {
      for (const piece of rest.match(piecePattern) ?? []) use(piece);
      rest = "";
    },
  };
}

/** A pair of tokens as one number: vocabularies stay below 2^21. */
const pairKey = (left: number, right: number): number => left * 2 ** 21 + right;

/** Counts how often each piece occurs. Very rare ones are forgotten when there are millions. */
export function pieceCounter(): { add(piece: string): void; readonly counts: ReadonlyMap<string, number> } {
  const counts = new Map<string, number>();
  let limit = 4_000_000;
  return {
    counts,
    add(piece) {
      counts.set(piece, (counts.get(piece) ?? 0) + 1);
      if (counts.size <= limit) return;
      for (const [key, count] of counts) if (count === 1) counts.delete(key);
      limit = Math.max(limit, 2 * counts.size);
    },
  };
}

/**
 * Merges for a vocabulary of `vocabulary` ids: again and again the most frequent pair (of equals the one with the lowest
 * ids) becomes a token; ends early when no pair occurs twice.
 */
export function trainPairs(counts: ReadonlyMap<string, number>, vocabulary: number): Merge[] {
  const encoder = new TextEncoder();
  const words: number[][] = [];
  const weights: number[] = [];
  for (const [piece, count] of counts) {
    words.push(Array.from(encoder.encode(piece)));
    weights.push(count);
  }
  const pairs = new Map<number, { count: number; words: number[] }>();
  const change = (left: number, right: number, word: number, by: number): number => {
    const key = pairKey(left, right);
    let pair = pairs.get(key);
    if (pair === undefined) pairs.set(key, (pair = { count: 0, words: [] }));
    pair.count += by;
    // A word is listed again and again; visiting it twice does no harm.
    if (by > 0 && pair.words.at(-1) !== word) pair.words.push(word);
    return key;
  };
  words.forEach((word, index) => {
    for (let i = 0; i + 1 < word.length; i++) change(word[i]!, word[i + 1]!, index, weights[index]!);
  });
  const heap = new PairHeap();
  for (const [key, { count }] of pairs) heap.push(count, key);

  const merges: Merge[] = [];
  while (firstMerged + merges.length < vocabulary) {
    const top = heap.pop();
    if (top === undefined) break;
    const pair = pairs.get(top.key)!;
    if (pair.count !== top.count) {
      // Stale: it was pushed again when its count rose; where it fell, now.
      if (pair.count < top.count && pair.count > 1) heap.push(pair.count, top.key);
      continue;
    }
    if (pair.count < 2) break;
    const left = Math.floor(top.key / 2 ** 21);
    const right = top.key % 2 ** 21;
    const merged = firstMerged + merges.length;
    merges.push([left, right]);
    const touched = new Set<number>();
    for (const index of pair.words) {
      const word = words[index]!;
      const weight = weights[index]!;
      for (let i = 0; i + 1 < word.length; i++) {
        if (word[i] !== left || word[i + 1] !== right) continue;
        if (i > 0) {
          change(word[i - 1]!, left, index, -weight);
          touched.add(change(word[i - 1]!, merged, index, weight));
        }
        if (i + 2 < word.length) {
          change(right, word[i + 2]!, index, -weight);
          touched.add(change(merged, word[i + 2]!, index, weight));
        }
        word.splice(i, 2, merged);
      }
    }
    pairs.delete(top.key);
    for (const key of touched) {
      const count = pairs.get(key)?.count ?? 0;
      if (count > 1) heap.push(count, key);
    }
  }
  return merges;
}

/** A binary heap: highest count first, of equal counts the lowest key. */
class PairHeap {
  private readonly counts: number[] = [];
  private readonly keys: number[] = [];

  push(count: number, key: number): void {
    let at = this.counts.length;
    this.counts.push(count);
    this.keys.push(key);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.before(at, parent)) return;
      this.swap(at, parent);
      at = parent;
    }
  }

  pop(): { count: number; key: number } | undefined {
    const last = this.counts.length - 1;
    if (last < 0) return undefined;
    this.swap(0, last);
    const top = { count: this.counts.pop()!, key: this.keys.pop()! };
    for (let at = 0; ;) {
      let first = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < last && this.before(child, first)) first = child;
      if (first === at) return top;
      this.swap(at, first);
      at = first;
    }
  }

  private before(a: number, b: number): boolean {
    const difference = this.counts[a]! - this.counts[b]!;
    return difference > 0 || (difference === 0 && this.keys[a]! < this.keys[b]!);
  }

  private swap(a: number, b: number): void {
    for (const list of [this.counts, this.keys]) [list[a], list[b]] = [list[b]!, list[a]!];
  }
}

export function pairsTokenizer(merges: readonly Merge[]): Tokenizer {
  const ranks = new Map(merges.map(([left, right], rank) => [pairKey(left, right), rank]));
  const nothing = new Uint8Array(0);
  const spelled: Uint8Array[] = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
  spelled.push(nothing);
  for (const [left, right] of merges) spelled.push(Uint8Array.of(...spelled[left]!, ...spelled[right]!));
  const encoder = new TextEncoder();
  const known = new Map<string, readonly number[]>();

  const encodePiece = (piece: string): readonly number[] => {
    const before = known.get(piece);
    if (before !== undefined) return before;
    const ids = Array.from(encoder.encode(piece));
    for (;;) {
      let best = Infinity;
      let at = -1;
      for (let i = 0; i + 1 < ids.length; i++) {
        const rank = ranks.get(pairKey(ids[i]!, ids[i + 1]!));
        if (rank !== undefined && rank < best) {
          best = rank;
          at = i;
        }
      }
      if (at < 0) break;
      ids.splice(at, 2, firstMerged + best);
    }
    if (known.size > 200_000) known.clear();
    known.set(piece, ids);
    return ids;
  };
  const bytes = (id: number): Uint8Array => spelled[id] ?? nothing;
  return {
    kind: "pairs",
    count: firstMerged + merges.length,
    end: endOfDocument,
    encode(text) {
      const out: number[] = [];
      const cutter = pieceCutter((piece) => {
        for (const id of encodePiece(piece)) out.push(id);
      });
      cutter.push(text);
      cutter.finish();
      return Int32Array.from(out);
    },
    decode: (ids) => decodeAll(ids, bytes),
    bytes,
    toJSON: () => ({ kind: "pairs", merges }),
  };
}
