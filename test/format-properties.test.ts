// Two laws of the formatter, over generated trees and over mutated real texts: parse(format(x)) = parse(x), spans aside, and
// format(format(x)) = format(x). Comments stay, in order.
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { format, printModule } from "../grammar/format.ts";
import { layOut } from "../grammar/layout.ts";
import { parse } from "../grammar/parse.ts";
import { printExpression } from "../grammar/print-expression.ts";
import { bare, expression } from "./helpers/expression-trees.ts";
import { aModule } from "./helpers/grammar-trees.ts";

const files = ["stdlib", "examples"].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".moe"))
    .map((file) => readFileSync(`${folder}/${file}`, "utf8")),
);

const commentsOf = (text: string): readonly string[] => layOut(text).comments.map((comment) => comment.text);
const treeOf = (text: string): unknown => {
  const { module } = parse(text, "a.moe");
  return bare({ ...module, comments: [] });
};

function expectLaws(text: string): void {
  const once = format(text);
  expect(once.diagnostics).toEqual([]);
  expect(treeOf(once.text)).toEqual(treeOf(text));
  expect(commentsOf(once.text)).toEqual(commentsOf(text));
  expect(format(once.text).text).toBe(once.text);
}

test("the laws hold for every text of the project", () => {
  expect(files.length).toBeGreaterThan(8);
  for (const text of files) expectLaws(text);
});

test("a generated expression is printed so that it is read back", () => {
  fc.assert(
    fc.property(expression, (tree) => {
      const { module, diagnostics } = parse(`function F(x: [D]) { (${printExpression(tree)}) }`, "a.moe");
      expect(diagnostics).toEqual([]);
      const [definition] = module.declarations;
      const [result] = definition?.node === "definition" ? definition.body : [];
      expect(bare(result, false)).toEqual(bare({ node: "result", value: tree }, false));
    }),
    { numRuns: 300 },
  );
});

test("a generated module is printed so that it is read back, and its format does not change", () => {
  fc.assert(
    fc.property(aModule, (tree) => {
      const text = printModule(tree);
      const { module, diagnostics } = parse(text, "a.moe");
      expect(diagnostics).toEqual([]);
      expect(bare(module, false)).toEqual(bare(tree, false));
      expectLaws(text);
    }),
    { numRuns: 100 },
  );
});

/** Blanks, newlines and comments put in wherever the language lets them stand, and taken out. */
const blanks = fc.tuple(
  fc.constantFrom(...files),
  fc.array(
    fc.tuple(
      fc.nat(),
      fc.constantFrom(" ", "\n", "\n\n\n", " // note\n", "\n// note\n", "\n/// doc\n", "\t", "\r\n"),
    ),
    { maxLength: 8 },
  ),
);

test("the laws hold for real texts with blanks and comments put in at random", () => {
  let kept = 0;
  fc.assert(
    fc.property(blanks, ([file, edits]) => {
      let text = file;
      for (const [at, put] of edits) {
        const edges = [...text.matchAll(/(?<=[\s()[\]{},:=+*/@-])|(?=[()[\]{},:=+*/@-])/g)].map(
          (match) => match.index,
        );
        const place = edges[at % edges.length] ?? 0;
        const changed = text.slice(0, place) + put + text.slice(place);
        // Only edits that leave the text well-formed: a newline may not stand everywhere.
        if (parse(changed, "a.moe").diagnostics.length === 0) text = changed;
      }
      if (text !== file) kept += 1;
      expectLaws(text);
    }),
    { numRuns: 60 },
  );
  expect(kept).toBeGreaterThan(40);
});
