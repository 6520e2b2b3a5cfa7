// Numbers of eight bits against a list of all of them: what is nearest, blocks with a scale each, and the bound on the error.

import { describe, expect, test } from "vitest";
import { signedNumbers } from "../helpers/differential.ts";
import { runMechanism, type Mechanism } from "../helpers/mechanism.ts";
import { times, type Rows } from "../helpers/plain.ts";

/** Every number of 0 sign: exponent and mantissa from the bits, without NaN. */
const all = Array.from({ length: 127 }, (_, bits) => {
  const [exponent, mantissa] = [bits >> 3, bits & 7];
  return exponent === 0 ? mantissa * 2 ** -9 : (1 + mantissa / 8) * 2 ** (exponent - 7);
});
/** The nearest, of two as near the one whose last bit is 0. */
const nearest = (x: number): number => {
  const size = Math.min(Math.abs(x), 448);
  const best = all.reduce((a, b, i) => {
    const [ahead, now] = [Math.abs(all[a]! - size), Math.abs(b - size)];
    return now < ahead || (now === ahead && i % 2 === 0) ? i : a;
  }, 0);
  return Math.sign(x) * all[best]!;
};
const eight: Mechanism = {
  text: "import std.precision { Eight }",
  apply: "Eight(x)",
  width: 4,
  batch: 1,
};
/** Backward, what is rounded counts as it came. */
const passing = (rounded: (x: Rows) => Rows): ((given: { readonly x: Rows }) => { readonly out: Rows }) => {
  let first: Rows | undefined;
  return ({ x }) => {
    const from = (first ??= x.map((row) => [...row]));
    const at = rounded(from);
    return { out: x.map((row, t) => row.map((value, d) => at[t]![d]! + value - from[t]![d]!)) };
  };
};

describe("numbers of eight bits", () => {
  test("every number that there is stays as it is", () => {
    const x = [...all, 448];
    const { out } = runMechanism({ ...eight, length: 32, tensors: { x }, on: "gpu" });
    expect(out.flat()).toEqual(x);
  });
  test("halfway numbers go to the even one", () => {
    const middles = all.slice(1).map((value, i) => (value + all[i]!) / 2);
    const x = [...middles, 0, 0];
    const { out } = runMechanism({ ...eight, length: 32, tensors: { x }, on: "double" });
    out.flat().forEach((value, i) => expect(Math.abs(value), `of ${x[i]}`).toBe(nearest(x[i]!)));
  });
  test("the nearest one, the largest where it is too small, and the gradient of what came", () => {
    const x = [...signedNumbers(1, 12)].map((value, i) => value * 4 ** (i - 6));
    const tensors = { x: [...x, 1000, -449, 0.001, 2 ** -10] };
    runMechanism(
      { ...eight, length: 4, tensors },
      passing((rows) => rows.map((row) => row.map(nearest))),
    );
  });
  test("a normal number is at most 2^-4 of itself away", () => {
    const x = [...signedNumbers(2, 400)].flatMap((value, i) => {
      const size = Math.abs(value) * 2 ** ((i % 14) - 5);
      return size >= 2 ** -6 && size <= 448 ? [size] : [];
    });
    const length = Math.floor(x.length / 4);
    const given = x.slice(0, 4 * length);
    const { out } = runMechanism({ ...eight, length, tensors: { x: given }, on: "double" });
    const errors = out.flat().map((value, i) => Math.abs(value - given[i]!) / given[i]!);
    expect(Math.max(...errors)).toBeLessThanOrEqual(2 ** -4);
    expect(Math.max(...errors)).toBeGreaterThan(2 ** -5);
  });
});

/** A matrix whose blocks are rounded with a scale each. */
const inBlocks = (x: Rows, rows: number, columns: number): Rows =>
  x.map((row, t) =>
    row.map((value, d) => {
      const [top, left] = [t - (t % rows), d - (d % columns)];
      const block = x.slice(top, top + rows).flatMap((each) => each.slice(left, left + columns));
      const highest = Math.max(...block.map(Math.abs));
      return (nearest((value / highest) * 448) * highest) / 448;
    }),
  );

describe("each block has a scale of its own", () => {
  test("parts of a row, as of activations", () => {
    const mechanism: Mechanism = {
      text: "import std.precision { EightBlocks }",
      apply: "EightBlocks { rows = 1, columns = 3 }(x)",
      width: 6,
      on: "gpu",
      tensors: { x: [...signedNumbers(3, 36)].map((value, i) => value * (i % 6 < 3 ? 1000 : 0.001)) },
    };
    runMechanism(
      mechanism,
      passing((x) => inBlocks(x, 1, 3)),
    );
  });
  test("tiles, as of weights", () => {
    const text = `import std.precision { EightBlocks }
layer Rounded(D, H)(x: [D]) -> [H] {
  param w: [D, H]
  x @ EightBlocks { rows = 2, columns = 3 }(w)
}`;
    let first: Rows | undefined;
    runMechanism({ text, apply: "Rounded(4, 6)(x)", width: 4, out: 6 }, ({ x, matrix }) => {
      const w = matrix("w", 6);
      const from = (first ??= w);
      const at = inBlocks(from, 2, 3);
      const moved = w.map((row, i) => row.map((value, j) => at[i]![j]! + value - from[i]![j]!));
      return { out: x.map((row) => times(row, moved)) };
    });
  });
});
