// Documents are tests: every `moe` block of the README and of docs/ is checked, and so are the forms in the tables of
// docs/language.md. The blocks of a page are one module that grows: a later declaration replaces an earlier one of its
// name. Blocks of statements without a declaration (fragments) have to be read without a complaint. Names of the standard
// library need no import here, so that a page can show a definition alone.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { optimizerDefaults } from "../compiler/build/optimizer.ts";
import { checkModule } from "../compiler/compile.ts";
import { formulas } from "../compiler/elaborate/element-wise.ts";
import { builtinNames } from "../compiler/elaborate/functions.ts";
import { reductions } from "../compiler/elaborate/reduce.ts";
import { routerNames } from "../compiler/elaborate/router.ts";
import { scheduleNames } from "../compiler/elaborate/schedules.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";
import { parse } from "../grammar/parse.ts";
import { renderDiagnostics } from "../grammar/text.ts";
import { hostOf } from "../index.ts";
import { stdlib } from "../stdlib/sources.ts";

const errorsIn = (text: string, found: readonly Diagnostic[]): string =>
  renderDiagnostics(
    found.filter(({ severity }) => severity === "error"),
    () => text,
  );
const wrongIn = (text: string): string =>
  errorsIn(text, checkModule(hostOf({ "page.moe": text }), "page.moe"));

const library = Object.entries(stdlib).map(
  ([module, text]) =>
    [
      module,
      parse(text, module).module.declarations.flatMap((each) =>
        each.node === "definition" ? [each.name.text] : [],
      ),
    ] as const,
);

/** Imports of what the text uses of the standard library and does not declare or import itself. */
function imports(text: string): string {
  const { declarations, imports: own } = parse(text, "page.moe").module;
  const known = new Set([
    ...declarations.flatMap((each) => (each.node === "definition" ? [each.name.text] : [])),
    ...own.flatMap(({ names }) => names.map((name) => name.text)),
  ]);
  const lines = library.flatMap(([module, names]) => {
    const used = names.filter((name) => !known.has(name) && new RegExp(`\\b${name}\\b`).test(text));
    return used.length === 0 ? [] : [`import ${module} { ${used.join(", ")} }`];
  });
  return lines.join("\n");
}

const complete = (text: string): string => `${imports(text)}\n${text}`;

/** The fenced blocks of a page, with the line on which each begins. */
function blocksOf(
  page: string,
  language: string,
): readonly { readonly line: number; readonly text: string }[] {
  const fence = new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, "gm");
  return [...page.matchAll(fence)].map((match) => ({
    line: page.slice(0, match.index).split("\n").length + 1,
    text: match[1]!,
  }));
}

const pages = [
  "README.md",
  "examples/README.md",
  ...readdirSync("docs").map((file) => `docs/${file}`),
].filter((file) => file.endsWith(".md") && file !== "docs/grammar.md" && existsSync(file));
const withBlocks = pages.filter((file) => blocksOf(readFileSync(file, "utf8"), "moe").length > 0);

describe("blocks", () => {
  test("the reference and the README have some", () => {
    expect(withBlocks).toEqual(expect.arrayContaining(["docs/language.md"]));
  });

  test.each(withBlocks)("%s", (file) => {
    const declared = new Map<string, string>();
    const brought = new Set<string>();
    for (const { line, text } of blocksOf(readFileSync(file, "utf8"), "moe")) {
      const { module, diagnostics } = parse(text, "page.moe");
      if (module.declarations.length + module.imports.length === 0) {
        const bodies = [`layer Body(x: [D]) {\n${text}\n}`, `train Body {\n${text}\n}`];
        const wrong = bodies.map((body) => errorsIn(body, parse(body, "page.moe").diagnostics));
        expect(wrong.includes("") ? "" : wrong[0], `${file}:${line}`).toBe("");
        continue;
      }
      expect(errorsIn(text, diagnostics), `${file}:${line}`).toBe("");
      for (const each of module.imports) brought.add(text.slice(each.span.start, each.span.end));
      for (const each of module.declarations) {
        const name = each.node === "train" ? `train ${each.model.text}` : each.name.text;
        declared.set(name, text.slice(each.span.start, each.span.end));
      }
      // What a later block declares itself is no longer imported.
      const own = [...brought].filter(
        (line) => ![...declared.keys()].some((name) => line.includes(`${name} `)),
      );
      expect(wrongIn(complete([...own, ...declared.values()].join("\n\n"))), `${file}:${line}`).toBe("");
    }
  });
});

const language = readFileSync("docs/language.md", "utf8");
/** First cells of a section's table: what stands in backticks there. */
const formsOf = (section: string): readonly string[] => {
  const text = language.split(`\n## ${section}\n`)[1]!.split("\n## ")[0]!;
  return [...text.matchAll(/^\| (`.*?) \|/gm)].flatMap((row) =>
    [...row[1]!.matchAll(/`([^`]+)`/g)].map((form) => form[1]!),
  );
};
/** What stands in backticks between two texts of the reference. */
const quotedBetween = (from: string, to: string): readonly string[] =>
  [
    ...language
      .split(from)[1]!
      .split(to)[0]!
      .matchAll(/`([^`]+)`/g),
  ].map((match) => match[1]!);

describe("the reference", () => {
  test.each(formsOf("Routers"))("%s", (form) => {
    const text = `
router Page(D, N, C = 2, k = 2)(x: [D], route: int [2]) -> gates[N] {
  param w: [D, N]
  score = softmax(x @ w)
  q = sigmoid(x @ w)
  ${form}
  weight score
}

model Shown {
  modality text = tokens(vocab = 64)
  param table: [64, 8]
  x = table[text]
  route[t, i: 2] = mod(text[t] + i, 64)
  pool = SwiGLU(8, 8) * 64
  x = x + pool(x) by Page(x, route)
  logits = x @ transpose(table)
}`;
    expect(wrongIn(complete(text))).toBe("");
  });

  test.each(quotedBetween("Initialisers: ", " |"))("initialiser %s", (initialiser) => {
    const value = initialiser.replace(/\b(deviation|gain|high)\b/g, "2").replace("low", "-1");
    const shape = value.startsWith("[") ? `[${value.split(",").length}]` : "[4, 4]";
    const text = `
model Shown {
  modality day = features(4)
  param other: [4, 4]
  param shown: ${shape} = ${value}
  logits = day @ other
}`;
    expect(wrongIn(text)).toBe("");
  });

  test.each(quotedBetween("Also: ", " Optimisers,"))("setting %s", (setting) => {
    const text = `
moe Layer(D)(x: [D]) -> [D] {
  routed SwiGLU(D, D) * 4
  router TopK
}

model Shown {
  modality text = tokens(vocab = 256)
  param table: [256, 8]
  param embed_more: [256, 8]
  x = Layer(8)(table[text] + embed_more[text])
  logits = x @ transpose(table)
  loss cross_entropy(logits, text.next)
}

train Shown {
  data text = bytes("*.txt")
  batch 2 of 8
  steps 10
  optimizer adamw { rate = 1e-3 }
  ${setting}
}`;
    // Early stopping counts evaluations, so it needs some.
    const whole = setting.startsWith("stop")
      ? text.replace(setting, `${setting}\n  evaluate every 2 on 5%`)
      : text;
    expect(wrongIn(complete(whole))).toBe("");
  });

  test("every function, schedule and name that the compiler knows is in it", () => {
    const known = [
      ...Object.keys(formulas),
      ...builtinNames,
      ...reductions,
      ...scheduleNames,
      ...routerNames,
      ...Object.entries(optimizerDefaults).flatMap(([name, options]) => [name, ...Object.keys(options)]),
      ...["inf", "pi", "true", "false", "training", "inference", "step", "steps", "progress"],
    ];
    const words = new Set(language.match(/\w+/g));
    expect(known.filter((name) => !words.has(name))).toEqual([]);
  });
});
