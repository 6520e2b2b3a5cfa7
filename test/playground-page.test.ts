// The playground as people meet it: built by Vite, opened in Chromium; typed into, trained in, shared, used by keyboard, on a phone and in
// the dark; and where the browser lacks something. The parts without a browser: playground.test.ts.

import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { build, preview, type PreviewServer } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaults, toLink } from "../playground/src/page/state.ts";
import { chromiumPath, startBrowser } from "./helpers/browser.ts";
import { temporaryFolder } from "./helpers/package.ts";

/** Few kernels: an adapter in software takes up to a second to make each. */
const smallest = `model Line {
  modality point = features(2)
  modality side = category(2)
  param w: [2, 2]
  logits = point @ w
  loss cross_entropy(logits, side)
}

train Line {
  data point = csv("points.csv", "x", "y")
  data side = csv("points.csv", "side")
  batch 16
  optimizer sgd { rate = 0.1 }
  steps 100000
}
`;

const root = resolve(import.meta.dirname, "../playground");
const outDir = temporaryFolder("playground");

describe.skipIf(chromiumPath === undefined)("the playground in Chromium", () => {
  let server: PreviewServer;
  let address: string;
  let browser: Browser;
  /** Two panes, and no hints in the lines. */
  const wide = { viewport: { width: 1000, height: 900 } };

  beforeAll(async () => {
    const configFile = join(root, "vite.config.ts");
    const quiet = { configFile, logLevel: "error", build: { outDir, emptyOutDir: true } } as const;
    await build(quiet);
    server = await preview({ ...quiet, preview: { port: 0, host: "127.0.0.1" } });
    address = server.resolvedUrls!.local[0]!;
    browser = await startBrowser();
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    rmSync(outDir, { recursive: true, force: true });
  });

  const errors: string[] = [];
  async function open(link = "", options: BrowserContextOptions = wide, within = browser): Promise<Page> {
    const context = await within.newContext(options);
    context.setDefaultTimeout(80_000);
    const page = await context.newPage();
    page.on("pageerror", ({ message }) => errors.push(message));
    await page.goto(`${address}${link}`, { waitUntil: "load" });
    await compiled(page);
    return page;
  }
  const says = (page: Page, id: string, pattern: string): Promise<unknown> =>
    page.waitForFunction(
      ([where, wanted]) => new RegExp(wanted!).test(document.getElementById(where!)!.textContent ?? ""),
      [id, pattern],
    );
  const compiled = (page: Page): Promise<unknown> => says(page, "took", "Compiled in");
  const textOf = (page: Page): Promise<string> =>
    page.evaluate(() => {
      const lines = document.querySelectorAll("#editor .cm-line");
      return [...lines].map((line) => line.textContent).join("\n");
    });
  /** Adds to a line that begins so. */
  async function typeAfter(page: Page, line: string, text: string): Promise<void> {
    await page.locator("#editor .cm-line", { hasText: line }).first().click();
    await page.keyboard.press("End");
    await page.keyboard.type(text);
  }

  test("what one types is checked, mended and drawn", async () => {
    const page = await open();
    await expect.poll(() => page.textContent("#view-drawing svg")).toContain("top 1 of 6");
    await typeAfter(page, "lines = Line(2, 2) * 6", "0");
    await page.waitForFunction(() =>
      document.querySelector("#view-drawing svg")!.textContent!.includes("top 1 of 60"),
    );

    await typeAfter(page, "metric accuracy", "\nwrong = sofmax(logits)");
    await says(page, "problems", "error\\[M0101\\]");
    await expect.poll(() => page.textContent("#problems pre")).toContain("  --> model.moe:");
    await expect.poll(() => page.getAttribute("#train", "disabled")).not.toBe(null);
    await expect.poll(() => page.locator("#editor .cm-lintRange-error").count()).toBe(1);
    await page.click("#problems button.fix");
    await compiled(page);
    await expect.poll(() => textOf(page)).toContain("wrong = softmax(logits)");

    await page.keyboard.press("Control+Home");
    await page.locator("#editor .cm-line", { hasText: "import std.routers" }).getByText("TopK").click();
    await page.keyboard.press("F12");
    await says(page, "where", "std.routers · read only");
    await expect.poll(() => page.textContent("#library")).toContain("Softmax over all experts");
    await page.keyboard.press("Escape");
    await says(page, "where", "^model.moe$");

    await page.click("#tab-plan");
    await expect.poll(() => page.textContent(".plan")).toContain("Refused fusions");
    await page.click("#tab-kernels");
    await says(page, "view-kernels", "@compute");
    await page.click("#tab-routing");
    await expect.poll(() => page.locator("#view-routing .expert").count()).toBe(60);
  }, 60_000);

  test("names: what they cost, where they are, another one, and all in an outline", async () => {
    const page = await open();
    const line = page.locator("#editor .cm-line", { hasText: "expert Line" }).getByText("Line");
    const shown = (selector: string, text: string): Promise<unknown> =>
      page.locator(selector, { hasText: text }).first().waitFor();

    await line.hover();
    // Six lines of 2 × 2 + 2 numbers, one of them for each point: 2 × 2 multiplications and as many additions.
    await shown(".cost", "Cost in Plane (lines): 36 parameters (36), 6 active per example");
    await expect.poll(() => page.textContent(".cost")).toContain("8 FLOP per example");

    await line.click();
    await page.keyboard.press("Shift+F12");
    await shown(".places [role=status]", "Line: 1 of 2 places");
    await expect.poll(() => page.locator(".place").allTextContents()).toEqual(["Line", "Line"]);
    await page.keyboard.press("F8");
    await shown(".places [role=status]", "2 of 2");
    await expect.poll(() => page.textContent(".cm-activeLine")).toContain("lines");
    await page.keyboard.press("Shift+F8");
    await shown(".places [role=status]", "1 of 2");
    await page.click(".places [aria-label='Close the references']");
    await expect.poll(() => page.locator(".place").count()).toBe(0);

    const before = await textOf(page);
    await page.keyboard.press("F2");
    await page.getByLabel("New name of Line").fill("Plane");
    await page.keyboard.press("Enter");
    await shown(".rename [role=alert]", "Plane already means something here");
    await expect.poll(() => textOf(page)).toBe(before);
    await page.getByLabel("New name of Line").fill("Border");
    await page.keyboard.press("Enter");
    await page.locator(".rename").waitFor({ state: "detached" });
    await expect.poll(() => textOf(page)).toBe(before.replace(/\bLine\b/g, "Border"));
    await page.keyboard.press("Control+z");
    await expect.poll(() => textOf(page)).toBe(before);
    await page.locator("#editor .cm-line", { hasText: "logits = " }).getByText("TopK").click();
    await page.keyboard.press("F2");
    await shown("[role=alert]", "Nothing to rename: TopK belongs to the standard library.");
    await page.keyboard.press("Escape");
    await expect.poll(() => page.getByText("Nothing to rename").count()).toBe(0);

    await page.keyboard.press("Control+Shift+O");
    const chosen = page.locator("#entries [aria-selected=true]");
    await shown("#entries [aria-selected=true]", "logits lines(point) by TopK");
    await page.keyboard.press("Escape");
    await page.click("#outline");
    await shown("#entries [aria-selected=true]", "logits lines(point) by TopK");
    await page.keyboard.press("b");
    await expect.poll(() => chosen.textContent()).toBe("bias [F]");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.isVisible("#entries")).toBe(false);
    await expect.poll(() => page.evaluate(() => getSelection()!.toString())).toBe("enter");
    await expect.poll(() => page.textContent(".cm-activeLine")).toContain("param enter");

    const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
    const touched = await open("?embed=dark", phone);
    await touched.locator("#editor .cm-line", { hasText: "expert Line" }).getByText("Line").tap();
    await touched.getByRole("button", { name: "Rename" }).tap();
    await touched.getByLabel("New name of Line").fill("Border");
    await touched.locator(".rename button").tap();
    await touched.locator("#editor .cm-line", { hasText: "Border(2, 2)" }).waitFor();
    await touched.locator("#train").tap();
  }, 15_000);

  test("the plane is divided among the experts, and the loss falls", async () => {
    const page = await open();
    await page.click("#tab-training");
    await page.selectOption("#device", "webgpu");
    await page.selectOption("#toy", "rings");
    await page.click("#train");
    // There is no WebGPU in this browser: the page says so and goes on without.
    await says(page, "notices", "Training on the CPU instead");
    await says(page, "run", "^Done in .* on CPU, 1 thread");
    const tiles = await page.textContent("#view-training .tiles");
    const [, loss] = /loss([\d.e-]+)held out/.exec(tiles!)!;
    expect(Number(loss)).toBeLessThan(0.2);
    const colours = (selector: string): Promise<number> =>
      page.locator(selector).evaluate((canvas: HTMLCanvasElement) => {
        const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
        const seen = new Map<number, number>();
        for (let i = 0; i < data.length; i += 4)
          if (data[i + 3]! > 100) {
            const key = ((data[i]! >> 5) << 6) | ((data[i + 1]! >> 5) << 3) | (data[i + 2]! >> 5);
            seen.set(key, (seen.get(key) ?? 0) + 1);
          }
        return [...seen.values()].filter((count) => count > 100).length;
      });
    expect(await colours("canvas.plane")).toBeGreaterThan(3);
    expect(await colours("canvas.load")).toBeGreaterThan(2);
    await page.click("#tab-routing");
    expect(await page.textContent("#view-routing")).toContain("an even share is 16.7 %");
  }, 60_000);

  test("a link brings everything back; a damaged one says so", async () => {
    const page = await open();
    await typeAfter(page, "steps 4000", " // as long as it takes: ∞");
    await page.click("#tab-training");
    await page.selectOption("#toy", "blobs");
    await page.fill("#seed", "42");
    await page.click("#share");
    await says(page, "notice", "link");
    const link = new URL(page.url()).hash;
    const text = await textOf(page);
    // What is said of the text next leaves it where it is.
    await page.evaluate(() => (document.getElementById("took")!.textContent = ""));
    await typeAfter(page, "steps 4000", " ");
    await says(page, "took", "Compil");
    expect(await page.textContent("#notice")).toContain("link");
    expect(await page.textContent("#verdict")).toBe("No mistakes.");
    const again = await open(link);
    expect(await textOf(again)).toBe(text);
    expect(await again.inputValue("#toy")).toBe("blobs");
    expect(await again.inputValue("#seed")).toBe("42");
    expect(await again.getAttribute("#tab-training", "aria-selected")).toBe("true");

    const damaged = await open(`${link.slice(0, -12)}`);
    expect(await damaged.textContent("#banner")).toContain("This link cannot be read: it is cut off");
    expect(await textOf(damaged)).toContain("model Plane");
  }, 60_000);

  const screens = [
    { name: "phone", width: 360, height: 740, colorScheme: "light" },
    { name: "phone in the dark", width: 390, height: 844, colorScheme: "dark" },
    { name: "dark", width: 1280, height: 800, colorScheme: "dark" },
  ] as const;
  test.each(screens)(
    "nothing is wider than the screen: $name",
    async ({ width, height, colorScheme }) => {
      const page = await open("", { viewport: { width, height }, colorScheme });
      for (const tab of ["drawing", "routing", "plan", "kernels", "training"]) {
        await page.click(`#tab-${tab}`);
        const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect({ tab, wider }).toEqual({ tab, wider: 0 });
      }
      const [red] = await page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g)!);
      expect(Number(red) < 128).toBe(colorScheme === "dark");
      expect((await page.screenshot()).length).toBeGreaterThan(10_000);
      await page.click("#theme");
      await page.click("#theme");
      expect(await page.evaluate(() => document.documentElement.dataset["theme"])).toBe("dark");
    },
    60_000,
  );

  test("all of it by keyboard", async () => {
    const page = await open();
    const focused = (): Promise<string> =>
      page.evaluate(() => document.activeElement!.id || document.activeElement!.className.split(" ")[0]!);
    const order: string[] = [];
    for (let i = 0; i < 8; i++) {
      await page.keyboard.press("Tab");
      order.push(await focused());
      expect(await page.evaluate(() => getComputedStyle(document.activeElement!).outlineStyle)).not.toBe(
        order.at(-1) === "cm-content" ? "" : "none",
      );
    }
    expect(order).toEqual(["example", "train", "share", "theme", "outline", "hints", "format", "cm-content"]);
    const before = await textOf(page);
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("cm-content");
    expect(await textOf(page)).toBe(`  ${before}`);
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("tab-drawing");
    await page.keyboard.press("ArrowLeft");
    expect(await focused()).toBe("tab-training");
    expect(await page.isVisible("#view-training")).toBe(true);
    const named = await page.evaluate(() =>
      [...document.querySelectorAll("button, select, input, [tabindex='0']")]
        .filter((each) => {
          const labels = (each as HTMLInputElement).labels?.length ?? 0;
          return each.textContent === "" && labels === 0 && !each.hasAttribute("aria-label");
        })
        .map((each) => each.outerHTML.slice(0, 80)),
    );
    expect(named).toEqual([]);
  }, 60_000);

  test("a GPU that is lost while training: a message, and the CPU takes over", async () => {
    const gpu = await startBrowser({ webgpu: true });
    try {
      const page = await open(`#${toLink({ ...defaults, text: smallest })}`, wide, gpu);
      // Every device of the worker is taken away in the middle of the training: after some steps, however long they take.
      await page.route("**/work.worker-*.js", async (route) => {
        const answer = await route.fetch();
        const taken = `const given = GPUAdapter.prototype.requestDevice;
          GPUAdapter.prototype.requestDevice = async function (...asked) {
            const device = await given.apply(this, asked);
            let left = 12;
            const { queue } = device;
            const { submit } = queue;
            queue.submit = (...passes) => {
              submit.apply(queue, passes);
              // While its numbers are waited for, or between two steps.
              if (--left === 0) setTimeout(() => device.destroy(), 0);
            };
            return device;
          };`;
        await route.fulfill({ response: answer, body: `${taken}\n${await answer.text()}` });
      });
      await page.reload();
      await compiled(page);
      await page.click("#tab-training");
      await page.selectOption("#device", "webgpu");
      await page.click("#train");
      await says(page, "notices", "is lost: .*Training begins again on the CPU");
      await says(page, "run", "CPU");
    } finally {
      await gpu.close();
    }
  }, 200_000);

  test("nothing went wrong that nobody was told", () => {
    expect(errors).toEqual([]);
  });
});
