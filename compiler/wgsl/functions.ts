// Functions that a shader needs besides WGSL's own. In: their names. Out: their texts, those they call first. Each exists for
// one number (`f32`) and for four (`vec4f`), from one text in which T, B, I and U stand for the types.
// WGSL leaves NaN, infinities and the accuracy of exp, sin or pow to the device; the kernel IR does not. So tests for NaN look
// at the bits, and elementary functions are polynomials with the coefficients of compiler/wasm/math.ts: exp and log after
// Cephes, tanh and erf rational as in Eigen. sin and cos take pi / 2 off in parts of a few bits, whose products are exact while
// |x| < 50,000; beyond, they lose digits. Results below the normal range may be zero.

import { threefryParity } from "../../runtime/random.ts";
import { threefryRounds } from "../c-like/threefry.ts";

export type FunctionName =
  | "is_nan"
  | "order_of"
  | "smaller"
  | "larger"
  | "sign_of"
  | "truncate"
  | "power_of_two"
  | "exp_of"
  | "log_of"
  | "lost"
  | "tanh_of"
  | "sin_of"
  | "cos_of"
  | "erf_of"
  | "pow_of"
  | "round_f16"
  | "round_bf16";

export type Width = "f32" | "vec4f";

interface Text {
  readonly calls: readonly FunctionName[];
  readonly text: string;
}

const horner = (x: string, coefficients: readonly number[]): string =>
  coefficients.slice(1).reduce((sum, each) => `fma(${sum}, ${x}, T(${each}))`, `T(${coefficients[0]})`);

/** pi / 2 in parts of nine bits, and what is left. */
const halfPi = [1.5703125, 0.00048351287841796875, 3.1385570764541626e-7, 6.077094383272197e-11];

/** x between two numbers; NaN stays. */
const within = (x: string, low: string, high: string): string =>
  `select(select(${x}, T(${high}), ${x} > T(${high})), T(${low}), ${x} < T(${low}))`;

/** sin(x + quarters pi / 2) */
const wave = (name: string, quarters: number): string => `
fn ${name}(x: T) -> T {
  let quarter = round(x * T(0.63661977));
  let rest = ${halfPi.reduce((rest, part) => `fma(quarter, T(${-part}), ${rest})`, "x")};
  let quadrant = I(quarter) + I(${quarters});
  let square = rest * rest;
  let sine = fma(${horner("square", [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1])} * square, rest, rest);
  let cosine = fma(${horner("square", [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2, -0.5])}, square, T(1.0));
  let size = select(sine, cosine, (quadrant & I(1)) == I(1));
  return select(size, -size, (quadrant & I(2)) == I(2));
}`;

const texts: Readonly<Record<FunctionName, Text>> = {
  is_nan: {
    calls: [],
    text: `
fn is_nan(x: T) -> B {
  return (bitcast<U>(x) & U(0x7fffffffu)) > U(0x7f800000u);
}`,
  },
  order_of: {
    calls: [],
    text: `
/// The bits as a number that is in order like x.
fn order_of(x: T) -> I {
  let bits = bitcast<I>(x);
  return bits ^ bitcast<I>(bitcast<U>(bits >> U(31u)) >> U(1u));
}`,
  },
  smaller: {
    calls: ["is_nan"],
    text: `
fn smaller(a: T, b: T) -> T {
  return select(a, b, is_nan(a) | ((b < a) & !is_nan(b)));
}`,
  },
  larger: {
    calls: ["is_nan"],
    text: `
fn larger(a: T, b: T) -> T {
  return select(a, b, is_nan(a) | ((b > a) & !is_nan(b)));
}`,
  },
  round_f16: {
    calls: ["is_nan"],
    text: `
/// To the nearest f16, ties to even: WGSL lets a conversion round either way. Below 2^-14 the last place is 2^-24.
fn round_f16(x: T) -> T {
  let bits = bitcast<U>(x);
  let size = bits & U(0x7fffffffu);
  let near = (size + U(0xfffu) + ((size >> U(13u)) & U(1u))) & U(0xffffe000u);
  let normal = select(near, U(0x7f800000u), near >= U(0x47800000u));
  let small = bitcast<U>(round(bitcast<T>(size) * T(16777216.0)) * T(5.9604644775390625e-8));
  let rounded = select(normal, small, size < U(0x38800000u));
  return select(bitcast<T>(rounded | (bits & U(0x80000000u))), x, is_nan(x));
}`,
  },
  round_bf16: {
    calls: ["is_nan"],
    text: `
/// To the nearest bf16, ties to even.
fn round_bf16(x: T) -> T {
  let bits = bitcast<U>(x);
  let near = (bits + U(0x7fffu) + ((bits >> U(16u)) & U(1u))) & U(0xffff0000u);
  return select(bitcast<T>(near), x, is_nan(x));
}`,
  },
  sign_of: {
    calls: ["is_nan"],
    text: `
fn sign_of(x: T) -> T {
  return select(select(select(T(0.0), T(-1.0), x < T(0.0)), T(1.0), x > T(0.0)), T(0.0), is_nan(x));
}`,
  },
  truncate: {
    calls: ["is_nan"],
    text: `
fn truncate(x: T) -> I {
  return select(select(I(x), I(2147483647), x >= T(2147483648.0)), I(0), is_nan(x));
}`,
  },
  power_of_two: {
    calls: [],
    text: `
/// 2^n for -127 <= n <= 127; 0 for -127.
fn power_of_two(n: I) -> T {
  return bitcast<T>((n + I(127)) << U(23u));
}`,
  },
  exp_of: {
    calls: ["is_nan", "power_of_two"],
    text: `
/// In two halves, because 2^128 is no number.
fn exp_of(x: T) -> T {
  let bounded = ${within("x", "-87.0", "89.0")};
  let n = round(bounded * T(1.442695));
  let r = fma(n, T(2.1219444e-4), fma(n, T(-0.693359375), bounded));
  let tail = ${horner("r", [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1])};
  let half = (fma(tail, r * r, r) + T(1.0)) * power_of_two(I(n) - I(1));
  return select(select(half + half, T(0.0), x < T(-86.9)), x, is_nan(x));
}`,
  },
  log_of: {
    calls: ["is_nan"],
    text: `
fn log_of(x: T) -> T {
  let small = x < T(1.17549435e-38);
  let normal = bitcast<I>(select(x, x * T(8388608.0), small));
  // Taking off the bits of sqrt(1/2) makes the exponent round as wanted.
  let exponent = (normal - I(0x3f3504f3)) >> U(23u);
  let e = T(exponent) - select(T(0.0), T(23.0), small);
  let f = bitcast<T>(normal - (exponent << U(23u))) - T(1.0);
  let square = f * f;
  let tail = ${horner("f", [7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1])};
  let rest = fma(square, T(-0.5), fma(e, T(-2.1219444e-4), tail * square * f));
  let finite = fma(e, T(0.693359375), f + rest);
  let bits = bitcast<U>(x);
  let positive = select(finite, x, bits >= U(0x7f800000u));
  let infinity = T(launch.infinity);
  let real = select(positive, -infinity, x == T(0.0));
  return select(real, T(launch.nan), (x < T(0.0)) | is_nan(x));
}`,
  },
  tanh_of: {
    calls: ["is_nan"],
    text: `
fn tanh_of(x: T) -> T {
  let bounded = ${within("x", "-7.9053111", "7.9053111")};
  let square = bounded * bounded;
  let above = ${horner("square", [-2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-8, 1.48572235717979e-5, 6.37261928875436e-4, 4.89352455891786e-3])};
  let below = ${horner("square", [1.19825839466702e-6, 1.18534705686654e-4, 2.268434632439e-3, 4.89352518554385e-3])};
  return select(bounded * above / below, x, (abs(x) < T(4e-4)) | is_nan(x));
}`,
  },
  erf_of: {
    calls: ["is_nan"],
    text: `
fn erf_of(x: T) -> T {
  let bounded = ${within("x", "-4.0", "4.0")};
  let square = bounded * bounded;
  let above = ${horner("square", [-2.72614225801306e-10, 2.77068142495902e-8, -2.10102402082508e-6, -5.69250639462346e-5, -7.34990630326855e-4, -2.95459980854025e-3, -1.60960333262415e-2])};
  let below = ${horner("square", [-1.45660718464996e-5, -2.13374055278905e-4, -1.68282697438203e-3, -7.37332916720468e-3, -1.42647390514189e-2])};
  let ratio = bounded * above / below;
  return select(${within("ratio", "-1.0", "1.0")}, x, is_nan(x));
}`,
  },
  sin_of: { calls: [], text: wave("sin_of", 0) },
  cos_of: { calls: [], text: wave("cos_of", 1) },
  lost: {
    calls: [],
    text: `
/// What rounding took from the product a b (Dekker 1971): devices need not fuse an fma.
fn lost(a: T, b: T, product: T) -> T {
  let a_high = bitcast<T>(bitcast<U>(a) & U(0xfffff000u));
  let b_high = bitcast<T>(bitcast<U>(b) & U(0xfffff000u));
  let a_low = a - a_high;
  let b_low = b - b_high;
  return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
}`,
  },
  pow_of: {
    calls: ["exp_of", "lost", "is_nan"],
    text: `
/// exp(b log |a|), the logarithm and the product as a sum of two numbers each, with the signs and zeros of the real function.
/// A device that reorders sums loses the second numbers, and then up to |b log a| units in the last place.
fn pow_of(a: T, b: T) -> T {
  let size = abs(a);
  let small = size < T(1.17549435e-38);
  let normal = bitcast<I>(select(size, size * T(8388608.0), small));
  let exponent = (normal - I(0x3f3504f3)) >> U(23u);
  let e = T(exponent) - select(T(0.0), T(23.0), small);
  // log m = 2 atanh s, s = (m - 1) / (m + 1), as s and the remainder of the division
  let m = bitcast<T>(normal - (exponent << U(23u)));
  let above = m - T(1.0);
  let below = m + T(1.0);
  let s = above / below;
  let product = s * below;
  let s_low = ((above - product) - lost(s, below, product) - s * (m - (below - T(1.0)))) / below;
  let square = s * s;
  let tail = ${horner("square", [2 / 13, 2 / 11, 2 / 9, 2 / 7, 2 / 5, 2 / 3])} * square * s;
  let first = e * T(0.693359375);
  let log_high = first + T(2.0) * s;
  let log_low = T(2.0) * s - (log_high - first) + fma(e, T(-2.1219444e-4), fma(T(2.0), s_low, tail));
  let power = b * log_high;
  let error = lost(b, log_high, power) + b * log_low;
  let high = power + error;
  let low = error - (high - power);
  let wide = abs(high) > T(104.0);
  let infinity = T(launch.infinity);
  let regular = exp_of(high) * (T(1.0) + select(low, T(0.0), wide));
  let large = size == infinity;
  let grows = select(b > T(0.0), b < T(0.0), size == T(0.0));
  let extreme = select(T(0.0), infinity, grows);
  let magnitude = select(regular, extreme, large | (size == T(0.0)));
  let whole = floor(b) == b;
  let odd = whole & (floor(b * T(0.5)) != b * T(0.5));
  let signed = select(magnitude, -magnitude, odd & (bitcast<I>(a) < I(0)));
  let nan = T(launch.nan);
  let far = abs(b) == infinity;
  // infinite exponents: 1 has no direction
  let endless = select(select(T(0.0), infinity, (size > T(1.0)) == (b > T(0.0))), nan, size == T(1.0));
  let real = select(signed, endless, far);
  let broken = is_nan(a) | is_nan(b) | ((a < T(0.0)) & !large & !whole & !far);
  return select(select(real, nan, broken), T(1.0), b == T(0.0));
}`,
  },
};

/** What all of them are called, for one number and for four. */
export const functionNames = (): readonly string[] =>
  (Object.keys(texts) as FunctionName[]).flatMap((name) => [
    functionName(name, "f32"),
    functionName(name, "vec4f"),
  ]);

/** Whether it needs infinity from the launch: no shader may spell it. */
export const readsLaunch = (name: FunctionName): boolean =>
  name === "log_of" || name === "pow_of" || texts[name].calls.some(readsLaunch);

const types: Readonly<Record<Width, Readonly<Record<"T" | "B" | "I" | "U", string>>>> = {
  f32: { T: "f32", B: "bool", I: "i32", U: "u32" },
  vec4f: { T: "vec4<f32>", B: "vec4<bool>", I: "vec4<i32>", U: "vec4<u32>" },
};

/** What a call is called: `exp_of`, or `exp_of4`. */
export const functionName = (name: FunctionName, width: Width): string =>
  width === "f32" ? name : `${name}4`;

/** The texts of these functions and of all that they call, each once, callees first. */
export function functionTexts(used: Iterable<readonly [FunctionName, Width]>): readonly string[] {
  const done = new Map<string, string>();
  const visit = (name: FunctionName, width: Width): void => {
    const shown = functionName(name, width);
    if (done.has(shown)) return;
    const { calls, text } = texts[name];
    for (const called of calls) visit(called, width);
    let printed = text.trim();
    for (const [letter, type] of Object.entries(types[width]))
      printed = printed.replaceAll(new RegExp(`\\b${letter}\\b`, "g"), type);
    // One number needs no constructor around a literal.
    if (width === "f32")
      printed = printed.replaceAll(/\b[fiu]32\((-?[\d.]+(?:e-?\d+)?|(?:0x)?[\da-f]+u)\)/g, "$1");
    else
      for (const own of [name, ...calls])
        printed = printed.replaceAll(new RegExp(`\\b${own}\\(`, "g"), `${own}4(`);
    done.set(shown, printed);
  };
  for (const [name, width] of used) visit(name, width);
  return [...done.values()];
}

/** Threefry-2x32 with 20 rounds, first word; see runtime/random.ts. */
export const threefryText = (): string => {
  return [
    "/// Threefry-2x32-20 (Salmon et al. 2011), first word.",
    "fn threefry(first: i32, second: i32, counter: i32, stream: i32) -> u32 {",
    "  let key0 = bitcast<u32>(first);",
    "  let key1 = bitcast<u32>(second);",
    `  let key2 = 0x${threefryParity.toString(16)}u ^ key0 ^ key1;`,
    "  var x = bitcast<u32>(counter) + key0;",
    "  var y = bitcast<u32>(stream) + key1;",
    ...threefryRounds((by) => `((y << ${by}u) | (y >> ${32 - by}u))`),
    "  return x;",
    "}",
  ].join("\n");
};
