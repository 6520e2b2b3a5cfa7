// Spelling: the word that was probably meant. In: a word and the words that would fit. Out: at most three, nearest first,
// none further away than a third of the word's length.

import { distance } from "fastest-levenshtein";

export function nearest(word: string, candidates: Iterable<string>): readonly string[] {
  const limit = Math.max(1, Math.floor(word.length / 3));
  return [...new Set(candidates)]
    .map((candidate) => ({ candidate, far: distance(word, candidate) }))
    .filter(({ candidate, far }) => far <= limit && far < candidate.length && candidate !== word)
    .sort((a, b) => a.far - b.far || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}
