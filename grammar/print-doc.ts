// The layout engine under the formatter: prettier's document algebra, which also runs in a page.

import { builders, printer } from "prettier/doc";

export type Doc = builders.Doc;

export const doc = builders;

/** The document as text; `width` columns are kept where the document allows. */
export function layOutDoc(document: Doc, width: number): string {
  return printer.printDocToString(document, { printWidth: width, tabWidth: 2, useTabs: false }).formatted;
}
