// CUDA by the command line: a machine without a driver gets one sentence; on a driver without a GPU `moe train` trains as on the CPU,
// and `moe eval` measures what it made; `moe build` writes kernels that people can read, and images where there is nvcc.

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
import { hashesOf } from "../cli/artifact-folder.ts";
import { compileFor } from "../cli/compiling.ts";
import { cudaFiles, readCudaArtifact } from "../runtime/cuda/folder.ts";
import { fakeDriver, hasCompiler, hasNvcc, hostImage } from "./helpers/cuda-host.ts";
import { testShell, tinyModel, tinyText } from "./helpers/cli.ts";
import { regression } from "./helpers/hand-written.ts";
import { errorOf } from "./helpers/opened.ts";

const shell = testShell({ "tiny.moe": tinyModel, "data/a.txt": tinyText });
afterAll(() => shell.remove());
afterEach(() => {
  delete process.env["MOE_CUDA_DRIVER"];
  delete process.env["MOE_NVRTC"];
});
const run = (line: string) => shell.run(line.split(" "));

test("a machine without a driver, before anything is written", async () => {
  process.env["MOE_CUDA_DRIVER"] = "/nowhere/libcuda.so";
  const { code, out, err } = await run("train tiny.moe --device cuda");
  expect([code, out]).toEqual([2, ""]);
  expect(err).toMatch(/^error\[R0701\]: this machine has no CUDA driver/);
  expect(existsSync(join(shell.folder, "runs"))).toBe(false);
});

test.skipIf(!hasCompiler)("trains and measures as on the CPU", { timeout: 120_000 }, async () => {
  const driver = fakeDriver();
  process.env["MOE_CUDA_DRIVER"] = driver.path;
  process.env["MOE_NVRTC"] = driver.path;
  const artifact = compileFor(shell.folder, "tiny.moe", {}, "cuda");
  if (!("source" in artifact)) throw new Error("internal: CUDA kernels are a text");
  driver.compiles(hostImage(artifact.source));
  const losses = (folder: string): number[] =>
    readFileSync(join(shell.folder, folder, "metrics.jsonl"), "utf8")
      .trim()
      .split("\n")
      .flatMap((line) => {
        const { kind, metrics } = JSON.parse(line) as { kind: string; metrics: { loss: number } };
        return kind === "step" ? [metrics.loss] : [];
      });
  const gpu = await run("train tiny.moe --device cuda --out gpu");
  expect([gpu.code, gpu.err]).toEqual([0, expect.stringContaining("Imagined GPU")]);
  expect((await run("train tiny.moe --out cpu --threads 1")).code).toBe(0);
  const [wanted, actual] = [losses("cpu"), losses("gpu")];
  expect(wanted.length).toBeGreaterThan(3);
  expect(actual.length).toBe(wanted.length);
  actual.forEach((loss, step) => expect(Math.abs(loss - wanted[step]!)).toBeLessThan(1e-3 * wanted[step]!));
  const measured = await run("eval gpu --device cuda");
  expect([measured.code, measured.err]).toEqual([0, ""]);
  expect(driver.count("bytes")).toBe(0);
});

test.skipIf(!hasNvcc)("builds kernels, as text and as images", { timeout: 120_000 }, async () => {
  shell.write(
    "small.moe",
    "model Small {\n  modality x = features(3)\n  param w: [3, 2]\n  logits = tanh(x @ w)\n}\n",
  );
  const { code, out } = await run("build small.moe --target cuda --out built");
  expect(code).toBe(0);
  const names = readdirSync(join(shell.folder, "built")).filter((name) => name.startsWith("kernels."));
  expect(names.map((name) => name.replace(/\.[0-9a-f]{8}\./, ".HASH.")).sort()).toEqual([
    "kernels.HASH.compute_80.ptx",
    "kernels.HASH.sm_80.cubin",
    "kernels.HASH.sm_90a.cubin",
    "kernels.cu",
    "kernels.txt",
  ]);
  expect(out).toContain(join("built", "kernels.cu"));
  const text = readFileSync(join(shell.folder, "built/kernels.cu"), "utf8");
  expect(text).toMatch(/\/\/ .*\nextern "C" __global__ void __launch_bounds__\(\d+\)\nk0\(/);
  expect((await run("build small.moe --target cuda --out built --check")).code).toBe(0);
  const built = join(shell.folder, "built");
  expect(
    readCudaArtifact(built)
      .images!.map(({ architecture }) => architecture)
      .sort(),
  ).toEqual(["compute_80", "sm_80", "sm_90a"]);
  // Images of another source are left behind by another build.
  shell.write("built/kernels.cu", `${text}\n`);
  rmSync(join(built, "build.json"));
  expect(readCudaArtifact(built).images).toEqual([]);
});

test("files that are missing, damaged or not of one build are refused", async () => {
  const { program } = regression();
  const files = cudaFiles({ ...program, target: "cuda" }, { source: "// kernels\n" });
  const note = { files: hashesOf(files) };
  const write = (changed: Readonly<Record<string, string>>): string => {
    const all = { ...Object.fromEntries(files), "build.json": JSON.stringify(note), ...changed };
    for (const [name, content] of Object.entries(all)) shell.write(join("mixed", name), content);
    return join(shell.folder, "mixed");
  };
  const said = (folder: string): Promise<string> => errorOf(() => readCudaArtifact(folder));
  expect(readCudaArtifact(write({})).program.name).toBe(program.name);
  expect(readCudaArtifact(write({ "kernels.cu": "// kernels\r\n" })).images).toEqual([]);
  expect(await said(shell.folder)).toMatch(
    /^R0607 .* holds no kernels for CUDA = build it with `--target cuda`/,
  );
  const whole = files.get("program.cuda.json")!;
  for (const [changed, wanted] of [
    [{ "program.cuda.json": whole.slice(0, 90) }, "program.cuda.json is not JSON: it was edited or cut off"],
    [{ "program.cuda.json": whole.replace('"version":', '"version":9') }, "is of another version of moe"],
    [
      { "program.cuda.json": whole.replace("Regression", "Another") },
      "program.cuda.json is not the file that moe",
    ],
    [{ "kernels.cu": "// of another build\n" }, "kernels.cu is not the file that moe wrote"],
  ] as const) {
    const message = await said(write(changed));
    expect(message).toMatch(/^R0507 .* = build it again with `--target cuda`/);
    expect(message).toContain(wanted);
  }
});
