// Data readers on disk: files read by position and compressed ones, patterns in folders, the cache of byte-pair tokens, and
// the mistakes that only disks can make.

import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { nodeFolder } from "../runtime/data/folder-node.ts";
import { memoryFolder, memoryFile, type DataFile, type DataFolder } from "../runtime/data/folder.ts";
import { idWriter } from "../runtime/data/ids.ts";
import { openData } from "../runtime/data/open-node.ts";
import { openDataIn } from "../runtime/data/open.ts";
import { byteTokens } from "../runtime/data/tokens.ts";
import { UserError } from "../runtime/errors.ts";
import type { DataSource, Modality, Training } from "../runtime/program.ts";
import { recipe as anyRecipe } from "./helpers/data.ts";

const root = fs.mkdtempSync(join(tmpdir(), "moe-data-"));
afterAll(() => fs.rmSync(root, { recursive: true }));
let base: string;
let count = 0;
beforeEach(() => {
  base = join(root, String(count++));
});

const recipe = (data: readonly DataSource[]): Training =>
  anyRecipe(data, { batch: 3, length: 16, seed: 5, holdOut: 0.2 });
const text: Modality = {
  name: "text",
  kind: "tokens",
  count: 400,
  length: "T",
  ports: ["text", "text.next"],
};
const one = (reader: DataSource["reader"], path: string, modality = "text"): DataSource[] => [
  { modality, reader, path },
];

function put(path: string, contents: string | Uint8Array): void {
  fs.mkdirSync(join(base, path, ".."), { recursive: true });
  fs.writeFileSync(join(base, path), contents);
}
const story = (seed: number): string =>
  Array.from(
    { length: 400 },
    (_, i) => ["über", "the", "sea", "the", "wind", "blows\n"][(i * i + seed) % 6],
  ).join(" ");

async function failure(action: Promise<unknown>): Promise<string> {
  try {
    await action;
  } catch (error) {
    if (error instanceof UserError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "no error";
}

describe.each(["bytes", "characters", "pairs"] as const)("%s", (reader) => {
  test("disk, compressed and memory give the same batches", async () => {
    const files = { "corpus/a.txt": story(1), "corpus/x/b.txt": story(2), "corpus/c.md": "no" };
    for (const [path, contents] of Object.entries(files)) {
      put(path, contents);
      put(`packed/${path}.gz`, gzipSync(contents));
    }
    const disk = await openData(recipe(one(reader, "corpus/**/*.txt")), [text], base);
    const packed = await openData(recipe(one(reader, "packed/**/*.txt.gz")), [text], base);
    const memory = await openDataIn(memoryFolder(files), recipe(one(reader, "corpus/**/*.txt")), [text]);
    for (const index of [0, 5, 50]) {
      expect(disk.train.batch(index)).toEqual(memory.train.batch(index));
      expect(packed.train.batch(index)).toEqual(memory.train.batch(index));
    }
    expect(disk.held.batch(1)).toEqual(memory.held.batch(1));
    expect(disk.fingerprint).toBe(memory.fingerprint);
    for (const data of [disk, packed, memory]) data.close();
  });
});

describe("by position", () => {
  test("large files are never read whole", async () => {
    put("large.txt", "0123456789");
    const [small] = await nodeFolder(base).find("large.txt");
    let wanted = 0;
    const pretended: DataFile = {
      ...small!,
      size: 2 ** 40,
      chunks: () => {
        throw new Error("read whole");
      },
      read(offset, into) {
        wanted += into.length;
        into.fill(offset % 251);
      },
    };
    const { store, starts } = await byteTokens([pretended, memoryFile("end", "xyz")], "text");
    expect(starts).toEqual([0, 2 ** 40 + 1, 2 ** 40 + 5]);
    const ids = new Int32Array(8);
    store.read(2 ** 40 - 3, 8, ids, 0);
    expect([...ids.slice(3)]).toEqual([0, 120, 121, 122, 0]);
    expect(wanted).toBe(3);
  });

  test("a file that shrinks is an error, not zeros", async () => {
    put("a.bin", new Uint8Array(100));
    const [file] = await nodeFolder(base).find("a.bin");
    fs.truncateSync(join(base, "a.bin"), 10);
    expect(() => file!.read(5, new Uint8Array(20))).toThrow("a.bin became shorter while it was read");
    file!.close();
  });

  test("many ids go to a scratch file", () => {
    const folder = nodeFolder(base);
    const total = 5 * 2 ** 20 + 77;
    const writers = [idWriter(folder, 2), idWriter(memoryFolder({}), 2)];
    for (let i = 0; i < total; i++) for (const { push } of writers) push((i * 31) % 70_001);
    const stores = writers.map((writer) => writer.finish());
    for (const store of stores) {
      expect(store.length).toBe(total);
      for (const start of [0, 2 ** 20 - 5, 3 * 2 ** 20 - 1, total - 10]) {
        const ids = new Int32Array(12);
        store.read(start, 10, ids, 1);
        expect([...ids]).toEqual([
          0,
          ...Array.from({ length: 10 }, (_, i) => ((start + i) * 31) % 70_001),
          0,
        ]);
      }
      store.close();
    }
  });
});

describe("the cache of byte-pair tokens", () => {
  const data = () => openData(recipe(one("pairs", "a.txt")), [text], base);
  const entries = (): string[] => fs.readdirSync(join(base, ".moe-cache"));

  test("kept, used, and made again when it is damaged or the text changes", async () => {
    put("a.txt", story(1));
    const first = (await data()).tokenizers["text"]!.toJSON();
    expect(entries()).toHaveLength(1);
    const path = join(base, ".moe-cache", entries()[0]!);
    const bytes = fs.readFileSync(path);
    expect((await data()).tokenizers["text"]!.toJSON()).toEqual(first);
    expect(fs.readFileSync(path)).toEqual(bytes);
    for (const damaged of [bytes.subarray(0, 20), Buffer.alloc(0), Buffer.from(bytes).fill(1, 5, 6)]) {
      fs.writeFileSync(path, damaged);
      expect((await data()).tokenizers["text"]!.toJSON()).toEqual(first);
      expect(fs.readFileSync(path)).toEqual(bytes);
    }
    put("a.txt", `${story(2)} more`);
    expect((await data()).tokenizers["text"]!.toJSON()).not.toEqual(first);
    expect(entries()).toHaveLength(2);
  });

  test("a folder that cannot hold it does no harm", async () => {
    put("a.txt", story(1));
    put(".moe-cache", "a file in its place");
    expect((await data()).train.examples).toBeGreaterThan(0);
  });

  test("it is really read", async () => {
    const saved = new Map<string, Uint8Array>();
    const folder: DataFolder = {
      ...memoryFolder({ "a.txt": story(1) }),
      cache: {
        load: (key) => Promise.resolve(saved.get(key)),
        save: (key, bytes) => Promise.resolve(void saved.set(key, bytes)),
      },
    };
    await openDataIn(folder, recipe(one("pairs", "a.txt")), [text]);
    const [key] = [...saved.keys()];
    saved.set(key!, new TextEncoder().encode('{"kind":"pairs","merges":[[116,104]]}'));
    const { tokenizers } = await openDataIn(folder, recipe(one("pairs", "a.txt")), [text]);
    expect(tokenizers["text"]!.count).toBe(258);
  });
});

test("compressed idx", async () => {
  const values = Uint8Array.from({ length: 4 * 9 }, (_, i) => i);
  put("images.gz", gzipSync(Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 3, ...values)));
  const image: Modality = { name: "image", kind: "image", shape: [3, 3, 1], ports: ["image"] };
  const { train } = await openData(recipe(one("idx", "images.gz", "image")), [image], base);
  expect(train.examples).toBe(3);
  const batch = train.batch(0)["image"]!;
  for (const row of [0, 1, 2])
    for (let i = 0; i < 9; i++) expect(batch[row * 9 + i]! - batch[row * 9]!).toBeCloseTo(i / 255, 6);
});

test("links to files are followed, circles of folders are not", async () => {
  put("corpus/a.txt", story(1));
  fs.symlinkSync(join(base, "corpus"), join(base, "corpus/again"));
  fs.symlinkSync(join(base, "corpus/a.txt"), join(base, "corpus/b.txt"));
  const found = await nodeFolder(base).find("corpus/**/*.txt");
  expect(found.map(({ name }) => name)).toEqual(["corpus/a.txt", "corpus/b.txt"]);
});

test.skipIf(process.platform === "win32")("a pipe that a pattern matches is not waited for", async () => {
  put("a.txt", story(1));
  execFileSync("mkfifo", [join(base, "b.txt")]);
  const { summary } = await openData(recipe(one("bytes", "*.txt")), [text], base);
  expect(summary.join()).toContain("in 1 document");
});

test("paths out of the folder and absolute ones", async () => {
  put("models/x", "");
  put("books/a.txt", story(1));
  const folder = nodeFolder(join(base, "models"));
  expect((await folder.find("../books/*.txt")).map(({ name }) => name)).toEqual(["../books/a.txt"]);
  expect((await folder.find(join(base, "books/a.txt"))).length).toBe(1);
  expect((await folder.find(join(base, "books/*.txt"))).length).toBe(1);
});

const bytesOf = (path: string): Promise<unknown> => openData(recipe(one("bytes", path)), [text], base);

test.each<[string, () => Promise<unknown>, string]>([
  ["missing", () => bytesOf("a.txt"), "R0101 there is no file `a.txt`"],
  ["missing folder", () => bytesOf("none/*.txt"), "R0101 no file matches `none/*.txt`"],
  ["a folder", () => bytesOf("folder"), "R0102 cannot read folder: it is a folder"],
  ["not gzip", () => bytesOf("fake.gz"), "R0102 cannot read fake.gz: it is not a whole gzip file"],
  ["cut gzip", () => bytesOf("cut.gz"), "R0102 cannot read cut.gz: it is not a whole gzip file"],
  ["empty", () => bytesOf("empty.txt"), "R0103 empty.txt is empty"],
  ["a dead link", () => bytesOf("*.dead"), "R0102 cannot read link.dead: it is not there any more"],
])("mistake: %s", async (_, action, expected) => {
  put("folder/a.txt", story(1));
  put("fake.gz", "not gzip at all");
  put("cut.gz", gzipSync(story(1)).subarray(0, -12));
  put("empty.txt", "");
  fs.symlinkSync(join(base, "nowhere"), join(base, "link.dead"));
  expect(await failure(action())).toBe(expected);
});

test.skipIf(process.getuid?.() === 0)("no permission", async () => {
  put("secret.txt", story(1));
  fs.chmodSync(join(base, "secret.txt"), 0);
  expect(await failure(bytesOf("secret.txt"))).toBe("R0102 cannot read secret.txt: permission is denied");
});
