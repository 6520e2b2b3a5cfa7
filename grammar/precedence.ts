// Precedence: from the flat row of operands and operators that the parser reads to a tree, by two stacks and without
// recursion, so that a row of any length is read in linear time. Parentheses are the parser's matter.

import type { BinaryOperator, Expression, Span, UnaryOperator } from "./syntax.ts";

/** How tightly an operator binds; `as` (0) and `if ... then ... else` (1) are looser than all of these. */
export const precedence: Readonly<Record<BinaryOperator, number>> = {
  or: 2,
  and: 3,
  "<": 5,
  "<=": 5,
  ">": 5,
  ">=": 5,
  "==": 5,
  "!=": 5,
  "+": 6,
  "-": 6,
  "*": 7,
  "/": 7,
  "@": 7,
  "^": 9,
};
export const prefixPrecedence: Readonly<Record<UnaryOperator, number>> = { not: 4, "-": 8 };
export const comparisonPrecedence = 5;

export type RowItem =
  | { readonly item: "prefix"; readonly operator: UnaryOperator; readonly span: Span }
  | { readonly item: "infix"; readonly operator: BinaryOperator; readonly span: Span }
  | { readonly item: "operand"; readonly operand: Expression };

export type RowProblem =
  /** `a < b < c` */
  | { readonly problem: "chained"; readonly span: Span }
  /** `a + not b` */
  | { readonly problem: "loose not"; readonly span: Span };

type Pending = Extract<RowItem, { item: "prefix" | "infix" }>;

const levelOf = (pending: Pending): number =>
  pending.item === "prefix" ? prefixPrecedence[pending.operator] : precedence[pending.operator];

/** A well-formed row (prefixes, operand, infix, prefixes, operand ...) as a tree; oddities go to `report`. */
export function treeOf(row: readonly RowItem[], report: (problem: RowProblem) => void): Expression {
  const operands: Expression[] = [];
  const waiting: Pending[] = [];

  const reduce = (): void => {
    const top = waiting.pop()!;
    const right = operands.pop()!;
    if (top.item === "prefix") {
      const span = { start: top.span.start, end: right.span.end };
      operands.push({ node: "unary", operator: top.operator, operand: right, span });
      return;
    }
    const left = operands.pop()!;
    const span = { start: left.span.start, end: right.span.end };
    operands.push({ node: "binary", operator: top.operator, left, right, span });
  };

  for (const item of row) {
    const top = waiting.at(-1);
    switch (item.item) {
      case "operand":
        operands.push(item.operand);
        break;
      case "prefix":
        if (item.operator === "not" && top !== undefined && levelOf(top) > levelOf(item))
          report({ problem: "loose not", span: item.span });
        waiting.push(item);
        break;
      case "infix": {
        const level = levelOf(item);
        // `^` groups to the right, all others to the left.
        while (waiting.length > 0) {
          const before = waiting.at(-1)!;
          if (levelOf(before) < level || (item.operator === "^" && levelOf(before) === level)) break;
          if (level === comparisonPrecedence && levelOf(before) === level)
            report({ problem: "chained", span: item.span });
          reduce();
        }
        waiting.push(item);
        break;
      }
      default:
        item satisfies never;
    }
  }
  while (waiting.length > 0) reduce();
  return operands[0]!;
}
