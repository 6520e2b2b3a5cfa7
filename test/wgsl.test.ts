// WGSL: every function of the kernel IR on edge values and random kernels, on a WebGPU device, against the kernel interpreter.
// Skipped where there is no device (SwiftShader of Debian's Chromium is one), but not in continuous integration.

import { afterAll, describe, expect, test } from "vitest";
import { runKernel } from "../compiler/interpret-kernel.ts";
import type { BinaryFn, Expr, Kernel, ReduceFn, Stmt, UnaryFn, ValueType } from "../compiler/kernel.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import { printWgsl } from "../compiler/wgsl/print.ts";
import { constant, named } from "../runtime/size.ts";
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
import {
  add,
  binary,
  buffer,
  f,
  i,
  kernel,
  load,
  local,
  loop,
  mul,
  size,
  store,
  workgroup,
} from "./helpers/kernels.ts";
import { groups, randomKernel, slice, tableLength } from "./helpers/random-kernels.ts";
import { findDevice, runOnWebGpu, type Buffers } from "./helpers/webgpu.ts";

const found = await findDevice();
const device = typeof found === "string" ? undefined : found;
/** For the title of what is skipped. */
const why = typeof found === "string" ? ` (skipped: ${found})` : "";

test("there is a WebGPU device to test with, in continuous integration", () => {
  if (process.env["CI"] !== undefined) expect(found).toBeTypeOf("object");
});

const invocation: Expr = { op: "invocation", type: "i32" };

test("a shader is text that people can read", () => {
  const tested = kernel({
    name: "softmax_sum",
    buffers: [buffer("x", "read", named("T")), buffer("total", "write", 1)],
    sizes: ["T"],
    workgroup: 64,
    body: [
      { op: "comment", text: "each takes every 64th" },
      { op: "var", name: "sum", value: f(0) },
      loop(
        "at",
        size("T"),
        [
          {
            op: "set",
            name: "sum",
            value: add(local("sum", "f32"), binary("max", load("x", local("at", "i32")), f(-Infinity))),
          },
        ],
        invocation,
        64,
      ),
      { op: "reduce", name: "all", fn: "add", value: local("sum", "f32") },
      {
        op: "if",
        condition: binary("eq", invocation, i(0)),
        then: [store("total", i(0), local("all", "f32"))],
        otherwise: [],
      },
    ],
  });
  expect(printWgsl(tested, { label: "block.0: softmax" })).toMatchInlineSnapshot(`
    "// softmax_sum: block.0: softmax

    struct Launch {
      T: i32,
      infinity: f32,
      nan: f32,
    }
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> total: array<f32>;
    @group(0) @binding(2) var<uniform> launch: Launch;

    fn is_nan(x: f32) -> bool {
      return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
    }

    fn larger(a: f32, b: f32) -> f32 {
      return select(a, b, is_nan(a) | ((b > a) & !is_nan(b)));
    }

    var<workgroup> reduce_f32: array<f32, 64>;

    fn reduce_add_f32(value: f32, invocation: i32) -> f32 {
      let lane = u32(invocation);
      reduce_f32[lane] = value;
      workgroupBarrier();
      for (var left = 64u; left > 1u; ) {
        let half = (left + 1u) / 2u;
        if (lane + half < left) {
          reduce_f32[lane] = reduce_f32[lane] + reduce_f32[lane + half];
        }
        left = half;
        workgroupBarrier();
      }
      return workgroupUniformLoad(&reduce_f32[0]);
    }

    @compute @workgroup_size(64)
    fn main(
      @builtin(workgroup_id) workgroup_id: vec3<u32>,
      @builtin(local_invocation_index) invocation_index: u32,
    ) {
      let workgroup = i32(workgroup_id.x);
      let invocation = i32(invocation_index);
      // each takes every 64th
      var sum: f32 = 0.0;
      for (var at: i32 = invocation; at < launch.T; at += 64) {
        sum = sum + larger(x[at], (-launch.infinity));
      }
      let all: f32 = reduce_add_f32(sum, invocation);
      if (invocation == 0) {
        total[0] = all;
      }
    }
    "
  `);
});

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

  test("random kernels give the interpreter's results", async () => {
    const memory = (): Buffers =>
      new Map<string, Float32Array | Int32Array>([
        [
          "table",
          Float32Array.from({ length: tableLength }, (_, at) => Math.fround(((at * 37) % 23) / 3 - 4)),
        ],
        ["index", Int32Array.from({ length: 16 }, (_, at) => (at * 29) % 61)],
        ["update", Float32Array.from({ length: groups * slice }, (_, at) => ((at * 11) % 17) - 8)],
      ]);
    for (let seed = 0; seed < 60; seed++) {
      const tested = randomKernel(seed * 7 + 1, seed % 4);
      const sizes = { S: 1 + (seed % 4) };
      const [wanted, actual] = [memory(), memory()];
      runKernel(tested, wanted, sizes);
      await runOnWebGpu(device!, tested, actual, sizes);
      const [want, got] = [wanted.get("update")!, actual.get("update")!];
      // Sums that are fused or not differ, and are then rounded down to whole numbers that differ: those few kernels say nothing.
      const at = want.findIndex((value, index) => !close(got[index]!, value, 1e-4, 1e-3));
      if (at >= 0)
        expect.fail(`seed ${seed}: update[${at}] is ${got[at]}, wanted ${want[at]} in\n${printWgsl(tested)}`);
    }
  });

  const reduced = (fn: ReduceFn, type: "f32" | "i32", lanes: number): Kernel =>
    kernel({
      buffers: [buffer("x", "read", 3 * lanes, type), buffer("out", "write", 3 * lanes, type)],
      grid: constant(3),
      workgroup: lanes,
      scratch: [{ name: "shared", type, length: lanes }],
      body: [
        { op: "let", name: "place", value: add(mul(workgroup, i(lanes)), invocation) },
        { op: "reduce", name: "all", fn, value: load("x", local("place", "i32"), type) },
        // A loop whose bound comes of a reduction, with a barrier in it: uniform, and WGSL must see it.
        { op: "reduce", name: "rounds", fn: "max", value: add(i(1), binary("mod", invocation, i(3))) },
        loop("round", local("rounds", "i32"), [
          store("shared", invocation, local("all", type)),
          { op: "barrier" },
          {
            op: "if",
            condition: binary("eq", invocation, i(0)),
            then: [{ op: "comment", text: "the first" }],
            otherwise: [],
          },
          { op: "barrier" },
        ]),
        store(
          "out",
          local("place", "i32"),
          load("shared", binary("mod", add(invocation, i(1)), i(lanes)), type),
        ),
      ],
    });
  test("reductions of a type share one array: fusion leaves room for two", () => {
    const reduce = (fn: ReduceFn, type: "f32" | "i32"): Stmt => ({
      op: "reduce",
      name: `${fn}_${type}`,
      fn,
      value: load(type, local("place", "i32"), type),
    });
    const text = printWgsl(
      kernel({
        buffers: [buffer("f32", "read", 64), buffer("i32", "read", 64, "i32")],
        workgroup: 64,
        body: [
          { op: "let", name: "place", value: invocation },
          ...(["add", "min", "max"] as const).flatMap((fn) => [reduce(fn, "f32"), reduce(fn, "i32")]),
        ],
      }),
    );
    expect(text.match(/^var<workgroup> .*$/gm)).toEqual([
      "var<workgroup> reduce_f32: array<f32, 64>;",
      "var<workgroup> reduce_i32: array<i32, 64>;",
    ]);
  });

  test.each([false, true])("reductions (by subgroups: %s)", async (subgroups) => {
    if (subgroups && !device!.gpu.features.has("subgroups")) return;
    for (const lanes of [1, 24, 32])
      for (const fn of ["add", "min", "max"] as const)
        for (const type of ["f32", "i32"] as const) {
          const tested = reduced(fn, type, lanes);
          const arrays = { f32: Float32Array, i32: Int32Array };
          const hole = type === "f32" && fn !== "add" ? NaN : 0.5;
          const numbers = Array.from({ length: 3 * lanes }, (_, at) =>
            at % 7 === 3 ? hole : ((at * 29) % 31) - 15.5,
          );
          const memory = (): Buffers =>
            new Map([
              ["x", arrays[type].from(numbers)],
              ["out", new arrays[type](3 * lanes)],
            ]);
          const [wanted, actual] = [memory(), memory()];
          runKernel(tested, wanted, {});
          await runOnWebGpu(device!, tested, actual, {}, { subgroups });
          expect(actual.get("out"), `${fn} of ${type} in ${lanes}`).toEqual(wanted.get("out"));
        }
  });

  test("grids of more workgroups than one axis takes, and of none", async () => {
    const tested = kernel({
      buffers: [buffer("out", "write", named("N"), "i32")],
      sizes: ["N"],
      grid: named("N"),
      body: [store("out", workgroup, add(workgroup, size("N")))] as Stmt[],
    });
    for (const N of [0, 3, 65535, 65536, 200_003]) {
      const out = new Int32Array(N);
      await runOnWebGpu(device!, tested, new Map([["out", out]]), { N });
      expect(
        out.every((value, at) => value === at + N),
        `N = ${N}`,
      ).toBe(true);
    }
  });

  test("names that WGSL reserves, or that the printer uses", async () => {
    const tested = kernel({
      buffers: [buffer("array", "read", named("loop")), buffer("target", "write", named("loop"))],
      sizes: ["loop"],
      scratch: [{ name: "fn", type: "f32", length: 4 }],
      body: [
        { op: "let", name: "launch", value: load("array", i(0)) },
        { op: "var", name: "loop", value: f(1) },
        { op: "set", name: "loop", value: add(local("launch", "f32"), local("loop", "f32")) },
        store("fn", i(2), { op: "unary", type: "f32", fn: "exp", a: local("loop", "f32") }),
        loop("let", size("loop"), [store("target", local("let", "i32"), load("fn", i(2)))]),
      ],
    });
    const memory = (): Buffers =>
      new Map([
        ["array", new Float32Array(3).fill(2)],
        ["target", new Float32Array(3)],
      ]);
    const [wanted, actual] = [memory(), memory()];
    runKernel(tested, wanted, { loop: 3 });
    await runOnWebGpu(device!, tested, actual, { loop: 3 });
    actual.get("target")!.forEach((value, at) => expect(value).toBeCloseTo(wanted.get("target")![at]!, 4));
  });
});
