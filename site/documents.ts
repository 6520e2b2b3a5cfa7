// The written pages: docs/*.md, the README, the examples' page, the changes; and every `.moe` file that they may link to. In: the
// repository, from its root. Out: addresses of files, and pages.

import { readdirSync, readFileSync } from "node:fs";
import { renderMarkdown, type Links } from "./markdown.ts";
import { escapeText } from "../cli/report/html.ts";
import type { Highlight } from "./highlight.ts";
import { fromRendered, upFrom, type SitePage } from "./page.ts";

export interface Group {
  readonly title: string;
  /** Address and title, in order. */
  readonly pages: readonly (readonly [string, string])[];
  /** Shown, folded, only on pages below this folder. */
  readonly within?: string;
}

/** Where the pages of docs/ stand; one that is not named is looked up, by its own title. */
const order: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    "Begin",
    [
      ["README.md", "What it is"],
      ["docs/guide.md", "Guide: ten steps"],
      ["docs/tutorial.md", "Tutorial"],
      ["examples/README.md", "Examples"],
    ],
  ],
  [
    "Look up",
    [
      ["docs/language.md", "Language"],
      ["docs/grammar.md", "Grammar"],
      ["docs/cli.md", "Command line"],
      ["docs/module.md", "Generated module"],
      ["docs/editor.md", "Editors"],
      ["docs/gpu.md", "GPUs"],
    ],
  ],
  ["The field", [["docs/claims.md", "Claims"]]],
  [
    "Understand",
    [
      ["docs/architecture.md", "Architecture"],
      ["docs/bench.md", "Bench"],
      ["CHANGELOG.md", "Changes"],
    ],
  ],
];

/** Its links are the site's own lists. */
const left = new Set(["docs/index.md"]);

const addressOf = (file: string): string =>
  file === "README.md"
    ? "readme.html"
    : file === "CHANGELOG.md"
      ? "changes.html"
      : file === "examples/README.md"
        ? "examples.html"
        : file.startsWith("docs/")
          ? file.slice(5).replace(/\.md$/, ".html")
          : `${file.replace(/\.md$/, "")}.html`.replaceAll("/", "-").toLowerCase();

export interface Documents {
  readonly groups: readonly Group[];
  readonly pageOf: Links["pageOf"];
  readonly pages: (highlight: Highlight) => readonly SitePage[];
}

export function openDocuments(): Documents {
  const named = order.flatMap(([, files]) => files.map(([file]) => file));
  const others = readdirSync("docs")
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`)
    .filter((file) => !named.includes(file) && !left.has(file));
  const titleOf = (file: string): string =>
    /^# (.*)$/m.exec(readFileSync(file, "utf8"))?.[1]?.replaceAll("`", "") ?? file;
  const groups = order.map(([title, files]): Group => {
    const more = title === "Look up" ? others.map((file) => [file, titleOf(file)] as const) : [];
    return { title, pages: [...files, ...more].map(([file, name]) => [addressOf(file), name]) };
  });
  const written = new Map([...named, ...others].map((file) => [file, addressOf(file)]));
  for (const file of left) written.set(file, "index.html");
  const sources = new Map(moeFiles().map((file) => [file, `sources/${file}.html`]));
  const pageOf = (path: string): string | undefined =>
    written.get(path) ?? sources.get(path) ?? written.get(`${path.replace(/\/$/, "")}/README.md`);
  return {
    groups,
    pageOf,
    pages: (highlight) => [
      ...[...named, ...others].map((file) => {
        const address = addressOf(file);
        const group = groups.find(({ pages }) => pages.some(([at]) => at === address))!.title;
        const links: Links = { pageOf, up: upFrom(address) };
        return fromRendered(
          address,
          group,
          renderMarkdown(readFileSync(file, "utf8"), file, links, highlight),
        );
      }),
      ...[...sources].map(([file, address]) => sourcePage(file, address, highlight)),
    ],
  };
}

function sourcePage(file: string, address: string, highlight: Highlight): SitePage {
  const text = readFileSync(file, "utf8");
  const about = /^\/\/\/ (.*)$/m.exec(text)?.[1] ?? "";
  return {
    address,
    title: file,
    group: "Files",
    html: `<h1 class="path">${escapeText(file)}</h1>\n<pre class="moe-code"><code>${highlight(text)}</code></pre>`,
    headings: [],
    sections: [{ id: "", title: file, text: about }],
  };
}

/** Of the library, the examples and the claims, sorted. */
export const moeFiles = (): readonly string[] =>
  ["stdlib", "examples", "claims"]
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" }).map((file) => `${folder}/${file}`),
    )
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".moe") && !/\/(node_modules|runs|dist)\//.test(file))
    .sort();
