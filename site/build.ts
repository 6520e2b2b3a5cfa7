// Builds the site. In: the repository, from its root. Out: a folder of static files that needs no server of its own. Run by
// scripts/docs.mjs (npm run docs).

import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { build } from "esbuild";
import { build as buildPage } from "vite";
import { claims } from "../claims/list.ts";
import { prepareData } from "../claims/data.ts";
import { readResults } from "../claims/results.ts";
import { hashesOf } from "../claims/run.ts";
import { weigh, type Weighed } from "../claims/table.ts";
import { apiPages } from "./api.ts";
import { diagnosticPages } from "./diagnostics.ts";
import { moeFiles, openDocuments, type Group } from "./documents.ts";
import { libraryEntries } from "./entries.ts";
import { familiesOf, familyTitle, galleryAddress, galleryPages } from "./gallery.ts";
import { loadHighlight } from "./highlight.ts";
import { homePage } from "./home.ts";
import { layout } from "./layout.ts";
import { playgroundAt } from "./live.ts";
import type { SitePage } from "./page.ts";
import { searchIndex } from "./search.ts";

export interface BuildOptions {
  readonly out: string;
  /** Claims with their results; read and weighed when not given. */
  readonly weighed?: readonly Weighed[];
}

/** The pages that were written. */
export async function buildSite({ out, weighed }: BuildOptions): Promise<readonly SitePage[]> {
  const highlight = await loadHighlight("editor/vscode/moe.tmLanguage.json");
  const documents = openDocuments();
  const entries = libraryEntries();
  const parts = {
    ...{ entries, highlight, pageOf: documents.pageOf, files: moeFiles() },
    weighed: weighed ?? (await weighAll()),
  };
  const api = apiPages();
  const groups = navigation(documents.groups, entries, api);
  const pages = [
    homePage(groups, highlight),
    ...documents.pages(highlight),
    ...galleryPages(parts),
    ...(await diagnosticPages(highlight)),
    ...api,
  ];
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  rmSync(out, { recursive: true, force: true });
  const write = (address: string, text: string): void => {
    const path = join(out, address);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  for (const page of pages) write(page.address, layout(page, { groups, version: `moelang ${version}` }));
  write("assets/search.json", searchIndex(pages));
  for (const name of readdirSync("docs").filter((each) => /\.(png|jpg|webp)$/.test(each)))
    cpSync(join("docs", name), join(out, "assets", name));
  await build({
    entryPoints: { site: "site/client.ts", style: "site/style/index.css" },
    outdir: join(out, "assets"),
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    logLevel: "warning",
  });
  // The playground, for the programs that run in it.
  await buildPage({
    configFile: "playground/vite.config.ts",
    build: { outDir: resolve(out, dirname(playgroundAt)), emptyOutDir: true, reportCompressedSize: false },
    logLevel: "error",
  });
  return pages;
}

/** The written pages, and between them what is made from the code. */
function navigation(
  written: readonly Group[],
  entries: ReturnType<typeof libraryEntries>,
  api: readonly SitePage[],
): readonly Group[] {
  const families = familiesOf(entries).map(([module, list]): Group => ({
    title: familyTitle(module),
    within: "gallery/",
    pages: list.map((entry) => [galleryAddress(entry), entry.name]),
  }));
  const codes: Group = { title: "Diagnostics", pages: [["diagnostics/index.html", "All codes"]] };
  const names: Group = {
    title: "API",
    pages: api.map(({ address, title }) => [address, title.replace("API: ", "")]),
  };
  const gallery = (group: Group): Group => ({
    ...group,
    pages: [["gallery/index.html", "Gallery"], ...group.pages],
  });
  return written.flatMap((group) => {
    if (group.title === "The field") return [gallery(group), ...families];
    return group === written.at(-1) ? [codes, group, names] : [group];
  });
}

async function weighAll(): Promise<readonly Weighed[]> {
  const folder = "claims";
  prepareData(folder);
  const all: Weighed[] = [];
  for (const claim of claims)
    all.push(weigh(claim, readResults(folder, claim), await hashesOf(folder, claim)));
  return all;
}
