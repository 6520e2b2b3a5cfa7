// The command line on WebGPU: a run that is trained on the GPU, measured there and on the CPU, and goes on on either; a build with
// shaders, which loads onto the GPU. Skipped where there is no device, but not in continuous integration.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openModel } from "../runtime/model-open.ts";
import type { Shader } from "../runtime/artifact.ts";
import { joinShaders, splitShaders } from "../runtime/webgpu/shader-file.ts";
import { testShell, type Outcome, type TestShell } from "./helpers/cli.ts";
import { findDevice } from "./helpers/webgpu.ts";
import { withSoftware } from "./helpers/webgpu-made.ts";

const found = await findDevice();
if (typeof found !== "string") found.dispose();

/** No contractions: SwiftShader compiles its kernels quickly. */
const model = `model Small {
  modality x = features(4)
  modality y = features(4)
  param gain: [4] = 2
  logits = tanh(x * gain)
  loss mean(square(logits - y))
}

train Small {
  data x = csv("data.csv", "a", "b", "c", "d")
  data y = csv("data.csv", "e", "f", "g", "h")
  batch 4
  optimizer adamw { rate = 3e-2 }
  steps 12
  evaluate every 6 on 20%
}
`;
const data = [
  "a,b,c,d,e,f,g,h",
  ...Array.from({ length: 40 }, (_, row) => {
    const x = [0, 1, 2, 3].map((column) => Math.sin(row * 4 + column));
    return [...x, ...x.map((value) => Math.tanh(value / 2))].map((value) => value.toFixed(4)).join();
  }),
].join("\n");

const why = typeof found === "string" ? ` (skipped: ${found})` : "";

describe.skipIf(why !== "")(`on WebGPU${why}`, () => {
  let shell: TestShell;
  let first: Outcome;
  const run = (line: string): Promise<Outcome> => shell.run(line.split(" "));
  const losses = (name: string): number[] =>
    readFileSync(join(shell.folder, "runs", name, "metrics.jsonl"), "utf8")
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { metrics: { loss: number } }).metrics.loss);
  beforeAll(async () => {
    shell = testShell({ "small.moe": model, "data.csv": data });
    first = await run("train small.moe --device webgpu");
    await run("train small.moe --threads 1");
  }, 60_000);
  afterAll(() => shell.remove());

  test("trains as on the CPU, and says where", () => {
    expect(first.err).toMatch(/\n {2}memory {2}[\d.]+ KiB on .*\n {2}run {5}runs\/small {2}\((?!CPU).*\)\n/);
    expect(first.code).toBe(0);
    expect(first.out).toMatch(/^trained 12 steps/);
    const [gpu, cpu] = [losses("small"), losses("small-2")];
    expect(gpu).toHaveLength(cpu.length);
    expect(cpu.at(-1)).toBeLessThan(cpu[0]!);
    gpu.forEach((loss, at) => expect(loss).toBeCloseTo(cpu[at]!, 4));
  });

  test("says in JSON what it took there, apart from what the process took", async () => {
    const { code, out } = await run("train small.moe --device webgpu --steps 2 --json");
    expect(code).toBe(0);
    const { memory } = JSON.parse(out) as { memory: Record<string, number> };
    expect(Object.keys(memory)).toEqual(["device", "peak"]);
    expect(memory["device"]).toBeLessThan(1e6);
    expect(memory["peak"]).toBeGreaterThan(2e7);
  });

  test("is measured on either device, from the run or from the file", async () => {
    const loss = async (line: string): Promise<number> => {
      const { code, out, err } = await run(`eval ${line} --json`);
      expect(err).toBe("");
      expect(code).toBe(0);
      return (JSON.parse(out) as { metrics: { loss: number } }).metrics.loss;
    };
    const wanted = await loss("runs/small --threads 1");
    expect(await loss("runs/small --device cpu")).toBeCloseTo(wanted, 6);
    expect(await loss("runs/small --device webgpu")).toBeCloseTo(wanted, 5);
    expect(await loss("small.moe --checkpoint runs/small/best.safetensors --device webgpu")).toBeCloseTo(
      wanted,
      5,
    );
  });

  test("goes on on the other device", async () => {
    const stop = { onInterrupt: (act: () => void) => (setTimeout(act, 0), () => {}) };
    await shell.run(
      ["train", "small.moe", "--steps", "3000", "--out", "runs/two", "--threads", "1", "-q"],
      stop,
    );
    const again = await shell.run(["train", "runs/two", "--resume", "--device", "webgpu", "-q"], stop);
    expect(again.err).toBe("");
    expect(again.code).toBe(130);
    expect(losses("two").length).toBeGreaterThan(1);
    expect(losses("two").every(Number.isFinite)).toBe(true);
  });

  test("builds shaders beside the rest, which load onto the GPU", async () => {
    expect((await run("build small.moe --target webgpu -o dist")).code).toBe(0);
    expect((await run("build small.moe --target webgpu -o dist --check")).out).toBe("dist is fresh\n");
    expect((await run("build small.moe -o plain")).code).toBe(0);
    const added = readdirSync(join(shell.folder, "dist")).filter(
      (name) => !readdirSync(join(shell.folder, "plain")).includes(name),
    );
    expect(added.sort()).toEqual(["model.wgsl", "program.webgpu.json"]);
    const text = (name: string): string => readFileSync(join(shell.folder, name), "utf8");
    expect(text("dist/small.js")).toContain('new URL("./model.wgsl", import.meta.url)');
    expect(text("plain/small.js")).not.toContain("webgpu");
    expect(text("dist/model.wgsl")).toMatch(/^\/\/ ======== kernel 0 ========\n\/\/ .*: .*\n/);
    const place = (name: string): string => join(shell.folder, "dist", name);
    const files = {
      program: place("program.json"),
      wasm: { plain: place("model.wasm"), relaxed: place("model.relaxed.wasm") },
      webgpu: { program: place("program.webgpu.json"), shaders: place("model.wgsl") },
    };
    const weights = join(shell.folder, "runs/small");
    const logits: number[][] = [];
    for (const device of ["auto", "webgpu", "cpu"] as const) {
      const loaded = await withSoftware(false, () => openModel(files, { device, weights, threads: 1 }));
      expect(loaded.session.where === "CPU, 1 thread").toBe(device === "cpu");
      expect(loaded.step).toBe(12);
      logits.push([...(await loaded.forward({ x: [[0.5, -1, 0.25, 3]] }))["logits"]!.values]);
      loaded.dispose();
    }
    expect(logits[1]).toEqual(logits[0]);
    logits[2]!.forEach((value, at) => expect(logits[0]![at]).toBeCloseTo(value, 6));
    // A device in software is slower than the CPU: it has to be asked for.
    for (const device of ["auto", "webgpu"] as const) {
      const loaded = await withSoftware(true, () => openModel(files, { device, weights, threads: 1 }));
      expect(loaded.session.where === "CPU, 1 thread").toBe(device === "auto");
      loaded.dispose();
    }
    // A shader that the device does not take shows at the entry's first use: then the model moves to the CPU.
    const shaders = new TextEncoder().encode(text("dist/model.wgsl").replace(/fn main\(/g, "fn main(("));
    const spoilt = { ...files, webgpu: { ...files.webgpu, shaders } };
    const moved = await withSoftware(false, () => openModel(spoilt, { weights, threads: 1 }));
    const x = [[0.5, -1, 0.25, 3]];
    expect([...(await moved.forward({ x }))["logits"]!.values]).toEqual(logits[2]);
    expect(moved.session.where).toMatch(/^CPU, 1 thread \(.* refuses the kernel /);
    moved.dispose();
    const insisting = await openModel(spoilt, { device: "webgpu", weights });
    await expect(insisting.forward({ x })).rejects.toMatchObject({ code: "R0606" });
    insisting.dispose();
    const { webgpu: _, ...plain } = files;
    await expect(openModel(plain, { device: "webgpu" })).rejects.toMatchObject({ code: "R0607" });
    await expect(
      openModel({ ...files, webgpu: { ...files.webgpu, shaders: place("small.js") } }, { device: "webgpu" }),
    ).rejects.toMatchObject({
      code: "R0507",
      message: expect.stringContaining("does not hold the kernels of Small"),
    });
  });

  test("threads are the CPU's", async () => {
    const { code, err } = await run("train small.moe --device webgpu --threads 2");
    expect(code).toBe(2);
    expect(err).toContain("error[C0401]: `--threads` is for the CPU");
  });
});

test("a machine without a device is told so, and nothing is written", async () => {
  vi.stubEnv("VK_ICD_FILENAMES", "/none.json");
  vi.stubEnv("VK_DRIVER_FILES", "/none.json");
  vi.resetModules();
  const { testShell: freshShell } = await import("./helpers/cli.ts");
  const shell = freshShell({ "small.moe": model, "data.csv": data });
  try {
    const { code, err } = await shell.run(["train", "small.moe", "--device", "webgpu"]);
    expect(code).toBe(2);
    expect(err).toMatch(/^error\[R060[12]\]: .*\n.*= help: /s);
    expect(readdirSync(shell.folder).sort()).toEqual(["data.csv", "small.moe"]);
  } finally {
    vi.unstubAllEnvs();
    shell.remove();
  }
});

test("shaders in one file come apart again", () => {
  const both = { plain: "// b: two\n", subgroups: "// b: two\nenable subgroups;\n" };
  const shaders: readonly Shader[] = ["// a: one\nfn main() {}\n", both, "// c: three\n"];
  const file = joinShaders(shaders);
  const trimmed = (list: readonly Shader[] | undefined): unknown =>
    JSON.parse(JSON.stringify(list).replaceAll(/(\\n)+"/g, '"'));
  expect(trimmed(splitShaders(file, 3))).toEqual(trimmed(shaders));
  expect(splitShaders(file, 2)).toBeUndefined();
  expect(splitShaders(file, 4)).toBeUndefined();
  // A second text that follows another kernel's.
  expect(splitShaders(file.replace("kernel 1 with", "kernel 0 with"), 3)).toBeUndefined();
  expect(splitShaders("export {}", 0)).toBeUndefined();
});
