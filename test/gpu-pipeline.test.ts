// Contractions whose operands come through a pipeline of asynchronous copies, as printed CUDA on the host: nothing arrives before its wait,
// and shared memory is never touched twice in one bank at once. What they compute is gpu-matrix.test.ts's, by the interpreter.

import { describe, expect, test } from "vitest";
import { replaced, statementsIn } from "../compiler/kernel-walk.ts";
import type { Kernel, Stmt } from "../compiler/kernel.ts";
import { targets } from "../compiler/target.ts";
import { evaluate } from "../runtime/size.ts";
import type { Case } from "./helpers/contraction.ts";
import { hasCompiler, loadKernels, type HostKernels } from "./helpers/cuda-host.ts";
import { add, i } from "./helpers/kernels.ts";
import { expectResult, layouts, prepareFor, withMatrix } from "./helpers/gpu-contraction.ts";

const counted = ({ body }: Kernel, op: Stmt["op"]): number =>
  statementsIn(body).filter((each) => each.op === op).length;

function runOn(
  library: HostKernels,
  index: number,
  item: Case,
  prepared: ReturnType<typeof prepareFor>,
): void {
  const { kernel, buffers, sizes } = prepared;
  library.run(
    index,
    evaluate(kernel.grid, sizes),
    kernel.buffers.map(({ name }) => buffers.get(name)!),
    kernel.sizes.map((name) => sizes[name]!),
  );
  expectResult(item, prepared);
}

/** What a device has. */
const device = { ...targets.cuda.parallel!, scratch: 98304, matrix: { type: "bf16" } } as const;

describe.skipIf(!hasCompiler)("on the host", () => {
  test("all layouts, small tiles", { timeout: 120_000 }, () => {
    const half = "bf16" as const;
    const items: readonly Case[] = [
      ...layouts.map((layout) => ({ ...layout, half, m: 64, n: 64, k: 136 })),
      ...layouts.map((layout) => ({ ...layout, half, m: 37, n: 24, k: 40, siblings: 2 })),
      { half, ragged: "rows", rows: [0, 30, 1, 45], m: 100, n: 24, k: 72, gather: true, siblings: 2 },
      { half, ragged: "reduction", rows: [0, 30, 1, 77], m: 16, n: 24, k: 128, a: "m", gather: true },
      { half, halved: "b", m: 24, n: 24, k: 136 },
    ];
    const prepared = items.map((item) => prepareFor(item, withMatrix(half, 32)));
    for (const { kernel } of prepared) {
      expect(counted(kernel, "copy")).toBeGreaterThan(0);
      expect(counted(kernel, "wait")).toBe(1);
    }
    const library = loadKernels(prepared.map(({ kernel }) => kernel));
    prepared.forEach((each, index) => runOn(library, index, items[index]!, each));
    expect(library.conflicts()).toBe(0);
  });

  test("the tiles of a device, one operand after the other along each axis", { timeout: 300_000 }, () => {
    const half = "bf16" as const;
    const common = { half, epilogue: true } as const;
    const items: readonly Case[] = [
      { ...common, m: 2048, n: 2048, k: 96 },
      { ...common, m: 1024, n: 2048, k: 72, a: "m", b: "k" },
      { ...common, ragged: "rows", rows: [130, 0, 200], m: 1024, n: 2048, k: 72, gather: true, siblings: 2 },
    ];
    const prepared = items.map((item) => prepareFor(item, device));
    expect(prepared.map(({ kernel }) => kernel.workgroup)).toEqual([128, 128, 128]);
    for (const { kernel } of prepared) {
      const [left, ...rights] = kernel.scratch.filter(({ rows }) => rows !== undefined);
      // Four stages of 128 x 32, and as much for all columns.
      expect(left!.length).toBe(16384);
      expect(rights.reduce((all, { length }) => all + length, 0)).toBe(16384);
    }
    const library = loadKernels(prepared.map(({ kernel }) => kernel));
    for (const [index, { kernel, buffers, sizes, expectedAt }] of prepared.entries()) {
      // One workgroup of many: its tile is the first.
      library.run(
        index,
        1,
        kernel.buffers.map(({ name }) => buffers.get(name)!),
        kernel.sizes.map((name) => sizes[name]!),
      );
      const out = buffers.get("out0")!;
      const { n } = items[index]!;
      for (const [row, column] of [
        [0, 0],
        [5, 63],
        [127, 2],
        [64, 33],
        [100, 60],
      ] as const)
        expect(out[row * n + column]).toBeCloseTo(expectedAt(row * n + column), 4);
    }
    expect(library.conflicts()).toBe(0);
  });

  const item: Case = { half: "bf16", m: 32, n: 32, k: 256 };
  const changed = (change: (statement: Stmt) => readonly Stmt[]): Kernel => {
    const { kernel } = prepareFor(item, withMatrix("bf16", 32));
    return { ...kernel, body: replaced(kernel.body, change) };
  };
  const without = (op: Stmt["op"]): Kernel =>
    changed((statement) => (statement.op === op ? [] : [statement]));

  test("a mistake shows", { timeout: 120_000 }, () => {
    const prepared = prepareFor(item, withMatrix("bf16", 32));
    const waited = ({ body, ...rest }: Kernel): Kernel => ({
      ...rest,
      body: [...body, { op: "wait", open: 0 }],
    });
    const later = (each: Stmt): Stmt => (each.op === "wait" ? { ...each, open: each.open + 1 } : each);
    const odd = (each: Stmt): Stmt => (each.op === "copy" ? { ...each, index: add(each.index, i(4)) } : each);
    const library = loadKernels([
      without("wait"),
      waited(changed((each) => [later(each)])),
      waited(without("group")),
      changed((each) => [odd(each)]),
    ]);
    const run = (index: number): void => runOn(library, index, item, prepared);
    expect(() => run(0)).toThrow("ends while copies are on their way");
    expect(() => run(1)).toThrow("is NaN");
    expect(() => run(2)).toThrow("ends while copies are on their way");
    expect(() => run(3)).toThrow("copies to no multiple of 16 bytes");
  });
});
