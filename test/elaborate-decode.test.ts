// Decoding one token at a time gives what the whole sequence gives.
import { describe, expect, test } from "vitest";
import { planModel } from "../compiler/compile.ts";
import { buildText, hostOf, numbers, runBuilt, valuesOf } from "./helpers/elaborate.ts";

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
    ["a shift by an index", "y[t, c] = x[t - 2, c]\nx = x + y"],
    ["a window into the past", "param w: [3, D]\ny[t, c] = sum(x[t + a - 2, c] * w[a, c] over a)\nx = x + y"],
    [
      "a window whose position stands second, before axes and behind them",
      "param w: [4]\nz = transpose(x)\ny[c, t] = sum(z[c, a + t - 3] * w[a] over a)\nx = x + transpose(y)",
    ],
    ["a window that ends earlier", "y[t, c, a: 2] = x[t + a - 4, c]\nx = x + sum(y over a)"],
    [
      "shifted ids and truth values, nothing before the start",
      "y[t] = text[t - 1]\nbig = x > 0.1\nb[t, c] = big[t - 1, c]\nx = x + table[y] + (if b then 0.5 else if previous(big, 3) then -0.25 else 0)",
    ],
    ["one sequence that is read often", "y[t, c] = x[t - 1, c] + x[t - 2, c] - 2 * x[t - 3, c]\nx = x + y"],
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

  test("one sequence has one cache", () => {
    const { built } = buildText(model("y[t, c] = x[t - 1, c] + x[t - 2, c]\nx = x + y + previous(x, 3)"), {
      mode: "inference",
      decode: { context, batch: 1 },
    });
    expect(built.updates.map(({ tensor }) => tensor)).toEqual(["cache.0"]);
  });

  test.each([
    [
      "attention without a mask",
      "x = x + Attention(D, heads = 2)(x)",
      "main.moe:17 takes `softmax` over the positions of the text",
    ],
    [
      "expert choice",
      "pool = SwiGLU(D, D) * 2\nx = x + pool(x) by ExpertChoice",
      "main.moe:18 lets experts choose among all tokens of the text",
    ],
    [
      "a mean over the text",
      "x = x + mean(x over T)",
      "main.moe:17 takes `mean` over the positions of the text",
    ],
    ["a running sum", "x = cumsum(x over T)", "main.moe:17 takes `cumsum` over the positions of the text"],
    ["a place", "x = x + x[0]", "main.moe:17 picks out one position of the text"],
    [
      "a later position",
      "y[t, c] = x[t + 1, c]\nx = x + y",
      "main.moe:17 reads later positions of the text by an index",
    ],
    [
      "a window that is centred",
      "y[t, c, a: 3] = x[t + a - 1, c]\nx = x + sum(y over a)",
      "main.moe:17 reads later positions of the text by an index",
    ],
  ])("%s cannot be decoded, and says why", (_, body, why) => {
    const { planned } = planModel({ host: hostOf({ "main.moe": model(body) }), path: "main.moe" });
    expect(planned?.program.entries["decode"]).toBeUndefined();
    expect(planned?.program.undecodable?.map((line) => `${line.place} ${line.why}`)[0]).toBe(why);
  });
});
