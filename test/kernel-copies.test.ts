// Asynchronous copies in kernels: what they mean (by the interpreter), what is refused, how they are printed, and that targets without them
// compute the same. The pipelines of contractions are gpu-pipeline.test.ts's.

import { describe, expect, test } from "vitest";
import { printCuda } from "../compiler/cuda/print.ts";
import { runKernel } from "../compiler/interpret-kernel.ts";
import { replaced } from "../compiler/kernel-walk.ts";
import type { ElementType, Expr, Kernel, Stmt } from "../compiler/kernel.ts";
import { withPlainCopies } from "../compiler/plain-copy.ts";
import { printKernel } from "../compiler/print-kernel.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import { printWgsl } from "../compiler/wgsl/print.ts";
import { hasCompiler, runOnHost } from "./helpers/cuda-host.ts";
import { add, binary, buffer, i, kernel, load, local, loop, mul, store } from "./helpers/kernels.ts";
import { runOnWasm } from "./helpers/wasm.ts";

const invocation: Expr = { op: "invocation", type: "i32" };
const barrier: Stmt = { op: "barrier" };
const group: Stmt = { op: "group" };
const wait = (open: number): Stmt => ({ op: "wait", open });
const blocks = 5;
const stages = 3;

/** Elements of a block: each of the workgroup copies one piece. */
const widthOf = (workgroup: number, pieces: number): number => workgroup * pieces;
const copyTo = (slot: Expr, block: Expr, workgroup: number, type: ElementType): Stmt => {
  const pieces = type === "f32" ? 4 : 8;
  const piece = mul(invocation, i(pieces));
  return {
    op: "copy",
    scratch: "s",
    index: add(mul(slot, i(widthOf(workgroup, pieces))), piece),
    buffer: "x",
    from: add(mul(block, i(widthOf(workgroup, pieces))), piece),
    // The last block is not there.
    there: binary("lt", block, i(blocks - 1)),
  };
};

/** out[e] = sum over blocks of x[block][last - e], through three places in scratch. */
function pipeline(workgroup: number, type: "f32" | "bf16", rows?: 64): Kernel {
  const width = widthOf(workgroup, type === "f32" ? 4 : 8);
  const block = local("block", "i32");
  const slot = binary("mod", block, i(stages));
  const later = add(block, i(stages - 1));
  const each = (name: string, body: (at: Expr) => Stmt[]): Stmt =>
    loop(name, i(width), body(local(name, "i32")), invocation, workgroup);
  return kernel({
    name: "sums",
    buffers: [{ ...buffer("x", "read", blocks * width), type }, buffer("out", "update", width)],
    workgroup,
    scratch: [{ name: "s", type, length: stages * width, ...(rows === undefined ? {} : { rows }) }],
    body: [
      ...[0, 1].flatMap((at) => [copyTo(i(at), i(at), workgroup, type), group]),
      loop("block", i(blocks), [
        wait(stages - 2),
        barrier,
        {
          op: "if",
          condition: binary("lt", later, i(blocks)),
          then: [copyTo(binary("mod", later, i(stages)), later, workgroup, type)],
          otherwise: [],
        },
        group,
        each("e", (at) => [
          store(
            "out",
            at,
            add(load("out", at), load("s", add(mul(slot, i(width)), binary("sub", i(width - 1), at)))),
          ),
        ]),
      ]),
    ],
  });
}

function memoryOf(tested: Kernel): Map<string, Float32Array> {
  const [x, out] = tested.buffers.map(({ length }) => length[0]!.coefficient) as [number, number];
  return new Map([
    ["x", Float32Array.from({ length: x }, (_, at) => ((at * 7) % 23) - 11)],
    ["out", new Float32Array(out)],
  ]);
}

function wanted(tested: Kernel): number[] {
  const x = memoryOf(tested).get("x")!;
  const width = x.length / blocks;
  return Array.from({ length: width }, (_, e) =>
    Array.from({ length: blocks - 1 }, (_, block) => x[block * width + width - 1 - e]!).reduce(
      (a, b) => a + b,
    ),
  );
}

describe("what they mean", () => {
  const cases = [pipeline(32, "f32"), pipeline(64, "bf16"), pipeline(64, "bf16", 64), pipeline(1, "f32")];
  test("by the interpreter", () => {
    for (const tested of cases) {
      verifyKernel(tested);
      const memory = memoryOf(tested);
      runKernel(tested, memory, {});
      expect([...memory.get("out")!]).toEqual(wanted(tested));
    }
  });

  test.skipIf(!hasCompiler)("on CUDA's host", () => {
    for (const tested of cases) {
      const memory = memoryOf(tested);
      runOnHost(tested, memory);
      expect([...memory.get("out")!]).toEqual(wanted(tested));
    }
  });

  test("where there are none", () => {
    const tested = pipeline(1, "f32");
    for (const relaxed of [true, false]) {
      const memory = memoryOf(tested);
      runOnWasm(tested, memory, {}, { relaxed });
      expect([...memory.get("out")!]).toEqual(wanted(tested));
    }
    const plain = withPlainCopies(pipeline(64, "bf16"));
    verifyKernel(plain);
    const memory = memoryOf(plain);
    runKernel(plain, memory, {});
    expect([...memory.get("out")!]).toEqual(wanted(plain));
    expect(withPlainCopies(plain)).toBe(plain);
    const shader = printWgsl(pipeline(32, "f32"));
    expect(shader).toContain("store4_s(");
    expect(shader).toBe(printWgsl(withPlainCopies(pipeline(32, "f32"))));
  });
});

/** The same kernel, each statement changed. */
const changed = (tested: Kernel, change: (statement: Stmt) => readonly Stmt[]): Kernel => ({
  ...tested,
  body: replaced(tested.body, change),
});
const good = pipeline(32, "f32");
const without = (op: Stmt["op"]): Kernel => changed(good, (each) => (each.op === op ? [] : [each]));
const withCopy = (parts: Partial<Extract<Stmt, { op: "copy" }>>, of = good): Kernel =>
  changed(of, (each) => (each.op === "copy" ? [{ ...each, ...parts }] : [each]));

describe("what is refused", () => {
  const run = (tested: Kernel) => () => runKernel(tested, memoryOf(tested), {});
  test("by the interpreter", () => {
    expect(run(without("wait"))).toThrow("read while a copy to it is on its way");
    expect(run(changed(good, (each) => [each.op === "wait" ? wait(stages - 1) : each]))).toThrow(
      "read while a copy to it is on its way",
    );
    expect(run(without("barrier"))).toThrow("read before it was written");
    // Two blocks in one place.
    expect(run(withCopy({ index: mul(invocation, i(4)) }))).toThrow(
      "written while a copy to it is on its way",
    );
    expect(run(withCopy({ from: add(mul(invocation, i(4)), i(1)) }))).toThrow("no multiple of sixteen bytes");
    expect(run(withCopy({ index: add(mul(invocation, i(4)), i(2)) }))).toThrow(
      "no multiple of sixteen bytes",
    );
    const late = { ...good, body: [...good.body, copyTo(i(0), i(0), 32, "f32"), group] };
    expect(run(late)).toThrow("still on its way when the kernel ends");
    const rows = pipeline(64, "bf16", 64);
    const four = store("s", i(2), { op: "splat", type: "f32x4", a: load("out", i(0)) });
    expect(run({ ...rows, body: [four, ...rows.body] })).toThrow("from no multiple of four on");
  });

  test("by the verifier", () => {
    const verify = (tested: Kernel) => () => verifyKernel(tested);
    expect(verify(withCopy({ buffer: "out" }))).toThrow(
      "out is copied from and is no buffer that is only read",
    );
    expect(verify(withCopy({ buffer: "s" }))).toThrow("s is copied from and is no buffer that is only read");
    expect(verify(withCopy({ scratch: "x" }))).toThrow("x is copied to and is no scratch");
    expect(verify(withCopy({ there: i(1) }))).toThrow("wanted bool");
    expect(verify(withCopy({}, { ...good, scratch: [{ ...good.scratch[0]!, type: "i32" }] }))).toThrow(
      "x of f32 is copied to s of i32",
    );
    expect(verify(changed(good, (each) => [each.op === "wait" ? wait(-1) : each]))).toThrow("-1 groups");
    const rows = pipeline(64, "bf16", 64);
    expect(verify({ ...rows, scratch: [{ ...rows.scratch[0]!, length: 520 }] })).toThrow(
      "no multiple of 1 KiB",
    );
    const before = { name: "first", type: "f32", length: 4 } as const;
    expect(verify({ ...rows, scratch: [before, ...rows.scratch] })).toThrow("comes after scratch without");
  });
});

test("reads well", () => {
  const text = printKernel(pipeline(64, "bf16", 64));
  expect(text).toContain("  scratch bf16 s[1536; rows of 64 bytes];");
  expect(text).toMatch(/copy s\[\S.*\] = x\[.*\] where \(0 < 4\);\n {2}group;/);
  expect(text).toContain("    wait 1;\n    barrier;");
  const printed = printCuda([pipeline(64, "bf16", 64)]);
  expect(printed).toContain("copy_async(s + swizzled<64, 2>(");
  expect(printed).toContain("    copies_wait<1>();\n    __syncthreads();");
  expect(printed).toContain("cp.async.cg.shared.global [%0], [%1], 16, %2;");
  expect(printed).toContain("__shared__ __align__(1024) bf16 s[1536];");
});
