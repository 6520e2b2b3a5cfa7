// The extension for VS Code: what is packed, that the packed server answers with nothing installed around it, what is run for a
// project, and the TextMate grammar against sample files.
import { createRequire } from "node:module";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { unzipSync } from "fflate";
import { beforeAll, describe, expect, test } from "vitest";
import type { IGrammar, IOnigLib, IRawGrammar } from "vscode-textmate";
import {
  drawingArguments,
  freeRunFolder,
  installedFor,
  serverFor,
  trainingArguments,
} from "../editor/vscode/project.ts";
import { entryPoints } from "../scripts/bundle.mjs";
import { extensionFiles, pack } from "../scripts/editor.mjs";
import { root, startClient } from "./helpers/language-server.ts";

const require = createRequire(import.meta.url);

describe("the .vsix", () => {
  let entries: Readonly<Record<string, Uint8Array>>;
  let bytes: Uint8Array;
  const text = (path: string): string => Buffer.from(entries[path]!).toString("utf8");
  beforeAll(async () => {
    const files = await extensionFiles();
    bytes = pack(files);
    entries = unzipSync(bytes);
  });

  test("holds this and nothing else", () => {
    expect(Object.keys(entries).sort()).toEqual([
      "[Content_Types].xml",
      "extension.vsixmanifest",
      "extension/LICENSE.txt",
      "extension/README.md",
      "extension/dist/extension.js",
      "extension/dist/language-server.mjs",
      "extension/icon.png",
      "extension/language-configuration.json",
      "extension/moe.tmLanguage.json",
      "extension/package.json",
      "extension/snippets.json",
    ]);
    expect(bytes.length).toBeLessThan(1_000_000);
  });

  test("every file that the manifests name is there", () => {
    const about = JSON.parse(text("extension/package.json")) as Record<string, unknown>;
    const named: string[] = [];
    const visit = (value: unknown): void => {
      if (typeof value === "string" && value.startsWith("./")) named.push(value);
      if (typeof value === "object" && value !== null) Object.values(value).forEach(visit);
    };
    visit(about);
    expect(named.length).toBeGreaterThan(4);
    for (const path of [...named, `./${String(about["icon"])}`])
      expect(entries).toHaveProperty([`extension/${path.slice(2)}`]);
    const manifest = text("extension.vsixmanifest");
    for (const [, path] of manifest.matchAll(/Path="([^"]+)"/g)) expect(entries).toHaveProperty([path!]);
    expect(manifest).toContain(`Id="${String(about["name"])}" Version="${String(about["version"])}"`);
  });

  test("its version is the package's", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    expect(JSON.parse(text("extension/package.json"))).toMatchObject({ version });
  });

  test("every command that is declared is registered, and the other way round", () => {
    const about = JSON.parse(text("extension/package.json")) as {
      contributes: { commands: { command: string }[] };
    };
    const source = readFileSync(join(root, "editor/vscode/extension.ts"), "utf8");
    const registered = [...source.matchAll(/registerCommand\("([^"]+)"/g)].map((match) => match[1]);
    expect(about.contributes.commands.map(({ command }) => command).sort()).toEqual(registered.sort());
  });

  test("the icon is a picture of 128 by 128", () => {
    const icon = Buffer.from(entries["extension/icon.png"]!);
    expect(icon.subarray(1, 4).toString()).toBe("PNG");
    expect([icon.readUInt32BE(16), icon.readUInt32BE(20)]).toEqual([128, 128]);
  });

  test("the extension asks only for the editor and for Node", () => {
    const asked = [...text("extension/dist/extension.js").matchAll(/\brequire\("([^"]+)"\)/g)].map(
      (match) => match[1]!,
    );
    const { builtinModules } = require("node:module") as typeof import("node:module");
    const others = asked.filter(
      (name) => name !== "vscode" && !builtinModules.includes(name.replace(/^node:/, "")),
    );
    expect([...new Set(others)]).toEqual([]);
  });

  test("the extension loads: all that it needs is in the one file", () => {
    // An editor of which everything is a class that can be called: enough to define what extends it.
    const anything: unknown = new Proxy(class {}, {
      get: (target, key) => (key === "prototype" ? target.prototype : anything),
      apply: () => anything,
    });
    const module = { exports: {} as Record<string, unknown> };
    const load = (name: string): unknown => (name === "vscode" ? anything : (require(name) as unknown));
    new Function("module", "exports", "require", text("extension/dist/extension.js"))(
      module,
      module.exports,
      load,
    );
    expect(Object.keys(module.exports).sort()).toEqual(["activate", "deactivate"]);
  });

  test("the server runs where nothing is installed: it checks, and shows the library", async () => {
    const folder = mkdtempSync(join(tmpdir(), "moe-vsix-"));
    const program = join(folder, "language-server.mjs");
    writeFileSync(program, entries["extension/dist/language-server.mjs"]!);
    const client = await startClient(program, { folder });
    const uri = client.open("a.moe", "function F(x: [D]) -> [D] {\n  y\n}\n");
    expect((await client.diagnostics(uri)).map(({ code }) => code)).toEqual(["M0101"]);
    expect(await client.request("moe/moduleText", { uri: "moe-std:/std.norms.moe" })).toContain("RMSNorm");
    await client.stop();
  });
});

test("the package has the server as a command", () => {
  const { bin, exports: places } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    bin: Record<string, string>;
    exports: Record<string, unknown>;
  };
  expect(bin["moe-language-server"]).toBe("./dist/language-server.js");
  expect(places["./language-server"]).toBe("./dist/language-server.js");
  expect(entryPoints).toMatchObject({ "language-server": "editor/server/main.ts" });
});

describe("what is run for a project", () => {
  const project = mkdtempSync(join(tmpdir(), "moe-project-"));
  const write = (path: string, text: string): string => {
    const file = join(project, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  };
  write("node_modules/moelang/package.json", JSON.stringify({ name: "moelang", version: "9.8.7" }));
  write("node_modules/moelang/dist/cli.js", "");
  const server = write("node_modules/moelang/dist/language-server.js", "");
  const file = write("models/deep/a.moe", "");

  test("the installed package, from the file's folder up", () => {
    expect(installedFor(file)).toMatchObject({ version: "9.8.7", server });
    expect(installedFor(join(tmpdir(), "nowhere/a.moe"))).toBe(undefined);
  });
  test("the clone of the project itself", () => {
    const inside = join(root, "examples/book/book.moe");
    // Only where it has been built.
    const found = installedFor(inside);
    if (found !== undefined) expect(found.folder).toBe(root);
  });
  test("its server if the folder is trusted, else the extension's", () => {
    expect(serverFor([file], "own.mjs", { trusted: true }).file).toBe(server);
    expect(serverFor([file], "own.mjs", { trusted: false }).file).toBe("own.mjs");
    expect(serverFor([], "own.mjs", { trusted: true })).toEqual({ file: "own.mjs", from: "the extension" });
    expect(serverFor([file], "own.mjs", { trusted: true, setting: "/my.js" }).file).toBe("/my.js");
    expect(serverFor([file], "own.mjs", { trusted: false, setting: "/my.js" }).file).toBe("own.mjs");
  });
  test("a package of an older version without a server leaves it to the extension", () => {
    const old = mkdtempSync(join(tmpdir(), "moe-old-"));
    const at = join(old, "node_modules/moelang");
    mkdirSync(join(at, "dist"), { recursive: true });
    writeFileSync(join(at, "package.json"), JSON.stringify({ name: "moelang", version: "0.0.1" }));
    writeFileSync(join(at, "dist/cli.js"), "");
    expect(serverFor([join(old, "a.moe")], "own.mjs", { trusted: true }).file).toBe("own.mjs");
  });
  test("command lines", () => {
    expect(freeRunFolder(file)).toBe(join("runs", "a"));
    mkdirSync(join(dirname(file), "runs/a"), { recursive: true });
    expect(freeRunFolder(file)).toBe(join("runs", "a-2"));
    expect(drawingArguments("a.moe", "b.html", "M")).toEqual([
      "graph",
      "a.moe",
      "-o",
      "b.html",
      "--model",
      "M",
    ]);
    expect(trainingArguments(file, "runs/a")).toEqual(["train", "a.moe", "-o", "runs/a"]);
  });
});

describe("the TextMate grammar", () => {
  let grammar: IGrammar;
  let initial: typeof import("vscode-textmate").INITIAL;
  beforeAll(async () => {
    const textmate = require("vscode-textmate") as typeof import("vscode-textmate");
    const oniguruma = require("vscode-oniguruma") as typeof import("vscode-oniguruma");
    await oniguruma.loadWASM(readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")).buffer);
    const onigLib: Promise<IOnigLib> = Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    });
    const path = join(root, "editor/vscode/moe.tmLanguage.json");
    const raw: IRawGrammar = textmate.parseRawGrammar(readFileSync(path, "utf8"), path);
    const registry = new textmate.Registry({ onigLib, loadGrammar: () => Promise.resolve(raw) });
    grammar = (await registry.loadGrammar("source.moe"))!;
    initial = textmate.INITIAL;
  });

  interface Token {
    readonly text: string;
    readonly scope: string;
    readonly scopes: readonly string[];
  }
  function tokens(text: string): readonly (readonly Token[])[] {
    let stack = initial;
    return text.split("\n").map((line) => {
      const { tokens: found, ruleStack } = grammar.tokenizeLine(line, stack);
      stack = ruleStack;
      return found.map(({ startIndex, endIndex, scopes }) => ({
        text: line.slice(startIndex, endIndex),
        scope: scopes.at(-1)!,
        scopes,
      }));
    });
  }
  const shown = (text: string): string =>
    tokens(text)
      .map((line) =>
        line
          .filter((token) => token.text.trim() !== "" && !token.scope.startsWith("punctuation"))
          .map((token) => `${token.text.trim()}:${token.scope.replace(/\.moe$/, "")}`)
          .join(" "),
      )
      .join("\n");

  test.each([
    ["examples/tour/pools.moe"],
    ["examples/tour/choosers.moe"],
    ["examples/book/book.moe"],
    ["stdlib/attention.moe"],
  ])("%s", (file) => {
    expect(shown(readFileSync(join(root, file), "utf8"))).toMatchSnapshot();
  });

  test("every program ends where it began: outside of all brackets", () => {
    const folders = ["test/programs", "stdlib", "examples/tour"];
    const left = folders.flatMap((folder) =>
      readdirSync(join(root, folder))
        .filter((file) => file.endsWith(".moe"))
        .filter((file) => {
          const last = tokens(`${readFileSync(join(root, folder, file), "utf8").trimEnd()}\nx`).at(-1)!;
          return last[0]!.scopes.length !== 2;
        }),
    );
    expect(left).toEqual([]);
  });

  test("words of the language that are names here", () => {
    const text =
      "router R(D, N)(x: [D]) -> gates[N] {\n  top = x @ w\n  weight = top\n  choose top 2 of top\n  weight weight\n}";
    expect(shown(text)).toMatchInlineSnapshot(`
      "router:storage.type.router R:entity.name.type.class D:variable.parameter.static N:variable.parameter.static x:variable.parameter D:variable.parameter.size ->:keyword.operator.arrow gates:storage.type.element N:variable.parameter.size
      top:variable.other.declaration =:keyword.operator.assignment x:variable.other @:keyword.operator.arithmetic w:variable.other
      weight:variable.other.declaration =:keyword.operator.assignment top:variable.other
      choose:keyword.control.choose top:keyword.other.choose 2:constant.numeric of:keyword.other.choose top:keyword.other.choose
      weight:keyword.other.statement weight:variable.other
      "
    `);
  });
});
