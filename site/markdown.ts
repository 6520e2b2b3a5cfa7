// Markdown to HTML, for pages of the documentation. In: text, the file's path from the root, and where links lead. Out: HTML, the headings,
// and the text of each section for the search.

import { readFileSync } from "node:fs";
import { posix } from "node:path";
import { Marked, type Tokens } from "marked";
import { escapeText } from "../cli/report/html.ts";
import type { Highlight } from "./highlight.ts";
import { liveHtml, liveSettings } from "./live.ts";

export interface Heading {
  readonly depth: number;
  readonly id: string;
  /** Plain. */
  readonly text: string;
}

export interface Section {
  /** "" for what stands before the first heading. */
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

export interface Rendered {
  readonly html: string;
  readonly headings: readonly Heading[];
  readonly sections: readonly Section[];
}

export interface Links {
  /** The address of a page for a file, from the root of the site; undefined when it has none. */
  readonly pageOf: (path: string) => string | undefined;
  /** From the page to the root of the site: `` or `../`. */
  readonly up: string;
}

export function renderMarkdown(text: string, path: string, links: Links, highlight: Highlight): Rendered {
  const headings: Heading[] = [];
  const sections: { id: string; title: string; text: string }[] = [];
  const used = new Map<string, number>();
  const marked = new Marked({ gfm: true });
  /** Of the comment before a live program. */
  let live: ReturnType<typeof liveSettings>;
  marked.use({
    renderer: {
      heading({ tokens, depth }) {
        const inner = this.parser.parseInline(tokens);
        const plain = plainText(inner);
        const id = idOf(plain, used);
        headings.push({ depth, id, text: plain });
        sections.push({ id, title: plain, text: "" });
        return `<h${depth} id="${id}">${inner}${depth > 1 ? `<a class="anchor" href="#${id}" aria-label="link to this section">#</a>` : ""}</h${depth}>\n`;
      },
      html({ text: comment }) {
        live = liveSettings(comment);
        return live === undefined ? comment : "";
      },
      code({ text: code, lang }) {
        const program = `${code}\n`;
        const settings = live;
        live = undefined;
        if (lang === "moe" && settings !== undefined)
          return liveHtml({ program, state: { ...settings, text: program } }, links.up, highlight);
        const coloured = lang === "moe" ? highlight(code) : escapeText(code);
        return `<pre${lang === "moe" ? ' class="moe-code"' : ""}><code>${coloured}</code></pre>\n`;
      },
      table(token) {
        return `<div class="wide">${tableHtml(token, (cell) => this.parser.parseInline(cell.tokens))}</div>\n`;
      },
      link({ href, tokens }) {
        return linkHtml(href, this.parser.parseInline(tokens), path, links);
      },
      image({ href, text: about }) {
        return imageHtml(href, about, path, links);
      },
    },
  });
  const html = marked.parse(text, { async: false });
  gatherText(html, sections);
  return { html, headings, sections };
}

function tableHtml(
  { header, align, rows }: Tokens.Table,
  inline: (cell: Tokens.TableCell) => string,
): string {
  const cell = (tag: string, each: Tokens.TableCell, i: number): string =>
    `<${tag}${align[i] === null ? "" : ` class="${align[i]}"`}>${inline(each)}</${tag}>`;
  const row = (tag: string, cells: readonly Tokens.TableCell[]): string =>
    `<tr>${cells.map((each, i) => cell(tag, each, i)).join("")}</tr>`;
  const head = header.some(({ text }) => text !== "") ? `<thead>${row("th", header)}</thead>` : "";
  return `<table>${head}<tbody>${rows.map((cells) => row("td", cells)).join("\n")}</tbody></table>`;
}

/** A link to a file that has no page is its text: the site is about what can be read here. */
function linkHtml(href: string, inner: string, path: string, { pageOf, up }: Links): string {
  if (/^[a-z]+:/.test(href)) return `<a href="${escapeText(href)}" rel="noopener">${inner}</a>`;
  const [file = "", fragment] = href.split("#");
  if (file === "") return `<a href="#${fragment ?? ""}">${inner}</a>`;
  const target = posix.normalize(posix.join(posix.dirname(path), file));
  const page = pageOf(target);
  if (page === undefined) return `<span class="file" title="${escapeText(target)}">${inner}</span>`;
  return `<a href="${up}${page}${fragment === undefined ? "" : `#${fragment}`}">${inner}</a>`;
}

/** Diagrams stand in the page itself, so that they follow its theme; pictures are files. */
function imageHtml(href: string, about: string, path: string, { up }: Links): string {
  const file = posix.join(posix.dirname(path), href);
  if (file.endsWith(".svg")) {
    const svg = readFileSync(file, "utf8").replace(/<style>[^]*?<\/style>/, "");
    return `<span class="railroad">${svg}</span>`;
  }
  return `<img src="${up}assets/${posix.basename(file)}" alt="${escapeText(about)}" loading="lazy">`;
}

export const plainText = (html: string): string =>
  html
    .replace(/<[^>]+>/g, "")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, "&");

/** As other renderers of Markdown make them, so that links into a page hold there and here. */
function idOf(text: string, used: Map<string, number>): string {
  const base = text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replace(/\s/g, "-");
  const count = used.get(base) ?? 0;
  used.set(base, count + 1);
  return count === 0 ? base : `${base}-${count}`;
}

/** Text between headings, without pictures. */
function gatherText(html: string, sections: { id: string; title: string; text: string }[]): void {
  const parts = html.replace(/<svg[^]*?<\/svg>/g, "").split(/<h[1-6] id="/);
  sections.forEach((section, i) => {
    const body = (parts[i + 1] ?? "").replace(/^[^]*?<\/h[1-6]>/, "");
    section.text = plainText(body.replace(/<\/(p|td|th|li|pre)>/g, " "))
      .replace(/\s+/g, " ")
      .trim();
  });
}
