// Whether two pieces of plain data are equal, part by part. Time follows the number of distinct objects, not the size of
// the printed text: expressions share parts, and a pair that was found equal is not looked at again.
// In: plain data. Out: yes or no; properties that are undefined count as absent.

type Equal = Map<object, object>;

export const sameData = (a: unknown, b: unknown): boolean => same(a, b, new Map());

function same(a: unknown, b: unknown, equal: Equal): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (equal.get(a) === b) return true;
  const are = Array.isArray(a) ? Array.isArray(b) && sameArrays(a, b, equal) : sameRecords(a, b, equal);
  if (are) equal.set(a, b);
  return are;
}

const sameArrays = (a: readonly unknown[], b: readonly unknown[], equal: Equal): boolean =>
  a.length === b.length && a.every((part, i) => same(part, b[i], equal));

function sameRecords(a: object, b: object, equal: Equal): boolean {
  if (Array.isArray(b)) return false;
  const [x, y] = [a as Readonly<Record<string, unknown>>, b as Readonly<Record<string, unknown>>];
  for (const name in x) if (!same(x[name], y[name], equal)) return false;
  for (const name in y) if (y[name] !== undefined && !(name in x)) return false;
  return true;
}
