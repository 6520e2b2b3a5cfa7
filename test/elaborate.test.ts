// What programs mean: each is elaborated and run by the graph interpreter, and compared with plain loops.
import { describe, expect, test } from "vitest";
import { buildText, numbers, runBuilt } from "./helpers/elaborate.ts";

const close = (got: readonly number[], want: readonly number[], digits = 9): void => {
  expect(got.length).toBe(want.length);
  got.forEach((value, i) => expect(value, `at ${i}`).toBeCloseTo(want[i]!, digits));
};
const at = (list: readonly number[], width: number, i: number, j: number): number => list[i * width + j]!;

/** A model that applies an expression to five numbers for each of B examples. */
const formula = (body: string): string => `
model M {
  modality x = features(4)
  ${body}
}`;

describe("expressions", () => {
  const x = numbers(8, 3);
  const run = (body: string): readonly number[] =>
    runBuilt(buildText(formula(body)), { x }, { B: 2 })["logits"]!.data;
  const each = (f: (value: number) => number): number[] => x.map(f);
  const rows = (f: (row: readonly number[]) => number): number[] => [f(x.slice(0, 4)), f(x.slice(4))];
  const cases: readonly (readonly [string, readonly number[]])[] = [
    ["x + 1", each((v) => v + 1)],
    ["2 - 3 * x / 4", each((v) => 2 - (3 * v) / 4)],
    ["x ^ 2", each((v) => v * v)],
    ["-x", each((v) => -v)],
    ["if x > 0 then x else 0.5", each((v) => (v > 0 ? v : 0.5))],
    ["if x > 0 and not (x > 0.5) then 1 else 0", each((v) => (v > 0 && !(v > 0.5) ? 1 : 0))],
    ["max(x, 0.25)", each((v) => Math.max(v, 0.25))],
    ["clamp(x, -0.1, 0.1)", each((v) => Math.min(Math.max(v, -0.1), 0.1))],
    ["silu(x)", each((v) => v / (1 + Math.exp(-v)))],
    ["softplus(x)", each((v) => Math.log(1 + Math.exp(v)))],
    ["sum(x)", rows((row) => row.reduce((a, b) => a + b))],
    ["mean(x)", rows((row) => row.reduce((a, b) => a + b) / 4)],
    ["max(x)", rows((row) => Math.max(...row))],
    ["rms(x)", rows((row) => Math.sqrt(row.reduce((a, b) => a + b * b, 0) / 4))],
    ["logsumexp(x)", rows((row) => Math.log(row.reduce((a, b) => a + Math.exp(b), 0)))],
    ["sum(softmax(x))", [1, 1]],
    ["if any(x > 0.9) then 1 else 0", rows((row) => (row.some((v) => v > 0.9) ? 1 : 0))],
    ["cumsum(x)", x.map((_, i) => x.slice(i - (i % 4), i + 1).reduce((a, b) => a + b))],
    ["argmax(x) + 0", rows((row) => row.indexOf(Math.max(...row)))],
    [
      "one_hot(argmax(x), 4)",
      x.map((v, i) => (v === Math.max(...x.slice(i - (i % 4), i - (i % 4) + 4)) ? 1 : 0)),
    ],
    [
      "concat(x, 2 * x)",
      [...x.slice(0, 4), ...x.slice(0, 4).map((v) => 2 * v), ...x.slice(4), ...x.slice(4).map((v) => 2 * v)],
    ],
    ["straight_through(sign(x), x)", each(Math.sign)],
    ["x[2]", [x[2]!, x[6]!]],
    ["mean(x over tokens)", [0, 1, 2, 3].map((i) => (x[i]! + x[i + 4]!) / 2)],
    ["if training then x else 0", x],
  ];
  test.each(cases)("%s", (text, want) => close(run(`logits = ${text}`), want));

  test("index notation sums, reorders and counts", () => {
    const got = run(`
      grid = x as [2, 2]
      logits[j, i] = sum(grid[i, k] * grid[k, j] over k) + 10 * i + 100 * j`);
    const want = [0, 4].flatMap((from) => {
      const g = x.slice(from, from + 4);
      return [0, 1].flatMap((j) =>
        [0, 1].map((i) => [0, 1].reduce((s, k) => s + at(g, 2, i, k) * at(g, 2, k, j), 0) + 10 * i + 100 * j),
      );
    });
    close(got, want);
  });

  test("an index with a range on the left, and a mask between two indices", () => {
    close(
      run("logits[i, j: 4] = if j <= i then x[i] else -1"),
      x.flatMap((v, i) => [0, 1, 2, 3].map((j) => (j <= i % 4 ? v : -1))),
    );
  });

  test("repeat carries over what was bound outside", () => {
    close(
      run("logits = x\nrepeat i in 3 { logits = logits * 2 + i }"),
      each((v) => ((v * 2 + 0) * 2 + 1) * 2 + 2),
    );
  });
});

describe("definitions", () => {
  test("a definition for one token is lifted over every axis in front", () => {
    const program = buildText(`
function Centred(D)(x: [D]) -> [D] { x - mean(x) }
model M {
  modality x = image(2, 3)
  logits = Centred(x)
}`);
    const x = numbers(12, 5);
    const want = x.map((v, i) => v - (x[i - (i % 3)]! + x[i - (i % 3) + 1]! + x[i - (i % 3) + 2]!) / 3);
    close(runBuilt(program, { x }, { B: 2 })["logits"]!.data, want);
  });

  test("an instance that is bound shares its parameters, others have their own", () => {
    const { built } = buildText(`
layer Scale(D)(x: [D]) -> [D] {
  param gain: [D] = 1
  x * gain
}
model M {
  modality x = features(4)
  both = Scale(4)
  logits = both(x) + both(2 * x) + Scale(x) + Scale(x)
  repeat 2 { logits = Scale(logits) }
}`);
    expect(built.tensors.map(({ name }) => name)).toEqual([
      "both.gain",
      "scale.0.gain",
      "scale.1.gain",
      "scale.2.gain",
      "scale.3.gain",
    ]);
  });

  test("statics by position, by name, by default and from the inputs", () => {
    const { built } = buildText(`
layer Up(D, H = 2 * D, twice = false)(x: [D]) -> [H] {
  param w: [D, H]
  if twice { x = 2 * x }
  x @ w
}
model M {
  modality x = features(4)
  a = Up(4)(x)
  b = Up { H = 3 }(a)
  logits = Up(3, 5) { twice = true }(b)
}`);
    expect(built.tensors.map(({ shape }) => shape)).toEqual([
      [4, 8],
      [8, 3],
      [3, 5],
    ]);
  });

  test("a definition given as a static", () => {
    const { built } = buildText(`
import std.experts { SwiGLU, Relu }
layer Wrap(D, Ffn = SwiGLU)(x: [D]) -> [D] { Ffn(D, 2 * D)(x) }
model M {
  modality x = features(4)
  logits = Wrap { Ffn = Relu }(Wrap(x))
}`);
    expect(built.tensors.map(({ name }) => name)).toEqual([
      "wrap.0.ffn.gate",
      "wrap.0.ffn.up",
      "wrap.0.ffn.down",
      "wrap.1.ffn.up",
      "wrap.1.ffn.down",
    ]);
  });
});
