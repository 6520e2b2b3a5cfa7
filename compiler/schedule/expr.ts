// Small constructors for kernel expressions and statements, with integer folding, for schedules and lowering.
// In: expressions. Out: expressions; sums and products of literals are folded and constant parts drift to the right, so
// that printers find them as address offsets. Does not simplify anything deeper.

import type { Expr, Stmt, ValueType } from "../kernel.ts";
import { known, type Size } from "../../runtime/size.ts";

export type FloatVector = "f32x4" | "f16x4";

export const int = (value: number): Expr => ({ op: "literal", type: "i32", value });
export const float = (value: number): Expr => ({ op: "literal", type: "f32", value });
export const zero4: Expr = { op: "splat", type: "f32x4", a: float(0) };

/** A size as an i32. */
export function sizeOf(size: Size): Expr {
  const value = known(size);
  return value === undefined ? { op: "size", type: "i32", size } : int(value);
}

export const literalOf = (a: Expr): number | undefined => (a.op === "literal" ? a.value : undefined);

const binary = (fn: "add" | "sub" | "mul" | "div" | "mod" | "min" | "max", a: Expr, b: Expr): Expr => ({
  op: "binary",
  type: "i32",
  fn,
  a,
  b,
});

/** The constant at the right end of a sum, and the rest. */
function splitSum(a: Expr): { readonly rest: Expr | undefined; readonly constant: number } {
  if (a.op === "literal") return { rest: undefined, constant: a.value };
  if (a.op === "binary" && a.fn === "add" && a.type === "i32" && a.b.op === "literal")
    return { rest: a.a, constant: a.b.value };
  return { rest: a, constant: 0 };
}

export function add(...terms: readonly Expr[]): Expr {
  let rest: Expr | undefined;
  let constant = 0;
  for (const term of terms) {
    const split = splitSum(term);
    constant += split.constant;
    if (split.rest !== undefined) rest = rest === undefined ? split.rest : binary("add", rest, split.rest);
  }
  if (rest === undefined) return int(constant);
  return constant === 0 ? rest : binary("add", rest, int(constant));
}

export function subtract(a: Expr, b: Expr): Expr {
  const right = literalOf(b);
  return right === undefined ? binary("sub", a, b) : add(a, int(-right));
}

export function multiply(a: Expr, b: Expr): Expr {
  const x = literalOf(a);
  const y = literalOf(b);
  if (x !== undefined && y !== undefined) return int(x * y);
  if (x !== undefined) return multiply(b, a);
  if (y === 0) return int(0);
  if (y === 1) return a;
  if (y !== undefined && a.op === "binary" && a.fn === "add" && a.b.op === "literal")
    return add(multiply(a.a, b), int(a.b.value * y));
  return binary("mul", a, b);
}

/** Rounds down; a >= 0, b > 0. */
export function divide(a: Expr, b: Expr): Expr {
  const x = literalOf(a);
  const y = literalOf(b);
  if (x !== undefined && y !== undefined) return int(Math.floor(x / y));
  return y === 1 ? a : binary("div", a, b);
}

export function modulo(a: Expr, b: Expr): Expr {
  const x = literalOf(a);
  const y = literalOf(b);
  if (x !== undefined && y !== undefined) return int(x % y);
  return y === 1 ? int(0) : binary("mod", a, b);
}

export function minimum(a: Expr, b: Expr): Expr {
  const x = literalOf(a);
  const y = literalOf(b);
  return x !== undefined && y !== undefined ? int(Math.min(x, y)) : binary("min", a, b);
}

export function maximum(a: Expr, b: Expr): Expr {
  const x = literalOf(a);
  const y = literalOf(b);
  return x !== undefined && y !== undefined ? int(Math.max(x, y)) : binary("max", a, b);
}

/** The multiple of `step` at or above a >= 0. */
export const roundUp = (a: Expr, step: number): Expr =>
  multiply(divide(add(a, int(step - 1)), int(step)), int(step));
/** The multiple of `step` at or below a >= 0. */
export const roundDown = (a: Expr, step: number): Expr => multiply(divide(a, int(step)), int(step));
export const ceilDivide = (a: Expr, b: Expr): Expr => divide(add(a, b, int(-1)), b);

function compare(fn: "lt" | "le" | "eq", a: Expr, b: Expr, holds: (x: number, y: number) => boolean): Expr {
  const x = literalOf(a);
  const y = literalOf(b);
  if (x !== undefined && y !== undefined) return { op: "literal", type: "bool", value: holds(x, y) ? 1 : 0 };
  return { op: "binary", type: "bool", fn, a, b };
}
export const less = (a: Expr, b: Expr): Expr => compare("lt", a, b, (x, y) => x < y);
export const lessOrEqual = (a: Expr, b: Expr): Expr => compare("le", a, b, (x, y) => x <= y);
export const equal = (a: Expr, b: Expr): Expr => compare("eq", a, b, (x, y) => x === y);
export function both(a: Expr, b: Expr): Expr {
  const [x, y] = [literalOf(a), literalOf(b)];
  if (x === 0 || y === 1) return a;
  return y === 0 || x === 1 ? b : { op: "binary", type: "bool", fn: "and", a, b };
}
export function either(a: Expr, b: Expr): Expr {
  const [x, y] = [literalOf(a), literalOf(b)];
  if (x === 1 || y === 0) return a;
  return y === 1 || x === 0 ? b : { op: "binary", type: "bool", fn: "or", a, b };
}
export function selectInt(condition: Expr, a: Expr, b: Expr): Expr {
  const decided = literalOf(condition);
  return decided === undefined ? { op: "select", type: "i32", condition, a, b } : decided !== 0 ? a : b;
}

export const local = (name: string, type: ValueType = "i32"): Expr => ({
  op: "local",
  type,
  name,
});
export const loadFloat = (buffer: string, index: Expr): Expr => ({ op: "load", type: "f32", buffer, index });
export const loadVector = (buffer: string, index: Expr, type: FloatVector = "f32x4"): Expr => ({
  op: "load",
  type,
  buffer,
  index,
});
export const splat = (a: Expr, type: FloatVector = "f32x4"): Expr => ({ op: "splat", type, a });
export const multiplyAdd4 = (a: Expr, b: Expr, c: Expr, type: FloatVector = "f32x4"): Expr => ({
  op: "fma",
  type,
  a,
  b,
  c,
});

export const add4 = (a: Expr, b: Expr): Expr => ({ op: "binary", type: "f32x4", fn: "add", a, b });
export const extract = (a: Expr, lane: 0 | 1 | 2 | 3, type: "f32" | "f16" = "f32"): Expr => ({
  op: "extract",
  type,
  a,
  lane,
});
/** Four f32 as one vector. */
export const vector = (lanes: readonly Expr[]): Expr => ({
  op: "vector",
  type: "f32x4",
  lanes: lanes as readonly [Expr, Expr, Expr, Expr],
});

export const store = (buffer: string, index: Expr, value: Expr): Stmt => ({
  op: "store",
  buffer,
  index,
  value,
});
export const setLocal = (name: string, value: Expr): Stmt => ({ op: "set", name, value });
export const comment = (text: string): Stmt => ({ op: "comment", text });

/** Names a value that is used more than once; literals and locals stay what they are. */
export function letInt(fresh: (hint: string) => string, into: Stmt[], hint: string, value: Expr): Expr {
  if (value.op === "literal" || value.op === "local") return value;
  const name = fresh(hint);
  into.push({ op: "let", name, value });
  return local(name);
}

/** The same for a condition; one that is known stays what it is. */
export function letBool(fresh: (hint: string) => string, into: Stmt[], hint: string, value: Expr): Expr {
  if (value.op === "literal" || value.op === "local") return value;
  const name = fresh(hint);
  into.push({ op: "let", name, value });
  return { op: "local", type: "bool", name };
}

/** A loop; an empty one is left out, one of a single known pass becomes its body. */
export function loop(
  fresh: (hint: string) => string,
  into: Stmt[],
  hint: string,
  from: Expr,
  to: Expr,
  step: number,
  fill: (index: Expr, body: Stmt[]) => void,
): void {
  const first = literalOf(from);
  const end = literalOf(to);
  if (first !== undefined && end !== undefined) {
    if (end <= first) return;
    if (end <= first + step) return fill(from, into);
  }
  const name = fresh(hint);
  const body: Stmt[] = [];
  fill(local(name), body);
  if (body.length > 0) into.push({ op: "for", name, from, to, step, body });
}

/** An if with a known condition becomes the branch. */
export function branch(
  into: Stmt[],
  condition: Expr,
  then: (body: Stmt[]) => void,
  otherwise?: (body: Stmt[]) => void,
): void {
  const decided = literalOf(condition);
  if (decided !== undefined) return decided !== 0 ? then(into) : otherwise?.(into);
  const thenBody: Stmt[] = [];
  then(thenBody);
  const otherBody: Stmt[] = [];
  otherwise?.(otherBody);
  if (thenBody.length + otherBody.length > 0)
    into.push({ op: "if", condition, then: thenBody, otherwise: otherBody });
}
