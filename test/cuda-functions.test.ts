// CUDA C++: every function of the kernel IR on edge values, compiled for the host, against the kernel interpreter.

import { describe, expect, test } from "vitest";
import type { BinaryFn, Expr, Kernel, UnaryFn, ValueType } from "../compiler/kernel.ts";
import { hasCompiler, loadKernels } from "./helpers/cuda-host.ts";
import {
  close,
  dense,
  floats,
  inFours,
  pairsOf,
  powers,
  quotients,
  shifts,
  single,
  wholes,
} from "./helpers/edge-values.ts";
import { add, binary, buffer, f, i, kernel, load, local, loop, mul, store } from "./helpers/kernels.ts";
import { both, type Data, type Memory } from "./helpers/cuda-both.ts";

/** Results below the normal range are kept; the last bit may differ. */
const belowNormal = 1e-44;

interface Case {
  readonly what: string;
  readonly element: "f32" | "i32";
  readonly out: "f32" | "i32";
  readonly pairs: readonly (readonly [number, number])[];
  readonly make: (type: ValueType, a: Expr, b: Expr) => Expr;
  readonly relative?: number;
}

const booleans = (type: ValueType): ValueType => (type.endsWith("x4") ? "boolx4" : "bool");
const alike = (type: ValueType, to: "f32" | "i32"): ValueType =>
  (type.endsWith("x4") ? `${to}x4` : to) as ValueType;
const cast = (type: ValueType, to: "f32" | "i32", a: Expr): Expr => ({
  op: "cast",
  type: alike(type, to),
  a,
});
const wide = (type: ValueType, a: Expr): Expr =>
  type.endsWith("x4") ? { op: "splat", type: type as "f32x4", a } : a;
const unary: UnaryFn[] = "neg abs exp log sqrt tanh sin cos erf floor ceil round sign".split(
  " ",
) as UnaryFn[];
const rounded = new Set<string>("exp log tanh sin cos erf pow".split(" "));
const floating = { element: "f32", out: "f32" } as const;
const whole = { element: "i32", out: "i32" } as const;

const cases: readonly Case[] = [
  ...unary.map((fn): Case => ({
    ...{ ...floating, what: fn, pairs: single([...floats, ...dense(200)]) },
    make: (type, a) => ({ op: "unary", type, fn, a }),
    relative: rounded.has(fn) ? 3e-7 : 0,
  })),
  ...(["neg", "abs", "sign"] as const).map((fn): Case => ({
    ...{ ...whole, what: fn, pairs: single(wholes) },
    make: (type, a) => ({ op: "unary", type, fn, a }),
  })),
  {
    ...{ what: "isnan, not", element: "f32", out: "i32", pairs: single(floats) },
    make: (type, a) => {
      const nan: Expr = { op: "unary", type: booleans(type), fn: "isnan", a };
      return cast(type, "i32", { op: "unary", type: booleans(type), fn: "not", a: nan });
    },
  },
  {
    ...{ what: "order", element: "f32", out: "i32", pairs: single(floats.filter((x) => !Number.isNaN(x))) },
    make: (type, a) => ({ op: "unary", type: type === "f32" ? "i32" : "i32x4", fn: "order", a }),
  },
  ...(["add", "sub", "mul", "div", "min", "max", "pow"] as const).map((fn): Case => ({
    ...{ ...floating, what: fn, pairs: fn === "pow" ? powers : pairsOf(floats) },
    make: (_, a, b) => binary(fn, a, b),
    relative: rounded.has(fn) ? 3e-7 : 0,
  })),
  ...(["lt", "le", "eq", "ne"] as const).flatMap((fn): Case[] => [
    {
      ...{ what: fn, element: "f32", out: "f32", pairs: pairsOf(floats) },
      make: (type, a, b) => cast(type, "f32", binary(fn, a, b)),
    },
    {
      ...{ ...whole, what: fn, pairs: pairsOf(wholes) },
      make: (type, a, b) => cast(type, "i32", binary(fn, a, b)),
    },
  ]),
  ...(["add", "sub", "mul", "min", "max", "and", "or", "xor"] as BinaryFn[]).map((fn): Case => ({
    ...{ ...whole, what: fn, pairs: pairsOf(wholes) },
    make: (_, a, b) => binary(fn, a, b),
  })),
  ...(["shl", "shr"] as const).flatMap((fn): Case[] => [
    {
      ...{ ...whole, what: fn, pairs: shifts },
      make: (_, a, b) => binary(fn, a, b),
    },
    {
      ...{ ...whole, what: `${fn} by 5`, pairs: single(wholes) },
      make: (type, a) => binary(fn, a, wide(alike(type, "i32"), i(5))),
    },
  ]),
  ...(["div", "mod"] as const).flatMap((fn): Case[] => [
    { ...{ ...whole, what: fn, pairs: quotients }, make: (_, a, b) => binary(fn, a, b) },
    ...[1, 3, 16].map((by): Case => ({
      ...{ ...whole, what: `${fn} by ${by}`, pairs: quotients },
      make: (type, a) => binary(fn, a, wide(alike(type, "i32"), i(by))),
    })),
  ]),
  {
    ...{ what: "to i32", element: "f32", out: "i32", pairs: single(floats) },
    make: (type, a) => cast(type, "i32", a),
  },
  {
    ...{ what: "to f32", element: "i32", out: "f32", pairs: single(wholes) },
    make: (type, a) => cast(type, "f32", a),
  },
  {
    ...{ ...floating, what: "select, or", pairs: pairsOf(floats) },
    make: (type, a, b) => {
      const [left, right] = [binary("lt", wide(type, f(0)), a), binary("lt", b, a)];
      const condition: Expr = { op: "binary", type: booleans(type), fn: "or", a: left, b: right };
      return { op: "select", type, a, b, condition };
    },
  },
  {
    ...{
      ...floating,
      what: "fma",
      pairs: pairsOf(floats.filter((x) => Math.abs(x) < 1e6)),
      relative: 1.3e-7,
    },
    make: (type, a, b) => ({ op: "fma", type: type as "f32", a, b: wide(type, f(0.375)), c: b }),
  },
  ...[Infinity, -Infinity, NaN, -2.5e-40, 16777217, -0].map((value): Case => ({
    ...{ ...floating, what: `literal ${value}`, pairs: single(floats) },
    make: (type, a) => binary("sub", binary("max", a, wide(type, f(value))), wide(type, f(-value))),
  })),
  {
    ...{ ...floating, what: "vector, extract", pairs: pairsOf(floats.slice(0, 20)) },
    make: (type, a, b) => {
      if (type === "f32") return binary("sub", a, b);
      const lane = (from: Expr, at: 0 | 1 | 2 | 3): Expr => ({
        op: "extract",
        type: "f32",
        a: from,
        lane: at,
      });
      const minus = (at: 0 | 1 | 2 | 3): Expr => binary("sub", lane(a, at), lane(b, at));
      return { op: "vector", type: "f32x4", lanes: [minus(0), minus(1), minus(2), minus(3)] };
    },
  },
];

/** Scalars; vectors at fours; vectors one off, which no kernel may read as if they were at fours. */
function kernelOf({ element, out, pairs, make }: Case): Kernel {
  const count = inFours(pairs).length;
  const four = alike("f32x4", element) as "f32x4";
  const [at, wideAt, oddAt] = ["at", "wide", "odd"].map((name) => local(name, "i32")) as [Expr, Expr, Expr];
  return kernel({
    buffers: [
      buffer("a", "read", count, element),
      buffer("b", "read", count, element),
      buffer("out", "write", count, out),
      buffer("out4", "write", count, out),
      buffer("odd4", "write", count - 3, out),
    ],
    body: [
      loop("at", i(count), [store("out", at, make(element, load("a", at, element), load("b", at, element)))]),
      loop(
        "wide",
        i(count),
        [store("out4", wideAt, make(four, load("a", wideAt, four), load("b", wideAt, four)))],
        i(0),
        4,
      ),
      loop(
        "odd",
        i(count - 4),
        [store("odd4", oddAt, make(four, load("a", oddAt, four), load("b", oddAt, four)))],
        i(1),
        4,
      ),
    ],
  });
}

describe.skipIf(!hasCompiler)("on the host", () => {
  test("every function on edge values", () => {
    const tested = cases.map(kernelOf);
    const library = loadKernels(tested);
    const arrays = { f32: Float32Array, i32: Int32Array };
    for (const [index, { what, pairs, element, out, relative = 0 }] of cases.entries()) {
      const all = inFours(pairs);
      const memory = (): Memory =>
        new Map<string, Data>([
          ["a", arrays[element].from(all.map(([a]) => a))],
          ["b", arrays[element].from(all.map(([, b]) => b))],
          ["out", new arrays[out](all.length)],
          ["out4", new arrays[out](all.length)],
          ["odd4", new arrays[out](all.length - 3)],
        ]);
      const { actual, wanted } = both(library, index, tested[index]!, memory);
      for (const name of ["out", "out4", "odd4"])
        wanted.get(name)!.forEach((want, at) => {
          const got = actual.get(name)![at]!;
          if (!close(got, want, relative, belowNormal))
            expect.fail(`${what} of ${element}, ${name} at (${all[at]!.join(", ")}): ${got}, wanted ${want}`);
        });
    }
  });

  test("random numbers have the same bits", () => {
    const at = local("at", "i32");
    const draw = (type: "f32" | "i32"): Expr => ({
      ...{ op: "random", type, key0: i(-5), key1: add(at, i(7)), counter: mul(at, i(77777)), stream: 3 },
    });
    const tested = kernel({
      buffers: [buffer("bits", "write", 64, "i32"), buffer("uniform", "write", 64)],
      body: [loop("at", i(64), [store("bits", at, draw("i32")), store("uniform", at, draw("f32"))])],
    });
    const memory = (): Memory =>
      new Map<string, Data>([
        ["bits", new Int32Array(64)],
        ["uniform", new Float32Array(64)],
      ]);
    const { actual, wanted } = both(loadKernels([tested]), 0, tested, memory);
    expect(actual).toEqual(wanted);
  });
});
