// A page of the site before its frame, and where the pages are in it.

import type { Heading, Rendered, Section } from "./markdown.ts";

export interface SitePage {
  /** From the root of the site: `gallery/TopK.html`. */
  readonly address: string;
  readonly title: string;
  /** What the search shows beside its title. */
  readonly group: string;
  readonly html: string;
  readonly headings: readonly Heading[];
  readonly sections: readonly Section[];
  /** For the page's head. */
  readonly summary?: string;
  /** Of its own: no list of sections beside it. */
  readonly home?: boolean;
}

export const upFrom = (address: string): string => "../".repeat(address.split("/").length - 1);

export const fromRendered = (
  address: string,
  group: string,
  { html, headings, sections }: Rendered,
): SitePage => {
  const title = headings.find(({ depth }) => depth === 1)?.text ?? address;
  const first = /<p>([^]*?)<\/p>/.exec(html)?.[1];
  const summary = first === undefined ? {} : { summary: first.replace(/<[^>]+>/g, "").replace(/\s+/g, " ") };
  return { address, title, group, html, headings, sections, ...summary };
};
