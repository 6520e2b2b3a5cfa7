// Arbitrary expressions, types and names, as fast-check arbitraries, and what is equal in two trees: all but spans and, where asked, groups.

import fc from "fast-check";
import { statementWords } from "../../grammar/tokens.ts";
import type { Argument, Expression, Name, Span, Type } from "../../grammar/syntax.ts";

export const span: Span = { start: 0, end: 0 };

/** A tree without its spans; without `group` nodes too if `groups` is false. */
export function bare(value: unknown, groups = true): unknown {
  if (Array.isArray(value)) return value.map((one) => bare(one, groups));
  if (typeof value !== "object" || value === null) return value;
  if (!groups && "node" in value && value.node === "group" && "inner" in value)
    return bare(value.inner, groups);
  const entries = Object.entries(value).filter(([key]) => key !== "span" && key !== "fromSpan");
  return Object.fromEntries(entries.map(([key, one]) => [key, bare(one, groups)]));
}

const statementImages = new Set(statementWords.map((type) => type.PATTERN as string));
const reserved = new Set(["and", "or", "not", "if", "then", "else"]);

/** Names, the language's contextual words among them; statement words only where asked for. */
export const text = fc
  .oneof(
    { weight: 4, arbitrary: fc.constantFrom("x", "y", "score", "D", "H", "T", "N", "w_1", "Ffn") },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "top",
        "of",
        "each",
        "best",
        "groups",
        "until",
        "where",
        "all",
        "given",
        "tokens",
        "rate",
        "step",
        "over",
        "in",
        "as",
        "by",
      ),
    },
    { weight: 1, arbitrary: fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,12}$/) },
  )
  .filter((name) => !reserved.has(name) && !statementImages.has(name));
export const name: fc.Arbitrary<Name> = text.map((one) => ({ text: one, span }));
export const anyName: fc.Arbitrary<Name> = fc
  .oneof(
    { weight: 5, arbitrary: text },
    { weight: 1, arbitrary: fc.constantFrom("weight", "loss", "router", "param", "state") },
  )
  .map((one) => ({ text: one, span }));

export function optional<K extends string, V>(
  key: K,
  value: fc.Arbitrary<V>,
): fc.Arbitrary<{ readonly [P in K]?: V }> {
  return fc
    .option(value, { nil: undefined })
    .map((one) => (one === undefined ? {} : { [key]: one }) as { readonly [P in K]?: V });
}

const operators = ["+", "-", "*", "/", "@", "^", "<", "<=", ">", ">=", "==", "!=", "and", "or"] as const;

export const { expression, type } = fc.letrec<{
  expression: Expression;
  type: Type;
  argument: Argument;
  option: Argument;
}>((tie) => {
  const inner = tie("expression");
  const numbers = fc.oneof(fc.nat(4096), fc.double({ min: 0, max: 1e30, noNaN: true }));
  const leaf: fc.Arbitrary<Expression> = fc.oneof(
    text.map((one): Expression => ({ node: "name", text: one, span })),
    numbers.map((value): Expression => ({ node: "number", value: Math.abs(value), span })),
    fc.stringMatching(/^[a-z*./ ]{0,8}$/).map((value): Expression => ({ node: "string", value, span })),
  );
  const compound: fc.Arbitrary<Expression> = fc.oneof(
    fc.record({
      node: fc.constant("binary" as const),
      operator: fc.constantFrom(...operators),
      left: inner,
      right: inner,
      span: fc.constant(span),
    }),
    fc.record({
      node: fc.constant("unary" as const),
      operator: fc.constantFrom("-" as const, "not" as const),
      operand: inner,
      span: fc.constant(span),
    }),
    fc.record({
      node: fc.constant("if" as const),
      condition: inner,
      then: inner,
      otherwise: inner,
      span: fc.constant(span),
    }),
    fc
      .tuple(inner, fc.array(tie("argument"), { maxLength: 3 }), fc.array(name, { maxLength: 2 }))
      .map(([callee, items, over]): Expression => ({
        node: "call",
        callee,
        arguments: items,
        over: items.length === 0 ? [] : over,
        span,
      })),
    fc
      .tuple(inner, fc.array(tie("option"), { maxLength: 3 }))
      .map(([callee, options]): Expression => ({ node: "configure", callee, options, span })),
    fc
      .tuple(inner, fc.array(inner, { minLength: 1, maxLength: 3 }))
      .map(([of, indices]): Expression => ({ node: "index", of, indices, span })),
    fc.tuple(inner, anyName).map(([of, member]): Expression => ({ node: "member", of, name: member, span })),
    fc
      .tuple(inner, fc.array(tie("argument"), { maxLength: 2 }), inner)
      .map(([callee, items, router]): Expression => ({
        node: "by",
        of: { node: "call", callee, arguments: items, over: [], span },
        router,
        span,
      })),
    fc.tuple(inner, tie("type")).map(([of, as]): Expression => ({ node: "as", of, type: as, span })),
    fc.array(inner, { maxLength: 3 }).map((items): Expression => ({ node: "list", items, span })),
    inner.map((one): Expression => ({ node: "group", inner: one, span })),
  );
  return {
    expression: fc.oneof({ depthSize: "small", withCrossShrink: true }, leaf, compound),
    type: fc
      .tuple(
        fc.constantFrom("number" as const, "int" as const, "bool" as const, "gates" as const),
        fc.array(inner, { maxLength: 3 }),
      )
      .map(([element, axes]) => ({ element, axes, span })),
    argument: fc.tuple(optional("name", anyName), inner).map(([named, value]) => ({ ...named, value, span })),
    option: fc.tuple(anyName, inner).map(([named, value]) => ({ name: named, value, span })),
  };
});
