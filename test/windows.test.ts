// Index arithmetic against plain loops: shifts, windows, what lies outside, integers, and what is refused.

import { describe, expect, test } from "vitest";
import { planModel } from "../compiler/compile.ts";
import { buildText, checkText, hostOf, numbers, runBuilt } from "./helpers/elaborate.ts";

const program = (body: string): string => `
model M {
  modality x = image(3, 4)
  ${body.split("\n").join("\n  ")}
}`;
const picture = numbers(12, 5);
/** Row-major [3, 4], 0 outside. */
const at = (i: number, j: number): number => (i < 0 || j < 0 || i >= 3 || j >= 4 ? 0 : picture[i * 4 + j]!);
const grid = (rows: number, columns: number, f: (i: number, j: number) => number): number[] =>
  Array.from({ length: rows * columns }, (_, k) => f(Math.floor(k / columns), k % columns));
const run = (body: string): readonly number[] =>
  runBuilt(buildText(program(body)), { x: picture }, { B: 1 })["logits"]!.data;
const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe("values", () => {
  const table: readonly (readonly [string, readonly number[]])[] = [
    ["y[i, j] = x[i + 1, j]", grid(3, 4, (i, j) => at(i + 1, j))],
    ["y[i, j] = x[i, j - 2]", grid(3, 4, (i, j) => at(i, j - 2))],
    ["y[i, j] = x[i - 5, j]", grid(3, 4, () => 0)],
    ["y[i, j] = x[2 + i, j + 9]", grid(3, 4, () => 0)],
    ["y[i: 2, j: 6] = x[i + 1, j - 1]", grid(2, 6, (i, j) => at(i + 1, j - 1))],
    ["y[i: 2, j] = x[2 * i, j]", grid(2, 4, (i, j) => at(2 * i, j))],
    ["y[i, j] = x[i, j] - x[i + 1, j + 1]", grid(3, 4, (i, j) => at(i, j) - at(i + 1, j + 1))],
    [
      "y[i, j, a: 2] = x[i, j + a]",
      range(24).map((k) => at(Math.floor(k / 8), (Math.floor(k / 2) % 4) + (k % 2))),
    ],
    [
      "y[i, j, a: 3] = x[a + i - 1, j]",
      range(36).map((k) => at(Math.floor(k / 12) + (k % 3) - 1, Math.floor(k / 3) % 4)),
    ],
    [
      "y[j, i: 5, a: 2] = x[i + (a - 3), j]",
      range(40).map((k) => at((Math.floor(k / 2) % 5) + (k % 2) - 3, Math.floor(k / 10))),
    ],
  ];
  test.each(table)("%s", (binding, want) => {
    const got = run(`${binding}\nlogits = y`);
    expect(got.length).toBe(want.length);
    got.forEach((value, i) => expect(value, `at ${i}`).toBeCloseTo(want[i]!, 12));
  });

  test("a convolution", () => {
    const got = run(
      "param w: [3, 2] = 1\ny[i, j] = sum(x[i + a - 1, j + b] * (w[a, b] + a - b / 4) over a, b)\nlogits = y",
    );
    // The parameter is drawn by the test's helper: what it adds is taken from a run without the rest.
    const plain = run(
      "param w: [3, 2] = 1\ny[i, j] = sum(x[i + a - 1, j + b] * w[a, b] over a, b)\nlogits = y",
    );
    const rest = grid(3, 4, (i, j) =>
      sum(range(3).flatMap((a) => range(2).map((b) => at(i + a - 1, j + b) * (a - b / 4)))),
    );
    rest.forEach((value, k) => expect(got[k]! - plain[k]!).toBeCloseTo(value, 10));
  });

  test("integers are -1 outside, truth values false", () => {
    expect(run("ids = int(10 * x)\ny[i, j] = ids[i, j + 3]\nlogits = y + 0")).toEqual(
      grid(3, 4, (i, j) => (j + 3 < 4 ? Math.trunc(10 * at(i, j + 3)) : -1)),
    );
    expect(run("up = x < 9\ny[i, j] = if up[i + 2, j] then 1 else 0\nlogits = y")).toEqual(
      grid(3, 4, (i) => (i + 2 < 3 ? 1 : 0)),
    );
  });
});

test("a window is views: a convolution is one contraction", () => {
  const text = program(
    "param w: [3, 3, 8]\ny[i, j, f] = sum(x[i + a - 1, j + b - 1] * w[a, b, f] over a, b)\nlogits = y",
  );
  const { planned } = planModel({ host: hostOf({ "main.moe": text }), path: "main.moe" });
  expect(planned!.program.entries["forward"]!.dispatches.length).toBeLessThanOrEqual(2);
});

describe("what is refused", () => {
  const refused: readonly (readonly [string, string])[] = [
    ["y[i, j] = x[i + i, j]", "M0306 i + i: a window is made of one or two indices and a number"],
    [
      "y[i, j, k: 2, l: 2] = x[i + k + l, j]",
      "M0306 i + k + l: a window is made of one or two indices and a number",
    ],
    ["y[i, j, a] = x[i + a, j]", "M0307 i + a: nothing bounds the index `a`"],
    ["y[i, j] = x[i + 0.5, j]", "M0306 i + 0.5: an axis is shifted by a whole number"],
    ["y[i, j] = x[i - 1e300, j]", "M0306 i - 1e300: an axis is shifted by a whole number"],
    ["y[i, j] = x[i + inf, j]", "M0306 i + inf: an axis is shifted by a whole number"],
  ];
  test.each(refused)("%s", (binding, message) => {
    expect(checkText(program(`${binding}\nlogits = sum(sum(x over i) over j)`))[0]).toBe(message);
  });
});
