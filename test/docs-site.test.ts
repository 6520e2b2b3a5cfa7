// The documentation as a site: it builds, every link inside leads somewhere, every entry of std has a page with its text, its comment and its
// drawing, and the search finds what it should. In Chromium: no page is wider than a phone, and both themes are readable.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import MiniSearch from "minisearch";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pages as diagnosticPages } from "../cli/pages.ts";
import { readResults } from "../claims/results.ts";
import { claims } from "../claims/list.ts";
import { weigh } from "../claims/table.ts";
import { buildSite } from "../site/build.ts";
import { drawEntry } from "../site/drawing.ts";
import { libraryEntries, readComment } from "../site/entries.ts";
import { galleryAddress } from "../site/gallery.ts";
import { loadHighlight } from "../site/highlight.ts";
import { deadLinks } from "../site/links.ts";
import { plainText, renderMarkdown } from "../site/markdown.ts";
import type { SitePage } from "../site/page.ts";
import { searchOptions, type Found } from "../site/search.ts";
import { chromiumPath, startBrowser } from "./helpers/browser.ts";

const grammar = "editor/vscode/moe.tmLanguage.json";

describe("reading", () => {
  test("a comment has paragraphs, a source and traps", () => {
    const lines =
      "Scores. A bias that only\nthe selection sees.\n\nz = x w.\nSource: A, arXiv 1.\nTraps: the bias is in no\nweight. It moves once.";
    expect(readComment(lines.split("\n"))).toEqual({
      summary: "Scores. A bias that only the selection sees.",
      about: ["Scores. A bias that only the selection sees.", "z = x w."],
      source: "A, arXiv 1.",
      traps: ["The bias is in no weight.", "It moves once."],
    });
    expect(readComment([])).toEqual({ summary: "", about: [], traps: [] });
  });

  test("code is coloured by the editor's grammar, and nothing of it is lost", async () => {
    const highlight = await loadHighlight(grammar);
    for (const { text, name } of libraryEntries()) expect(plainText(highlight(text)), name).toBe(text);
    const html = highlight("router A(N)(x: [D]) -> gates[N] {\n  choose top 2 of x // <best>\n}");
    for (const part of [
      '<span class="kind">router</span> <span class="name">A</span>',
      '<span class="word">choose</span> <span class="word">top</span> <span class="number">2</span>',
      '<span class="comment">// &lt;best&gt;</span>',
    ])
      expect(html).toContain(part);
  });

  test("links lead to pages, or are text; headings have their addresses; html is escaped", async () => {
    const highlight = await loadHighlight(grammar);
    const text =
      "# One & two\n\n## A `b`\n\nSee [there](other.md#x), [code](../compiler/lower.ts) and [out](https://example.org).\n\n## A b\n\n```ts\na < b\n```\n";
    const links = {
      up: "../",
      pageOf: (path: string) => (path === "docs/other.md" ? "other.html" : undefined),
    };
    const { html, headings, sections } = renderMarkdown(text, "docs/page.md", links, highlight);
    expect(headings.map(({ id, text: title }) => [id, title])).toEqual([
      ["one--two", "One & two"],
      ["a-b", "A b"],
      ["a-b-1", "A b"],
    ]);
    expect(html).toContain('<a href="../other.html#x">there</a>');
    expect(html).toContain('<span class="file" title="compiler/lower.ts">code</span>');
    expect(html).toContain("a &lt; b");
    expect(sections[1]!.text).toBe("See there, code and out.");
  });
});

describe("the site", () => {
  const out = mkdtempSync(join(tmpdir(), "moe-site-"));
  let pages: readonly SitePage[];
  const read = (address: string): string => readFileSync(join(out, address), "utf8");
  beforeAll(async () => {
    // Whether a result is stale is the page of the claims' own test.
    const weighed = claims.map((claim) => {
      const results = readResults("claims", claim);
      const hashes = Object.fromEntries(
        claim.arms.map(({ name }) => {
          const hash = Object.values(results[name] ?? {})[0]?.hash ?? "";
          return [name, { hash, simple: "" }];
        }),
      );
      return weigh(claim, results, hashes);
    });
    pages = await buildSite({ out, weighed });
  }, 400_000);
  afterAll(() => rmSync(out, { recursive: true, force: true }));

  test("no link inside leads nowhere", () => {
    expect(pages.length).toBeGreaterThan(100);
    expect(deadLinks(out, pages)).toEqual([]);
  });

  test("every page has its own address, a title and text", () => {
    expect(new Set(pages.map(({ address }) => address)).size).toBe(pages.length);
    for (const { address, title, html } of pages) {
      expect(title, address).not.toBe("");
      expect(plainText(html).trim().length, address).toBeGreaterThan(20);
      expect(read(address), address).toContain("<main");
    }
  });

  test("every entry of std has a page: its text, its source, how it routes, its traps", () => {
    for (const entry of libraryEntries()) {
      const html = read(galleryAddress(entry));
      const shown = plainText(html);
      expect(shown, entry.name).toContain(entry.text.replace(/^(\/\/\/.*\n)+/, ""));
      if (entry.comment.source !== undefined)
        expect(shown).toContain(entry.comment.source.replaceAll("`", ""));
      for (const trap of entry.comment.traps) expect(shown, entry.name).toContain(trap.replaceAll("`", ""));
    }
    // Those that read a token; others choose by ids that only their layers give.
    const routers = libraryEntries().filter(
      ({ kind, text }) => kind === "router" && /\)\(x: \[D\]\) ->/.test(text),
    );
    expect(routers.length).toBeGreaterThan(10);
    const without = routers
      .filter((entry) => !read(galleryAddress(entry)).includes("<svg xmlns"))
      .map(({ name }) => name);
    expect(without).toEqual([]);
  });

  test("a drawing shows the router's choice, and null experts where the router knows them", () => {
    const of = (name: string): string =>
      drawEntry(libraryEntries().find((entry) => entry.name === name)!)!.svg;
    expect(of("TopK")).toContain("top 2 of 16");
    expect(of("NullAware")).toContain("a pick that costs nothing");
    expect(of("SwiGLU")).toContain("8 experts");
  });

  test("every claim is shown with the entries that it is about", () => {
    const names = new Set(libraryEntries().map(({ name }) => name));
    for (const { entries, title } of claims)
      for (const name of entries) {
        expect(names, name).toContain(name);
        expect(plainText(read(`gallery/${name}.html`))).toContain(title);
      }
  });

  test("every diagnostic has a page", async () => {
    for (const { code, title } of await diagnosticPages())
      expect(plainText(read(`diagnostics/${code}.html`))).toContain(title.replaceAll("`", ""));
  });

  test.each([
    ["null experts", "gallery/NullAware.html"],
    ["NullAw", "gallery/NullAware.html"],
    ["M0304", "diagnostics/M0304.html"],
    ["capacity drop", "language.html#routers"],
    ["openSession", "api/runtime.html#openSession"],
  ])("the search for %s finds %s", (query, address) => {
    const index = MiniSearch.loadJSON(read("assets/search.json"), searchOptions);
    const found = index.search(query).slice(0, 8) as unknown as Found[];
    expect(found.map(({ at }) => at)).toContain(address);
  });

  describe.skipIf(chromiumPath === undefined)("in Chromium", () => {
    let browser: Browser;
    let server: Server;
    let url: string;
    beforeAll(async () => {
      const types: Readonly<Record<string, string>> = {
        ".html": "text/html",
        ".css": "text/css",
        ".js": "text/javascript",
      };
      server = createServer((request, response) => {
        const path = request.url!.replace(/\?.*/, "");
        response.setHeader("Content-Type", types[extname(path)] ?? "application/octet-stream");
        response.end(readFileSync(join(out, path)));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      browser = await startBrowser();
    }, 90_000);
    afterAll(async () => {
      await browser?.close();
      server?.close();
    });

    test("nothing is wider than a phone, and the menu opens", async () => {
      const page = await browser.newPage({ viewport: { width: 380, height: 800 } });
      for (const address of [
        "index.html",
        "guide.html",
        "language.html",
        "grammar.html",
        "claims.html",
        "gallery/LossFree.html",
        "api/runtime.html",
      ]) {
        await page.goto(`${url}/${address}`);
        expect(await page.evaluate(() => document.documentElement.scrollWidth), address).toBeLessThanOrEqual(
          380,
        );
      }
      expect(await page.isVisible("nav")).toBe(false);
      await page.click("#menu");
      expect(await page.isVisible("nav")).toBe(true);
      await page.close();
    });

    test("a program of the guide runs on its page, and opens in the playground", async () => {
      const page = await browser.newPage();
      await page.goto(`${url}/guide.html`);
      const program = page.locator("figure.live").nth(1);
      await program.locator(".run").click();
      const frame = page.frameLocator("figure.live iframe");
      await frame.getByText(/^Done in/).waitFor({ timeout: 150_000 });
      // What test/guide.test.ts measures, and the page says.
      expect(await frame.locator(".tiles").textContent()).toContain("held out 97.7 %");
      // It follows the page: its switch, and the system while nobody has pressed it.
      const themed = (theme: string): Promise<void> =>
        frame.locator(`html[data-theme="${theme}"]`).waitFor({ state: "attached", timeout: 10_000 });
      await themed("light");
      await page.emulateMedia({ colorScheme: "dark" });
      await themed("dark");
      await page.click("#theme");
      await themed("light");
      await program.locator(".run").click();
      expect(await page.locator("iframe").count()).toBe(0);
      await program.getByText("Open in the playground").click();
      await page.waitForURL(/playground\/index\.html#/);
      await page.getByText("model All {").waitFor({ timeout: 40_000 });
      await page.close();
    }, 240_000);

    test("the search box answers, and the theme turns and stays", async () => {
      const page = await browser.newPage({ colorScheme: "light" });
      await page.goto(`${url}/gallery/LossFree.html`);
      await page.keyboard.press("/");
      await page.keyboard.type("expert choice");
      await page.waitForSelector("#found a");
      expect(await page.textContent("#found")).toContain("ExpertChoice");
      const paper = (): Promise<string> =>
        page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      const light = await paper();
      await page.keyboard.press("Escape");
      await page.click("#theme");
      const dark = await paper();
      expect(dark).not.toBe(light);
      await page.reload();
      expect(await paper()).toBe(dark);
      await page.close();
    });
  });
});
