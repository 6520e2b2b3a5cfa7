// The code that kernels become: what an inner loop costs, what leaves a loop, and that the encoder's numbers are right.

import { describe, expect, test } from "vitest";
import { runKernel } from "../compiler/interpret-kernel.ts";
import type { Expr, Kernel, Stmt } from "../compiler/kernel.ts";
import { signed, unsigned } from "../compiler/wasm/encoder.ts";
import { printBoth, printWasm, scratchBytes } from "../compiler/wasm/print.ts";
import { named } from "../runtime/size.ts";
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
  store,
  workgroup,
} from "./helpers/kernels.ts";
import { randomKernel } from "./helpers/random-kernels.ts";
import { checkWasm, instantiateKernels, runOnWasm } from "./helpers/wasm.ts";

const text = (of: Kernel): string => checkWasm(printWasm([of], { relaxed: true, shared: true }));

/** The innermost loop's text: from the last `(loop` to the branch back. */
function innermost(module: string): string {
  const start = module.lastIndexOf("(loop");
  return module.slice(start, module.indexOf("br_if", start));
}

/** Instructions of the innermost loop, counted by name; locals and constants are free. */
function counts(module: string): Record<string, number> {
  const result: Record<string, number> = {};
  for (const [, name] of innermost(module).matchAll(/\(((?:i32|f32|v128|f32x4|i32x4)\.[\w]+)/g))
    if (!name!.endsWith(".const")) result[name!] = (result[name!] ?? 0) + 1;
  return result;
}

test("LEB128", () => {
  expect([0, 1, 127, 128, 624485, 0xffffffff].map(unsigned)).toEqual([
    [0],
    [1],
    [127],
    [0x80, 1],
    [0xe5, 0x8e, 0x26],
    [0xff, 0xff, 0xff, 0xff, 0x0f],
  ]);
  expect([0, 63, 64, -1, -64, -65, -123456, 2147483647, -2147483648].map(signed)).toEqual([
    [0],
    [0x3f],
    [0xc0, 0],
    [0x7f],
    [0x40],
    [0xbf, 0x7f],
    [0xc0, 0xbb, 0x78],
    [0xff, 0xff, 0xff, 0xff, 0x07],
    [0x80, 0x80, 0x80, 0x80, 0x78],
  ]);
});

describe("inner loops", () => {
  test.each([
    [6, 2],
    [4, 3],
  ])("a %i x %i vectors micro-kernel is loads, multiply-adds and three additions", (rows, vectors) => {
    expect(counts(text(microKernel(rows, vectors, 256)))).toEqual({
      "v128.load32_splat": rows,
      "v128.load": vectors,
      "f32x4.relaxed_madd": rows * vectors,
      "i32.add": 3,
    });
  });

  test("index arithmetic over symbolic sizes leaves the loop", () => {
    const at = add(mul(add(mul(workgroup, size("T")), local("t", "i32")), size("D")), local("d", "i32"));
    const scaled = kernel({
      buffers: [buffer("x", "read", named("N")), buffer("y", "write", named("N"))],
      sizes: ["T", "D", "N"],
      body: [
        loop("t", size("T"), [
          loop("d", size("D"), [store("y", at, mul(load("x", at), load("x", mul(workgroup, size("T")))))]),
        ]),
      ],
    });
    // two pointers and the counter; the factor is the same in the whole loop and is read once before it
    expect(counts(text(scaled))).toEqual({ "f32.load": 1, "f32.mul": 1, "f32.store": 1, "i32.add": 3 });
  });

  test("what a conditional loop does is not done before it", () => {
    // the load is far out of bounds when the loop does not run
    const guarded = kernel({
      buffers: [buffer("x", "read", 4), buffer("y", "write", 4)],
      sizes: ["N"],
      body: [
        { op: "var", name: "sum", value: f(0) },
        loop("k", size("N"), [
          {
            op: "set",
            name: "sum",
            value: add(local("sum", "f32"), load("x", mul(add(size("N"), i(-1)), i(1 << 28)))),
          },
        ]),
        store("y", i(0), local("sum", "f32")),
      ],
    });
    const buffers = new Map([
      ["x", new Float32Array(4)],
      ["y", new Float32Array(4)],
    ]);
    runKernel(guarded, buffers, { N: 0 });
    runOnWasm(guarded, buffers, { N: 0 });
    expect(buffers.get("y")![0]).toBe(0);
  });

  test("a name keeps the value that a variable had", () => {
    const f32 = (name: string) => local(name, "f32");
    const kept = kernel({
      buffers: [buffer("y", "update", 4)],
      body: [
        { op: "var", name: "x", value: f(1) },
        { op: "let", name: "before", value: add(f32("x"), f(10)) },
        { op: "let", name: "stored", value: load("y", i(3)) },
        { op: "set", name: "x", value: f(2) },
        store("y", i(3), f(5)),
        store("y", i(0), f32("before")),
        store("y", i(1), f32("x")),
        store("y", i(2), f32("stored")),
      ],
    });
    const buffers = new Map([["y", Float32Array.of(0, 0, 0, 7)]]);
    runOnWasm(kept, buffers);
    expect([...buffers.get("y")!]).toEqual([11, 2, 7, 5]);
  });

  test("a constant part of an address is no offset where the rest may lie before the memory", () => {
    // y[i - 1000000 + 1000000 + j] for guarded i: the moving part alone is far below zero
    const shift: Stmt = { op: "let", name: "shift", value: load("s", i(0), "i32") };
    const shifted = kernel({
      buffers: [buffer("s", "read", 1, "i32"), buffer("y", "write", 8)],
      body: [
        shift,
        loop("k", i(8), [store("y", add(add(local("shift", "i32"), local("k", "i32")), i(1000000)), f(2))]),
      ],
    });
    const buffers = new Map<string, Float32Array | Int32Array>([
      ["s", Int32Array.of(-1000000)],
      ["y", new Float32Array(8)],
    ]);
    runOnWasm(shifted, buffers);
    expect([...buffers.get("y")!]).toEqual(Array(8).fill(2));
  });
});

test("both modules of one translation are those of two", () => {
  const of = [randomKernel(1, 3), microKernel(3, 2, 8)];
  for (const shared of [false, true])
    expect(printBoth(of, { shared })).toEqual({
      plain: printWasm(of, { relaxed: false, shared }),
      relaxed: printWasm(of, { relaxed: true, shared }),
    });
});

test("without relaxed SIMD a multiply-add is a multiplication and an addition, in the same place", () => {
  const plain = checkWasm(printWasm([microKernel(3, 2, 256)], { relaxed: false, shared: false }));
  expect(plain).not.toContain("relaxed");
  expect(counts(plain)).toMatchObject({ "f32x4.mul": 6, "f32x4.add": 6, "v128.load32_splat": 3 });
});

test("workgroups first <= w < end run, and only they", () => {
  const numbered = kernel({
    buffers: [buffer("y", "write", named("G"))],
    sizes: ["G"],
    grid: named("G"),
    body: [store("y", workgroup, { op: "cast", type: "f32", a: add(workgroup, i(1)) })],
  });
  const { memory, functions } = instantiateKernels([microKernel(1, 1, 4), numbered]);
  const y = new Float32Array(memory.buffer, 4096, 8);
  functions[1]!(2, 5, 0, 4096, 8);
  expect([...y]).toEqual([0, 0, 3, 4, 5, 0, 0, 0]);
  functions[1]!(5, 5, 0, 4096, 8);
  expect(y[5]).toBe(0);
});

test("sizes with rounded divisions, also of negative numbers", () => {
  const divided = (fn: "ceil" | "floor" | "min" | "max") =>
    [{ coefficient: 1, factors: [{ fn, of: named("A"), by: named("B") }] }] as const;
  const functions = ["ceil", "floor", "min", "max"] as const;
  const sizes = kernel({
    buffers: [buffer("y", "write", 4, "i32")],
    sizes: ["A", "B"],
    body: functions.map((fn, at) => store("y", i(at), { op: "size", type: "i32", size: divided(fn) })),
  });
  for (const [A, B] of [
    [7, 2],
    [8, 2],
    [-7, 2],
    [0, 3],
    [-1, 5],
  ] as const) {
    const [expected, actual] = [new Map([["y", new Int32Array(4)]]), new Map([["y", new Int32Array(4)]])];
    runKernel(sizes, expected, { A, B });
    runOnWasm(sizes, actual, { A, B });
    expect(actual).toEqual(expected);
  }
});

test("scratch is laid out on multiples of 16 bytes", () => {
  const scratch = [1, 4, 5].map((length, at) => ({ name: `s${at}`, type: "f32" as const, length }));
  expect(scratchBytes(kernel({ buffers: [], body: [], scratch }))).toBe(16 + 16 + 32);
});

test("a transposition is eight shuffles", () => {
  const rows = [0, 1, 2, 3] as const;
  const of = kernel({
    buffers: [buffer("x", "read", 16), buffer("y", "write", 16)],
    body: [
      ...rows.map((row): Stmt => ({ op: "let", name: `r${row}`, value: load("x", i(4 * row), "f32x4") })),
      ...rows.map((lane) => {
        const [a, b, c, d] = rows.map((row): Expr => ({
          op: "extract",
          type: "f32",
          a: local(`r${row}`, "f32x4"),
          lane,
        })) as [Expr, Expr, Expr, Expr];
        return store("y", i(4 * lane), { op: "vector", type: "f32x4", lanes: [a, b, c, d] });
      }),
    ],
  });
  const code = text(of);
  expect(code.match(/i8x16\.shuffle/g)).toHaveLength(8);
  expect(code).not.toMatch(/_lane/);
  const buffers = () =>
    new Map([
      ["x", Float32Array.from({ length: 16 }, (_, at) => at)],
      ["y", new Float32Array(16)],
    ]);
  const [expected, actual] = [buffers(), buffers()];
  runKernel(of, expected, {});
  runOnWasm(of, actual);
  expect(actual).toEqual(expected);
  expect([...actual.get("y")!.slice(0, 5)]).toEqual([0, 4, 8, 12, 1]);
});

test("binaryen accepts every helper", () => {
  const at = local("at", "i32");
  const x = load("x", at);
  const unary = (["exp", "log", "tanh", "sin", "cos", "erf"] as const).map((fn, index) =>
    store("x", add(at, i(index)), { op: "unary", type: "f32", fn, a: x }),
  );
  const all = kernel({
    buffers: [buffer("x", "update", 32)],
    body: [
      loop("at", i(20), [
        ...unary,
        store("x", add(at, i(7)), binary("pow", x, x)),
        store("x", add(at, i(8)), { op: "random", type: "f32", key0: at, key1: at, counter: at, stream: 1 }),
      ]),
    ],
  });
  for (const relaxed of [false, true])
    for (const shared of [false, true])
      expect(checkWasm(printWasm([all], { relaxed, shared }))).toContain("call");
});
