// The project in a real browser: the runtime runs programs with the same bits as Node, with and without threads, and the
// compiler compiles in the page. Skipped where there is no Chromium, but not in continuous integration.

import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle, chromiumPath, openPage, serve, startBrowser, type Place } from "./helpers/browser.ts";
import { regression } from "./helpers/hand-written.ts";
import { compileAndTrain, complaints } from "./helpers/page-compile.ts";
import { toBase64, trainRegression, type Sent } from "./helpers/page-run.ts";

/** What the pages' scripts leave for the tests to call. */
declare global {
  var trainRegressionInPage: typeof trainRegression;
  var compileInPage: typeof compileAndTrain;
  var complaintsInPage: typeof complaints;
}

test("there is a Chromium to test with, in continuous integration", () => {
  if (process.env["CI"] !== undefined) expect(chromiumPath).toBeDefined();
});

describe.skipIf(chromiumPath === undefined)("in Chromium", () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser();
  }, 90_000);
  afterAll(() => browser?.close());

  /** A page of the script, served isolated or not, given to `use`. */
  async function inPage<T>(text: string, place: Place, use: (page: Page) => Promise<T>): Promise<T> {
    const { url, close } = await serve(await bundle(text));
    try {
      const page = await openPage(browser, `${url}/${place}`);
      const result = await use(page);
      await page.close();
      return result;
    } finally {
      close();
    }
  }

  describe("the runtime", () => {
    const script = `import { trainRegression } from "./test/helpers/page-run.ts";
      globalThis.trainRegressionInPage = trainRegression;`;
    const steps = 4;
    const { program, wasm } = regression();
    const plain: Sent = { program, plain: toBase64(wasm.plain) };
    const runs = (place: Place, sent: Sent, threads: number) =>
      inPage(script, place, (page) =>
        page.evaluate(([given, count, rounds]) => trainRegressionInPage(given, { threads: count }, rounds), [
          sent,
          threads,
          steps,
        ] as const),
      );

    test.each([1, 2, 4])("%i threads train with Node's bits", async (threads) => {
      const node = await trainRegression(plain, { threads: 1 }, steps);
      const page = await runs("isolated", plain, threads);
      expect(page).toEqual({ ...node, isolated: true, threads });
      expect(page.outputs.flat().every(Number.isFinite)).toBe(true);
      expect(new Set(page.outputs.map(String)).size).toBeGreaterThan(steps);
    });

    test("a page that cannot share memory or start workers trains with one thread, with the same bits", async () => {
      const node = await trainRegression(plain, { threads: 1 }, steps);
      expect(await runs("plain", plain, 2)).toEqual({ ...node, isolated: false, threads: 1 });
      expect(await runs("workerless", plain, 2)).toEqual({ ...node, isolated: true, threads: 1 });
    });

    test("the module with fused multiply-add is taken", async () => {
      const node = await trainRegression(plain, { threads: 1 }, steps);
      const page = await runs("isolated", { ...plain, relaxed: toBase64(wasm.relaxed) }, 2);
      expect(page.relaxed).toBe(true);
      node.outputs.flat().forEach((value, at) => expect(page.outputs.flat()[at]).toBeCloseTo(value, 3));
    });
  });

  describe("the compiler", () => {
    const model = `
import std.experts { SwiGLU }
import std.norms { RMSNorm }
import std.routers { TopK }

moe Experts(D)(x: [D]) -> [D] {
  routed SwiGLU(D, 2 * D) * 4
  router TopK { k = 2 }
}

model Tiny {
  dim D = 16
  dim V = 256
  modality text = tokens(vocab = V)
  param table: [V, D] = normal(0.1)
  x = table[text]
  x = x + Experts(D)(RMSNorm(x))
  logits = RMSNorm(x) @ transpose(table)
  loss cross_entropy(logits, text.next)
}

train Tiny {
  data text = bytes("corpus.txt")
  batch 4 of 16
  optimizer adamw { rate = 1e-2 }
  steps 6
}
`;
    const corpus = "the wind and the rain and the sea went over the hill and the house by the sea. ".repeat(
      60,
    );
    const script = `import { compileAndTrain, complaints } from "./test/helpers/page-compile.ts";
      globalThis.compileInPage = compileAndTrain;
      globalThis.complaintsInPage = complaints;`;

    test("compiles, trains and generates as in Node, and reports mistakes", async () => {
      const wrong = model.replace("x = table[text]", "x = tabel[text]");
      const node = await compileAndTrain(model, corpus, { threads: 1 });
      const page = await inPage(script, "isolated", async (open) => ({
        compiled: await open.evaluate(([text, data]) => compileInPage(text, data, { threads: 2 }), [
          model,
          corpus,
        ] as const),
        right: await open.evaluate((text) => complaintsInPage(text), model),
        wrong: await open.evaluate((text) => complaintsInPage(text), wrong),
      }));
      expect(page.compiled).toEqual(node);
      expect(node.losses).toHaveLength(6);
      expect(node.losses.at(-1)).toBeLessThan(node.losses[0]!);
      expect(page.right).toEqual([]);
      expect(page.wrong).toEqual(complaints(wrong));
      expect(page.wrong.length).toBeGreaterThan(0);
    });
  });
});
