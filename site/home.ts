// The first page: what the language is, in its own words and in a picture, and where to go on. In: the README's first lines and blocks.
// Out: a page.

import { readFileSync } from "node:fs";
import { drawFile } from "./drawing.ts";
import type { Group } from "./documents.ts";
import type { Highlight } from "./highlight.ts";
import type { SitePage } from "./page.ts";
import { prose } from "./gallery.ts";
import { hostOfFiles } from "./hosts.ts";

/** The example that the README is about. */
const shown = "examples/book/book.moe";

export function homePage(groups: readonly Group[], highlight: Highlight): SitePage {
  const readme = readFileSync("README.md", "utf8");
  const [, lead = ""] = /^# .*\n\n([^]*?)\n\n/.exec(readme) ?? [];
  const [, code = ""] = /```moe\n([^]*?)```/.exec(readme) ?? [];
  const picture = drawFile(hostOfFiles(), shown, `The model of ${shown}.`);
  const about: Readonly<Record<string, string>> = {
    Begin: "From one command to definitions that no library has.",
    "Look up": "What can be written and what it means; every rule, every option.",
    "The field": "Entries of the library as their papers write them, and what papers say, tried again.",
    Diagnostics: "What went wrong, why, and what to do.",
    Understand: "How it is built, what was measured, what changed.",
    API: "The package, name by name.",
  };
  const cards = groups
    .filter(({ title }) => about[title] !== undefined)
    .map(
      ({ title, pages }) =>
        `<div class="card"><a class="cover" href="${pages[0]![0]}"><strong>${title}</strong></a><span>${about[title]}</span></div>`,
    );
  return {
    address: "index.html",
    title: "moelang",
    group: "Begin",
    home: true,
    html: `<section class="hero">
<h1>A small language for mixture-of-experts models</h1>
<p class="lead">${prose(lead.replace(/_([^_]+)_/g, "$1").replace(/^A small language for mixture-of-experts models\.\s*/, ""))}</p>
<p class="actions"><a class="button" href="tutorial.html">A router of your own</a> <a class="button quiet" href="guide.html">New to the field? Ten steps</a> <a class="button quiet" href="gallery/index.html">The gallery</a></p>
</section>
<div class="pair"><pre class="moe-code"><code>${highlight(code)}</code></pre>
${picture === undefined ? "" : `<figure class="drawing">${picture.svg}<figcaption>The model of <a href="sources/${shown}.html"><code>${shown}</code></a>, as <code>moe graph</code> draws it.</figcaption></figure>`}</div>
<div class="cards">${cards.join("\n")}</div>`,
    headings: [],
    sections: [{ id: "", title: "moelang", text: lead }],
    summary: lead.replace(/\s+/g, " "),
  };
}
