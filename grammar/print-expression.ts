// Printing expressions and types: Syntax -> document, with the parentheses that precedence needs. Long lists break after
// commas, long rows after operators; a newline is put only where it ends nothing.

import { closing, leading, noText, peek, trailing, type Cursor } from "./print-comments.ts";
import { doc, layOutDoc, type Doc } from "./print-doc.ts";
import { comparisonPrecedence, precedence, prefixPrecedence } from "./precedence.ts";
import type { Argument, Expression, Name, Span, Type } from "./syntax.ts";

const { fill, group, indent, line, softline, hardline, join } = doc;

/** How tightly an expression's outermost form binds; see precedence.ts. */
const level = { as: 0, if: 1, by: 10, postfix: 11, primary: 12 } as const;

function levelOf(expression: Expression): number {
  switch (expression.node) {
    case "as":
      return level.as;
    case "if":
      return level.if;
    case "binary":
      return precedence[expression.operator];
    case "unary":
      return prefixPrecedence[expression.operator];
    case "by":
      return level.by;
    case "call":
    case "configure":
    case "index":
    case "member":
      return level.postfix;
    case "number":
    case "string":
    case "name":
    case "list":
    case "group":
    case "broken":
      return level.primary;
    default:
      return expression satisfies never;
  }
}

/** An expression on one line. */
export function printExpression(expression: Expression): string {
  return layOutDoc(expressionDoc(expression, noText()), Infinity);
}

/** A type on one line. */
export function printType(type: Type): string {
  return layOutDoc(typeDoc(type, noText()), Infinity);
}

/** An expression where any may stand. */
export function expressionDoc(expression: Expression, cursor: Cursor): Doc {
  return bound(expression, 0, cursor);
}

/** An expression where it must bind at least this tightly. */
function bound(expression: Expression, least: number, cursor: Cursor): Doc {
  const inner = bare(expression, cursor);
  return levelOf(expression) < least ? ["(", inner, ")"] : inner;
}

export function leaf(text: string, span: Span, cursor: Cursor): Doc {
  return [leading(cursor, span.start), text];
}

export const nameDoc = (name: Name, cursor: Cursor): Doc => leaf(name.text, name.span, cursor);

function bare(expression: Expression, cursor: Cursor): Doc {
  const { span } = expression;
  switch (expression.node) {
    case "number":
      return leaf(cursor.text?.slice(span.start, span.end) ?? String(expression.value), span, cursor);
    case "string":
      return leaf(`"${expression.value}"`, span, cursor);
    case "name":
      return leaf(expression.text, span, cursor);
    case "broken":
      return leaf("...", span, cursor);
    case "list":
      return [
        leading(cursor, span.start),
        bracketed("[", expression.items.map(itemOf), "]", span.end - 1, cursor),
      ];
    case "group":
      return [
        leading(cursor, span.start),
        bracketed("(", [itemOf(expression.inner)], ")", span.end - 1, cursor),
      ];
    case "unary": {
      const sign = expression.operator === "not" ? "not " : "-";
      return [
        leading(cursor, span.start),
        sign,
        bound(expression.operand, prefixPrecedence[expression.operator], cursor),
      ];
    }
    case "binary":
      return group(indent(row(expression, cursor)));
    case "if":
      return group(choices(expression, cursor));
    case "call": {
      const callee = bound(expression.callee, level.postfix, cursor);
      const items = expression.arguments.map(argumentOf);
      const over = expression.over.length === 0 ? undefined : overOf(expression.over);
      return [callee, bracketed("(", items, ")", span.end - 1, cursor, over)];
    }
    case "configure":
      return [
        bound(expression.callee, level.postfix, cursor),
        " ",
        optionsDoc(expression.options, span.end - 1, cursor),
      ];
    case "index":
      return [
        bound(expression.of, level.postfix, cursor),
        bracketed("[", expression.indices.map(itemOf), "]", span.end - 1, cursor),
      ];
    case "member":
      return [bound(expression.of, level.postfix, cursor), ".", nameDoc(expression.name, cursor)];
    case "by":
      return [
        bound(expression.of, level.postfix, cursor),
        " by ",
        bound(expression.router, level.postfix, cursor),
      ];
    case "as":
      return [bound(expression.of, level.as, cursor), " as ", typeDoc(expression.type, cursor)];
    default:
      return expression satisfies never;
  }
}

/** Operators of one precedence in a row, as many on a line as fit. */
function row(expression: Extract<Expression, { node: "binary" }>, cursor: Cursor): Doc {
  const own = precedence[expression.operator];
  const chains = own !== comparisonPrecedence && expression.operator !== "^";
  const operands: Expression[] = [];
  const operators: string[] = [];
  let left: Expression = expression;
  while (left.node === "binary" && precedence[left.operator] === own && (operands.length === 0 || chains)) {
    operands.push(left.right);
    operators.push(left.operator);
    left = left.left;
  }
  const hasComments = peek(cursor, expression.span.end) !== undefined;
  const out: Doc[] = [];
  let operand = bound(left, chains ? own : own + 1, cursor);
  // `2 ^ -x` needs no parentheses: a sign may follow any operator.
  const least = expression.operator === "^" ? prefixPrecedence["-"] : own + 1;
  for (let i = operands.length - 1; i >= 0; i -= 1) {
    const right = operands[i]!;
    const comment = trailing(cursor, right.span.start);
    out.push([operand, ` ${operators[i]!}`, comment], hasComments ? hardline : line);
    operand = bound(right, least, cursor);
  }
  return fill([...out, operand]);
}

function choices(expression: Extract<Expression, { node: "if" }>, cursor: Cursor): Doc {
  const out: Doc[] = [];
  let head: Doc = "";
  let current: Expression = expression;
  while (current.node === "if") {
    const { condition, then, otherwise }: Extract<Expression, { node: "if" }> = current;
    const start = [leading(cursor, current.span.start), "if ", bound(condition, level.if, cursor)];
    if (head === "") head = start;
    else out.push(...start);
    out.push(closing(cursor, then.span.start), line, "then ", bound(then, level.if, cursor));
    out.push(closing(cursor, otherwise.span.start), line, "else ");
    current = otherwise;
  }
  return [head, indent([...out, bound(current, level.if, cursor)])];
}

/** Something in a list: printed when its turn comes, since comments are taken in order. */
interface ListItem {
  readonly start: number;
  readonly print: (cursor: Cursor) => Doc;
}

export const item = (start: number, print: (cursor: Cursor) => Doc): ListItem => ({ start, print });
export const itemOf = (expression: Expression): ListItem =>
  item(expression.span.start, (cursor) => expressionDoc(expression, cursor));
export const nameItem = (name: Name): ListItem => item(name.span.start, (cursor) => nameDoc(name, cursor));

const argumentOf = ({ name, value, span }: Argument): ListItem =>
  item(span.start, (cursor) =>
    name === undefined ? expressionDoc(value, cursor) : [nameDoc(name, cursor), assigned(value, cursor)],
  );

const overOf = (names: readonly Name[]): ListItem =>
  item(names[0]!.span.start, (cursor) => [
    leading(cursor, names[0]!.span.start),
    "over ",
    join(
      ", ",
      names.map((name) => nameDoc(name, cursor)),
    ),
  ]);

/** ` = value`; a comment behind the sign keeps its place. */
export function assigned(value: Expression, cursor: Cursor, sign = "="): Doc {
  if (peek(cursor, value.span.start) === undefined) return [` ${sign} `, expressionDoc(value, cursor)];
  return [` ${sign}`, trailing(cursor, value.span.start), indent([hardline, expressionDoc(value, cursor)])];
}

/** `(a, b)`: on one line, or the items on a line of their own, or each on one; `over` is a last item without a comma before it. */
export const bracketed = (...what: Parameters<typeof breaking>): Doc => group(breaking(...what));

/** The same as a part of a larger group: it breaks when that does. */
export function breaking(
  open: string,
  items: readonly ListItem[],
  close: string,
  closeAt: number,
  cursor: Cursor,
  over?: ListItem,
  space: Doc = softline,
): Doc {
  const all = over === undefined ? items : [...items, over];
  const comment = trailing(cursor, all[0]?.start ?? closeAt);
  const rows: Doc[] = [];
  all.forEach((one, i) => {
    rows.push(one.print(cursor));
    const after = all[i + 1];
    if (after !== undefined) rows.push(after === over ? "" : ",", trailing(cursor, after.start), line);
  });
  const before = all.length === 0 ? softline : space;
  return [
    open,
    indent([comment, all.length === 0 ? "" : space, group(rows), closing(cursor, closeAt)]),
    before,
    close,
  ];
}

export function optionsDoc(options: readonly Argument[], closeAt: number, cursor: Cursor): Doc {
  return bracketed("{", options.map(argumentOf), "}", closeAt, cursor, undefined, line);
}

export function typeDoc({ element, axes, span }: Type, cursor: Cursor): Doc {
  const word = element === "number" ? "" : element === "gates" ? "gates" : `${element} `;
  return [leading(cursor, span.start), word, bracketed("[", axes.map(itemOf), "]", span.end - 1, cursor)];
}
