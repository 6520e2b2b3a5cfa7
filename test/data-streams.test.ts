// Streams of data: what is read apart has an order, a length and epochs of its own; what shares a stream lines up. In: files in memory,
// and two books in one recipe. Asked: orders, held-out parts, kinds side by side, mistakes, and a run that goes on.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Batches } from "../runtime/data/data.ts";
import type { DataSource, Modality } from "../runtime/program.ts";
import { checkText } from "./helpers/elaborate.ts";
import { testShell } from "./helpers/cli.ts";
import { counted, failure, open, source, text } from "./helpers/data.ts";

const number = (name: string): Modality => ({ name, kind: "number", ports: [name] });
const csv = (modality: string, path: string, column: string, stream?: string): DataSource => ({
  ...source("csv", path, modality, [column]),
  ...(stream === undefined ? {} : { stream }),
});
const rows = (count: number): string =>
  `x,y\n${Array.from({ length: count }, (_, i) => `${i},${i + 1000}`).join("\n")}\n`;
/** The values of so many batches of four. */
const read = (batches: Batches, name: string, count: number): number[] =>
  Array.from({ length: count }, (_, i) => [...batches.batch(i)[name]!]).flat();
const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

describe("rows", () => {
  const modalities = [number("x"), number("y"), number("far")];
  const files = { "near.csv": rows(20), "far.csv": rows(8) };
  const data = [csv("x", "near.csv", "x"), csv("y", "near.csv", "y"), csv("far", "far.csv", "x", "apart")];

  test("of one stream line up; another has its own number and order", async () => {
    const { train, held } = await open(files, data, modalities, { holdOut: 0.25 });
    expect([train.examples, train.batches, held.examples, held.batches]).toEqual([15, 3, 5, 1]);
    const [x, y, far] = ["x", "y", "far"].map((name) => read(train, name, 15));
    expect(y).toEqual(x!.map((value) => value + 1000));
    // An epoch of fifteen rows, and of six, each once before the next.
    for (let epoch = 0; epoch < 4; epoch++)
      expect(new Set(x!.slice(15 * epoch, 15 * epoch + 15)).size).toBe(15);
    for (let epoch = 0; epoch < 10; epoch++)
      expect(sorted(far!.slice(6 * epoch, 6 * epoch + 6))).toEqual(sorted(far!.slice(0, 6)));
    const kept = new Set(read(held, "far", 1));
    expect(far!.some((value) => kept.has(value))).toBe(false);
  });

  test("the same file apart: other pairs in every batch, the same rows held out", async () => {
    const twice = [csv("x", "near.csv", "x"), csv("far", "near.csv", "x", "apart")];
    const at = async (seed: number, stream = "apart"): Promise<[number[], number[]]> => {
      const sources = [twice[0]!, { ...twice[1]!, stream }];
      const { train } = await open(files, sources, [number("x"), number("far")], { holdOut: 0.25, seed });
      return [read(train, "x", 15), read(train, "far", 15)];
    };
    const [x, far] = await at(1);
    expect(new Set(far)).toEqual(new Set(x));
    expect(far.filter((value, i) => value === x[i]).length).toBeLessThan(15);
    expect(await at(1)).toEqual([x, far]);
    expect((await at(1, "other"))[1]).not.toEqual(far);
    expect((await at(2))[1]).not.toEqual(far);
  });

  test("the main stream is as it is without others", async () => {
    const alone = await open(files, data.slice(0, 2), modalities.slice(0, 2), { holdOut: 0.25 });
    const both = await open(files, data, modalities, { holdOut: 0.25 });
    for (const name of ["x", "y"]) expect(read(both.train, name, 9)).toEqual(read(alone.train, name, 9));
    // Also where it stands behind the other.
    const behind = await open(files, data.toReversed(), modalities.toReversed(), { holdOut: 0.25 });
    expect(behind.train.examples).toBe(15);
    expect(read(behind.train, "x", 9)).toEqual(read(alone.train, "x", 9));
  });

  test("what does not line up says that it may be read apart", async () => {
    const paired = [csv("x", "near.csv", "x"), csv("far", "far.csv", "x")];
    expect(await failure(open(files, paired, [number("x"), number("far")]))).toBe(
      "R0131 `x` has 20 rows, `far` has 8",
    );
    const both = [csv("x", "near.csv", "x", "a"), csv("far", "far.csv", "x", "a")];
    expect(await failure(open(files, both, [number("x"), number("far")]))).toMatch(/^R0131/);
  });
});

test("running text and rows side by side", async () => {
  const prose: DataSource = { ...source("bytes", "a.bin"), stream: "prose" };
  const files = { "a.bin": counted, "near.csv": rows(20) };
  const { train, summary } = await open(files, [prose, csv("x", "near.csv", "x")], [text(256), number("x")]);
  const batch = train.batch(0);
  expect([batch["text"]!.length, batch["text.next"]!.length, batch["x"]!.length]).toEqual([32, 32, 4]);
  expect(train.examples).toBe(18);
  expect(summary).toHaveLength(2);
});

test("texts of a column are running text where their stream has no rows", async () => {
  const files = { "near.csv": rows(20), "notes.csv": `note\n${"a long line of text\n".repeat(20)}` };
  const notes = (stream?: string): DataSource => csv("text", "notes.csv", "note", stream);
  const apart = await open(files, [notes("notes"), csv("x", "near.csv", "x")], [text(257), number("x")]);
  expect([...apart.train.batch(0)["text"]!]).not.toContain(-1);
  const paired = await open(files, [notes(), csv("x", "near.csv", "x")], [text(257), number("x")], {
    length: 30,
  });
  expect([...paired.train.batch(0)["text"]!]).toContain(-1);
});

const model = (data: string): string => `model Two {
  modality text = tokens(vocab = 256)
  modality other = tokens(vocab = 256)
  param table: [256, 4]
  logits = table[text] @ transpose(table)
  loss here = cross_entropy(logits, text.next)
  loss there = cross_entropy(table[other] @ transpose(table), other.next)
}

train Two {
  ${data}
  batch 2 of 8
  steps 4
  evaluate every 2 on 20%
}
`;

describe("in a recipe", () => {
  test.each([
    ['bytes("b.txt", stream = "far")', "M0608 stream: a stream of data is called by a name"],
    ['bytes("b.txt", order = far)', "M0608 order: `bytes` has no option `order`"],
    ['bytes("b.txt", stream = far)', undefined],
  ])("%s", (other, message) => {
    const said = checkText(model(`data text = bytes("a.txt")\n  data other = ${other}`));
    expect(said).toEqual(message === undefined ? [] : [message]);
  });

  const shell = testShell({
    "a.txt": "There is one who writes of whales. ".repeat(30),
    "b.txt": "let x = 1; ".repeat(40),
    "two.moe": model('data text = bytes("a.txt")\n  data other = bytes("b.txt", stream = far)'),
  });
  afterAll(() => shell.remove());

  test("two texts of unlike length train together, and a run goes on where it was", async () => {
    const whole = await shell.run(["train", "two.moe", "--threads", "1"]);
    expect(whole.err).not.toContain("error");
    expect(whole.code).toBe(0);
    let stop = (): void => {};
    const onInterrupt = (act: () => void): (() => void) => ((stop = act), () => {});
    const err = (line: string): void => (line.startsWith("step 2/4") ? stop() : undefined);
    await shell.run(["train", "two.moe", "--threads", "1", "--out", "runs/again"], { onInterrupt, err });
    const resumed = await shell.run(["train", "runs/again", "--resume", "--threads", "1"]);
    expect(resumed.code).toBe(0);
    const [first, second] = ["runs/two", "runs/again"].map((run) =>
      readFileSync(join(shell.folder, run, "last.safetensors")),
    );
    expect(second).toEqual(first);
  });
});
