// What surely divides an index. In: an integer expression and what is known of the locals in it. Out: the largest power of two
// that divides it in every launch, at most `most`. A vector of four is read with one instruction only where 4 divides the
// index of its first element; everything not understood counts as 1.

import type { Size } from "../../runtime/size.ts";
import type { Expr } from "../kernel.ts";

/** Zero is divisible by everything; nobody asks for more than this. */
export const most = 1 << 12;

/** Powers of two that divide the locals, by name. */
export type Divisors = ReadonlyMap<string, number>;

const ofNumber = (value: number): number => (value === 0 ? most : Math.min(most, value & -value));

export const ofSize = (size: Size): number =>
  size.reduce((least, { coefficient }) => Math.min(least, ofNumber(coefficient)), most);

export function divisorOf(expr: Expr, locals: Divisors): number {
  const of = (inner: Expr): number => divisorOf(inner, locals);
  switch (expr.op) {
    case "literal":
      return Number.isInteger(expr.value) ? ofNumber(expr.value) : 1;
    case "size":
      return ofSize(expr.size);
    case "local":
      return locals.get(expr.name) ?? 1;
    case "select":
      return Math.min(of(expr.a), of(expr.b));
    case "unary":
      return expr.fn === "neg" ? of(expr.a) : 1;
    case "binary":
      switch (expr.fn) {
        case "add":
        case "sub":
        case "min":
        case "max":
          return Math.min(of(expr.a), of(expr.b));
        case "mod":
          // a - (a / b) b
          return Math.min(of(expr.a), of(expr.b));
        case "mul":
          return Math.min(most, of(expr.a) * of(expr.b));
        case "and":
          return Math.max(of(expr.a), of(expr.b));
        case "shl":
          return expr.b.op === "literal" && expr.b.value >= 0 && expr.b.value < 12
            ? Math.min(most, of(expr.a) << expr.b.value)
            : 1;
        case "div":
          return expr.b.op === "literal" && ofNumber(expr.b.value) === expr.b.value
            ? Math.max(1, of(expr.a) / expr.b.value)
            : 1;
        default:
          return 1;
      }
    default:
      return 1;
  }
}
