// Capacities as they are written: numbers too large for kernels drop nothing, and those that leave no place are refused. The dropping
// itself is held to plain loops in helpers/capacity.ts and mechanisms/claims.test.ts.

import { describe, expect, test } from "vitest";
import { buildText, checkText, numbers, runBuilt } from "./helpers/elaborate.ts";

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
});
