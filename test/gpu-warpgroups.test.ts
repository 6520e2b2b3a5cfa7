// Contractions whose warpgroups multiply: the kernel interpreter and printed CUDA on the host against plain loops. On the host descriptors,
// orders of shared memory and registers are what the PTX manual says of them, written apart from the compiler's; what is not published,
// grouped or settled is found.

import { describe, expect, test } from "vitest";
import { printCuda } from "../compiler/cuda/print.ts";
import { runKernel } from "../compiler/interpret-kernel.ts";
import { replaced, statementsIn } from "../compiler/kernel-walk.ts";
import type { Kernel, Stmt } from "../compiler/kernel.ts";
import { printKernel } from "../compiler/print-kernel.ts";
import { targets, type Parallel } from "../compiler/target.ts";
import { forDevice } from "../compiler/variant.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import { constant } from "../runtime/size.ts";
import type { Case, Prepared } from "./helpers/contraction.ts";
import { hasCompiler, loadKernels, loadText, type HostKernels } from "./helpers/cuda-host.ts";
import { expectCudaAlike, planCuda } from "./helpers/cuda-session.ts";
import { wide } from "./helpers/device-texts.ts";
import { i } from "./helpers/kernels.ts";
import { layouts, prepareFor } from "./helpers/gpu-contraction.ts";

const device = (type: "bf16" | "f16"): Parallel => ({
  ...targets.cuda.parallel!,
  scratch: 98304,
  matrix: { type, warpgroups: true },
});

/** So large that tiles are whole; tests compute the first of them. */
const large = { m: 1024, n: 2048, k: 72, half: "bf16" } as const;
const cases: readonly Case[] = [
  ...layouts.map((layout) => ({ ...large, ...layout })),
  ...layouts.map((layout) => ({ ...large, ...layout, k: 40, siblings: 2 })),
  { ...large, half: "f16", k: 200, epilogue: true },
  { ...large, ragged: "rows", rows: [70, 0, 300], gather: true, b: "k" },
  { ...large, ragged: "reduction", rows: [90, 40, 300], k: 512, a: "m", gather: true },
];

const prepared = (item: Case): Prepared => {
  const made = prepareFor(item, device(item.half!));
  return { ...made, kernel: { ...made.kernel, grid: constant(1) } };
};

function expectFirstTile(item: Case, { buffers, expectedAt }: Prepared): void {
  for (let sibling = 0; sibling < (item.siblings ?? 1); sibling++) {
    const out = buffers.get(`out${sibling}`)!;
    for (let at = 0; at < 300; at++) {
      const [row, column] = [(at * 37) % 64, (at * 29) % 64];
      const place = row * item.n + column;
      const wanted = expectedAt(sibling * out.length + place);
      if (!(Math.abs(out[place]! - wanted) < 1e-4))
        expect.fail(`${JSON.stringify(item)}: row ${row}, column ${column}: ${out[place]}, wanted ${wanted}`);
    }
  }
}

type Product = Extract<Stmt, { readonly op: "product" }>;

const products = (list: readonly Stmt[]): number =>
  statementsIn(list).filter(({ op }) => op === "product").length;

test("not where an operand is computed on the way", () => {
  const { kernel } = prepareFor({ ...large, halved: "b" }, device("bf16"));
  expect(forDevice(kernel, true)).toBe(kernel);
});

test("by the interpreter", { timeout: 300_000 }, () => {
  // It is slow.
  const few = cases.filter(({ siblings, a, b }) => siblings === undefined || (a === "k" && b === "n"));
  for (const whole of few) {
    const item = whole.ragged === "reduction" ? whole : { ...whole, k: 40 };
    const each = prepared(item);
    const kernel = forDevice(each.kernel, true);
    verifyKernel(each.kernel);
    expect(products(kernel.body)).toBeGreaterThan(0);
    runKernel(kernel, each.buffers, each.sizes);
    expectFirstTile(item, each);
  }
});

function run(library: HostKernels, index: number, { kernel, buffers, sizes }: Prepared): void {
  library.run(
    index,
    1,
    kernel.buffers.map(({ name }) => buffers.get(name)!),
    kernel.sizes.map((name) => sizes[name]!),
  );
}

describe.skipIf(!hasCompiler)("on the host", () => {
  test.each([true, false])("with warpgroups that multiply: %s", { timeout: 300_000 }, (warpgroups) => {
    const all = cases.map(prepared);
    const library = loadKernels(
      all.map(({ kernel }) => kernel),
      { warpgroups },
    );
    for (const [index, each] of all.entries()) {
      run(library, index, each);
      expectFirstTile(cases[index]!, each);
    }
    expect(library.conflicts()).toBe(0);
  });

  // More blocks than there are places for.
  const item = { ...large, k: 200 };
  const mistakes: readonly (readonly [string, (text: string) => string, RegExp])[] = [
    ["what has arrived is not published", (text) => text.replaceAll("publish();", ""), /is not published/],
    ["no fence before", (text) => text.replaceAll("products_begin();", ""), /before products begin/],
    ["no group", (text) => text.replaceAll("products_end();", ""), /settles while products are open/],
    // The place of a block is taken while it is read.
    [
      "not settled",
      (text) => text.replace(/copies_wait<2>\(\);\n +settle\(\);/, "copies_wait<2>();"),
      /row \d/,
    ],
    ["never settled", (text) => text.replaceAll("settle();", ""), /ends while products are open/],
    [
      "not waited for",
      (text) => text.replace("copies_wait<2>();", "copies_wait<3>();"),
      /row \d|not published/,
    ],
    [
      "another order on the right",
      (text) => text.replaceAll("tile_of<128>", "tile_of<64>"),
      /row \d|not published/,
    ],
    ["another order on the left", (text) => text.replaceAll("tile_of<64>", "tile_of<32>"), /row \d/],
    [
      "copied in another order",
      (text) => text.replaceAll("(left + swizzled<64", "(left + swizzled<32"),
      /row \d/,
    ],
    ["other panels", (text) => text.replaceAll("4096)", "8192)"), /row \d|not published/],
    ["along the other axis", (text) => text.replaceAll("_bf16<0, 1>", "_bf16<0, 0>"), /row \d|not published/],
    // Of each warp its own.
    [
      "other tiles for other warps",
      (text) =>
        text.replace(/tile_of<64>\(left \+ \(\((warp_\d+)/, "tile_of<64>(left + 512 * ($1 & 1) + (($1"),
      /other tiles than its warpgroup/,
    ],
  ];
  test.each(mistakes)("a mistake shows: %s", { timeout: 60_000 }, (_, change, told) => {
    const each = prepared(item);
    const text = printCuda([each.kernel]);
    expect(change(text)).not.toBe(text);
    const library = loadText(change(text), [each.kernel], { warpgroups: true });
    expect(() => {
      run(library, 0, each);
      expectFirstTile(item, each);
    }).toThrow(told);
  });

  test("a layer and its gradients", { timeout: 300_000 }, async () => {
    const host = { warpgroups: true };
    const text = wide.replace("dim D = 128", "dim D = 64");
    expect(printCuda(planCuda(text, "bf16", host).kernels)).toContain("product_64_bf16<0, 1>(");
    const options = { sizes: { B: 20 }, precision: "bf16", tolerance: 2e-2 } as const;
    await expectCudaAlike(text, { ...options, ...host });
  });
});

describe("refused", () => {
  const kernel = prepared(cases[0]!).kernel;
  const inside = (change: (statement: Stmt) => readonly Stmt[]): Kernel => ({
    ...kernel,
    body: replaced(kernel.body, change),
  });
  const withProduct = (change: (product: Product) => Stmt): Kernel =>
    inside((each) => [each.op === "product" ? change(each) : each]);

  test("by the verifier", () => {
    const verify = (tested: Kernel) => () => verifyKernel(tested);
    expect(verify(forDevice(kernel, true))).toThrow("outside of a variant for warpgroups");
    expect(verify({ ...kernel, workgroup: 96 })).toThrow("wants whole warpgroups");
    expect(verify(withProduct((each) => ({ ...each, sums: [] })))).toThrow("a product of 0 columns");
    expect(verify(withProduct((each) => ({ ...each, sums: ["nobody"] })))).toThrow("nobody is added to");
    const block = { scratch: "block", index: i(0), contiguous: "k" } as const;
    expect(verify(withProduct((each) => ({ ...each, left: block })))).toThrow("no half scratch with rows");
    expect(verify(withProduct((each) => ({ ...each, right: { ...each.right, panel: 64 } })))).not.toThrow();
    expect(verify(withProduct((each) => ({ ...each, left: { ...each.left, panel: 64 } })))).toThrow(
      "has panels",
    );
  });

  test("not where an operand is computed on the way", () => {
    const { kernel } = prepareFor({ ...large, halved: "b" }, device("bf16"));
    expect(forDevice(kernel, true)).toBe(kernel);
  });

  test("by the interpreter", { timeout: 120_000 }, () => {
    const each = prepared(cases[0]!);
    const runOn = (tested: Kernel) => () => runKernel(forDevice(tested, true), each.buffers, each.sizes);
    expect(runOn(inside((one) => (one.op === "settle" ? [] : [one])))).toThrow(
      /written while a product reads it|before its products have settled/,
    );
    expect(runOn(withProduct((one) => ({ ...one, left: { ...one.left, index: i(8) } })))).toThrow(
      "within eight rows",
    );
    expect(runOn(inside((one) => (one.op === "wait" ? [] : [one])))).toThrow("read while a copy");
  });
});

test("reads well", () => {
  const { kernel } = prepared(cases[0]!);
  const text = printKernel(kernel);
  expect(text).toContain("warpgroups {");
  expect(text).toMatch(/\+= left\[.*; along k\] \* right0\[.*; along columns, panels of 2048\];/);
  const printed = printCuda([kernel]);
  expect(printed).toContain("#if MOE_WARPGROUPS\n");
  expect(printed).toContain("publish();\n");
  expect(printed).toMatch(
    /products_begin\(\);\n +product_128_bf16<0, 1>\(sums.*tile_of<64>\(left \+ .*, 16\), tile_of<128>\(right0 \+ .*, 4096\)\);/,
  );
  expect(printed).toContain("wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 ");
});
