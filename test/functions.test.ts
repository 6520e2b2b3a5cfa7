// Functions of formulas that choose and that differentiate, against plain loops: `largest`, `gradient`, and a gradient of a gradient. In: layers
// of a few lines. Asked: values and gradients on every way to run, what is refused, and what the choice sees.

import { describe, expect, test } from "vitest";
import { checkText } from "./helpers/elaborate.ts";
import { runMechanism } from "./helpers/mechanism.ts";
import { columnOf, largest, range, rowsOf, stopped, sum, times, type Rows } from "./helpers/plain.ts";

const kept = (values: readonly number[], k: number): number[] => {
  const best = largest(values, k);
  return values.map((value, i) => (best.includes(i) ? value : 0));
};

describe("largest", () => {
  test("of each token's numbers", () => {
    const text = "layer Kept(D)(x: [D]) -> [D] { if largest(x, 2) then x else 0 }";
    runMechanism({ text, apply: "Kept(x)", width: 5, on: "gpu" }, ({ x }) => ({
      out: x.map((row) => kept(row, 2)),
    }));
  });

  test("of the positions of a sequence, as many as its length says", () => {
    const text = "layer Kept(D)(x: [T, D]) -> [T, D] { if largest(x, ceil(T / 2) over T) then x else 0 }";
    runMechanism({ text, apply: "Kept(x)", width: 3, length: 5, on: "gpu" }, ({ x }) => ({
      out: range(2).flatMap((b) => {
        const rows = x.slice(5 * b, 5 * b + 5);
        const columns = range(3).map((d) => kept(columnOf(rows, d), 3));
        return range(5).map((t) => columns.map((column) => column[t]!));
      }),
    }));
  });

  test("over all tokens of a batch, and over a token's numbers and tokens at once", () => {
    const over = (axes: string): string =>
      `layer Kept(D)(x: [D]) -> [D] { if largest(x, 3 over ${axes}) then x else 0 }`;
    runMechanism({ text: over("tokens"), apply: "Kept(x)", width: 3, on: "gpu" }, ({ x }) => {
      const columns = range(3).map((d) => kept(columnOf(x, d), 3));
      return { out: x.map((_, t) => columns.map((column) => column[t]!)) };
    });
    runMechanism({ text: over("tokens, D"), apply: "Kept(x)", width: 3 }, ({ x }) => ({
      out: rowsOf(kept(x.flat(), 3), 3),
    }));
  });

  test("equals by their order; never -inf; all, where there are not more", () => {
    const text = `layer Kept(D)(x: [D]) -> [D] {
  y = if x > 5 then -inf else x
  if largest(y, 2) then 1 else 0
}`;
    const x = [
      [1, 1, 1, 1],
      [9, 0, 9, 9],
      [0, 3, 3, 2],
    ];
    const run = (count: number): Rows =>
      runMechanism({
        text: text.replace("y, 2", `y, ${count}`),
        apply: "Kept(x)",
        width: 4,
        batch: 1,
        on: "double",
        tensors: { x },
      }).out;
    expect(run(2)).toEqual([
      [1, 1, 0, 0],
      [0, 1, 0, 0],
      [0, 1, 1, 0],
    ]);
    expect(run(7)[0]).toEqual([1, 1, 1, 1]);
    expect(run(0)[2]).toEqual([0, 0, 0, 0]);
  });

  const said = (expression: string): readonly string[] =>
    checkText(`layer L(D, H)(x: [T, D]) -> [T, D] {\n  y = ${expression}\n  x\n}\n`);
  test.each([
    ["largest(x, 2)", "M0303 largest(x, 2): `largest` needs to know over which axis"],
    ["largest(x, 2 over E)", "M0304 E: there is no axis `E` to go over"],
    ["largest(x, x over D)", "M0303 x: `largest` needs to know how many"],
    ["largest(x, 0 - 1 over D)", "M0303 0 - 1: `largest` needs to know how many"],
    ["largest(x)", "M0204 largest(x): `largest` takes 2 arguments, not 1"],
    ["largest(x > 0, 1 over D)", "M0201 x > 0: `largest` takes numbers and tensors, not a tensor"],
  ])("%s", (expression, message) => {
    expect(said(expression)).toEqual([message]);
  });
});

test("a running sum over all tokens of a batch", () => {
  const text = "layer Sums(D)(x: [D]) -> [D] { cumsum(x over tokens) }";
  runMechanism({ text, apply: "Sums(x)", width: 2, on: "gpu" }, ({ x }) => ({
    out: x.map((row, t) => row.map((_, d) => sum(columnOf(x.slice(0, t + 1), d)))),
  }));
});

describe("gradient", () => {
  // f(x) = sum_h v_h sin(x w)_h; df/dx_d = sum_h v_h cos(x w)_h w_dh.
  const formula = `
  param w: [D, 3]
  param v: [3]
  f = sum(v * sin(x @ w))`;
  const slope = (row: readonly number[], w: Rows, v: readonly number[]): number[] => {
    const z = times(row, w);
    return w.map((weights) => sum(weights.map((weight, h) => v[h]! * Math.cos(z[h]!) * weight)));
  };

  test("for each token, and its own gradient by everything", () => {
    const text = `layer Slope(D)(x: [D]) -> [D] {${formula}\n  gradient(f, x)\n}`;
    runMechanism({ text, apply: "Slope(x)", width: 2, on: "gpu" }, ({ x, matrix, tensor }) => ({
      out: x.map((row) => slope(row, matrix("w", 3), tensor("v"))),
    }));
  });

  test("by a parameter: the sum over all tokens", () => {
    const text = `layer Slope(D)(x: [D]) -> [D] {${formula}\n  x + sum(gradient(f, v))\n}`;
    runMechanism({ text, apply: "Slope(x)", width: 2, on: "gpu" }, ({ x, matrix }) => {
      const all = sum(x.flatMap((row) => times(row, matrix("w", 3)).map(Math.sin)));
      return { out: x.map((row) => row.map((value) => value + all)) };
    });
  });

  const climbing = (end: string): string => `layer Climb(D)(x: [D]) -> [D] {
  param w: [D, 3]
  param v: [3]
  z = x
  repeat 3 {
    z = z + 0.5 * gradient(v * sin(z @ w), z)
  }
  ${end}
}`;
  const climb = (row: readonly number[], w: Rows, v: readonly number[]): number[] => {
    let z = [...row];
    for (let step = 0; step < 3; step++) {
      const up = slope(z, w, v);
      z = z.map((value, d) => value + 0.5 * up[d]!);
    }
    return z;
  };
  test("climbs in a loop, and the whole way has a gradient", () => {
    runMechanism({ text: climbing("z"), apply: "Climb(x)", width: 2 }, ({ x, matrix, tensor }) => ({
      out: x.map((row) => climb(row, matrix("w", 3), tensor("v"))),
    }));
  });
  test("unless it is stopped", () => {
    const held = stopped();
    const mechanism = { text: climbing("x + stop(z - x)"), apply: "Climb(x)", width: 2 };
    runMechanism(mechanism, ({ x, matrix, tensor }) => {
      const way = held(x.map((row) => climb(row, matrix("w", 3), tensor("v")).map((z, d) => z - row[d]!)));
      return { out: x.map((row, t) => row.map((value, d) => value + way[t]![d]!)) };
    });
  });

  test("of what does not depend on it is 0", () => {
    const text = "layer None(D)(x: [D]) -> [D] { x + gradient(stop(sum(x * x)), x) }";
    runMechanism({ text, apply: "None(x)", width: 2 }, ({ x }) => ({ out: x }));
  });

  const said = (body: string): readonly string[] =>
    checkText(`expert E(D)(x: [D]) -> [D] {\n  param w: [D, D]\n  ${body}\n}\n
layer L(D)(x: [D], ids: int []) -> [D] {
  pool = E(D) * 2
  g = gradient(sum(x), ids)
  x
}
`);
  test("of integers there is none", () => {
    expect(said("x @ w")).toEqual(["M0407 gradient(sum(x), ids): this has no `gradient`"]);
  });
});
