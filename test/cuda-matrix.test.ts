// Matrix statements and halves: the kernel interpreter against plain loops, printed CUDA on the host against the interpreter (the lanes'
// layouts of ldmatrix and mma are the header's), and what verifier and interpreter refuse.

import { describe, expect, test } from "vitest";
import { printCuda } from "../compiler/cuda/print.ts";
import { roundHalf } from "../compiler/half.ts";
import { runKernel } from "../compiler/interpret-kernel.ts";
import { replaced } from "../compiler/kernel-walk.ts";
import type { Expr, Fragment, HalfType, Kernel, Stmt } from "../compiler/kernel.ts";
import { printKernel } from "../compiler/print-kernel.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import { constant } from "../runtime/size.ts";
import { hasCompiler, loadKernels } from "./helpers/cuda-host.ts";
import { add, binary, buffer, i, kernel, load, local, loop, mul, store } from "./helpers/kernels.ts";

const invocation: Expr = { op: "invocation", type: "i32" };
const warps = 2;
const [m, n, k] = [32, 32, 48];
type Layout = Exclude<Fragment, { readonly of: "sums" }>["contiguous"];

interface Case {
  readonly type: HalfType;
  readonly left: Layout;
  readonly right: Layout;
}

/** C[m, n] = A[m, k] B[k, n], each warp 16 rows; both operands whole in scratch, neighbours as the case says. */
function matrixKernel({ type, left, right }: Case): Kernel {
  const [aStride, bStride, cStride] = [(left === "k" ? k : m) + 8, (right === "k" ? k : n) + 8, n + 4];
  const place = (name: string, outer: number, inner: number, along: boolean, stride: number): Stmt =>
    loop(
      `${name}_at`,
      i(outer * inner),
      [
        { op: "let", name: `${name}_row`, value: binary("div", local(`${name}_at`, "i32"), i(inner)) },
        { op: "let", name: `${name}_column`, value: binary("mod", local(`${name}_at`, "i32"), i(inner)) },
        store(
          name,
          along
            ? add(mul(local(`${name}_row`, "i32"), i(stride)), local(`${name}_column`, "i32"))
            : add(mul(local(`${name}_column`, "i32"), i(stride)), local(`${name}_row`, "i32")),
          load(`${name}_in`, local(`${name}_at`, "i32")),
        ),
      ],
      invocation,
      32 * warps,
    );
  const warp = local("warp", "i32");
  const k0 = local("k0", "i32");
  const operand = (of: "left" | "right", name: string, other: Expr): Stmt => {
    const contiguous = of === "left" ? left : right;
    const stride = of === "left" ? aStride : bStride;
    const index = contiguous === "k" ? add(mul(other, i(stride)), k0) : add(mul(k0, i(stride)), other);
    return {
      op: "fragment",
      name,
      is: { of, scratch: of === "left" ? "a" : "b", index, stride, contiguous },
    };
  };
  return kernel({
    buffers: [buffer("a_in", "read", m * k), buffer("b_in", "read", k * n), buffer("out", "write", m * n)],
    grid: constant(2),
    workgroup: 32 * warps,
    scratch: [
      { name: "a", type, length: aStride * (left === "k" ? m : k) },
      { name: "b", type, length: bStride * (right === "k" ? n : k) },
      { name: "c", type: "f32", length: cStride * m },
    ],
    body: [
      // The second workgroup has nothing to do.
      {
        op: "if",
        condition: binary("lt", { op: "workgroup", type: "i32" }, i(1)),
        then: [
          place("a", m, k, left === "k", aStride),
          place("b", k, n, right === "other", bStride),
          { op: "barrier" },
          { op: "let", name: "warp", value: binary("div", invocation, i(32)) },
          ...[0, 1].map((at): Stmt => ({ op: "fragment", name: `sums${at}`, is: { of: "sums" } })),
          loop(
            "k0",
            i(k),
            [
              operand("left", "rows", mul(warp, i(16))),
              ...[0, 1].flatMap((at): Stmt[] => [
                operand("right", `columns${at}`, i(16 * at)),
                { op: "multiply", sums: `sums${at}`, left: "rows", right: `columns${at}` },
              ]),
            ],
            i(0),
            16,
          ),
          ...[0, 1].map((at): Stmt => ({
            ...{ op: "spill", sums: `sums${at}`, scratch: "c", stride: cStride },
            index: add(mul(warp, i(16 * cStride)), i(16 * at)),
          })),
          { op: "barrier" },
          loop(
            "at",
            i(m * n),
            [
              store(
                "out",
                local("at", "i32"),
                load(
                  "c",
                  add(
                    mul(binary("div", local("at", "i32"), i(n)), i(cStride)),
                    binary("mod", local("at", "i32"), i(n)),
                  ),
                ),
              ),
            ],
            invocation,
            32 * warps,
          ),
        ],
        otherwise: [],
      },
    ],
  });
}

const cases = (["bf16", "f16"] as const).flatMap((type) =>
  (["k", "other"] as const).flatMap((left) =>
    (["k", "other"] as const).map((right): Case => ({ type, left, right })),
  ),
);
const numbers = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, at) => Math.fround(Math.sin(at * 12.9898 + seed) * 3));
const memory = (): Map<string, Float32Array> =>
  new Map([
    ["a_in", numbers(m * k, 1)],
    ["b_in", numbers(k * n, 2)],
    ["out", new Float32Array(m * n)],
  ]);

test.each(cases)("matrix units of $type, left along $left, right along $right", ({ type, left, right }) => {
  const tested = matrixKernel({ type, left, right });
  verifyKernel(tested);
  const buffers = memory();
  runKernel(tested, buffers, {});
  const [a, b, out] = ["a_in", "b_in", "out"].map((name) => buffers.get(name)!) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  for (let row = 0; row < m; row++)
    for (let column = 0; column < n; column++) {
      let sum = 0;
      for (let at = 0; at < k; at++)
        sum += roundHalf(type, a[row * k + at]!) * roundHalf(type, b[at * n + column]!);
      expect(Math.abs(out[row * n + column]! - sum)).toBeLessThan(1e-4);
    }
});

const values = [
  0,
  -0,
  1,
  -1,
  1 / 3,
  65504,
  65519,
  65520,
  70000,
  1e-5,
  6e-8,
  3e-8,
  2.98e-8,
  -5.96e-8,
  1e-40,
  3.3e38,
  3.4e38,
];
const halves = [
  ...values,
  ...values.map((x) => -x * 1.0001),
  1.00390625,
  1.01171875,
  1.00048828125,
  1.00146484375,
  Infinity,
  -Infinity,
  NaN,
];

test("rounding to halves", () => {
  const table: readonly (readonly [HalfType, number, number])[] = [
    ["bf16", 1.00390625, 1],
    ["bf16", 1.01171875, 1.015625],
    ["bf16", -1.005, -1.0078125],
    ["bf16", 3.4e38, Infinity],
    ["bf16", 4e-41, 0],
    ["bf16", 1e-40, 9.183549615799121e-41],
    ["bf16", 9.1835e-41, 9.183549615799121e-41],
    ["f16", 1.00048828125, 1],
    ["f16", 1.00146484375, 1.001953125],
    ["f16", 65519, 65504],
    ["f16", 65520, Infinity],
    ["f16", 3e-8, 5.960464477539063e-8],
    ["f16", 2.98e-8, 0],
    ["f16", -1e-9, -0],
    ["f16", NaN, NaN],
  ];
  for (const [type, x, wanted] of table) expect(roundHalf(type, x)).toBe(wanted);
});

describe.skipIf(!hasCompiler)("on the host", () => {
  test("all layouts", () => {
    const tested = cases.map(matrixKernel);
    const library = loadKernels(tested);
    for (const [index, each] of tested.entries()) {
      const [wanted, actual] = [memory(), memory()];
      runKernel(each, wanted, {});
      library.run(
        index,
        2,
        ["a_in", "b_in", "out"].map((name) => actual.get(name)!),
        [],
      );
      actual
        .get("out")!
        .forEach((got, at) => expect(Math.abs(got - wanted.get("out")![at]!)).toBeLessThan(1e-5));
    }
  });

  test("halves, one at a time and four", () => {
    const count = Math.ceil(halves.length / 4) * 4;
    const x = local("x", "i32");
    const tested = (["bf16", "f16"] as const).map((type) =>
      kernel({
        buffers: [buffer("in", "read", count), buffer("out", "write", 4 * count)],
        scratch: [
          { name: "one", type, length: count },
          { name: "four", type, length: count },
          { name: "odd", type, length: count + 4 },
        ],
        body: [
          loop("x", i(count), [store("one", x, load("in", x)), store("out", x, load("one", x))]),
          loop(
            "y",
            i(count),
            [
              store("four", local("y", "i32"), load("in", local("y", "i32"), "f32x4")),
              store("odd", add(local("y", "i32"), i(1)), load("in", local("y", "i32"), "f32x4")),
              store("out", add(local("y", "i32"), i(count)), load("four", local("y", "i32"), "f32x4")),
              store(
                "out",
                add(local("y", "i32"), i(2 * count)),
                load("odd", add(local("y", "i32"), i(1)), "f32x4"),
              ),
            ],
            i(0),
            4,
          ),
        ],
      }),
    );
    const library = loadKernels(tested);
    for (const [index, each] of tested.entries()) {
      const given = Float32Array.from({ length: count }, (_, at) => halves[at % halves.length]!);
      const [wanted, actual] = [0, 1].map(
        () =>
          new Map([
            ["in", given],
            ["out", new Float32Array(4 * count)],
          ]),
      );
      runKernel(each, wanted!, {});
      library.run(index, 1, [given, actual!.get("out")!], []);
      expect(actual!.get("out")).toEqual(wanted!.get("out"));
    }
  });
});

describe("refused", () => {
  const good = matrixKernel(cases[0]!);
  const change = (from: (statement: Stmt) => Stmt | undefined): Kernel => ({
    ...good,
    body: replaced(good.body, (each) => [from(each) ?? []].flat()),
  });

  test("by the verifier", () => {
    expect(() => verifyKernel({ ...good, workgroup: 48 })).toThrow("wants whole warps");
    expect(() =>
      verifyKernel(change((each) => (each.op === "multiply" ? { ...each, left: each.right } : each))),
    ).toThrow("names no fragments in scope");
    expect(() =>
      verifyKernel(change((each) => (each.op === "spill" ? { ...each, scratch: "a" } : each))),
    ).toThrow("no scratch of f32");
    expect(() =>
      verifyKernel(
        change((each) =>
          each.op === "fragment" && each.is.of === "left"
            ? { ...each, is: { ...each.is, scratch: "c" } }
            : each,
        ),
      ),
    ).toThrow("no half scratch");
    expect(() =>
      verifyKernel(
        change((each) =>
          each.op === "fragment" && each.is.of === "left"
            ? { ...each, is: { ...each.is, stride: 20 } }
            : each,
        ),
      ),
    ).toThrow("rows 20 apart");
  });

  test("by the interpreter: no barrier before or after, lanes that disagree, an odd place", () => {
    let barriers = 0;
    const without = (which: number): Kernel => {
      barriers = 0;
      return change((each) => (each.op === "barrier" && barriers++ === which ? undefined : each));
    };
    expect(() => runKernel(without(0), memory(), {})).toThrow(
      /read (here and written|before it was written)/,
    );
    expect(() => runKernel(without(1), memory(), {})).toThrow(
      /read (here and written|before it was written)/,
    );
    const moved = (by: Expr): Kernel =>
      change((each) =>
        each.op === "fragment" && each.is.of === "left"
          ? { ...each, is: { ...each.is, index: add(each.is.index, by) } }
          : each,
      );
    expect(() => runKernel(moved(binary("and", invocation, i(8))), memory(), {})).toThrow(
      "with the same index",
    );
    expect(() => runKernel(moved(i(4)), memory(), {})).toThrow("no multiple of 8");
  });
});

test("reads well", () => {
  const text = printKernel(matrixKernel(cases[1]!));
  expect(text).toContain("  left rows = a[(((warp * 16) * 56) + k0); by 56, along k];");
  expect(text).toContain("sums0 += rows * columns0;");
  const printed = printCuda([matrixKernel(cases[1]!)]);
  expect(printed).toContain("const auto rows = left_by_k(a + warp * 16 * 56 + k0_2, 56, invocation);");
  expect(printed).toContain("spill(sums1, c + warp * 576 + 16, 36, invocation);");
});
