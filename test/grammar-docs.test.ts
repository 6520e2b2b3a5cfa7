// docs/grammar.md is made from the grammar; mend it with `npx vitest run test/grammar-docs.test.ts --update`.
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { grammarFiles } from "../scripts/grammar-docs.ts";

test("docs/grammar.md and its diagrams are fresh", async () => {
  const files = grammarFiles();
  for (const [file, text] of files) await expect(text).toMatchFileSnapshot(`../docs/${file}`);
  const diagrams = [...files.keys()]
    .filter((file) => file.endsWith(".svg"))
    .map((file) => file.replace("grammar/", ""));
  expect(readdirSync("docs/grammar").sort()).toEqual(diagrams.sort());
});
