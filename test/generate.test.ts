import { afterEach, describe, expect, test } from "vitest";
import { UserError } from "../runtime/errors.ts";
import { generate, type GenerateOptions } from "../runtime/generate.ts";
import { sample, type SampleOptions } from "../runtime/sample.ts";
import { openSession, type Session, type SessionOptions } from "../runtime/session.ts";
import { regression, speaker, vocabulary } from "./helpers/hand-written.ts";

const open: Session[] = [];
afterEach(() => {
  for (const session of open.splice(0)) session.dispose();
});
async function start(context = 16, options: SessionOptions = {}): Promise<Session> {
  const { program, wasm } = speaker(context);
  const session = await openSession(program, wasm, { seed: 4, threads: 1, ...options });
  open.push(session);
  return session;
}
async function all(session: Session, options: GenerateOptions): Promise<number[]> {
  const ids: number[] = [];
  for await (const id of generate(session, options)) ids.push(id);
  return ids;
}

/** The model of the test, computed from the whole text each time, without caches. */
function scores(table: ArrayLike<number>, text: readonly number[]): number[] {
  return Array.from({ length: vocabulary }, (_, v) =>
    text.reduce(
      (sum, id, s) => Math.fround(sum + Math.fround(table[id * vocabulary + v]! / (text.length - s))),
      0,
    ),
  );
}

describe("several texts of one session at a time", () => {
  /** Token by token, each text in its turn, as requests of a service do. */
  const together = async (session: Session, all: readonly GenerateOptions[]): Promise<number[][]> =>
    Promise.all(
      all.map(async (options) => {
        const ids: number[] = [];
        for await (const id of generate(session, options)) {
          ids.push(id);
          await new Promise((resolve) => setTimeout(resolve, ids.length % 3));
        }
        return ids;
      }),
    );
  const asked: readonly GenerateOptions[] = [
    { prompt: [1, 2, 3], tokens: 12, seed: 5 },
    { prompt: [4], tokens: 9, seed: 6 },
    { prompt: [0, 0, 5, 6, 2], tokens: 30, seed: 7 },
  ];

  test("are the texts that each would be alone", async () => {
    const alone = [];
    for (const options of asked) alone.push(await all(await start(), options));
    expect(await together(await start(), asked)).toEqual(alone);
  });

  test("prompts of several pieces as well", async () => {
    const long = asked.map((options, i) => ({
      ...options,
      prompt: Array.from({ length: 300 + 300 * i }, (_, t) => (t * (i + 2)) % vocabulary),
      tokens: 4,
    }));
    const alone = [];
    for (const options of long) alone.push(await all(await start(1000), options));
    expect(await together(await start(1000), long)).toEqual(alone);
  });
});

describe("sample", () => {
  const logits = [1, 3, NaN, 2, 3, -Infinity];
  const shares = (options: SampleOptions, from: readonly number[] = logits, draws = 4000): number[] => {
    const counts = new Array<number>(from.length).fill(0);
    for (let n = 0; n < draws; n++) counts[sample(from, 9, n, options)]!++;
    return counts.map((count) => Math.round((100 * count) / draws));
  };

  test.each<[string, SampleOptions, readonly number[] | undefined, readonly number[]]>([
    ["temperature 0 takes the first of the likeliest", { temperature: 0 }, undefined, [0, 100, 0, 0, 0, 0]],
    ["top 1 likewise", { topK: 1 }, undefined, [0, 100, 0, 0, 0, 0]],
    ["top 2 keeps equals", { topK: 2 }, undefined, [0, 50, 0, 0, 50, 0]],
    ["top 3", { topK: 3 }, [0, Math.log(2), Math.log(3), -1], [17, 33, 50, 0]],
    ["a tiny top-p takes one", { topP: 1e-9 }, undefined, [0, 100, 0, 0, 0, 0]],
    [
      "top-p keeps what reaches the mass",
      { topP: 0.5 },
      [Math.log(0.3), Math.log(0.4), Math.log(0.2), Math.log(0.1)],
      [43, 57, 0, 0],
    ],
    ["high scores do not overflow", {}, [1e30, 1e30], [50, 50]],
    ["a low temperature sharpens", { temperature: 0.5 }, [0, Math.log(3)], [10, 90]],
  ])("%s", (_name, options, from, expected) => {
    shares(options, from).forEach((share, id) =>
      expect(Math.abs(share - expected[id]!)).toBeLessThanOrEqual(expected[id] === 0 ? 0 : 3),
    );
  });

  test("the draw depends on seed and counter only", () => {
    const flat = new Array<number>(1000).fill(0);
    expect(sample(flat, 1, 2)).toBe(sample(flat, 1, 2));
    const draws = new Set([...Array(50).keys()].flatMap((n) => [sample(flat, 1, n), sample(flat, 2, n)]));
    expect(draws.size).toBeGreaterThan(80);
  });

  test("scores that are no numbers", () => {
    expect(() => sample([NaN, -Infinity], 0, 0)).toThrow(UserError);
  });
});

describe("generate", () => {
  test("token by token, with a cache, says what the whole text would say", async () => {
    for (const prompt of [[2], [0, 5, 1, 1, 6]]) {
      const session = await start(64);
      const table = session.read("table");
      const expected = [...prompt];
      for (let n = 0; n < 30; n++)
        expected.push(sample(scores(table, expected), 21, n, { temperature: 0.8, topK: 5 }));
      expect(await all(session, { prompt, tokens: 30, seed: 21, temperature: 0.8, topK: 5 })).toEqual(
        expected.slice(prompt.length),
      );
    }
  });

  test("the same with any number of threads, any default sizes, and again in the same session", async () => {
    const options = { prompt: [3, 1, 4], tokens: 20, seed: 5 };
    const expected = await all(await start(), options);
    const other = await start(16, { threads: 2, sizes: { B: 4, T: 9 } });
    expect(await all(other, options)).toEqual(expected);
    expect(await all(other, { ...options, seed: 6 })).not.toEqual(expected);
    expect(await all(other, options)).toEqual(expected);
  });

  test("long prompts are read in pieces", async () => {
    const session = await start(600);
    const prompt = Array.from({ length: 520 }, (_, n) => (n * n) % vocabulary);
    expect(await all(session, { prompt, tokens: 3, temperature: 0 })).toEqual(
      ((text) => {
        for (let n = 0; n < 3; n++)
          text.push(sample(scores(session.read("table"), text), 0, 0, { temperature: 0 }));
        return text.slice(prompt.length);
      })([...prompt]),
    );
  });

  test("a full context slides: the later half is read again", async () => {
    const session = await start(8);
    const table = session.read("table");
    const ids: number[] = [];
    let text = [1, 2, 3];
    for (let n = 0; n < 25; n++) {
      const id = sample(scores(table, text), 3, n);
      ids.push(id);
      text.push(id);
      // Eight are in the cache and a ninth is to be read.
      if (text.length === 9) text = text.slice(-4);
    }
    expect(await all(session, { prompt: [1, 2, 3], tokens: 25, seed: 3 })).toEqual(ids);
    expect(await all(session, { prompt: [1, 2, 3], tokens: 25, seed: 3, overflow: "stop" })).toEqual(
      ids.slice(0, 6),
    );
  });

  test("ends at the stop token, at the caller's break, and when told to", async () => {
    const session = await start();
    const ids = await all(session, { prompt: [1], tokens: 12, seed: 8 });
    const stop = ids[4]!;
    expect(await all(session, { prompt: [1], tokens: 12, seed: 8, stop })).toEqual(
      ids.slice(0, ids.indexOf(stop)),
    );
    const control = new AbortController();
    const some: number[] = [];
    for await (const id of generate(session, { prompt: [1], seed: 8, signal: control.signal })) {
      some.push(id);
      if (some.length === 3) control.abort();
    }
    expect(some).toEqual(ids.slice(0, 3));
    expect(await all(session, { prompt: [1], tokens: 0 })).toEqual([]);
  });

  test.each<[string, Partial<GenerateOptions>, string]>([
    ["no prompt", { prompt: [] }, "R0402: the prompt is empty"],
    [
      "a long prompt",
      { prompt: new Int32Array(17) },
      "R0402: the prompt has 17 tokens, and the model's context 16",
    ],
    ["no token", { prompt: [1, 7] }, "R0402: the prompt holds 7, which is no token of `text`"],
    ["temperature", { temperature: -1 }, "R0404: the temperature cannot be -1"],
    ["top-k", { topK: 0 }, "R0404: top-k cannot be 0"],
    ["top-p", { topP: 1.5 }, "R0404: top-p cannot be 1.5"],
    ["tokens", { tokens: 2.5 }, "R0404: the number of tokens cannot be 2.5"],
  ])("%s", async (_name, options, expected) => {
    const session = await start();
    const error: unknown = await all(session, { prompt: [1], ...options }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(UserError);
    expect(`${(error as UserError).code}: ${(error as UserError).message}`).toBe(expected);
  });

  test("damaged parameters and models that cannot speak", async () => {
    const session = await start();
    session.view("table").fill(NaN);
    await expect(all(session, { prompt: [1] })).rejects.toThrow("the model gives no next token");
    const { program, wasm } = regression();
    const silent = await openSession(program, wasm, { threads: 1 });
    open.push(silent);
    await expect(all(silent, { prompt: [1] })).rejects.toThrow("the model Regression cannot generate");
  });
});
