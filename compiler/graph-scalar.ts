// What each element-wise function does to numbers, in double precision: the specification, used by the interpreter and by
// constant folding. In: the function, the dtype of its operands, numbers (bool: 0 or 1). Out: a number.

import type { DType, MapFn } from "./graph.ts";
import { roundHalf } from "./half.ts";

/** erf by Kummer's series, whose terms are all positive: erf x = 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (2n+1)!!. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** To the nearest integer, halves to the even one. */
function roundEven(x: number): number {
  const low = Math.floor(x);
  if (x - low !== 0.5) return Math.round(x);
  return low % 2 === 0 ? low : low + 1;
}

/** Towards zero, within the range of i32; NaN is 0. */
const truncate = (x: number): number =>
  Number.isNaN(x) ? 0 : Math.min(2147483647, Math.max(-2147483648, Math.trunc(x)));

/** The other operand when one is NaN. */
export const least = (a: number, b: number): number =>
  Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.min(a, b);
export const greatest = (a: number, b: number): number =>
  Number.isNaN(a) ? b : Number.isNaN(b) ? a : Math.max(a, b);

/** `dtype` is that of the operands (of the values, for select). i32 wraps around; i32 division by 0 gives 0. */
export function evaluateMap(fn: MapFn, dtype: DType, a: number, b: number, c: number): number {
  const whole = dtype === "i32";
  switch (fn) {
    case "neg":
      return whole ? -a | 0 : -a;
    case "abs":
      return whole ? Math.abs(a) | 0 : Math.abs(a);
    case "sign":
      return Math.sign(a);
    case "exp":
      return Math.exp(a);
    case "log":
      return Math.log(a);
    case "sqrt":
      return Math.sqrt(a);
    case "tanh":
      return Math.tanh(a);
    case "sin":
      return Math.sin(a);
    case "cos":
      return Math.cos(a);
    case "erf":
      return erf(a);
    case "sigmoid":
      return 1 / (1 + Math.exp(-a));
    case "floor":
      return Math.floor(a);
    case "ceil":
      return Math.ceil(a);
    case "round":
      return roundEven(a);
    case "not":
      return a === 0 ? 1 : 0;
    case "isnan":
      return Number.isNaN(a) ? 1 : 0;
    case "stop":
    case "f32":
      return a;
    case "i32":
      return truncate(a);
    case "bf16":
    case "f16":
      return roundHalf(fn, a);
    case "add":
      return whole ? (a + b) | 0 : a + b;
    case "sub":
      return whole ? (a - b) | 0 : a - b;
    case "mul":
      return whole ? Math.imul(a, b) : a * b;
    case "div":
      return whole ? (b === 0 ? 0 : Math.trunc(a / b) | 0) : a / b;
    case "mod":
      return whole ? (b === 0 ? 0 : (a % b) | 0) : a % b;
    case "min":
      return least(a, b);
    case "max":
      return greatest(a, b);
    case "pow":
      return Math.pow(a, b);
    case "lt":
      return a < b ? 1 : 0;
    case "le":
      return a <= b ? 1 : 0;
    case "eq":
      return a === b ? 1 : 0;
    case "ne":
      return a !== b ? 1 : 0;
    case "and":
      return a & b;
    case "or":
      return a | b;
    case "xor":
      return a ^ b;
    case "select":
      return a !== 0 ? b : c;
    default:
      return fn satisfies never;
  }
}
