// A window of positions, and layers that share one cache of keys and values, against plain loops over positions.

import { describe, expect, test } from "vitest";
import { compileText } from "../helpers/differential.ts";
import { runMechanism, type Given } from "../helpers/mechanism.ts";
import { dot, softmax, times, type Rows } from "../helpers/plain.ts";

const heads = 2;
const width = 8;
const C = width / heads;

/** The halves of a head are the parts of C / 2 complex numbers, turned by position / 10000^(2 c / C). */
const turned = (head: readonly number[], position: number): number[] =>
  head.map((_, i) => {
    const c = i % (C / 2);
    const angle = position / 10000 ** ((2 * c) / C);
    const [a, b] = [head[c]!, head[c + C / 2]!];
    return i < C / 2 ? a * Math.cos(angle) - b * Math.sin(angle) : b * Math.cos(angle) + a * Math.sin(angle);
  });
const headOf = (row: readonly number[], h: number): number[] => row.slice(h * C, (h + 1) * C);

/** Attention of one sequence: keys and values are those of `from`. */
function attend(
  { matrix }: Given,
  x: Rows,
  from: Rows,
  sees: (t: number, s: number) => boolean,
  path: { readonly own: string; readonly key: string; readonly value: string },
): Rows {
  const part = (rows: Rows, name: string): Rows => rows.map((row) => times(row, matrix(name, width)));
  const [q, k, v] = [part(x, `${path.own}query`), part(from, path.key), part(from, path.value)];
  const mixed = q.map((row, t) =>
    Array.from({ length: heads }, (_, h) => {
      const seen = k.map((__, s) => s).filter((s) => s <= t && sees(t, s));
      const share = softmax(
        seen.map((s) => dot(turned(headOf(row, h), t), turned(headOf(k[s]!, h), s)) / Math.sqrt(C)),
      );
      return Array.from({ length: C }, (__, c) =>
        dot(
          share,
          seen.map((s) => headOf(v[s]!, h)[c]!),
        ),
      );
    }).flat(),
  );
  return mixed.map((row) => times(row, matrix(`${path.own}out`, width)));
}
const sequences = ({ x, batch, length }: Given): Rows[] =>
  Array.from({ length: batch }, (_, b) => x.slice(b * length, (b + 1) * length));

describe("attention in a cycle (Yi-Lightning)", () => {
  test("to the last three positions", () => {
    const apply = `WindowAttention(${width}, heads = ${heads}, window = 3)(x)`;
    const text = "import std.attention { WindowAttention }";
    const path = { own: "", key: "key", value: "value" };
    runMechanism({ text, apply, width, length: 5, on: "gpu" }, (given) => ({
      out: sequences(given).flatMap((x) => attend(given, x, x, (t, s) => t - s < 3, path)),
    }));
  });

  const two = `import std.attention { Keys, SharedAttention, Values }
layer Two(D)(x: [T, D]) -> [T, D] {
  k = context(Keys(D, heads = ${heads})(x))
  v = context(Values(D, heads = ${heads})(x))
  y = x + SharedAttention(D, heads = ${heads})(x, k, v)
  y + SharedAttention(D, heads = ${heads})(y, k, v)
}`;
  test("two layers that read the keys and values of the first", () => {
    runMechanism({ text: two, apply: `Two(${width})(x)`, width, on: "gpu" }, (given) => ({
      out: sequences(given).flatMap((x) => {
        let y = x;
        for (const i of [0, 1]) {
          const path = { own: `sharedattention.${i}.`, key: "key", value: "value" };
          const more = attend(given, y, x, () => true, path);
          y = y.map((row, t) => row.map((value, d) => value + more[t]![d]!));
        }
        return y;
      }),
    }));
  });
  test("two layers keep one cache of keys and one of values", () => {
    const caches = (body: string, imports: string): number =>
      compileText(`${imports}
model M {
  modality text = tokens(vocab = 5)
  param table: [5, ${width}]
  x = table[text]
  ${body}
  logits = x @ transpose(table)
  loss cross_entropy(logits, text.next)
}
train M {
  data text = bytes("data.txt")
  batch 2 of 4
  steps 1
  optimizer sgd { rate = 0.1 }
}`).program.tensors.filter(({ name }) => name.startsWith("cache")).length;
    const each = "x = x + CausalAttention(8, heads = 2)(x)\n  ";
    expect(caches(`x = Two(${width})(x)`, two)).toBe(2);
    expect(caches(each + each, "import std.attention { CausalAttention }")).toBe(4);
  });
});
