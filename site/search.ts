// The search's index, made when the site is built. In: sections of pages. Out: JSON that the page's script loads (client.ts), with the
// same options on both sides.

import MiniSearch, { type Options } from "minisearch";
import type { SitePage } from "./page.ts";

export interface Found {
  readonly id: number;
  /** Address with fragment. */
  readonly at: string;
  readonly title: string;
  readonly page: string;
  readonly group: string;
  /** The beginning of its text. */
  readonly start: string;
}

export const searchOptions: Options<Found & { readonly text: string }> = {
  fields: ["title", "page", "text"],
  storeFields: ["at", "title", "page", "group", "start"],
  // Names of the language are one word, and so are their parts: NullAware, top-p, M0304, drop_lowest.
  tokenize: (text) =>
    text
      .split(/[^\p{L}\p{N}_]+/u)
      .flatMap((word) => [word, ...(word.match(/[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+/g) ?? [])])
      .filter((word, i, all) => word.length > 1 && all.indexOf(word) === i),
  searchOptions: { boost: { title: 4, page: 2 }, prefix: true, fuzzy: 0.15, combineWith: "AND" },
};

export function searchIndex(pages: readonly SitePage[]): string {
  const index = new MiniSearch(searchOptions);
  index.addAll(
    pages
      .flatMap(({ address, title: page, group, sections }) =>
        sections.map(({ id, title, text }) => ({
          at: id === "" ? address : `${address}#${id}`,
          ...{ title, page, group, text },
          start: text.slice(0, 110),
        })),
      )
      .map((entry, id) => ({ id, ...entry })),
  );
  return JSON.stringify(index);
}
