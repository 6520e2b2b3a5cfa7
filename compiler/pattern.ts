// Patterns of parameter names: `*` stands for any text. `embed*`, `*.router.*`.

/** What each `*` stands for, the first as much as it can; undefined when the name does not match. */
export function capture(pattern: string, name: string): readonly string[] | undefined {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[\\^$.|?+()[\]{}]/g, "\\$&"));
  return new RegExp(`^${parts.join("(.*)")}$`).exec(name)?.slice(1);
}

export const matchesPattern = (pattern: string, name: string): boolean =>
  capture(pattern, name) !== undefined;

export const stars = (pattern: string): number => pattern.split("*").length - 1;

/** The name that a pattern is once its stars stand for these texts, in order. */
export function fill(pattern: string, texts: readonly string[]): string {
  const [first = "", ...rest] = pattern.split("*");
  return rest.reduce((name, part, i) => name + (texts[i] ?? "") + part, first);
}
