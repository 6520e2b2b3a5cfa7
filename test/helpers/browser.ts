// A real browser for tests: a bundle of the project served to a page of headless Chromium. In: the text of a page's module.
// Out: a page in which it has run. Where there is no Chromium, `chromiumPath` is undefined and tests say so.

import { existsSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium, type Browser, type Page } from "playwright-core";
import { driverZeroes } from "./swiftshader.ts";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
export const chromiumPath: string | undefined = places.find((path) => existsSync(path));

/** Nothing that talks to the network, nothing that asks. Playwright gives each browser an empty folder for its data. */
const args = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** With WebGPU over SwiftShader, which needs no GPU, or without. */
const withWebGpu = [
  ...args.filter((arg) => arg !== "--disable-gpu"),
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  `--disable-dawn-features=${driverZeroes}`,
];

/** With WebGPU over whatever adapter the browser finds: a GPU where there is one. */
const withAnyAdapter = [
  ...args.filter((arg) => arg !== "--disable-gpu"),
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
];

/** `webgpu`: true for SwiftShader, `any` for the machine's own adapter. */
export const startBrowser = (options: { readonly webgpu?: boolean | "any" } = {}): Promise<Browser> => {
  const { webgpu = false } = options;
  return chromium.launch({
    executablePath: chromiumPath!,
    args: webgpu === "any" ? withAnyAdapter : webgpu ? withWebGpu : args,
    timeout: 60_000,
  });
};

/** One script for a page. Fails when the text imports anything that only Node has. */
export async function bundle(text: string): Promise<string> {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const { outputFiles } = await build({
    stdin: { contents: text, resolveDir: root, loader: "ts" },
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}

/** How a page is served: with memory that can be shared; the same but without workers; as most sites are. */
export type Place = "isolated" | "workerless" | "plain";

/** Serves `script` in a page for each place. */
export async function serve(script: string): Promise<{ readonly url: string; close(): void }> {
  const server: Server = createServer(({ url }, response) => {
    if (url === "/workerless") response.setHeader("Content-Security-Policy", "worker-src 'none'");
    if (url === "/isolated" || url === "/workerless") {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    const isScript = url === "/script.js";
    response.statusCode = isScript || ["/isolated", "/workerless", "/plain"].includes(url ?? "") ? 200 : 404;
    response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
    response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
    response.end(isScript ? script : `<!doctype html><script type="module" src="/script.js"></script>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A page whose script has run. What it throws outside of calls is thrown here. */
export async function openPage(browser: Browser, address: string): Promise<Page> {
  const page = await browser.newPage();
  const errors: Error[] = [];
  page.on("pageerror", (error) => errors.push(error));
  await page.goto(address, { waitUntil: "load" });
  if (errors.length > 0) throw errors[0]!;
  return page;
}

/** A page in which a module has run, in a browser of its own. In: the module's text. */
export async function pageWith(
  text: string,
  options: Parameters<typeof startBrowser>[0] = {},
): Promise<{ readonly page: Page; close(): Promise<void> }> {
  const served = await serve(await bundle(text));
  const browser = await startBrowser(options);
  return {
    page: await openPage(browser, `${served.url}/plain`),
    async close() {
      await browser.close();
      served.close();
    },
  };
}
