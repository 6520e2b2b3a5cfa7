// What can be written, form by form: text on the left, what is read on the right. Here statements, choices and recipes.
import { describe, expect, test } from "vitest";
import { good, only, show } from "./helpers/grammar.ts";

describe("statements", () => {
  const table: readonly (readonly [string, object])[] = [
    ["dim H = 4 * D", { node: "dim", name: "H", value: "(* 4 D)" }],
    ["param w: [D, H]", { node: "param", name: "w", type: "number[D H]" }],
    [
      "param w: [D, H] = copy(other, noise = 0.01)",
      { node: "param", name: "w", type: "number[D H]", init: "(call copy other noise=0.01)" },
    ],
    ["state bias: [N] = 0", { node: "state", name: "bias", type: "number[N]", init: "0" }],
    [
      "modality text = tokens(vocab = 256)",
      { node: "modality", name: "text", value: "(call tokens vocab=256)" },
    ],
    ["x = y", { node: "bind", name: "x", operator: "=", value: "y" }],
    ["x += y in training", { node: "bind", name: "x", operator: "+=", value: "y", mode: "training" }],
    [
      "score[h, t: T, s: C / 2] = 1",
      {
        node: "bind",
        name: "score",
        indices: [{ name: "h" }, { name: "t", size: "T" }, { name: "s", size: "(/ C 2)" }],
        operator: "=",
        value: "1",
      },
    ],
    ["weight = 3", { node: "bind", name: "weight", operator: "=", value: "3" }],
    ["weight score / sum(score)", { node: "weight", value: "(/ score (call sum score))" }],
    ["weight -score", { node: "weight", value: "(- score)" }],
    ["weight * 2", { node: "result", value: "(* weight 2)" }],
    [
      "loss cross_entropy(logits, text.next)",
      { node: "loss", value: "(call cross_entropy logits (. text next))" },
    ],
    ["loss balance = a * b", { node: "loss", name: "balance", value: "(* a b)" }],
    ["metric accuracy = a in inference", { node: "metric", name: "accuracy", value: "a", mode: "inference" }],
    ["capacity 1.25 * k", { node: "capacity", value: "(* 1.25 k)", scope: "batch", drop: "last" }],
    [
      "capacity c per sequence drop lowest",
      { node: "capacity", value: "c", scope: "sequence", drop: "lowest" },
    ],
    [
      "capacity c in each of 8 groups per batch drop lowest of max(p)",
      { node: "capacity", value: "c", groups: "8", scope: "batch", drop: "lowest", of: "(call max p)" },
    ],
    [
      "capacity c in each of g groups in training",
      { node: "capacity", value: "c", groups: "g", scope: "batch", drop: "last", mode: "training" },
    ],
    [
      "capacity c in training",
      { node: "capacity", value: "c", scope: "batch", drop: "last", mode: "training" },
    ],
    ["capacity c per batch drop last", { node: "capacity", value: "c", scope: "batch", drop: "last" }],
    [
      "after step: bias += rate",
      { node: "after", body: [{ node: "bind", name: "bias", operator: "+=", value: "rate" }] },
    ],
    [
      "after step {\n  a -= 1\n  b *= 2\n}",
      {
        node: "after",
        body: [
          { node: "bind", name: "a", operator: "-=", value: "1" },
          { node: "bind", name: "b", operator: "*=", value: "2" },
        ],
      },
    ],
    [
      "repeat 4 { x = f(x) }",
      { node: "repeat", count: "4", body: [{ node: "bind", name: "x", operator: "=", value: "(call f x)" }] },
    ],
    [
      "repeat i in layers { x = f(x) }",
      {
        node: "repeat",
        index: "i",
        count: "layers",
        body: [{ node: "bind", name: "x", operator: "=", value: "(call f x)" }],
      },
    ],
    [
      "if c { x = 1 }",
      {
        node: "if",
        condition: "c",
        then: [{ node: "bind", name: "x", operator: "=", value: "1" }],
        otherwise: [],
      },
    ],
    [
      "if c {\n}\nelse {\n  y\n}",
      { node: "if", condition: "c", then: [], otherwise: [{ node: "result", value: "y" }] },
    ],
    [
      "if c { } else if d { y }",
      {
        node: "if",
        condition: "c",
        then: [],
        otherwise: [{ node: "if", condition: "d", then: [{ node: "result", value: "y" }], otherwise: [] }],
      },
    ],
    ["if c then a else b", { node: "result", value: "(if c a b)" }],
    ["if F { k = 2 } > 0 then a else b", { node: "result", value: "(if (> (with F k=2) 0) a b)" }],
    [
      "shared SwiGLU(D, H) * 2 weight 0.5",
      { node: "shared", pool: "(* (call SwiGLU D H) 2)", weight: "0.5" },
    ],
    ["routed A * 4 + B * 2", { node: "routed", pool: "(+ (* A 4) (* B 2))" }],
    ["routed A * 4 for text weight 2", { node: "routed", pool: "(* A 4)", modality: "text", weight: "2" }],
    ["null zero * 8", { node: "null", kind: "zero", count: "8" }],
    ["null copy", { node: "null", kind: "copy" }],
    ["null constant * n in training", { node: "null", kind: "constant", count: "n", mode: "training" }],
    ["router LossFree { k = 6 }", { node: "router", router: "(with LossFree k=6)" }],
    [
      "router LossFree { k = 6 }(z) in inference",
      { node: "router", router: "(call (with LossFree k=6) z)", mode: "inference" },
    ],
    ["x + y in training", { node: "result", value: "(+ x y)", mode: "training" }],
  ];
  test.each(table)("%s", (text, expected) => {
    expect(show(only(text))).toEqual(expected);
  });
});

describe("choose", () => {
  const table: readonly (readonly [string, object])[] = [
    ["top 2 of score", { form: "top", count: "2", score: "score" }],
    ["top k of score + bias", { form: "top", count: "k", score: "(+ score bias)" }],
    ["top 1 of score in each of 8 groups", { form: "each", count: "1", score: "score", groups: "8" }],
    [
      "top 1 of score in each of groups groups",
      { form: "each", count: "1", score: "score", groups: "groups" },
    ],
    [
      "top 8 of q in the best 4 of 8 groups by sum(top 2 of q)",
      {
        form: "best",
        count: "8",
        score: "q",
        best: "4",
        groups: "8",
        by: { reduce: "sum", top: "2", score: "q" },
      },
    ],
    [
      "top 8 of q in the best 4 of 8 groups by max(q)",
      { form: "best", count: "8", score: "q", best: "4", groups: "8", by: { reduce: "max", score: "q" } },
    ],
    [
      "until sum(score) > 0.4 by score",
      { form: "until", summed: "(call sum score)", strict: true, threshold: "0.4", by: "score" },
    ],
    [
      "until sum(p) >= f(x) by p at most 4",
      { form: "until", summed: "(call sum p)", strict: false, threshold: "(call f x)", by: "p", most: "4" },
    ],
    ["where score > 0", { form: "where", condition: "(> score 0)" }],
    [
      "where score > 0 at most 4 by score",
      { form: "where", condition: "(> score 0)", most: "4", by: "score" },
    ],
    [
      "where score > 0 at most f(4) by score",
      { form: "where", condition: "(> score 0)", most: "(call f 4)", by: "score" },
    ],
    ["all", { form: "all" }],
    [
      "top C tokens of score for each expert",
      { form: "tokens", count: "C", score: "score", scope: "sequence" },
    ],
    [
      "top ceil(2 * sequence / N) tokens of p for each expert per batch",
      { form: "tokens", count: "(call ceil (/ (* 2 sequence) N))", score: "p", scope: "batch" },
    ],
    ["given route", { form: "given", route: "route" }],
  ];
  test.each(table)("choose %s", (text, expected) => {
    expect(show(only(`choose ${text}`))).toEqual({ node: "choose", choice: expected });
    expect(show(only(`choose ${text} only where mask`))).toEqual({
      node: "choose",
      choice: expected,
      only: "mask",
    });
    expect(show(only(`choose ${text} in training`))).toEqual({
      node: "choose",
      choice: expected,
      mode: "training",
    });
  });
});

describe("train", () => {
  const table: readonly (readonly [string, object])[] = [
    [
      'data text = bytes("corpus/*.txt")',
      { setting: "data", modality: "text", source: '(call bytes "corpus/*.txt")' },
    ],
    ["batch 16 of 256", { setting: "batch", size: "16", length: "256" }],
    ["batch 32", { setting: "batch", size: "32" }],
    [
      "optimizer adamw { rate = cosine(3e-3, warmup = 100), decay = 0.1 }",
      {
        setting: "optimizer",
        name: "adamw",
        options: [
          { name: "rate", value: "(call cosine 0.003 warmup=100)" },
          { name: "decay", value: "0.1" },
        ],
      },
    ],
    ["steps 2000", { setting: "steps", value: "2000" }],
    ["accumulate 2", { setting: "accumulate", value: "2" }],
    ["clip 1", { setting: "clip", value: "1" }],
    ["seed 1", { setting: "seed", value: "1" }],
    ["evaluate every 100 on 5%", { setting: "evaluate", every: "100", share: "0.05" }],
    ["evaluate every 100", { setting: "evaluate", every: "100" }],
    ["checkpoint every 100", { setting: "checkpoint", every: "100" }],
    ["stop after 5", { setting: "stop", after: "5" }],
    ['freeze "embed*"', { setting: "freeze", pattern: '"embed*"' }],
    ['rate "*.router.*" = 0.5', { setting: "rate", pattern: '"*.router.*"', factor: "0.5" }],
  ];
  test.each(table)("%s", (text, expected) => {
    const [train] = good(`train Small {\n  ${text}\n}\n`).declarations;
    expect(train?.node === "train" && show(train.settings)).toEqual([expected]);
  });
});
