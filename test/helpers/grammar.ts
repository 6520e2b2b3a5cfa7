// What is read of a text, in tests of the grammar: expressions with every operator in parentheses, statements as their fields. In: text
// without mistakes; others fail the test. Out: trees, or their short forms.

import { expect } from "vitest";
import { parse } from "../../grammar/parse.ts";
import type { Argument, Definition, Expression, Module, Statement, Type } from "../../grammar/syntax.ts";

export function good(text: string): Module {
  const { module, diagnostics } = parse(text, "a.moe");
  expect(diagnostics).toEqual([]);
  return module;
}

export function definitionOf(text: string): Definition {
  const [declaration] = good(text).declarations;
  if (declaration?.node !== "definition") throw new Error("no definition");
  return declaration;
}

export const bodyOf = (lines: string): readonly Statement[] =>
  definitionOf(`layer A(x: [D]) {\n${lines}\n}`).body;
export const only = (line: string): Statement => {
  const body = bodyOf(line);
  expect(body.length).toBe(1);
  return body[0]!;
};

/** `(+ a (* b c))` */
export function shape(expression: Expression): string {
  const all = (items: readonly Expression[]): string => items.map(shape).join(" ");
  switch (expression.node) {
    case "number":
      return String(expression.value);
    case "string":
      return JSON.stringify(expression.value);
    case "name":
      return expression.text;
    case "list":
      return `[${all(expression.items)}]`;
    case "unary":
      return `(${expression.operator} ${shape(expression.operand)})`;
    case "binary":
      return `(${expression.operator} ${shape(expression.left)} ${shape(expression.right)})`;
    case "if":
      return `(if ${shape(expression.condition)} ${shape(expression.then)} ${shape(expression.otherwise)})`;
    case "call":
      return `(call ${shape(expression.callee)}${options(expression.arguments)}${expression.over.map(({ text }) => ` over:${text}`).join("")})`;
    case "configure":
      return `(with ${shape(expression.callee)}${options(expression.options)})`;
    case "index":
      return `(index ${shape(expression.of)} ${all(expression.indices)})`;
    case "member":
      return `(. ${shape(expression.of)} ${expression.name.text})`;
    case "by":
      return `(by ${shape(expression.of)} ${shape(expression.router)})`;
    case "as":
      return `(as ${shape(expression.of)} ${type(expression.type)})`;
    case "group":
      return shape(expression.inner);
    case "broken":
      return "BROKEN";
    default:
      return expression satisfies never;
  }
}
const options = (items: readonly Argument[]): string =>
  items.map(({ name, value }) => ` ${name === undefined ? "" : `${name.text}=`}${shape(value)}`).join("");
const type = ({ element, axes }: Type): string => `${element}[${axes.map(shape).join(" ")}]`;

/** An object without spans, with expressions as shapes and names as text. */
export function show(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(show);
  if (typeof value !== "object" || value === null) return value;
  if ("text" in value && Object.keys(value).length === 2) return value.text;
  if ("element" in value) return type(value as Type);
  if ("node" in value && isExpression(value as { node: string })) return shape(value as Expression);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => (key === "span" ? [] : [[key, show(one)]])),
  );
}
const statementNodes = new Set([
  "dim",
  "param",
  "state",
  "modality",
  "bind",
  "choose",
  "weight",
  "capacity",
  "loss",
  "metric",
  "after",
  "repeat",
  "shared",
  "routed",
  "null",
  "router",
  "result",
]);
const isExpression = (value: { readonly node: string }): boolean =>
  !statementNodes.has(value.node) &&
  !(value.node === "if" && Array.isArray((value as { then?: unknown }).then));
