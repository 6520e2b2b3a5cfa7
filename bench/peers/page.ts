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

export async function startPage(script: string, folder: string, capacity: unknown): Promise<Peer> {
  if (chromiumPath === undefined) throw new Error("there is no Chromium on this machine");
  const { outputFiles } = await build({
    entryPoints: [script],
    bundle: true,
    format: "esm",
    platform: "browser",
    target: "es2022",
    write: false,
    logLevel: "silent",
  });
  const text = outputFiles[0]!.text;
  const server = createServer(({ url }, response) => {
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    const file = url === "/manifest.json" || url === "/data.bin" ? join(folder, url) : undefined;
    if (file !== undefined && existsSync(file)) return void createReadStream(file).pipe(response);
    response.setHeader("Content-Type", url === "/script.js" ? "text/javascript" : "text/html");
    response.end(
      url === "/script.js" ? text : `<!doctype html><script type="module" src="/script.js"></script>`,
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await startBrowser();
  const stop = async (): Promise<void> => {
    await browser.close();
    server.closeAllConnections();
    server.close();
  };
  try {
    const page = await browser.newPage();
    await page.addInitScript("Object.defineProperty(navigator, 'hardwareConcurrency', { get: () => 2 })");
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { waitUntil: "load" });
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
