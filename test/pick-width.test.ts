// How many picks a router has for a token is known from its text, so that a caller can line them up with sizes of its own; and what is said
// where an axis cannot be named, divided or looked up as it was written.

import { describe, expect, test } from "vitest";
import { checkModule } from "../compiler/compile.ts";
import { buildText, hostOf } from "./helpers/elaborate.ts";

const told = (text: string): readonly string[] =>
  checkModule(hostOf({ "main.moe": text }), "main.moe").map(({ code, message }) => `${code} ${message}`);
const helped = (text: string): readonly (string | undefined)[] =>
  checkModule(hostOf({ "main.moe": text }), "main.moe").map(({ help }) => help);

/** A model that says how many picks a router of this body has. */
const withWidth = (body: string, width: string): string => `router R(D, N, k = 2)(x: [D]) -> gates[N] {
  param w: [D, N]
  z = x @ w
  ${body}
}
layer L(D, N = 8)(x: [D]) -> [D] {
  g = R { N = N, k = 3 }(x)
  given = g.weight
  y[j: ${width}] = given[j]
  x + sum(y)
}
model M {
  modality text = tokens(vocab = 7)
  param table: [7, 4]
  logits = L(table[text])
}`;

describe("how many picks", () => {
  test.each([
    ["choose top k of z", "3"],
    ["choose top 2 * k - 1 of z", "5"],
    ["choose top 1 of z in each of 4 groups", "4"],
    ["choose top k of z in the best 2 of 4 groups by max(z)", "3"],
    ["choose until sum(softmax(z)) > 0.5 by z at most k", "3"],
    ["choose where z > 0 at most k by z", "3"],
    ["choose where z > 0", "N"],
    ["choose all", "N"],
    ["dim m = 2 * k\n  choose top m of z", "6"],
    ["choose top 2 tokens of z for each expert", "N"],
    ["if k > 2 {\n    choose top k of z\n  } else {\n    choose top k of -z\n  }", "3"],
  ])("%s", (body, width) => {
    const text = withWidth(body, width);
    expect(told(text)).toEqual([]);
    buildText(text);
  });
  test.each([
    ["another number", "choose top k of z", "2", "M0305 the index `j` runs over `2` and over `3`"],
    [
      "modes that differ",
      "choose top k of z in training\n  choose top 1 of z in inference",
      "3",
      "M0305 the index `j` runs over `3` and over `K`",
    ],
    [
      "what the body binds",
      "k = 0 * sum(x) + 1\n  choose top 2 of k * z",
      "3",
      "M0305 the index `j` runs over `3` and over `2`",
    ],
  ])("not told: %s", (_, body, width, message) => {
    expect(told(withWidth(body, width))).toEqual([message]);
  });
});

test("what is given has as many as it is given", () => {
  const text = withWidth("choose top k of z", "3").replace(
    "layer L",
    `router Again(N)(route: int [K], value: [N]) -> gates[N] {
  choose given route
  weight value
}
router Alone(N)(route: int []) -> gates[N] { choose given route }
layer L`,
  );
  const lines = `given = Again { N = N }(g.picks, 0 * g.chosen).weight
  one = Alone { N = N }(int(0 * sum(x))).weight
  z[i: 1] = one[i]
  y[j: 3]`;
  const whole = text.replace("given = g.weight\n  y[j: 3]", lines);
  expect(told(whole)).toEqual([]);
  buildText(whole);
});

describe("what to do", () => {
  const layer = (line: string): string => `router R(N)(x: [N]) -> gates[N] {
  choose top 2 of x in training
  choose top 1 of x in inference
}
layer L(T, D, N = 8)(x: [T, D]) -> [T] {
  ${line}
}`;
  test.each([
    [
      "an axis by its number",
      layer("sum(x as [T, 2, D / 2] over 2) as [T]"),
      "name the axis: a size, an index, or tokens, sequence or batch; `dim M = N / 4` names a size, then `over M`",
    ],
    [
      "an axis by a quotient",
      layer("sum(x as [T, 2, D / 2] over D / 2) as [T]"),
      "name the axis: a size, an index, or tokens, sequence or batch; `dim M = N / 4` names a size, then `over M`",
    ],
    [
      "an axis without a name",
      layer("g = R { N = D }(x)\n  sum(g.weight)"),
      "bind it, `y = ...`, and name its axes: `sum(y[i, j] over j)`",
    ],
    [
      "a quotient as a place",
      layer("y[t] = x[t, t / 2]\n  y"),
      "use an index, a place, or integers: `int(...)` makes them of numbers",
    ],
    [
      "a name that begins a statement",
      layer("shared = R { N = D }\n  shared(x)"),
      "`shared` begins a statement: give what is bound to it another name",
    ],
    [
      "a text that is cut into parts",
      `layer Cut(T, D)(x: [T, D]) -> [T, D] {
  dim S = T / 4
  part = x as [S, 4, D]
  part as [T, D]
}
model M {
  modality text = tokens(vocab = 7)
  param table: [7, 4]
  logits = Cut(table[text])
}`,
      "it is known only when the model runs: divide a size that is a number",
    ],
  ])("%s", (_, text, help) => {
    expect(helped(text)).toContain(help);
  });
});
