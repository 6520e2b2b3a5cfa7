// Interning: plain data -> a number, equal for equal data. Time and memory follow the number of distinct objects, not
// the size of the printed text, so that expressions which share parts (kernels do) stay cheap.
// Properties count in the order in which they were written; those that are undefined count as absent.

/** A function that gives equal plain data the same number. Numbers of two interners do not compare. */
export function interner(): (value: unknown) => number {
  const keys = new Map<string, number>();
  const seen = new Map<object, number>();
  const textOf = (value: unknown): string => {
    if (typeof value === "number") return Object.is(value, -0) ? "-0" : `${value}`;
    // Strings here are names and operators: a tick before them keeps them apart from numbers.
    if (typeof value === "string") return `'${value.length}${value}`;
    if (typeof value === "object" && value !== null) return `#${intern(value)}`;
    return String(value);
  };
  const intern = (value: object): number => {
    const before = seen.get(value);
    if (before !== undefined) return before;
    let text: string;
    if (Array.isArray(value)) {
      text = "[";
      for (const part of value) text += `${textOf(part)},`;
    } else {
      text = "{";
      for (const name in value) {
        const part = (value as Record<string, unknown>)[name];
        if (part !== undefined) text += `${name}:${textOf(part)},`;
      }
    }
    let key = keys.get(text);
    if (key === undefined) keys.set(text, (key = keys.size));
    seen.set(value, key);
    return key;
  };
  return (value) => (typeof value === "object" && value !== null ? intern(value) : scalar(value));
  function scalar(value: unknown): number {
    return intern([value]);
  }
}
