// A prettier 3 plugin for `.moe` files. The style has no options, so the whole document is one piece of text that format.ts
// makes; prettier only carries it. A text with errors is refused with the first of them, as prettier expects of a parser.

import { builders } from "prettier/doc";
import type { Parser, Printer, SupportLanguage } from "prettier";
import { format } from "./format.ts";
import { positionAt } from "./text.ts";

interface Whole {
  readonly type: "moe";
  readonly text: string;
  readonly end: number;
}

export const languages: SupportLanguage[] = [{ name: "moe", parsers: ["moe"], extensions: [".moe"] }];

export const parsers: Record<"moe", Parser<Whole>> = {
  moe: {
    astFormat: "moe",
    parse(source) {
      const { text, diagnostics } = format(source);
      const error = diagnostics.find(({ severity }) => severity === "error");
      if (error === undefined) return { type: "moe", text, end: source.length };
      const help = error.help === undefined ? "" : `; ${error.help}`;
      throw Object.assign(new SyntaxError(`${error.message}${help} [${error.code}]`), {
        loc: { start: positionAt(source, error.at.span.start), end: positionAt(source, error.at.span.end) },
      });
    },
    locStart: () => 0,
    locEnd: ({ end }) => end,
  },
};

export const printers: Record<"moe", Printer<Whole>> = {
  moe: { print: ({ node }) => builders.join(builders.literalline, node.text.split("\n")) },
};
