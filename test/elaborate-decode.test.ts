// Decoding one token at a time gives what the whole sequence gives.
import { describe, expect, test } from "vitest";
import { buildText, numbers, runBuilt, valuesOf } from "./helpers/elaborate.ts";

const vocab = 7;
const model = (body: string): string => `
import std.attention { Attention, CausalAttention }
import std.norms { RMSNorm }
import std.experts { SwiGLU }
import std.routers { ExpertChoice, LossFree }
moe Ffn(D)(x: [D]) -> [D] {
  shared SwiGLU(D, D)
  routed SwiGLU(D, D) * 3
  null zero
  router LossFree { k = 2 }
}
model M {
  dim D = 8
  modality text = tokens(vocab = ${vocab})
  param table: [text.vocab, D]
  x = table[text]
  ${body}
  logits = RMSNorm(x) @ transpose(table)
  loss cross_entropy(logits, text.next)
}`;

const context = 6;
const text = numbers(context, 9).map((v) => Math.floor(((v + 1) / 2) * vocab));

describe("decoding", () => {
  const bodies: readonly (readonly [string, string])[] = [
    [
      "causal attention and routed experts",
      "repeat 2 {\nx = x + CausalAttention(D, heads = 2)(RMSNorm(x))\nx = x + Ffn(D)(RMSNorm(x))\n}",
    ],
    ["earlier tokens", "x = x + 0.5 * previous(x, 1) + table[previous(text, 2)]"],
    [
      "one layer of attention applied twice",
      "again = CausalAttention(D, heads = 2)\nx = again(x) + again(2 * x)",
    ],
    ["a layer of one token that looks back", "x = Back(x)"],
  ];
  test.each(bodies)("%s", (_, body) => {
    const source = model(body) + "\nlayer Back(D)(x: [D]) -> [D] { x - previous(x, 1) }";
    const whole = buildText(source, { mode: "inference" });
    const values = valuesOf(whole.built);
    const want = runBuilt(whole, { text, "text.next": text }, { B: 1, T: context }, values)["logits"]!.data;
    // Two tokens at first, as a prompt, then one at a time.
    let caches = new Map<string, readonly number[]>();
    const got: number[] = [];
    for (const [from, to] of [
      [0, 2],
      [2, 3],
      [3, 4],
      [4, 5],
      [5, 6],
    ] as const) {
      const step = buildText(source, { mode: "inference", decode: { context, batch: 1 } });
      expect(step.built.undecodable).toEqual([]);
      const tensors = new Map([...valuesOf(step.built), ...values, ...caches]);
      const ran = runBuilt(
        step,
        { text: text.slice(from, to), "text.next": text.slice(from, to), $position: [from] },
        { T: to - from },
        tensors,
      );
      got.push(...ran["logits"]!.data);
      caches = new Map(step.built.updates.map(({ tensor }) => [tensor, ran[`update ${tensor}`]!.data]));
    }
    expect(got.length).toBe(want.length);
    got.forEach((value, i) => expect(value).toBeCloseTo(want[i]!, 9));
  });

  test.each([
    ["attention without a mask", "x = x + Attention(D, heads = 2)(x)"],
    ["expert choice", "pool = SwiGLU(D, D) * 2\nx = x + pool(x) by ExpertChoice"],
    ["a mean over the text", "x = x + mean(x over T)"],
    ["a running sum", "x = cumsum(x over T)"],
  ])("%s cannot be decoded, and says why", (_, body) => {
    const { built } = buildText(model(body), { mode: "inference", decode: { context, batch: 1 } });
    expect(built.undecodable.length).toBeGreaterThan(0);
  });
});
