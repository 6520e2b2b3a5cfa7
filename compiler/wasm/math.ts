// Elementary functions on four f32 lanes, as values of a flow. In: a v128 value. Out: a v128 value. Scalars go through
// lane 0 of the same code, so that a vector body and its scalar tail agree to the last bit.
// Polynomials: exp and log after Cephes (expf, logf), tanh and erf rational as in Eigen, sin and cos after Cephes with the
// reduction done in double precision. Errors are a few units in the last place; results below the normal range may be zero.
// `pow` is exp(b log |a|), the product in double precision, with the signs and zeros of the real function.

import { threefryParity, threefryRotations } from "../../runtime/random.ts";
import type { Flow, Value } from "./flow.ts";
import { lane, operation, shuffle, v128, i32, selectValue } from "./values.ts";
import type { Instruction } from "./instructions.ts";

export type MathFn = "exp" | "log" | "tanh" | "sin" | "cos" | "erf";

const bits = new DataView(new ArrayBuffer(8));

/** The bits of a number as f32. */
export function floatWord(value: number): number {
  bits.setFloat32(0, value);
  return bits.getInt32(0);
}

/** All lanes the same. */
export function f32x4(at: Flow, value: number): Value {
  const word = floatWord(value);
  return v128(at, [word, word, word, word]);
}
export function i32x4(at: Flow, value: number): Value {
  const word = value | 0;
  return v128(at, [word, word, word, word]);
}
function f64x2(at: Flow, value: number): Value {
  bits.setFloat64(0, value);
  const [high, low] = [bits.getInt32(0), bits.getInt32(4)];
  return v128(at, [low, high, low, high]);
}

const op = (at: Flow, name: Instruction, ...args: readonly Value[]): Value => operation(at, name, ...args);
const add = (at: Flow, a: Value, b: Value): Value => op(at, "f32x4.add", a, b);
const sub = (at: Flow, a: Value, b: Value): Value => op(at, "f32x4.sub", a, b);
const mul = (at: Flow, a: Value, b: Value): Value => op(at, "f32x4.mul", a, b);

/** a * b + c, in one rounding where the engine has it. */
export const multiplyAdd = (at: Flow, a: Value, b: Value, c: Value): Value =>
  op(at, "f32x4.relaxed_madd", a, b, c);

/** a where the mask is set, else b; lanes of the mask are all ones or all zeros. */
export const choose = (at: Flow, a: Value, b: Value, mask: Value): Value =>
  op(at, "i32x4.relaxed_laneselect", a, b, mask);

/** Coefficients from the highest power down. */
function polynomial(at: Flow, x: Value, coefficients: readonly number[]): Value {
  const [first, ...rest] = coefficients.map((coefficient) => f32x4(at, coefficient));
  return rest.reduce((sum, coefficient) => multiplyAdd(at, sum, x, coefficient), first!);
}

const infinity = Infinity;
/** Adding it leaves the nearest integer in the low bits of the mantissa. */
const rounder = 12582912;

/** x = n ln 2 + r; e^x = 2^n e^r, scaled in two steps so that 2^128 never occurs. Below e^-87 the result is zero. */
function exp(at: Flow, x: Value): Value {
  const bounded = op(at, "f32x4.pmin", x, f32x4(at, 89));
  const shifted = multiplyAdd(at, bounded, f32x4(at, Math.LOG2E), f32x4(at, rounder));
  const n = sub(at, shifted, f32x4(at, rounder));
  const high = multiplyAdd(at, n, f32x4(at, -0.693359375), bounded);
  const r = multiplyAdd(at, n, f32x4(at, 2.1219444e-4), high);
  return scaledExp(at, r, shifted, x);
}

/** 2^n e^r for |r| <= ln(2) / 2, with n in the low bits of `exponent`; zero where x < -86.9. */
function scaledExp(at: Flow, r: Value, exponent: Value, x: Value): Value {
  const tail = polynomial(
    at,
    r,
    [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1],
  );
  const power = add(at, multiplyAdd(at, tail, mul(at, r, r), r), f32x4(at, 1));
  const halfScale = op(at, "i32x4.add", op(at, "i32x4.shl", exponent, i32(at, 23)), i32x4(at, 126 << 23));
  const half = mul(at, power, halfScale);
  return op(at, "v128.andnot", add(at, half, half), op(at, "f32x4.lt", x, f32x4(at, -86.9)));
}

/** x = 2^e m with m in [sqrt(1/2), sqrt(2)), for finite x > 0; for others e and m are some finite numbers. */
function parts(at: Flow, x: Value): { e: Value; mantissa: Value } {
  const isSmall = op(at, "f32x4.lt", x, f32x4(at, 2 ** -126));
  const normal = choose(at, mul(at, x, f32x4(at, 2 ** 23)), x, isSmall);
  // subtracting sqrt(1/2)'s bits makes the exponent round as wanted
  const root = 0x3f3504f3;
  const offset = op(at, "i32x4.sub", normal, i32x4(at, root));
  const exponent = op(at, "i32x4.shr_s", offset, i32(at, 23));
  const mantissa = op(at, "i32x4.sub", normal, op(at, "i32x4.shl", exponent, i32(at, 23)));
  const e = sub(at, op(at, "f32x4.convert_i32x4_s", exponent), op(at, "v128.and", isSmall, f32x4(at, 23)));
  return { e, mantissa };
}

function log(at: Flow, x: Value): Value {
  const { e, mantissa } = parts(at, x);
  const f = sub(at, mantissa, f32x4(at, 1));
  const square = mul(at, f, f);
  const tail = polynomial(
    at,
    f,
    [
      7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
      2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    ],
  );
  const cubic = mul(at, mul(at, tail, square), f);
  const low = multiplyAdd(at, e, f32x4(at, -2.1219444e-4), cubic);
  const rest = multiplyAdd(at, square, f32x4(at, -0.5), low);
  const finite = multiplyAdd(at, e, f32x4(at, 0.693359375), add(at, f, rest));
  const top = op(at, "f32x4.lt", x, f32x4(at, infinity));
  // infinity and NaN stay what they are; a negative number gives NaN, zero gives -infinity
  const positive = choose(at, finite, x, top);
  const negative = op(at, "f32x4.lt", x, f32x4(at, 0));
  const isZero = op(at, "f32x4.eq", x, f32x4(at, 0));
  return choose(at, f32x4(at, -infinity), op(at, "v128.or", positive, negative), isZero);
}

const clamp = (at: Flow, x: Value, bound: number): Value =>
  op(at, "f32x4.pmax", op(at, "f32x4.pmin", x, f32x4(at, bound)), f32x4(at, -bound));

function tanh(at: Flow, x: Value): Value {
  const bounded = clamp(at, x, 7.90531110763549805);
  const square = mul(at, bounded, bounded);
  const above = polynomial(
    at,
    square,
    [
      -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-8,
      1.48572235717979e-5, 6.37261928875436e-4, 4.89352455891786e-3,
    ],
  );
  const below = polynomial(
    at,
    square,
    [1.19825839466702e-6, 1.18534705686654e-4, 2.268434632439e-3, 4.89352518554385e-3],
  );
  const ratio = op(at, "f32x4.div", mul(at, bounded, above), below);
  const tiny = op(at, "f32x4.lt", op(at, "f32x4.abs", x), f32x4(at, 4e-4));
  return choose(at, x, ratio, tiny);
}

function erf(at: Flow, x: Value): Value {
  const bounded = clamp(at, x, 4);
  const square = mul(at, bounded, bounded);
  const above = polynomial(
    at,
    square,
    [
      -2.72614225801306e-10, 2.77068142495902e-8, -2.10102402082508e-6, -5.69250639462346e-5,
      -7.34990630326855e-4, -2.95459980854025e-3, -1.60960333262415e-2,
    ],
  );
  const below = polynomial(
    at,
    square,
    [
      -1.45660718464996e-5, -2.13374055278905e-4, -1.68282697438203e-3, -7.37332916720468e-3,
      -1.42647390514189e-2,
    ],
  );
  return clamp(at, op(at, "f32x4.div", mul(at, bounded, above), below), 1);
}

const upperHalf = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];
const lowerHalves = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];

/** sin(x + quarters * pi / 2). */
function wave(at: Flow, x: Value, quarters: number): Value {
  const reduce = (half: Value): { quadrant: Value; rest: Value } => {
    const wide = op(at, "f64x2.promote_low_f32x4", half);
    const turns = op(at, "f64x2.nearest", op(at, "f64x2.mul", wide, f64x2(at, 2 / Math.PI)));
    const rest = op(at, "f64x2.sub", wide, op(at, "f64x2.mul", turns, f64x2(at, Math.PI / 2)));
    return {
      quadrant: op(at, "i32x4.trunc_sat_f64x2_s_zero", turns),
      rest: op(at, "f32x4.demote_f64x2_zero", rest),
    };
  };
  const low = reduce(x);
  const high = reduce(shuffle(at, x, x, upperHalf));
  const rest = shuffle(at, low.rest, high.rest, lowerHalves);
  const quadrant = op(
    at,
    "i32x4.add",
    shuffle(at, low.quadrant, high.quadrant, lowerHalves),
    i32x4(at, quarters),
  );
  const square = mul(at, rest, rest);
  const sinTail = polynomial(at, square, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]);
  const sine = multiplyAdd(at, mul(at, sinTail, square), rest, rest);
  const cosTail = polynomial(
    at,
    square,
    [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2, -0.5],
  );
  const cosine = multiplyAdd(at, cosTail, square, f32x4(at, 1));
  const odd = op(at, "i32x4.eq", op(at, "v128.and", quadrant, i32x4(at, 1)), i32x4(at, 1));
  const sign = op(at, "i32x4.shl", op(at, "v128.and", quadrant, i32x4(at, 2)), i32(at, 30));
  return op(at, "v128.xor", choose(at, cosine, sine, odd), sign);
}

export function mathOf(at: Flow, fn: MathFn, x: Value): Value {
  switch (fn) {
    case "exp":
      return exp(at, x);
    case "log":
      return log(at, x);
    case "tanh":
      return tanh(at, x);
    case "sin":
      return wave(at, x, 0);
    case "cos":
      return wave(at, x, 1);
    case "erf":
      return erf(at, x);
    default:
      return fn satisfies never;
  }
}

/** n and r of e^y = 2^n e^r, and y, for y = b log x, all in double precision until the end: an error of y is one of e^y. */
function powerParts(at: Flow, x: Value, b: Value): { n: Value; r: Value; y: Value } {
  const { e, mantissa } = parts(at, x);
  const finite = choose(at, e, x, op(at, "f32x4.lt", x, f32x4(at, infinity)));
  const exponent = choose(at, f32x4(at, -infinity), finite, op(at, "f32x4.eq", x, f32x4(at, 0)));
  const two = (name: Instruction, a: Value, other: Value | number): Value =>
    op(at, name, a, typeof other === "number" ? f64x2(at, other) : other);
  const half = (lanes: (whole: Value) => Value): { n: Value; r: Value; y: Value } => {
    const wide = (whole: Value): Value => op(at, "f64x2.promote_low_f32x4", lanes(whole));
    // log m = 2 atanh s = 2 s (1 + s^2 / 3 + s^4 / 5 + ...), s = (m - 1) / (m + 1)
    const m = wide(mantissa);
    const s = two("f64x2.div", two("f64x2.sub", m, 1), two("f64x2.add", m, 1));
    const square = two("f64x2.mul", s, s);
    let sum = f64x2(at, 2 / 13);
    for (const odd of [11, 9, 7, 5, 3, 1]) sum = two("f64x2.add", two("f64x2.mul", sum, square), 2 / odd);
    const log = two("f64x2.add", two("f64x2.mul", wide(exponent), Math.LN2), two("f64x2.mul", s, sum));
    const y = two("f64x2.pmax", two("f64x2.pmin", two("f64x2.mul", wide(b), log), 89), -100);
    const n = op(at, "f64x2.nearest", two("f64x2.mul", y, Math.LOG2E));
    const r = two("f64x2.sub", y, two("f64x2.mul", n, Math.LN2));
    return {
      n: op(at, "i32x4.trunc_sat_f64x2_s_zero", n),
      r: op(at, "f32x4.demote_f64x2_zero", r),
      y: op(at, "f32x4.demote_f64x2_zero", y),
    };
  };
  const low = half((whole) => whole);
  const high = half((whole) => shuffle(at, whole, whole, upperHalf));
  const both = (name: "n" | "r" | "y"): Value => shuffle(at, low[name], high[name], lowerHalves);
  return { n: both("n"), r: both("r"), y: both("y") };
}

/** a to the power b as IEEE and JavaScript have it: pow(x, 0) = 1, signs for odd whole b, NaN for other roots of negatives. */
export function pow(at: Flow, a: Value, b: Value): Value {
  const { n, r, y } = powerParts(at, op(at, "f32x4.abs", a), b);
  const size = scaledExp(at, r, n, y);
  const isWhole = op(at, "f32x4.eq", op(at, "f32x4.floor", b), b);
  const half = mul(at, b, f32x4(at, 0.5));
  const isOdd = op(at, "v128.and", isWhole, op(at, "f32x4.ne", op(at, "f32x4.floor", half), half));
  const sign = op(at, "v128.and", op(at, "v128.and", a, i32x4(at, 0x80000000)), isOdd);
  // a finite negative base with a broken exponent
  const broken = op(
    at,
    "v128.andnot",
    op(at, "v128.and", op(at, "f32x4.lt", a, f32x4(at, 0)), op(at, "f32x4.gt", a, f32x4(at, -infinity))),
    isWhole,
  );
  const real = op(at, "v128.or", op(at, "v128.xor", size, sign), broken);
  return choose(at, f32x4(at, 1), real, op(at, "f32x4.eq", b, f32x4(at, 0)));
}

/** Smaller or larger operand; the other one when one is NaN. On a tie (0 and -0) the first, or `b` if that is a number. */
export function extreme(
  at: Flow,
  fn: "min" | "max",
  a: Value,
  b: Value,
  constants: { a: boolean; b: boolean },
): Value {
  const name = fn === "min" ? "f32x4.pmin" : "f32x4.pmax";
  // pmin(p, q) is q < p ? q : p, so that a NaN in q gives p
  if (constants.a) return op(at, name, a, b);
  if (constants.b) return op(at, name, b, a);
  return choose(at, b, op(at, name, a, b), op(at, "f32x4.ne", a, a));
}

/** Threefry-2x32-20, first output word; see runtime/random.ts. */
export function threefry(at: Flow, key0: Value, key1: Value, counter: Value, stream: Value): Value {
  const third = op(at, "i32.xor", op(at, "i32.xor", key0, key1), i32(at, threefryParity));
  const keys = [key0, key1, third];
  let x = op(at, "i32.add", counter, key0);
  let y = op(at, "i32.add", stream, key1);
  for (let round = 0; round < 20; round++) {
    x = op(at, "i32.add", x, y);
    y = op(at, "i32.xor", op(at, "i32.rotl", y, i32(at, threefryRotations[round % 8]!)), x);
    if (round % 4 === 3) {
      const injection = (round + 1) / 4;
      x = op(at, "i32.add", x, keys[injection % 3]!);
      y = op(at, "i32.add", op(at, "i32.add", y, keys[(injection + 1) % 3]!), i32(at, injection));
    }
  }
  return x;
}

/** For a scalar condition. */
export const either = (at: Flow, a: Value, b: Value, condition: Value): Value =>
  selectValue(at, a, b, condition);
export const firstLane = (at: Flow, x: Value): Value => lane(at, "f32x4.extract_lane", 0, x);
