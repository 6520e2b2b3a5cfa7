// Pages of diagnostics: what `moe explain` says, with programs in colours. In: the catalogues. Out: a list, and a page for each code.

import { pages, type Page } from "../cli/pages.ts";
import { prose } from "./gallery.ts";
import type { Highlight } from "./highlight.ts";
import type { SitePage } from "./page.ts";

const addressOf = ({ code }: Page): string => `diagnostics/${code}.html`;

export async function diagnosticPages(highlight: Highlight): Promise<readonly SitePage[]> {
  const all = await pages();
  const groups = [...new Set(all.map(({ group }) => group))];
  const lists = groups.map((group) => {
    const items = all
      .filter((page) => page.group === group)
      .map(
        (page) => `<li><a href="${page.code}.html"><code>${page.code}</code> ${prose(page.title)}</a></li>`,
      );
    return `<h2 id="${idOf(group)}">${group}</h2>\n<ul class="codes">${items.join("\n")}</ul>`;
  });
  const index: SitePage = {
    address: "diagnostics/index.html",
    title: "Diagnostics",
    group: "Diagnostics",
    html: `<h1 id="diagnostics">Diagnostics</h1>\n<p class="lead">What the compiler, the runtime and the command line may say. <code>moe explain CODE</code> shows the same pages.</p>\n${lists.join("\n")}`,
    headings: groups.map((group) => ({ depth: 2, id: idOf(group), text: group })),
    sections: [{ id: "", title: "Diagnostics", text: "moe explain" }],
  };
  return [index, ...all.map((page) => codePage(page, highlight))];
}

const idOf = (group: string): string => group.toLowerCase().replaceAll(" ", "-");

function codePage(page: Page, highlight: Highlight): SitePage {
  const { code, title, group, text, failing, fixed } = page;
  const program = (name: string, body: string | undefined): string =>
    body === undefined
      ? ""
      : `<h2 id="${name.toLowerCase()}">${name}</h2>\n<pre class="moe-code"><code>${highlight(body)}</code></pre>`;
  const paragraphs = text.split(/\n\s*\n/).map((each) => `<p>${prose(each.trim())}</p>`);
  return {
    address: addressOf(page),
    title: `${code}: ${title}`,
    group: "Diagnostics",
    html: `<h1><code>${code}</code> ${prose(title)}</h1>\n<p class="badges"><a class="badge" href="index.html#${idOf(group)}">${group}</a></p>\n${paragraphs.join("\n")}\n${program("Failing", failing)}\n${program("Mended", fixed)}`,
    headings: [],
    sections: [{ id: "", title: `${code}: ${title}`, text }],
    summary: title,
  };
}
