// Any text gives a tree and diagnostics, in bounded time, and never an exception; hostile texts take time linear in their length.
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { format } from "../grammar/format.ts";
import { parse } from "../grammar/parse.ts";
import { renderDiagnostics } from "../grammar/text.ts";
import { tokenTypes } from "../grammar/tokens.ts";

const files = readdirSync("stdlib")
  .filter((file) => file.endsWith(".moe"))
  .map((file) => readFileSync(`stdlib/${file}`, "utf8"));

function expectCalm(text: string): void {
  const { module, diagnostics } = parse(text, "a.moe");
  expect(module.span).toEqual({ start: 0, end: text.length });
  expect(diagnostics.length).toBeLessThanOrEqual(100);
  for (const { code, message, at, help } of diagnostics) {
    expect(code).toMatch(/^M00\d\d$/);
    expect(message).not.toMatch(/Expecting|-->|undefined|NaN|\n/);
    expect(help).toBeTruthy();
    expect(at.span.start >= 0 && at.span.start <= at.span.end && at.span.end <= text.length).toBe(true);
  }
  const picture = renderDiagnostics(diagnostics, () => text);
  expect(picture).not.toMatch(/NaN|undefined/);
  const formatted = format(text);
  if (diagnostics.length > 0) expect(formatted.text).toBe(text);
}

const images = tokenTypes
  .flatMap(({ PATTERN }) => (typeof PATTERN === "string" ? [PATTERN] : []))
  .concat(["x", "D", "3", "0.5", '"a"', "// c\n", "/// d\n", "\n", "\n", "\n"]);

describe("never an exception", () => {
  test("random characters", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), expectCalm), { numRuns: 120 });
  });
  test("random characters of the language", () => {
    const unit = fc.constantFrom(...'(){}[]=+-*/@^<>!.,:%"abcx01 \n\r\t;&|#é😀\u0000');
    fc.assert(fc.property(fc.string({ unit, maxLength: 120 }), expectCalm), { numRuns: 200 });
  });
  test("random rows of tokens, alone and in a body", () => {
    const row = fc.array(fc.constantFrom(...images), { maxLength: 40 }).map((tokens) => tokens.join(" "));
    fc.assert(fc.property(row, expectCalm), { numRuns: 120 });
    fc.assert(
      fc.property(row, (text) => expectCalm(`router R(D, N)(x: [D]) -> gates[N] {\n${text}\n}\n`)),
      { numRuns: 120 },
    );
    fc.assert(
      fc.property(row, (text) => expectCalm(`train M {\n${text}\n}\n`)),
      { numRuns: 60 },
    );
  });
  test("real programs with pieces taken out, doubled and exchanged", () => {
    const edit = fc.tuple(
      fc.nat(),
      fc.nat(40),
      fc.constantFrom("cut", "double", "token"),
      fc.constantFrom(...images),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...files),
        fc.array(edit, { minLength: 1, maxLength: 6 }),
        (file, edits) => {
          let text = file;
          for (const [place, length, kind, image] of edits) {
            const at = place % (text.length + 1);
            const piece = text.slice(at, at + length);
            const put = kind === "cut" ? "" : kind === "double" ? piece + piece : image;
            text = text.slice(0, at) + put + text.slice(at + length);
          }
          expectCalm(text);
        },
      ),
      { numRuns: 80 },
    );
  });
});

describe("hostile texts", () => {
  const many = 10_000;
  const body = (text: string): string => `layer A(x: [D]) {\n${text}\n}\n`;
  const table: readonly (readonly [string, string])[] = [
    ["open parentheses", body(`y = ${"(".repeat(many)}`)],
    ["open brackets of all sorts", body("([{".repeat(many))],
    ["open blocks", body("repeat 2 {\n".repeat(many))],
    ["closed blocks", body("repeat 2 {\n".repeat(many) + "}\n".repeat(many))],
    ["closing brackets", body(")]}".repeat(many))],
    ["openers, then closers of another sort", body("(".repeat(many) + "]".repeat(many))],
    ["nested parentheses", body(`y = ${"(".repeat(many)}x${")".repeat(many)}`)],
    ["nested if", body(`y = ${"if a then b else ".repeat(many)}c`)],
    ["if in conditions", body(`y = ${"if ".repeat(many)}c`)],
    ["else if", body(`if a { }${" else if a { }".repeat(many)}`)],
    ["after step", body("after step: ".repeat(many) + "x = 1")],
    ["signs", body(`y = ${"-".repeat(many)}x`)],
    ["not", body(`y = ${"not ".repeat(many)}x`)],
    ["a long sum", body(`y = ${"x + ".repeat(many)}x`)],
    ["a long power", body(`y = ${"x ^ ".repeat(many)}x`)],
    ["a long chain of calls", body(`y = f${"(x)".repeat(many)}`)],
    ["a long chain of members", body(`y = f${".x".repeat(many)}`)],
    ["reshapes", body(`y = x${" as []".repeat(many)}`)],
    ["a long list", body(`y = [${"x, ".repeat(many)}x]`)],
    ["many statements", body("y = x + 1\n".repeat(many / 4))],
    ["many errors", body("y = + = 1\n".repeat(many / 4))],
    ["many strange characters", "? ".repeat(many)],
    ["many lines", "\n".repeat(10 * many)],
    ["many blank lines after an open block", `layer A {${"\n// c\n\n".repeat(many)}`],
    ["one long line", "x".repeat(10 * many)],
    ["many quotes", '"'.repeat(many + 1)],
    ["indexed bindings", body(`y${"[".repeat(many)}`)],
    ["comments", "/// a\n".repeat(many)],
  ];
  test.each(table)("%s", (_, text) => {
    const start = performance.now();
    const { diagnostics } = parse(text, "a.moe");
    // A generous bound for a busy machine; anything quadratic takes minutes at this length.
    expect(performance.now() - start).toBeLessThan(4000);
    renderDiagnostics(diagnostics.slice(0, 2), () => text);
    if (diagnostics.length === 0) expect(format(text).diagnostics).toEqual([]);
  });

  test("the deepest text that is accepted overflows nothing, in the parser or in the formatter", () => {
    const deep = (opener: string, closer: string, levels: number): string =>
      body(`y = ${opener.repeat(levels)}x${closer.repeat(levels)}`);
    for (const [opener, closer] of [
      ["(", ")"],
      ["f(", ")"],
      ["[", "]"],
      ["a[", "]"],
      ["if a then b else ", ""],
      ["F { k = ", " }"],
    ] as const) {
      let accepted = 0;
      for (let levels = 1; parse(deep(opener, closer, levels), "a.moe").diagnostics.length === 0; levels += 1)
        accepted = levels;
      expect(accepted).toBeGreaterThan(20);
      expect(accepted).toBeLessThan(300);
      expect(format(deep(opener, closer, accepted)).diagnostics).toEqual([]);
      expect(parse(deep(opener, closer, accepted + 1), "a.moe").diagnostics.map(({ code }) => code)).toEqual([
        "M0007",
      ]);
    }
  });
});
