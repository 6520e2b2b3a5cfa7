// f16 on WebGPU: memory of half width in shaders, and what a session does with copies. The device in software has no f16. So the texts are
// checked by Dawn's own validator on a backend that runs nothing, and run with f16 as another name of f32, which the values that are
// stored do not notice: they are rounded before. MOE_RUNS=1 also trains so. Skipped where there is no Dawn or no device, but not in continuous integration.

import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../compiler/compile.ts";
import { roundHalf } from "../compiler/half.ts";
import { interpretGraph } from "../compiler/interpret-graph.ts";
import { runKernel } from "../compiler/interpret-kernel.ts";
import type { Kernel } from "../compiler/kernel.ts";
import { printWgsl } from "../compiler/wgsl/print.ts";
import type { Entry, Program } from "../runtime/program.ts";
import type { Device } from "../runtime/webgpu/device.ts";
import { openWebGpu } from "../runtime/webgpu/open.ts";
import { plainText } from "../runtime/webgpu/shader.ts";
import { layered } from "./helpers/device-texts.ts";
import { testShell, tinyModel, tinyText } from "./helpers/cli.ts";
import { expectAlike, inputsFor, tensorsFor } from "./helpers/differential.ts";
import { hostOf } from "./helpers/elaborate.ts";
import { halfEdges } from "./helpers/half-edges.ts";
import { add, buffer, i, kernel, load, local, loop, store } from "./helpers/kernels.ts";
import { withCopies } from "./helpers/narrowed.ts";
import { wholeRuns } from "./helpers/runs.ts";
import { findDevice, hasDawn, runOnWebGpu, validator, withF32ForF16 } from "./helpers/webgpu.ts";

const found = await findDevice({ dawn: ["enable-dawn-features=disable_robustness"] });
const device = typeof found === "string" ? undefined : found;
const hasF16 = device?.gpu.features.has("shader-f16") === true;
const why = typeof found === "string" ? ` (skipped: ${found})` : "";
afterAll(() => device?.dispose());

const compiled = compile({
  host: hostOf({ "main.moe": layered }),
  path: "main.moe",
  target: "webgpu",
  precision: "f16",
  verify: true,
}).compiled!;

const mapEntries = (entries: Program["entries"], change: (entry: Entry) => Entry): Program["entries"] =>
  Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, change(entry)]));

const count = Math.ceil(halfEdges.length / 4) * 4;
const given = Float32Array.from({ length: count }, (_, at) => halfEdges[at % halfEdges.length]!);
const x = local("x", "i32");
/** Through buffers and scratch, one number at a time and four; and rounded where nothing is stored. */
const moved: Kernel = kernel({
  buffers: [
    buffer("in", "read", count),
    buffer("halves", "update", count, "f16"),
    buffer("out", "write", 4 * count),
  ],
  scratch: [{ name: "four", type: "f16", length: count }],
  body: [
    loop("x", i(count), [
      store("halves", x, load("in", x)),
      store("out", x, load("halves", x)),
      store("out", add(x, i(3 * count)), { op: "unary", type: "f32", fn: "bf16", a: load("in", x) }),
    ]),
    loop(
      "y",
      i(count),
      [
        store("four", local("y", "i32"), load("in", local("y", "i32"), "f32x4")),
        store("out", add(local("y", "i32"), i(count)), load("four", local("y", "i32"), "f32x4")),
        store("halves", local("y", "i32"), load("four", local("y", "i32"), "f32x4")),
        store("out", add(local("y", "i32"), i(2 * count)), load("halves", local("y", "i32"), "f32x4")),
      ],
      i(0),
      4,
    ),
  ],
});

test("a shader says what it needs, and rounds what is not rounded yet", () => {
  const printed = printWgsl(moved);
  expect(printed).toContain("enable f16;\n");
  expect(printed).toContain("var<storage, read_write> halves: array<f16>;");
  expect(printed).toContain("var<workgroup> four: array<f16, ");
  expect(printed).toContain("halves[x] = f16(round_f16(in[x]));");
  expect(printed).toContain("store4_halves(y, vec4<f16>(load4_four(y)));");
  const wrong = { ...moved, scratch: [{ name: "four", type: "bf16", length: count }] } as const;
  expect(() => printWgsl(wrong)).toThrow("four is bf16, which WebGPU has not");
});

test.skipIf(!hasDawn)("all kernels of a program are accepted", { timeout: 120_000 }, async () => {
  const accepts = await validator(["shader-f16"]);
  const texts = [printWgsl(moved), ...compiled.shaders.map(plainText)];
  expect(texts.filter((each) => each.includes("enable f16;")).length).toBeGreaterThan(10);
  for (const [at, each] of texts.entries()) expect(await accepts(each), `${at}\n${each}`).toBe("");
  expect(await accepts("enable f16; fn f() -> f16 { return 1.0f; }")).toContain("return statement");
});

describe.skipIf(device === undefined)(`on the device${why}`, () => {
  test("values at the edges are rounded as in the kernel language", async () => {
    const memory = () =>
      new Map([
        ["in", given],
        ["halves", new Float32Array(count)],
        ["out", new Float32Array(4 * count)],
      ]);
    const [wanted, actual] = [memory(), memory()];
    runKernel(moved, wanted, {});
    const text = printWgsl(moved);
    const widened = withF32ForF16(text);
    await runOnWebGpu(device!, moved, actual, {}, { text: hasF16 ? text : widened });
    // Numbers below the normal range of f32 may be zero; a device with f16 may read those below the range of f16 as zero, too.
    const least = hasF16 ? 2 ** -14 : 2 ** -126;
    const seen = (values: Float32Array): number[] =>
      Array.from(values, (each) => (Math.abs(each) < least ? 0 : each));
    expect(seen(actual.get("out")!)).toEqual(seen(wanted.get("out")!));
  });

  test("a program computes what its graphs say", { timeout: 300_000 }, async () => {
    const { program, graphs, shaders } = compiled;
    // Parameters that f16 holds: a copy of f32 is then the same.
    const tensors = new Map(
      [...tensorsFor(compiled)].map(([name, values]) => [name, values.map((each) => roundHalf("f16", each))]),
    );
    const wide: Program = {
      ...program,
      copies: program.copies!.map((copy) => ({ ...copy, type: "f32" as never })),
      entries: mapEntries(program.entries, ({ temporaries, ...entry }) => ({
        ...entry,
        temporaries: temporaries.map((each) => (each.type === "f16" ? { ...each, type: "f32" } : each)),
      })),
    };
    delete (wide as { precision?: unknown }).precision;
    const texts = shaders.map((each) => withF32ForF16(plainText(each)));
    const sizes = { B: 40 };
    const session = await (hasF16
      ? openWebGpu(program, shaders, { device: device!, sizes })
      : openWebGpu(wide, texts, { device: device!, sizes }));
    for (const [name, values] of tensors) session.write(name, values);
    // The device in software takes minutes for the kernels of training.
    for (const name of wholeRuns ? ["forward", "train"] : ["forward"]) {
      const inputs = inputsFor(compiled, program.entries[name]!, sizes);
      const environment = withCopies({ sizes, inputs, tensors }, program.copies);
      const wanted = interpretGraph(graphs[name]!, environment);
      const given = Object.fromEntries([...inputs].map(([port, values]) => [port, Array.from(values)]));
      const outputs = await session.run(name, given);
      for (const [port, { data }] of wanted.outputs) expectAlike(outputs[port]!, data, port, 1e-3);
      for (const [tensor, { data }] of wanted.updates)
        expectAlike(await session.read(tensor), data, tensor, 1e-3);
    }
    session.dispose();
  });

  const claiming = ({ gpu, ...rest }: Device): Device => ({
    ...rest,
    gpu: new Proxy(gpu, {
      get: (of, key) => {
        if (key === "features") return new Set(["shader-f16"]);
        const value: unknown = Reflect.get(of, key, of);
        return typeof value === "function" ? value.bind(of) : value;
      },
    }),
  });

  test("a session of entries that read copies only holds nothing else", async () => {
    const { program, shaders } = compiled;
    const copied = program.copies!.map(({ of }) => of);
    const open = (entries: readonly string[]) =>
      openWebGpu(program, shaders, { device: claiming(device!), entries, seed: 3 });
    const [small, whole] = [await open(["forward"]), await open(["forward", "train", "update"])];
    const [name] = copied as [string];
    const half = (values: ArrayLike<number>): Float32Array =>
      Float32Array.from(values, (each) => roundHalf("f16", each));
    const first = await whole.read(name);
    expect(await small.read(name)).toEqual(half(first));
    expect(first).not.toEqual(half(first));
    small.write(
      name,
      Array.from(first, (each) => 3 * each),
    );
    expect(await small.read(name)).toEqual(half(Array.from(first, (each) => Math.fround(3 * each))));
    small.clear(name);
    expect((await small.read(name)).every((each) => each === 0)).toBe(true);
    expect(small.tensors().map((tensor) => tensor.name)).toContain(name);
    small.dispose();
    whole.dispose();
  });

  test.skipIf(hasF16)("is refused where there is no f16", async () => {
    await expect(openWebGpu(compiled.program, compiled.shaders, { device: device! })).rejects.toMatchObject({
      code: "R0608",
      message: `${device!.name} has no f16`,
      help: "leave out `--precision`, or use another device",
    });
    const shell = testShell({ "tiny.moe": tinyModel, "data/a.txt": tinyText });
    const { code, out, err } = await shell.run("train tiny.moe --device webgpu --precision f16".split(" "));
    expect([code, out]).toEqual([2, ""]);
    expect(err).toBe(
      `error[R0608]: ${device!.name} has no f16\n  = help: leave out \`--precision\`, or use another device\n`,
    );
    shell.remove();
  });
});
