// `start`: values of tensors from other checkpoints, by rule, without files. In: small tensors, and what is to be made of them. Out: the numbers,
// or what is wrong.

import { describe, expect, test } from "vitest";
import { capture } from "../compiler/pattern.ts";
import type { Start, StartValue, Tensor } from "../runtime/program.ts";
import type { StoredTensor } from "../runtime/safetensors.ts";
import { startValues } from "../runtime/start.ts";

const stored = (name: string, shape: readonly number[], first = 1): StoredTensor => ({
  name,
  type: "f32",
  shape,
  values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => first + i),
});
const source = (...tensors: readonly StoredTensor[]): ReadonlyMap<string, StoredTensor> =>
  new Map(tensors.map((tensor) => [tensor.name, tensor]));
const a = source(
  stored("w", [2, 3]),
  stored("one", [1, 2], 5),
  stored("bank", [3, 2], 10),
  stored("broken", [2], NaN),
  { ...stored("used", [3]), values: Float32Array.of(9, -1, 9) },
);
const b = source(stored("w", [2, 3], 7), stored("bank", [2, 2], 50));

function made(value: StartValue, shape: readonly number[], exact = true): readonly number[] | undefined {
  const tensor: Tensor = {
    name: "x",
    role: "parameter",
    type: "f32",
    shape,
    init: { kind: "constant", value: 0 },
  };
  const rules = [{ text: '"x" = ...', place: "grow.moe:3", exact }];
  const start: Start = { sources: ["a", "b"], rules, tensors: [{ name: "x", rule: 0, value }] };
  const sources = [
    { shown: "a", tensors: a },
    { shown: "b", tensors: b },
  ];
  const values = startValues([tensor], start, sources, 1).values.get("x");
  return values === undefined ? undefined : [...values];
}
const of = (name: string, from = 0): StartValue => ({ kind: "tensor", source: from, name });

describe("patterns of names", () => {
  const table: readonly (readonly [string, string, readonly string[] | undefined])[] = [
    ["a.w", "a.w", []],
    ["a.w", "a.ww", undefined],
    ["*", "a.w", ["a.w"]],
    ["*", "", [""]],
    ["*.w", "a.w.w", ["a.w"]],
    ["*.*", "a.b.c", ["a.b", "c"]],
    ["a*b*c", "aXbYbZc", ["XbY", "Z"]],
    ["**", "ab", ["ab", ""]],
    ["ab*ba", "aba", undefined],
    ["*a*a", "a", undefined],
    ["(.)+*", "(.)+x", ["x"]],
    ["*router", "router.w", undefined],
  ];
  test.each(table)("%s in %s", (pattern, name, texts) => {
    expect(capture(pattern, name)).toEqual(texts);
  });

  test("take no longer when they have many stars", () => {
    const began = performance.now();
    expect(capture("*a".repeat(40) + "*b", "a".repeat(60))).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe("values", () => {
  const table: readonly (readonly [string, StartValue, readonly number[], readonly number[]])[] = [
    ["as it is", of("w"), [2, 3], [1, 2, 3, 4, 5, 6]],
    [
      "copied along a new axis",
      { kind: "copy", of: of("w") },
      [2, 2, 3],
      [1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6],
    ],
    ["one grown to three", { kind: "copy", of: of("one") }, [3, 2], [5, 6, 5, 6, 5, 6]],
    ["copied so many times", { kind: "copy", of: of("one"), times: 2 }, [2, 2], [5, 6, 5, 6]],
    ["rows", { kind: "slice", of: of("bank"), axis: 0, start: 1, size: 2 }, [2, 2], [12, 13, 14, 15]],
    ["columns", { kind: "slice", of: of("w"), axis: 1, start: 1, size: 2 }, [2, 2], [2, 3, 5, 6]],
    [
      "some, in any order",
      { kind: "take", of: of("bank"), axis: 0, positions: [2, 0] },
      [2, 2],
      [14, 15, 10, 11],
    ],
    [
      "side by side",
      { kind: "concat", of: [of("bank"), of("bank", 1)], axis: 0 },
      [5, 2],
      [10, 11, 12, 13, 14, 15, 50, 51, 52, 53],
    ],
    [
      "columns side by side",
      { kind: "concat", of: [of("w"), of("w", 1)], axis: 1 },
      [2, 6],
      [1, 2, 3, 7, 8, 9, 4, 5, 6, 10, 11, 12],
    ],
    ["stacked", { kind: "stack", of: [of("one"), of("one")] }, [2, 1, 2], [5, 6, 5, 6]],
    ["the mean", { kind: "mean", of: [of("w"), of("w", 1)] }, [2, 3], [4, 5, 6, 7, 8, 9]],
    [
      "a mean with weights, which are divided by their sum",
      { kind: "mean", of: [of("w"), of("w", 1)], weights: [2, 4] },
      [2, 3],
      [5, 6, 7, 8, 9, 10],
    ],
    [
      "what a model has learned since another, added to a third",
      { kind: "mean", of: [of("w"), of("w", 1), of("w")], weights: [1, 2, -2] },
      [2, 3],
      [13, 14, 15, 16, 17, 18],
    ],
    [
      "the largest by another tensor, in their order",
      {
        kind: "take",
        of: of("w"),
        axis: 1,
        positions: { largest: of("used"), count: 2 },
      },
      [2, 2],
      [1, 3, 4, 6],
    ],
    [
      "of equals the first",
      {
        kind: "take",
        of: of("bank"),
        axis: 0,
        positions: { largest: { kind: "mean", of: [of("used"), of("used")], weights: [1, -0.5] }, count: 1 },
      },
      [1, 2],
      [10, 11],
    ],
    ["transposed", { kind: "transpose", of: of("w") }, [3, 2], [1, 4, 2, 5, 3, 6]],
    [
      "each of a stack transposed",
      { kind: "transpose", of: { kind: "stack", of: [of("w"), of("w", 1)] } },
      [2, 3, 2],
      [1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12],
    ],
    [
      "one inside of the other",
      {
        kind: "concat",
        of: [
          { kind: "copy", of: of("one"), times: 1 },
          { kind: "take", of: of("bank"), axis: 0, positions: [1] },
        ],
        axis: 0,
      },
      [2, 2],
      [5, 6, 12, 13],
    ],
  ];
  test.each(table)("%s", (_, value, shape, expected) => {
    expect(made(value, shape)).toEqual(expected);
  });

  test("noise differs from copy to copy and is the same in every run; kept shares are zeros elsewhere", () => {
    const noisy = made({ kind: "copy", of: of("w"), noise: 0.01 }, [2, 2, 3])!;
    expect(noisy).toEqual(made({ kind: "copy", of: of("w"), noise: 0.01 }, [2, 2, 3]));
    for (const [i, value] of noisy.entries()) expect(Math.abs(value - (1 + (i % 6)))).toBeLessThan(0.06);
    expect(noisy.slice(0, 6)).not.toEqual(noisy.slice(6));
    const kept = made({ kind: "copy", of: of("w"), keep: 0.5 }, [40, 2, 3])!;
    expect(kept.filter((value) => value === 0).length).toBeGreaterThan(80);
    expect(kept.filter((value) => value === 0).length).toBeLessThan(160);
  });

  test("where what the largest are read from is missing, nothing is left to its initialiser", () => {
    const value: StartValue = {
      kind: "take",
      of: of("w"),
      axis: 1,
      positions: { largest: of("unused"), count: 2 },
    };
    expect(() => made(value, [2, 2], false)).toThrow("wants `unused`, which a does not have");
  });

  test("where one of several is missing the rest is not quietly left to its initialiser", () => {
    const inner: StartValue = { kind: "concat", of: [of("w"), of("v", 1)], axis: 0 };
    const value: StartValue = { kind: "slice", of: inner, axis: 0, start: 0, size: 2 };
    expect(() => made(value, [2, 3], false)).toThrow("wants `v`, which b does not have");
  });

  test("a source that has nothing at all", () => {
    const rules = [{ text: '"*" = "*"', place: "", exact: false }];
    const tensor: Tensor = {
      name: "x",
      role: "parameter",
      type: "f32",
      shape: [1],
      init: { kind: "constant", value: 0 },
    };
    const start: Start = { sources: ["a"], rules, tensors: [{ name: "x", rule: 0, value: of("x") }] };
    expect(() => startValues([tensor], start, [{ shown: "a", tensors: new Map() }], 1)).toThrow(
      expect.objectContaining({ help: "give another source: a has no tensors" }) as Error,
    );
  });

  test("a pattern may miss, a name may not; a pattern that misses everywhere may not either", () => {
    expect(() => made(of("v"), [2])).toThrow('grow.moe:3: `"x" = ...` wants `v`, which a does not have');
    expect(() => made(of("v"), [2], false)).toThrow("wants `v`, which a does not have");
    expect(made({ kind: "fresh" }, [2])).toBeUndefined();
  });

  const refused: readonly (readonly [string, StartValue, readonly number[]])[] = [
    ['`x` is [3], and `"x" = ...` gives [2, 3]', of("w"), [3]],
    ["axis 0 of [3, 2] has no position 3", { kind: "take", of: of("bank"), axis: 0, positions: [3] }, [1, 2]],
    ["[3, 2] has no axis 2", { kind: "slice", of: of("bank"), axis: 2, start: 0, size: 1 }, [1]],
    [
      "[2, 3] and [3, 2] do not fit side by side along axis 0",
      { kind: "concat", of: [of("w"), of("bank")], axis: 0 },
      [5],
    ],
    ["[2, 3] and [3, 2] have no mean", { kind: "mean", of: [of("w"), of("bank")] }, [2, 3]],
    [
      "axis 0 of [2, 3] has no position 2",
      { kind: "slice", of: of("w"), axis: 0, start: 0, size: 1e12 },
      [2],
    ],
    ["this is more than memory holds", { kind: "copy", of: of("w"), times: 1e12 }, [2, 3]],
    ["`x` begins with a number that is NaN", of("broken"), [2]],
    [
      "the 2 largest of [3] are no positions on axis 0 of [2, 3]",
      { kind: "take", of: of("w"), axis: 0, positions: { largest: of("used"), count: 2 } },
      [2, 3],
    ],
    [
      "the 4 largest of [3] are no positions on axis 0 of [3, 2]",
      { kind: "take", of: of("bank"), axis: 0, positions: { largest: of("used"), count: 4 } },
      [4, 2],
    ],
    [
      "among the numbers that are to be the largest is NaN",
      {
        kind: "take",
        of: { kind: "slice", of: of("w"), axis: 1, start: 0, size: 2 },
        axis: 1,
        positions: { largest: of("broken"), count: 1 },
      },
      [2, 1],
    ],
    ["[2] has no two axes that could change places", { kind: "transpose", of: of("broken") }, [2]],
  ];
  test.each(refused)("%s", (message, value, shape) => {
    expect(() => made(value, shape)).toThrow(message);
  });
});
