// WGSL: every function of the kernel IR on edge values, on a WebGPU device, against the kernel interpreter.
// Skipped where there is no device (SwiftShader of Debian's Chromium is one); wgsl.test.ts asks for one in continuous integration.

import { afterAll, describe, expect, test } from "vitest";
import { runKernel } from "../compiler/interpret-kernel.ts";
import type { BinaryFn, Expr, Kernel, UnaryFn, ValueType } from "../compiler/kernel.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import {
  close,
  dense,
  floats as allFloats,
  inFours,
  normal,
  pairsOf,
  powers,
  quotients,
  shifts,
  single,
  wholes,
} from "./helpers/edge-values.ts";
import { add, binary, buffer, f, i, kernel, load, local, loop, mul, store } from "./helpers/kernels.ts";
import { findDevice, runOnWebGpu, type Buffers } from "./helpers/webgpu.ts";

const found = await findDevice();
const device = typeof found === "string" ? undefined : found;
/** For the title of what is skipped. */
const why = typeof found === "string" ? ` (skipped: ${found})` : "";

// What is lost below the normal range is the device's business.
const floats = allFloats.filter(normal);

/** Relative error allowed against double precision. WGSL itself allows 2.5 units in the last place for a division. */
const tolerance: Partial<Record<string, number>> = {
  exp: 6e-7,
  log: 4e-7,
  tanh: 7e-7,
  sin: 6e-7,
  cos: 6e-7,
  erf: 7e-7,
  pow: 6e-6,
  sqrt: 3e-7,
  div: 3e-7,
  fma: 3e-7,
};

/** Results below the normal range may be zero. */
const belowNormal = 2e-38;

interface Case {
  readonly what: string;
  readonly element: "f32" | "i32";
  readonly out: "f32" | "i32";
  readonly pairs: readonly (readonly [number, number])[];
  readonly make: (type: ValueType, a: Expr, b: Expr) => Expr;
  readonly relative?: number;
  readonly absolute?: number;
}

/** One kernel for several cases would be a long shader: each has its own, scalars and vectors in one. */
function kernelOf({ element, out, pairs, make }: Case): Kernel {
  const at = local("at", "i32");
  const wide = local("wide", "i32");
  const four = `${element}x4` as "f32x4";
  return kernel({
    buffers: [
      buffer("a", "read", pairs.length, element),
      buffer("b", "read", pairs.length, element),
      buffer("out", "write", pairs.length, out),
      buffer("out4", "write", pairs.length, out),
    ],
    body: [
      loop("at", i(pairs.length), [
        store("out", at, make(element, load("a", at, element), load("b", at, element))),
      ]),
      loop(
        "wide",
        i(pairs.length),
        [store("out4", wide, make(four, load("a", wide, four), load("b", wide, four)))],
        i(0),
        4,
      ),
    ],
  });
}

async function check(each: Case): Promise<void> {
  const { pairs, element, out, relative = 0, absolute = belowNormal } = each;
  const arrays = { f32: Float32Array, i32: Int32Array };
  const memory = (): Buffers =>
    new Map([
      ["a", arrays[element].from(pairs.map(([a]) => a))],
      ["b", arrays[element].from(pairs.map(([, b]) => b))],
      ["out", new arrays[out](pairs.length)],
      ["out4", new arrays[out](pairs.length)],
    ]);
  const tested = kernelOf(each);
  verifyKernel(tested);
  const [wanted, actual] = [memory(), memory()];
  runKernel(tested, wanted, {});
  await runOnWebGpu(device!, tested, actual);
  for (const name of ["out", "out4"])
    pairs.forEach(([a, b], at) => {
      const [got, want] = [actual.get(name)![at]!, wanted.get(name)![at]!];
      expect(
        close(got, want, relative, absolute),
        `${each.what} of ${name} (${a}, ${b}): ${got} for ${want}`,
      ).toBe(true);
    });
}

const booleans = (type: ValueType): ValueType => (type.endsWith("x4") ? "boolx4" : "bool");
const cast = (type: ValueType, to: "f32" | "i32", a: Expr): Expr => ({
  op: "cast",
  type: (type.endsWith("x4") ? `${to}x4` : to) as ValueType,
  a,
});

describe.skipIf(device === undefined)(`on WebGPU${why}`, () => {
  afterAll(() => device?.dispose());

  const unary: UnaryFn[] = [
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
  test.each(unary)("%s of f32", async (fn) => {
    const wave = fn === "sin" || fn === "cos";
    const values = wave ? floats.filter((x) => !(Math.abs(x) > 4e4 && Math.abs(x) < Infinity)) : floats;
    await check({
      ...{ what: fn, element: "f32", out: "f32", relative: tolerance[fn] ?? 0 },
      pairs: single([...values, ...dense(400)]),
      make: (type, a) => ({ op: "unary", type, fn, a }),
      ...(wave ? { absolute: 1e-7 } : {}),
    });
  });

  test("neg, abs, sign of i32; isnan and not", async () => {
    for (const fn of ["neg", "abs", "sign"] as const)
      await check({
        what: fn,
        element: "i32",
        out: "i32",
        pairs: single(wholes),
        make: (type, a) => ({ op: "unary", type, fn, a }),
      });
    await check({
      ...{ what: "order", element: "f32", out: "i32", pairs: single(floats.filter((x) => !Number.isNaN(x))) },
      make: (type, a) => ({ op: "unary", type: type === "f32" ? "i32" : "i32x4", fn: "order", a }),
    });
    await check({
      ...{ what: "isnan", element: "f32", out: "i32", pairs: single(floats) },
      make: (type, a) => {
        const bool = booleans(type);
        const nan: Expr = { op: "unary", type: bool, fn: "isnan", a };
        return cast(type, "i32", { op: "unary", type: bool, fn: "not", a: nan });
      },
    });
  });

  test.each(["add", "sub", "mul", "div", "min", "max", "pow"] as const)("%s of f32", async (fn) => {
    const fits = ([a, b]: readonly [number, number]): boolean => {
      const size = Math.abs(fn === "mul" ? a * b : fn === "div" ? a / b : fn === "pow" ? a ** b : 1);
      const edge = fn === "pow" ? 1e37 : 3e38;
      return (
        normal(a) &&
        !(size > 0 && size < 1e-37) &&
        !(size > edge && size < Infinity) &&
        !(fn === "div" && Math.abs(b) > 1e37 && Math.abs(b) < Infinity)
      );
    };
    const pairs = inFours((fn === "pow" ? powers : pairsOf(floats)).filter(fits));
    await check({
      what: fn,
      element: "f32",
      out: "f32",
      pairs,
      make: (_, a, b) => binary(fn, a, b),
      relative: tolerance[fn] ?? 0,
    });
  });

  test("comparisons", async () => {
    for (const fn of ["lt", "le", "eq", "ne"] as const) {
      await check({
        what: fn,
        element: "f32",
        out: "f32",
        pairs: pairsOf(floats),
        make: (type, a, b) => cast(type, "f32", binary(fn, a, b)),
      });
      await check({
        what: fn,
        element: "i32",
        out: "i32",
        pairs: pairsOf(wholes),
        make: (type, a, b) => cast(type, "i32", binary(fn, a, b)),
      });
    }
  });

  test("whole numbers", async () => {
    const base = { element: "i32", out: "i32" } as const;
    for (const fn of ["add", "sub", "mul", "min", "max", "and", "or", "xor"] as BinaryFn[])
      await check({ ...base, what: fn, pairs: pairsOf(wholes), make: (_, a, b) => binary(fn, a, b) });
    for (const fn of ["shl", "shr"] as const)
      await check({
        ...base,
        what: fn,
        pairs: shifts,
        make: (_, a, b) => binary(fn, a, b),
      });
    for (const fn of ["div", "mod"] as const) {
      await check({ ...base, what: fn, pairs: quotients, make: (_, a, b) => binary(fn, a, b) });
      for (const by of [1, 3, 16])
        await check({
          ...{ ...base, what: `${fn} by ${by}`, pairs: quotients },
          make: (type, a) =>
            binary(fn, a, type === "i32" ? i(by) : ({ op: "splat", type, a: i(by) } as Expr)),
        });
    }
  });

  test("casts truncate and saturate", async () => {
    await check({
      what: "to i32",
      element: "f32",
      out: "i32",
      pairs: single(floats),
      make: (type, a) => cast(type, "i32", a),
    });
    await check({
      what: "to f32",
      element: "i32",
      out: "f32",
      pairs: single(wholes),
      make: (type, a) => cast(type, "f32", a),
    });
  });

  test("selection, masks, fma, lanes, literals that no shader may spell", async () => {
    const zero = (type: ValueType): Expr => (type === "f32" ? f(0) : { op: "splat", type: "f32x4", a: f(0) });
    const edge = (type: ValueType, value: number): Expr =>
      type === "f32" ? f(value) : { op: "splat", type: "f32x4", a: f(value) };
    await check({
      ...{ what: "select", element: "f32", out: "f32", pairs: pairsOf(floats) },
      make: (type, a, b) => ({
        ...{ op: "select", type, a, b },
        condition: {
          op: "binary",
          type: booleans(type),
          fn: "or",
          a: binary("lt", zero(type), a),
          b: binary("lt", b, a),
        },
      }),
    });
    const small = pairsOf(floats.filter((x) => Math.abs(x) < 1e6 && Math.abs(x) > 1e-4));
    while (small.length % 4 !== 0) small.push([1, 2]);
    await check({
      ...{ what: "fma", element: "f32", out: "f32", pairs: small, relative: 3e-7, absolute: 1e-6 },
      make: (type, a, b) => ({ op: "fma", type: type as "f32", a: a, b: edge(type, 0.375), c: b }),
    });
    for (const value of [Infinity, -Infinity, NaN])
      await check({
        ...{ what: `max with ${value}`, element: "f32", out: "f32", pairs: single(floats) },
        make: (type, a) => binary("max", binary("min", a, edge(type, value)), edge(type, -1e30)),
      });
    await check({
      ...{ what: "vector", element: "f32", out: "f32", pairs: pairsOf(floats.slice(0, 20)) },
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
    });
  });

  test("random numbers have the same bits", async () => {
    const at = local("at", "i32");
    const draw = (type: "f32" | "i32"): Expr => ({
      op: "random",
      type,
      key0: i(-5),
      key1: add(at, i(7)),
      counter: mul(at, i(77777)),
      stream: 3,
    });
    const tested = kernel({
      buffers: [buffer("bits", "write", 64, "i32"), buffer("uniform", "write", 64)],
      body: [loop("at", i(64), [store("bits", at, draw("i32")), store("uniform", at, draw("f32"))])],
    });
    const memory = (): Buffers =>
      new Map<string, Float32Array | Int32Array>([
        ["bits", new Int32Array(64)],
        ["uniform", new Float32Array(64)],
      ]);
    const [wanted, actual] = [memory(), memory()];
    runKernel(tested, wanted, {});
    await runOnWebGpu(device!, tested, actual);
    expect(actual).toEqual(wanted);
  });
});
