// Did-you-mean. In: a name that was not found, the names that exist. Out: at most three that are near, nearest first, and
// the help line made from them. Near: an edit distance of at most a third of the name.

import { distance } from "fastest-levenshtein";

export function suggestions(name: string, known: Iterable<string>): readonly string[] {
  const limit = Math.max(1, Math.floor(name.length / 3));
  const lower = name.toLowerCase();
  return [...new Set(known)]
    .filter((each) => each !== name)
    .map((each) => ({ each, far: Math.min(distance(name, each), distance(lower, each.toLowerCase())) }))
    .filter(({ far }) => far <= limit)
    .sort((a, b) => a.far - b.far || (a.each < b.each ? -1 : 1))
    .slice(0, 3)
    .map(({ each }) => each);
}

/** "did you mean `a` or `b`?", or what else to do when nothing is near. */
export function didYouMean(name: string, known: Iterable<string>, otherwise: string): string {
  const near = suggestions(name, known).map((each) => `\`${each}\``);
  if (near.length === 0) return otherwise;
  const last = near.pop()!;
  return `did you mean ${near.length === 0 ? last : `${near.join(", ")} or ${last}`}?`;
}
