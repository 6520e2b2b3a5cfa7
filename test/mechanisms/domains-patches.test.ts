// Parts and heads that take patches of several tokens (Union of Experts), against plain loops over patches; what must hold exactly.

import { describe, expect, test } from "vitest";
import { runMechanism, type Formula, type Given, type Mechanism } from "../helpers/mechanism.ts";
import {
  added,
  dot,
  largest,
  normalBelow,
  range,
  rowsOf,
  softmax,
  sum,
  times,
  type Rows,
} from "../helpers/plain.ts";

const [T, D] = [6, 2];
/** A token is a whole sequence of T tokens of width D. */
const onSequences = (name: string, apply: string, more: Partial<Mechanism> = {}): Mechanism => ({
  text: `import std.heads { ${name}, TokensForParts }
layer Sequence(x: [${T * D}]) -> [${T * D}] {
  ${name}${apply}(x as [${T}, ${D}]) as [${T * D}]
}`,
  apply: "Sequence(x)",
  width: T * D,
  batch: 1,
  length: 3,
  ...more,
});

interface Selection {
  readonly P: number;
  readonly N: number;
  readonly k: number;
  readonly share: number;
  readonly ofToken: boolean;
  readonly weighted: boolean;
}
/** For each sequence and patch, what each part weighs it with: undefined where it did not take it. */
function selection({ x, matrix, tensor }: Given, { P, N, k, share, ofToken, weighted }: Selection) {
  const m = T / P;
  const p = x.map((flat) =>
    rowsOf(flat, P * D).map((patch) =>
      softmax(added(times(patch, matrix("router.w", N)), tensor("router.bias"))),
    ),
  );
  const kept = p.map((patches) =>
    patches.map((row) => row.map((value, e) => (largest(row, k).includes(e) ? value : 0))),
  );
  return p.map((patches, b) => {
    const taken = range(N).map((e) => {
      const wish = kept[b]!.map((row, i) => {
        const among = ofToken ? row : kept.map((others) => others[i]![e]!);
        return row[e]! / (sum(among) + 1e-8);
      });
      return largest(wish, Math.max(1, Math.floor(share * m)));
    });
    return patches.map((row, i) =>
      row.map((value, e) => (taken[e]!.includes(i) ? (weighted ? value : 1) : undefined)),
    );
  });
}

describe("parts of a network take patches", () => {
  const formula =
    (chosen: Selection): Formula =>
    (given) => {
      const { P, N } = chosen;
      const H = 2;
      const part = (name: string, e: number, rows: number, columns: number): Rows =>
        rowsOf(given.tensor(`pool.${name}`).slice(e * rows * columns, (e + 1) * rows * columns), columns);
      const weights = selection(given, chosen);
      const out = given.x.map((flat, b) =>
        rowsOf(flat, D).flatMap((token, t) =>
          range(N).reduce(
            (y, e) => {
              const weight = weights[b]![Math.floor(t / P)]![e];
              if (weight === undefined) return y;
              const hidden = added(times(token, part("up", e, D, H)), part("up_bias", e, 1, H)[0]!).map(
                (value) => value * normalBelow(value),
              );
              const said = added(times(hidden, part("down", e, H, D)), part("down_bias", e, 1, D)[0]!);
              return added(
                y,
                said.map((value) => weight * value),
              );
            },
            token.map(() => 0),
          ),
        ),
      );
      return { out };
    };
  test.each([
    { P: 2, N: 3, k: 1, share: 0.7, ofToken: false, weighted: true },
    { P: 3, N: 2, k: 2, share: 0.5, ofToken: true, weighted: false },
    { P: 1, N: 2, k: 2, share: 0.5, ofToken: false, weighted: false },
  ])("of $P tokens: $N parts, $share of the patches each", (chosen) => {
    const { P, N, k, share, ofToken, weighted } = chosen;
    const router = `TokensForParts { k = ${k}, share = ${share}, of_token = ${ofToken}, weighted = ${weighted} }`;
    const apply = `(${D}, ${2 * N}, P = ${P}, N = ${N}, Router = ${router})`;
    const on = P === 2 ? "gpu" : "wasm";
    runMechanism(onSequences("PartsOfPatches", apply, { on }), formula(chosen));
  });
  test("a patch is taken whole: its tokens all change, or none does", () => {
    const at = (bias: number): Rows =>
      runMechanism(
        onSequences("PartsOfPatches", `(${D}, 4, P = 3, N = 2)`, {
          on: "double",
          tensors: { "pool.down_bias": [bias, bias, bias, bias], "router.bias": [0, 0] },
        }),
      ).out;
    const [a, b] = [at(0), at(1)];
    const counts = a.map((flat, s) =>
      rowsOf(flat, D).map((row, t) => Math.round(rowsOf(b[s]!, D)[t]![0]! - row[0]!)),
    );
    // Two parts, a patch each: by both, or one by each.
    for (const row of counts) {
      expect([row[0], row[3]]).toEqual([row[2], row[5]]);
      expect(row[0]! + row[3]!).toBe(2);
    }
  });
});

describe("heads take patches", () => {
  const formula =
    (chosen: Selection): Formula =>
    (given) => {
      const named: Given = {
        ...given,
        tensor: (name) => given.tensor(name.replace("router", "tokensforparts")),
        matrix: (name, columns) => given.matrix(name.replace("router", "tokensforparts"), columns),
      };
      const weights = selection(named, chosen);
      const out = given.x.map((flat, b) => {
        const rows = rowsOf(flat, D);
        const of = (name: string): Rows => rows.map((row) => times(row, given.matrix(name, D)));
        const [asked, shown, said] = [of("query"), of("key"), of("value")];
        const weight = (t: number, h: number): number | undefined =>
          weights[b]![Math.floor(t / chosen.P)]![h];
        return rows.flatMap((_, t) => {
          // A head has one number of D = 2.
          const heard = range(chosen.N).map((h) => {
            if (weight(t, h) === undefined) return 0;
            const places = range(T).filter((s) => s <= t && weight(s, h) !== undefined);
            const share = softmax(places.map((s) => asked[t]![h]! * shown[s]![h]!));
            return (
              weight(t, h)! *
              dot(
                share,
                places.map((s) => said[s]![h]!),
              )
            );
          });
          return times(heard, given.matrix("out", D));
        });
      });
      return { out };
    };
  test.each([
    [2, false],
    [3, true],
  ])("of %d tokens, weighted: %s", (P, weighted) => {
    const apply = `(${D}, heads = 2, k = 1, share = 0.5, patch = ${P}, weighted = ${weighted})`;
    const chosen = { P, N: 2, k: 1, share: 0.5, ofToken: false, weighted };
    runMechanism(onSequences("RoutedHeads", apply, { on: weighted ? "wasm" : "gpu" }), formula(chosen));
  });
});
