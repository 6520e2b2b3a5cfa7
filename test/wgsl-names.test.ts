// WGSL: whatever a shader calls keeps its name, whoever names a local or a buffer like it. In: a kernel that uses every function of the
// kernel language. What is called in its text is then the name of a local, and of a buffer.

import { expect, test } from "vitest";
import type { BinaryFn, Expr, Kernel, Stmt, UnaryFn } from "../compiler/kernel.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import { printWgsl } from "../compiler/wgsl/print.ts";
import { binary, buffer, f, i, kernel, load, local, store } from "./helpers/kernels.ts";

const unary: readonly UnaryFn[] = [
  ...(["neg", "abs", "exp", "log", "sqrt", "tanh", "sin", "cos", "erf", "floor", "ceil", "round"] as const),
  ...(["sign", "isnan", "order", "bf16", "f16"] as const),
];
const functions: readonly BinaryFn[] = ["add", "min", "max", "pow", "lt", "ne"];

function everything(): Kernel {
  const of = (x: Expr, four: boolean): Expr[] => {
    const type = four ? "f32x4" : "f32";
    const kindOf = (fn: string) => {
      const scalar = fn === "isnan" || fn === "lt" || fn === "ne" ? "bool" : fn === "order" ? "i32" : "f32";
      return four ? (`${scalar}x4` as const) : scalar;
    };
    return [
      ...unary.map((fn): Expr => ({ op: "unary", type: kindOf(fn), fn, a: x })),
      ...functions.map((fn): Expr => ({ op: "binary", type: kindOf(fn), fn, a: x, b: x })),
      { op: "fma", type, a: x, b: x, c: x },
      { op: "cast", type: four ? "i32x4" : "i32", a: x },
      {
        op: "select",
        type,
        condition: { op: "unary", type: kindOf("isnan"), fn: "isnan", a: x },
        a: x,
        b: x,
      },
    ];
  };
  const values = [...of(load("x", i(0)), false), ...of(load("x", i(0), "f32x4"), true)];
  const random: Expr = { op: "random", type: "f32", key0: i(1), key1: i(2), counter: i(3), stream: 4 };
  return kernel({
    buffers: [buffer("x", "read", 4), buffer("y", "write", 4)],
    workgroup: 8,
    body: [
      ...values.map((value, at): Stmt => ({ op: "let", name: `v${at}`, value })),
      { op: "let", name: "drawn", value: random },
      { op: "reduce", name: "low", fn: "min", value: f(1) },
      { op: "reduce", name: "high", fn: "max", value: f(1) },
      {
        op: "if",
        condition: binary("eq", { op: "invocation", type: "i32" }, i(0)),
        then: [store("y", i(0), { op: "splat", type: "f32x4", a: local("low", "f32") })],
        otherwise: [],
      },
    ],
  });
}

test.each([false, true])("what a shader calls keeps its name, subgroups: %s", (subgroups) => {
  const tested = everything();
  verifyKernel(tested);
  const text = printWgsl(tested, { subgroups });
  const calls = text.replaceAll(/\/\/.*/g, "").matchAll(/(?<!@)\b([a-z]\w*)(?:<[\w<>]+>)?\(/g);
  const called = [...new Set([...calls].map(([, name]) => name!))];
  for (const name of ["exp_of4", "order_of", "load4_x", "threefry", "bitcast", "reduce_min_f32"])
    expect(called).toContain(name);
  // Names of the kernel's own memory are in these.
  const others = called.filter((name) => !/^(load4|store4|reduce)_/.test(name));
  const clashes = others.filter((name) => {
    const named = { ...tested, body: [{ op: "let", name, value: f(1) } as const, ...tested.body] };
    const stored = { ...tested, buffers: [...tested.buffers, buffer(name, "read", 1)] };
    return (
      printWgsl(named, { subgroups }).includes(`let ${name}:`) ||
      printWgsl(stored, { subgroups }).includes(`> ${name}: array`)
    );
  });
  expect(clashes).toEqual([]);
});
