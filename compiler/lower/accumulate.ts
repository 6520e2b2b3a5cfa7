// Accumulators of reductions: where they start, how two are joined, and a loop that keeps a vector and a scalar one.
// In: a reduction's function and a loop over its elements. Out: one scalar, joined in a fixed order; in a workgroup that
// works together, all invocations' sums joined.

import type { Expr } from "../kernel.ts";
import type { ClusterKernel } from "./context.ts";
import { binary, extract, literal } from "./expr.ts";
import type { Lanes } from "./expr.ts";
import type { Reduction } from "./reduction.ts";
import { together } from "./team.ts";

const identityOf = (fn: Reduction["fn"]): number => (fn === "sum" ? 0 : fn === "max" ? -Infinity : Infinity);
export const combineOf = (fn: Reduction["fn"]): "add" | "max" | "min" => (fn === "sum" ? "add" : fn);

export const initialOf = (fn: Reduction["fn"], type: "f32" | "i32", lanes: Lanes): Expr =>
  literal(
    type,
    type === "i32" && fn !== "sum" ? (fn === "max" ? -2147483648 : 2147483647) : identityOf(fn),
    lanes,
  );

/** One vector and one scalar accumulator, joined at the end in a fixed order. */
export function accumulate(
  kernel: ClusterKernel,
  fn: Reduction["fn"],
  type: "f32" | "i32",
  loop: (add: (value: Expr, lanes: Lanes) => void) => void,
): Expr {
  const { emitter } = kernel;
  if (!emitter.vectors) {
    const sum = emitter.var(initialOf(fn, type, 1));
    loop((value) => sum.set(binary(combineOf(fn), sum.get, value)));
    return together(kernel, combineOf(fn), sum.get);
  }
  const vector = emitter.var(initialOf(fn, type, 4));
  const scalar = emitter.var(initialOf(fn, type, 1));
  const used = { 1: false, 4: false };
  loop((value, lanes) => {
    used[lanes] = true;
    const into = lanes === 4 ? vector : scalar;
    into.set(binary(combineOf(fn), into.get, value));
  });
  if (!used[4]) return emitter.let(scalar.get);
  const join = (a: Expr, b: Expr): Expr => binary(combineOf(fn), a, b);
  const lanes = join(
    join(extract(vector.get, 0), extract(vector.get, 1)),
    join(extract(vector.get, 2), extract(vector.get, 3)),
  );
  return emitter.let(used[1] ? join(lanes, scalar.get) : lanes);
}
