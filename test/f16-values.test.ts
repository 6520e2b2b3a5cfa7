// Values of f16 in kernels: the interpreter against roundings found in a table of all of its numbers; what the verifier and the targets say
// of them; the interpreter's results by CUDA C++ on the host, and by WGSL where a device has f16 (Mesa's lavapipe has). Dawn's own
// validator reads the texts anyway.

import { afterAll, describe, expect, test } from "vitest";
import { runKernel } from "../compiler/interpret-kernel.ts";
import type { Expr, Kernel } from "../compiler/kernel.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import { printWasm } from "../compiler/wasm/print.ts";
import { printWgsl } from "../compiler/wgsl/print.ts";
import { widened } from "../runtime/halves.ts";
import { evaluate } from "../runtime/size.ts";
import { hasCompiler, loadKernels } from "./helpers/cuda-host.ts";
import { close } from "./helpers/edge-values.ts";
import { add, binary, buffer, f, i, kernel, load, local, loop, store } from "./helpers/kernels.ts";
import { groups, randomKernel, slice, tableLength } from "./helpers/random-kernels.ts";
import { findDevice, hasDawn, runOnWebGpu, validator, type Buffers } from "./helpers/webgpu.ts";

const found = await findDevice();
const device = typeof found === "string" ? undefined : found;
const hasF16 = device?.gpu.features.has("shader-f16") === true;
afterAll(() => device?.dispose());

/** All that are not negative, in order; each is its place times 2^-24, but for places that are left out. */
const numbers = widened(
  "f16",
  Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits),
);
const unit = 2 ** -24;
/** In units of 2^-48, which every product and sum of f16 is a whole number of. */
const exact = (x: number): bigint => BigInt(x / unit) << 24n;
const product = (a: number, b: number): bigint => BigInt(a / unit) * BigInt(b / unit);

/** The nearest number of the table; of two, the one with even bits, where infinity comes after the largest. */
function nearest(units: bigint): number {
  const size = units < 0n ? -units : units;
  const sizeAt = (at: number): bigint => exact(at === numbers.length ? 65536 : numbers[at]!);
  let [below, above] = [0, numbers.length];
  while (above - below > 1) {
    const middle = (below + above) >> 1;
    if (sizeAt(middle) <= size) below = middle;
    else above = middle;
  }
  const rest = 2n * size - sizeAt(below) - sizeAt(above);
  const at = rest < 0n || (rest === 0n && below % 2 === 0) ? below : above;
  const value = at === numbers.length ? Infinity : numbers[at]!;
  return units < 0n ? -value : value;
}

let state = 7;
const random = (below: number): number =>
  (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) % Math.floor(below);
const someNumber = (): number => (random(2) === 0 ? -1 : 1) * numbers[random(numbers.length)]!;
/** Of one size, so that sums lose few digits. */
const nearOne = (): number => (random(2) === 0 ? -1 : 1) * numbers[0x3000 + random(0x1800)]!;
const triples = Array.from({ length: 4000 }, (_, at): readonly [number, number, number] => {
  const next = at % 2 === 0 ? someNumber : nearOne;
  // Halfway between two numbers, and so near that f32 does not see the difference.
  const odd = numbers[0x3c01 + 2 * random(500)]!;
  if (at % 16 === 1) return [odd, 1, 2 ** -11];
  if (at % 16 === 3) return [2 ** -5 * (1 + 2 ** -10), 2 ** -6 * (1 - 2 ** -10), odd];
  return [next(), next(), next()];
});

const half = (a: Expr): Expr => ({ op: "cast", type: a.type === "f32x4" ? "f16x4" : "f16", a });
const wide = (a: Expr): Expr => ({ op: "cast", type: a.type === "f16x4" ? "f32x4" : "f32", a });
const count = triples.length;
const names = ["sum", "difference", "product", "fused"] as const;

/** What comes of every triple, one by one or in fours. c is read as it is, and the fused ones are stored so, too. */
function arithmetic(lanes: 1 | 4): Kernel {
  const at = local("at", "i32");
  const [type, from] = lanes === 4 ? (["f16x4", "f32x4"] as const) : (["f16", "f32"] as const);
  const [a, b, c] = [local("a", type), local("b", type), local("c", type)];
  const minus: Expr = { op: "unary", type, fn: "neg", a: b };
  const values = [add(a, b), add(a, minus), binary("mul", a, b), { op: "fma", type, a, b, c } as const];
  return kernel({
    name: `arithmetic${lanes}`,
    buffers: [
      buffer("x", "read", count),
      buffer("y", "read", count),
      buffer("z", "read", count, "f16"),
      buffer("out", "write", 4 * count),
      buffer("halves", "write", count, "f16"),
    ],
    body: [
      loop(
        "at",
        i(count),
        [
          { op: "let", name: "a", value: half(load("x", at, from)) },
          { op: "let", name: "b", value: half(load("y", at, from)) },
          { op: "let", name: "c", value: load("z", at, type) },
          ...values.map((value, which) => store("out", add(at, i(which * count)), wide(value))),
          store("halves", at, values[3]!),
        ],
        i(0),
        lanes,
      ),
    ],
  });
}

const memory = (): Buffers =>
  new Map([
    ...["x", "y", "z"].map((name, at) => [name, Float32Array.from(triples, (each) => each[at]!)] as const),
    ["out", new Float32Array(4 * count)],
    ["halves", new Float32Array(count)],
  ]);
const wanted = triples.map(
  ([a, b, c]) =>
    [exact(a) + exact(b), exact(a) - exact(b), product(a, b), product(a, b) + exact(c)].map(nearest) as [
      number,
      number,
      number,
      number,
    ],
);

/** `alike` is told what a device gave, what is wanted, which result of which numbers it is. */
function expectAll(
  given: Buffers,
  alike: (got: number, want: number, which: number, of: readonly number[]) => boolean,
): void {
  const out = given.get("out")!;
  wanted.forEach((all, at) =>
    all.forEach((want, which) => {
      const got = out[which * count + at]!;
      if (!alike(got, want, which, triples[at]!))
        expect.fail(`the ${names[which]} of ${triples[at]!.join(", ")} is ${got}, wanted ${want}`);
      if (which === 3 && given.get("halves")![at] !== got) expect.fail(`${got} was stored as another number`);
    }),
  );
}

const both = [arithmetic(1), arithmetic(4)];

test.each(both)("the interpreter rounds once: $name", (tested) => {
  verifyKernel(tested);
  const given = memory();
  runKernel(tested, given, {});
  expectAll(given, (got, want) => got === want);
});

test("what is no value of f16, and no operation on them", () => {
  const [x, y] = [load("in", i(0)), load("halves", i(0), "f16")];
  const verify = (value: Expr): void =>
    verifyKernel(
      kernel({
        buffers: [buffer("in", "read", 4), buffer("halves", "read", 4, "f16"), buffer("out", "write", 4)],
        body: [store("out", i(0), value)],
      }),
    );
  verify(wide(add(half(x), y)));
  const wrong: readonly (readonly [Expr, string])[] = [
    [add(half(x), y), "f16 (f16(in[0]) + halves[0]) is stored to out of f32"],
    [wide(add(x, y)), "halves[0] is f16, wanted f32"],
    [wide(load("in", i(0), "f16")), "in is of f32"],
    [wide(binary("div", y, y)), "no div of f16"],
    [binary("lt", y, y), "no lt of f16"],
    [wide({ op: "unary", type: "f16", fn: "exp", a: y }), "no exp of f16"],
    [wide({ op: "literal", type: "f16", value: 0.1 }), "no number of f16"],
    [wide({ op: "cast", type: "f16", a: i(3) }), "from i32"],
    [{ op: "cast", type: "i32", a: y }, "from f16"],
  ];
  for (const [value, why] of wrong) expect(() => verify(value), why).toThrow(why);
});

const inRegisters = kernel({
  buffers: [buffer("in", "read", 4), buffer("out", "write", 4)],
  body: [
    { op: "var", name: "sum", value: { op: "literal", type: "f16", value: 0.5 } },
    { op: "set", name: "sum", value: add(local("sum", "f16"), half(load("in", i(1)))) },
    store("out", i(0), wide(add(local("sum", "f16"), half(f(0.1))))),
  ],
});

test("a CPU has none, a shader says that it needs them", () => {
  verifyKernel(inRegisters);
  expect(() => printWasm([inRegisters], { relaxed: false, shared: false })).toThrow(
    "kernel test computes in f16, which wasm has not",
  );
  const text = printWgsl(inRegisters);
  expect(text).toContain("enable f16;\n");
  expect(text.slice(text.indexOf("  var sum"))).toBe(
    [
      "  var sum: f16 = f16(0.5);",
      "  sum = sum + f16(round_f16(in[1]));",
      "  out[0] = f32(sum + f16(0.099975586));",
      "}",
      "",
    ].join("\n"),
  );
});

const randoms = Array.from({ length: 12 }, (_, seed) => randomKernel(seed * 7 + 1, seed % 4, "f16", true));
const randomMemory = (): Buffers =>
  new Map<string, Float32Array | Int32Array>([
    ["table", Float32Array.from({ length: tableLength }, (_, at) => Math.fround(((at * 37) % 23) / 3 - 4))],
    ["index", Int32Array.from({ length: 16 }, (_, at) => (at * 29) % 61)],
    ["update", Float32Array.from({ length: groups * slice }, (_, at) => ((at * 11) % 17) - 8)],
    ["halves", Float32Array.from({ length: groups * slice }, (_, at) => ((at * 13) % 29) / 4 - 3)],
  ]);

/** What f32 rounds otherwise may be a digit of f16. */
async function expectRandom(
  run: (tested: Kernel, at: number, memory: Buffers, sizes: { readonly S: number }) => unknown,
): Promise<void> {
  for (const [at, tested] of randoms.entries()) {
    verifyKernel(tested);
    const sizes = { S: 1 + (at % 4) };
    const [want, got] = [randomMemory(), randomMemory()];
    runKernel(tested, want, sizes);
    await run(tested, at, got, sizes);
    for (const name of ["update", "halves"]) {
      const wrong = want
        .get(name)!
        .findIndex((value, index) => !close(got.get(name)![index]!, value, 2 ** -9, 1e-3));
      if (wrong >= 0)
        expect.fail(
          `kernel ${at}: ${name}[${wrong}] is ${got.get(name)![wrong]}, wanted ${want.get(name)![wrong]}`,
        );
    }
  }
}

describe.skipIf(!hasCompiler)("CUDA C++ on the host", () => {
  const library = hasCompiler ? loadKernels([...both, ...randoms]) : undefined;
  const run = (tested: Kernel, at: number, given: Buffers, sizes: { readonly S?: number } = {}): void =>
    library!.run(
      at,
      evaluate(tested.grid, sizes as Record<string, number>),
      tested.buffers.map(({ name }) => given.get(name)!),
      tested.sizes.map(() => sizes.S!),
    );
  test.each([0, 1])("one operation: kernel %i", (at) => {
    const given = memory();
    run(both[at]!, at, given);
    // A fused one is rounded to f32 on the way: one that comes to lie halfway may go to the other side.
    expectAll(
      given,
      (got, want, which) =>
        got === want || (which === 3 && Math.abs(got - want) <= 2 ** -10 * Math.abs(want)),
    );
  });
  test("random kernels", () => expectRandom((tested, at, given, sizes) => run(tested, at + 2, given, sizes)));
});

test.skipIf(!hasDawn)("Dawn accepts the texts", { timeout: 60_000 }, async () => {
  const accepts = await validator(["shader-f16"]);
  for (const each of [inRegisters, ...both, ...randoms.slice(0, 4)]) {
    const text = printWgsl(each);
    expect(await accepts(text), text).toBe("");
  }
});

describe.skipIf(!hasF16)("WGSL on a device with f16", () => {
  /** What a device may take for zero. */
  const small = (x: number): boolean => Math.abs(x) < 2 ** -14;
  test.each(both)("one operation: $name", async (tested) => {
    const given = memory();
    await runOnWebGpu(device!, tested, given);
    expectAll(given, (got, want, which, [a, b, c]) => {
      // Of what is too large WGSL promises nothing.
      if (!Number.isFinite(want) || !Number.isFinite(a! * b!)) return true;
      if (which < 3 && !small(a!) && !small(b!) && !small(want)) return got === want;
      // Twice rounded, and numbers that vanish: a factor, the product, c, the sum.
      const bound = (2 * 2 ** -11 + 2 ** -22) * (Math.abs(a! * b!) + Math.abs(c!)) + 3 * 2 ** -14;
      const factors = which > 1 ? 2 ** -14 * Math.max(Math.abs(a!), Math.abs(b!)) : 0;
      const overflows = which === 3 && Math.abs(a! * b!) >= 65504;
      return overflows || Math.abs(got - want) <= bound + factors;
    });
  });
  test("random kernels", { timeout: 300_000 }, () =>
    expectRandom((tested, _, given, sizes) => runOnWebGpu(device!, tested, given, sizes)),
  );
});
