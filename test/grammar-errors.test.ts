// Errors of syntax: the page of every code, exact texts, and what is still read after an error.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { syntaxPages } from "../grammar/pages.ts";
import { parse } from "../grammar/parse.ts";
import { renderDiagnostics } from "../grammar/text.ts";

const codesOf = (text: string): readonly string[] => parse(text, "a.moe").diagnostics.map(({ code }) => code);
const shown = (text: string): string =>
  `\n${renderDiagnostics(parse(text, "a.moe").diagnostics, () => text)}\n`;

describe("pages", () => {
  test.each(syntaxPages.map((page) => [page.code, page] as const))("%s", (code, { failing, fixed }) => {
    expect(codesOf(failing)).toEqual([code]);
    expect(codesOf(fixed)).toEqual([]);
  });

  test("no code of the grammar lacks a page", () => {
    const files = readdirSync("grammar").filter((file) => file !== "pages.ts" && file !== "diagnostic.ts");
    const used = new Set(
      files.flatMap((file) => readFileSync(`grammar/${file}`, "utf8").match(/"M00\d\d"/g) ?? []),
    );
    expect([...used].map((code) => code.slice(1, -1)).sort()).toEqual(syntaxPages.map(({ code }) => code));
  });
});

test("the exact text of every code", () => {
  for (const { code, failing } of syntaxPages) expect(shown(failing)).toMatchSnapshot(code);
});

describe("going on after an error", () => {
  test("every error of a file is reported in one run, one for each cause", () => {
    expect(
      shown(`layr Foo(D)(x: [D]) -> [D] {
  parm w: [D, D]
  y = x @ w @
  z = foo(x, 2
  u = y ++ 3 4
  choose top 2 score
  null zer * 8
  after steps: x += 1
  repeat ? 4 { x = 1 2 }
  x && y
  x
}

train Foo {
  bach 16
  steps
  evaluate 4
}
`),
    ).toMatchSnapshot();
  });

  test("a broken statement keeps the name that it binds", () => {
    const { module } = parse(
      "layer A(x: [D]) {\n  param w [D]\n  state s: 3\n  y = = 2\n  dim H 4\n  z = y\n}",
      "a.moe",
    );
    const [layer] = module.declarations;
    const body = layer?.node === "definition" ? layer.body : [];
    expect(body.map((one) => [one.node, "name" in one ? one.name?.text : undefined])).toEqual([
      ["param", "w"],
      ["state", "s"],
      ["bind", "y"],
      ["dim", "H"],
      ["bind", "z"],
    ]);
  });

  test("a broken header keeps the name of the definition and its body", () => {
    const { module, diagnostics } = parse(
      "layer A(D, 3)(x: [D]) -> [D] {\n  y = x\n  z = 3 4\n  y\n}\nlayer B(x: [D]) { x }",
      "a.moe",
    );
    expect(diagnostics.map(({ code }) => code)).toEqual(["M0005", "M0005"]);
    const names = module.declarations.map(
      (one) => one.node === "definition" && [one.name.text, one.body.length],
    );
    expect(names).toEqual([
      ["A", 3],
      ["B", 1],
    ]);
  });

  test("a bracket that is never closed spoils its own line, or its own declaration", () => {
    const { module, diagnostics } = parse(
      "layer A(x: [D]) {\n  y = f(x\n  repeat 3 {\n    y = 2\n  y\n}\nlayer B(x: [D]) {\n  x\n}\n",
      "a.moe",
    );
    expect(diagnostics.map(({ code, at }) => [code, at.span.start])).toEqual([
      ["M0003", 25],
      ["M0003", 39],
    ]);
    expect(module.declarations.length).toBe(2);
  });
});

describe("fixes", () => {
  test.each([
    ["train M {\n  stps 3\n}\n", "train M {\n  steps 3\n}\n"],
    ["layer A(x: [D]) {\n  f(x,)\n}\n", "layer A(x: [D]) {\n  f(x)\n}\n"],
    ["layer A(x: [D]) {\n  f(x\n}\n", "layer A(x: [D]) {\n  f(x)\n}\n"],
    ["layer A(x: [D]) {\n  f(x))\n}\n", "layer A(x: [D]) {\n  f(x)\n}\n"],
    ["moe A(x: [D]) {\n  null coppy\n}\n", "moe A(x: [D]) {\n  null copy\n}\n"],
  ])("%j", (text, mended) => {
    const [diagnostic] = parse(text, "a.moe").diagnostics;
    const { span, text: put } = diagnostic!.fix!;
    expect(text.slice(0, span.start) + put + text.slice(span.end)).toBe(mended);
    expect(codesOf(mended)).toEqual([]);
  });
});
