// Short sums in f16 (schedule/gpu-half-sums.ts): contractions within the bound that is derived there, by the kernel interpreter, by CUDA C++
// on the host and by WGSL; which kernels of a program have them, and that nothing else changes; forty steps of training.

import { afterAll, describe, expect, test } from "vitest";
import { compile, planModel, type CompileRequest, type PlannedModel } from "../compiler/compile.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import { interpretGraph } from "../compiler/interpret-graph.ts";
import { runKernel } from "../compiler/interpret-kernel.ts";
import type { Kernel } from "../compiler/kernel.ts";
import { lowerGraph } from "../compiler/lower.ts";
import { printKernel } from "../compiler/print-kernel.ts";
import { termsTogether } from "../compiler/schedule/gpu-half-sums.ts";
import { narrowTarget, targets, type Parallel } from "../compiler/target.ts";
import { printWgsl } from "../compiler/wgsl/print.ts";
import { memoryPlan } from "../runtime/arena-plan.ts";
import { evaluate } from "../runtime/size.ts";
import { outputsOf, type Case, type Prepared } from "./helpers/contraction.ts";
import { hasCompiler, loadKernels } from "./helpers/cuda-host.ts";
import { openOnHost } from "./helpers/cuda-session.ts";
import { layered, spread } from "./helpers/device-texts.ts";
import { hostOf } from "./helpers/elaborate.ts";
import { layouts, prepareFor } from "./helpers/gpu-contraction.ts";
import { findDevice, hasDawn, runOnWebGpu, validator, withF32ForF16 } from "./helpers/webgpu.ts";

const found = await findDevice({ dawn: ["enable-dawn-features=disable_robustness"] });
const device = typeof found === "string" ? undefined : found;
const hasF16 = device?.gpu.features.has("shader-f16") === true;
const why = typeof found === "string" ? ` (skipped: ${found})` : "";
afterAll(() => device?.dispose());

const terms = 8;
const full: Parallel = { workgroup: 32, scratch: 16384, sums: 16 };
const short: Parallel = { ...full, halfSums: terms };
const computesInF16 = (kernel: Kernel): boolean => JSON.stringify(kernel.body).includes('"f16x4"');

test("a short sum divides what an invocation meets", () => {
  const shares = [1, 4, 8, 12, 16, 13, 7];
  expect(shares.map((share) => termsTogether(share, terms))).toEqual([1, 4, 8, 6, 8, 1, 7]);
});

/** For every output the sum of the products' sizes. */
function sizesOf(prepared: Prepared): Float64Array {
  const held = [...prepared.buffers].filter(([name]) => /^[ab]\d?$/.test(name));
  const before = held.map(([, values]) => values.slice());
  for (const [, values] of held) values.forEach((value, at) => (values[at] = Math.abs(value)));
  const sizes = prepared.expected();
  held.forEach(([, values], at) => values.set(before[at]!));
  return sizes;
}

/** ((1 + u)^t - 1) sum |a b|, 2^-25 for each product, and as much again as f32 rounds. */
function expectWithin(item: Case, prepared: Prepared, each = 2 ** -25): void {
  const [actual, expected, sizes] = [outputsOf(prepared), prepared.expected(), sizesOf(prepared)];
  const part = (1 + 2 ** -11) ** terms - 1 + 1e-5;
  for (const [at, value] of actual.entries())
    if (!(Math.abs(value - expected[at]!) <= part * Math.abs(sizes[at]!) + each * item.k + 1e-6))
      expect.fail(`${JSON.stringify(item)}: element ${at} is ${value}, wanted ${expected[at]}`);
}

const half = "f16";
const rows = [0, 18, 1, 9];
const cases: readonly Case[] = [
  ...layouts.map((layout) => ({ m: 17, n: 20, k: 48, epilogue: true, half, ...layout }) as const),
  { m: 20, n: 24, k: 32, siblings: 2, half },
  { ragged: "rows", rows, m: 36, n: 24, k: 20, b: "k", gather: true, half, symbolic: "m" },
  { ragged: "reduction", rows, k: 28, n: 20, m: 18, a: "m", half },
];

describe("contractions", () => {
  test("by the kernel interpreter", () => {
    for (const item of cases) {
      const prepared = prepareFor(item, short);
      expect(computesInF16(prepared.kernel)).toBe(true);
      runKernel(prepared.kernel, prepared.buffers, prepared.sizes);
      expectWithin(item, prepared);
      // Not by chance: sums of f32 would be nearer by far.
      const errors = outputsOf(prepared).map((value, at) => Math.abs(value - prepared.expectedAt(at)));
      expect(Math.max(...errors)).toBeGreaterThan(1e-4);
    }
  });

  test.skipIf(!hasCompiler)("by CUDA C++ on the host, as the interpreter has them", () => {
    const some = cases.slice(4);
    const [wanted, given] = [0, 1].map(() => some.map((item) => prepareFor(item, short))) as [
      Prepared[],
      Prepared[],
    ];
    const library = loadKernels(given.map(({ kernel }) => kernel));
    for (const [at, { kernel, buffers, sizes }] of given.entries()) {
      const places = kernel.buffers.map(({ name }) => buffers.get(name)!);
      library.run(
        at,
        evaluate(kernel.grid, sizes),
        places,
        kernel.sizes.map((name) => sizes[name]!),
      );
      runKernel(wanted[at]!.kernel, wanted[at]!.buffers, wanted[at]!.sizes);
      // But for what is rounded to f32 on the way to f16.
      const [got, want] = [outputsOf(given[at]!), outputsOf(wanted[at]!)];
      got.forEach((value, i) => expect(Math.abs(value - want[i]!)).toBeLessThan(2 ** -9));
    }
  });

  test.skipIf(!hasDawn)("Dawn accepts the texts", { timeout: 60_000 }, async () => {
    const accepts = await validator(["shader-f16"]);
    for (const item of cases.slice(4)) {
      const text = printWgsl(prepareFor(item, short).kernel);
      expect(await accepts(text), text).toBe("");
    }
  });

  // Where the device has no f16, that is another name of f32, and the sums are nearer than they need be. A device in software compiles
  // some of these for a minute.
  const tried = hasF16 ? cases.slice(3) : cases.slice(4, 5);
  test.skipIf(device === undefined).each(tried)(
    `by WGSL${why}: m $m, n $n, k $k`,
    { timeout: 600_000 },
    async (item) => {
      const prepared = prepareFor(item, short);
      const { kernel, buffers, sizes } = prepared;
      const text = printWgsl(kernel);
      await runOnWebGpu(device!, kernel, buffers, sizes, {
        text: hasF16 ? text : withF32ForF16(text),
      });
      expectWithin(item, prepared, 2 ** -13);
    },
  );

  test("neither of bf16, nor of f32, nor of few rows", () => {
    const tall = { m: 37, n: 36, k: 48 } as const;
    for (const item of [tall, { ...tall, half: "bf16" }, { ...tall, m: 7, half }] as const)
      expect(prepareFor(item, short).kernel).toEqual(prepareFor(item, full).kernel);
  });

  test("beyond the largest number of f16 a sum is infinite, though all of it would not be", () => {
    const prepared = prepareFor({ m: 20, n: 20, k: 16, half }, short);
    const sumOf = (left: number, right: number): Set<number> => {
      prepared.buffers.get("a")!.fill(left);
      prepared.buffers.get("b0")!.fill(right);
      runKernel(prepared.kernel, prepared.buffers, prepared.sizes);
      return new Set(outputsOf(prepared));
    };
    expect(sumOf(64, 124)).toEqual(new Set([16 * 64 * 124]));
    expect(sumOf(64, 128)).toEqual(new Set([Infinity]));
  });
});

const host = hostOf({ "main.moe": layered });
const request = { host, path: "main.moe", target: "webgpu", precision: "f16", verify: true } as const;
const planOf = (accumulation?: "f32" | "f16"): PlannedModel =>
  planModel({ ...request, ...(accumulation === undefined ? {} : { accumulation }) }).planned!;

describe("a program", () => {
  const [plain, said, made] = [planOf(), planOf("f32"), planOf("f16")];

  test("is the same without saying f32", () => {
    expect(said.program).toEqual(plain.program);
    expect(said.kernels.map(printKernel)).toEqual(plain.kernels.map(printKernel));
  });

  test("has them in the experts' contractions, and not in those of gradients", () => {
    const changed = Object.values(plain.program.entries).flatMap(({ name, dispatches }) =>
      dispatches.flatMap(({ kernel, label }, at) => {
        const other = made.kernels[made.program.entries[name]!.dispatches[at]!.kernel]!;
        expect(computesInF16(plain.kernels[kernel]!), label).toBe(false);
        if (!computesInF16(other)) {
          expect(printKernel(other)).toBe(printKernel(plain.kernels[kernel]!));
          return [];
        }
        return [`${name} ${label}`];
      }),
    );
    expect(changed).toEqual([
      "forward pool: contract x2, f16",
      "forward pool: contract, f16",
      "evaluate pool: contract x2, f16",
      "evaluate pool: contract, f16",
      "train pool: contract x2, mul, f16",
      "train pool: contract, f16",
    ]);
  });

  test("says so, and takes the same memory", () => {
    expect(plain.program.accumulation).toBeUndefined();
    expect(made.program.accumulation).toBe("f16");
    const { entries, kernels } = made.program;
    const rest = ({ program }: PlannedModel): object => ({
      ...program,
      accumulation: undefined,
      entries: Object.values(program.entries).map(({ dispatches, ...entry }) => [
        entry,
        dispatches.map(({ buffers, label }) => [buffers, label]),
      ]),
      kernels: program.kernels.length,
    });
    expect(rest(made)).toEqual(rest(plain));
    expect(kernels.map(({ scratch, workgroup }) => [scratch, workgroup])).toEqual(
      plain.program.kernels.map(({ scratch, workgroup }) => [scratch, workgroup]),
    );
    for (const name of Object.keys(entries))
      expect(memoryPlan(made.program, [name], { B: 40 }, 1)).toEqual(
        memoryPlan(plain.program, [name], { B: 40 }, 1),
      );
  });
});

test("equal contractions of an output and of an update are two kernels", () => {
  const b = new GraphBuilder();
  const [x, y] = ["x", "y"].map((name) => b.cast(b.input(name, "f32", [64, 32]), "f16"));
  const [v, w] = ["v", "w"].map((name) => b.cast(b.tensor(name, [32, 64]), "f16"));
  const graph = {
    name: "both",
    outputs: [{ name: "out", node: b.contract(x!, v!, "mk,kn->mn") }],
    updates: [{ tensor: "kept", node: b.contract(y!, w!, "mk,kn->mn") }],
  };
  const lowered = (target: Parameters<typeof narrowTarget>[2]): boolean[] =>
    lowerGraph(graph, { target: narrowTarget(targets.webgpu, "f16", target) })
      .dispatches.filter(({ label }) => label.includes("contract"))
      .map(({ kernel }) => computesInF16(kernel));
  expect(lowered({ accumulation: "f16" })).toEqual([true, false]);
  expect(lowered({})).toEqual([false, false]);
});

test("no other target has it: the types say so, and one sentence", () => {
  const sentence = "accumulation in f16 is for the target webgpu with operands of f16";
  // @ts-expect-error: matrix units of CUDA add in f32.
  const other: CompileRequest<"cuda"> = { ...request, target: "cuda", accumulation: "f16" };
  expect(() => compile(other)).toThrow(sentence);
  const wide: CompileRequest<"webgpu"> = { ...request, precision: "f32", accumulation: "f16" };
  expect(() => compile(wide)).toThrow(sentence);
});

const learning = `
import std.experts { SwiGLU }
${spread(2)}
model Small {
  modality x = features(16)
  modality wanted = features(16)
  pool = SwiGLU(16, 32) * 3
  y = x + pool(x) by Spread
  loss mean(square(y - wanted))
  y
}
train Small {
  data x = csv("data.csv", "x")
  data wanted = csv("data.csv", "y")
  batch 24
  optimizer sgd { rate = 1, momentum = 0.9 }
  steps 40
}`;

test.skipIf(!hasCompiler)(
  "forty steps of training stay beside those of full sums",
  { timeout: 240_000 },
  () => {
    const sizes = { B: 24 };
    const batch = (step: number) => {
      const x = Array.from({ length: 16 * sizes.B }, (_, at) => Math.sin((at * (3 + (step % 4))) % 97));
      return { x, wanted: x.map((each, at) => each + 0.6 * each * x[(at + 5) % x.length]!) };
    };
    const planned = planModel({
      ...{ host: hostOf({ "main.moe": learning }), path: "main.moe", verify: true },
      ...({ target: "webgpu", precision: "f16", accumulation: "f16" } as const),
    }).planned!;
    // The host takes kernels of any schedule.
    const session = openOnHost(
      { ...planned, program: { ...planned.program, target: "cuda" } },
      { sizes, entries: ["train", "update"], seed: 3 },
    );
    const tensors = new Map<string, ArrayLike<number>>(
      session.tensors().map(({ name }) => [name, Float64Array.from(session.read(name))]),
    );
    for (const { name, of } of planned.program.copies!) tensors.set(name, tensors.get(of)!);
    const losses: number[] = [];
    for (let step = 0; step < 40; step++) {
      const given = batch(step);
      const [loss] = session.run("train", given)["loss"]!;
      session.run("update", {});
      // The same in double precision, of operands in f16.
      const inputs = new Map<string, ArrayLike<number>>(Object.entries(given));
      const train = interpretGraph(planned.graphs["train"]!, { sizes, inputs, tensors });
      for (const [name, { data }] of train.updates) tensors.set(name, data);
      const update = interpretGraph(planned.graphs["update"]!, { sizes, inputs, tensors });
      for (const [name, { data }] of update.updates) tensors.set(name, data);
      const [wanted] = train.outputs.get("loss")!.data;
      expect(Math.abs(loss! - wanted!), `loss of step ${step}: ${loss}, wanted ${wanted}`).toBeLessThan(
        2e-3 * wanted!,
      );
      losses.push(loss!);
    }
    session.dispose();
    expect(losses.at(-1)!).toBeLessThan(0.25 * losses[3]!);
  },
);
