// Which names a body makes more than once: those get an index in the paths of parameters (`block.0`, `block.1`), the others
// do not. In: a definition. Out: names in lower case. From the text alone, so that paths do not depend on branches taken.

import type { Definition, Expression, Statement } from "../../grammar/syntax.ts";

const known = new WeakMap<Definition, ReadonlySet<string>>();

/** The name at the head of a router that is written out, given statics, or applied: `TopK` of `TopK { k = 2 }(z)`. */
export function headOf(router: Expression): string | undefined {
  switch (router.node) {
    case "name":
      return router.text;
    case "group":
      return headOf(router.inner);
    case "call":
    case "configure":
      return headOf(router.callee);
    default:
      return undefined;
  }
}

export function repeatedNames(definition: Definition): ReadonlySet<string> {
  const before = known.get(definition);
  if (before !== undefined) return before;
  const bound = new Map<string, number>();
  const mentioned = new Map<string, number>();
  const local = localNames(definition);
  const count = (into: Map<string, number>, name: string, times: number): void => {
    const base = name.toLowerCase();
    into.set(base, (into.get(base) ?? 0) + times);
  };
  const mention = (value: unknown, times: number): void => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) return value.forEach((each) => mention(each, times));
    const node = value as { readonly node?: unknown; readonly text?: unknown };
    if (node.node === "name" && typeof node.text === "string") count(mentioned, node.text, times);
    // A `by` makes a router that is called so, whatever its definition or the static is called; what the body has bound keeps its name.
    if (node.node === "by") {
      const head = headOf((value as Extract<Expression, { node: "by" }>).router);
      if (head === undefined || !local.has(head)) count(mentioned, "router", times);
      if (head !== undefined && !local.has(head)) count(mentioned, head, -times);
    }
    Object.values(value).forEach((each) => mention(each, times));
  };
  const visit = (list: readonly Statement[], times: number): void => {
    for (const statement of list) {
      if (statement.node === "repeat") {
        visit(statement.body, 2);
        continue;
      }
      if (statement.node === "if") {
        visit(statement.then, times);
        visit(statement.otherwise, times);
        continue;
      }
      if (statement.node === "bind" || statement.node === "param" || statement.node === "state")
        count(bound, statement.name.text, times);
      mention(Object.values(statement), times);
    }
  };
  for (const { value } of definition.inputs) mention(value, 1);
  visit(definition.body, 1);
  const repeated = new Set<string>();
  for (const [name, times] of bound) if (times > 1) repeated.add(name);
  // A name that is bound is applied many times as one thing; a definition makes something new wherever it stands.
  for (const [name, times] of mentioned) if (times > 1 && !bound.has(name)) repeated.add(name);
  for (const node of ["shared", "routed"] as const)
    if (definition.body.filter((statement) => statement.node === node).length > 1) repeated.add(node);
  known.set(definition, repeated);
  return repeated;
}

/** Inputs, and what the body binds. */
function localNames({ inputs, body }: Definition): ReadonlySet<string> {
  const names = new Set(inputs.map(({ name }) => name.text));
  const visit = (list: readonly Statement[]): void => {
    for (const statement of list) {
      if (statement.node === "bind") names.add(statement.name.text);
      if (statement.node === "repeat") visit(statement.body);
      if (statement.node === "if") [statement.then, statement.otherwise].forEach(visit);
    }
  };
  visit(body);
  return names;
}
