// Precision: contractions on matrix units of bf16 and f16 when CUDA is asked for them, the router's scores never; said in the program and in
// the plan; refused anywhere else, in one sentence. The same of accumulation, which WebGPU has (kernels with it: half-sums.test.ts).

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { compileFor } from "../cli/compiling.ts";
import { openOn } from "../cli/devices.ts";
import { compile, type CompileRequest } from "../compiler/compile.ts";
import { someStatement } from "../compiler/kernel-walk.ts";
import type { Kernel } from "../compiler/kernel.ts";
import { fakeDriver, hasCompiler, hostImage } from "./helpers/cuda-host.ts";
import { testShell, tinyModel, tinyText } from "./helpers/cli.ts";
import { hostOf } from "./helpers/elaborate.ts";

const text = `
import std.experts { SwiGLU }
router Best(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  p = softmax(x @ w)
  choose top 2 of p
  weight p
}
model Layer {
  modality x = features(64)
  pool = SwiGLU(64, 64) * 4
  y = pool(x) by Best
  y
}`;

const request = { host: hostOf({ "main.moe": text }), path: "main.moe", verify: true } as const;

const multiplies = ({ body }: Kernel): boolean => someStatement(body, ({ op }) => op === "multiply");

describe("a layer for CUDA", () => {
  test.each(["f32", "bf16", "f16"] as const)("in %s", (precision) => {
    const { compiled } = compile({ ...request, target: "cuda", precision });
    const { program, kernels, source } = compiled!;
    expect(program.precision).toBe(precision === "f32" ? undefined : precision);
    expect(source.includes(`mma.sync.aligned.m16n8k16.row.col.f32.${precision}`)).toBe(precision !== "f32");
    const used = program.entries["forward"]!.dispatches.map(
      ({ kernel, label }) => [label, multiplies(kernels[kernel]!)] as const,
    );
    expect(used.filter(([label]) => label.startsWith("pool: contract")).length).toBe(2);
    for (const [label, matrix] of used)
      expect(matrix, label).toBe(precision !== "f32" && label.startsWith("pool: contract"));
  });

  test("is the same without saying f32", () => {
    const [one, other] = [{}, { precision: "f32" } as const].map(
      (given) => compile({ ...request, target: "cuda", ...given }).compiled!,
    );
    expect(one!.program).toEqual(other!.program);
    expect(one!.source).toBe(other!.source);
  });
});

test("no other target has it: the types say so, and one sentence", () => {
  // @ts-expect-error: WGSL has no such type.
  const wrong: CompileRequest<"webgpu"> = { ...request, target: "webgpu", precision: "bf16" };
  expect(() => compile(wrong)).toThrow("the target webgpu has no bf16");
  // @ts-expect-error: a CPU computes in f32.
  const slow: CompileRequest = { ...request, precision: "f16" };
  expect(() => compile(slow)).toThrow("the target wasm has no f16");
});

const shell = testShell({ "tiny.moe": tinyModel, "data/a.txt": tinyText, "layer.moe": text });
afterAll(() => shell.remove());
afterEach(() => {
  delete process.env["MOE_CUDA_DRIVER"];
  delete process.env["MOE_NVRTC"];
});
const run = (line: string) => shell.run(line.split(" "));

test.each([
  ["train tiny.moe --precision bf16", "bf16", "by CUDA", "`--device cuda`"],
  ["train tiny.moe --device webgpu --precision bf16", "bf16", "by CUDA", "`--device cuda`"],
  ["train tiny.moe --precision f16", "f16", "on GPUs", "`--device cuda` or `--device webgpu`"],
  ["build tiny.moe --target webgpu --precision bf16", "bf16", "by CUDA", "`--target cuda`"],
  ["build tiny.moe --precision f16", "f16", "on GPUs", "`--target cuda` or `--target webgpu`"],
  ["plan tiny.moe --precision bf16", "bf16", "by CUDA", "`--target cuda`"],
])("moe %s", async (line, precision, only, option) => {
  const { code, out, err } = await run(line);
  expect([code, out]).toEqual([2, ""]);
  expect(err).toBe(
    `error[C0401]: \`--precision ${precision}\` is computed ${only} only\n` +
      `  = help: add ${option}, or leave out \`--precision\`\n`,
  );
});

test.each([
  ["train tiny.moe --accumulation f16", "--device webgpu --precision f16"],
  ["eval runs/tiny --device webgpu --accumulation f16", "--precision f16"],
  ["generate runs/tiny --device cuda --precision f16 --accumulation f16", "--device webgpu"],
  ["plan tiny.moe --target cuda --precision bf16 --accumulation f16", "--target webgpu --precision f16"],
  ["build tiny.moe --precision f32 --accumulation f16", "--target webgpu --precision f16"],
])("moe %s", async (line, missing) => {
  const { code, out, err } = await run(line);
  expect([code, out]).toEqual([2, ""]);
  expect(err).toBe(
    "error[C0401]: `--accumulation f16` is for contractions of f16 by WebGPU\n" +
      `  = help: add \`${missing}\`, or leave out \`--accumulation\`\n`,
  );
});

describe("accumulation in f16", () => {
  const arithmetic = { precision: "f16", accumulation: "f16" } as const;

  test("goes to the target that has it, and into its program", () => {
    const of = (target: "webgpu" | "cuda") =>
      compileFor(shell.folder, "layer.moe", arithmetic, target).program;
    expect(of("webgpu")).toMatchObject(arithmetic);
    expect(of("cuda")).toMatchObject({ precision: "f16" });
    expect(of("cuda").accumulation).toBeUndefined();
  });

  test("goes with a run to its device", async () => {
    const { program } = compileFor(shell.folder, "layer.moe", {}, "webgpu");
    const asked: unknown[] = [];
    const opened = openOn(
      "webgpu",
      { program, wasm: {} as never },
      (...given) => {
        asked.push(given);
        throw new Error("asked");
      },
      arithmetic,
    );
    await expect(opened).rejects.toThrow("asked");
    expect(asked).toEqual([["webgpu", arithmetic]]);
  });

  test("moe plan says it, and moe build writes it", async () => {
    const options = "--target webgpu --precision f16 --accumulation f16";
    expect((await run(`plan layer.moe ${options}`)).out).toMatch(
      /^Layer {2}batch \d+, contractions of f16, short sums in f16\n/,
    );
    expect(JSON.parse((await run(`plan layer.moe ${options} --json`)).out)).toMatchObject(arithmetic);
    expect((await run(`build layer.moe ${options} -o built`)).code).toBe(0);
    const programOf = (name: string): unknown =>
      JSON.parse(readFileSync(join(shell.folder, "built", name), "utf8"));
    expect(programOf("program.webgpu.json")).toMatchObject(arithmetic);
    expect(programOf("program.json")).not.toHaveProperty("accumulation");
  });
});

test("moe plan says it", async () => {
  const line = "plan layer.moe --target cuda --precision bf16";
  expect((await run(line)).out).toMatch(/^Layer {2}batch \d+, contractions of bf16\n/);
  expect((await run(line)).out).toMatch(
    /\n {7,}parameters +copies +.*\n.*\n\nParameters that kernels read in bf16\n +32\.0 KiB +pool\.gate\n/s,
  );
  const told: unknown = JSON.parse((await run(`${line} --json`)).out);
  const bytes = 2 * 4 * 64 * 64;
  expect(told).toMatchObject({
    precision: "bf16",
    copies: ["gate", "up", "down"].map((name) => ({ of: `pool.${name}`, type: "bf16", bytes })),
  });
  const plain = (await run("plan layer.moe --target cuda")).out;
  expect(plain).not.toMatch(/contractions of|copies/);
});

test.skipIf(!hasCompiler)("moe train, eval and generate with it", { timeout: 120_000 }, async () => {
  const driver = fakeDriver();
  driver.reset();
  process.env["MOE_CUDA_DRIVER"] = driver.path;
  process.env["MOE_NVRTC"] = driver.path;
  const artifact = compileFor(shell.folder, "tiny.moe", { precision: "bf16" }, "cuda");
  if (!("source" in artifact)) throw new Error("internal: CUDA kernels are a text");
  // That driver gives these kernels for any source: those of f32 would have other launches.
  driver.compiles(hostImage(artifact.source));
  const told = await run("train tiny.moe --device cuda --precision bf16 --out halved --json");
  expect(told.code, told.err).toBe(0);
  const measured = await run("eval halved --device cuda --precision bf16 --json");
  expect(measured.code, measured.err).toBe(0);
  const onCpu = await run("eval halved --json");
  const loss = ({ out }: { readonly out: string }): number =>
    (JSON.parse(out) as { metrics: { loss: number } }).metrics.loss;
  expect(Math.abs(loss(measured) - loss(onCpu))).toBeLessThan(2e-2 * loss(onCpu));
  expect(loss(measured)).not.toBe(loss(onCpu));
  const written = await run("generate halved --device cuda --precision bf16 --tokens 5");
  expect(written.code, written.err).toBe(0);
  expect(driver.count("bytes")).toBe(0);
});
