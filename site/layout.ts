// The frame of every page: head, navigation, the list of sections, the place of the search. In: a page and the groups of pages. Out: HTML.

import { escapeText } from "../cli/report/html.ts";
import type { Group } from "./documents.ts";
import { upFrom, type SitePage } from "./page.ts";

export interface Frame {
  /** In the order of the navigation. */
  readonly groups: readonly Group[];
  readonly version: string;
}

/** The theme is set before anything is drawn, so that a page never flashes. */
const early = `try{const t=localStorage.getItem("theme");if(t)document.documentElement.dataset.theme=t}catch{}`;

export function layout(page: SitePage, { groups, version }: Frame): string {
  const up = upFrom(page.address);
  const link = ([address, title]: readonly [string, string]): string =>
    `<li><a href="${up}${address}"${address === page.address ? ' aria-current="page"' : ""}>${escapeText(title)}</a></li>`;
  const navigation = groups
    .filter(({ within }) => within === undefined || page.address.startsWith(within))
    .map(({ title, pages, within }) => {
      const inside = pages.some(([address]) => address === page.address);
      const list = `<ul>${pages.map(link).join("")}</ul>`;
      return within === undefined
        ? `<section><h3>${escapeText(title)}</h3>${list}</section>`
        : `<details class="family"${inside ? " open" : ""}><summary>${escapeText(title)}</summary>${list}</details>`;
    })
    .join("\n");
  const shown = page.headings.filter(({ depth }) => depth === 2 || depth === 3);
  const contents =
    page.home === true || shown.length < 2
      ? ""
      : `<aside class="contents" aria-label="On this page"><h3>On this page</h3><ul>${shown
          .map(
            ({ depth, id, text }) =>
              `<li class="depth-${depth}"><a href="#${id}">${escapeText(text)}</a></li>`,
          )
          .join("")}</ul></aside>`;
  const title = page.home === true ? "moelang" : `${page.title} · moelang`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeText(title)}</title>
<meta name="description" content="${escapeText((page.summary ?? page.title).slice(0, 200))}">
<link rel="icon" href="data:,">
<script>${early}</script>
<link rel="stylesheet" href="${up}assets/style.css">
<script type="module" src="${up}assets/site.js"></script>
</head>
<body data-up="${up}"${page.home === true ? ' class="home"' : ""}>
<a class="skip" href="#main">Skip to the text</a>
<header>
<button type="button" id="menu" aria-label="Pages" aria-expanded="false" aria-controls="pages">☰</button>
<a class="brand" href="${up}index.html">moe<span>lang</span></a>
<div class="search" role="search">
<input id="search" type="search" placeholder="Search" aria-label="Search" autocomplete="off" spellcheck="false">
<kbd>/</kbd>
<ol id="found" hidden></ol>
</div>
<button type="button" id="theme" aria-label="Light or dark">◐</button>
</header>
<div class="frame">
<nav id="pages" aria-label="Pages">
${navigation}
<p class="version">${escapeText(version)}</p>
</nav>
<main id="main">
${page.html}
</main>
${contents}
</div>
</body>
</html>
`;
}
