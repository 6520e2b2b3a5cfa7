// What languages in the manner of C agree on.

import type { BinaryFn, Expr } from "../kernel.ts";

/** Functions of two that are written between their operands. */
export const infix: Partial<Readonly<Record<BinaryFn, string>>> = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "/",
  mod: "%",
  lt: "<",
  le: "<=",
  eq: "==",
  ne: "!=",
  and: "&",
  or: "|",
  xor: "^",
  shl: "<<",
  shr: ">>",
};

/** The same however often it is read, and cheap: a loop's bound that may stand in its condition. `variables`: locals that change. */
export const isSteady = (variables: ReadonlySet<string>, expr: Expr): boolean =>
  expr.op === "literal" ||
  (expr.op === "size" && expr.size.length <= 1) ||
  (expr.op === "local" && !variables.has(expr.name));
