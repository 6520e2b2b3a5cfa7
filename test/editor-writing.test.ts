// The language server while one writes: completion, signatures, references and names, actions. Over the protocol, message by message.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type {
  CodeAction,
  CompletionItem,
  DocumentHighlight,
  Location,
  SignatureHelp,
  TextEdit,
  WorkspaceEdit,
} from "vscode-languageserver-protocol";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { stdlib } from "../stdlib/sources.ts";
import { type Client } from "./helpers/language-server.ts";
import { applied, marked, small, startEditor, type Ask, type Editor } from "./helpers/editor.ts";

vi.setConfig({ testTimeout: 15_000 });

let editor: Editor;
let client: Client;
let folder: string;
let ask: Ask;
beforeAll(async () => {
  editor = await startEditor("editor-writing-test");
  ({ client, folder, ask } = editor);
});
afterAll(() => editor.stop());

const scaled = "layer Scaled(D)(x: [D], by: [] = 1) -> [D]";
const optional = `${scaled} {
  by * x
}

model Small {
  modality x = features(4)
  logits = Scaled(x, by = 2)
}
`;

describe("completion", () => {
  const labels = async (text: string, more: object = {}): Promise<string[]> => {
    const { uri, answer } = await ask<CompletionItem[]>("completion", text, more);
    client.close(uri);
    return answer.toSorted((a, b) => (a.sortText! < b.sortText! ? -1 : 1)).map(({ label }) => label);
  };

  test.each([
    ["a declaration", "|\n"],
    ["a statement of a router", "router R(D, N)(x: [D]) -> gates[N] {\n  p = softmax(x @ w)\n  |\n}\n"],
    ["a statement of a moe", "moe M(D)(x: [D]) -> [D] {\n  |\n}\n"],
    ["what chooses", "router R(D, N)(x: [D]) -> gates[N] {\n  choose |\n}\n"],
    ["after choose top k", "router R(D, N)(x: [D]) -> gates[N] {\n  choose top 2 |\n}\n"],
    ["after choose top k of p", "router R(D, N)(x: [D]) -> gates[N] {\n  choose top 2 of p |\n}\n"],
    ["null experts", "moe M(D)(x: [D]) -> [D] {\n  null |\n}\n"],
    ["statics that are not given yet", small.replace("{ k = 2 }", "{ k = 2, | }")],
    ["members of tokens", small.replace("text.next", "text.|")],
    ["a kind of modality", small.replace("tokens(vocab = 64)", "|")],
    ["a setting", small.replace("steps 20", "|")],
    ["a setting of a phase", "train Small {\n  phase dense {\n    |\n  }\n}\n"],
    ["what a tensor begins with", 'train Small {\n  start from "runs/a" {\n    "w" = |\n  }\n}\n'],
    ["after a start", "train Small {\n  start |\n}\n"],
    ["a model in a recipe", small.replace("train Small {", "train Small {\n  model |")],
    ["who keeps a place", "router R(D, N)(x: [D]) -> gates[N] {\n  choose all\n  capacity 2 drop |\n}\n"],
    ["optimisers", small.replace("adamw { rate = cosine(3e-3, warmup = 10) }", "|")],
    ["options of an optimiser", small.replace("warmup = 10) }", "warmup = 10), | }")],
    ["readers", small.replace('bytes("corpus/*.txt")', "|")],
    ["models", small.replace("train Small", "train |")],
    ["modalities to read", small.replace("data text", "data |")],
    ["names of a module", small.replace("{ RMSNorm }", "{ | }")],
    ["axes", "function F(x: [T, D]) -> [T] {\n  sum(x over |)\n}\n"],
    ["the mode", small.replace("text.next)", "text.next) in |")],
    ["nothing in a comment", "// |\n"],
    ["nothing in a string", small.replace("corpus/", "corp|us/")],
  ])("%s", async (_, text) => {
    expect((await labels(text)).slice(0, 12).join(" | ")).toMatchSnapshot();
  });

  test("inputs that may be left out are offered by name", async () => {
    expect(await labels(optional.replace("by = 2", "|"))).toContain("by =");
  });

  test("names in sight come first, each once, and not those of later lines", async () => {
    const list = await labels("function F(a: [D]) -> [D] {\n  b = a\n  c = |\n  later = 1\n}\n");
    expect(list.slice(0, 3)).toEqual(["D", "a", "b"]);
    expect(list).not.toContain("later");
    expect(new Set(list).size).toBe(list.length);
  });

  test("a library name brings its import", async () => {
    const text = small.replace("import std.norms { RMSNorm }\n", "").replace("(RMSNorm(x))", "(RMSN|(x))");
    const { uri, answer } = await ask<CompletionItem[]>("completion", text);
    const item = answer.find(({ label }) => label === "RMSNorm")!;
    expect(item.additionalTextEdits?.map(({ newText }) => newText)).toEqual([
      "import std.norms { RMSNorm }\n",
    ]);
    const whole = applied(client.text(uri), [item.textEdit as TextEdit, ...item.additionalTextEdits!]);
    expect(whole).toContain("import std.routers { TopK }\nimport std.norms { RMSNorm }\n");
    expect(whole).toContain("(RMSNorm(x))");
    client.close(uri);
  });

  test("into an import that is there already", async () => {
    const text = small.replace("routed SwiGLU", "routed Gel|");
    const { uri, answer } = await ask<CompletionItem[]>("completion", text);
    const item = answer.find(({ label }) => label === "Gelu")!;
    expect(applied(client.text(uri), item.additionalTextEdits!)).toContain(
      "import std.experts { SwiGLU, Gelu }",
    );
    client.close(uri);
  });

  test("a blank alone offers only words that the grammar asks for", async () => {
    const blank = { context: { triggerKind: 2, triggerCharacter: " " } };
    expect(await labels(small.replace("x = table[text]", "x = |"), blank)).toEqual([]);
    expect(await labels("moe M(D)(x: [D]) -> [D] {\n  null |\n}\n", blank)).toEqual([
      "constant",
      "copy",
      "zero",
    ]);
  });

  test("modules of the library", async () => {
    const list = await labels(small.replace("std.norms {", "std.| {").replace("RMSNorm }", "}"));
    expect(list.filter((label) => label.startsWith("std."))).toEqual(Object.keys(stdlib).sort());
  });

  test("files beside this one", async () => {
    expect(await labels('import "|')).toContain("./mine.moe");
  });
});

describe("signature help", () => {
  const help = async (text: string): Promise<string> => {
    const { uri, answer } = await ask<SignatureHelp | null>("signatureHelp", text);
    client.close(uri);
    if (answer === null) return "nothing";
    const { label, parameters } = answer.signatures[0]!;
    return `${label} at ${String(parameters?.[answer.activeParameter ?? 0]?.label)}`;
  };
  test.each([
    [small.replace("routed SwiGLU(D, H)", "routed SwiGLU(D, |"), "expert SwiGLU(D, H)(x: [D]) -> [D] at H"],
    [
      small.replace("Pool(D, 2 * D)(RMSNorm(x))", "Pool(D, 2 * D)(|)"),
      "moe Pool(D, H)(x: [D]) -> [D] at x: [D]",
    ],
    [small.replace("warmup = 10)", "warmup = |)"), "cosine(peak, warmup = 0, floor = 0) at warmup = 0"],
    [small.replace("cross_entropy(logits, ", "cross_entropy(logits, |"), "cross_entropy(logits, ids) at ids"],
    [small.replace("D = 32", "D = |32"), "nothing"],
    [optional.replace("by = 2", "by = |2"), `${scaled} at by: [] = 1`],
    [optional.replace("by = 2", "|"), `${scaled} at by: [] = 1`],
  ])("%#", async (text, expected) => {
    expect(await help(text)).toBe(expected);
  });
});

describe("references and rename", () => {
  const highlights = async (text: string): Promise<number> => {
    const { uri, answer } = await ask<DocumentHighlight[]>("documentHighlight", text);
    client.close(uri);
    return answer.length;
  };
  const renamed = async (text: string, newName: string): Promise<string> => {
    const { uri, answer } = await ask<WorkspaceEdit>("rename", text, { newName });
    const after = applied(client.text(uri), answer.changes?.[uri] ?? []);
    client.close(uri);
    return after;
  };
  const refused = async (text: string, newName: string): Promise<string> =>
    renamed(text, newName).then(
      () => "renamed",
      (error: Error) => error.message,
    );

  test("each name of a body is its own", async () => {
    expect(await highlights(small.replace("x = table", "x| = table"))).toBe(5);
    expect(await highlights(small.replace("dim D = 32", "dim D| = 32"))).toBe(4);
    expect(await highlights(small.replace("moe Pool(D, ", "moe Pool(D|, "))).toBe(4);
  });

  test("a variable, everywhere it is bound and read", async () => {
    const after = await renamed(small.replace("x = table", "x| = table"), "hidden");
    expect(after).toContain("hidden = hidden + Pool(D, 2 * D)(RMSNorm(hidden))");
    expect(after).toContain("moe Pool(D, H)(x: [D])");
  });

  test("an input, and the name that gives it", async () => {
    const after = await renamed(optional.replace("by: []", "by|: []"), "factor");
    expect(after).toBe(optional.replaceAll("by", "factor"));
    expect(await renamed(optional.replace("(x, by", "(x, by|"), "factor")).toBe(after);
  });

  test("an index of index notation", async () => {
    const text =
      "function F(a: [T, C], b: [T, C]) -> [T, T] {\n  s[t, u] = sum(a[t, c] * b[u, c] over c|)\n  s\n}\n";
    expect(await renamed(text, "k")).toContain("s[t, u] = sum(a[t, k] * b[u, k] over k)");
    expect(await renamed(text.replace("c|)", "c)").replace("s[t,", "s[t|,"), "i")).toContain(
      "s[i, u] = sum(a[i, c] * b[u, c] over c)",
    );
  });

  test("across files", async () => {
    const main = client.open(
      "user.moe",
      'import "./mine.moe" { Double }\nlayer L(D)(x: [D]) -> [D] {\n  Double(x)\n}\n',
    );
    const mine = client.open("mine.moe", readFileSync(join(folder, "mine.moe"), "utf8"));
    const position = client.at(mine, client.text(mine).indexOf("Double("));
    const { changes } = await client.request<WorkspaceEdit>("textDocument/rename", {
      textDocument: { uri: mine },
      position,
      newName: "Twice",
    });
    expect(applied(client.text(main), changes![main]!)).toContain(
      "{ Twice }\nlayer L(D)(x: [D]) -> [D] {\n  Twice(x)",
    );
    expect(applied(client.text(mine), changes![mine]!)).toContain("function Twice(x: [D])");
    const places = await client.request<Location[]>("textDocument/references", {
      textDocument: { uri: main },
      position: client.at(main, client.text(main).indexOf("Double(x)")),
      context: { includeDeclaration: true },
    });
    expect(places.map(({ uri }) => uri).sort()).toEqual([mine, main, main].sort());
    client.close(main);
    client.close(mine);
  });

  test("is checked", async () => {
    const variable = small.replace("x = table", "x| = table");
    expect(await refused(variable, "table")).toBe("`table` already means something here");
    expect(await refused(variable, "2x")).toBe("`2x` is no name: letters, digits and `_`");
    expect(await refused(variable, "then")).toBe("`then` is a word of the language");
    expect(await refused(variable, "Pool")).toBe("`Pool` already means something here");
    expect(await refused(variable, "transpose")).toBe("`transpose` already means something here");
    expect(await refused(small.replace("routed SwiGLU", "routed Swi|GLU"), "Other")).toBe(
      "`SwiGLU` belongs to the standard library",
    );
    expect(await refused(small.replace("logits =", "logi|ts ="), "out")).toContain("output");
    expect(await refused(small.replace("cross_entropy", "cross|_entropy"), "ce")).toContain("built in");
  });
});

describe("actions", () => {
  const actions = async (
    text: string,
    only?: string,
  ): Promise<{ readonly titles: string[]; readonly first: string }> => {
    const { text: plain, offset } = marked(text);
    const uri = client.open(editor.fresh(), plain);
    const position = client.at(uri, offset);
    const answer = await client.request<CodeAction[]>("textDocument/codeAction", {
      textDocument: { uri },
      range: { start: position, end: position },
      context: { diagnostics: [], ...(only === undefined ? {} : { only: [only] }) },
    });
    const first = answer[0] === undefined ? "" : applied(plain, answer[0].edit!.changes![uri]!);
    client.close(uri);
    return { titles: answer.map(({ title }) => title), first };
  };

  test("a misspelt name", async () => {
    const { titles, first } = await actions(
      small.replace("transpose(table)", "transpose(tabl|)"),
      "quickfix",
    );
    expect(titles[0]).toBe("Change to `table`");
    expect(first).toBe(small);
  });
  test("a missing import", async () => {
    const text = small.replace("import std.norms { RMSNorm }\n", "").replace("RMSNorm(x) @", "RMSNo|rm(x) @");
    const { titles, first } = await actions(text, "quickfix");
    expect(titles[0]).toBe("Import `RMSNorm` from std.norms");
    expect(first).toContain("import std.norms { RMSNorm }");
  });
  test("an unused import", async () => {
    const text = small.replace("{ RMSNorm }", "{ Layer|Norm, RMSNorm }");
    expect(await actions(text, "quickfix")).toEqual({
      titles: ["Remove the import of `LayerNorm`"],
      first: small,
    });
    expect((await actions(text, "source.organizeImports")).first).toBe(small);
    const alone = small.replace("import std.norms", "import std.losses { Ba|lance }\nimport std.norms");
    expect((await actions(alone, "quickfix")).first).toBe(small);
  });
  test("a word that is nearly one", async () => {
    expect((await actions(small.replace("  repeat 2", "  repaet| 2"), "quickfix")).first).toBe(small);
  });
});

test("nothing of this was an internal error", () => {
  expect(client.log.filter((line) => /internal|error/i.test(line))).toEqual([]);
});
