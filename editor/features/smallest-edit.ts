// Smallest edit: one replacement that makes one text out of another. In: both texts. Out: what is replaced, by what.

/** What is the same at both ends stays untouched, so that the cursor stays where it is. */
export function smallestEdit(before: string, after: string): { start: number; end: number; insert: string } {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start += 1;
  // A line break of two characters is not cut in half.
  if (before[start - 1] === "\r") start -= 1;
  let end = 0;
  const most = Math.min(before.length, after.length) - start;
  while (end < most && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1;
  if (end > 0 && before[before.length - end] === "\n" && before[before.length - end - 1] === "\r") end -= 1;
  return { start, end: before.length - end, insert: after.slice(start, after.length - end) };
}
