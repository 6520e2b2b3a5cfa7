// Values that are numbers of half width already. In: a kernel, a type. Out: the locals that never hold anything else, and whether an
// expression gives nothing else: what is read from memory of that type, computed in it, moved, chosen, or rounded before. To store such a value in memory
// of the type it needs no rounding. Everything not understood counts as any f32.

import { roundHalf } from "../half.ts";
import { statementsIn } from "../kernel-walk.ts";
import type { Expr, HalfType, Kernel } from "../kernel.ts";
import { scalarOf } from "../kernel-type.ts";

export interface Rounded {
  readonly type: HalfType;
  readonly locals: ReadonlySet<string>;
  readonly memory: ReadonlySet<string>;
}

export function roundedIn({ buffers, scratch, body }: Kernel, type: HalfType): Rounded {
  const memory = new Set([...buffers, ...scratch].flatMap((each) => (each.type === type ? [each.name] : [])));
  const given = statementsIn(body).filter(
    (each) => each.op === "let" || each.op === "var" || each.op === "set",
  );
  // All of them, less those that get something else, until none is left that does.
  const locals = new Set(given.map(({ name }) => name));
  const rounded = { type, locals, memory };
  for (let before = -1; before !== locals.size;) {
    before = locals.size;
    for (const { name, value } of given) if (!isRounded(rounded, value)) locals.delete(name);
  }
  return rounded;
}

export function isRounded(rounded: Rounded, expr: Expr): boolean {
  const of = (inner: Expr): boolean => isRounded(rounded, inner);
  if (scalarOf(expr.type) === rounded.type) return true;
  switch (expr.op) {
    case "literal":
      return expr.type === "f32" && Object.is(roundHalf(rounded.type, expr.value), expr.value);
    case "local":
      return rounded.locals.has(expr.name);
    case "load":
      return rounded.memory.has(expr.buffer);
    case "unary":
      return expr.fn === rounded.type || ((expr.fn === "neg" || expr.fn === "abs") && of(expr.a));
    case "select":
      return of(expr.a) && of(expr.b);
    case "splat":
    case "extract":
      return of(expr.a);
    case "cast":
      return scalarOf(expr.a.type) === rounded.type;
    case "vector":
      return expr.lanes.every(of);
    default:
      return false;
  }
}
