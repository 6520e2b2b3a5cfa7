// Windows of a grid, rolled or not, against plain loops over places of the picture itself: nothing is rolled here, for a shifted window is just one that
// begins elsewhere, and is smaller at the border.

import { describe, expect, test } from "vitest";
import { runMechanism, type Formula, type Given, type Mechanism } from "../helpers/mechanism.ts";
import { dot, range, softmax, sum, times, type Rows } from "../helpers/plain.ts";

interface Sizes {
  readonly H: number;
  readonly W: number;
  readonly D: number;
  readonly heads: number;
  readonly A: number;
  readonly shift: number;
  readonly hidden: number;
}

/** A token is a whole grid. */
const onGrids = ({ H, W, D }: Sizes, apply: string, name: string): Mechanism => ({
  text: `import std.windows { ${name} }
layer Grid(x: [${H * W * D}]) -> [${H * W * D}] {
  ${apply}(x as [${H}, ${W}, ${D}]) as [${H * W * D}]
}`,
  apply: "Grid(x)",
  width: H * W * D,
  batch: 1,
  length: 2,
});

/** What each head adds for a distance of rows and of columns. */
function distanceBias({ matrix, tensor }: Given, { A, hidden, heads }: Sizes) {
  const far = (r: number): number =>
    (Math.sign(r) * Math.log2(1 + Math.abs((8 * r) / (A - 1)))) / Math.log2(8);
  return (down: number, across: number): number[] => {
    const at = [far(down), far(across)];
    const seen = times(at, matrix("distancebias.enter", hidden)).map((value, m) =>
      Math.max(0, value + tensor("distancebias.enter_bias")[m]!),
    );
    return times(seen, matrix("say", heads));
  };
}

const windowed =
  (sizes: Sizes): Formula =>
  (given) => {
    const { x, matrix, tensor } = given;
    const { H, W, D, heads, A, shift } = sizes;
    const C = D / heads;
    const bias = distanceBias(given, sizes);
    const places = range(H * W).map((at) => ({ i: Math.floor(at / W), j: at % W }));
    const windowOf = ({ i, j }: { i: number; j: number }): string =>
      [i, j].map((each) => Math.floor((each - shift) / A)).join();
    const out = x.map((grid) => {
      const rows = places.map((_, at) => grid.slice(D * at, D * (at + 1)));
      const parts: Rows = rows.map((row) =>
        times(row, matrix("windowedattention.enter", 3 * D)).map(
          (value, n) => value + tensor("windowedattention.enter_bias")[n]!,
        ),
      );
      return places.flatMap((place, t) => {
        const others = range(H * W).filter((s) => windowOf(places[s]!) === windowOf(place));
        const heard = range(heads).flatMap((h) => {
          const of = (s: number, part: number): number[] =>
            parts[s]!.slice(part * D + h * C, part * D + (h + 1) * C);
          const share = softmax(
            others.map(
              (s) =>
                dot(of(t, 0), of(s, 1)) / Math.sqrt(C) +
                bias(place.i - places[s]!.i, place.j - places[s]!.j)[h]!,
            ),
          );
          return range(C).map((c) => sum(others.map((s, k) => share[k]! * of(s, 2)[c]!)));
        });
        return times(heard, matrix("leave", D)).map((value, d) => value + tensor("leave_bias")[d]!);
      });
    });
    return { out };
  };

describe("attention in windows", () => {
  const small = { H: 4, W: 6, D: 2, heads: 2, A: 2, hidden: 3 };
  const large = { H: 6, W: 3, D: 2, heads: 1, A: 3, hidden: 2 };
  test.each([
    { ...small, shift: 0 },
    { ...small, shift: 1 },
    { ...large, shift: 1 },
    { ...large, shift: 2 },
  ])("of $A x $A in $H x $W, rolled by $shift", (sizes) => {
    const { H, W, D, heads, A, shift, hidden } = sizes;
    const apply = `WindowedAttention(${H}, ${W}, ${D}, heads = ${heads}, A = ${A}, shift = ${shift}, hidden = ${hidden})`;
    const on = sizes.A === 2 && shift === 1 ? "gpu" : "wasm";
    runMechanism({ ...onGrids(sizes, apply, "WindowedAttention"), on }, windowed(sizes));
  });
  test("windows know nothing of each other; shifted ones reach over their borders", () => {
    const sizes = { ...small, shift: 0 };
    const { H, W, D } = sizes;
    /** Which places change when the first one does. */
    const reached = (shift: number): number[] => {
      const apply = `WindowedAttention(${H}, ${W}, ${D}, heads = 1, A = 2, shift = ${shift}, hidden = 2)`;
      const grids = [0, 1].map((first) => range(H * W * D).map((n) => (n === 0 ? first : Math.sin(n))));
      const [a, b] = runMechanism({
        ...onGrids(sizes, apply, "WindowedAttention"),
        tensors: { x: grids },
        on: "double",
      }).out;
      return range(H * W).filter((at) => range(D).some((d) => a![D * at + d] !== b![D * at + d]));
    };
    expect(reached(0)).toEqual([0, 1, W, W + 1]);
    expect(reached(1)).toEqual([0]);
  });
});

test.each([1, 2, -1, -3])("rolled by %d, a grid goes on at its other end", (by) => {
  const sizes = { H: 4, W: 5, D: 2, heads: 1, A: 1, shift: 0, hidden: 1 };
  const { H, W, D } = sizes;
  const mechanism = onGrids(sizes, `Rolled { by = ${by} }`, "Rolled");
  runMechanism({ ...mechanism, on: by === 2 ? "gpu" : "wasm" }, ({ x }) => ({
    out: x.map((grid) =>
      range(H * W * D).map((n) => {
        const [i, j, d] = [Math.floor(n / D / W), Math.floor(n / D) % W, n % D];
        return grid[(((i + by + H) % H) * W + ((j + by + W) % W)) * D + d]!;
      }),
    ),
  }));
});
