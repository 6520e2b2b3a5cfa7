// Every function of the Kernel IR on edge values: WebAssembly against the interpreter, scalar against vector (to the bit),
// with and without relaxed SIMD.

import { describe, expect, test } from "vitest";
import { runKernel } from "../compiler/interpret-kernel.ts";
import { applyUnary } from "../compiler/interpret-scalar.ts";
import type { BinaryFn, Expr, Kernel, UnaryFn, ValueType } from "../compiler/kernel.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import {
  close,
  dense,
  floats,
  pairsOf,
  powers,
  quotients,
  shifts,
  single,
  wholes,
} from "./helpers/edge-values.ts";
import { binary, buffer, i, kernel, load, local, loop, store } from "./helpers/kernels.ts";
import { runOnWasm, type Buffers } from "./helpers/wasm.ts";

/** Relative error allowed against double precision, where the result is not exact. */
const tolerance: Partial<Record<string, number>> = {
  exp: 3e-7,
  log: 3e-7,
  tanh: 5e-7,
  sin: 5e-7,
  cos: 5e-7,
  erf: 5e-7,
  pow: 3e-7,
};

/** Results below the normal range may be zero, and a sum that is near the largest number may overflow. */
const belowNormal = 2e-38;

type Make = (type: ValueType, operands: readonly Expr[]) => Expr;

/** out = make(a, b) for all pairs given, scalars and then vectors of four. */
function both(element: "f32" | "i32", out: "f32" | "i32", count: number, make: Make): Kernel[] {
  return [1, 4].map((width) => {
    const type = (width === 4 ? `${element}x4` : element) as "f32";
    const at = local("at", "i32");
    const kernelOf = kernel({
      buffers: [
        buffer("a", "read", count, element),
        buffer("b", "read", count, element),
        buffer("out", "write", count, out),
      ],
      body: [
        loop(
          "at",
          i(count),
          [store("out", at, make(type, [load("a", at, type), load("b", at, type)]))],
          i(0),
          width,
        ),
      ],
    });
    verifyKernel(kernelOf);
    return kernelOf;
  });
}

function compare(
  element: "f32" | "i32",
  out: "f32" | "i32",
  pairs: readonly (readonly [number, number])[],
  make: Make,
  relative: number,
): void {
  const arrays = { f32: Float32Array, i32: Int32Array };
  const buffers = (): Buffers =>
    new Map([
      ["a", arrays[element].from(pairs.map(([a]) => a))],
      ["b", arrays[element].from(pairs.map(([, b]) => b))],
      ["out", new arrays[out](pairs.length)],
    ]);
  const [scalar, vector] = both(element, out, pairs.length, make);
  const expected = buffers();
  runKernel(scalar!, expected, {});
  const vectorExpected = buffers();
  runKernel(vector!, vectorExpected, {});
  expect(vectorExpected.get("out")).toEqual(expected.get("out"));
  for (const relaxed of [false, true]) {
    const actual = buffers();
    runOnWasm(scalar!, actual, {}, { relaxed });
    const vectorActual = buffers();
    runOnWasm(vector!, vectorActual, {}, { relaxed });
    pairs.forEach(([a, b], at) => {
      const [got, wide, want] = [actual, vectorActual, expected].map((map) => map.get("out")![at]!);
      expect(
        close(got!, want!, relative, belowNormal),
        `${relaxed ? "relaxed " : ""}(${a}, ${b}): ${got} for ${want}`,
      ).toBe(true);
      expect(Object.is(got, wide) || got === wide, `scalar ${got}, vector ${wide} at (${a}, ${b})`).toBe(
        true,
      );
    });
  }
}

const boolToNumber = (type: ValueType, out: "f32" | "i32", a: Expr): Expr => ({
  op: "cast",
  type: (type.endsWith("x4") ? `${out}x4` : out) as ValueType,
  a,
});
const isFloat = (type: ValueType): boolean => type.startsWith("f32");

describe("unary functions", () => {
  const floatFns: UnaryFn[] = [
    "neg",
    "abs",
    "exp",
    "log",
    "sqrt",
    "tanh",
    "sin",
    "cos",
    "erf",
    "floor",
    "ceil",
    "round",
    "sign",
  ];
  test.each(floatFns)("%s of f32", (fn) => {
    const values =
      fn === "sin" || fn === "cos"
        ? floats.filter((x) => !(Math.abs(x) > 1e9 && Math.abs(x) < Infinity))
        : floats;
    compare(
      "f32",
      "f32",
      single([...values, ...dense(800)]),
      (type, [a]) => ({ op: "unary", type, fn, a: a! }),
      tolerance[fn] ?? 0,
    );
  });
  test("isnan and not of f32 comparisons", () => {
    compare(
      "f32",
      "i32",
      single(floats),
      (type, [a]) => {
        const bool = type === "f32" ? "bool" : "boolx4";
        const nan: Expr = { op: "unary", type: bool, fn: "isnan", a: a! };
        return boolToNumber(type, "i32", { op: "unary", type: bool, fn: "not", a: nan });
      },
      0,
    );
  });
  test("order of f32 is that of its numbers", () => {
    const numbers = floats.filter((x) => !Number.isNaN(x));
    compare(
      "f32",
      "i32",
      single(numbers),
      (type, [a]) => ({ op: "unary", type: type === "f32" ? "i32" : "i32x4", fn: "order", a: a! }),
      0,
    );
    const rising = [...numbers].sort((a, b) => a - b).map((x) => applyUnary("order", "f32", Math.fround(x)));
    expect(rising.filter((x) => x !== -1 && x !== 0)).toEqual(
      rising.filter((x) => x !== -1 && x !== 0).sort((a, b) => a - b),
    );
  });
  test.each(["neg", "abs", "sign"] as const)("%s of i32", (fn) => {
    compare("i32", "i32", single(wholes), (type, [a]) => ({ op: "unary", type, fn, a: a! }), 0);
  });
});

describe("binary functions", () => {
  test.each(["add", "sub", "mul", "div", "min", "max"] as const)("%s of f32", (fn) => {
    compare("f32", "f32", pairsOf(floats), (_, [a, b]) => binary(fn, a!, b!), 0);
  });
  test.each(["lt", "le", "eq", "ne"] as const)("%s of f32 and i32", (fn) => {
    compare(
      "f32",
      "f32",
      pairsOf(floats),
      (type, [a, b]) => boolToNumber(type, "f32", binary(fn, a!, b!)),
      0,
    );
    compare(
      "i32",
      "i32",
      pairsOf(wholes),
      (type, [a, b]) => boolToNumber(type, "i32", binary(fn, a!, b!)),
      0,
    );
  });
  test("pow of f32", () => {
    compare("f32", "f32", powers, (_, [a, b]) => binary("pow", a!, b!), tolerance["pow"]!);
  });
  test.each(["add", "sub", "mul", "min", "max", "and", "or", "xor"] as const)("%s of i32", (fn: BinaryFn) => {
    compare("i32", "i32", pairsOf(wholes), (_, [a, b]) => binary(fn, a!, b!), 0);
  });
  test.each(["div", "mod"] as const)("%s of non-negative i32", (fn) => {
    compare("i32", "i32", quotients, (_, [a, b]) => binary(fn, a!, b!), 0);
    for (const by of [1, 2, 3, 16, 100])
      compare(
        "i32",
        "i32",
        quotients,
        (type, [a]) => binary(fn, a!, type === "i32" ? i(by) : ({ op: "splat", type, a: i(by) } as Expr)),
        0,
      );
  });
  test.each(["shl", "shr"] as const)("%s of i32", (fn) => {
    compare("i32", "i32", shifts, (_, [a, b]) => binary(fn, a!, b!), 0);
  });
  test.each(["min", "max"] as const)("%s with a literal keeps the other operand's place of a NaN", (fn) => {
    const literal = (type: ValueType): Expr => {
      const zero: Expr = { op: "literal", type: "f32", value: 0.5 };
      return type === "f32" ? zero : { op: "splat", type: "f32x4", a: zero };
    };
    compare("f32", "f32", single(floats), (type, [a]) => binary(fn, a!, literal(type)), 0);
    compare("f32", "f32", single(floats), (type, [a]) => binary(fn, literal(type), a!), 0);
  });
});

describe("the rest", () => {
  test("casts truncate and saturate", () => {
    compare(
      "f32",
      "i32",
      single(floats),
      (type, [a]) => ({ op: "cast", type: type === "f32" ? "i32" : "i32x4", a: a! }),
      0,
    );
    compare(
      "i32",
      "f32",
      single(wholes),
      (type, [a]) => ({ op: "cast", type: type === "i32" ? "f32" : "f32x4", a: a! }),
      0,
    );
  });
  test("selection and logic on masks", () => {
    compare(
      "f32",
      "f32",
      pairsOf(floats),
      (type, [a, b]) => {
        const bool = type === "f32" ? "bool" : "boolx4";
        const zero: Expr = { op: "literal", type: "f32", value: 0 };
        const positive = binary(
          "lt",
          isFloat(type) && type === "f32" ? zero : { op: "splat", type: "f32x4", a: zero },
          a!,
        );
        const condition: Expr = { op: "binary", type: bool, fn: "or", a: positive, b: binary("lt", b!, a!) };
        return { op: "select", type, condition, a: a!, b: b! };
      },
      0,
    );
  });
  test("fma, extract, vector and splat", () => {
    const pairs = pairsOf(floats.filter((x) => Math.abs(x) < 1e6));
    compare(
      "f32",
      "f32",
      pairs,
      (type, [a, b]) => {
        if (type === "f32") return binary("add", a!, b!);
        const part = (from: Expr, lane: 0 | 1 | 2 | 3): Expr => ({
          op: "extract",
          type: "f32",
          a: from,
          lane,
        });
        const sum = (lane: 0 | 1 | 2 | 3): Expr => binary("add", part(a!, lane), part(b!, lane));
        return { op: "vector", type: "f32x4", lanes: [sum(0), sum(1), sum(2), sum(3)] };
      },
      0,
    );
    compare(
      "f32",
      "f32",
      pairs.map(([a, b]) => [a, Math.round(b)] as const),
      (type, [a, b]) => {
        return { op: "fma", type: type as "f32", a: b!, b: b!, c: a! };
      },
      2e-7,
    );
  });
});
