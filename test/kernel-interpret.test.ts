// What the kernel interpreter refuses, what the verifier refuses, and how kernels are printed.

import { describe, expect, test } from "vitest";
import { erf } from "../compiler/interpret-scalar.ts";
import { runKernel } from "../compiler/interpret-kernel.ts";
import type { Expr, Kernel, ReduceFn, Stmt } from "../compiler/kernel.ts";
import { printKernel } from "../compiler/print-kernel.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import { constant, named } from "../runtime/size.ts";
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
  splat,
  store,
  workgroup,
} from "./helpers/kernels.ts";

const invocation: Expr = { op: "invocation", type: "i32" };
const barrier: Stmt = { op: "barrier" };
const run = (of: Kernel, length = 8): Float32Array => {
  const out = new Float32Array(length);
  runKernel(of, new Map([["out", out]]), {});
  return out;
};
const writing = (body: readonly Stmt[], parts: Partial<Kernel> = {}): Kernel =>
  kernel({ buffers: [buffer("out", "update", 8)], body, ...parts });

describe("the interpreter refuses", () => {
  test.each<[string, Kernel, RegExp]>([
    ["a store past the end", writing([store("out", i(8), f(1))]), /out\[8\] .*outside 0 \.\. 7/],
    ["a vector that reaches past the end", writing([store("out", i(5), splat(f(1)))]), /out\[8\]/],
    ["a load before the start", writing([store("out", i(0), load("out", i(-1)))]), /out\[-1\]/],
    [
      "two workgroups that write one element",
      writing([store("out", i(3), f(1))], { grid: constant(2) }),
      /written by another/,
    ],
    [
      "a workgroup that reads what another wrote",
      writing([store("out", workgroup, load("out", i(0)))], { grid: constant(2) }),
      /read here and written by another/,
    ],
    [
      "a workgroup that writes what another read",
      writing(
        [
          store("out", binary("sub", i(1), workgroup), load("out", binary("sub", i(1), workgroup))),
          store("out", add(workgroup, i(2)), load("out", i(1))),
        ],
        { grid: constant(2) },
      ),
      /another invocation/,
    ],
    [
      "scratch that nothing wrote",
      writing([store("out", i(0), load("s", i(1)))], { scratch: [{ name: "s", type: "f32", length: 4 }] }),
      /s\[1\] .*read before it was written/,
    ],
    [
      "scratch exchanged without a barrier",
      writing(
        [store("s", invocation, f(1)), store("out", invocation, load("s", binary("sub", i(3), invocation)))],
        {
          workgroup: 4,
          scratch: [{ name: "s", type: "f32", length: 4 }],
        },
      ),
      /read before it was written|another invocation/,
    ],
    [
      "a barrier that some invocations miss",
      writing([{ op: "if", condition: binary("lt", invocation, i(2)), then: [barrier], otherwise: [] }], {
        workgroup: 4,
      }),
      /not all invocations/,
    ],
    ["a negative dividend", writing([store("out", binary("div", i(-4), i(2)), f(0))]), /non-negative/],
  ])("%s", (_, refused, message) => {
    verifyKernel(refused);
    expect(() => run(refused)).toThrow(message);
  });
});

test("a workgroup exchanges scratch across barriers", () => {
  // each round, every invocation takes its right neighbour's number
  const next = binary("mod", add(invocation, i(1)), i(4));
  const rotate: Stmt = loop("round", i(3), [
    { op: "let", name: "taken", value: load("s", next) },
    barrier,
    store("s", invocation, local("taken", "f32")),
    barrier,
  ]);
  const number: Expr = { op: "cast", type: "f32", a: invocation };
  const rotated = writing(
    [
      store("s", invocation, number),
      barrier,
      rotate,
      store("out", add(mul(workgroup, i(4)), invocation), load("s", invocation)),
    ],
    {
      grid: constant(2),
      workgroup: 4,
      scratch: [{ name: "s", type: "f32", length: 4 }],
    },
  );
  verifyKernel(rotated);
  expect([...run(rotated)]).toEqual([3, 0, 1, 2, 3, 0, 1, 2]);
});

describe("a workgroup reduces", () => {
  const number = add(mul(invocation, i(3)), workgroup);
  const asFloat = (a: Expr): Expr => ({ op: "cast", type: "f32", a });
  const reduced = (fn: ReduceFn, value: Expr, workgroups = 2): number[] => {
    const result = local("all", value.type);
    const kernel = writing(
      [
        { op: "reduce", name: "all", fn, value },
        store("out", add(mul(workgroup, i(4)), invocation), value.type === "f32" ? result : asFloat(result)),
      ],
      { grid: constant(workgroups), workgroup: 4 },
    );
    verifyKernel(kernel);
    return [...run(kernel)];
  };
  // workgroup 0 has 0, 3, 6, 9; workgroup 1 has 1, 4, 7, 10
  test.each<[ReduceFn, Expr, number, number]>([
    ["add", number, 18, 22],
    ["max", number, 9, 10],
    ["min", number, 0, 1],
    ["add", asFloat(number), 18, 22],
    ["max", asFloat(number), 9, 10],
    ["min", binary("sub", f(0.5), asFloat(number)), -8.5, -9.5],
  ])("%s", (fn, value, first, second) => {
    const all = [first, first, first, first, second, second, second, second];
    expect(reduced(fn, value)).toEqual(all);
  });
  test("maxima pass over NaN", () => {
    const root: Expr = { op: "unary", type: "f32", fn: "sqrt", a: asFloat(binary("sub", i(1), invocation)) };
    expect(reduced("max", root, 1).slice(0, 4)).toEqual([1, 1, 1, 1]);
  });
  test("one invocation has its own value", () => {
    const alone = writing([
      { op: "reduce", name: "all", fn: "add", value: f(2.5) },
      store("out", i(0), local("all", "f32")),
    ]);
    expect(run(alone)[0]).toBe(2.5);
  });
  test("and meets: scratch written before is seen after", () => {
    const kernel = writing(
      [
        store("s", invocation, asFloat(invocation)),
        { op: "reduce", name: "all", fn: "add", value: i(1) },
        store("out", invocation, load("s", binary("sub", i(3), invocation))),
      ],
      { workgroup: 4, scratch: [{ name: "s", type: "f32", length: 4 }] },
    );
    expect([...run(kernel)].slice(0, 4)).toEqual([3, 2, 1, 0]);
  });
  test("but not when some invocations miss it", () => {
    const some: Stmt = {
      op: "if",
      condition: binary("lt", invocation, i(2)),
      then: [{ op: "reduce", name: "all", fn: "add", value: i(1) }],
      otherwise: [],
    };
    expect(() => run(writing([some], { workgroup: 4 }))).toThrow(/not all invocations/);
  });
  test("and not truth", () => {
    const truth: Stmt = { op: "reduce", name: "all", fn: "max", value: binary("lt", invocation, i(2)) };
    expect(() => verifyKernel(writing([truth]))).toThrow(/all reduces bool/);
  });
});

test("erf to double precision", () => {
  // Abramowitz and Stegun, table 7.1, and known digits
  for (const [x, expected] of [
    [0, 0],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [2.6, 0.9997639655834707],
    [3, 0.9999779095030014],
  ] as const) {
    expect(erf(x)).toBeCloseTo(expected, 14);
    expect(erf(-x)).toBeCloseTo(-expected, 14);
  }
});

describe("the verifier refuses", () => {
  const one = f(1);
  test.each<[string, Kernel, RegExp]>([
    [
      "nine buffers",
      kernel({ buffers: Array.from({ length: 9 }, (_, at) => buffer(`b${at}`, "read", 1)), body: [] }),
      /9 buffers, at most 8/,
    ],
    [
      "a name twice",
      writing([
        { op: "let", name: "x", value: one },
        { op: "let", name: "x", value: one },
      ]),
      /x is declared twice/,
    ],
    ["a name twice in two loops", writing([loop("x", i(1), []), loop("x", i(1), [])]), /x is declared twice/],
    [
      "a name out of scope",
      writing([loop("x", i(1), []), store("out", local("x", "i32"), one)]),
      /read outside its scope/,
    ],
    [
      "a wrong type of a name",
      writing([{ op: "let", name: "x", value: one }, store("out", local("x", "i32"), one)]),
      /declared as f32/,
    ],
    [
      "setting a constant",
      writing([
        { op: "let", name: "x", value: one },
        { op: "set", name: "x", value: one },
      ]),
      /no variable/,
    ],
    [
      "setting another type",
      writing([
        { op: "var", name: "x", value: one },
        { op: "set", name: "x", value: i(1) },
      ]),
      /x is f32 and is set to i32 1/,
    ],
    [
      "storing to what is read",
      kernel({ buffers: [buffer("a", "read", 1)], body: [store("a", i(0), one)] }),
      /only read/,
    ],
    [
      "loading what is written",
      kernel({ buffers: [buffer("a", "write", 1)], body: [store("a", i(0), load("a", i(0)))] }),
      /only written/,
    ],
    ["storing the wrong element", writing([store("out", i(0), i(1))]), /i32 1 is stored to out of f32/],
    [
      "an unknown size",
      kernel({ buffers: [buffer("a", "read", named("T"))], body: [] }),
      /size T is not declared/,
    ],
    ["mixed operands", writing([store("out", i(0), binary("add", one, i(1)))]), /1 is i32, wanted f32/],
    ["bits of floats", writing([store("out", i(0), binary("xor", one, one))]), /no xor of f32/],
    ["a step back", writing([loop("x", i(1), [], i(0), -1)]), /steps by -1/],
    [
      "a number as a condition",
      writing([{ op: "if", condition: i(1), then: [], otherwise: [] }]),
      /1 is i32, wanted bool/,
    ],
  ])("%s", (_, refused, message) => {
    expect(() => verifyKernel(refused)).toThrow(message);
    expect(() => verifyKernel(refused)).toThrow(/^internal: kernel test: /);
  });
});

test("a kernel as text", () => {
  const micro = microKernel(1, 1, 8);
  verifyKernel(micro);
  expect(printKernel(micro))
    .toBe(`kernel micro_1x4(read f32 a[8], read f32 b[32], write f32 c[4]) grid 1 workgroup 1 {
  var f32x4 c0_0 = f32x4(0.0);
  for (k = 0; k < 8; k++) {
    let f32x4 b0_0 = b[(((k + 0) * 4) + 0) : 4];
    let f32x4 a0_0 = f32x4(a[(((k + 0) * 1) + 0)]);
    c0_0 = fma(a0_0, b0_0, c0_0);
  }
  c[0 : 4] = c0_0;
}
`);
});
