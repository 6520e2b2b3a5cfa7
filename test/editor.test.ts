// The language server over the protocol: a bundled server in a process of its own, spoken to by the protocol's own client, message
// by message.
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  CodeAction,
  CompletionItem,
  DocumentHighlight,
  DocumentSymbol,
  FoldingRange,
  Hover,
  InlayHint,
  Location,
  SemanticTokens,
  SignatureHelp,
  TextEdit,
  WorkspaceEdit,
  WorkspaceSymbol,
} from "vscode-languageserver-protocol";
import { TextDocument } from "vscode-languageserver-textdocument";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { format } from "../grammar/format.ts";
import { stdlib } from "../stdlib/sources.ts";
import { bundledServer, startClient, type Client } from "./helpers/language-server.ts";

vi.setConfig({ testTimeout: 15_000 });

let client: Client;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "moe-editor-"));
  writeFileSync(join(folder, "mine.moe"), "/// Doubles.\nfunction Double(x: [D]) -> [D] {\n  2 * x\n}\n");
  client = await startClient(await bundledServer("editor-test"), {
    folder,
    initializationOptions: { stdDocuments: true, commands: true },
  });
});
afterAll(() => client.stop());

/** A text in which `|` is the cursor. */
const marked = (text: string): { readonly text: string; readonly offset: number } => {
  const offset = text.indexOf("|");
  return { text: text.slice(0, offset) + text.slice(offset + 1), offset };
};
let count = 0;
const ask = async <R>(
  method: string,
  text: string,
  more: object = {},
): Promise<{ uri: string; answer: R }> => {
  const { text: plain, offset } = marked(text);
  const uri = client.open(`case${count++}.moe`, plain);
  const position = client.at(uri, offset);
  const answer = await client.request<R>(`textDocument/${method}`, {
    textDocument: { uri },
    position,
    ...more,
  });
  return { uri, answer };
};
const applied = (text: string, edits: readonly TextEdit[]): string =>
  TextDocument.applyEdits(TextDocument.create("", "moe", 0, text), [...edits]);

const small = `import std.experts { SwiGLU }
import std.norms { RMSNorm }
import std.routers { TopK }

/// A pool of eight.
moe Pool(D, H)(x: [D]) -> [D] {
  routed SwiGLU(D, H) * 8
  router TopK { k = 2 }
}

model Small {
  dim D = 32
  modality text = tokens(vocab = 64)
  param table: [text.vocab, D] = normal(0.02)
  x = table[text]
  repeat 2 {
    x = x + Pool(D, 2 * D)(RMSNorm(x))
  }
  logits = RMSNorm(x) @ transpose(table)
  loss cross_entropy(logits, text.next)
}

train Small {
  data text = bytes("corpus/*.txt")
  batch 8 of 16
  optimizer adamw { rate = cosine(3e-3, warmup = 10) }
  steps 20
}
`;

test("says what it can do", () => {
  expect(client.initialized.serverInfo?.name).toBe("moe");
  expect(Object.keys(client.initialized.capabilities).sort()).toMatchInlineSnapshot(`
    [
      "codeActionProvider",
      "codeLensProvider",
      "completionProvider",
      "definitionProvider",
      "documentFormattingProvider",
      "documentHighlightProvider",
      "documentSymbolProvider",
      "foldingRangeProvider",
      "hoverProvider",
      "inlayHintProvider",
      "referencesProvider",
      "renameProvider",
      "semanticTokensProvider",
      "signatureHelpProvider",
      "textDocumentSync",
      "workspace",
      "workspaceSymbolProvider",
    ]
  `);
});

describe("diagnostics", () => {
  test("are those of moe check, with the place, the code and the help", async () => {
    const uri = client.open("a.moe", small.replace("x + Pool", "y + Pool"));
    const [first] = await client.diagnostics(uri);
    expect(first).toMatchInlineSnapshot(`
      {
        "code": "M0101",
        "message": "there is no \`y\` here
      not found
      help: bind it, declare it, or import it",
        "range": {
          "end": {
            "character": 9,
            "line": 16,
          },
          "start": {
            "character": 8,
            "line": 16,
          },
        },
        "relatedInformation": [],
        "severity": 1,
        "source": "moe",
      }
    `);
    client.close(uri);
  });

  test("go when the mistake goes, and tell of related places", async () => {
    const uri = client.open("b.moe", "dim D = 1\ndim D = 2\n");
    const [first] = await client.diagnostics(uri);
    expect(first?.relatedInformation).toMatchObject([{ message: "first declared here" }]);
    client.edit(uri, "E", 14, 15);
    expect(await client.diagnostics(uri)).toEqual([]);
    client.close(uri);
  });

  test("a check that takes long is given up when the text has changed", async () => {
    const slow = small.replace("repeat 2", "repeat 4000");
    const uri = client.open("slow.moe", slow);
    const at = { textDocument: { uri }, position: client.at(uri, 0) };
    await new Promise((done) => setTimeout(done, 400));
    client.edit(uri, slow.replace("x = table", "x = tible").replace("4000", "2"));
    // Meanwhile everything else is answered.
    const before = performance.now();
    await client.request("textDocument/documentSymbol", at);
    expect(performance.now() - before).toBeLessThan(1000);
    expect((await client.diagnostics(uri)).map(({ code }) => code)).toEqual(["M0101"]);
    client.close(uri);
  });

  test("of an imported file stand in that file", async () => {
    writeFileSync(join(folder, "bad.moe"), "function Bad(x: [D]) -> [D] {\n  y\n}\n");
    const uri = client.open(
      "c.moe",
      'import "./bad.moe" { Bad }\nlayer L(D)(x: [D]) -> [D] {\n  Bad(x)\n}\n',
    );
    expect(await client.diagnostics(uri)).toEqual([]);
    const other = (): unknown[] | undefined =>
      client.published.findLast((each) => each.uri.endsWith("bad.moe"))?.diagnostics.map(({ code }) => code);
    await expect.poll(other).toEqual(["M0101"]);
    client.close(uri);
  });
});

describe("hover", () => {
  const hover = async (text: string): Promise<string> => {
    const { uri, answer } = await ask<Hover | null>("hover", text);
    let said = answer === null ? "" : (answer.contents as { value: string }).value;
    while (said.includes("being computed")) {
      const at = { textDocument: { uri }, position: client.at(uri, marked(text).offset) };
      said = ((await client.request<Hover>("textDocument/hover", at)).contents as { value: string }).value;
    }
    client.close(uri);
    return said;
  };

  test("a library definition: signature, documentation, cost in the model that uses it", async () => {
    expect(await hover(small.replace("routed SwiGLU", "routed Swi|GLU"))).toMatchInlineSnapshot(`
      "\`\`\`moe
      expert SwiGLU(D, H)(x: [D]) -> [D]
      \`\`\`

      The feed-forward expert of most language models: silu(x W_gate) * (x W_up), projected back.
      Source: Shazeer, "GLU Variants Improve Transformer", arXiv 2002.05202.

      Parameters of its own: \`3 * D * H\`

      *std.experts*

      **Cost** in \`Small\` (2 × \`pool.*.routed\`): 98.3 k parameters (98,304), 24.6 k active per token (25.0 % at most), 49.2 kFLOP per token forward"
    `);
  });
  test("a model: its cost", async () => {
    expect(await hover(small.replace("model Small", "model Sm|all"))).toMatchInlineSnapshot(`
      "\`\`\`moe
      model Small
      \`\`\`

      **Cost** 101 k parameters (100,960), 27.2 k active per token (27.0 % at most), 54.3 kFLOP per token forward"
    `);
  });
  test("a variable: its size here", async () => {
    expect(await hover(small.replace("(RMSNorm(x))", "(RMSNorm(x|))"))).toMatchInlineSnapshot(`
      "\`\`\`moe
      x: [T, D = 32]
      \`\`\`

      In \`model Small\`."
    `);
  });
  test.each([
    ["D = 32|", small.replace("dim D = 32", "dim D| = 32")],
    ["static", small.replace("routed SwiGLU(D, H)", "routed SwiGLU(D, H|)")],
    ["option of a router", small.replace("{ k = 2 }", "{ k| = 2 }")],
    ["built-in", small.replace("cross_entropy", "cross|_entropy")],
    ["optimiser", small.replace("adamw {", "ada|mw {")],
    ["member", small.replace("text.next", "text.ne|xt")],
    ["keyword", small.replace("repeat 2", "rep|eat 2")],
    ["module", small.replace("std.norms", "std.no|rms")],
    ["param", small.replace("table[text]", "tab|le[text]")],
    ["nothing", small.replace("batch 8 of 16", "batch 8 of 16 |")],
  ])("%s", async (_, text) => {
    expect(await hover(text)).toMatchSnapshot();
  });
});

describe("definition", () => {
  const lineAt = async (text: string): Promise<string> => {
    const { uri, answer } = await ask<Location | null>("definition", text);
    client.close(uri);
    if (answer === null) return "nowhere";
    const { start } = answer.range;
    const std = /^moe-std:\/(.*)\.moe$/.exec(answer.uri)?.[1];
    const there = std === undefined ? marked(text).text : stdlib[std]!;
    return `${std ?? answer.uri.slice(answer.uri.lastIndexOf("/") + 1).replace(/^case\d+/, "here")}: ${there.split("\n")[start.line]?.trim()}`;
  };

  test.each([
    [small.replace("routed SwiGLU", "routed Swi|GLU"), "std.experts: expert SwiGLU(D, H)(x: [D]) -> [D] {"],
    [small.replace("{ k = 2 }", "{ k| = 2 }"), "std.routers: D, N, k = 2,"],
    [small.replace("x + Pool", "x + Po|ol"), "here.moe: moe Pool(D, H)(x: [D]) -> [D] {"],
    [small.replace("[text.vocab", "[te|xt.vocab"), "here.moe: modality text = tokens(vocab = 64)"],
    [small.replace("data text", "data te|xt"), "here.moe: modality text = tokens(vocab = 64)"],
    [small.replace("train Small {", "train Small {\n  model Sm|all"), "here.moe: model Small {"],
    [small.replace("train Small", "train Sm|all"), "here.moe: model Small {"],
    [small.replace("* 8", "* |8"), "nowhere"],
  ])("%#", async (text, expected) => {
    expect((await lineAt(text)).slice(0, expected.length)).toBe(expected);
  });

  test("inside of a library module that is shown", async () => {
    const text = stdlib["std.routers"]!;
    const uri = client.open("moe-std:/std.routers.moe", text);
    const at = { textDocument: { uri }, position: client.at(uri, text.indexOf("Balance(load")) };
    expect((await client.request<Location>("textDocument/definition", at)).uri).toBe(
      "moe-std:/std.losses.moe",
    );
    expect(await client.request("textDocument/hover", at)).toMatchObject({
      contents: { value: expect.stringContaining("function Balance") as string },
    });
    client.close(uri);
  });

  test("the text of a library module", async () => {
    const text = await client.request<string>("moe/moduleText", { uri: "moe-std:/std.experts.moe" });
    expect(text).toBe(stdlib["std.experts"]);
    expect(await client.request("moe/moduleText", { uri: "moe-std:/std.toString.moe" })).toBe(null);
  });
});

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
    const uri = client.open(`case${count++}.moe`, plain);
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

describe("the rest", () => {
  test("inlay hints show sizes and statics that nobody wrote", async () => {
    const uri = client.open("hints.moe", small);
    const range = { start: { line: 0, character: 0 }, end: { line: 40, character: 0 } };
    const hints = await client.request<InlayHint[]>("textDocument/inlayHint", {
      textDocument: { uri },
      range,
    });
    const edits = hints.map(({ position, label }) => ({
      range: { start: position, end: position },
      newText: `«${String(label)}»`,
    }));
    expect(
      applied(small, edits)
        .split("\n")
        .filter((line) => line.includes("«"))
        .join("\n"),
    ).toMatchInlineSnapshot(`
      "  x«: [T, D = 32]» = table[text]
          x«: [T, D = 32]» = x + Pool(D, 2 * D)(RMSNorm« { D = 32 }»(x))
        logits«: [T, 64]» = RMSNorm« { D = 32 }»(x) @ transpose(table)"
    `);
    client.close(uri);
  });

  test("formatting is that of moe fmt, as one small edit; a broken text is left alone", async () => {
    const text = small.replace("x = table[text]", "x=table[ text ]");
    const uri = client.open("format.moe", text);
    const options = { options: { tabSize: 2, insertSpaces: true } };
    const edits = await client.request<TextEdit[]>("textDocument/formatting", {
      textDocument: { uri },
      ...options,
    });
    expect(edits).toHaveLength(1);
    expect(edits[0]!.range.start.line).toBe(edits[0]!.range.end.line);
    expect(applied(text, edits)).toBe(format(text).text);
    client.edit(uri, "model {");
    expect(await client.request("textDocument/formatting", { textDocument: { uri }, ...options })).toBe(null);
    client.close(uri);
  });

  test("document symbols", async () => {
    const { uri, answer } = await ask<DocumentSymbol[]>("documentSymbol", `|${small}`);
    client.close(uri);
    const tree = (symbols: readonly DocumentSymbol[], indent = ""): string[] =>
      symbols.flatMap(({ name, detail, children }) => [
        `${indent}${name}: ${detail}`,
        ...tree(children ?? [], `${indent}  `),
      ]);
    expect(tree(answer).join("\n")).toMatchInlineSnapshot(`
      "Pool: moe (D, H, x: [D]) -> [D]
      Small: model
        D: 32
        text: tokens(vocab = 64)
        table: [text.vocab, D]
        x: table[text]
        logits: RMSNorm(x) @ transpose(table)
      train Small: "
    `);
  });

  test("symbols of the workspace", async () => {
    const found = await client.request<WorkspaceSymbol[]>("workspace/symbol", { query: "doub" });
    expect(found.map(({ name }) => name)).toContain("Double");
  });

  test("folding", async () => {
    const { uri, answer } = await ask<FoldingRange[]>("foldingRange", `|${small}`);
    client.close(uri);
    expect(
      answer.map(({ startLine, endLine, kind }) => `${startLine}-${endLine} ${kind ?? ""}`.trim()),
    ).toEqual(["0-2 imports", "5-7", "10-19", "15-16", "22-26"]);
  });

  test("semantic tokens: every name with what it is", async () => {
    const { uri, answer } = await ask<SemanticTokens>("semanticTokens/full", `|${small}`);
    client.close(uri);
    const legend = client.initialized.capabilities.semanticTokensProvider!.legend;
    const lines = small.split("\n");
    let [line, character] = [0, 0];
    const shown: string[] = [];
    for (let i = 0; i < answer.data.length; i += 5) {
      const [down, right, length, type] = answer.data.slice(i, i + 4) as [number, number, number, number];
      [line, character] = down === 0 ? [line, character + right] : [line + down, right];
      shown.push(`${lines[line]!.slice(character, character + length)}:${legend.tokenTypes[type]}`);
    }
    expect(shown.join(" ")).toMatchInlineSnapshot(
      `"std.experts:namespace SwiGLU:class std.norms:namespace RMSNorm:class std.routers:namespace TopK:class Pool:class D:type H:type x:parameter D:type D:type SwiGLU:class D:type H:type TopK:class k:type Small:class D:type text:parameter tokens:function vocab:type table:property text:parameter vocab:property D:type normal:function x:variable table:property text:parameter x:variable x:variable Pool:class D:type D:type RMSNorm:class x:variable logits:variable RMSNorm:class x:variable transpose:function table:property cross_entropy:function logits:variable text:parameter next:property Small:class text:parameter bytes:function adamw:class rate:type cosine:function warmup:type"`,
    );
  });

  test("lenses draw and train", async () => {
    const { uri, answer } = await ask<{ command: { title: string; command: string } }[]>(
      "codeLens",
      `|${small}`,
    );
    client.close(uri);
    expect(answer.map(({ command }) => `${command.title} ${command.command}`)).toEqual([
      "Draw moe.openDrawing",
      "Train moe.train",
    ]);
  });
});

test("nothing of this was an internal error", () => {
  expect(client.log.filter((line) => /internal|error/i.test(line))).toEqual([]);
});
