// Bulk copies and signals in kernels: what they mean (by the interpreter and on CUDA's host), and what is refused. Contractions that are made of
// them are gpu-bulk.test.ts's.

import { describe, expect, test } from "vitest";
import { printCuda } from "../compiler/cuda/print.ts";
import { roundHalf } from "../compiler/half.ts";
import { runKernel } from "../compiler/interpret-kernel.ts";
import type { Expr, Kernel, KernelWay, Stmt, TensorMap } from "../compiler/kernel.ts";
import { replaced } from "../compiler/kernel-walk.ts";
import { describeKernel } from "../compiler/plan.ts";
import { printKernel } from "../compiler/print-kernel.ts";
import { forDevice } from "../compiler/variant.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import { constant, named } from "../runtime/size.ts";
import { hasCompiler, loadKernels } from "./helpers/cuda-host.ts";
import { add, binary, buffer, i, kernel, load, local, loop, mul, size, store } from "./helpers/kernels.ts";

const invocation: Expr = { op: "invocation", type: "i32" };
const [columns, depth, blocks, stages] = [72, 2, 7, 2];
/** Of a box: rows of 128 bytes. */
const [wide, tall] = [64, 8];
const length = wide * tall;
const block = local("block", "i32");
const stage = binary("mod", block, i(stages));
const round = binary("div", block, i(stages));
const even = (value: Expr): Expr => binary("mod", value, i(2));

const map: TensorMap = {
  name: "boxes",
  buffer: "x",
  offset: constant(0),
  axes: [
    { extent: constant(columns), stride: constant(1), box: wide },
    { extent: named("R"), stride: constant(columns), box: tall },
    { extent: constant(depth), stride: [{ coefficient: columns, factors: ["R"] }], box: 1 },
  ],
};
/** Where box number b begins: to the right and below there is nothing any more. */
const placeOf = (b: Expr): Expr[] => [
  mul(even(b), i(wide)),
  mul(binary("div", b, i(4)), i(tall)),
  even(binary("div", b, i(2))),
];

const when = (condition: Expr, then: readonly Stmt[], otherwise: readonly Stmt[] = []): Stmt => {
  return { op: "if", condition, then, otherwise };
};
const bytes = 2 * length;
const copying = loop("block", i(blocks), [
  { op: "await", signal: "empty", which: stage, phase: even(add(round, i(1))) },
  { op: "arrive", signal: "full", which: stage, bytes },
  {
    ...{ op: "bulk", scratch: "s", index: mul(stage, i(length)), map: "boxes", at: placeOf(block) },
    ...{ signal: "full", which: stage },
  },
]);
const again = local("again", "i32");
const [taken, turn] = [binary("mod", again, i(stages)), binary("div", again, i(stages))];
const summing = loop("again", i(blocks), [
  { op: "await", signal: "full", which: taken, phase: even(turn) },
  loop(
    "e",
    i(length),
    [
      store(
        "out",
        local("e", "i32"),
        add(load("out", local("e", "i32")), load("s", add(mul(taken, i(length)), local("e", "i32")))),
      ),
    ],
    binary("sub", invocation, i(32)),
    32,
  ),
  { op: "arrive", signal: "empty", which: taken, bytes: 0 },
]);

/** out[e] = sum over boxes of element e: the first warp copies, the second adds. */
const way: KernelWay = {
  grid: constant(1),
  workgroup: 64,
  scratch: [{ name: "s", type: "bf16", length: stages * length, rows: 128 }],
  maps: [map],
  signals: [
    { name: "full", count: stages, arrivals: 1 },
    { name: "empty", count: stages, arrivals: 32 },
  ],
  body: [when(binary("lt", invocation, i(32)), [when(binary("eq", invocation, i(0)), [copying])], [summing])],
};
const good: Kernel = kernel({
  name: "boxes",
  buffers: [
    { ...buffer("x", "read", [{ coefficient: columns * depth, factors: ["R"] }]), type: "bf16" },
    buffer("out", "update", length),
  ],
  sizes: ["R"],
  body: [store("out", i(0), load("x", mul(size("R"), i(0))))],
  warpgroups: way,
});
const sizes = { R: 11 };

const memory = () =>
  new Map([
    [
      "x",
      Float32Array.from({ length: columns * depth * sizes.R }, (_, at) =>
        roundHalf("bf16", ((at * 7) % 23) - 11),
      ),
    ],
    ["out", new Float32Array(length)],
  ]);

function wanted(): number[] {
  const x = memory().get("x")!;
  return Array.from({ length }, (_, e) => {
    let sum = 0;
    for (let b = 0; b < blocks; b++) {
      const column = (b % 2) * wide + (e % wide);
      const row = Math.floor(b / 4) * tall + Math.floor(e / wide);
      if (column < columns && row < sizes.R)
        sum += x[((Math.floor(b / 2) % 2) * sizes.R + row) * columns + column]!;
    }
    return sum;
  });
}

describe("what they mean", () => {
  test("by the interpreter", () => {
    verifyKernel(good);
    const buffers = memory();
    runKernel(forDevice(good, true), buffers, sizes);
    expect([...buffers.get("out")!]).toEqual(wanted());
  });

  test.skipIf(!hasCompiler)("on CUDA's host", () => {
    const buffers = memory();
    const library = loadKernels([good], { warpgroups: "bulk" });
    library.run(0, 1, [buffers.get("x")!, buffers.get("out")!], [sizes.R]);
    expect([...buffers.get("out")!]).toEqual(wanted());
  });

  test("other devices do it in the usual way", () => {
    const buffers = memory();
    runKernel(good, buffers, sizes);
    expect(buffers.get("out")![0]).toBe(buffers.get("x")![0]);
  });
});

const withWay = (change: Partial<KernelWay>): Kernel => ({ ...good, warpgroups: { ...way, ...change } });
const changed = (change: (statement: Stmt) => readonly Stmt[]): Kernel =>
  withWay({ body: replaced(way.body, change) });

describe("what is refused", () => {
  test("by the interpreter", () => {
    const run = (tested: Kernel) => () => runKernel(forDevice(tested, true), memory(), sizes);
    const without = (op: Stmt["op"], signal: string): Kernel =>
      changed((one) => (one.op === op && "signal" in one && one.signal === signal ? [] : [one]));
    expect(run(without("await", "full"))).toThrow(/read (before|while a copy)/);
    expect(run(without("await", "empty"))).toThrow("written before all who touched it are known to be done");
    expect(run(without("arrive", "empty"))).toThrow("empty[0]: 0 of 32 have arrived");
    const twice = (signal: string): Kernel =>
      changed((one) => (one.op === "arrive" && one.signal === signal ? [one, one] : [one]));
    expect(run(twice("full"))).toThrow("arrives at full[0] once more than a phase wants");
    expect(run(twice("empty"))).toThrow("waits for a phase that does not end");
    const phase = changed((one) => (one.op === "await" ? [{ ...one, phase: i(2) }] : [one]));
    expect(run(phase)).toThrow("phase 2 of empty is waited for");
    const which = changed((one) => (one.op === "arrive" ? [{ ...one, which: i(stages) }] : [one]));
    expect(run(which)).toThrow("there is no full[2]");
    const moved = changed((one) =>
      one.op === "bulk" ? [{ ...one, index: add(one.index, i(wide)) }] : [one],
    );
    expect(run(moved)).toThrow("a box begins within eight rows");
    const origin = [i(0), i(0), i(0)];
    const one = {
      op: "bulk",
      scratch: "s",
      index: i(0),
      map: "boxes",
      at: origin,
      signal: "full",
      which: i(0),
    } as const;
    const late = withWay({
      body: [...way.body, { op: "barrier" }, when(binary("eq", invocation, i(32)), [one])],
    });
    expect(run(late)).toThrow("boxes are still on their way when workgroup 0 ends; full[0]");
  });

  test("by the verifier", () => {
    const verify = (tested: Kernel) => () => verifyKernel(tested);
    expect(verify({ ...good, signals: way.signals! })).toThrow(
      "maps or signals where warpgroups do not multiply",
    );
    expect(verify({ ...good, body: [{ op: "arrive", signal: "full", which: i(0), bytes: 0 }] })).toThrow(
      "arrive where warpgroups do not multiply",
    );
    const mapped = (change: Partial<TensorMap>): Kernel => withWay({ maps: [{ ...map, ...change }] });
    const [first, second, third] = map.axes as [
      TensorMap["axes"][number],
      TensorMap["axes"][number],
      TensorMap["axes"][number],
    ];
    expect(verify(mapped({ name: "s" }))).toThrow("s is declared twice");
    expect(verify(mapped({ buffer: "out" }))).toThrow("out, which is no buffer that is only read");
    expect(verify(mapped({ offset: constant(4) }))).toThrow("begins at no multiple of sixteen bytes");
    expect(verify(mapped({ axes: [first, { ...second, stride: constant(12) }, third] }))).toThrow(
      "axis 1 of the map boxes steps by no multiple of sixteen bytes",
    );
    expect(verify(mapped({ axes: [first, { ...second, box: 257 }, third] }))).toThrow(
      "a box of 257 along axis 1",
    );
    expect(verify(mapped({ axes: [{ ...first, box: 32 }, second, third] }))).toThrow(
      "boxes of boxes are 32 wide, rows of s 128 bytes",
    );
    expect(verify(mapped({ axes: [first, second] }))).toThrow(
      "boxes has 2 axes, and a box begins at 3 places",
    );
    expect(verify(mapped({ axes: [first, { ...second, extent: named("S") }, third] }))).toThrow(
      "the size S is not declared",
    );
    expect(verify(withWay({ maps: [] }))).toThrow("there is no map boxes");
    expect(verify(withWay({ signals: [] }))).toThrow("there is no signal empty");
    expect(verify(withWay({ signals: [{ name: "full", count: 0, arrivals: 1 }] }))).toThrow(
      "is 0 of 1 arrivals",
    );
    expect(verify(withWay({ scratch: [{ name: "s", type: "bf16", length: 2 * length }] }))).toThrow(
      "s is copied to and is no scratch with rows",
    );
    const odd = changed((one) => (one.op === "arrive" ? [{ ...one, bytes: 8 }] : [one]));
    expect(verify(odd)).toThrow("8 bytes are announced");
    const registers = (to: number, more: boolean): Stmt => ({ op: "registers", to, more });
    const handed = (fewer: number, more: number): Kernel =>
      withWay({
        workgroup: 256,
        body: [when(binary("lt", invocation, i(128)), [registers(fewer, false)], [registers(more, true)])],
      });
    expect(verify(handed(40, 216))).not.toThrow();
    expect(verify(handed(40, 240))).toThrow("2 of 2 warpgroups take 280 registers");
    expect(verify(handed(36, 216))).toThrow("registers become fewer: 36");
    expect(verify(withWay({ workgroup: 256, body: [registers(216, true)] }))).toThrow("1 of 2 warpgroups");
  });
});

test("reads well, and a program says what the driver has to know", () => {
  const text = printKernel(good);
  expect(text).toContain("  map boxes of x from 0: 64 of 72 by 1, 8 of R by 72, 1 of 2 by 72*R;");
  expect(text).toMatch(/arrive full\[.*\] with 1024 bytes;\n +bulk s\[.*\] = boxes\(.*\) to full\[.*\];/);
  const printed = printCuda([good]);
  expect(printed).toContain("const __grid_constant__ TensorMap boxes) {");
  expect(printed).toContain("    for (int i = 0; i < 2; i++) signal_begin(empty + i, 32);");
  expect(describeKernel(good).warpgroups).toEqual({
    ...{ grid: constant(1), workgroup: 64, scratch: 2 * 2 * length + 8 * 2 * stages },
    maps: [{ buffer: 0, type: "bf16", offset: constant(0), axes: map.axes, swizzle: 128 }],
  });
});
