// Short sums in f16: what a GPU gains that multiplies f16 at twice the rate, and what it costs. In: how many products an invocation meets
// in a row. Out: how many are added up in f16 before an f32 takes their sum; and small pieces of kernels.
//
// The error. A product or a sum of f16 is within u = 2^-11 of itself (half of the last of 11 digits). In a chain of t steps
// s = fma(a, b, s) no product is rounded more than t times, whether a device fuses the two or not (what is added to 0 is not rounded):
//   |s - sum a b| <= ((1 + u)^t - 1) * sum |a b|, some t u.
// Chains are added up in f32, so that this is the bound however long k is: in f16 throughout it would grow with k, and sums above
// 2048 would stop growing by ones. Operands have been rounded to f16 before, which is worth 2 u by itself. With t = 8 the bound is
// 8 u = 2^-8, as rounding one operand to bf16 has it. Of normal numbers the error is 2.2e-4 of sum |a b| (root mean square), with t = 8
// one and a half times that of rounding the operands.
//
// The range. A chain stays finite while sum |a b| < 65,504: eight products of numbers up to 90. Below 2^-14 f16 loses digits: a step is
// off by 2^-25 more; where a device takes such numbers for zero by 2^-13, as a product and a sum may vanish, beside operands that do.
// That is little beside the values of a network, and much beside gradients, which a mean over a batch makes small: those are never
// summed so (lower.ts).
//
// The gain. On a device that does two f16 in the time of one f32, t products take t / 2 turns, adding them to an f32 one more, and
// widening them one, where it is not part of the addition: t = 4 gains nothing or a third, t = 8 a third or 1.6 times, t = 16 1.6 or
// 1.8 times at twice the bound. None of this is measured.

import type { Expr } from "../kernel.ts";
import type { FloatVector } from "./expr.ts";

/** What divides the products of an invocation, and is no more than `most`. */
export function termsTogether(products: number, most: number): number {
  let terms = Math.min(products, most);
  while (products % terms !== 0) terms--;
  return terms;
}

export const zeroOf = (type: FloatVector): Expr => ({
  op: "splat",
  type,
  a: { op: "literal", type: type === "f32x4" ? "f32" : "f16", value: 0 },
});

/** A short sum as four f32, exactly. */
export const widened = (name: string): Expr => ({
  op: "cast",
  type: "f32x4",
  a: { op: "local", type: "f16x4", name },
});
