// Half-typed text: every program of test/programs, cut off at many places: no feature may throw, and the server answers on. And how
// long an edit of a long file takes.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { optimizerDefaults } from "../compiler/build/optimizer.ts";
import { formulas } from "../compiler/elaborate/element-wise.ts";
import { builtinNames } from "../compiler/elaborate/functions.ts";
import { reductions } from "../compiler/elaborate/reduce.ts";
import { routerNames } from "../compiler/elaborate/router.ts";
import { scheduleNames } from "../compiler/elaborate/schedules.ts";
import { builtins } from "../editor/features/builtins.ts";
import { checkFor } from "../editor/features/checked.ts";
import { completionAt } from "../editor/features/completion.ts";
import { fixesFor } from "../editor/features/fixes.ts";
import { hoverAt } from "../editor/features/hover.ts";
import { hintsIn } from "../editor/features/inlay.ts";
import { namesIn } from "../editor/features/name-walk.ts";
import { inSight, useAt, type Names } from "../editor/features/names.ts";
import { foldsOf, outlineOf } from "../editor/features/outline.ts";
import { rename } from "../editor/features/references.ts";
import { colour } from "../editor/features/semantic.ts";
import { signatureAt } from "../editor/features/signature.ts";
import { openLibrary, type Library } from "../editor/features/source.ts";
import { pieceParser } from "../grammar/parse-pieces.ts";
import { parse } from "../grammar/parse.ts";
import { hostOf } from "../index.ts";
import { stdlib } from "../stdlib/sources.ts";
import { bundledServer, root, startClient, type Client } from "./helpers/language-server.ts";

const folder = join(root, "test/programs");
const programs = readdirSync(folder)
  .filter((file) => file.endsWith(".moe"))
  .map((file) => ({ file, text: readFileSync(join(folder, file), "utf8") }));
const std = Object.keys(stdlib);

/** One library for all texts, as a server has it: the standard library is read once. */
let main = "";
const shared = openLibrary({ read: (path) => (path === "main.moe" ? main : hostOf({}).read(path)) });
function libraryOf(text: string): Library {
  main = text;
  return shared;
}

/** Everything that an editor asks for while somebody types at `offset`. */
function askAll(library: Library, offset: number): Names {
  const source = library.open("main.moe")!;
  const names = namesIn(source, library);
  completionAt(names, source.text, offset, { library, std, files: [] });
  signatureAt(names, source.text, offset, library);
  hoverAt(names, offset, library);
  useAt(names, offset);
  inSight(names, offset);
  rename(names, offset, "renamed", [names], library);
  outlineOf(source);
  foldsOf(source);
  colour(names);
  return names;
}

describe("cut off anywhere", () => {
  const every = 67;
  test.each(["end", "middle"])("%s", (where) => {
    let asked = 0;
    for (const { file, text } of programs)
      for (let at = 1 + (file.length % every); at < text.length; at += every) {
        // At the end of what is typed so far, or in the middle of a file that goes on below.
        const half =
          where === "end" ? text.slice(0, at) : text.slice(0, at) + text.slice(text.indexOf("\n", at));
        try {
          askAll(libraryOf(half), at);
        } catch (error) {
          throw new Error(`${file} at ${at}: ${String(error)}`, { cause: error });
        }
        asked += 1;
      }
    expect(asked).toBeGreaterThan(500);
  });

  test("the compiler and what follows from it", () => {
    for (const [i, { text }] of programs.entries()) {
      if (i % 4 !== 0) continue;
      const half = text.slice(0, Math.floor((text.length * ((i % 7) + 1)) / 8));
      const library = libraryOf(half);
      const checked = checkFor(library, "main.moe");
      const source = library.open("main.moe")!;
      hintsIn(source, checked, { start: 0, end: half.length });
      for (const diagnostic of checked.diagnostics) fixesFor(diagnostic, source, library, std);
    }
  });

  test.each([
    "",
    "\n",
    "\r\n",
    "{",
    "}",
    "model",
    "import",
    'import "',
    "train X {",
    "\u0000",
    "🙂🙂 = 🙂",
    "(".repeat(5000),
  ])("%j", (text) => {
    for (const offset of [0, Math.floor(text.length / 2), text.length]) askAll(libraryOf(text), offset);
  });
});

describe("parsing again after an edit", () => {
  /** The same numbers in every run. */
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const inserted = [
    "x",
    "\n",
    "{",
    "}",
    "(",
    ")",
    "[",
    '"',
    "//",
    "/// doc\n",
    " ",
    "=",
    "dim E = 2\n",
    "layer L(D)(x: [D]) {",
    "exprt Q",
    ",",
    "🙂",
  ];

  test("gives what parsing the whole text gives, for cut, joined and edited programs", () => {
    const joined = programs
      .slice(0, 12)
      .map(({ text }) => text)
      .join("\n");
    for (const start of [joined, ...programs.filter((_, i) => i % 9 === 0).map(({ text }) => text)]) {
      const again = pieceParser();
      let text = start;
      for (let turn = 0; turn < 25; turn++) {
        expect(again(text, "a.moe")).toEqual(parse(text, "a.moe"));
        const at = random(text.length);
        const gone = random(3) === 0 ? random(40) : 0;
        const more = random(4) === 0 ? "" : inserted[random(inserted.length)]!;
        // Mistakes pile up until nothing is left of the text: begin anew now and then.
        text = turn % 6 === 5 ? start : text.slice(0, at) + more + text.slice(at + gone);
      }
    }
  });
});

describe("names are what the compiler takes them for", () => {
  test("in every program each name that is used means something", () => {
    const lost: string[] = [];
    for (const { file, text } of programs) {
      const library = libraryOf(text);
      const source = library.open("main.moe")!;
      const { uses } = namesIn(source, library);
      const known = new Set(uses.map(({ span }) => span.start));
      const visit = (value: unknown): void => {
        if (typeof value !== "object" || value === null) return;
        if (Array.isArray(value)) return value.forEach(visit);
        const node = value as {
          readonly setting?: string;
          readonly node?: string;
          readonly text?: string;
          readonly span?: { start: number };
        };
        if (node.setting === "data") return;
        if (node.node === "name" && !known.has(node.span!.start)) lost.push(`${file}: ${node.text}`);
        Object.values(node).forEach(visit);
      };
      visit(source.syntax.declarations);
    }
    expect(lost).toEqual([]);
  });

  test("renaming every variable leaves every program as it was, but for the names", () => {
    for (const { file, text } of programs) {
      const library = libraryOf(text);
      const names = namesIn(library.open("main.moe")!, library);
      const kinds = new Set([
        "variable",
        "parameter",
        "state",
        "input",
        "index",
        "counter",
        "static",
        "size",
      ]);
      const declared = names.uses.filter(
        ({ role, meaning }) => role === "declaration" && kinds.has(meaning.kind),
      );
      let renamed = text;
      const edits = declared.flatMap(({ meaning, span }, i) => {
        if (meaning.name === "logits") return [];
        const found = rename(names, span.start, `${meaning.name}_${i}`, [names], library);
        return "edits" in found
          ? found.edits.map((edit) => ({ ...edit.span, to: `${meaning.name}_${i}` }))
          : [];
      });
      for (const { start, end, to } of edits.sort((a, b) => b.start - a.start))
        renamed = renamed.slice(0, start) + to + renamed.slice(end);
      const after = checkFor(libraryOf(renamed), "main.moe").diagnostics;
      expect({ file, found: after.map(({ code, message }) => `${code} ${message}`) }).toEqual({
        file,
        found: [],
      });
    }
  });
});

describe("built-in names", () => {
  const named = (...groups: readonly string[]): readonly string[] =>
    builtins.filter(({ group }) => groups.includes(group)).map(({ name }) => name);

  test("are those of the compiler", () => {
    const known = named("reduction", "element-wise", "function", "initialiser");
    const wanted = [...builtinNames, ...reductions, ...Object.keys(formulas), "dispatch", "combine"];
    expect(wanted.filter((name) => !known.includes(name))).toEqual([]);
    const more = ["normal", "uniform", "orthogonal", "identity"];
    expect(known.filter((name) => !wanted.includes(name) && !more.includes(name))).toEqual([]);
    expect(named("schedule")).toEqual(scheduleNames);
    expect(named("optimiser")).toEqual(Object.keys(optimizerDefaults));
    expect(new Set(named("router"))).toEqual(new Set(routerNames));
  });

  test("of functions are coloured by the TextMate grammar", () => {
    const grammar = readFileSync(join(root, "editor/vscode/moe.tmLanguage.json"), "utf8");
    const missing = named("reduction", "element-wise", "function", "initialiser", "schedule").filter(
      (name) => !new RegExp(`[(|]${name}[)|]`).test(grammar),
    );
    expect(missing).toEqual([]);
  });
});

describe("over the protocol", () => {
  let client: Client;
  beforeAll(async () => {
    client = await startClient(await bundledServer("editor-typing-test"), {
      initializationOptions: { commands: true },
    });
  });
  afterAll(() => client.stop());

  const askEverything = (uri: string, offset: number): Promise<unknown> => {
    const position = client.at(uri, offset);
    const at = { textDocument: { uri }, position };
    return Promise.all([
      client.request("textDocument/completion", at),
      client.request("textDocument/signatureHelp", at),
      client.request("textDocument/definition", at),
      client.request("textDocument/references", { ...at, context: { includeDeclaration: true } }),
      client.request("textDocument/documentHighlight", at),
      client.request("textDocument/documentSymbol", at),
      client.request("textDocument/foldingRange", at),
      client.request("textDocument/semanticTokens/full", at),
      client.request("textDocument/codeLens", at),
      client.request("textDocument/formatting", { ...at, options: { tabSize: 2, insertSpaces: true } }),
    ]);
  };

  test("typing a program letter by letter, everything asked at each step", async () => {
    const { text } = programs.find(({ file }) => file === "recipe.moe")!;
    const uri = client.open("typed.moe", "");
    for (let at = 0; at < text.length; at += 13) {
      client.edit(uri, text.slice(at, at + 13), at, at);
      await askEverything(uri, Math.min(at + 13, text.length));
    }
    expect(client.text(uri)).toBe(text);
    expect((await client.diagnostics(uri)).filter(({ severity }) => severity === 1)).toEqual([]);
    expect(client.log.filter((line) => line.includes("internal"))).toEqual([]);
    client.close(uri);
  });

  test("an edit of a long file is answered", async () => {
    const uri = client.open("long.moe", long);
    const times: number[] = [];
    for (let turn = 0; turn < 20; turn++) {
      client.edit(uri, "x", inLong + turn, inLong + turn);
      const before = performance.now();
      await client.request("textDocument/completion", {
        textDocument: { uri },
        position: client.at(uri, inLong + turn + 1),
      });
      times.push(performance.now() - before);
    }
    client.close(uri);
    const sorted = times.toSorted((a, b) => a - b);
    console.log(`edit and completion: best ${sorted[0]!.toFixed(1)} ms, median ${sorted[10]!.toFixed(1)} ms`);
    // How long it takes is measured below, where other programs do not count; this is a bound for a crowded machine.
    expect(sorted[0]).toBeLessThan(500);
  });
});

/** Definitions without number, 2,000 lines of them, and a place inside. */
const long = Array.from(
  { length: 143 },
  (_, i) =>
    `expert E${i}(D, H)(x: [D]) -> [D] {\n  param up: [D, H]\n  param down: [H, D]\n  h = silu(x @ up)\n  g = h * sigmoid(h)\n  (g + h) @ down\n}\n\n` +
    `layer L${i}(D)(x: [T, D]) -> [T, D] {\n  y = E${i}(D, 4 * D)(x)\n  z = softmax(y over D)\n  x + z * y\n}\n\n`,
).join("");
const inLong = long.indexOf("  y = E70") + 6;

test("an edit of 2,000 lines and what is asked after it take less than 50 ms of the processor", () => {
  expect(long.split("\n").length).toBeGreaterThan(2000);
  let text = long;
  const library = openLibrary({ read: (path) => (path === "main.moe" ? text : hostOf({}).read(path)) });
  const once = (turn: number): number => {
    text = long.slice(0, inLong) + "x".repeat(1 + (turn % 9)) + long.slice(inLong);
    const before = process.cpuUsage();
    const names = namesIn(library.open("main.moe")!, library);
    completionAt(names, text, inLong + 1, { library, std, files: [] });
    colour(names);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  const times = Array.from({ length: 30 }, (_, turn) => once(turn)).sort((a, b) => a - b);
  console.log(
    `edit, completion, colours: best ${times[0]!.toFixed(1)} ms, median ${times[15]!.toFixed(1)} ms of processor`,
  );
  expect(times[0]).toBeLessThan(50);
});
