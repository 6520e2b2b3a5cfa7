// Walk: the expressions directly inside an expression, and how deep they go. Spans, names and options' names are not
// expressions; the axes of a type are.

import type { Expression } from "./syntax.ts";

export function childrenOf(expression: Expression): readonly Expression[] {
  switch (expression.node) {
    case "number":
    case "string":
    case "name":
    case "broken":
      return [];
    case "list":
      return expression.items;
    case "unary":
      return [expression.operand];
    case "binary":
      return [expression.left, expression.right];
    case "if":
      return [expression.condition, expression.then, expression.otherwise];
    case "call":
      return [expression.callee, ...expression.arguments.map(({ value }) => value)];
    case "configure":
      return [expression.callee, ...expression.options.map(({ value }) => value)];
    case "index":
      return [expression.of, ...expression.indices];
    case "member":
      return [expression.of];
    case "by":
      return [expression.of, expression.router];
    case "as":
      return [expression.of, ...expression.type.axes];
    case "group":
      return [expression.inner];
    default:
      return expression satisfies never;
  }
}

/** Whether the tree has more than `limit` levels; level by level, so that the question itself does not recurse. */
export function isDeeperThan(expression: Expression, limit: number): boolean {
  let level: readonly Expression[] = [expression];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth >= limit) return true;
    level = level.flatMap(childrenOf);
  }
  return false;
}
