// CUDA: every function of the kernel IR on edge values, reductions, scratch and barriers, and random kernels, printed as CUDA C++, run on the
// CPU (helpers/cuda-host.ts), against the kernel interpreter. What nvcc makes of the same text is in cuda-nvcc.test.ts.

import { describe, expect, test } from "vitest";
import { divisorOf } from "../compiler/cuda/alignment.ts";
import { printCuda } from "../compiler/cuda/print.ts";
import { runKernel } from "../compiler/interpret-kernel.ts";
import type { BinaryFn, Expr, Kernel, ReduceFn, Stmt, UnaryFn, ValueType } from "../compiler/kernel.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import { constant, named } from "../runtime/size.ts";
import type { Sizes } from "../runtime/size.ts";
import { evaluate } from "../runtime/size.ts";
import { hasCompiler, loadKernels, type HostKernels } from "./helpers/cuda-host.ts";
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
  microKernel,
  mul,
  size,
  splat,
  store,
  workgroup,
} from "./helpers/kernels.ts";
import { groups, randomKernel, slice, tableLength } from "./helpers/random-kernels.ts";

const invocation: Expr = { op: "invocation", type: "i32" };
type Data = Float32Array | Int32Array;
type Memory = Map<string, Data>;

test("there is a C++ compiler to test with, in continuous integration", () => {
  if (process.env["CI"] !== undefined) expect(hasCompiler).toBe(true);
});

/** Runs a kernel of a library and by the interpreter; gives what each left. */
function both(
  library: HostKernels,
  index: number,
  tested: Kernel,
  memory: () => Memory,
  sizes: Sizes = {},
): { readonly actual: Memory; readonly wanted: Memory } {
  verifyKernel(tested);
  const [wanted, actual] = [memory(), memory()];
  runKernel(tested, wanted, sizes);
  library.run(
    index,
    evaluate(tested.grid, sizes),
    tested.buffers.map(({ name }) => actual.get(name)!),
    tested.sizes.map((name) => sizes[name]!),
  );
  return { actual, wanted };
}

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

  test("random kernels give the interpreter's results", () => {
    const memory = (): Memory =>
      new Map<string, Data>([
        ["table", Float32Array.from({ length: tableLength }, (_, at) => ((at * 37) % 23) / 3 - 4)],
        ["index", Int32Array.from({ length: 16 }, (_, at) => (at * 29) % 61)],
        ["update", Float32Array.from({ length: groups * slice }, (_, at) => ((at * 11) % 17) - 8)],
      ]);
    const tested = Array.from({ length: 60 }, (_, seed) => randomKernel(seed * 7 + 1, seed % 4));
    const library = loadKernels(tested);
    for (const [seed, each] of tested.entries()) {
      const { actual, wanted } = both(library, seed, each, memory, { S: 1 + (seed % 4) });
      const [want, got] = [wanted.get("update")!, actual.get("update")!];
      const at = want.findIndex((value, index) => !close(got[index]!, value, 1e-5, 1e-5));
      if (at >= 0)
        expect.fail(`seed ${seed}: update[${at}] is ${got[at]}, wanted ${want[at]} in\n${printCuda([each])}`);
    }
  });

  const place = local("place", "i32");
  const letPlace = (lanes: number): Stmt => ({
    ...{ op: "let", name: "place", value: add(mul(workgroup, i(lanes)), invocation) },
  });
  const reduced = (fn: ReduceFn, type: "f32" | "i32", lanes: number): Kernel =>
    kernel({
      buffers: [buffer("x", "read", 3 * lanes, type), buffer("out", "write", 3 * lanes, type)],
      grid: constant(3),
      workgroup: lanes,
      scratch: [{ name: "shared", type, length: lanes }],
      body: [
        letPlace(lanes),
        // Again and again: each reduction must wait for the readers of the one before.
        loop("round", i(3), [
          { op: "reduce", name: "all", fn, value: load("x", place, type) },
          store("shared", invocation, binary("add", local("all", type), load("x", place, type))),
          { op: "reduce", name: "most", fn: "max", value: load("shared", invocation, type) },
          { op: "let", name: "other", value: load("shared", binary("sub", i(lanes - 1), invocation), type) },
          { op: "barrier" },
          store("out", place, binary("sub", local("other", type), local("most", type))),
        ]),
      ],
    });

  test("reductions, scratch and barriers, in workgroups of any size", () => {
    const kinds = (["add", "min", "max"] as const).flatMap((fn) =>
      (["f32", "i32"] as const).flatMap((type) =>
        [1, 2, 7, 32, 33, 64, 100, 256].map((lanes) => [fn, type, lanes] as const),
      ),
    );
    const tested = kinds.map((kind) => reduced(...kind));
    const library = loadKernels(tested);
    for (const [index, [fn, type, lanes]] of kinds.entries()) {
      const array = type === "f32" ? Float32Array : Int32Array;
      const values = Array.from(
        { length: 3 * lanes },
        (_, at) => ((at * 7919) % 101) - 50 + (type === "f32" ? 0.25 : 0),
      );
      if (type === "f32" && fn !== "add") values[Math.floor(lanes / 2)] = NaN;
      const memory = (): Memory =>
        new Map<string, Data>([
          ["x", array.from(values)],
          ["out", new array(3 * lanes)],
        ]);
      const { actual, wanted } = both(library, index, tested[index]!, memory);
      expect(actual.get("out"), `${fn} of ${type} by ${lanes}`).toEqual(wanted.get("out"));
    }
  });

  test("scratch beyond 48 KiB is dynamic shared memory", () => {
    const length = 20000;
    const tested = kernel({
      buffers: [buffer("out", "write", 64, "f32")],
      workgroup: 64,
      scratch: [
        { name: "first", type: "i32", length: 5 },
        { name: "large", type: "f32", length },
      ],
      body: [
        store("large", add(mul(invocation, i(300)), i(7)), { op: "cast", type: "f32", a: invocation }),
        { op: "barrier" },
        store("out", invocation, load("large", add(mul(binary("sub", i(63), invocation), i(300)), i(7)))),
      ],
    });
    expect(printCuda([tested])).toContain("extern __shared__ uint4 scratch[];");
    const { actual, wanted } = both(
      loadKernels([tested]),
      0,
      tested,
      () => new Map([["out", new Float32Array(64)]]),
    );
    expect(actual).toEqual(wanted);
  });

  test("says which threads did not meet", () => {
    const condition = binary("lt", invocation, i(40));
    const diverging = [
      [{ op: "barrier" }],
      [{ op: "if", condition: binary("lt", invocation, i(7)), then: [{ op: "barrier" }], otherwise: [] }],
    ] as const;
    const tested = diverging.map((otherwise) =>
      kernel({
        buffers: [buffer("out", "write", 64, "f32")],
        workgroup: 64,
        body: [{ op: "if", condition, then: [{ op: "barrier" }], otherwise }, store("out", invocation, f(1))],
      }),
    );
    const library = loadKernels(tested);
    for (const index of [0, 1])
      expect(() => library.run(index, 1, [new Float32Array(64)], [])).toThrow(
        /block 0: thread 0 waits for its block/,
      );
  });

  test("names of C++, of CUDA and of the printer stay theirs", () => {
    const words = ["int", "threadIdx", "workgroup", "k0", "y1", "a.b", "_x", "__x", "min", "reduce", "S"];
    const tested = kernel({
      buffers: words.map((name) => buffer(name, "update", 4)).slice(0, 4),
      sizes: ["S", "float"],
      scratch: words.slice(4, 7).map((name) => ({ name, type: "f32", length: 4 }) as const),
      body: [
        ...words.map((name): Stmt => ({ op: "let", name, value: size("S") })),
        { op: "let", name: "a_b", value: size("float") },
        ...words
          .slice(4, 7)
          .map((name) => store(name, i(0), { op: "cast", type: "f32", a: local("S", "i32") })),
        ...words
          .slice(0, 4)
          .map((name, at) =>
            store(name, local("min", "i32"), add(load(name, i(1)), load(words[4 + (at % 3)]!, i(0)))),
          ),
      ],
    });
    const memory = (): Memory =>
      new Map(words.slice(0, 4).map((name, at) => [name, new Float32Array(4).fill(at)]));
    const { actual, wanted } = both(loadKernels([tested]), 0, tested, memory, { S: 2, float: 3 });
    expect(actual).toEqual(wanted);
  });
});

test("prints text that people can read", async () => {
  const row = local("row", "i32");
  const largest = local("largest", "f32");
  const exponential: Expr = {
    ...{ op: "unary", type: "f32", fn: "exp" },
    a: binary("sub", load("x", local("at", "i32")), largest),
  };
  const softmax = kernel({
    name: "softmax",
    buffers: [buffer("x", "read", named("N")), buffer("out", "write", named("N"))],
    sizes: ["N", "R"],
    grid: named("R"),
    workgroup: 64,
    scratch: [{ name: "kept", type: "f32", length: 64 }],
    body: [
      { op: "comment", text: "One row of 64 for each workgroup." },
      { op: "let", name: "row", value: mul(workgroup, i(64)) },
      { op: "let", name: "at", value: add(row, invocation) },
      { op: "reduce", name: "largest", fn: "max", value: load("x", local("at", "i32")) },
      store("kept", invocation, exponential),
      { op: "reduce", name: "sum", fn: "add", value: load("kept", invocation) },
      {
        op: "if",
        condition: binary("lt", invocation, i(16)),
        then: [
          { op: "let", name: "four", value: mul(invocation, i(4)) },
          store(
            "out",
            add(row, local("four", "i32")),
            binary("div", load("kept", local("four", "i32"), "f32x4"), splat(local("sum", "f32"))),
          ),
        ],
        otherwise: [],
      },
    ],
  });
  verifyKernel(softmax);
  const text = printCuda([softmax, microKernel(2, 1, 8)], { labels: ["softmax(score over s)"] });
  await expect(text).toMatchFileSnapshot("golden/cuda.cu");
});

test("four neighbours are read at once only where their place is a multiple of four", () => {
  const divisors = new Map([["tile", 8]]);
  const tile = local("tile", "i32");
  const sized: Expr = { op: "size", type: "i32", size: [{ coefficient: 12, factors: ["T"] }] };
  const table: readonly (readonly [Expr, number])[] = [
    [i(0), 1 << 12],
    [i(12), 4],
    [tile, 8],
    [local("other", "i32"), 1],
    [add(tile, i(4)), 4],
    [add(tile, invocation), 1],
    [mul(invocation, i(4)), 4],
    [mul(sized, i(2)), 8],
    [add(sized, tile), 4],
    [binary("mod", tile, i(12)), 4],
    [binary("div", tile, i(2)), 4],
    [binary("div", tile, i(16)), 1],
    [binary("div", tile, i(3)), 1],
    [binary("shl", invocation, i(3)), 8],
    [binary("and", invocation, i(-4)), 4],
    [load("x", i(0), "i32"), 1],
    [{ op: "size", type: "i32", size: named("T") }, 1],
  ];
  for (const [expr, wanted] of table) expect(divisorOf(expr, divisors)).toBe(wanted);
});
