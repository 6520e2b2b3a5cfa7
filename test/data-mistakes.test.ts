// Mistakes in data: one clear error for each, with the file, the place and what to do.

import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { DataSource, Training } from "../runtime/program.ts";
import {
  text,
  source,
  type Files,
  open,
  failure,
  counted,
  flowerModalities,
  flowerSources,
  idx,
  digit,
  label,
  digitSources,
  images,
  marks,
} from "./helpers/data.ts";

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
