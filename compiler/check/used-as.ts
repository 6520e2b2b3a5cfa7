// What a static without a default is, while nobody has given it: by the places where its name stands in the body, from the text
// alone. In: a definition, and the name of one of its statics. Out: a definition where it is called, pooled or routes; a truth
// value where it decides; else a number.

import type { Definition, Expression, Statement } from "../../grammar/syntax.ts";

export type Use = "definition" | "truth" | "number";

export function usedAs(definition: Definition, name: string): Use {
  let found: Use = "number";
  /** A place that wants `use`: the name may stand there behind parentheses, a choice, a count, or `and`, `or`, `not`. */
  const place = (expression: Expression, use: Use): void => {
    switch (expression.node) {
      case "name":
        if (expression.text === name) found = use;
        return;
      case "group":
        return place(expression.inner, use);
      case "if":
        return [expression.then, expression.otherwise].forEach((branch) => place(branch, use));
      case "unary":
        if (expression.operator === "not") place(expression.operand, "truth");
        return;
      case "binary": {
        const { operator, left, right } = expression;
        if (operator === "and" || operator === "or")
          return [left, right].forEach((each) => place(each, "truth"));
        if (use === "definition" && operator === "*") return place(left, use);
        if (use === "definition" && operator === "+") [left, right].forEach((each) => place(each, use));
        return;
      }
      default:
    }
  };
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) return value.forEach(visit);
    const node = value as Expression | Statement;
    switch (node.node) {
      case "call":
      case "configure":
        place(node.callee, "definition");
        break;
      case "shared":
      case "routed":
        place(node.pool, "definition");
        break;
      case "router":
      case "by":
        place(node.router, "definition");
        break;
      case "if":
        place(node.condition, "truth");
        break;
      case "unary":
      case "binary":
        place(node, "number");
        break;
      default:
    }
    Object.values(node).forEach(visit);
  };
  visit(definition.inputs.map(({ value }) => value));
  visit(definition.body);
  return found;
}
