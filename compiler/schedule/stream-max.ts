// The running maximum of a row, where it is -inf: nothing has been seen that counts.
// In: expressions. Out: expressions.

import type { Expr } from "../kernel.ts";
import { binary, select } from "../lower/expr.ts";
import { float } from "./expr.ts";

/** Zero while the maximum is still -inf, so that what is relative to it is exp(-inf - 0) = 0. */
export const finiteMaximum = (max: Expr): Expr => select(binary("eq", max, float(-Infinity)), float(0), max);

/** A sum at its end. Where every score is -inf, terms relative to the maximum are not numbers. */
export const finished = (total: Expr, max: Expr | undefined): Expr =>
  max === undefined ? total : select(binary("eq", max, float(-Infinity)), float(NaN), total);
