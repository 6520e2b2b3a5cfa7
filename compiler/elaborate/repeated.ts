// Which names a body makes more than once: those get an index in the paths of parameters (`block.0`, `block.1`), the others
// do not. In: a definition. Out: names in lower case. An over-estimate from the text alone, so that paths do not depend on
// which branches are taken.

import type { Definition, Statement } from "../../grammar/syntax.ts";

const known = new WeakMap<Definition, ReadonlySet<string>>();

export function repeatedNames(definition: Definition): ReadonlySet<string> {
  const before = known.get(definition);
  if (before !== undefined) return before;
  const counts = new Map<string, number>();
  const count = (name: string, times: number): void => {
    const base = name.toLowerCase();
    counts.set(base, (counts.get(base) ?? 0) + times);
  };
  const names = (value: unknown, times: number): void => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) return value.forEach((each) => names(each, times));
    const node = value as { readonly node?: unknown; readonly text?: unknown };
    if (node.node === "name" && typeof node.text === "string") count(node.text, times);
    Object.values(value).forEach((each) => names(each, times));
  };
  const statements = (list: readonly Statement[], times: number): void => {
    for (const statement of list) {
      if (statement.node === "repeat") {
        names(statement.count, times);
        statements(statement.body, 2);
      } else if (statement.node === "if") {
        statements(statement.then, times);
        statements(statement.otherwise, times);
      } else if (statement.node === "param" || statement.node === "state") {
        count(statement.name.text, times);
      } else if (statement.node === "bind") {
        // A name that something is bound to: the binding and its uses are one thing.
        names(statement.value, times);
        if (times > 1) count(statement.name.text, times);
      } else if (statement.node !== "after") names(Object.values(statement), times);
    }
  };
  statements(definition.body, 1);
  // A name used twice as a value is no second thing: only names that are applied where they are written count, and those are
  // names of definitions, which start with a capital letter or are bound once.
  const bound = new Map<string, number>();
  const bindings = (list: readonly Statement[], times: number): void => {
    for (const statement of list) {
      if (statement.node === "bind" || statement.node === "param" || statement.node === "state")
        bound.set(statement.name.text.toLowerCase(), (bound.get(statement.name.text.toLowerCase()) ?? 0) + times);
      else if (statement.node === "repeat") bindings(statement.body, 2);
      else if (statement.node === "if") {
        bindings(statement.then, times);
        bindings(statement.otherwise, times);
      }
    }
  };
  bindings(definition.body, 1);
  const repeated = new Set<string>();
  for (const [name, times] of counts) if (times > 1 && !bound.has(name)) repeated.add(name);
  for (const [name, times] of bound) if (times > 1) repeated.add(name);
  known.set(definition, repeated);
  return repeated;
}
