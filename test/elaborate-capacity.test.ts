// Capacities as they are written: numbers too large for kernels drop nothing, and those that leave no place are refused. The dropping
// itself is held to plain loops in helpers/capacity.ts and mechanisms/claims.test.ts.

import { describe, expect, test } from "vitest";
import { checkModule, planModel } from "../compiler/compile.ts";
import { buildText, checkText, hostOf, numbers, runBuilt } from "./helpers/elaborate.ts";

describe("room for tokens", () => {
  const x = numbers(6 * 4, 31);
  const text = (rules: string): string => `
expert Scale(D)(x: [D]) -> [D] {
  param gain: [D]
  x * gain
}
router Full(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  score = softmax(x @ w)
  ${rules}
}
model M {
  modality x = features(4)
  pool = Scale(4) * 2
  logits = pool(x) by Full
}`;
  const load = (rules: string): readonly number[] =>
    runBuilt(buildText(text(rules)), { x }, { B: 6 })["load router"]!.data;

  test.each([
    "capacity 3e9",
    "capacity 1e300 drop lowest",
    "capacity inf drop lowest of max(score)",
    "capacity inf in each of 2 groups",
  ])("%s drops nothing", (rule) => {
    expect(load(`choose top 2 of score\n${rule}`)).toEqual([6, 6]);
  });

  test.each([
    ["choose top 2 of score\ncapacity 0", "M0508 0: a capacity must be more than 0"],
    ["choose top 2 of score\ncapacity -2 drop lowest", "M0508 -2: a capacity must be more than 0"],
    ["choose top 0 tokens of score for each expert", "M0504 0: the number of tokens must be more than 0"],
  ])("%s is refused", (rules, message) => {
    expect(checkText(text(rules))).toEqual([message]);
  });

  /** The same in a recipe, whose batches have 6 examples. */
  const trained = (rules: string): readonly string[] => {
    const recipe = `  loss mean(square(logits))
}
train M {
  data x = csv("a.csv", "a", "b", "c", "d")
  optimizer adamw { rate = 1e-3 }
  batch 6
  steps 2
}`;
    const source = text(rules).replace(/}$/, recipe);
    const found = checkModule(hostOf({ "main.moe": source }), "main.moe");
    return found.map(({ code, message, at }) => `${code} ${message} (${at.label})`);
  };
  test.each([
    [
      "capacity tokens / N - 3",
      "M0508 a capacity must be more than 0 (this is 0 in a batch of 6: every pick would be dropped)",
    ],
    [
      "capacity (tokens - 8) / N drop lowest",
      "M0508 a capacity must be more than 0 (this is -1 in a batch of 6: every pick would be dropped)",
    ],
    [
      "capacity inf * tokens - inf * tokens",
      "M0508 a capacity must be more than 0 (this is NaN in a batch of 6: every pick would be dropped)",
    ],
  ])("%s is refused where the batch is known", (rule, message) => {
    expect(trained(`choose top 2 of score\n${rule}`)).toEqual([message]);
    expect(checkText(text(`choose top 2 of score\n${rule}`))).toEqual([]);
  });

  test("so is a choice of no tokens", () => {
    expect(trained("choose top tokens - 6 tokens of score for each expert per batch")).toEqual([
      "M0504 the number of tokens must be more than 0 (this is 0 in a batch of 6)",
    ]);
  });

  test("without a recipe it drops all: nothing is a place below the first", () => {
    expect(load("choose top 2 of score\ncapacity tokens / N - 4")).toEqual([0, 0]);
    expect(load("choose top 2 of score\ncapacity tokens / N - 4 drop lowest")).toEqual([0, 0]);
    expect(load("choose top 2 of score\ncapacity (tokens / N - 4) in each of 2 groups")).toEqual([0, 0]);
  });
});

test("a capacity that has no place for one token is in the way of decoding", () => {
  const source = `
import std.experts { Gelu }
router Full(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  choose top 1 of x @ w
  capacity tokens / N - 1
}
model M {
  modality text = tokens(vocab = 5)
  param table: [5, 4]
  pool = Gelu(4, 8) * 2
  x = table[text]
  x = x + pool(x) by Full
  logits = x @ transpose(table)
  loss cross_entropy(logits, text.next)
}
train M {
  data text = bytes("a.txt")
  optimizer adamw { rate = 1e-3 }
  batch 2 of 8
  steps 2
}`;
  const { planned } = planModel({ host: hostOf({ "main.moe": source }), path: "main.moe" });
  expect(planned?.program.undecodable).toEqual([
    {
      place: "main.moe:6",
      why: "leaves no place when the batch is one token",
      help: "keep one: `capacity max(1, ...)`, or end the line with `in training`",
    },
  ]);
});
