// The playground without a browser: links, toy data, examples, and what its workers answer. The page itself: playground-page.test.ts.

import fc from "fast-check";
import { deflateSync } from "fflate";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { checkModule } from "../compiler/compile.ts";
import { format } from "../grammar/format.ts";
import { toyNames, toyPoints, toTable } from "../playground/src/data/toys.ts";
import { longestText, mainPath, type CompileAnswer } from "../playground/src/messages.ts";
import { CompileClient } from "../playground/src/page/clients.ts";
import { groups, isExample, textOf } from "../playground/src/page/examples.ts";
import { BadLink, defaults, fromLink, tabs, toLink, type State } from "../playground/src/page/state.ts";
import { compileText } from "../playground/src/work/compiling.ts";
import { hostOf } from "../playground/src/work/host.ts";
import { answerLanguage } from "../playground/src/work/language.ts";

const text = textOf("plane");

describe("links", () => {
  const anyState: fc.Arbitrary<State> = fc
    .record({
      example: fc.constantFrom("plane", "letters", "gallery/cosine"),
      text: fc.option(fc.string({ unit: "grapheme", maxLength: 300 }), { nil: undefined }),
      model: fc.option(fc.constantFrom("Plane", "Other"), { nil: undefined }),
      toy: fc.constantFrom(...toyNames),
      tab: fc.constantFrom(...tabs),
      seed: fc.nat(),
      device: fc.constantFrom("auto" as const, "webgpu" as const, "cpu" as const),
      prompt: fc.string({ maxLength: 80 }),
    })
    .map(({ text: written, model, ...rest }) => ({
      ...rest,
      ...(written === undefined ? {} : { text: written }),
      ...(model === undefined ? {} : { model }),
    }));

  test("bring back the whole state", () => {
    fc.assert(
      fc.property(anyState, (state) => {
        expect(fromLink(toLink(state), isExample)).toEqual(state);
      }),
    );
    expect(toLink(defaults)).toBe("");
    expect(fromLink("", isExample)).toEqual(defaults);
  });

  test("that are damaged are refused, or say something that there is", () => {
    const link = toLink({ ...defaults, text: `${text}// ${"more ".repeat(50)}`, seed: 7 });
    expect(() => fromLink(link.slice(0, -9), isExample)).toThrow(BadLink);
    fc.assert(
      fc.property(fc.nat(link.length - 1), fc.constantFrom(..."Az09-_%!"), (at, letter) => {
        try {
          const { example, seed, toy } = fromLink(link.slice(0, at) + letter + link.slice(at + 1), isExample);
          expect(isExample(example) && toyNames.includes(toy) && Number.isInteger(seed)).toBe(true);
        } catch (problem) {
          expect(problem).toBeInstanceOf(BadLink);
        }
      }),
    );
  });

  const packed = (said: unknown): string =>
    Buffer.from(deflateSync(new TextEncoder().encode(JSON.stringify(said)))).toString("base64url");
  test.each([
    ["a text that is too long", packed({ text: "x".repeat(longestText + 1) })],
    ["far more than a text", packed({ text: "x".repeat(30_000_000) })],
    ["an example that is none", packed({ example: "__proto__" })],
    ["no state", packed([1, 2].length)],
    ["no link", "%%%"],
  ])("%s is refused", (_, link) => {
    expect(() => fromLink(link, isExample)).toThrow(BadLink);
  });
});

describe("toy data", () => {
  test.each(toyNames)("%s: the same for the same seed, two classes, within the plane", (name) => {
    const points = toyPoints(name, 400, 3);
    expect(toyPoints(name, 400, 3)).toEqual(points);
    expect(toyPoints(name, 400, 4)).not.toEqual(points);
    expect(points.side.reduce((sum, side) => sum + side, 0)).toBe(200);
    const inside = points.x.filter((x, i) => Math.max(Math.abs(x), Math.abs(points.y[i]!)) < 1.35).length;
    expect(inside).toBeGreaterThan(390);
    expect(toTable(points).split("\n")).toHaveLength(401);
  });
});

test("the playground's own examples are well and in style", () => {
  const [own] = groups;
  expect(own!.examples.map(({ id }) => id)).toEqual(["plane", "spiral", "letters", "strokes"]);
  for (const { id, text: each } of own!.examples) {
    expect({ id, found: checkModule(hostOf(each), mainPath) }).toEqual({ id, found: [] });
    expect(format(each, id).text).toBe(each);
  }
});

describe("the compiler's worker", () => {
  const told = (asked: Parameters<typeof compileText>[0]): CompileAnswer[] => {
    const answers: CompileAnswer[] = [];
    compileText(asked, (answer) => answers.push(answer));
    return answers;
  };

  test("tells mistakes, then drawing, plan and routing, then code; again when it is asked again", () => {
    const answers = told({ text });
    expect(answers.map(({ kind }) => kind)).toEqual(["checked", "compiled", "done"]);
    const [checked, compiled] = answers;
    expect(checked).toMatchObject({ problems: [], models: ["Plane"], model: "Plane" });
    expect(compiled).toMatchObject({
      parts: ["model", "forward", "evaluate", "train", "update"],
      plan: { parameters: { total: 180, active: 150 } },
      routing: [{ experts: 6, nulls: 0, width: 1, words: "top 1 of 6" }],
      wanted: { trains: true, kind: "plane" },
    });
    const again = told({ text, code: "wgsl" });
    expect(again.slice(0, 2)).toEqual(answers.slice(0, 2));
    expect(again[2]).toMatchObject({ kind: "code", of: "wgsl" });
    expect(JSON.stringify(again[2])).toContain("@compute");
    expect(JSON.stringify(told({ text, code: "cuda" }))).toContain("__global__");
  });

  test("shows mistakes as the command line does, with their mends", () => {
    const [checked, after] = told({ text: text.replace("by TopK", "by TopKK") });
    expect(after).toEqual({ kind: "done" });
    if (checked?.kind !== "checked") throw new Error("not checked");
    const [problem] = checked.problems.filter(({ severity }) => severity === "error");
    expect(problem!.picture).toMatch(/^error\[M0101\][^]*--> model\.moe:23:\d+/);
    expect(problem!.fixes.map(({ title }) => title)).toContain("Change to `TopK`");
  });
});

describe("the language worker", () => {
  const at = text.indexOf("TopK {") + 2;

  test("colours do not overlap and name words, names and numbers", () => {
    const colours = answerLanguage({ ask: "colours", path: mainPath, text }) as Int32Array;
    const spans = Array.from({ length: colours.length / 3 }, (_, i) => colours.slice(3 * i, 3 * i + 3));
    expect(spans.length).toBeGreaterThan(60);
    spans.forEach(([from, to], i) => {
      expect(from!).toBeGreaterThanOrEqual(spans[i - 1]?.[1] ?? 0);
      expect(to!).toBeGreaterThan(from!);
    });
  });

  test("goes to definitions in the library", () => {
    const found = answerLanguage({ ask: "define", path: mainPath, text, at });
    expect(found).toMatchObject({ path: "std.routers" });
    const { text: module, from } = found as { readonly text: string; readonly from: number };
    expect(module.slice(from - 7, from + 4)).toBe("router TopK");
  });

  test("completes, hovers, says what is called, formats", () => {
    const half = `${text}\nlayer Half(D)(x: [D]) -> [D] {\n  RMS`;
    const completed = answerLanguage({ ask: "complete", text: half, at: half.length, explicit: false });
    expect(JSON.stringify(completed)).toMatch(/"RMSNorm"[^]*import std\.norms/);
    expect(answerLanguage({ ask: "hover", path: mainPath, text, at })).toMatchObject({
      text: expect.stringMatching(/router TopK\(\s*D,\s*N/) as string,
    });
    const call = text.indexOf("Line(2, 2)") + 5;
    expect(answerLanguage({ ask: "sign", text, at: call })).toMatchObject({ active: 0 });
    const wild = text.replace("  dim F = 16", "    dim  F=16");
    expect(answerLanguage({ ask: "format", text: wild })).toMatchObject({
      insert: expect.any(String) as string,
    });
    expect(answerLanguage({ ask: "format", text: "model {" })).toHaveProperty("failed");
  });
});

describe("the compiler's client", () => {
  /** Workers that were started, the last one last. */
  const started: FakeWorker[] = [];
  class FakeWorker extends EventTarget {
    readonly asked: { readonly id: number; readonly asked: { readonly text: string } }[] = [];
    ended = false;
    constructor() {
      super();
      started.push(this);
    }
    postMessage(request: FakeWorker["asked"][number]): void {
      this.asked.push(request);
    }
    terminate(): void {
      this.ended = true;
    }
    say(id: number, answer?: CompileAnswer): void {
      this.dispatchEvent(Object.assign(new Event("message"), { data: { id, answer } }));
    }
  }
  beforeEach(() => {
    started.length = 0;
    vi.useFakeTimers();
    vi.stubGlobal("Worker", FakeWorker);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  const open = (): { client: CompileClient; heard: CompileAnswer[] } => {
    const heard: CompileAnswer[] = [];
    return { client: new CompileClient((answer) => heard.push(answer)), heard };
  };
  const models = {
    kind: "checked",
    problems: [],
    hints: [],
    found: { notes: [], given: [] },
    models: [],
  } as const;

  test("a newer text waits for a short while, and only the newest is compiled", () => {
    const { client, heard } = open();
    const [worker] = started;
    worker!.say(-1);
    for (const each of ["a", "b", "c"]) client.compile({ text: each });
    expect(worker!.asked.map(({ asked }) => asked.text)).toEqual(["a"]);
    worker!.say(0, { ...models, model: "Stale" });
    worker!.say(0, { kind: "done" });
    expect(worker!.asked.map(({ asked }) => asked.text)).toEqual(["a", "c"]);
    worker!.say(1, { ...models, model: "New" });
    expect(heard).toEqual([{ ...models, model: "New" }]);
    expect(worker!.ended).toBe(false);
  });

  test("a stale text that takes long is ended with its worker", () => {
    const { client, heard } = open();
    started[0]!.say(-1);
    client.compile({ text: "slow" });
    client.compile({ text: "next" });
    vi.advanceTimersByTime(1000);
    expect(started.map(({ ended }) => ended)).toEqual([true, false]);
    expect(started[1]!.asked.map(({ asked }) => asked.text)).toEqual(["next"]);
    expect(heard).toEqual([]);
  });

  test("a text that never ends is given up with a message; loading does not count", () => {
    const { client, heard } = open();
    client.compile({ text: "endless" });
    vi.advanceTimersByTime(60_000);
    expect(heard).toEqual([]);
    started[0]!.say(-1);
    vi.advanceTimersByTime(13_000);
    expect(heard).toEqual([
      { kind: "failed", message: expect.stringContaining("took longer than 12 seconds") as string },
    ]);
    expect(started[0]!.ended).toBe(true);
    client.compile({ text: "next" });
    expect(started[1]!.asked.map(({ asked }) => asked.text)).toEqual(["next"]);
  });

  test("a worker that dies is replaced, and the page is told", () => {
    const { client, heard } = open();
    started[0]!.say(-1);
    client.compile({ text: "too much" });
    started[0]!.dispatchEvent(new Event("error", { cancelable: true }));
    expect(heard).toMatchObject([{ kind: "failed" }]);
    expect(started).toHaveLength(2);
  });
});
