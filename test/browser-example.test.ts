// The example of a page: built by Vite against the package as users get it, opened in Chromium, trained on the CPU and by WebGPU
// until it has learned something, and left to write. The book is cut down, and the model to one routed layer without attention:
// SwiftShader takes up to a second for each kernel.

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Browser } from "playwright-core";
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
    .replace(/steps .*/, "steps 12");
  expect(small).not.toContain("Attention");
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

describe.skipIf(chromiumPath === undefined)("in Chromium", () => {
  const runs = [
    { device: "cpu", webgpu: false, where: /CPU, \d threads?/ },
    { device: "webgpu", webgpu: true, where: /swiftshader/i },
    // No WebGPU in this browser: the page falls back.
    { device: "auto", webgpu: false, where: /CPU, \d threads?/ },
  ];
  test.each(runs)(
    "$device, WebGPU there: $webgpu",
    async ({ device, webgpu, where }) => {
      const browser = await startBrowser({ webgpu });
      browsers.push(browser);
      const page = await openPage(browser, address);
      await page.selectOption("#device", device);
      await page.fill("#prompt", "the ");
      await page.click("#start");
      await page.waitForFunction(
        () => /^(Done|Stopped)/.test(document.getElementById("state")!.textContent ?? ""),
        undefined,
        { timeout: 240_000 },
      );
      const text = (id: string): Promise<string> => page.textContent(`#${id}`).then((found) => found ?? "");
      expect(await text("problem")).toBe("");
      expect(await text("state")).toMatch(where);
      expect(await text("step")).toBe("12");
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
    expect(await page.textContent("#problem")).toMatch(/WebGPU/);
    expect(await page.textContent("#start")).toBe("Train");
  }, 90_000);
});
