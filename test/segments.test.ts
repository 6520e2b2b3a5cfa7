// What holds for a stretch of tokens: means within segments (documents) by an existing routing, one random number for each sequence.

import { expect, test } from "vitest";
import { buildText, numbers, runBuilt } from "./helpers/elaborate.ts";

test("an expert without parameters reduces over the tokens of its segment", () => {
  const text = `
expert Middle(D)(x: [D]) -> [D] {
  mean(x over tokens)
}
router Told(D, N)(x: [D], which: int []) -> gates[N] {
  choose given which
}
model M {
  modality x = features(3)
  modality document = category(4)
  pool = Middle(3) * 4
  logits = pool(x) by Told(x, document)
}`;
  const documents = [2, 0, 2, 2, 3, 0];
  const x = numbers(18, 4);
  const got = runBuilt(buildText(text), { x, document: documents }, { B: 6 })["logits"]!.data;
  documents.forEach((document, row) => {
    const rows = documents.flatMap((each, i) => (each === document ? [i] : []));
    for (let c = 0; c < 3; c++)
      expect(got[row * 3 + c]).toBeCloseTo(rows.reduce((sum, i) => sum + x[i * 3 + c]!, 0) / rows.length, 9);
  });
});

test("one random number for each sequence", () => {
  const text = `
layer Drawn(D)(x: [D]) -> [] {
  uniform(mean(mean(x over sequence))) + 0 * sum(x)
}
model M {
  modality text = tokens(vocab = 7)
  param table: [7, 2]
  logits = Drawn(2)(table[text])
}`;
  const tokens = Array.from({ length: 15 }, (_, i) => i % 7);
  const { data } = runBuilt(buildText(text), { text: tokens }, { B: 3, T: 5 })["logits"]!;
  const each = [0, 5, 10].map((start) => new Set(data.slice(start, start + 5)));
  expect(each.map(({ size }) => size)).toEqual([1, 1, 1]);
  expect(new Set(data).size).toBe(3);
});
