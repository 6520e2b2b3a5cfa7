// WebGPU in a real browser: a model that is compiled in the page gives what it gives on the CPU of the same page, and a loaded
// model goes to the GPU by itself where there is one. SwiftShader stands in for the GPU. Skipped where there is no Chromium, but
// not in continuous integration.

import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle, chromiumPath, openPage, serve, startBrowser } from "./helpers/browser.ts";
import { expectAlike } from "./helpers/differential.ts";
import type { loadAnywhere, runOnBoth } from "./helpers/page-webgpu.ts";

/** What the page's script leaves for the tests to call. */
declare global {
  var runOnBothInPage: typeof runOnBoth;
  var loadAnywhereInPage: typeof loadAnywhere;
}

const script = `import { loadAnywhere, runOnBoth } from "./test/helpers/page-webgpu.ts";
  globalThis.runOnBothInPage = runOnBoth;
  globalThis.loadAnywhereInPage = loadAnywhere;`;
const routed = readFileSync(new URL("./programs/pool-one.moe", import.meta.url), "utf8");

/** No contractions: SwiftShader compiles its kernels quickly. */
const small = `
model Small {
  modality x = features(4)
  modality y = features(4)
  param gain: [4] = 2
  logits = tanh(x * gain)
  loss mean(square(logits - y))
}
`;

test("there is a Chromium to test with, in continuous integration", () => {
  if (process.env["CI"] !== undefined) expect(chromiumPath).toBeDefined();
});

describe.skipIf(chromiumPath === undefined)("in Chromium", () => {
  async function inPage<T>(webgpu: boolean, use: (page: Page) => Promise<T>): Promise<T> {
    const browser = webgpu ? gpuBrowser : await startBrowser();
    const { url, close } = await serve(text);
    try {
      const page = await openPage(browser, `${url}/plain`);
      return await use(page);
    } finally {
      close();
      if (!webgpu) await browser.close();
    }
  }
  let gpuBrowser: Browser;
  let text: string;
  beforeAll(async () => {
    text = await bundle(script);
    gpuBrowser = await startBrowser({ webgpu: true });
  }, 90_000);
  afterAll(() => gpuBrowser?.close());

  test("a routed layer trains as on the CPU", async () => {
    const { where, cpu, gpu } = await inPage(true, (page) =>
      page.evaluate(([model, sizes]) => runOnBothInPage(model, sizes), [routed, { B: 6 }] as const),
    );
    expect(where[0]).toBe("CPU, 1 thread");
    expect(where[1]).not.toMatch(/CPU/);
    expect(Object.keys(gpu)).toEqual(Object.keys(cpu));
    expect(Object.keys(cpu).length).toBeGreaterThan(20);
    for (const [key, values] of Object.entries(cpu)) expectAlike(gpu[key]!, values, key, 3e-5);
  }, 300_000);

  test("a model is loaded onto the GPU where there is one, else onto the CPU", async () => {
    const x = [
      [0.5, -1, 0.25, 3],
      [0, 1, -2, 0.125],
    ];
    const load = (webgpu: boolean, device: "auto" | "cpu", software = false) =>
      inPage(webgpu, async (page) => {
        await page.evaluate((is) => {
          const info = (globalThis as { GPUAdapterInfo?: { prototype: object } }).GPUAdapterInfo;
          if (info !== undefined)
            Object.defineProperty(info.prototype, "isFallbackAdapter", { get: () => is });
        }, software);
        return page.evaluate(([model, on, rows]) => loadAnywhereInPage(model, on, rows), [
          small,
          device,
          x,
        ] as const);
      });
    const [gpu, cpu, without, slow] = [
      await load(true, "auto"),
      await load(true, "cpu"),
      await load(false, "auto"),
      await load(true, "auto", true),
    ];
    for (const { where } of [cpu, without, slow]) expect(where).toBe("CPU, 1 thread");
    expect(gpu.where).not.toBe("CPU, 1 thread");
    expect(without.logits).toEqual(cpu.logits);
    expectAlike(gpu.logits, cpu.logits, "logits", 1e-6);
  }, 90_000);
});
