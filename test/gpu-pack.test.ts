// The pack for machines with a GPU: its size, what is in it, and its check on the driver without a GPU, from the unpacked archive and by its own
// Node. Of its cases only a few are packed; kernels are compiled for the host, as that driver wants them.
// MOE_RUNS=1 runs all cases, unpacked, layers whose warpgroups multiply among them; MOE_RUNS=2/8 the second eighth of the programs.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { bench } from "../bench/gpu/bench.ts";
import { check } from "../bench/gpu/check.ts";
import { groupsOf } from "../bench/gpu/cases.ts";
import { measureCeilings } from "../bench/gpu/ceilings.ts";
import { ceilingsSource } from "../bench/gpu/ceilings-source.ts";
import type { Imager } from "../bench/gpu/images.ts";
import { layers, layerText, operations, tokenCounts, weightBytes } from "../bench/gpu/layers.ts";
import { heldMemory } from "../runtime/arena-plan.ts";
import { bytesOf } from "../runtime/halves.ts";
import { elementsOf } from "../runtime/stored.ts";
import type { Manifest } from "../bench/gpu/manifest.ts";
import { archive, mostBytes, writeModels, writePack } from "../bench/gpu/pack.ts";
import { planModel } from "../compiler/compile.ts";
import { openCudaDevice } from "../runtime/cuda/device.ts";
import { imageFiles } from "../runtime/cuda/folder.ts";
import type { Program } from "../runtime/program.ts";
import { evaluate } from "../runtime/size.ts";
import { fakeDriver, hasCompiler, hasNvcc, hostImage, imageOf } from "./helpers/cuda-host.ts";
import { hostOf } from "./helpers/elaborate.ts";
import { gpuProgramIn } from "./helpers/gpu-program.ts";
import { partOf, wholeRuns } from "./helpers/runs.ts";

const root = resolve(import.meta.dirname, "..");
const here = process.platform === "linux" && process.arch === "x64";

test("every case has a name of its own; the awkward routings are among them, and every small program", () => {
  const names = groupsOf(root).flatMap(({ cases }) => cases.map(({ name }) => name));
  expect(new Set(names).size).toBe(names.length);
  const programs = readdirSync(join(root, "test/programs")).map((file) => file.replace(/\.moe$/, ""));
  expect(names).toEqual(expect.arrayContaining(programs.map((name) => `programs/${name}`)));
  for (const part of ["examples/book/book", "routing: ties", "nulls only", "not numbers", "50 steps"])
    expect(
      names.some((name) => name.includes(part)),
      part,
    ).toBe(true);
});

test("the bench counts as the program does: operations of a forward pass, and the experts' weights", () => {
  const layer = layers.find(({ hidden, precision }) => hidden === 1024 && precision === "bf16")!;
  const { planned } = planModel({
    host: hostOf({ "main.moe": layerText(layer) }),
    path: "main.moe",
    target: "cuda",
    precision: layer.precision,
  });
  const { program } = planned!;
  expect(program.precision).toBe("bf16");
  for (const tokens of tokenCounts) {
    const counted = program.entries["forward"]!.dispatches.reduce((sum, { kernel }) => {
      const { multiplyAdds } = program.kernels[kernel]!;
      return sum + (multiplyAdds === undefined ? 0 : 2 * evaluate(multiplyAdds, { B: tokens }));
    }, 0);
    // What stands in epilogues is not counted by formula: a few operations for each row.
    expect(counted / operations(layer, tokens)).toBeGreaterThan(0.999);
    expect(counted / operations(layer, tokens)).toBeLessThan(1.02);
  }
  const stored = heldMemory(program, ["forward"])
    .filter(({ shape }) => shape.length > 1)
    .reduce((sum, each) => sum + bytesOf(each.type) * elementsOf(each), 0);
  expect(weightBytes(layer, layer.experts)).toBe(stored);
});

describe.skipIf(!here || !hasCompiler)("a pack", () => {
  const folder = mkdtempSync(join(tmpdir(), "moe-pack-"));
  const file = join(folder, "moe-gpu.tar.gz");
  const unpacked = join(folder, "there/moe-gpu");
  const run = (args: readonly string[], driver = fakeDriver().path) => {
    const { status, stdout, stderr } = spawnSync(join(unpacked, "run"), args, {
      encoding: "utf8",
      // As bare as the machine that it is for.
      env: { PATH: "/usr/bin:/bin", MOE_CUDA_DRIVER: driver },
    });
    return { status, lines: stdout.trim().split("\n"), told: stderr.trim() };
  };

  beforeAll(async () => {
    const images: Imager = (source) =>
      Promise.resolve([{ architecture: "compute_80", bytes: new TextEncoder().encode(hostImage(source)) }]);
    await writePack(join(folder, "moe-gpu"), {
      ...{ root, images, layers: [] },
      only: ["programs/chain", "routing: ties", "routing: nulls only", "layer of 7 rows, bf16"],
    });
    archive(join(folder, "moe-gpu"), file, 1);
    rmSync(join(folder, "moe-gpu"), { recursive: true });
    const { status } = spawnSync("sh", ["-c", `mkdir there && tar xzf ${file} -C there`], { cwd: folder });
    expect(status).toBe(0);
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("is small, and holds what it needs", () => {
    // Compressed as fast as possible here; cases are some 0.2 MB each.
    expect(statSync(file).size).toBeLessThan(mostBytes);
    const manifest = JSON.parse(readFileSync(join(unpacked, "manifest.json"), "utf8")) as Manifest;
    expect(manifest.cases.map(({ name }) => name)).toEqual([
      "routing: ties",
      "routing: nulls only",
      "layer of 7 rows, bf16",
      "programs/chain",
    ]);
    for (const { folder: place } of manifest.cases) {
      // The hash in an image's name may come before other names, or not.
      const names = readdirSync(join(unpacked, place)).map((name) => name.replace(/\.\w{8}\./, ".HASH."));
      expect(names.sort()).toEqual([
        ...["kernels.HASH.compute_80.ptx", "kernels.cu"],
        ...["model.wasm", "program.cuda.json", "program.json"],
      ]);
    }
    expect(readdirSync(unpacked).sort()).toEqual(
      ["cases", "gpu.mjs", "manifest.json", "node", "node_modules", "run", "torch_peer.py"].sort(),
    );
  });

  test("checks", { timeout: 60_000 }, () => {
    const { status, lines, told } = run(["check"]);
    expect(told).toBe("");
    expect(lines).toEqual(["Imagined GPU, compute capability 9.0, 4 processors", "4 passed, 0 failed"]);
    expect(status).toBe(0);
    expect(run(["check", "ties"]).lines.at(-1)).toBe("1 passed, 0 failed");
    expect(run(["check", "no such case"])).toMatchObject({ status: 2 });
  });

  test("finds kernels that are wrong", { timeout: 60_000 }, () => {
    const place = join(unpacked, "cases/programs-chain");
    const name = readdirSync(place).find((each) => each.endsWith(".ptx"))!;
    const before = readFileSync(join(place, name));
    const source = readFileSync(join(place, "kernels.cu"), "utf8");
    const wrong = source.replaceAll("tanhf(", "atanf(");
    expect(wrong).not.toBe(source);
    writeFileSync(join(place, name), hostImage(wrong));
    try {
      const { status, lines } = run(["check", "chain", "ties"]);
      expect(lines[1]).toMatch(/^FAILED programs\/chain: \w+: .*\[\d+\] is .*, and .* on the CPU \(within /);
      expect(lines.at(-1)).toBe("1 passed, 1 failed");
      expect(status).toBe(1);
    } finally {
      writeFileSync(join(place, name), before);
    }
  });

  test("without a driver: one sentence and exit code 3", () => {
    for (const verb of ["check", "bench"])
      expect(run([verb], "/nowhere/libcuda.so")).toEqual({
        status: 3,
        lines: [""],
        told: "no GPU to run on: this machine has no CUDA driver at /nowhere/libcuda.so (R0701)",
      });
  });
});

/** Where a kernel has a way for warpgroups that multiply, as a device that takes it would run it. */
const asOnGpu: Imager = (source) => {
  const warpgroups = source.includes("#if MOE_WARPGROUPS");
  const bytes = new TextEncoder().encode(hostImage(source, { warpgroups }));
  return Promise.resolve([{ architecture: warpgroups ? "sm_90a" : "compute_80", bytes }]);
};

test.runIf(wholeRuns && hasCompiler)("all cases", { timeout: 3_600_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "moe-check-"));
  process.env["MOE_CUDA_DRIVER"] = fakeDriver().path;
  fakeDriver().reset();
  const said: string[] = [];
  vi.spyOn(console, "log").mockImplementation((line: string) => void said.push(line));
  try {
    const only = partOf(groupsOf(root)).flatMap(({ cases }) => cases.map(({ name }) => name));
    const { cases } = await writeModels(folder, { root, images: asOnGpu, only, layers: [] });
    expect(await check(folder, { only: [], module: await gpuProgramIn(folder) })).toBe(0);
    expect(said.slice(1)).toEqual([`${cases.length} passed, 0 failed`]);
    expect(fakeDriver().count("bytes")).toBe(0);
  } finally {
    delete process.env["MOE_CUDA_DRIVER"];
    vi.restoreAllMocks();
    rmSync(folder, { recursive: true, force: true });
  }
});

/** A peer that warns, and is cut off in the middle of its second line. */
const peerText = (forward: number): string => `
import json, sys
print("a warning")
if sys.argv[1] == "probe":
    print(json.dumps({"torch": "2", "device": "imagined", "float32": 1e8, "bfloat16": 4e9}))
else:
    print(json.dumps({"tokens": 1, "grouped": {"forward": ${2 * forward}, "step": 0.001}, "loop": None}))
    print('{"tokens": 5, "grouped"', end="")
`;

test.skipIf(!here || !hasCompiler)(
  "the bench measures layers, and says what it could not measure",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "moe-bench-"));
    const [log, error] = [vi.spyOn(console, "log"), vi.spyOn(console, "error")];
    const said: string[] = [];
    for (const spy of [log, error]) spy.mockImplementation((line: string) => void said.push(line));
    process.env["MOE_CUDA_DRIVER"] = fakeDriver().path;
    fakeDriver().reset();
    try {
      const images: Imager = (source) => {
        const text = source === ceilingsSource ? "" : hostImage(source);
        return Promise.resolve([{ architecture: "compute_80", bytes: new TextEncoder().encode(text) }]);
      };
      const small = {
        width: 16,
        hidden: 8,
        experts: 4,
        k: 2,
        precision: "bf16",
        warpgroups: false,
        folder: "layers/small",
      } as const;
      await writeModels(folder, { root, images, only: [], cases: false, layers: [small] });
      const of = (rate: number) => ({ rate, by: "imagination" });
      const ceilings = { copy: of(1e9), bf16: of(2e9), f32: of(1e9) };
      const module = await gpuProgramIn(folder);
      const script = join(folder, "none.py");
      expect(await bench(folder, { tokens: [1, 5], ceilings, script, module })).toBe(0);
      const text = said.join("\n");
      // A launch takes that driver a millisecond.
      const launches = (entry: string): number => {
        const program = JSON.parse(
          readFileSync(join(folder, small.folder, "program.cuda.json"), "utf8"),
        ) as Program;
        return program.entries[entry]!.dispatches.length;
      };
      const forward = launches("forward");
      const step = launches("train") + launches("update");
      const teras = (operations: number, milliseconds: number): string =>
        (operations / (milliseconds / 1e3) / 1e12).toPrecision(3);
      const work = operations(small, 1);
      const share = ((100 * work) / (forward / 1e3) / 2e9).toFixed(1);
      expect(text).toContain(
        `     1 tokens: forward ${forward}.000 ms, ${teras(work, forward)} TFLOP/s (${share} %); `,
      );
      expect(text).toContain(
        `of the copy), 2 experts; step ${step}.000 ms, ${teras(3 * work, step)} TFLOP/s`,
      );
      expect(text).toMatch(/not measured: ratios to PyTorch: .*python3/);
      expect(JSON.parse(readFileSync(join(folder, "bench.json"), "utf8"))).toMatchObject({
        about: "Imagined GPU, 4 processors",
        ceilings,
        rows: [
          { layer: "(16, 8, 4, 2) bf16", tokens: 1, forward, step, chosen: 2 },
          { layer: "(16, 8, 4, 2) bf16", tokens: 5, forward, step },
        ],
        missing: [expect.stringContaining("PyTorch")],
      });
      said.length = 0;
      const peer = join(folder, "peer.py");
      writeFileSync(peer, peerText(forward));
      expect(await bench(folder, { tokens: [1, 5], ceilings, script: peer, module })).toBe(0);
      expect(said).toContain("bf16 0.00400 TFLOP/s (PyTorch's product)");
      expect(said).toContain(
        "  (16, 8, 4, 2) bf16, 1 tokens: PyTorch's grouped product takes 2.00 times as long forward, 0.00 times a step",
      );
      expect(said).toContain(
        "not measured: PyTorch's loop over experts: this PyTorch does not do (16, 8, 4, 2) bf16",
      );
      expect(said).toContain("not measured: PyTorch's times of (16, 8, 4, 2) bf16, 5 tokens: it says none");
      said.length = 0;
      expect(await bench(folder, { ceilings, script, module, seconds: 1e-9 })).toBe(0);
      expect(said).toContain("not measured: (16, 8, 4, 2) bf16: the time was up");
    } finally {
      delete process.env["MOE_CUDA_DRIVER"];
      vi.restoreAllMocks();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

test.skipIf(!hasNvcc)("nvcc takes the kernels of the ceilings", { timeout: 120_000 }, () => {
  for (const architecture of ["sm_80", "sm_90a"])
    expect(statSync(imageOf(ceilingsSource, architecture)).size).toBeGreaterThan(1000);
});

test.skipIf(!here || !hasCompiler)("ceilings are measured by launches that the driver takes", () => {
  const folder = mkdtempSync(join(tmpdir(), "moe-ceilings-"));
  const driver = fakeDriver();
  driver.reset();
  const device = openCudaDevice({ driver: driver.path });
  try {
    const images = [
      { architecture: "compute_80", bytes: new TextEncoder().encode(hostImage(ceilingsSource)) },
    ];
    for (const [name, bytes] of [
      ["kernels.cu", new TextEncoder().encode(ceilingsSource)] as const,
      ...imageFiles({ source: ceilingsSource, images }),
    ])
      writeFileSync(join(folder, name), bytes);
    const { copy, f32, bf16 } = measureCeilings(device, folder, { bytes: 2 ** 20, rounds: 2 });
    // A launch takes that driver a millisecond, a copy of its own nothing; neither has cuBLAS to say more.
    expect(copy).toEqual({ rate: Infinity, by: "the driver's copy" });
    const blocks = 8 * device.processors;
    if (bf16.by !== "cuBLAS") expect(bf16.rate).toBeCloseTo((8 * 8 * 4096 * 2 * blocks) / 1e-3, -3);
    if (f32.by !== "cuBLAS") expect(f32.rate).toBeCloseTo((256 * 16 * 2 * 2 * blocks) / 1e-3, -3);
    expect(driver.count("bytes")).toBe(0);
  } finally {
    device.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
  expect(driver.count("handles")).toBe(0);
});
