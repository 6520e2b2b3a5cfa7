// Spelling: the word that was probably meant. In: a word and the words that would fit. Out: at most three, nearest first,
// none further away than a third of the word's length; wrong capitals cost nothing, two letters in each other's place
// cost one.

import { distance } from "fastest-levenshtein";

export function nearest(word: string, candidates: Iterable<string>): readonly string[] {
  const limit = Math.max(1, Math.floor(word.length / 3));
  const lower = word.toLowerCase();
  return [...new Set(candidates)]
    .map((candidate) => ({ candidate, far: editsBetween(lower, candidate.toLowerCase()) }))
    .filter(({ candidate, far }) => far <= limit && far < candidate.length && candidate !== word)
    .sort((a, b) => a.far - b.far || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

function editsBetween(a: string, b: string): number {
  const edits = distance(a, b);
  if (edits !== 2 || a.length !== b.length) return edits;
  const at = [...a].findIndex((letter, i) => letter !== b[i]);
  return a[at] === b[at + 1] && a[at + 1] === b[at] ? 1 : 2;
}
