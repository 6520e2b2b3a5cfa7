// Builds the playground: static files that any server can host, in any folder. Its data are cut from the examples' data.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { defineConfig } from "vite";

const root = import.meta.dirname;
const examples = join(root, "../examples");

// With these headers a page may share memory with its workers, and models run on several threads.
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** Digits that the page has; the example has 5,000. */
const digits = 1200;
/** Characters of the novel that the page has. */
const letters = 160_000;

/** The first rows of a file in MNIST's format: the number of rows is the second word of its head. */
function firstRows(file: string, rows: number, headBytes: number, rowBytes: number): Buffer {
  const whole = gunzipSync(readFileSync(join(examples, "digits/data", file)));
  const few = Buffer.from(whole.subarray(0, headBytes + rows * rowBytes));
  few.writeUInt32BE(rows, 4);
  return gzipSync(few, { level: 9 });
}

/** A folder with the page's data, for Vite to copy. */
function publicFolder(): string {
  const folder = join(root, "../node_modules/.cache/playground-public");
  mkdirSync(join(folder, "data"), { recursive: true });
  const put = (name: string, contents: string | Buffer): void =>
    writeFileSync(join(folder, "data", name), contents);
  const novel = readFileSync(join(examples, "book/corpus/moby-dick.txt"), "utf8");
  const start = novel.indexOf("Call me Ishmael");
  put("whale.txt", novel.slice(start, start + letters));
  put("weather.csv", readFileSync(join(examples, "weather/data/weather.csv")));
  put("digits.images.idx.gz", firstRows("images.idx.gz", digits, 16, 28 * 28));
  put("digits.labels.idx.gz", firstRows("labels.idx.gz", digits, 8, 1));
  return folder;
}

export default defineConfig({
  root,
  base: "./",
  publicDir: publicFolder(),
  server: { headers, fs: { allow: [join(root, "..")] } },
  preview: { headers },
  build: { target: "es2022", assetsInlineLimit: 0, chunkSizeWarningLimit: 1500 },
  worker: { format: "es" },
});
