// The gallery: a page for each entry of the standard library. In: entries, weighed claims, files that use them. Out: pages: the text in
// colours, what its comment says, how it routes, what goes wrong, what was measured, and a whole model that uses it.

import { basename } from "node:path";
import { readFileSync } from "node:fs";
import { escapeText } from "../cli/report/html.ts";
import { comparisonText, effectText, type Weighed } from "../claims/table.ts";
import { predictionText } from "../claims/statistics.ts";
import { stdlib } from "../stdlib/sources.ts";
import { drawEntry, drawFile, type Picture } from "./drawing.ts";
import { importedNames, type Entry } from "./entries.ts";
import { hostOfFiles } from "./hosts.ts";
import type { Highlight } from "./highlight.ts";
import { plainText, type Heading, type Section } from "./markdown.ts";
import { upFrom, type SitePage } from "./page.ts";

export const galleryAddress = ({ name }: Pick<Entry, "name">): string => `gallery/${name}.html`;

/** `std.routers` -> Routers, in the order of the gallery; modules that are not named come last. */
const families: readonly string[] = [
  "std.routers",
  "std.experts",
  "std.layers",
  "std.losses",
  "std.attention",
];

export const familyTitle = (module: string): string => {
  const name = module.replace(/^std\./, "");
  return name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");
};

/** Modules in order, with their entries. */
export function familiesOf(entries: readonly Entry[]): readonly (readonly [string, readonly Entry[]])[] {
  const rank = (module: string): number =>
    families.includes(module) ? families.indexOf(module) : families.length;
  const modules = [...new Set(entries.map(({ module }) => module))].sort((a, b) => rank(a) - rank(b));
  return modules.map((module) => [module, entries.filter((entry) => entry.module === module)]);
}

/** Words of a comment: code between backticks, numbers of arXiv as links; formulas stay as they are. */
export const prose = (text: string): string =>
  escapeText(text)
    .replace(/`([^`]+)`/g, "<code>$1</code>")
    .replace(/arXiv[ :](\d{4}\.\d{4,5})/g, '<a href="https://arxiv.org/abs/$1" rel="noopener">arXiv $1</a>');

interface Use {
  readonly file: string;
  readonly text: string;
  readonly names: ReadonlySet<string>;
}

export function usesIn(files: readonly string[]): readonly Use[] {
  const examples = files.filter((file) => file.startsWith("examples/"));
  // A small model that is about one idea before a large one that uses many.
  const rank = (file: string): number => (file.startsWith("examples/gallery/") ? 0 : 1);
  return [...examples]
    .sort((a, b) => rank(a) - rank(b))
    .map((file) => {
      const text = readFileSync(file, "utf8");
      return { file, text, names: importedNames(text) };
    });
}

export interface GalleryParts {
  readonly entries: readonly Entry[];
  readonly weighed: readonly Weighed[];
  readonly files: readonly string[];
  readonly highlight: Highlight;
  readonly pageOf: (path: string) => string | undefined;
}

export function galleryPages(parts: GalleryParts): readonly SitePage[] {
  const uses = usesIn(parts.files);
  return [indexPage(parts.entries), ...parts.entries.map((entry) => entryPage(entry, uses, parts))];
}

function indexPage(entries: readonly Entry[]): SitePage {
  const headings: Heading[] = [{ depth: 1, id: "gallery", text: "Gallery" }];
  const parts = familiesOf(entries).map(([module, list]) => {
    const title = familyTitle(module);
    const id = module.replace(".", "-");
    headings.push({ depth: 2, id, text: title });
    const cards = list.map(
      (entry) =>
        `<a class="card" href="${basename(galleryAddress(entry))}"><strong>${entry.name}</strong><span>${prose(entry.comment.summary).replace(/<\/?a[^>]*>/g, "")}</span></a>`,
    );
    return `<h2 id="${id}">${title} <small>${module}</small></h2>\n<div class="cards">${cards.join("\n")}</div>`;
  });
  const lead = `<p class="lead">Every entry of the standard library: its text, its formula and source, how it routes, what goes wrong with it, and what was measured. All of it is written in the language, and yours is as fast.</p>`;
  return {
    address: "gallery/index.html",
    title: "Gallery",
    group: "Gallery",
    html: `<h1 id="gallery">Gallery</h1>\n${lead}\n${parts.join("\n")}`,
    headings,
    sections: [{ id: "", title: "Gallery", text: "Every entry of the standard library." }],
  };
}

function entryPage(
  entry: Entry,
  uses: readonly Use[],
  { weighed, highlight, pageOf }: GalleryParts,
): SitePage {
  const { name, kind, module, comment, text } = entry;
  const address = galleryAddress(entry);
  const up = upFrom(address);
  const sourceAddress = pageOf(`stdlib/${module.slice(4)}.moe`);
  const example = uses.find(({ names }) => names.has(name));
  const picture = pictureOf(entry, example);
  const shown = weighed.filter(({ claim }) => claim.entries.includes(name));
  const headings: Heading[] = [{ depth: 1, id: name.toLowerCase(), text: name }];
  const section = (title: string, html: string): string => {
    if (html === "") return "";
    const id = title.toLowerCase().replaceAll(" ", "-");
    headings.push({ depth: 2, id, text: title });
    return `<h2 id="${id}">${title}</h2>\n${html}\n`;
  };
  const badge = `<p class="badges"><span class="badge kind-${kind}">${kind}</span> <a class="badge" href="${up}${sourceAddress ?? "gallery/index.html"}">${module}</a></p>`;
  const about = comment.about.map((paragraph) => `<p>${prose(paragraph)}</p>`).join("\n");
  const source = comment.source === undefined ? "" : `<p class="source">${prose(comment.source)}</p>`;
  const html = [
    `<h1 id="${name.toLowerCase()}">${name}</h1>`,
    badge,
    about,
    source,
    section(
      "Definition",
      `<pre class="moe-code"><code>${highlight(`import ${module} { ${name} }`)}</code></pre>\n<pre class="moe-code"><code>${highlight(withoutComment(text))}</code></pre>`,
    ),
    section("How it routes", picture === undefined ? "" : figure(picture.picture, picture.caption)),
    section(
      "Traps",
      comment.traps.length === 0
        ? ""
        : `<ul>${comment.traps.map((trap) => `<li>${prose(trap)}</li>`).join("\n")}</ul>`,
    ),
    section("Measured", shown.map((each) => measured(each, up)).join("\n")),
    section("In a model", example === undefined ? "" : inModel(example, up, pageOf, highlight)),
    section("Used by", usedBy(entry, up)),
  ].join("\n");
  const sections: Section[] = [
    { id: "", title: name, text: [...comment.about, comment.source ?? "", module, kind].join(" ") },
    ...(comment.traps.length === 0
      ? []
      : [{ id: "traps", title: `${name}: traps`, text: comment.traps.join(" ") }]),
  ];
  return {
    address,
    title: name,
    group: familyTitle(module),
    html,
    headings,
    sections,
    summary: plainText(prose(comment.summary)),
  };
}

const withoutComment = (text: string): string => text.replace(/^(\/\/\/.*\n)+/, "");

/** Of a layer with nothing else in it; else of the example. */
function pictureOf(
  entry: Entry,
  example: Use | undefined,
): { readonly picture: Picture; readonly caption: string } | undefined {
  if (entry.kind === "function") return undefined;
  const own = drawEntry(entry);
  if (own !== undefined)
    return {
      picture: own,
      caption: "Drawn by the code of <code>moe graph</code>, for one layer with the entry’s defaults.",
    };
  if (example === undefined) return undefined;
  const picture = drawFile(hostOfFiles(), example.file, `A model with ${entry.name}.`);
  return picture === undefined
    ? undefined
    : { picture, caption: `Drawn by the code of <code>moe graph</code>, from <code>${example.file}</code>.` };
}

const figure = ({ svg }: Picture, caption: string): string =>
  `<figure class="drawing"><div class="wide">${svg}</div><figcaption>${caption}</figcaption></figure>`;

function measured({ claim, standing, verdict, comparisons }: Weighed, up: string): string {
  const link = `<a href="${up}claims.html#${claim.name}">${escapeText(claim.title)}</a>`;
  if (verdict === undefined) return `<p>${link}: not run yet.</p>`;
  const rows = comparisons.map(
    ({ comparison, effect, verdict: each }) =>
      `<tr><td>${escapeText(comparisonText(comparison))}</td><td>${escapeText(predictionText(comparison))}</td><td class="right">${escapeText(effectText(effect))}</td><td>${each}</td></tr>`,
  );
  const stale = standing === "stale" ? " (stale)" : "";
  return `<p>${link}: <strong>${verdict}${stale}</strong>. ${escapeText(claim.says)} ${escapeText(claim.paper)}</p>
<div class="wide"><table><thead><tr><th>compared</th><th>predicted</th><th class="right">effect</th><th>verdict</th></tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

function inModel(
  { file, text }: Use,
  up: string,
  pageOf: GalleryParts["pageOf"],
  highlight: Highlight,
): string {
  const address = pageOf(file);
  const name = `<a href="${up}${address ?? ""}"><code>${file}</code></a>`;
  return `<details><summary>${name}</summary><pre class="moe-code"><code>${highlight(text)}</code></pre></details>`;
}

/** Entries of std whose modules import this one and whose text names it. */
function usedBy({ name, module }: Entry, up: string): string {
  const users = Object.entries(stdlib)
    .filter(([other, text]) => other !== module && importedNames(text).has(name))
    .map(([other]) => `<a href="${up}sources/stdlib/${other.slice(4)}.moe.html"><code>${other}</code></a>`);
  return users.length === 0 ? "" : `<p>${users.join(", ")}</p>`;
}
