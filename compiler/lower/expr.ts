// Constructors of kernel expressions with the foldings that keep index arithmetic readable.
// In: expressions. Out: expressions. Literals, locals and sizes are those of the schedules (schedule/expr.ts).
// Deliberately absent: anything about the graph.

import type { BinaryFn, Expr, ScalarType, UnaryFn, ValueType } from "../kernel.ts";
import { isVector, scalarOf, typeOfUnary, vectorOf } from "../kernel-type.ts";
import { float, int as integer, local, sizeOf as sizeExpr } from "../schedule/expr.ts";

export type Lanes = 1 | 4;

export { float, integer, local, sizeExpr };
export const workgroup: Expr = { op: "workgroup", type: "i32" };
export const invocation: Expr = { op: "invocation", type: "i32" };

export const withLanes = (type: ScalarType, lanes: Lanes): ValueType => (lanes === 4 ? vectorOf(type) : type);

export const literal = (type: ScalarType, value: number, lanes: Lanes = 1): Expr => {
  const scalar: Expr = { op: "literal", type, value };
  return lanes === 4 ? splat(scalar) : scalar;
};

export function splat(a: Expr): Expr {
  if (isVector(a.type)) return a;
  return { op: "splat", type: vectorOf(scalarOf(a.type)), a };
}

export const unary = (fn: UnaryFn, a: Expr): Expr => ({
  op: "unary",
  type: typeOfUnary(fn, a.type),
  fn,
  a,
});

const comparisons = new Set<BinaryFn>(["lt", "le", "eq", "ne"]);

export function binary(fn: BinaryFn, a: Expr, b: Expr): Expr {
  const type: ValueType = comparisons.has(fn) ? withLanes("bool", isVector(a.type) ? 4 : 1) : a.type;
  if (a.op === "literal" && b.op === "literal" && a.type === "i32") {
    if (fn === "add") return integer(a.value + b.value);
    if (fn === "sub") return integer(a.value - b.value);
    if (fn === "mul") return integer(Math.imul(a.value, b.value));
  }
  if (a.type === "i32") {
    if ((fn === "add" || fn === "sub") && b.op === "literal" && b.value === 0) return a;
    if (fn === "add" && a.op === "literal" && a.value === 0) return b;
    if (fn === "mul" && b.op === "literal" && b.value === 1) return a;
    if (fn === "mul" && a.op === "literal" && a.value === 1) return b;
  }
  return { op: "binary", type, fn, a, b };
}

export const select = (condition: Expr, a: Expr, b: Expr): Expr => ({
  op: "select",
  type: a.type,
  condition,
  a,
  b,
});

export const cast = (type: ValueType, a: Expr): Expr => (a.type === type ? a : { op: "cast", type, a });

export const fma = (a: Expr, b: Expr, c: Expr): Expr => ({
  op: "fma",
  type: isVector(c.type) ? "f32x4" : "f32",
  a,
  b,
  c,
});

export const extract = (a: Expr, lane: 0 | 1 | 2 | 3): Expr => ({
  op: "extract",
  type: scalarOf(a.type) === "i32" ? "i32" : "f32",
  a,
  lane,
});

export const lowerOf = (a: Expr, b: Expr): Expr => binary("min", a, b);
export const upperOf = (a: Expr, b: Expr): Expr => binary("max", a, b);

/** Whether an expression is so small that a name for it would cost more than it saves. */
export const isAtomic = (a: Expr): boolean =>
  a.op === "literal" ||
  a.op === "local" ||
  a.op === "size" ||
  a.op === "workgroup" ||
  a.op === "invocation" ||
  (a.op === "splat" && a.a.op === "literal");
