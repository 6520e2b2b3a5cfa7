// The CUDA runtime on a driver without a GPU (cuda-host/driver.cpp): launches, graphs, memory, profiles, images and NVRTC, and one clear
// error for everything that can be missing, too old, too small or broken.

import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { PlannedModel } from "../compiler/compile.ts";
import { printCuda, sharedBytes } from "../compiler/cuda/print.ts";
import type { CudaCode } from "../runtime/artifact.ts";
import { compileSource } from "../runtime/cuda/compile.ts";
import { openCudaDevice } from "../runtime/cuda/device.ts";
import { imagesFor, sharedBytes as given } from "../runtime/cuda/kernels.ts";
import { openCuda } from "../runtime/cuda/session.ts";
import { runtimeCodes } from "../runtime/error-codes.ts";
import { UserError } from "../runtime/errors.ts";
import { fakeDriver, hasCompiler, hostCode, hostImage, made } from "./helpers/cuda-host.ts";
import { openOnHost, planCuda } from "./helpers/cuda-session.ts";

const text = `
model Small {
  modality x = features(3)
  modality y = category(2)
  param w: [3, 2]
  logits = tanh(x @ w)
  loss cross_entropy(logits, y)
}
train Small {
  data x = csv("data.csv", "a", "b", "c")
  data y = csv("data.csv", "d")
  batch 4
  steps 3
  optimizer sgd { rate = 0.5 }
}`;

/** `R0701 what happened: what to do` */
function told(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(runtimeCodes[error.code], error.code).toBeDefined();
    return `${error.code} ${error.message}: ${error.help}`;
  }
  return "nothing";
}

const bytesOf = (code: string): Uint8Array => new TextEncoder().encode(code);
const inputs = { x: Array.from({ length: 12 }, (_, i) => Math.sin(i)), y: [0, 1, 1, 0] };

test("a machine without a driver", () => {
  expect(told(() => openCudaDevice({ driver: "/nowhere/libcuda.so" }))).toBe(
    "R0701 this machine has no CUDA driver at /nowhere/libcuda.so: CUDA needs an NVIDIA GPU and its driver; run on the CPU, or with `--device webgpu`",
  );
});

test("printer and launcher agree on which scratch is dynamic", () => {
  for (const bytes of [0, 16, 32768, 48127, 48128, 48129, 49152, 100000])
    expect(given(bytes), `${bytes} bytes`).toBe(sharedBytes(bytes));
  expect([given(40000), given(60000)]).toEqual([0, 60000]);
});

test("the image for a GPU", () => {
  const images = ["compute_80", "sm_80", "sm_90a", "sm_120"].map((architecture) => ({
    architecture,
    bytes: bytesOf(""),
  }));
  const order = (capability: number): string =>
    imagesFor(capability, images)
      .map(({ architecture }) => architecture)
      .join(" ");
  expect(order(80)).toBe("sm_80 compute_80");
  expect(order(89)).toBe("sm_80 compute_80");
  expect(order(90)).toBe("sm_90a compute_80");
  expect(order(100)).toBe("compute_80");
  expect(order(121)).toBe("sm_120 compute_80");
  expect(order(75)).toBe("");
});

describe.skipIf(!hasCompiler)("on the driver without a GPU", () => {
  let planned: PlannedModel;
  let code: CudaCode;
  const driver = hasCompiler ? fakeDriver() : undefined!;
  beforeEach(() => {
    driver.reset();
    planned ??= planCuda(text);
    code ??= hostCode(planned.kernels);
  }, 60_000);
  const sessions: { dispose: () => void }[] = [];
  const tracked = <S extends { dispose: () => void }>(session: S): S => {
    sessions.push(session);
    return session;
  };
  afterEach(() => {
    // Only what a failed test has not disposed of itself.
    for (const session of sessions.splice(0)) session.dispose();
    for (const device of leftOver.splice(0)) device.dispose();
    expect(driver.count("bytes"), "bytes that nobody freed").toBe(0);
    expect(driver.count("handles"), "handles that nobody freed").toBe(0);
  });
  const open = (options = {}, given = code) => {
    const device = openCudaDevice({ driver: driver.path });
    try {
      return tracked(openCuda(planned.program, given, { ...options, device }));
    } finally {
      // A session that does not own its device leaves it alone; nobody else needs this one's stream.
      leftOver.push(device);
    }
  };
  const leftOver: { dispose: () => void }[] = [];

  test("says what it is", () => {
    driver.set("capability", 86);
    const device = openCudaDevice({ driver: driver.path });
    expect(device).toMatchObject({ name: "Imagined GPU", capability: 86, sharedMemory: 232448 });
    device.dispose();
    device.dispose();
  });

  test("records an entry once and replays it; waits only for outputs", () => {
    const session = tracked(openOnHost(planned));
    session.prepare("train");
    const waits = driver.count("cuStreamSynchronize");
    const dispatches = planned.program.entries["train"]!.dispatches.length;
    for (let step = 0; step < 5; step++) session.run("train", inputs, { outputs: [] });
    expect(driver.count("cuStreamSynchronize")).toBe(waits);
    expect(driver.count("replays")).toBe(5);
    expect(driver.count("launches")).toBe(5 * dispatches);
    expect(driver.count("cuGraphInstantiateWithFlags")).toBe(1);
    expect(driver.count("cuLaunchKernel")).toBe(dispatches);
    const { loss } = session.run("train", inputs, { outputs: ["loss"] });
    expect(loss![0]).toBeGreaterThan(0);
    expect(driver.count("cuStreamSynchronize")).toBe(waits + 1);
    session.dispose();
  });

  test("learns, the same to the bit when repeated", () => {
    const train = (): number[] => {
      const session = tracked(openOnHost(planned, { seed: 5 }));
      const losses = Array.from({ length: 20 }, () => {
        const { loss } = session.run("train", inputs);
        session.run("update", {}, { outputs: [] });
        return loss![0]!;
      });
      session.dispose();
      return losses;
    };
    const losses = train();
    expect(losses.at(-1)).toBeLessThan(0.8 * losses[0]!);
    expect(train()).toEqual(losses);
  });

  test("a device that reads the host's memory later: values are waited for before they change", () => {
    const losses = (): number[] => {
      const session = tracked(openOnHost(planned, { seed: 5 }));
      const all = Array.from({ length: 5 }, (_, step) => {
        const x = inputs.x.map((value) => value * (step + 1));
        const { loss } = session.run("train", { ...inputs, x });
        session.run("update", {}, { outputs: [] });
        return loss![0]!;
      });
      session.dispose();
      return all;
    };
    const wanted = losses();
    driver.set("reads host", 1);
    expect(losses()).toEqual(wanted);
  });

  test("other sizes, larger and smaller, each with its own graph", () => {
    const session = tracked(openOnHost(planned, { entries: ["forward"], sizes: { B: 2 } }));
    const rows = (count: number): number[] => Array.from({ length: 3 * count }, (_, i) => Math.cos(i));
    const wanted = session.bind({ B: 40 }).run("forward", { x: rows(40) }) as Record<string, Float32Array>;
    const [name] = Object.keys(wanted) as [string];
    for (const count of [1, 2, 7, 40]) {
      const found = session.bind({ B: count }).run("forward", { x: rows(count) }) as Record<
        string,
        Float32Array
      >;
      // Few rows are summed in another order.
      found[name]!.forEach((value, i) => expect(value).toBeCloseTo(wanted[name]![i]!, 5));
    }
    session.resize({ B: 3 });
    expect(session.run("forward", { x: rows(3) })[name]!.length).toBe(6);
    session.dispose();
  });

  test("profiles and traces", () => {
    const session = tracked(openOnHost(planned, { profile: true }));
    for (let run = 0; run < 3; run++) session.run("forward", { x: inputs.x });
    const timings = session.timings();
    const dispatches = planned.program.entries["forward"]!.dispatches;
    expect(timings.map(({ label, runs, milliseconds }) => [label, runs, milliseconds])).toEqual(
      dispatches.map(({ label }) => [label, 3, 3]),
    );
    const seen: string[] = [];
    session.trace("forward", { x: inputs.x }, ({ label, buffers }, values) => {
      seen.push(label);
      for (const buffer of buffers) expect(values(buffer).length).toBe(buffer.length);
      return true;
    });
    expect(seen).toEqual(dispatches.map(({ label }) => label));
    session.dispose();
  });

  test("tensors are read, written, cleared and loaded", () => {
    const session = tracked(openOnHost(planned, { initialise: false }));
    expect(session.read("w")).toEqual(new Float32Array(6));
    session.write("w", [1, 2, 3, 4, 5, 6]);
    expect(session.snapshot(["w"]).get("w")).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6));
    session.clear("w");
    expect(session.read("w")).toEqual(new Float32Array(6));
    session.load(new Map([["w", new Float32Array(6).fill(3)]]));
    expect(session.read("w")).toEqual(new Float32Array(6).fill(3));
    expect(told(() => session.write("w", [1]))).toMatch(/^R0505 the tensor `w` has 6 elements, not 1/);
    expect(told(() => session.run("forward", {}))).toMatch(/^R0504 /);
    expect(told(() => session.run("nothing", {}))).toMatch(/^R0505 /);
    session.dispose();
    session.dispose();
  });

  test("source only: NVRTC compiles it for the GPU at hand", () => {
    const source = printCuda(planned.kernels);
    driver.compiles(hostImage(source));
    const image = compileSource(source, "sm_90a", ["-fmad=false"], driver.path);
    expect(new TextDecoder().decode(image)).toBe(hostImage(source));
    expect(driver.options()).toBe("--gpu-architecture=sm_90a --std=c++17 -fmad=false ");
    expect(told(() => compileSource("#error", "sm_80", [], driver.path))).toMatch(
      /^R0704 .*does not compile for sm_80: NVRTC 6 kernels.cu\(1\): error: stop/,
    );
    process.env["MOE_NVRTC"] = driver.path;
    try {
      for (const images of [undefined, [{ architecture: "sm_90a", bytes: bytesOf("broken") }]]) {
        const session = open({}, { source, ...(images === undefined ? {} : { images }) });
        expect(session.run("forward", { x: inputs.x })).toBeDefined();
        session.dispose();
      }
    } finally {
      delete process.env["MOE_NVRTC"];
    }
  });

  test("NVRTC finds the rest of itself beside it", () => {
    const folder = mkdtempSync(join(tmpdir(), "moe-nvrtc-"));
    try {
      const library = join(folder, "libnvrtc.so.13");
      copyFileSync(driver.path, library);
      const compile = (): Uint8Array => compileSource("// whole", "sm_90a", [], library);
      expect(told(compile)).toMatch(/^R0704 .*NVRTC 7/);
      const name = "libnvrtc-builtins.so.13.0";
      const rest = made("", [".cpp", ".so"], ["g++", "-shared", "-fPIC", `-Wl,-soname,${name}`]);
      copyFileSync(rest, join(folder, name));
      expect(compile()).toBeDefined();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test.each([
    ["an old driver", { version: 10020 }, /^R0702 the CUDA driver is for CUDA 10\.2, and 11\.4 is needed/],
    ["no device", { devices: 0 }, /^R0703 the CUDA driver finds no GPU: /],
    ["a driver that does not start", { "fail cuInit": 100 }, /^R0703 .*no GPU that can be used/],
    ["a mismatch of driver and kernel module", { "fail cuInit": 803 }, /^R0702 .*too old/],
    ["an old GPU", { capability: 75 }, /^R0704 Imagined GPU has compute capability 7\.5, and 8\.0 is needed/],
    ["a GPU in exclusive use", { "fail cuDevicePrimaryCtxRetain": 46 }, /^R0703 /],
  ])("%s", (_, settings, wanted) => {
    for (const [key, value] of Object.entries(settings)) driver.set(key, value);
    expect(told(() => openCudaDevice({ driver: driver.path }))).toMatch(wanted);
  });

  test("memory that cannot be enough is refused before anything is allocated", () => {
    driver.set("memory", 100);
    expect(told(() => open())).toMatch(
      /^R0705 Imagined GPU has 1 kB of 1 kB free, and \d+ kB are needed for its tensors and the values of a step: make the batch smaller/,
    );
    expect(driver.count("cuMemAlloc_v2")).toBe(0);
  });

  test("memory that another program takes meanwhile", () => {
    driver.set("fail cuMemAlloc_v2", 2);
    expect(told(() => open())).toMatch(/^R0705 the GPU has not enough memory for the model's tensors/);
    driver.set("fail cuMemAlloc_v2", 0);
    const session = open();
    driver.set("memory", 3000);
    expect(told(() => session.bind({ B: 4000 }).run("forward", { x: [] }))).toMatch(
      /^R0705 Imagined GPU has .* needed for the values of `forward`, most of them for `.*` at .*:\d+: make/,
    );
    driver.set("memory", 1 << 30);
    expect(session.run("forward", { x: inputs.x })).toBeDefined();
    session.dispose();
  });

  test("kernels of another GPU, PTX of a newer toolkit", () => {
    const images = [{ architecture: "sm_90a", bytes: bytesOf("ELF") }];
    process.env["MOE_NVRTC"] = "/nowhere/libnvrtc.so";
    try {
      expect(told(() => open({}, { source: "", images }))).toMatch(/^R0704 /);
    } finally {
      delete process.env["MOE_NVRTC"];
    }
    driver.set("fail cuModuleLoadData", 222);
    process.env["MOE_NVRTC"] = "/nowhere/libnvrtc.so";
    try {
      expect(told(() => open({}, { source: "", images }))).toMatch(/^R0702 the CUDA driver is too old/);
    } finally {
      delete process.env["MOE_NVRTC"];
    }
    process.env["MOE_NVRTC"] = driver.path;
    driver.compiles("something");
    try {
      expect(told(() => open())).toMatch(/^R0702 the CUDA driver is too old for these kernels/);
    } finally {
      delete process.env["MOE_NVRTC"];
    }
  });

  test("a device that stops in the middle", () => {
    const session = open();
    driver.set("fail cuStreamSynchronize", 700);
    expect(told(() => session.run("forward", { x: inputs.x }))).toMatch(
      /^R0706 the GPU stopped while running `forward` \(CUDA says 700: a kernel reads or writes where nothing is\): go on from the last checkpoint/,
    );
    driver.set("fail cuStreamSynchronize", 0);
    driver.set("fail cuLaunchKernel", 701);
    expect(told(() => session.run("train", inputs))).toMatch(/^R0706 the GPU stopped in `/);
    session.dispose();
  });

  test("a fault in a graph names the entry, and stepwise the kernel with its line", () => {
    const dispatches = planned.program.entries["train"]!.dispatches;
    const { label, place } = dispatches[1]!;
    for (const [stepwise, said] of [
      [
        "0",
        "while running `train` (CUDA says 700: a kernel reads or writes where nothing is): go on from the last checkpoint, with `MOE_CUDA_STEPWISE=1` to name the kernel;",
      ],
      [
        "1",
        `in \`${label}\` at ${place} (CUDA says 700: a kernel reads or writes where nothing is): go on from the last checkpoint;`,
      ],
    ] as const) {
      driver.reset();
      process.env["MOE_CUDA_STEPWISE"] = stepwise;
      try {
        const session = tracked(openOnHost(planned));
        session.run("forward", { x: inputs.x });
        driver.set("fault at launch", driver.count("launches") + 2);
        expect(told(() => session.run("train", inputs))).toContain(`R0706 the GPU stopped ${said}`);
        session.dispose();
      } finally {
        delete process.env["MOE_CUDA_STEPWISE"];
      }
    }
  });

  test("stepwise computes the same", () => {
    const losses = (): number[] => {
      const session = tracked(openOnHost(planned, { seed: 5 }));
      const all = [0, 1, 2].map(() => {
        const { loss } = session.run("train", inputs);
        session.run("update", {}, { outputs: [] });
        return loss![0]!;
      });
      session.dispose();
      return all;
    };
    const graphs = losses();
    process.env["MOE_CUDA_STEPWISE"] = "1";
    try {
      const before = driver.count("replays");
      expect(losses()).toEqual(graphs);
      expect(driver.count("replays")).toBe(before);
    } finally {
      delete process.env["MOE_CUDA_STEPWISE"];
    }
  });

  test("a kernel that a graph cannot hold is found by launching each alone", () => {
    const dispatches = planned.program.entries["train"]!.dispatches;
    const { label, place, kernel } = dispatches.at(-1)!;
    const session = tracked(openOnHost(planned));
    driver.set("refused kernel", kernel);
    expect(told(() => session.run("train", inputs))).toContain(
      `R0706 the GPU stopped in \`${label}\` at ${place} (CUDA says 701)`,
    );
    driver.set("refused kernel", -1);
    session.dispose();
  });

  test("a program for something else", () => {
    const device = openCudaDevice({ driver: driver.path });
    const program = { ...planned.program, target: "wasm" } as const;
    expect(told(() => openCuda(program, code, { device }))).toMatch(/^R0607 /);
    device.dispose();
  });
});
