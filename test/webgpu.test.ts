// The runtime on WebGPU, with programs whose kernels are written by hand: training, evaluation, generation, checkpoints and
// diagnosis give what they give on the CPU; values share memory without colliding; every failure is one clear message.
// Where there is no device only the pure parts and the failures are tested, but not in continuous integration.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { plan } from "../compiler/plan.ts";
import { printWgsl } from "../compiler/wgsl/print.ts";
import type { Executor } from "../runtime/executor.ts";
import { generate } from "../runtime/generate.ts";
import { openSession } from "../runtime/session.ts";
import { constant } from "../runtime/size.ts";
import { trainInFolder } from "../runtime/train-folder.ts";
import { train } from "../runtime/train.ts";
import type { Device } from "../runtime/webgpu/device.ts";
import { layoutGpu } from "../runtime/webgpu/layout.ts";
import { gpuMemoryPlan } from "../runtime/webgpu/plan.ts";
import { openDevice, openWebGpu } from "../runtime/webgpu/open.ts";
import type { WebGpuOptions, WebGpuSession } from "../runtime/webgpu/session.ts";
import { blur } from "./helpers/blur.ts";
import { regression, speaker, type HandWritten } from "./helpers/hand-written.ts";
import { buffer, f, kernel, store, workgroup } from "./helpers/kernels.ts";
import { findDevice } from "./helpers/webgpu.ts";
import { data, dataOf, errorOf, forGpu, rows, watched } from "./helpers/webgpu-made.ts";

const found = await findDevice();
const device = typeof found === "string" ? undefined : found;
/** For the title of what is skipped. */
const why = typeof found === "string" ? ` (skipped: ${found})` : "";

const openGpu = (made: HandWritten, options: WebGpuOptions = {}): Promise<WebGpuSession> => {
  const { program, shaders } = forGpu(made);
  return openWebGpu(program, shaders, { device: device!, ...options });
};

/** A step of training, and what came of it. */
async function step(session: Executor): Promise<readonly number[]> {
  const outputs = await session.run("train", rows(8, 1, 6).batch(0));
  await session.run("update", { $step: 0 });
  return [outputs["loss"]![0]!, ...(await session.read("w"))];
}

describe.skipIf(device === undefined)(`a session on WebGPU${why}`, () => {
  afterAll(() => device?.dispose());

  test("trains, evaluates and checkpoints as on the CPU", async () => {
    const made = regression();
    const cpu = await openSession(made.program, made.wasm, { threads: 1, seed: 5 });
    const gpu = await openGpu(made, { seed: 5 });
    expect(await gpu.snapshot(["w"])).toEqual(new Map(cpu.snapshot(["w"])));
    const curve = async (
      session: Executor,
    ): Promise<{ losses: number[]; held: number[]; saved: number[][] }> => {
      const [losses, held, saved]: [number[], number[], number[][]] = [[], [], []];
      await train(session, dataOf, {
        recipe: { evaluateEvery: 10, checkpointEvery: 20 },
        onStep: ({ metrics, norm, rate }) => losses.push(metrics["loss"]!, norm, rate),
        onEvaluation: ({ metrics }) => held.push(metrics["loss"]!),
        save: async () => {
          const values = await session.snapshot(["w", "m.w"]);
          saved.push([...values.get("w")!, ...values.get("m.w")!]);
        },
      });
      return { losses, held, saved };
    };
    const [wanted, actual] = [await curve(cpu), await curve(gpu)];
    for (const key of ["losses", "held"] as const) {
      expect(actual[key]).toHaveLength(wanted[key].length);
      actual[key].forEach((value, at) => expect(value).toBeCloseTo(wanted[key][at]!, 4));
    }
    expect(wanted.losses.at(-3)).toBeLessThan(wanted.losses[0]!);
    expect(actual.saved.length).toBe(wanted.saved.length);
    actual.saved.flat().forEach((value, at) => expect(value).toBeCloseTo(wanted.saved.flat()[at]!, 4));
    // Again from the start, the same bits.
    gpu.initialise();
    for (const name of ["m.w", "grad.w"]) gpu.clear(name);
    expect(await curve(gpu)).toEqual(actual);
    cpu.dispose();
    gpu.dispose();
  });

  test("other sizes, outputs that were asked for, inputs that do not fit", async () => {
    const gpu = await openGpu(regression(), { seed: 5 });
    const { x, y } = rows(3, 1, 4).batch(0);
    const at = gpu.bind({ B: 3 });
    const all = await at.run("evaluate", { x, y });
    expect(Object.keys(all)).toEqual(["loss"]);
    expect(await at.run("evaluate", { x, y }, { outputs: [] })).toEqual({});
    // Two at once, at different sizes: each has its own answer.
    const other = rows(8, 1, 6).batch(0);
    const [one, two] = await Promise.all([at.run("evaluate", { x, y }), gpu.run("evaluate", other)]);
    expect(one).toEqual(all);
    expect(two).toEqual(await gpu.run("evaluate", other));
    expect(await errorOf(() => gpu.run("evaluate", { x, y }))).toMatch(/^R0504 .*has 12 elements, not 32/);
    expect(await errorOf(() => gpu.run("forward", {}))).toMatch(/^R0505 the model has no `forward`/);
    expect(await errorOf(() => gpu.read("v"))).toMatch(/^R0505 the model has no tensor `v`/);
    expect(await errorOf(() => gpu.write("w", [1]))).toMatch(/^R0505 .*has 4 elements, not 1/);
    expect(await errorOf(() => gpu.bind({ B: 0 }))).toMatch(/^R0506 /);
    gpu.dispose();
  });

  test("generates the text that the CPU generates", async () => {
    const made = speaker();
    const cpu = await openSession(made.program, made.wasm, { threads: 1, seed: 2 });
    const gpu = await openGpu(made, { seed: 2 });
    const text = async (session: Executor): Promise<number[]> => {
      const ids: number[] = [];
      for await (const id of generate(session, { prompt: [1, 2, 3], tokens: 40, seed: 4 })) ids.push(id);
      return ids;
    };
    expect(await text(gpu)).toEqual(await text(cpu));
    cpu.dispose();
    gpu.dispose();
  });

  test("a chain of values that share memory", async () => {
    const made = blur(5, 2000);
    const cpu = await openSession(made.program, made.wasm, { threads: 1 });
    const gpu = await openGpu(made);
    const x = Float32Array.from({ length: 2000 }, (_, at) => Math.sin(at * at));
    const wanted = cpu.run("forward", { x })["y"]!;
    (await gpu.run("forward", { x }))["y"]!.forEach((value, at) => expect(value).toBeCloseTo(wanted[at]!, 5));
    const layout = layoutGpu(
      gpu.program,
      gpu.program.entries["forward"]!,
      {},
      { alignment: 256, buffer: 1e9 },
    );
    expect(layout.pools.length).toBeLessThanOrEqual(3);
    cpu.dispose();
    gpu.dispose();
  });

  test("a step that goes wrong is diagnosed", async () => {
    const gpu = await openGpu(regression(), { seed: 5 });
    gpu.write("w", [1, NaN, 1, 1]);
    expect(await errorOf(() => train(gpu, data as never))).toMatch(
      /^R0301 step 1 went wrong: its loss is NaN: `w` was NaN before it/,
    );
    const broken = await openGpu(regression(), { seed: 5 });
    const { batch } = data.train;
    const infinite = (index: number) => ({ ...batch(index), y: batch(index).y.map(() => 3e38) });
    expect(
      await errorOf(() => train(broken, { ...data, train: { ...data.train, batch: infinite } } as never)),
    ).toMatch(
      /^R0301 step 1 went wrong: its loss is Infinity: the first value that is infinite comes out of `gradient of w`/,
    );
    gpu.dispose();
    broken.dispose();
  });

  test("takes the memory that was planned", async () => {
    for (const made of [regression(), blur(7, 5000), speaker()]) {
      const gpu = await openGpu(made);
      for (const entry of gpu.entries) await gpu.prepare(entry);
      const { total } = gpuMemoryPlan(gpu.program, gpu.entries);
      // Besides: the few numbers that a kernel's launch tells it.
      expect(gpu.bytes - total).toBeGreaterThanOrEqual(0);
      expect(gpu.bytes - total).toBeLessThanOrEqual(64);
      gpu.dispose();
    }
  });

  test("measures dispatches", async () => {
    const gpu = await openGpu(regression(), { profile: true });
    await gpu.run("evaluate", rows(8, 1, 6).batch(0));
    await gpu.run("evaluate", rows(8, 1, 7).batch(0));
    const clock = device!.gpu.features.has("timestamp-query");
    expect(gpu.timings().map(({ label, runs }) => [label, runs])).toEqual(
      clock
        ? [
            ["prediction", 2],
            ["mean square", 2],
          ]
        : [],
    );
    for (const { milliseconds } of gpu.timings()) expect(milliseconds).toBeGreaterThanOrEqual(0);
    gpu.dispose();
  });

  test("a kernel that the device refuses is named, with what it does", async () => {
    const { program, shaders } = forGpu(regression());
    const broken = shaders.map((text) => text.replace("@compute", "@compile"));
    const session = await openWebGpu(program, broken, { device: device! });
    const refused = /^R0606 .* refuses the kernel error \(`prediction`\): line \d+: .*\(use the CPU/s;
    expect(await errorOf(() => session.prepare("evaluate"))).toMatch(refused);
    expect(await errorOf(() => session.run("evaluate", rows(8, 1, 6).batch(0)))).toMatch(refused);
    session.dispose();
  });

  test("what the device refuses of a run is named: the kernel and its line", async () => {
    const { program, shaders } = forGpu(regression());
    const placed = Object.fromEntries(
      Object.entries(program.entries).map(([name, entry]) => [
        name,
        {
          ...entry,
          dispatches: entry.dispatches.map((one, at) => ({ ...one, place: `regression.moe:${7 + at}` })),
        },
      ]),
    );
    // One group of bindings lacks its last one.
    const refusing = watched(device!, (key, [about]) => {
      if (key !== "createBindGroup") return undefined;
      const group = about as GPUBindGroupDescriptor;
      if (group.label !== "mean square") return undefined;
      return device!.gpu.createBindGroup({ ...group, entries: [...group.entries].slice(1) });
    });
    const session = await openWebGpu({ ...program, entries: placed }, shaders, { device: refusing });
    const run = (): Promise<string> => errorOf(() => session.run("evaluate", rows(8, 1, 6).batch(0)));
    const refused =
      /^R0606 .* refuses what it is given for the kernel \w+ \(`mean square` at regression\.moe:8\): .*\(use the CPU/s;
    expect(await run()).toMatch(refused);
    expect(await run()).toMatch(refused);
    session.dispose();
    const broken = shaders.map((text) => text.replace("@compute", "@compile"));
    const other = await openWebGpu({ ...program, entries: placed }, broken, { device: device! });
    expect(await errorOf(() => other.prepare("evaluate"))).toMatch(
      /\(`prediction` at regression\.moe:7\): line/,
    );
    other.dispose();
  });

  test("shaders are compiled at an entry's first use, each once; a run is one submission", async () => {
    const made: string[] = [];
    let commands = 0;
    const session = await openGpu(regression(), {
      device: watched(device!, (key, [about]) => {
        if (key === "createComputePipelineAsync") made.push((about as { label: string }).label);
        if (key === "createCommandEncoder") commands++;
      }),
    });
    const kernelsOf = (entry: string): string[] =>
      [...new Set(session.program.entries[entry]!.dispatches.map(({ kernel }) => kernel))].map(
        (number) => session.program.kernels[number]!.name,
      );
    expect(made).toEqual([]);
    const batch = rows(8, 1, 6).batch(0);
    await Promise.all([session.run("evaluate", batch), session.prepare("evaluate")]);
    expect(made).toEqual(kernelsOf("evaluate"));
    await session.bind({ B: 3 }).run("evaluate", rows(3, 1, 6).batch(0));
    expect(made).toEqual(kernelsOf("evaluate"));
    await session.run("train", batch);
    expect(made).toEqual([...new Set([...kernelsOf("evaluate"), ...kernelsOf("train")])]);
    commands = 0;
    for (let run = 0; run < 3; run++) await session.run("train", batch);
    expect(commands).toBe(3);
    session.dispose();
  });

  test("what is larger than the device gives is refused before anything runs", async () => {
    const much = constant(2 ** 40);
    const { program, kernels } = plan(
      [
        {
          name: "forward",
          inputs: [],
          outputs: [{ name: "y", type: "f32", shape: [constant(1)] }],
          dispatches: [
            {
              kernel: kernel({ buffers: [buffer("a", "write", much)], body: [store("a", workgroup, f(1))] }),
              buffers: [{ kind: "temporary", label: "huge", type: "f32", length: much }],
              label: "a huge value",
            },
            {
              kernel: kernel({ buffers: [buffer("y", "write", 1)], body: [store("y", workgroup, f(1))] }),
              buffers: [{ kind: "output", name: "y" }],
              label: "one",
            },
          ],
          refusals: [],
        },
      ],
      { name: "Huge", sizes: [], tensors: [], modalities: [], routers: [] },
      "webgpu",
    );
    const session = await openWebGpu(
      program,
      kernels.map((each) => printWgsl(each)),
      { device: device! },
    );
    expect(await errorOf(() => session.run("forward", {}))).toMatch(
      /^R0604 `huge`, which `a huge value` makes, needs 4398046\.5 MB in one piece/,
    );
    session.dispose();
  });

  test("what does not fit is refused, and everything else goes on", async () => {
    let full = false;
    const narrow = watched(device!, (key) =>
      key === "popErrorScope" && full ? Promise.resolve({ message: "out of memory" }) : undefined,
    );
    const session = await openGpu(regression(), { seed: 5, device: narrow });
    const small = rows(8, 1, 6).batch(0);
    const before = await session.run("evaluate", small);
    const wide = session.bind({ B: 5000 });
    full = true;
    expect(await errorOf(() => wide.run("evaluate", rows(5000, 1, 6).batch(0)))).toMatch(
      /^R0603 .* has not enough memory for the values of `evaluate` \(\d+ kB\), most of them for `prediction`/,
    );
    full = false;
    expect(await session.run("evaluate", small)).toEqual(before);
    expect(Object.keys(await wide.run("evaluate", rows(5000, 1, 6).batch(0)))).toEqual(["loss"]);
    expect(await session.run("evaluate", small)).toEqual(before);
    session.dispose();
  });

  test("two on one device do not disturb each other, even when one is disposed in the middle", async () => {
    const alone = await openGpu(regression(), { seed: 5 });
    const wanted = await step(alone);
    alone.dispose();
    const [one, two] = [await openGpu(regression(), { seed: 5 }), await openGpu(regression(), { seed: 5 })];
    const [first, second] = [step(one), step(two)];
    one.dispose();
    expect(await errorOf(() => first)).toMatch(
      /^R0509 the model Regression was disposed \(call `dispose` last/,
    );
    expect(await second).toEqual(wanted);
    two.dispose();
    // With a device of its own, which goes at the same time, after the step was submitted.
    const { program, shaders } = forGpu(regression());
    const own = await openWebGpu(program, shaders);
    const batch = rows(8, 1, 6).batch(0);
    await own.run("evaluate", batch);
    const running = own.run("evaluate", batch);
    await Promise.resolve();
    own.dispose();
    expect(await errorOf(() => running)).toMatch(/^R0509 the (model|device) .* was disposed/);
  });

  test("runs are done in the order in which they were begun", async () => {
    const curve = async (waits: boolean): Promise<number[]> => {
      const session = await openGpu(regression(), { seed: 5 });
      const batch = rows(8, 1, 6).batch(0);
      await session.prepare("update");
      // `train` is not ready yet, and `update` is.
      const first = session.run("train", batch);
      if (waits) await first;
      const second = session.run("update", { $step: 0 });
      const values = [...(await session.read("w"))];
      await Promise.all([first, second]);
      session.dispose();
      return values;
    };
    expect(await curve(false)).toEqual(await curve(true));
  });

  test("a device that is lost in the middle of training leaves the last checkpoint whole", async () => {
    const folder = mkdtempSync(join(tmpdir(), "moe-lost-"));
    try {
      const made = regression();
      const whole = await openGpu(made, { seed: 5 });
      await train(whole, dataOf);
      const wanted = await whole.read("w");
      whole.dispose();

      const own = await openDevice();
      const broken = await openGpu(made, { seed: 5, device: own });
      const onStep = ({ step }: { readonly step: number }): void => {
        if (step === 27) own.gpu.destroy();
      };
      expect(await errorOf(() => trainInFolder(broken, dataOf, folder, { onStep }))).toMatch(
        /^R0605 the connection to .* is lost: .*start again from the last checkpoint/,
      );
      broken.dispose();

      const again = await openGpu(made, { seed: 5, initialise: false });
      const steps: number[] = [];
      await trainInFolder(again, dataOf, folder, { resume: true, onStep: ({ step }) => steps.push(step) });
      expect(steps[0]).toBe(21);
      expect(await again.read("w")).toEqual(wanted);
      again.dispose();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("a lost device is one message", async () => {
    const own: Device = await openDevice();
    const gpu = await openGpu(regression(), { device: own });
    own.gpu.destroy();
    await own.gpu.lost;
    await Promise.resolve();
    expect(await errorOf(() => gpu.run("evaluate", rows(8, 1, 6).batch(0)))).toMatch(
      /^R0605 the connection to .* is lost: .*start again from the last checkpoint/,
    );
  });
});

test("a program for another device is refused", async () => {
  const made = regression();
  expect(await errorOf(() => openWebGpu(made.program, []))).toBe(
    "R0607 the model Regression was built for the CPU, not for WebGPU (build it with `--target webgpu`)",
  );
  expect(await errorOf(() => openSession(forGpu(made).program, made.wasm))).toBe(
    "R0607 the model Regression was built for WebGPU, not for the CPU (build it with `--target wasm`)",
  );
});
