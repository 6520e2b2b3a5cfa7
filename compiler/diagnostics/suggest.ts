// Did-you-mean. In: a name that was not found, the names that exist. Out: a help line with those that are near, or what else
// to do.

import { nearest } from "../../grammar/spelling.ts";

/** "did you mean `a` or `b`?", or what else to do when nothing is near. */
export function didYouMean(name: string, known: Iterable<string>, otherwise: string): string {
  const near = nearest(name, known).map((each) => `\`${each}\``);
  if (near.length === 0) return otherwise;
  const last = near.pop()!;
  return `did you mean ${near.length === 0 ? last : `${near.join(", ")} or ${last}`}?`;
}
