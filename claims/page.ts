// The page of the claims: docs/claims.md with its results put in anew. In: the page's text, weighed claims. Out: its text.

import { format } from "prettier";
import { claimsPage, type Weighed } from "./table.ts";

const marks = ["<!-- begin of the results -->", "<!-- end of the results -->"] as const;

export async function withResults(page: string, weighed: readonly Weighed[]): Promise<string> {
  const [from, to] = marks.map((mark) => page.indexOf(mark)) as [number, number];
  if (from < 0 || to < from) throw new Error("internal: the page has no place for the results");
  const text = `${page.slice(0, from + marks[0].length)}\n\n${claimsPage(weighed)}\n\n${page.slice(to)}`;
  return format(text, { parser: "markdown", printWidth: 110 });
}
