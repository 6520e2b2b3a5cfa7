// The example of a page: built by Vite against the package as users get it, opened in Chromium, trained on the CPU and by WebGPU
// until it has learned something, although the GPU is lost in the middle, and left to write. The book is cut down, and the model to one routed layer without attention:
// SwiftShader takes up to a second for each kernel.

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Browser, Page } from "playwright-core";
import { build, preview, type PreviewServer } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumPath, openPage, startBrowser } from "./helpers/browser.ts";
import { compileProject, installRuntime, linkPackages, temporaryFolder } from "./helpers/package.ts";

const root = resolve(import.meta.dirname, "..");
const folder = temporaryFolder("page");
const example = join(folder, "browser");

let server: PreviewServer;
let address: string;
const browsers: Browser[] = [];

beforeAll(async () => {
  cpSync(join(root, "examples/browser"), example, {
    recursive: true,
    filter: (path) => !/\/(node_modules|dist)$/.test(path),
  });
  mkdirSync(join(folder, "book/corpus"), { recursive: true });
  const book = readFileSync(join(root, "examples/book/corpus/moby-dick.txt"), "utf8");
  writeFileSync(join(folder, "book/corpus/moby-dick.txt"), book.slice(30_000, 60_000));
  const whole = readFileSync(join(example, "story.moe"), "utf8");
  const small = whole
    .replace("dim D = 64", "dim D = 16")
    .replace("repeat 2", "repeat 1")
    .replace(/import std.attention.*\n/, "")
    .replace(/.*CausalAttention.*\n/, "")
    .replace(/batch .*/, "batch 2 of 16")
    .replace(/steps .*/, "steps 11");
  expect(small).not.toContain("Attention");
  const worker = join(example, "src/trainer.worker.ts");
  const text = readFileSync(worker, "utf8");
  expect(text).toContain("tokens: 160,");
  writeFileSync(worker, text.replace("tokens: 160,", "tokens: 48,"));
  writeFileSync(join(example, "story.moe"), small);
  await installRuntime(example, ["vite"]);
  linkPackages(example, ["uplot", "vite"]);
  const quiet = { root: example, configFile: join(example, "vite.config.ts"), logLevel: "error" } as const;
  await build(quiet);
  server = await preview({ ...quiet, preview: { port: 0, host: "127.0.0.1" } });
  address = server.resolvedUrls!.local[0]!;
}, 180_000);
afterAll(async () => {
  await Promise.all(browsers.map((browser) => browser.close()));
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

test("has no type errors", () => {
  expect(compileProject(example)).toEqual([]);
});

/** The worker's first device is destroyed when so many things have been asked of it. */
async function loseGpuOnce(page: Page): Promise<void> {
  await page.route("**/trainer.worker-*.js", async (route) => {
    const answer = await route.fetch();
    const taken = `let device, left = 9;
      const { requestDevice } = GPUAdapter.prototype, { submit } = GPUQueue.prototype;
      GPUAdapter.prototype.requestDevice = async function (...asked) {
        const given = await requestDevice.apply(this, asked);
        device ??= given;
        return given;
      };
      GPUQueue.prototype.submit = function (...commands) {
        submit.apply(this, commands);
        if (--left === 0) device.destroy();
      };`;
    await route.fulfill({ response: answer, body: `${taken}\n${await answer.text()}` });
  });
}

describe.skipIf(chromiumPath === undefined)("in Chromium", () => {
  const runs = [
    { device: "cpu", webgpu: false, where: /CPU, \d threads?/, told: /^$/ },
    // The GPU is taken away in the fourth step: the page goes on from what it kept.
    { device: "webgpu", webgpu: true, where: /swiftshader/i, told: /is lost: .*goes on after step 1\.$/ },
    // No WebGPU in this browser: the page falls back.
    { device: "auto", webgpu: false, where: /CPU, \d threads?/, told: /^$/ },
  ];
  test.each(runs)(
    "$device, WebGPU there: $webgpu",
    async ({ device, webgpu, where, told }) => {
      const browser = await startBrowser({ webgpu });
      browsers.push(browser);
      const page = await openPage(browser, address);
      if (webgpu) await loseGpuOnce(page);
      await page.selectOption("#device", device);
      await page.fill("#prompt", "the ");
      await page.click("#start");
      await page.waitForFunction(
        () => /^(Done|Stopped)/.test(document.getElementById("state")!.textContent ?? ""),
        undefined,
        { timeout: 240_000 },
      );
      const text = (id: string): Promise<string> => page.textContent(`#${id}`).then((found) => found ?? "");
      expect(await text("problem")).toMatch(told);
      expect(await text("state")).toMatch(where);
      expect(await text("step")).toBe("11");
      const loss = Number(await text("loss"));
      expect(loss).toBeGreaterThan(1);
      expect(loss).toBeLessThan(Math.log(256) - 0.1);
      expect((await text("text")).length).toBeGreaterThan(40);
      expect(await page.locator("#routers canvas").count()).toBe(1);
      const drawn = await page
        .locator("#routers canvas")
        .evaluate((canvas: HTMLCanvasElement) => [canvas.width, canvas.height]);
      expect(drawn).toEqual([2, 8]);
    },
    300_000,
  );

  test("WebGPU where there is none: one message, and the page can go on", async () => {
    const browser = await startBrowser();
    browsers.push(browser);
    const page = await openPage(browser, address);
    await page.selectOption("#device", "webgpu");
    await page.click("#start");
    await page.waitForSelector("#problem:not([hidden])", { timeout: 60_000 });
    expect(await page.textContent("#problem")).toMatch(/WebGPU.*\. .* or run on the CPU\.$/);
    expect(await page.textContent("#start")).toBe("Train");
  }, 90_000);
});
