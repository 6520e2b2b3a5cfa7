// Interning: plain data -> a short key, equal for equal data. Time and memory follow the number of distinct objects, not
// the size of the printed text, so that expressions which share parts (kernels do) stay cheap.
// The order of properties does not count; properties that are undefined count as absent.

/** A function that gives equal plain data the same key. Keys of two interners do not compare. */
export function interner(): (value: unknown) => string {
  const keys = new Map<string, string>();
  const seen = new Map<object, string>();
  const intern = (value: unknown): string => {
    if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
    if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
    const before = seen.get(value);
    if (before !== undefined) return before;
    const text = Array.isArray(value)
      ? `[${value.map(intern).join(",")}]`
      : `{${Object.entries(value)
          .filter(([, part]) => part !== undefined)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, part]) => `${name}:${intern(part)}`)
          .join(",")}}`;
    let key = keys.get(text);
    if (key === undefined) keys.set(text, (key = `#${keys.size}`));
    seen.set(value, key);
    return key;
  };
  return intern;
}
