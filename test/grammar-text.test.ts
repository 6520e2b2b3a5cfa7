// Diagnostics as text: exact pictures, GitHub lines, plain data.
import { describe, expect, test } from "vitest";
import type { Diagnostic, Place } from "../grammar/diagnostic.ts";
import {
  linesOf,
  positionAt,
  renderDiagnostic,
  renderDiagnostics,
  toGitHub,
  toJson,
} from "../grammar/text.ts";

const ffn = `expert Narrow(H)(x: [Model]) -> [H] {
  param up: [Model, H]
  x @ up
}

dim Model = 512
dim Hidden = 1408

moe Ffn(x: [T, Model]) -> [T, Model] {
  routed Narrow(Hidden) * 64
}
`;
const place = (text: string, find: string, label: string, module = "ffn.moe"): Place => {
  const start = text.indexOf(find);
  return { module, span: { start, end: start + find.length }, label };
};
const diagnostic = (at: Place, more: Partial<Diagnostic> = {}): Diagnostic => ({
  ...{
    code: "M0304",
    severity: "error",
    message: "the expert returns a different width than the layer",
    at,
    related: [],
  },
  ...more,
});
const sources = (module: string): string | undefined => (module === "ffn.moe" ? ffn : undefined);

describe("pictures", () => {
  test("both places in one picture", () => {
    const two = diagnostic(place(ffn, "Narrow(Hidden) * 64", "this returns `Hidden` (1408)"), {
      related: [place(ffn, "[T, Model] {", "the layer returns `Model` (512)")],
      help: "end `Narrow` with a projection to `Model`",
    });
    expect(renderDiagnostic(two, sources))
      .toBe(`error[M0304]: the expert returns a different width than the layer
  --> ffn.moe:10:10
   |
 9 | moe Ffn(x: [T, Model]) -> [T, Model] {
   |                           ------------ the layer returns \`Model\` (512)
10 |   routed Narrow(Hidden) * 64
   |          ^^^^^^^^^^^^^^^^^^^ this returns \`Hidden\` (1408)
   |
   = help: end \`Narrow\` with a projection to \`Model\``);
  });

  test("errors before warnings, those of one module by their place", () => {
    const of = (module: string, start: number, severity: Diagnostic["severity"]): Diagnostic =>
      diagnostic({ module, span: { start, end: start }, label: "" }, { severity, message: `${start}` });
    const found = [
      of("a.moe", 5, "warning"),
      of("b.moe", 9, "error"),
      of("a.moe", 7, "error"),
      of("b.moe", 1, "warning"),
      of("a.moe", 2, "error"),
      of("b.moe", 3, "error"),
    ];
    const heads = renderDiagnostics(found, () => undefined).match(/^(error|warning).*\n -*> \w/gm);
    expect(heads?.map((head) => head.replace(/\[M0304\]|\n -->/g, ""))).toEqual([
      "error: 2 a",
      "error: 7 a",
      "error: 3 b",
      "error: 9 b",
      "warning: 5 a",
      "warning: 1 b",
    ]);
  });

  test("two places on one line, the rightmost first", () => {
    const text = "x = a @ b\n";
    const both = diagnostic(place(text, "a", "`[D]`", "a.moe"), {
      related: [place(text, "b", "`[H, N]`", "a.moe")],
      help: "see to it",
    });
    expect(renderDiagnostic(both, () => text))
      .toBe(`error[M0304]: the expert returns a different width than the layer
 --> a.moe:1:5
  |
1 | x = a @ b
  |         - \`[H, N]\`
  |     ^ \`[D]\`
  |
  = help: see to it`);
  });

  test("a place in another module has a frame of its own; a module without text has no lines", () => {
    const other = "layer A(x: [D]) {\n  x\n}\n";
    const related = [
      place(other, "x: [D]", "declared here", "a.moe"),
      { module: "std.x", span: { start: 3, end: 4 }, label: "" },
    ];
    const shown = renderDiagnostic(
      diagnostic(place(ffn, "Hidden", "has no axis"), { related, severity: "warning", help: "look there" }),
      (module) => (module === "a.moe" ? other : sources(module)),
    );
    expect(shown).toBe(`warning[M0304]: the expert returns a different width than the layer
 --> ffn.moe:7:5
  |
7 | dim Hidden = 1408
  |     ^^^^^^ has no axis
 ::: a.moe:1:9
  |
1 | layer A(x: [D]) {
  |         ------ declared here
 ::: std.x
  = help: look there`);
  });

  test("a span over lines is marked to the end of its first; an empty one has one mark; the end of a file has a line", () => {
    const text = "abc\ndef";
    const show = (start: number, end: number): string =>
      renderDiagnostic(diagnostic({ module: "a", span: { start, end }, label: "" }), () => text)
        .split("\n")
        .slice(1)
        .join("\n");
    expect(show(1, 6)).toBe(" --> a:1:2\n  |\n1 | abc\n  |  ^^");
    expect(show(3, 3)).toBe(" --> a:1:4\n  |\n1 | abc\n  |    ^");
    expect(show(7, 7)).toBe(" --> a:2:4\n  |\n2 | def\n  |    ^");
  });

  test("tabs and control characters are one blank wide, characters outside the basic plane one character", () => {
    const text = "\t\u0007😀 x";
    const shown = renderDiagnostic(diagnostic(place(text, "x", "here", "a")), () => text);
    expect(shown.split("\n").slice(1).join("\n")).toBe(" --> a:1:5\n  |\n1 |   😀 x\n  |     ^ here");
  });

  test("of a very long line the part around the mark is shown", () => {
    const text = `${"a".repeat(1000)}!${"b".repeat(1000)}`;
    const [, , , line = "", mark = ""] = renderDiagnostic(
      diagnostic(place(text, "!", "here", "a")),
      () => text,
    ).split("\n");
    expect(line.length).toBeLessThan(180);
    expect(line).toMatch(/^1 \| \.\.\.a+!b+\.\.\.$/);
    expect(mark.indexOf("^")).toBe(line.indexOf("!"));
  });

  test("colours only where asked", () => {
    const one = diagnostic(place(ffn, "Hidden", "here"), { help: "so" });
    const coloured = renderDiagnostic(one, sources, true);
    expect(coloured).toContain("\u001B[31m");
    expect(coloured.replace(/\u001B\[\d+m/g, "")).toBe(renderDiagnostic(one, sources));
  });
});

describe("data", () => {
  test("GitHub", () => {
    const one = diagnostic(place(ffn, "Hidden", "here"), { message: "100% wrong", help: "a\nb" });
    expect(toGitHub(one, sources)).toBe(
      "::error file=ffn.moe,line=7,endLine=7,col=5,endColumn=11,title=M0304::100%25 wrong; a%0Ab",
    );
    expect(toGitHub(diagnostic({ ...one.at, module: "a,b:c" }), () => undefined)).toMatch(
      /^::error file=a%2Cb%3Ac,title=M0304::/,
    );
  });

  test("plain data with lines and columns", () => {
    const one = diagnostic(place(ffn, "Hidden", "here"), {
      help: "so",
      fix: { span: { start: 0, end: 1 }, text: "E", safe: true },
    });
    const json = toJson(one, sources);
    expect(json).toEqual({
      ...{ code: "M0304", severity: "error", message: one.message, related: [], help: "so", fix: one.fix },
      at: {
        module: "ffn.moe",
        label: "here",
        start: one.at.span.start,
        end: one.at.span.end,
        from: { line: 7, column: 5 },
        to: { line: 7, column: 11 },
      },
    });
    expect(JSON.parse(JSON.stringify(json))).toEqual(json);
  });

  test("lines and columns with every sort of line end", () => {
    const text = "a\nb\r\nc\rd";
    const at = (find: string): unknown => positionAt(text, text.indexOf(find));
    expect(["a", "b", "c", "d"].map(at)).toEqual([1, 2, 3, 4].map((line) => ({ line, column: 1 })));
    expect(linesOf(text)(text.length)).toBe(4);
  });
});
