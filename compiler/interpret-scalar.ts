// The meaning of the kernel's scalar functions, in f32 and f16 rounded from double precision: the specification that the targets
// are tested against. Numbers in, numbers out; booleans are 0 and 1. Knows nothing of memory or statements.
// Sums and products of two f16 are exact in double precision, so that they are rounded once.

import { roundHalf } from "./half.ts";
import type { BinaryFn, ScalarType, UnaryFn } from "./kernel.ts";

/** The error function to double precision: a series near zero, a continued fraction of its complement beyond. */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (Number.isNaN(x)) return NaN;
  if (size > 6) return Math.sign(x);
  if (size < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= -(x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (size + fraction);
  return Math.sign(x) * (1 - Math.exp(-size * size) / Math.sqrt(Math.PI) / (size + fraction));
}

function roundHalfToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

const functions: Record<UnaryFn, (x: number) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  tanh: Math.tanh,
  sin: Math.sin,
  cos: Math.cos,
  erf,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfToEven,
  // NaN has no sign
  sign: (x) => (x > 0 ? 1 : x < 0 ? -1 : 0),
  not: (x) => 1 - x,
  isnan: (x) => Number(Number.isNaN(x)),
  order: (x) => {
    const [bits] = new Int32Array(Float32Array.of(x).buffer) as unknown as [number];
    return bits < 0 ? bits ^ 0x7fffffff : bits;
  },
  bf16: (x) => roundHalf("bf16", x),
  f16: (x) => roundHalf("f16", x),
};

const isFloat = (type: ScalarType): type is "f32" | "f16" => type === "f32" || type === "f16";
/** The nearest number of the type. */
const nearest = (type: "f32" | "f16", x: number): number =>
  type === "f32" ? Math.fround(x) : roundHalf(type, x);

/** `type` is the operand's. */
export function applyUnary(fn: UnaryFn, type: ScalarType, x: number): number {
  const result = functions[fn](x);
  return isFloat(type) && fn !== "order" ? nearest(type, result) : result | 0;
}

function smaller(a: number, b: number): number {
  return Number.isNaN(a) || b < a ? b : a;
}
function larger(a: number, b: number): number {
  return Number.isNaN(a) || b > a ? b : a;
}

export function applyBinary(fn: BinaryFn, type: ScalarType, a: number, b: number): number {
  switch (fn) {
    case "lt":
      return Number(a < b);
    case "le":
      return Number(a <= b);
    case "eq":
      return Number(a === b);
    case "ne":
      return Number(a !== b);
    case "min":
      return smaller(a, b);
    case "max":
      return larger(a, b);
    default:
      return isFloat(type) ? nearest(type, floatBinary(fn, a, b)) : wholeBinary(fn, a, b) | 0;
  }
}

/**
 * a * b + c, rounded once. Of f16 as well: where the sum has more digits than double precision holds, one side is so much smaller
 * than the other that the nearest f16 is that of the larger.
 */
export const multiplyAdd = (type: "f32" | "f16", a: number, b: number, c: number): number =>
  nearest(type, a * b + c);

function floatBinary(fn: BinaryFn, a: number, b: number): number {
  if (fn === "add") return a + b;
  if (fn === "sub") return a - b;
  if (fn === "mul") return a * b;
  if (fn === "div") return a / b;
  if (fn === "pow") return a ** b;
  throw new Error(`internal: no ${fn} of f32`);
}

function wholeBinary(fn: BinaryFn, a: number, b: number): number {
  switch (fn) {
    case "add":
      return a + b;
    case "sub":
      return a - b;
    case "mul":
      return Math.imul(a, b);
    case "div":
    case "mod":
      if (a < 0 || b <= 0)
        throw new Error(`internal: ${a} ${fn} ${b}: whole division is for non-negative numbers`);
      return fn === "div" ? Math.trunc(a / b) : a % b;
    case "and":
      return a & b;
    case "or":
      return a | b;
    case "xor":
      return a ^ b;
    case "shl":
      return a << b;
    case "shr":
      return a >> b;
    default:
      throw new Error(`internal: no ${fn} of i32`);
  }
}

export function applyCast(from: ScalarType, to: ScalarType, x: number): number {
  if (from === to) return x;
  if (isFloat(to)) return nearest(to, x);
  if (from === "bool") return x;
  if (Number.isNaN(x)) return 0;
  return Math.max(-2147483648, Math.min(2147483647, Math.trunc(x)));
}
