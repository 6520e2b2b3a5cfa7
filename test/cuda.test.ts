// CUDA: reductions, scratch and barriers, names, and random kernels, printed as CUDA C++, run on the CPU
// (helpers/cuda-host.ts), against the kernel interpreter. Functions on edge values are in cuda-functions.test.ts; what nvcc makes of the same text is in cuda-nvcc.test.ts.

import { describe, expect, test } from "vitest";
import { divisorOf } from "../compiler/cuda/alignment.ts";
import { printCuda } from "../compiler/cuda/print.ts";
import type { Expr, Kernel, ReduceFn, Stmt } from "../compiler/kernel.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import { constant, named } from "../runtime/size.ts";
import { hasCompiler, loadKernels, loadText } from "./helpers/cuda-host.ts";
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
import { runLaunch } from "./helpers/launch-targets.ts";
import { copied } from "./helpers/launches.ts";
import { expectRandom, randomLaunches } from "./helpers/random-launches.ts";
import { randomRuns } from "./helpers/runs.ts";
import { both, type Data, type Memory } from "./helpers/cuda-both.ts";

const invocation: Expr = { op: "invocation", type: "i32" };

test("there is a C++ compiler to test with, in continuous integration", () => {
  if (process.env["CI"] !== undefined) expect(hasCompiler).toBe(true);
});

describe.skipIf(!hasCompiler)("on the host", () => {
  test.each(["f32", "bf16", "f16"] as const)(
    "random kernels give the interpreter's results, with memory of %s",
    (type) => {
      const launches = randomLaunches(randomRuns(type === "f32" ? 60 : 40), type);
      const library = loadKernels(launches.map(({ kernel }) => kernel));
      for (const [index, launch] of launches.entries()) {
        const left = copied(launch.before);
        runLaunch(library, index, launch, left);
        expectRandom(launch, left, 1e-5, 1e-5);
      }
    },
  );

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

  test("four numbers at once begin at a multiple of sixteen bytes, as on a GPU", () => {
    const tested = kernel({
      buffers: [buffer("x", "read", 68, "f32"), buffer("out", "write", 64, "f32")],
      workgroup: 16,
      body: [store("out", mul(invocation, i(4)), load("x", mul(invocation, i(4)), "f32x4"))],
    });
    const run = (change: (text: string) => string): Float32Array => {
      const out = new Float32Array(64);
      const x = Float32Array.from({ length: 68 }, (_, at) => at);
      loadText(change(printCuda([tested])), [tested]).run(0, 1, [x, out], []);
      return out;
    };
    expect(run((text) => text)[63]).toBe(63);
    expect(() => run((text) => text.replace(/load4\((\w+) \+/, "load4($1 + 1 +"))).toThrow(
      "thread 0: reads or writes several numbers at once that do not begin at a multiple of their bytes",
    );
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
