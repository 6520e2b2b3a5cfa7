// Patterns of parameter names: `*` stands for any text. `embed*`, `*.router.*`.

/**
 * What each `*` stands for, the first as much as it can; undefined when the name does not match. From the end: where every part
 * lies as far right as it can, the first star has the most, then the second. No regular expression, which tries all ways.
 */
export function capture(pattern: string, name: string): readonly string[] | undefined {
  const [first = "", ...parts] = pattern.split("*");
  if (parts.length === 0) return name === first ? [] : undefined;
  if (!name.startsWith(first)) return undefined;
  const places = parts.map(() => 0);
  let end = name.length;
  for (let i = parts.length - 1; i >= 0; i--) {
    const part = parts[i]!;
    const furthest = end - part.length;
    if (furthest < first.length) return undefined;
    const at = name.lastIndexOf(part, furthest);
    const ends = i === parts.length - 1;
    if (at < first.length || (ends && at !== furthest)) return undefined;
    places[i] = end = at;
  }
  return places.map((at, i) =>
    name.slice(i === 0 ? first.length : places[i - 1]! + parts[i - 1]!.length, at),
  );
}

export const matchesPattern = (pattern: string, name: string): boolean =>
  capture(pattern, name) !== undefined;

export const stars = (pattern: string): number => pattern.split("*").length - 1;

/** The name that a pattern is once its stars stand for these texts, in order. */
export function fill(pattern: string, texts: readonly string[]): string {
  const [first = "", ...rest] = pattern.split("*");
  return rest.reduce((name, part, i) => name + (texts[i] ?? "") + part, first);
}
