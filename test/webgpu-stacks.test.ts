// Stacks of experts in parts, on a device: the same programs with a limit that makes them long train to what they train to on the
// CPU, and tensors are read and written whole. Skipped where there is no device, but not in continuous integration.

import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../compiler/compile.ts";
import { openSession } from "../runtime/session.ts";
import { openWebGpu } from "../runtime/webgpu/open.ts";
import { hostOf } from "./helpers/elaborate.ts";
import { longStacks } from "./helpers/long-stacks.ts";
import { findDevice } from "./helpers/webgpu.ts";

const found = await findDevice({ dawn: ["enable-dawn-features=disable_robustness"] });
const device = typeof found === "string" ? undefined : found;
/** For the title of what is skipped. */
const why = typeof found === "string" ? ` (skipped: ${found})` : "";

describe.skipIf(device === undefined)(`stacks in parts on WebGPU${why}`, () => {
  afterAll(() => device?.dispose());

  test("a clipped step of adamw is that of the CPU", { timeout: 900_000 }, async () => {
    const { text, binding } = longStacks(48)[1]!;
    const sizes = { B: 2 };
    const request = { host: hostOf({ "main.moe": text }), path: "main.moe" } as const;
    const onCpu = compile(request).compiled!;
    const onGpu = compile({ ...request, target: "webgpu", binding }).compiled!;
    const cpu = await openSession(onCpu.program, onCpu.wasm, { threads: 1, seed: 3, sizes });
    // The device gives no more in one piece than was planned for.
    const gpu = device!.gpu;
    const limits = new Proxy(gpu.limits, {
      get: (target, key) =>
        key === "maxStorageBufferBindingSize" ? binding : (Reflect.get(target, key) as unknown),
    });
    const narrow = new Proxy(gpu, {
      get: (target, key) => {
        if (key === "limits") return limits;
        const value: unknown = Reflect.get(target, key);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    const session = await openWebGpu(onGpu.program, onGpu.shaders, {
      device: { ...device!, gpu: narrow },
      seed: 3,
      sizes,
    });
    const names = cpu.tensors().map(({ name }) => name);
    expect(await session.snapshot(names)).toEqual(new Map(cpu.snapshot(names)));
    const x = Float32Array.from({ length: 2 * 8 }, (_, at) => Math.sin(at * 1.7));
    const y = Int32Array.of(0, 2);
    for (const executor of [cpu, session])
      for (const step of [0, 1]) {
        await executor.run("train", { x, y });
        await executor.run("update", { $step: step });
      }
    const trained = await session.snapshot(names);
    for (const name of names) {
      const [wanted, actual] = [cpu.read(name), trained.get(name)!];
      wanted.forEach((value, at) => expect(actual[at], `${name}[${at}]`).toBeCloseTo(value, 4));
    }
    const matrix = "experts.routed.gate";
    expect(cpu.read(matrix)).not.toEqual(Float32Array.from(cpu.read(matrix)).fill(0));
    session.clear(matrix);
    expect(await session.read(matrix)).toEqual(new Float32Array(6 * 8 * 48));
    session.write(matrix, cpu.read(matrix));
    expect(await session.read(matrix)).toEqual(cpu.read(matrix));
    // In one piece it is refused.
    const whole = compile({ ...request, target: "webgpu" }).compiled!;
    await expect(
      openWebGpu(whole.program, whole.shaders, { device: { ...device!, gpu: narrow } }),
    ).rejects.toMatchObject({ code: "R0604" });
    session.dispose();
    cpu.dispose();
  });
});
