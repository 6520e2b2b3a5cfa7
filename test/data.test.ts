// Data readers over files in memory: what the batches hold, that they are a function of seed and index, and that held-out and
// training data never meet.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { splitWindows } from "../runtime/data/windows.ts";
import type { Modality } from "../runtime/program.ts";
import {
  text,
  source,
  open,
  counted,
  rowsOf,
  epoch,
  flowers,
  flowerModalities,
  flowerSources,
  idx,
  digit,
  label,
  digitSources,
  images,
  marks,
} from "./helpers/data.ts";

describe("bytes", () => {
  test("windows and their next tokens", async () => {
    const { train, held, tokenizers, summary } = await open(
      { "a.bin": counted },
      [source("bytes", "a.bin")],
      [text(256)],
    );
    for (const batches of [train, held])
      for (const index of [0, 1, 7]) {
        const batch = batches.batch(index);
        expect(Object.keys(batch)).toEqual(["text", "text.next"]);
        const next = rowsOf(batch, "text.next", 8);
        rowsOf(batch, "text", 8).forEach((row, i) => {
          row.forEach((id, at) => expect(id).toBe(row[0]! + at));
          expect(next[i]).toEqual([...row.slice(1), row[7]! === 250 ? 0 : row[7]! + 1]);
        });
      }
    expect(tokenizers["text"]!.count).toBe(256);
    expect(summary).toEqual(["text: 251 tokens (bytes, 256 different) in 1 document"]);
  });

  test("a batch is a function of seed and index", async () => {
    const at = async (seed: number, index: number) =>
      (await open({ "a.bin": counted }, [source("bytes", "a.bin")], [text(256)], { seed })).train.batch(
        index,
      );
    expect(await at(1, 20)).toEqual(await at(1, 20));
    expect(await at(1, 20)).not.toEqual(await at(2, 20));
    expect(await at(1, 20)).not.toEqual(await at(1, 21));
  });

  test("an epoch sees each window once; the next in another order and cut at other places", async () => {
    const { train } = await open({ "a.bin": counted }, [source("bytes", "a.bin")], [text(256)]);
    const starts = (from: number): number[] =>
      Array.from(
        { length: train.examples },
        (_, i) => rowsOf(train.batch(Math.floor((from + i) / 4)), "text", 8)[(from + i) % 4]![0]!,
      );
    const epochs = [0, 1, 2].map((number) => starts(number * train.examples));
    for (const list of epochs) {
      const sorted = [...list].sort((a, b) => a - b);
      for (let i = 1; i < sorted.length; i++) expect(sorted[i]! - sorted[i - 1]!).toBeGreaterThanOrEqual(8);
    }
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect(new Set(epochs.map((list) => Math.min(...list) % 8)).size).toBeGreaterThan(1);
  });

  test("documents follow each other by name, an end after each", async () => {
    const files = { "b/2.txt": "zweites", "b/1.txt": "erstes", "b/.hidden": "no", "c.txt": "no" };
    const { train, tokenizers } = await open(files, [source("bytes", "b/*.txt")], [text(256)], {
      length: 14,
      holdOut: 0,
      batch: 1,
    });
    expect([...train.batch(0)["text"]!]).toEqual([...Buffer.from("erstes\0zweites\0")].slice(0, 14));
    expect(tokenizers["text"]!.end).toBe(0);
    const wide = await open(files, [source("bytes", "b/*.txt")], [text(257)], {
      length: 14,
      holdOut: 0,
      batch: 1,
    });
    expect([...wide.train.batch(0)["text"]!]).toEqual([
      ...Buffer.from("erstes"),
      256,
      ...Buffer.from("zweites"),
    ]);
  });

  test("only the ports that the model has", async () => {
    const { train } = await open({ a: counted }, [source("bytes", "a")], [{ ...text(256), ports: ["text"] }]);
    expect(Object.keys(train.batch(0))).toEqual(["text"]);
  });

  test("nothing held out", async () => {
    const { held } = await open({ a: counted }, [source("bytes", "a")], [text(256)], { holdOut: 0 });
    expect([held.examples, held.batches]).toEqual([0, 0]);
    expect(() => held.batch(0)).toThrow("internal:");
  });
});

test("training and held-out windows never share a token", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 3000 }),
      fc.integer({ min: 1, max: 40 }),
      fc.double({ min: 0.01, max: 0.9, noNaN: true }),
      fc.nat(5),
      (tokens, length, holdOut, round) => {
        const split = splitWindows(tokens, length, holdOut, [7, 9]);
        if (split === undefined) {
          expect(tokens).toBeLessThan(2 * (length + 1));
          return;
        }
        const owner = new Array<string>(tokens).fill("");
        const inputs = new Array<number>(tokens).fill(0);
        for (const part of ["train", "held"] as const) {
          expect(split[part].examples).toBeGreaterThan(0);
          for (let at = 0; at < split[part].examples; at++) {
            const start = split[part].start(at, round);
            let clean = start + length < tokens;
            for (let i = start; i <= start + length; i++) {
              clean &&= owner[i] === "" || owner[i] === part;
              owner[i] = part;
              if (i < start + length) clean &&= ++inputs[i]! === 1;
            }
            expect(clean).toBe(true);
          }
        }
      },
    ),
    { numRuns: 200 },
  );
});

describe("characters and pairs", () => {
  const story = "Der Wind weht über das Meer – und das Meer schweigt. ".repeat(30);

  test("characters", async () => {
    const { train, tokenizers } = await open({ "a.txt": story }, [source("characters", "a.txt")], [text(40)]);
    const row = train.batch(3)["text"]!.slice(0, 8);
    expect(story + story).toContain(tokenizers["text"]!.decode(row));
    expect([...tokenizers["text"]!.encode("D")].length).toBe(1);
  });

  test("pairs", async () => {
    const { train, tokenizers } = await open({ "a.txt": story }, [source("pairs", "a.txt")], [text(290)]);
    const tokenizer = tokenizers["text"]!;
    expect(tokenizer.count).toBeGreaterThan(258);
    expect(tokenizer.count).toBeLessThanOrEqual(290);
    expect(story + story).toContain(
      tokenizer.decode(train.batch(3)["text"]!.slice(0, 8)).replaceAll("\ufffd", ""),
    );
  });

  test("a byte order mark is not text", async () => {
    const { tokenizers } = await open(
      { "a.txt": `\ufeff${story}` },
      [source("characters", "a.txt")],
      [text()],
    );
    expect(JSON.stringify(tokenizers["text"]!.toJSON())).not.toContain("\ufeff");
  });
});

describe("tables", () => {
  test.each([
    ["as it is", flowers],
    ["carriage returns", flowers.replaceAll("\n", "\r\n")],
    ["semicolons", flowers.replaceAll(/,(?! of)/g, ";")],
    ["a byte order mark", `\ufeff${flowers}`],
    ["blank lines", flowers.replaceAll(/\n(?=\d+,)/g, "\n\n")],
    ["no last line end", flowers.trimEnd()],
  ])("csv, %s: rows stay together", async (_, contents) => {
    const { train, held, labels } = await open({ "f.csv": contents }, flowerSources, flowerModalities);
    expect(labels).toEqual({ kind: ["alba", "setosa", "virginica"] });
    expect([train.examples, held.examples, held.batches]).toEqual([36, 4, 1]);
    const seen = [train, held].flatMap((part) => {
      const features = epoch(part, "flower", 2);
      const kinds = epoch(part, "kind", 1);
      return features.map(([width, length], i) => {
        expect(length).toBe(width! / 2);
        expect(labels["kind"]![kinds[i]![0]!]).toBe(["setosa", "virginica", "alba"][width! % 3]);
        return width!;
      });
    });
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  test("a large csv arrives in pieces", async () => {
    const rows = Array.from({ length: 60_000 }, (_, i) => `${i},"${"x".repeat(i % 17)}\n",${-i}`);
    const modalities: Modality[] = [{ name: "n", kind: "features", count: 2, ports: ["n"] }];
    const { train, summary } = await open(
      { "l.csv": `a,b,c\n${rows.join("\n")}\n` },
      [source("csv", "l.csv", "n", ["a", "c"])],
      modalities,
    );
    expect(summary).toEqual(["n: 60,000 rows"]);
    for (const [a, c] of rowsOf(train.batch(99), "n", 2)) expect(c).toBe(-a!);
  });

  test("columns that are left for the features, and columns by pattern", async () => {
    const contents = "p1,p2,kind\n1,2,a\n3,4,b\n5,6,a\n";
    const modalities: Modality[] = [
      { name: "x", kind: "features", count: 2, ports: ["x"] },
      { name: "kind", kind: "category", ports: ["kind"] },
    ];
    for (const columns of [undefined, ["p*"]]) {
      const { train } = await open(
        { "t.csv": contents },
        [source("csv", "t.csv", "x", columns), source("csv", "t.csv", "kind")],
        modalities,
        { holdOut: 0, batch: 3 },
      );
      expect(rowsOf(train.batch(0), "x", 2).sort()).toEqual([
        [1, 2],
        [3, 4],
        [5, 6],
      ]);
    }
  });

  test("whole numbers are categories as they are", async () => {
    const { train, labels } = await open(
      { "t.csv": "y\n2\n0\n2\n" },
      [source("csv", "t.csv", "y")],
      [{ name: "y", kind: "category", count: 4, ports: ["y"] }],
      { holdOut: 0, batch: 3 },
    );
    expect([...train.batch(0)["y"]!].sort()).toEqual([0, 2, 2]);
    expect(labels["y"]).toEqual(["0", "1", "2", "3"]);
  });

  test("json lines: numbers, lists, categories, texts", async () => {
    const lines = Array.from({ length: 20 }, (_, i) =>
      JSON.stringify({
        text: `text ${i}`,
        label: i % 2 === 0,
        image: [
          [i, 1],
          [2, 3],
        ],
        score: i / 4,
      }),
    ).join("\r\n");
    const modalities: Modality[] = [
      text(256),
      { name: "label", kind: "category", count: 2, ports: ["label"] },
      { name: "image", kind: "image", shape: [2, 2, 1], ports: ["image"] },
      { name: "score", kind: "number", ports: ["score"] },
    ];
    const names = ["text", "label", "image", "score"];
    const { train, labels, tokenizers } = await open(
      { "j.jsonl": lines },
      names.map((name) => source("jsonl", "j.jsonl", name)),
      modalities,
    );
    expect(labels["label"]).toEqual(["false", "true"]);
    const batch = train.batch(2);
    rowsOf(batch, "image", 4).forEach(([i, ...rest], row) => {
      expect(rest).toEqual([1, 2, 3]);
      expect(batch["score"]![row]).toBe(i! / 4);
      expect(batch["label"]![row]).toBe(i! % 2 === 0 ? 1 : 0);
      const whole = `text ${i}`;
      expect(tokenizers["text"]!.decode(rowsOf(batch, "text", 8)[row]!)).toBe(whole);
      expect(tokenizers["text"]!.decode(rowsOf(batch, "text.next", 8)[row]!)).toBe(whole.slice(1));
      // The end is a token to be learned; what follows is padding.
      const filled = (ids: readonly number[]): number[] => [...ids, ...Array<number>(8).fill(-1)].slice(0, 8);
      const ids = [...Buffer.from(whole), 0];
      expect([...rowsOf(batch, "text", 8)[row]!]).toEqual(filled(ids));
      expect([...rowsOf(batch, "text.next", 8)[row]!]).toEqual(filled(ids.slice(1)));
    });
  });

  test("a column of texts alone is running text", async () => {
    const lines = Array.from({ length: 20 }, (_, i) => JSON.stringify({ text: `text ${i}` })).join("\n");
    const { train, summary } = await open({ "j.jsonl": lines }, [source("jsonl", "j.jsonl")], [text(256)], {
      holdOut: 0,
      batch: 1,
    });
    expect(summary[0]).toContain("in 20 documents");
    expect(train.examples).toBeGreaterThan(15);
  });
});

describe("idx", () => {
  test("images from 0 to 1 with their labels", async () => {
    const { train, labels } = await open({ i: images, l: marks }, digitSources, [digit, label]);
    const batch = train.batch(1);
    rowsOf(batch, "image", 4).forEach(([first, ...rest], row) => {
      expect(rest).toEqual([1, 1, 1]);
      expect(Math.round(first! * 255) % 10).toBe(batch["label"]![row]);
    });
    expect(batch["label"]).toBeInstanceOf(Int32Array);
    expect(labels["label"]).toHaveLength(10);
  });

  test("floats, and several files after each other", async () => {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat32(0, 0.5);
    new DataView(bytes.buffer).setFloat32(4, -2);
    const files = { "x/1": idx(13, [2], bytes), "x/2": idx(12, [1], [255, 255, 255, 254]) };
    const modality: Modality = { name: "n", kind: "number", ports: ["n"] };
    const { train } = await open(files, [source("idx", "x/*", "n")], [modality], { holdOut: 0, batch: 3 });
    expect([...train.batch(0)["n"]!].sort((a, b) => a - b)).toEqual([-2, -2, 0.5]);
  });
});

test("the fingerprint follows the data", async () => {
  const of = async (contents: Uint8Array, seed = 1) =>
    (await open({ a: contents }, [source("bytes", "a")], [text()], { seed })).fingerprint;
  expect(await of(counted)).toBe(await of(counted, 2));
  expect(await of(counted)).not.toBe(await of(counted.map((byte) => byte ^ 1)));
  expect(await of(counted)).not.toBe(await of(counted.subarray(1)));
});
