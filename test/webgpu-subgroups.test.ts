// Subgroups: builds hold a second text for the kernels that combine values of a workgroup, and a session takes the one that its device
// can do. SwiftShader has subgroups of four; a device that was not asked for them stands for one that has none.
// Skipped where there is no device, but not in continuous integration.

import { afterAll, describe, expect, test } from "vitest";
import { compile } from "../compiler/compile.ts";
import { printShader, printWgsl } from "../compiler/wgsl/print.ts";
import type { Shader } from "../runtime/artifact.ts";
import type { Device } from "../runtime/webgpu/device.ts";
import { openDevice, openWebGpu } from "../runtime/webgpu/open.ts";
import { plainText, textFor } from "../runtime/webgpu/shader.ts";
import { expectAlikeOnDevice } from "./helpers/device-programs.ts";
import { hostOf } from "./helpers/elaborate.ts";
import { buffer, f, kernel, load, local, store } from "./helpers/kernels.ts";
import { findDevice } from "./helpers/webgpu.ts";

const found = await findDevice();
const device = typeof found === "string" ? undefined : found;
/** For the title of what is skipped. */
const why = typeof found === "string" ? ` (skipped: ${found})` : "";

const compiledFor = (text: string) =>
  compile({ host: hostOf({ "main.moe": text }), path: "main.moe", target: "webgpu" }).compiled!;

/** Sums, largest numbers, and a normalisation; no contraction, which SwiftShader takes long to compile. */
const rows = `
model Rows {
  modality x = features(70)
  modality y = features(70)
  param gain: [70] = 1
  scaled = x * gain / sqrt(mean(square(x)) + 1e-6)
  logits = softmax(scaled)
  loss mean(square(logits - y))
}
train Rows {
  data x = csv("data.csv", "x")
  data y = csv("data.csv", "y")
  batch 3
  optimizer sgd { rate = 0.1 }
  steps 1
}`;

/** As most models are: nearly all of it is contractions. */
const layer = `
import std.experts { SwiGLU }
import std.routers { TopK }

model Layer {
  modality x = features(16)
  y = (SwiGLU(16, 24) * 4)(x) by TopK { k = 2 }
  loss mean(square(y))
  y
}
train Layer {
  data x = csv("data.csv", "x")
  batch 4
  optimizer adamw { rate = 0.1 }
  steps 1
}`;

test("a second text where subgroups make one, and only there", () => {
  const { shaders } = compiledFor(layer);
  const two = shaders.filter((shader) => typeof shader !== "string");
  expect(two.length).toBeGreaterThan(0);
  expect(two.length).toBeLessThan(shaders.length / 2);
  for (const shader of shaders) {
    expect(plainText(shader)).not.toContain("subgroup");
    expect(textFor(shader, false)).toBe(plainText(shader));
    expect(textFor(shader, true).includes("enable subgroups;")).toBe(typeof shader !== "string");
  }
  const bytes = (texts: readonly string[]): number => texts.join("").length;
  const all = shaders.flatMap((shader) => (typeof shader === "string" ? [shader] : Object.values(shader)));
  expect(bytes(all)).toBeLessThan(1.2 * bytes(shaders.map(plainText)));
});

test("one invocation has nobody to combine with", () => {
  const alone = kernel({
    buffers: [buffer("x", "read", 1), buffer("y", "write", 1)],
    workgroup: 1,
    body: [
      { op: "reduce", name: "all", fn: "add", value: load("x", { op: "literal", type: "i32", value: 0 }) },
      store("y", { op: "literal", type: "i32", value: 0 }, local("all", "f32")),
    ],
  });
  expect(printShader(alone)).toBe(printWgsl(alone));
  const team = {
    ...alone,
    workgroup: 8,
    body: [{ op: "reduce", name: "all", fn: "max", value: f(1) }],
  } as const;
  const shader = printShader(team);
  expect(shader).toMatchInlineSnapshot(`
    {
      "plain": "// test

    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;

    fn is_nan(x: f32) -> bool {
      return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
    }

    fn larger(a: f32, b: f32) -> f32 {
      return select(a, b, is_nan(a) | ((b > a) & !is_nan(b)));
    }

    var<workgroup> reduce_f32: array<f32, 8>;

    fn reduce_max_f32(value: f32, invocation: i32) -> f32 {
      let lane = u32(invocation);
      reduce_f32[lane] = value;
      workgroupBarrier();
      for (var left = 8u; left > 1u; ) {
        let half = (left + 1u) / 2u;
        if (lane + half < left) {
          reduce_f32[lane] = larger(reduce_f32[lane], reduce_f32[lane + half]);
        }
        left = half;
        workgroupBarrier();
      }
      return workgroupUniformLoad(&reduce_f32[0]);
    }

    @compute @workgroup_size(8)
    fn main(
      @builtin(workgroup_id) workgroup_id: vec3<u32>,
      @builtin(local_invocation_index) invocation_index: u32,
    ) {
      let workgroup = i32(workgroup_id.x);
      let invocation = i32(invocation_index);
      let all: f32 = reduce_max_f32(1.0, invocation);
    }
    ",
      "subgroups": "// test
    enable subgroups;

    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;

    fn is_nan(x: f32) -> bool {
      return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
    }

    fn larger(a: f32, b: f32) -> f32 {
      return select(a, b, is_nan(a) | ((b > a) & !is_nan(b)));
    }

    /// The bits as a number that is in order like x.
    fn order_of(x: f32) -> i32 {
      let bits = bitcast<i32>(x);
      return bits ^ bitcast<i32>(bitcast<u32>(bits >> 31u) >> 1u);
    }

    var<workgroup> reduce_f32: array<f32, 8>;

    fn reduce_max_f32(value: f32, invocation: i32) -> f32 {
      reduce_f32[invocation] = value;
      workgroupBarrier();
      let lanes = subgroupAdd(1);
      let lane = subgroupExclusiveAdd(1);
      var all = value;
      if (subgroupAny(invocation == 0)) {
        all = reduce_f32[lane];
        for (var at = lane + lanes; at < 8; at += lanes) {
          all = larger(all, reduce_f32[at]);
        }
      }
      let found = subgroupMax(select(order_of(all), i32(-2147483648), is_nan(all)));
      all = bitcast<f32>(found ^ ((found >> 31u) & 0x7fffffff));
      workgroupBarrier();
      if (invocation == 0) {
        reduce_f32[0] = all;
      }
      return workgroupUniformLoad(&reduce_f32[0]);
    }

    @compute @workgroup_size(8)
    fn main(
      @builtin(workgroup_id) workgroup_id: vec3<u32>,
      @builtin(local_invocation_index) invocation_index: u32,
    ) {
      let workgroup = i32(workgroup_id.x);
      let invocation = i32(invocation_index);
      let all: f32 = reduce_max_f32(1.0, invocation);
    }
    ",
    }
  `);
});

describe.skipIf(device === undefined)(`on WebGPU${why}`, () => {
  afterAll(() => device?.dispose());

  /** Whether any shader that a session on this device compiles has subgroups, and that its numbers are the CPU's. */
  async function usesSubgroups(on: Device, text: string): Promise<boolean> {
    let used = false;
    const gpu = new Proxy(on.gpu, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== "function") return value;
        return (...given: unknown[]): unknown => {
          if (key === "createShaderModule")
            used ||= (given[0] as { code: string }).code.includes("subgroups");
          return value.apply(target, given) as unknown;
        };
      },
    });
    const { program, shaders } = compiledFor(text);
    await expectAlikeOnDevice(
      text,
      (options) => openWebGpu(program, shaders, { ...options, device: { ...on, gpu } }),
      { sizes: { B: 3 } },
    );
    return used;
  }

  test("a session takes the text that its device can do", async () => {
    expect(await usesSubgroups(device!, rows)).toBe(device!.gpu.features.has("subgroups"));
    const without = await openDevice({ subgroups: false });
    try {
      expect(without.gpu.features.has("subgroups")).toBe(false);
      expect(await usesSubgroups(without, rows)).toBe(false);
    } finally {
      without.dispose();
    }
  }, 120_000);

  test("the same bits in every run", async () => {
    const { program, shaders } = compiledFor(rows);
    const run = async (list: readonly Shader[]): Promise<unknown> => {
      const session = await openWebGpu(program, list, { device: device!, sizes: { B: 3 }, seed: 2 });
      const x = Array.from({ length: 210 }, (_, at) => Math.sin(at * at));
      const { logits } = await session.run("forward", { x });
      session.dispose();
      return logits;
    };
    const first = await run(shaders);
    for (let again = 0; again < 3; again++) expect(await run(shaders)).toEqual(first);
  }, 120_000);
});
