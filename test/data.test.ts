// Data readers over files in memory: what the batches hold, that they are a function of seed and index, that held-out and
// training data never meet, and one clear error for each mistake.

import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Batch, Batches } from "../runtime/data/data.ts";
import { glob, tidyPath } from "../runtime/data/glob.ts";
import { dataFromMemory } from "../runtime/data/open.ts";
import { splitWindows } from "../runtime/data/windows.ts";
import { UserError, runtimeCodes } from "../runtime/errors.ts";
import type { DataSource, Modality, Training } from "../runtime/program.ts";

const recipe = (data: readonly DataSource[], more: Partial<Training> = {}): Training => ({
  data,
  batch: 4,
  length: 8,
  steps: 10,
  accumulate: 1,
  seed: 1,
  evaluateEvery: 5,
  holdOut: 0.1,
  checkpointEvery: 5,
  patience: 0,
  metrics: ["loss"],
  optimiser: "adamw",
  rate: "rate",
  norm: "norm",
  ...more,
});
const text = (count?: number): Modality => ({
  name: "text",
  kind: "tokens",
  ...(count === undefined ? {} : { count }),
  length: "T",
  ports: ["text", "text.next"],
});
const source = (
  reader: DataSource["reader"],
  path: string,
  modality = "text",
  columns?: string[],
): DataSource => ({
  modality,
  reader,
  path,
  ...(columns === undefined ? {} : { columns }),
});
type Files = Record<string, string | Uint8Array>;
const open = (
  files: Files,
  data: readonly DataSource[],
  modalities: readonly Modality[],
  more?: Partial<Training>,
) => dataFromMemory(files, recipe(data, more), modalities);

async function failure(action: Promise<unknown>): Promise<string> {
  try {
    await action;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(runtimeCodes[error.code]).toBeDefined();
    expect(error.help).toBeTruthy();
    return `${error.code} ${error.message}`;
  }
  return "no error";
}

/** All different bytes in a known order, so that windows can be told apart. */
const counted = Uint8Array.from({ length: 250 }, (_, i) => i + 1);
const rowsOf = (batch: Batch, port: string, width: number): number[][] =>
  Array.from({ length: batch[port]!.length / width }, (_, row) => [
    ...batch[port]!.slice(row * width, (row + 1) * width),
  ]);
const epoch = (batches: Batches, port: string, width: number): number[][] =>
  Array.from({ length: Math.ceil(batches.examples / 4) }, (_, i) => rowsOf(batches.batch(i), port, width))
    .flat()
    .slice(0, batches.examples);

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

const flowers = [
  "width,length,kind,note",
  ...Array.from(
    { length: 40 },
    (_, i) => `${i},${i / 2},${["setosa", "virginica", "alba"][i % 3]},"row ${i}, of\nforty"`,
  ),
  "",
].join("\n");
const flowerModalities: Modality[] = [
  { name: "flower", kind: "features", count: 2, ports: ["flower"] },
  { name: "kind", kind: "category", count: 3, ports: ["kind"] },
];
const flowerSources = [source("csv", "f.csv", "flower", ["width", "length"]), source("csv", "f.csv", "kind")];

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

/** An IDX file of these axes. */
function idx(type: number, axes: readonly number[], values: Uint8Array | readonly number[]): Uint8Array {
  const header = new DataView(new ArrayBuffer(4 + 4 * axes.length));
  header.setUint8(2, type);
  header.setUint8(3, axes.length);
  axes.forEach((axis, i) => header.setUint32(4 + 4 * i, axis));
  return Uint8Array.from([...new Uint8Array(header.buffer), ...values]);
}
const digit: Modality = { name: "image", kind: "image", shape: [2, 2, 1], ports: ["image"] };
const label: Modality = { name: "label", kind: "category", count: 10, ports: ["label"] };
const digitSources = [source("idx", "i", "image"), source("idx", "l", "label")];
const images = idx(
  8,
  [20, 2, 2],
  Array.from({ length: 80 }, (_, i) => (i % 4 === 0 ? i / 4 : 255)),
);
const marks = idx(
  8,
  [20],
  Array.from({ length: 20 }, (_, i) => i % 10),
);

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

const f = (contents: string): Promise<unknown> =>
  open({ "f.csv": contents }, flowerSources, flowerModalities);
const t = (
  files: Files,
  reader: DataSource["reader"],
  count?: number,
  more?: Partial<Training>,
): Promise<unknown> => open(files, [source(reader, Object.keys(files)[0]!)], [text(count)], more);
const j = (contents: string): Promise<unknown> =>
  open(
    { "j.jsonl": contents },
    [source("jsonl", "j.jsonl", "score")],
    [{ name: "score", kind: "number", ports: ["score"] }],
  );
const i = (image: Uint8Array, marking: Uint8Array = marks): Promise<unknown> =>
  open({ i: image, l: marking }, digitSources, [digit, label]);
const csvHead = "width,length,kind\n";

test.each<[string, () => Promise<unknown>, string]>([
  ["missing", () => open({}, [source("bytes", "a.txt")], [text()]), "R0101 there is no file `a.txt`"],
  ["no match", () => open({}, [source("bytes", "a/*.txt")], [text()]), "R0101 no file matches `a/*.txt`"],
  ["empty bytes", () => t({ "a.txt": "" }, "bytes"), "R0103 a.txt is empty"],
  ["empty text", () => t({ "a.txt": "" }, "characters"), "R0103 a.txt is empty"],
  ["empty csv", () => f(""), "R0103 f.csv is empty"],
  ["csv without rows", () => f(csvHead), "R0103 f.csv has no rows below its first line"],
  ["empty jsonl", () => j("\n\n"), "R0103 j.jsonl is empty"],
  [
    "short",
    () => t({ "a.txt": "short" }, "bytes"),
    "R0104 a.txt has 6 tokens; a training and a held-out window of length 8 need 18",
  ],
  [
    "short, nothing held out",
    () => t({ "a.txt": "short" }, "bytes", 256, { holdOut: 0 }),
    "R0104 a.txt has 6 tokens; a window of length 8 needs 9",
  ],
  ["one row", () => f(`${csvHead}1,2,a\n`), "R0104 1 row is not enough to train and to hold out 0.1"],
  [
    "zero bytes",
    () => t({ "a.txt": "one\ntwo\0three" }, "characters"),
    "R0105 a.txt is not a text file: line 2 has a zero byte",
  ],
  [
    "not UTF-8",
    () => t({ "a.txt": Buffer.from("one\ntwo\nM\u00fcll", "latin1") }, "pairs", 300),
    "R0105 a.txt is not a text file: line 3 has bytes that are not UTF-8",
  ],
  [
    "cut character",
    () => t({ "a.txt": Buffer.from("one\nü").subarray(0, 5) }, "characters"),
    "R0105 a.txt is not a text file: line 2 ends within a character",
  ],
  [
    "binary csv",
    () => open({ "f.csv": gzipSync("a,b") }, flowerSources, flowerModalities),
    "R0105 f.csv is not a text file: line 1 has bytes that are not UTF-8",
  ],
  [
    "bytes need 256",
    () => t({ "a.txt": "text" }, "bytes", 128),
    "R0106 `bytes` makes 256 different tokens; `text` has 128",
  ],
  [
    "characters need more",
    () => t({ "a.txt": "abcd".repeat(9) }, "characters", 4),
    "R0106 the text has 4 different characters, which with the end of a document needs a vocabulary of 5; `text` has 4",
  ],
  [
    "pairs need more",
    () => t({ "a.txt": "abcd".repeat(9) }, "pairs", 256),
    "R0106 `pairs` needs a vocabulary of more than 257; `text` has 256",
  ],
  ["ragged", () => f(`${csvHead}1,2,a\n\n1,2\n`), "R0111 f.csv, line 4 has 2 cells; the first line has 3"],
  [
    "ragged after a long cell",
    () => f(`${csvHead}1,2,"a\nb\nc"\n1,2,a,4\n`),
    "R0111 f.csv, line 5 has 4 cells; the first line has 3",
  ],
  [
    "open quote",
    () => f(`${csvHead}1,2,a\n1,2,"a\n1,2,a\n`),
    "R0111 f.csv, line 3: a quote is not closed, or something follows it",
  ],
  ["no column", () => f("width,kind\n1,a\n"), "R0112 f.csv has no column `length`; it has `width`, `kind`"],
  ["no key", () => j('{"score":1}\n{"scores":1}'), "R0112 j.jsonl, line 2: there is no `score`"],
  [
    "not a number",
    () => f(`${csvHead}1,2,a\n1,x2,a\n`),
    'R0113 f.csv, line 3: "x2" in column `length` is not a number',
  ],
  [
    "thousands",
    () => f(`${csvHead}"1,000",2,a\n`),
    'R0113 f.csv, line 2: "1,000" in column `width` is not a number',
  ],
  ["no number", () => f(`${csvHead}1,,a\n`), "R0113 f.csv, line 2: empty in column `length` is not a number"],
  [
    "hexadecimal",
    () => f(`${csvHead}0x10,1,a\n`),
    'R0113 f.csv, line 2: "0x10" in column `width` is not a number',
  ],
  ["null", () => j('{"score":null}'), "R0113 j.jsonl, line 1: null in column `score` is not a number"],
  [
    "too many categories",
    () => f(`${csvHead}1,2,a\n1,2,b\n1,2,c\n1,2,d\n`),
    'R0114 f.csv, line 5: "d" is one more category than the 3 of `kind`',
  ],
  [
    "no category",
    () => f(`${csvHead}1,2,\n`),
    'R0114 f.csv, line 2: `kind` needs one category in column `kind`, here is ""',
  ],
  ["not JSON", () => j('{"score":1}\n{score:1}'), "R0115 j.jsonl, line 2: this is not JSON"],
  ["not an object", () => j("[1]"), "R0115 j.jsonl, line 1: this is not a JSON object"],
  [
    "a list for one number",
    () => j('{"score":[1,2]}'),
    "R0116 j.jsonl, line 1: `score` takes 1 number, here are 2",
  ],
  [
    "wrong shape",
    () => i(idx(8, [2, 3, 3], new Uint8Array(18))),
    "R0116 i has [3, 3] values a row, `image` takes 4",
  ],
  [
    "wrong magic",
    () => i(Uint8Array.of(0x89, 0x50, 0x4e, 0x47)),
    "R0121 i is not an IDX file: it begins with 89 50 4e 47",
  ],
  [
    "wrong type",
    () => i(Uint8Array.of(0, 0, 10, 1, 0, 0, 0, 0)),
    "R0121 i is not an IDX file: it begins with 00 00 0a 01, and 0a is no type of values",
  ],
  ["no axes", () => i(Uint8Array.of(0, 0, 8, 0)), "R0121 i is not an IDX file: it has no axes"],
  ["only a start", () => i(Uint8Array.of(0, 0)), "R0121 i is not an IDX file: it has only 2 bytes"],
  ["cut header", () => i(images.subarray(0, 9)), "R0122 i is truncated: it ends within its header"],
  [
    "cut values",
    () => i(images.subarray(0, 90)),
    "R0122 i is truncated: [20, 2, 2] values take 96 bytes, it has 90",
  ],
  [
    "huge claim",
    () => i(idx(8, [0xffffffff, 0xffffffff, 0xffffffff], [])),
    "R0122 i is truncated: [4294967295, 4294967295, 4294967295] values take 7.9228162458924105e+28 bytes, it has 16",
  ],
  [
    "too long",
    () => i(Uint8Array.of(...images, 1)),
    "R0122 i is too long: [20, 2, 2] values take 96 bytes, it has 97",
  ],
  ["no rows", () => i(idx(8, [0, 2, 2], [])), "R0103 i has no rows"],
  [
    "label too high",
    () => i(images, idx(8, [20], new Uint8Array(20).fill(10))),
    "R0114 l: row 0 has category 10, `label` has 0 to 9",
  ],
  [
    "rows differ",
    () => i(images, idx(8, [19], new Uint8Array(19))),
    "R0131 `image` has 20 rows, `label` has 19",
  ],
  [
    "text and rows",
    () =>
      open(
        { "a.txt": counted, l: marks },
        [source("bytes", "a.txt"), source("idx", "l", "label")],
        [text(), label],
      ),
    "R0131 `text` is running text, `label` has rows",
  ],
  [
    "no data line",
    () => open({ l: marks }, [source("idx", "l", "label")], [text(), label]),
    "R0132 the modality `text` has no data",
  ],
  ["idx for tokens", () => t({ l: marks }, "idx"), "R0132 the reader `idx` makes no tokens, which `text` is"],
  [
    "bytes for images",
    () => open({ l: marks }, [source("bytes", "l", "label")], [label]),
    "R0132 the reader `bytes` makes no category, which `label` is",
  ],
  [
    "two readers",
    () => open({ l: marks }, [source("bytes", "l"), source("pairs", "l")], [text()]),
    "R0132 `text` is read with `bytes` and with `pairs`",
  ],
])("mistake: %s", async (_, action, expected) => {
  expect(await failure(action())).toBe(expected);
});

test("the fingerprint follows the data", async () => {
  const of = async (contents: Uint8Array, seed = 1) =>
    (await open({ a: contents }, [source("bytes", "a")], [text()], { seed })).fingerprint;
  expect(await of(counted)).toBe(await of(counted, 2));
  expect(await of(counted)).not.toBe(await of(counted.map((byte) => byte ^ 1)));
  expect(await of(counted)).not.toBe(await of(counted.subarray(1)));
});

test.each<[string, string[], string[]]>([
  [
    "corpus/*.txt",
    ["corpus/a.txt", "corpus/b b.txt"],
    ["corpus/a.md", "corpus/x/a.txt", "a.txt", "corpus/.a.txt"],
  ],
  ["./corpus//?.txt", ["corpus/a.txt"], ["corpus/ab.txt"]],
  ["**/*.txt", ["a.txt", "x/a.txt", "x/y/a.txt"], ["a.md", ".x/a.txt"]],
  ["data/**", ["data/a", "data/x/a"], ["data", "other/a"]],
  ["a/{x,y}/*.{txt,md}", ["a/x/1.txt", "a/y/1.md"], ["a/z/1.txt", "a/x/1.csv"]],
  ["../books/m*y (1).txt", ["../books/moby (1).txt"], ["../books/moby.txt"]],
  ["/abs/*.txt", ["/abs/a.txt"], ["abs/a.txt"]],
  ["a+b[1].txt", ["a+b[1].txt"], ["aab1.txt"]],
])("glob %s", (pattern, yes, no) => {
  const { matches } = glob(pattern);
  for (const path of yes) expect([path, matches(tidyPath(path))]).toEqual([path, true]);
  for (const path of no) expect([path, matches(tidyPath(path))]).toEqual([path, false]);
});

test.each([
  ["corpus/*.txt", "corpus", 1],
  ["a/b/c.txt", "a/b", 1],
  ["*.txt", "", 1],
  ["a/*/c/*.txt", "a", 3],
  ["a/{x,y}/*.txt", "a", 2],
  ["../a/**/x", "../a", Infinity],
  ["/*.txt", "/", 1],
])("glob %s starts in %s", (pattern, folder, depth) => {
  expect(glob(pattern)).toMatchObject({ folder, depth });
});
