// A peer in a page of headless Chromium, isolated, so that it may use threads. In: its script and the folder of the exchange.
// Out: the same as a peer in a process. Throws where there is no Chromium.

import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { build } from "esbuild";
import { chromiumPath, startBrowser } from "../../test/helpers/browser.ts";
import type { Peer } from "./process.ts";

type Ask = (request: Readonly<Record<string, unknown>>) => Promise<Readonly<Record<string, unknown>>>;
declare global {
  var startPeer: (capacity: unknown) => Promise<Readonly<Record<string, unknown>>>;
  var askPeer: Ask;
}

/** One module for a page, of a script and all that it imports. */
export async function bundled(script: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [script],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "silent",
  });
  return outputFiles[0]!.text;
}

export interface Serving {
  /** Modules by address; the page runs `/script.js`. */
  readonly scripts: Readonly<Record<string, string>>;
  /** The file of an address. */
  readonly file: (url: string) => string | undefined;
}

/** Serves an isolated page. */
export async function serveIsolated({ scripts, file }: Serving): Promise<{ url: string; close(): void }> {
  const server = createServer(({ url = "/" }, response) => {
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    const script = scripts[url];
    const path = file(url);
    if (script === undefined && path !== undefined && existsSync(path)) {
      if (path.endsWith(".wasm")) response.setHeader("Content-Type", "application/wasm");
      if (path.endsWith(".mjs")) response.setHeader("Content-Type", "text/javascript");
      return void createReadStream(path).pipe(response);
    }
    response.setHeader("Content-Type", script === undefined ? "text/html" : "text/javascript");
    response.end(script ?? `<!doctype html><script type="module" src="/script.js"></script>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

export async function startPage(script: string, folder: string, capacity: unknown): Promise<Peer> {
  if (chromiumPath === undefined) throw new Error("there is no Chromium on this machine");
  const { url, close } = await serveIsolated({
    scripts: { "/script.js": await bundled(script) },
    file: (address) =>
      address === "/manifest.json" || address === "/data.bin" ? join(folder, address) : undefined,
  });
  const browser = await startBrowser();
  const stop = async (): Promise<void> => {
    await browser.close();
    close();
  };
  try {
    const page = await browser.newPage();
    await page.addInitScript("Object.defineProperty(navigator, 'hardwareConcurrency', { get: () => 2 })");
    await page.goto(url, { waitUntil: "load" });
    const hello = await page.evaluate((given) => globalThis.startPeer(given), capacity);
    return {
      hello: { ...hello, browser: `Chromium ${browser.version()}` },
      ask: (request) => page.evaluate((given) => globalThis.askPeer(given), request),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
