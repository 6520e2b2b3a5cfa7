// Tokenizers: what goes in comes out, in whole and token by token; byte-pair training is deterministic and learns words.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UserError } from "../runtime/errors.ts";
import {
  bytesTokenizer,
  charactersTokenizer,
  streamingDecoder,
  type Tokenizer,
} from "../runtime/tokenizer.ts";
import { tokenizerFromJSON } from "../runtime/tokenizer-load.ts";
import { pairsTokenizer, pieceCounter, pieceCutter, trainPairs } from "../runtime/tokenizer-pairs.ts";

const story = "the cat sat on the mat. the cat saw the rat, and the rat saw the cat. ".repeat(20);
const trained = (text: string, vocabulary: number): Tokenizer => {
  const counter = pieceCounter();
  const cutter = pieceCutter(counter.add);
  cutter.push(text);
  cutter.finish();
  return pairsTokenizer(trainPairs(counter.counts, vocabulary));
};
const pairs = trained(story, 300);

const difficult = "naïve – 東京 🦊👩‍👩‍👧 \r\n\ttabs   and   spaces  ";
const all: [string, Tokenizer][] = [
  ["bytes", bytesTokenizer()],
  ["bytes with an end", bytesTokenizer(256)],
  ["characters", charactersTokenizer(story + difficult)],
  ["pairs", pairs],
];

describe.each(all)("%s", (_, tokenizer) => {
  test.each([story, difficult, "", "🦊"])("%j comes back", (text) => {
    const ids = tokenizer.encode(text);
    expect(tokenizer.decode(ids)).toBe(text);
    expect(ids.every((id) => id >= 0 && id < tokenizer.count && (id !== tokenizer.end || text === ""))).toBe(
      true,
    );
  });

  test("token by token, characters are held back until they are whole", () => {
    const decoder = streamingDecoder(tokenizer);
    const parts = Array.from(tokenizer.encode(difficult), (id) => decoder.push(id));
    expect(parts.join("") + decoder.finish()).toBe(difficult);
    expect(parts.join("")).not.toContain("\ufffd");
  });

  test("JSON and back", () => {
    const again = tokenizerFromJSON(JSON.parse(JSON.stringify(tokenizer.toJSON())));
    expect(again.toJSON()).toEqual(tokenizer.toJSON());
    expect(again.encode(difficult)).toEqual(tokenizer.encode(difficult));
    expect([again.count, again.end]).toEqual([tokenizer.count, tokenizer.end]);
  });

  test("ends and unknown ids are no text", () => {
    expect(tokenizer.decode([tokenizer.end, 1_000_000, -1])).toBe("");
  });
});

test("a character cut off at the end", () => {
  const decoder = streamingDecoder(bytesTokenizer());
  expect([0xf0, 0x9f].map((id) => decoder.push(id)).join("")).toBe("");
  expect(decoder.finish()).toBe("\ufffd");
});

test("characters: sorted, unknown ones are an error", () => {
  const tokenizer = charactersTokenizer("banana");
  expect([...tokenizer.encode("nab")]).toEqual([3, 1, 2]);
  expect(() => tokenizer.encode("nabu")).toThrow('the character "u" is not in the model\'s vocabulary');
});

describe("pairs", () => {
  test("frequent words become one token", () => {
    expect(pairs.encode(" the")).toHaveLength(1);
    expect(pairs.encode(" cat")).toHaveLength(1);
    expect(pairs.encode(story).length).toBeLessThan(story.length / 3);
  });

  test("the first merges are the most frequent pairs", () => {
    const counts = new Map([
      ["aab", 5],
      ["ab", 3],
      ["bc", 7],
    ]);
    const [a, b, c] = [..."abc"].map((letter) => letter.charCodeAt(0)) as [number, number, number];
    // a+b 8 times, b+c 7, then a+ab 5.
    expect(trainPairs(counts, 1000)).toEqual([
      [a, b],
      [b, c],
      [a, 257],
    ]);
    expect(trainPairs(counts, 258)).toEqual([[a, b]]);
  });

  test("equal counts: the lowest ids first", () => {
    expect(
      trainPairs(
        new Map([
          ["zy", 2],
          ["ab", 2],
          ["ba", 2],
        ]),
        260,
      ),
    ).toEqual([
      [97, 98],
      [98, 97],
      [122, 121],
    ]);
  });

  /** The definition, without any bookkeeping. */
  function plainTraining(counts: ReadonlyMap<string, number>, vocabulary: number): [number, number][] {
    let words = [...counts].map(([text, count]) => ({ ids: [...new TextEncoder().encode(text)], count }));
    const merges: [number, number][] = [];
    while (257 + merges.length < vocabulary) {
      const totals = new Map<number, number>();
      for (const { ids, count } of words)
        for (let i = 0; i + 1 < ids.length; i++) {
          const key = ids[i]! * 2 ** 21 + ids[i + 1]!;
          totals.set(key, (totals.get(key) ?? 0) + count);
        }
      const [best] = [...totals].sort(([a, x], [b, y]) => y - x || a - b);
      if (best === undefined || best[1] < 2) break;
      const [left, right] = [Math.floor(best[0] / 2 ** 21), best[0] % 2 ** 21];
      merges.push([left, right]);
      words = words.map(({ ids, count }) => {
        const out: number[] = [];
        for (let i = 0; i < ids.length; i++)
          if (ids[i] === left && ids[i + 1] === right) {
            out.push(256 + merges.length);
            i++;
          } else out.push(ids[i]!);
        return { ids: out, count };
      });
    }
    return merges;
  }

  test("training agrees with the plain definition", () => {
    const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(fc.array(fc.tuple(word, fc.integer({ min: 1, max: 9 })), { maxLength: 12 }), (list) => {
        const counts = new Map(list);
        expect(trainPairs(counts, 280)).toEqual(plainTraining(counts, 280));
      }),
      { numRuns: 150 },
    );
  });

  test("pieces do not depend on how the text arrives", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", "bc", " ", "  ", "\n", "1", "234", "!?", "é", "🦊", "x".repeat(40)),
      maxLength: 30,
    });
    fc.assert(
      fc.property(text, fc.array(fc.nat(12)), (whole, cuts) => {
        const pieces: string[] = [];
        const cutter = pieceCutter((piece) => pieces.push(piece));
        const characters = [...whole];
        for (const cut of cuts) cutter.push(characters.splice(0, cut).join(""));
        cutter.push(characters.join(""));
        cutter.finish();
        const direct: string[] = [];
        const other = pieceCutter((piece) => direct.push(piece));
        other.push(whole);
        other.finish();
        expect(pieces).toEqual(direct);
        expect(pieces.join("")).toBe(whole);
      }),
      { numRuns: 300 },
    );
  });
});

test.each<[string, unknown]>([
  ["null", null],
  ["text", "bytes"],
  ["unknown kind", { kind: "words" }],
  ["no end", { kind: "bytes" }],
  ["merge of itself", { kind: "pairs", merges: [[97, 257]] }],
  ["merge of the end", { kind: "pairs", merges: [[97, 256]] }],
  ["merge of three", { kind: "pairs", merges: [[97, 98, 99]] }],
])("not a tokenizer: %s", (_, json) => {
  expect(() => tokenizerFromJSON(json, "run/tokenizer.json")).toThrow(UserError);
  expect(() => tokenizerFromJSON(json, "run/tokenizer.json")).toThrow(
    "run/tokenizer.json does not describe a tokenizer",
  );
});
