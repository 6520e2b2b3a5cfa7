// `start from` files that other tools wrote: numbers of 16 bits, matrices the other way round, checkpoints in several files; and from
// phases further back. In: files written here, a tiny model that does not move. Out: its tensors, or one error before anything is written.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeSafetensors } from "../runtime/safetensors.ts";
import { decodeIndex } from "../runtime/safetensors-index.ts";
import { testShell, tinyText, type TestShell } from "./helpers/cli.ts";
import { checkText } from "./helpers/elaborate.ts";

let shell: TestShell;
beforeAll(() => {
  shell = testShell({ "data/a.txt": tinyText });
  mkdirSync(join(shell.folder, "published"));
});
afterAll(() => shell.remove());

type Part = readonly [name: string, dtype: string, shape: readonly number[], bytes: ArrayBufferView];

/** A safetensors file as any tool writes it. */
function file(parts: readonly Part[]): Buffer {
  let at = 0;
  const entries = parts.map(([name, dtype, shape, { byteLength }]) => {
    const offsets = [at, (at += byteLength)];
    return [name, { dtype, shape, data_offsets: offsets }] as const;
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const values = parts.map(([, , , { buffer, byteOffset, byteLength }]) =>
    Buffer.from(buffer, byteOffset, byteLength),
  );
  return Buffer.concat([length, header, ...values]);
}

/** bf16 of small whole numbers and halves, which it holds exactly: the upper half of an f32. */
const brain = (values: readonly number[]): Uint16Array =>
  Uint16Array.from(new Uint32Array(Float32Array.from(values).buffer), (bits) => bits >>> 16);
const counted = (length: number): number[] => Array.from({ length }, (_, i) => (i % 200) / 2 - 40);

const model = (start: string, phases = "  steps 1\n"): string => `model Small {
  modality text = tokens(vocab = 256)
  param table: [256, 4]
  param mix: [4, 3] = 0
  param back: [3, 4] = 0
  x = table[text]
  x = x + (x @ mix) @ back
  logits = x @ transpose(table)
  loss cross_entropy(logits, text.next)
}

train Small {
  ${start.replaceAll("\n", "\n  ")}
  data text = bytes("data/*.txt")
  batch 2 of 8
  optimizer sgd { rate = 0 }
  evaluate every 1 on 20%
${phases}}
`;

let runs = 0;
async function train(start: string, phases?: string): Promise<{ code: number; err: string; run: string }> {
  const name = `m${runs++}`;
  shell.write(`${name}.moe`, model(start, phases));
  const { code, err } = await shell.run(["train", `${name}.moe`, "--threads", "1"]);
  return { code, err, run: `runs/${name}` };
}
const numbers = (path: string, name: string): number[] => [
  ...decodeSafetensors(readFileSync(join(shell.folder, path)), path).tensors.get(name)!.values,
];

const table = counted(1024);
const turned = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const write = (name: string, bytes: string | Buffer): void =>
  writeFileSync(join(shell.folder, "published", name), bytes);

describe("numbers of 16 bits", () => {
  test("are taken as they are, a matrix the other way round by `transpose`", async () => {
    write(
      "model.safetensors",
      file([
        ["embed.weight", "BF16", [256, 4], brain(table)],
        ["mix.weight", "F16", [3, 4], Uint16Array.from(turned, (n) => 0x3c00 + (n - 1) * 4)],
        // What no rule asks for may hold what no program could.
        ["position_ids", "I64", [1], BigInt64Array.of(2n ** 40n)],
      ]),
    );
    const { code, err, run } = await train(
      'start from "published/model.safetensors" {\n  "table" = "embed.weight"\n  "mix" = transpose("mix.weight")\n}',
    );
    expect(err).toContain(
      "2 tensors (1.04 k numbers) from published/model.safetensors; begins afresh: back\n",
    );
    expect(code).toBe(0);
    expect(numbers(`${run}/last.safetensors`, "table")).toEqual(table);
    const half = turned.map((n) => 1 + (n - 1) / 256);
    expect(numbers(`${run}/last.safetensors`, "mix")).toEqual(
      [0, 1, 2, 3].flatMap((column) => [0, 1, 2].map((row) => half[row * 4 + column])),
    );
  });

  test("integers are none of a parameter", async () => {
    const { code, err } = await train(
      'start from "published/model.safetensors" {\n  "mix" = "position_ids"\n}',
    );
    expect(code).toBe(2);
    expect(err).toContain("R0205");
    expect(err).toContain('"position_ids"');
  });
});

describe("a checkpoint in several files", () => {
  const index = (map: Readonly<Record<string, unknown>>): string =>
    JSON.stringify({ metadata: { total_size: 12 }, weight_map: map });
  const start = 'start from "published/two.safetensors.index.json"';

  test("is read by its index", async () => {
    write("two-00001-of-00002.safetensors", file([["table", "BF16", [256, 4], brain(table)]]));
    write(
      "two-00002-of-00002.safetensors",
      file([
        ["mix", "F64", [4, 3], Float64Array.from(turned)],
        ["back", "F32", [3, 4], Float32Array.from(turned)],
      ]),
    );
    write(
      "two.safetensors.index.json",
      index({ table: "two-00001-of-00002.safetensors", mix: "two-00002-of-00002.safetensors" }),
    );
    const { err, run } = await train(start);
    // What the index does not name is not of the checkpoint.
    expect(err).toContain("2 tensors (1.04 k numbers) from published/two.safetensors.index.json");
    expect(err).toContain("begins afresh: back\n");
    expect(numbers(`${run}/last.safetensors`, "mix")).toEqual(turned);
  });

  test.each<[string, string, string]>([
    ["a part that is not there", index({ table: "three.safetensors" }), "R0201"],
    ["a part without the tensor", index({ w: "two-00001-of-00002.safetensors" }), "which it does not"],
    ["no JSON", "{", "it is not JSON"],
    ["no map", "[]", "it has no `weight_map`"],
    [
      "a path out",
      index({ table: "../data/w.safetensors" }),
      '"../data/w.safetensors" is no safetensors file',
    ],
    ["an absolute path", index({ table: "/w.safetensors" }), "is no safetensors file beside it"],
    ["another ending", index({ table: "a.txt" }), "is no safetensors file beside it"],
    [
      "an index of indices",
      index({ table: "two.safetensors.index.json" }),
      "is no safetensors file beside it",
    ],
    ["no name", index({ table: 7 }), "7 is no safetensors file beside it"],
  ])("%s", async (_, text, message) => {
    write("two.safetensors.index.json", text);
    const { code, err } = await train(start);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err).toMatch(/^error\[R020[14]\]/);
    expect(err).toContain("= help:");
  });

  test("the same name twice is no index, and parts are in the order of their first tensor", () => {
    expect(() => decodeIndex('{"weight_map":{"a":"x.safetensors","a":"y.safetensors"}}', "i")).toThrow(
      'it has "a" twice',
    );
    const files = decodeIndex(index({ a: "x.safetensors", b: "y.safetensors", c: "x.safetensors" }), "i");
    expect([...files]).toEqual([
      ["x.safetensors", ["a", "c"]],
      ["y.safetensors", ["b"]],
    ]);
  });
});

describe("phases further back", () => {
  const phases = `
  phase seed {
    steps 1
  }

  phase law {
    steps 1
    optimizer sgd { rate = 1 }
  }

  phase code {
    steps 1
    start from seed
    optimizer sgd { rate = 2 }
  }

  phase merged {
    steps 1
    start from seed, law, last = code {
      "table" = mean(seed("*"), law("table"), last("table"), weights = [1, 1, 2])
    }
  }
`;
  test("each branches from where it says; a merge takes all of them", async () => {
    const merged = phases.replace('mean(seed("*")', 'mean(seed("table")');
    const { err, run } = await train("seed 3", merged);
    expect(err).toContain("3 tensors (1.05 k numbers) from phase seed\n");
    expect(err).toContain("1 tensor (1.02 k numbers) from phase seed, phase law, phase code; begins afresh");
    const [seed, law, code] = ["seed", "law", "code"].map((phase) =>
      numbers(`${run}/phases/${phase}/last.safetensors`, "table"),
    ) as [number[], number[], number[]];
    expect(law).not.toEqual(seed);
    expect(code).not.toEqual(law);
    const all = numbers(`${run}/last.safetensors`, "table");
    all.forEach((value, i) => expect(value).toBe(Math.fround((seed[i]! + law[i]! + 2 * code[i]!) / 4)));
  });

  test.each([
    [phases, 'M0615 "*": nothing says what every `*` of "*" stands for'],
    [
      phases.replace("start from seed\n", "start from merged\n").replace('seed("*")', 'seed("table")'),
      "M0615 merged: no phase before this one is called `merged`",
    ],
    [
      phases.replace('seed("*")', 'seed("table")').replace("last = code", "law = code"),
      "M0615 law: two sources are called `law`",
    ],
    ["\n  phase one {\n    start from one\n  }\n", "M0615 one: a run or a file is written in quotes"],
  ])("what they cannot say %#", (text, message) => {
    expect(checkText(model("seed 3", text))).toEqual([message]);
  });
});
