// Patterns of paths: `*` and `?` within a name, `**` for any folders, `{a,b}` for either. In: a pattern with
// forward slashes. Out: the fixed folder it starts in and a test for paths. Names that begin with a dot are matched only
// where the pattern spells the dot. Does not read folders.

export interface Glob {
  /** The part of the pattern before the first name with a wildcard: "", or a path without a slash at its end. */
  readonly folder: string;
  /** False for a plain path. */
  readonly wild: boolean;
  /** How many folders deep below `folder` a match can lie; Infinity with `**`. */
  readonly depth: number;
  matches(path: string): boolean;
}

/** Takes `./` and empty parts out of a path; keeps `..` and a leading slash. */
export function tidyPath(path: string): string {
  const parts = path.replaceAll("\\", "/").split("/");
  const kept = parts.filter((part, index) => part !== "." && (part !== "" || index === 0));
  return kept.join("/") || (path.startsWith("/") ? "/" : ".");
}

export function glob(pattern: string): Glob {
  const alternatives = expandBraces(tidyPath(pattern));
  const wild = alternatives.length > 1 || /[*?]/.test(alternatives[0]!);
  const fixed = sharedFolder(alternatives);
  const tests = alternatives.map((alternative) => new RegExp(`^${expression(alternative)}$`, "u"));
  const below = fixed === "" ? 0 : fixed === "/" ? 1 : fixed.split("/").length;
  const depth = Math.max(
    ...alternatives.map((text) => (text.includes("**") ? Infinity : text.split("/").length - below)),
  );
  return { folder: fixed, wild, depth, matches: (path) => tests.some((test) => test.test(path)) };
}

/** The folders that all alternatives begin with, up to the first wildcard. */
function sharedFolder(alternatives: readonly string[]): string {
  const split = alternatives.map((text) => text.split("/"));
  const first = split[0]!;
  let count = 0;
  while (
    count < first.length - 1 &&
    !/[*?]/.test(first[count]!) &&
    split.every((names) => names.length > count + 1 && names[count] === first[count])
  )
    count++;
  return first.slice(0, count).join("/") || (first[0] === "" ? "/" : "");
}

/** `a{b,c}` to `ab`, `ac`. Unbalanced braces are plain characters. */
function expandBraces(text: string): string[] {
  const match = /\{([^{}]*,[^{}]*)\}/.exec(text);
  if (match === null) return [text];
  const [whole, inside] = match;
  const before = text.slice(0, match.index);
  const after = text.slice(match.index + whole.length);
  return inside!.split(",").flatMap((choice) => expandBraces(before + choice + after));
}

function expression(pattern: string): string {
  const names = pattern.split("/");
  return names
    .map((name, index) => {
      const slash = index < names.length - 1 ? "/" : "";
      if (name === "**") return slash === "" ? "(?:(?!\\.)[^/]+/)*(?!\\.)[^/]+" : "(?:(?!\\.)[^/]+/)*";
      const start = /^[*?]/.test(name) ? "(?!\\.)" : "";
      return start + nameExpression(name) + slash;
    })
    .join("");
}

const nameExpression = (name: string): string =>
  name.replace(/\*+|[?\\^$.|+()[\]{}-]/g, (part) =>
    part.startsWith("*") ? "[^/]*" : part === "?" ? "[^/]" : part === "-" ? "-" : `\\${part}`,
  );
