// The catalogue of diagnostics: every failing program raises its code and nothing else, with the exact text that is kept beside
// this test; every fixed program compiles without a word. Mend the texts with `npx vitest run test/diagnostics.test.ts -u`.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkModel } from "../compiler/check/check.ts";
import { catalogue } from "../compiler/diagnostics/catalogue.ts";
import { elaborateModel, modelsOf } from "../compiler/elaborate/model.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import { hasErrors } from "../compiler/model.ts";
import { loadModel } from "../compiler/resolve.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import { renderDiagnostic } from "../grammar/text.ts";
import { hostOf } from "./helpers/elaborate.ts";

/** Everything that is said of a program: by parsing, resolving, checking, and building each model in every mode. */
function allOf(text: string, files: Readonly<Record<string, string>> = {}): readonly Diagnostic[] {
  const model = loadModel(hostOf({ ...files, "main.moe": text }), "main.moe");
  const found = [...model.diagnostics];
  if (hasErrors(found)) return found;
  found.push(...checkModel(model));
  if (hasErrors(found)) return found;
  for (const { name } of modelsOf(model))
    for (const mode of ["training", "inference"] as const) {
      const { diagnostics } = elaborateModel(model, name.text, { mode, builder: new GraphBuilder() });
      if (diagnostics.length > 0) return [...found, ...diagnostics];
    }
  return found;
}

describe("catalogue", () => {
  test.each(catalogue.map((page) => [page.code, page] as const))(
    "%s",
    async (code, { failing, fixed, files }) => {
      const raised = allOf(failing, files);
      const host = hostOf({ ...files, "main.moe": failing });
      expect(raised.map((each) => each.code)).toEqual([code]);
      const text = raised.map((each) => renderDiagnostic(each, (module) => host.read(module))).join("\n");
      await expect(`${text}\n`).toMatchFileSnapshot(`diagnostics/${code}.txt`);
      const left = allOf(fixed, files).map((each) => `${each.code} ${each.message}`);
      expect(left).toEqual([]);
    },
  );

  test("every code that the compiler and the grammar report has a page, once", () => {
    const folders = ["compiler", "compiler/check", "compiler/elaborate", "grammar"];
    const used = new Set(
      folders.flatMap((folder) =>
        readdirSync(folder)
          .filter((file) => file.endsWith(".ts"))
          .flatMap((file) =>
            [...readFileSync(`${folder}/${file}`, "utf8").matchAll(/"(M0\d{3})"/g)].map((match) => match[1]!),
          ),
      ),
    );
    const pages = catalogue.map(({ code }) => code);
    expect(pages.length).toBe(new Set(pages).size);
    expect([...used].filter((code) => !pages.includes(code)).sort()).toEqual([]);
    expect(pages.filter((code) => !used.has(code))).toEqual([]);
  });

  test("titles are short, and explanations are sentences", () => {
    for (const { title, explanation } of catalogue) {
      expect(title.length).toBeLessThan(80);
      expect(title).not.toMatch(/\.$/);
      expect(explanation).toMatch(/\.\)?$/);
    }
  });
});
