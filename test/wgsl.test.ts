// WGSL: the text of a shader, random kernels, reductions, grids and names, on a WebGPU device, against the kernel interpreter.
// Skipped where there is no device (SwiftShader of Debian's Chromium is one), but not in continuous integration.

import { afterAll, describe, expect, test } from "vitest";
import { runKernel } from "../compiler/interpret-kernel.ts";
import type { Expr, Kernel, ReduceFn, Stmt } from "../compiler/kernel.ts";
import { printWgsl } from "../compiler/wgsl/print.ts";
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
  mul,
  size,
  store,
  workgroup,
} from "./helpers/kernels.ts";
import { textOn } from "./helpers/launch-targets.ts";
import { copied } from "./helpers/launches.ts";
import { expectRandomOnWebGpu, randomLaunches } from "./helpers/random-launches.ts";
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

describe.skipIf(device === undefined)(`on WebGPU${why}`, () => {
  afterAll(() => device?.dispose());

  test.each([
    ["f32", 60],
    ["f16", 20],
  ] as const)("random kernels give the interpreter's results, with memory of %s", async (type, count) => {
    for (const launch of randomLaunches(count, type)) {
      const left = copied(launch.before);
      const text = textOn(launch.kernel, device!.gpu.features);
      await runOnWebGpu(device!, launch.kernel, left, launch.sizes, { text });
      expectRandomOnWebGpu(launch, left);
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
    for (const lanes of [1, 3, 24, 32, 256])
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
