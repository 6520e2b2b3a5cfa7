// Contractions whose blocks come by bulk copies: the kernel interpreter and printed CUDA on the host against plain loops. On the host a tensor
// map is what the pretended driver made of it, a box arrives when somebody waits for its phase, and shared memory is in the order that the PTX
// manual says, written apart from the compiler's; whoever looks too early, counts wrong or writes too early is found.

import { describe, expect, test } from "vitest";
import { printCuda } from "../compiler/cuda/print.ts";
import { runKernel } from "../compiler/interpret-kernel.ts";
import type { Expr, Kernel, Stmt } from "../compiler/kernel.ts";
import { replaced, statementsIn } from "../compiler/kernel-walk.ts";
import { printKernel } from "../compiler/print-kernel.ts";
import { narrowTarget, targets, type Parallel } from "../compiler/target.ts";
import { forDevice } from "../compiler/variant.ts";
import { verifyKernel } from "../compiler/verify-kernel.ts";
import { constant, evaluate } from "../runtime/size.ts";
import type { Case, Prepared } from "./helpers/contraction.ts";
import { hasCompiler, loadKernels, loadText } from "./helpers/cuda-host.ts";
import { expectCudaAlike, planCuda } from "./helpers/cuda-session.ts";
import { layerText } from "../bench/gpu/layers.ts";
import { wide } from "./helpers/device-texts.ts";
import { layouts, prepareFor } from "./helpers/gpu-contraction.ts";
import { binary, i } from "./helpers/kernels.ts";

const device = (type: "bf16" | "f16"): Parallel =>
  narrowTarget(targets.cuda, type, { warpgroups: "bulk" }).parallel!;
/** Tiles of 64 x 64, which the interpreter runs sooner. */
const small = (type: "bf16" | "f16"): Parallel => ({
  ...device(type),
  sums: 16,
  matrix: { type, bulk: 57344 },
});
const host = { warpgroups: "bulk" } as const;

/** So large that tiles are whole. */
const large = { m: 1024, n: 2048, k: 136, half: "bf16" } as const;
const cases: readonly Case[] = [
  ...layouts.map((layout) => ({ ...large, ...layout })),
  { ...large, k: 72, siblings: 2, symbolic: "m" },
  { ...large, half: "f16", k: 200, epilogue: true },
  { ...large, batch: 2, m: 1000, n: 1032, k: 264 },
  { ...large, ragged: "rows", rows: [70, 0, 300], b: "k" },
  { ...large, ragged: "rows", rows: [70, 0, 300], gather: true, siblings: 2 },
  { ...large, ragged: "reduction", rows: [90, 40, 300], k: 512, a: "m", gather: true },
  // Rows of 64 bytes on the right.
  { ...large, siblings: 3 },
];

const prepared = (item: Case, parallel: Parallel): Prepared => {
  const made = prepareFor(item, parallel);
  expect(made.kernel.warpgroups, JSON.stringify(item)).toBeDefined();
  return made;
};

/** What nobody has written. */
const untouched = -77;

/** The elements that are written are those of a tile, and right. */
function expectTile(item: Case, { buffers, expectedAt }: Prepared, elements: number): void {
  for (let sibling = 0; sibling < (item.siblings ?? 1); sibling++) {
    const out = buffers.get(`out${sibling}`)!;
    let written = 0;
    for (const [at, value] of out.entries()) {
      if (value === untouched || written++ % 13 !== 0) continue;
      const wanted = expectedAt(sibling * out.length + at);
      if (!(Math.abs(value - wanted) < 2e-4))
        expect.fail(`${JSON.stringify(item)}: element ${at} is ${value}, wanted ${wanted}`);
    }
    expect(written, JSON.stringify(item)).toBe(elements);
  }
}

/** One workgroup: the first, or the last. */
function runOnHost(
  { kernel, buffers, sizes }: Prepared,
  from: "first" | "last",
  text = printCuda([kernel]),
): number {
  const last = evaluate(kernel.warpgroups!.grid, sizes) - 1;
  const moved = from === "first" ? text : text.replaceAll("= blockIdx.x", `= blockIdx.x + ${last}`);
  const library = loadText(moved, [kernel], host);
  const data = kernel.buffers.map(({ name }) => buffers.get(name)!);
  library.run(
    0,
    1,
    data,
    kernel.sizes.map((name) => sizes[name]!),
  );
  return library.conflicts();
}

/** A tile's, of each sibling: of three a quarter, too. */
const elementsOf = ({ siblings = 1 }: Case): number => 16384 / 2 ** Math.ceil(Math.log2(siblings));

describe.skipIf(!hasCompiler)("on the host", () => {
  test.each(cases)("%o", { timeout: 120_000 }, (item) => {
    const each = prepared(item, device(item.half!));
    verifyKernel(each.kernel);
    // Of a group of 70 rows all 128 are multiplied, and 70 are stored; a group's last tile of weights is whole.
    const rows = item.ragged === "rows" ? 70 : 128;
    expect(runOnHost(each, "first")).toBe(0);
    expectTile(item, each, (elementsOf(item) / 128) * rows);
  });

  test("few rows, which all of the workgroup multiply", { timeout: 120_000 }, () => {
    for (const siblings of [2, 3]) {
      const item: Case = { ...large, m: 10, k: 72, siblings, symbolic: "m" };
      const each = prepared(item, device("bf16"));
      const { kernel, buffers, sizes } = each;
      const data = kernel.buffers.map(({ name }) => buffers.get(name)!);
      loadKernels([kernel], host).run(0, evaluate(kernel.warpgroups!.grid, sizes), data, [sizes["M"]!]);
      expectTile(item, each, 10 * large.n);
    }
  });

  test("beyond every edge there are zeros, and nothing is stored", { timeout: 120_000 }, () => {
    for (const b of ["n", "k"] as const) {
      const item: Case = { ...large, batch: 2, m: 1000, n: 1032, k: 264, b };
      const each = prepared(item, device("bf16"));
      expect(runOnHost(each, "last")).toBe(0);
      // 104 rows are left in the last tile of 128, and 8 columns.
      expectTile(item, each, (1000 % 128) * (1032 % 128));
    }
  });

  const gathered: Case = { ...large, k: 520, ragged: "rows", rows: [128, 300], gather: true };
  const mistakes: readonly (readonly [string, Case, (text: string) => string, RegExp])[] = [
    [
      "the other phase of a block",
      large,
      (text) => text.replace(/(await_phase\(full .*?, )(.*)\);/, "$1($2) ^ 1);"),
      /ends while boxes are on their way/,
    ],
    [
      "nobody waits for a block",
      large,
      (text) => text.replace(/await_phase\(full .*\);/, ""),
      /ends while boxes are on their way/,
    ],
    [
      "a stage is written before it is empty",
      { ...large, k: 520 },
      (text) => text.replace(/await_phase\(empty .*\);/, ""),
      /waits for a phase that does not end/,
    ],
    [
      "the other phase of an empty stage",
      large,
      (text) => text.replace(/(await_phase\(empty .*?, )(.*)\);/, "$1($2) ^ 1);"),
      /waits for a phase that does not end/,
    ],
    [
      "a stage is never said to be empty",
      { ...large, k: 520 },
      (text) => text.replace(/ arrive\(empty .*\);/, ""),
      /waits for a phase that does not end/,
    ],
    [
      "fewer bytes are announced",
      large,
      (text) => text.replace(/arrive_with\((.*), \d+\);/, "arrive_with($1, 16);"),
      /more bytes are brought than were announced/,
    ],
    [
      "more bytes are announced",
      large,
      (text) => text.replace(/arrive_with\((.*), (\d+)\);/, "arrive_with($1, $2 + 16);"),
      /waits for a phase that does not end/,
    ],
    [
      "a block in another stage",
      large,
      (text) => text.replace(/bulk_copy\(left \+ (\w+) \*/, "bulk_copy(left + ($1 ^ 1) *"),
      /element \d/,
    ],
    [
      "a box within eight rows",
      large,
      (text) => text.replace("bulk_copy(left + ", "bulk_copy(left + 64 + "),
      /middle of eight rows/,
    ],
    ["another order of rows", large, (text) => text.replaceAll("tile_of<128>", "tile_of<64>"), /element \d/],
    [
      "signals that have not begun",
      large,
      (text) => text.replaceAll(/ signal_begin\(full .*\);/g, ";"),
      /a signal that has not begun/,
    ],
    [
      "signals that copies are not told of",
      large,
      (text) => text.replaceAll("signals_begun();", ""),
      /a signal that copies were not told of/,
    ],
    [
      "shared memory that may begin anywhere",
      large,
      (text) => text.replaceAll("extern __shared__ __align__(1024) ", "extern __shared__ "),
      /middle of eight rows/,
    ],
    [
      "more shared memory than the launch gives",
      large,
      (text) => text.replaceAll(/(block = reinterpret_cast<float\*>\(scratch\)) \+ (\d+)/g, "$1 + $2 + 768"),
      /behind the \d+ bytes of shared memory that it was given/,
    ],
    [
      "pieces that nobody has told of",
      gathered,
      (text) => text.replaceAll(/ arrive\(full .*\);/g, ""),
      /waits for a phase that does not end/,
    ],
    [
      "pieces that are not published",
      gathered,
      (text) => text.replaceAll("publish();", ""),
      /is not published/,
    ],
    [
      "pieces that have not come",
      gathered,
      (text) => text.replace("copies_wait<1>();", "copies_wait<2>();"),
      /element \d|not published/,
    ],
  ];
  test.each(mistakes)("a mistake shows: %s", { timeout: 60_000 }, (_, item, change, told) => {
    const each = prepared(item, device("bf16"));
    const text = printCuda([each.kernel]);
    const [way, ...others] = text.split("\n#else\n// ");
    const changed = [change(way!), ...others].join("\n#else\n// ");
    expect(changed).not.toBe(text);
    expect(() => {
      runOnHost(each, "first", changed);
      expectTile(item, each, elementsOf(item));
    }).toThrow(told);
  });

  test("a layer and its gradients", { timeout: 300_000 }, async () => {
    const text = wide.replace("dim D = 128", "dim D = 64");
    expect(printCuda(planCuda(text, "bf16", host).kernels)).toContain("bulk_copy(right0 + ");
    await expectCudaAlike(text, { sizes: { B: 20 }, precision: "bf16", tolerance: 2e-2, ...host });
  });
});

const on = (kernel: Kernel): Kernel => ({ ...forDevice(kernel, true), grid: constant(1) });

test.each([cases[0]!, cases[7]!, cases[8]!, cases[9]!])(
  "by the interpreter: %o",
  { timeout: 120_000 },
  (whole) => {
    const item = { ...whole, m: 1024, n: 1024 };
    const each = prepared(item, small("bf16"));
    verifyKernel(each.kernel);
    runKernel(on(each.kernel), each.buffers, each.sizes);
    expectTile(item, each, 4096 / (item.siblings ?? 1));
  },
);

const few: Case = { ...large, n: 1024, k: 328 };
describe("refused by the interpreter", () => {
  const each = prepared(few, small("bf16"));
  const changed = (change: (statement: Stmt) => readonly Stmt[]) => (): void => {
    const kernel = on(each.kernel);
    runKernel({ ...kernel, body: replaced(kernel.body, change) }, each.buffers, each.sizes);
  };
  const without = (op: Stmt["op"], signal?: string) =>
    changed((one) =>
      one.op === op && (signal === undefined || ("signal" in one && one.signal === signal)) ? [] : [one],
    );
  const other = (phase: Expr): Expr => binary("xor", phase, i(1));

  test("who looks too early", { timeout: 120_000 }, () => {
    expect(without("await", "full")).toThrow("read before what was written is known to be there");
    const early = changed((one) =>
      one.op === "await" && one.signal === "full" ? [{ ...one, phase: other(one.phase) }] : [one],
    );
    expect(early).toThrow(
      /read (before what was written is known to be there|while a copy)|phase that does not end/,
    );
  });

  test("who writes too early", { timeout: 120_000 }, () => {
    expect(without("await", "empty")).toThrow(/written (while a|before all who touched it)/);
    expect(without("settle")).toThrow(/written while a product reads it|before its products have settled/);
  });

  test("who counts wrong", { timeout: 120_000 }, () => {
    expect(without("arrive", "empty")).toThrow("empty[0]: 0 of 4 have arrived");
    const announced = (by: number) =>
      changed((one) => (one.op === "arrive" && one.bytes > 0 ? [{ ...one, bytes: one.bytes + by }] : [one]));
    expect(announced(-16)).toThrow("more bytes are brought than were announced");
    expect(announced(16)).toThrow("waits for a phase that does not end");
  });

  test("who does not wait for its warp", { timeout: 120_000 }, () => {
    expect(changed((one) => (one.op === "barrier" ? [] : [one]))).toThrow(
      /read before (it was written|what was written is known to be there)/,
    );
  });
});

test("what lies in memory as an array has a map, over sizes; what is gathered has none", () => {
  const { kernels } = planCuda(layerText({ width: 512, hidden: 768, experts: 16, k: 2 }), "bf16", host);
  // Forward and training have one each.
  const maps = (part: string): readonly string[] => [
    ...new Set(
      kernels
        .filter(({ name, warpgroups }) => warpgroups !== undefined && name.endsWith(part))
        .flatMap((kernel) => printKernel(forDevice(kernel, true)).match(/(?<= {2}map ).*(?=;)/g) ?? []),
    ),
  ];
  // The stack of all experts; then the rows of all groups, too, one after the other.
  const stack = (at: number): string =>
    `right${at}Map of p${at + 3} from 0: 64 of 768 by 1, 64 of 512 by 768, 1 of 16 by 393216`;
  expect(maps("pool_contract_x2_mul_bf16")).toEqual([stack(0), stack(1)]);
  expect(maps("pool_contract_bf16")).toEqual([
    "leftMap of p1 from 0: 64 of 768 by 1, 64 of 2*B by 768",
    "right0Map of p2 from 0: 64 of 512 by 1, 64 of 768 by 512, 1 of 16 by 393216",
  ]);
});

test("reads well", () => {
  const { kernel } = prepared({ ...large, k: 328, b: "k" }, device("bf16"));
  const text = printKernel(kernel);
  expect(text).toContain("where warpgroups multiply:\nkernel contraction(");
  expect(text).toContain("  map leftMap of a from 0: 64 of 328 by 1, 128 of 1024 by 328;");
  expect(text).toContain("  signal full[3] of 1 arrivals;\n  signal empty[3] of 4 arrivals;");
  expect(text).toMatch(/arrive full\[stage\w*\] with 32768 bytes;\n +bulk left\[/);
  expect(text).toMatch(/await full\[stage\w*\], phase \(\(block\w* \/ 3\) % 2\);/);
  expect(statementsIn(kernel.body).some(({ op }) => op === "bulk")).toBe(false);
  const printed = printCuda([kernel]);
  expect(printed).toContain('extern "C" __global__ void __launch_bounds__(256, 2)');
  expect(printed).toContain("const __grid_constant__ TensorMap leftMap,");
  expect(printed).toContain("registers_more<216>();");
  expect(printed).toContain(
    "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];",
  );
});
