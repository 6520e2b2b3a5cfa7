// The plug-in in Vite's development server and Chromium: a page imports a `.moe` file and runs it, takes a new model when the text
// changes, shows a mistake in Vite's overlay with the text and the place, and goes on when it is mended. A built page that trains in
// a worker needs no more than the plug-in in Vite's list.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import {
  build,
  createServer,
  preview,
  type InlineConfig,
  type PreviewServer,
  type ViteDevServer,
} from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plugin } from "../bundler/plugin.ts";
import { chromiumPath, startBrowser } from "./helpers/browser.ts";
import { installRuntime, linkPackages, temporaryFolder } from "./helpers/package.ts";

const app = temporaryFolder("bundler-page");
const write = (path: string, text: string): void => writeFileSync(join(app, path), text);
/** The kernel does not learn: `scale` is what a page shows of it. */
const model = (scale: number): string => `model Scaled {
  modality x = features(2)
  x * ${scale}
}
`;

beforeAll(async () => {
  mkdirSync(join(app, "src"));
  await installRuntime(app);
  linkPackages(app, ["vite"]);
  write("package.json", '{ "type": "module" }');
  write("src/scaled.moe", model(2));
  write(
    "index.html",
    '<!doctype html><title>page</title><p id="shown"></p><script type="module" src="/src/main.js"></script>',
  );
  write(
    "src/main.js",
    `import scaled from "./scaled.moe";

async function show(module) {
  const model = await module.load({ threads: 1 });
  const [output] = Object.values(await model.forward({ x: [[1, 10]] }));
  document.querySelector("#shown").textContent = Array.from(output.values).join(" ");
  model.dispose();
}
await show(scaled);
window.first ??= Date.now();
if (import.meta.hot) import.meta.hot.accept("./scaled.moe", (module) => show(module.default));
// A worker takes no hot update: in development it would load the page again.
if (!import.meta.hot)
  new Worker(new URL("./worker.js", import.meta.url), { type: "module" }).onmessage = ({ data }) => {
    document.title = data;
  };
`,
  );
  write(
    "src/worker.js",
    `import scaled from "./scaled.moe";
const model = await scaled.load({ threads: 1 });
const [output] = Object.values(await model.forward({ x: [[3, 5]] }));
postMessage(Array.from(output.values).join(" "));
`,
  );
}, 60_000);
afterAll(() => rmSync(app, { recursive: true, force: true }));

const config: InlineConfig = {
  root: app,
  configFile: false,
  logLevel: "silent",
  worker: { format: "es" },
  build: { target: "es2022" },
  optimizeDeps: { noDiscovery: true },
};

describe.skipIf(chromiumPath === undefined)("in Chromium", () => {
  let browser: Browser;
  let server: ViteDevServer | undefined;
  let built: PreviewServer | undefined;
  beforeAll(async () => {
    browser = await startBrowser();
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await server?.close();
    await built?.close();
  });

  const shows = (page: Page, text: string): Promise<unknown> =>
    page.waitForFunction((wanted) => document.querySelector("#shown")?.textContent === wanted, text, {
      timeout: 20_000,
    });

  test("hot update, and mistakes in the overlay", { timeout: 60_000 }, async () => {
    server = await createServer({
      ...config,
      plugins: [plugin.vite()],
      server: { port: 0, host: "127.0.0.1" },
    });
    await server.listen();
    const page = await browser.newPage();
    await page.goto(server.resolvedUrls!.local[0]!);
    await shows(page, "2 20");
    const first = await page.evaluate("window.first");
    write("src/scaled.moe", model(3));
    await shows(page, "3 30");
    // The page was not loaded again.
    expect(await page.evaluate("window.first")).toBe(first);
    expect(readFileSync(join(app, "src/scaled.d.moe.ts"), "utf8")).toContain("export interface Scaled");

    write("src/scaled.moe", model(3).replace("x * 3", "y * 3"));
    const overlay = page.locator("vite-error-overlay");
    await overlay.waitFor({ state: "attached", timeout: 20_000 });
    const told = (await overlay.evaluate((element) => element.shadowRoot!.textContent)) ?? "";
    expect(told).toContain("M0101: there is no `y` here");
    expect(told).toContain("scaled.moe:3:3");
    expect(told).toContain("y * 3");

    write("src/scaled.moe", model(4));
    await shows(page, "4 40");
    await page.close();
    write("src/scaled.moe", model(2));
  });

  test("a built page, with the model in a worker too", { timeout: 60_000 }, async () => {
    await build({ ...config, plugins: [plugin.vite()] });
    built = await preview({ ...config, preview: { port: 0, host: "127.0.0.1" } });
    const page = await browser.newPage();
    await page.goto(built.resolvedUrls!.local[0]!);
    await shows(page, "2 20");
    await page.waitForFunction(() => document.title === "6 10", undefined, { timeout: 20_000 });
    await page.close();
  });
});
