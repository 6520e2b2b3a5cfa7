// The language server while one reads: diagnostics, hover, definitions, symbols, colours. Over the protocol: a bundled server in a process of
// its own, spoken to by the protocol's own client, message by message.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type {
  DocumentSymbol,
  FoldingRange,
  Hover,
  InlayHint,
  Location,
  SemanticTokens,
  TextEdit,
  WorkspaceSymbol,
} from "vscode-languageserver-protocol";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { format } from "../grammar/format.ts";
import { stdlib } from "../stdlib/sources.ts";
import { type Client } from "./helpers/language-server.ts";
import { applied, marked, small, startEditor, type Ask, type Editor } from "./helpers/editor.ts";

vi.setConfig({ testTimeout: 15_000 });

let editor: Editor;
let client: Client;
let folder: string;
let ask: Ask;
beforeAll(async () => {
  editor = await startEditor("editor-test");
  ({ client, folder, ask } = editor);
});
afterAll(() => editor.stop());

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
    ["input with a default", "function F(x: [D], by: [] = 1) -> [D] {\n  b|y * x\n}\n"],
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
