// A best expert and a second one, NLLB's rules, against plain loops: in training, at inference, with padding.

import { describe, expect, test } from "vitest";
import { runMechanism, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import { gumbels, kept } from "../helpers/plain-places.ts";
import { columnMeans, counts, dot, largest, softmax, spread, sum, times } from "../helpers/plain.ts";

const N = 4;
const router = (settings: string, more: Partial<Mechanism>): Mechanism => ({
  text: "import std.capacity { TwoChoices }",
  apply: `TwoChoices { N = ${N}${settings} }(x)`,
  width: 3,
  experts: N,
  length: 8,
  batch: 1,
  ...more,
});

describe("a best expert and a second one (NLLB)", () => {
  interface Policy {
    readonly training?: boolean;
    readonly sampled?: boolean;
    readonly random?: boolean;
    readonly prioritised?: boolean;
    readonly before?: boolean;
    /** Tokens that are none. */
    readonly padding?: readonly number[];
  }
  const formula =
    (places: number, policy: Policy) =>
    ({ x, matrix, draws }: Given): Wanted => {
      const {
        training = true,
        sampled = false,
        random = false,
        prioritised = false,
        before = false,
        padding = [],
      } = policy;
      const z = x.map((row) => times(row, matrix("w", N)));
      const p = z.map(softmax);
      const noise = sampled && training ? gumbels(draws[0]!) : new Array<number>(x.length * N).fill(0);
      const pairs = z.map((row, t) => {
        const first = largest(row, 1)[0]!;
        const others = row.map((value, e) => (e === first ? -Infinity : value + noise[N * t + e]!));
        return [first, largest(others, 1)[0]!];
      });
      const both = pairs.map((pair, t) => sum(pair.map((e) => p[t]![e]!)));
      const wished = pairs.map(([first, second], t) => {
        if (padding.includes(t)) return [];
        const g = p[t]![second!]! / (before ? both[t]! : 1);
        return !(random && training) || 2 * g > draws[0]![t]! ? [first!, second!] : [first!];
      });
      const sure = (t: number): number => (prioritised ? Math.max(...p[t]!) : 0);
      const picks = kept(wished, places, (t, slot) => sure(t) + 2 * (1 - slot));
      const total = (t: number): number =>
        before ? both[t]! : sum(picks[t]!.map((e) => (e < 0 ? 0 : p[t]![e]!)));
      const first = counts(
        wished.map((row) => row.slice(0, 1)),
        N,
      ).map((count) => count / x.length);
      return {
        out: spread(picks, N, (t, e) => p[t]![e]! / total(t)),
        picks: picks.map((row) => [row[0] ?? -1, row[1] ?? -1]),
        losses: { balance: 0.01 * N * dot(first, columnMeans(p)) },
      };
    };
  test.each([
    ["the next best, normalised after dropping", "", {}, "gpu"],
    ["normalised before", ", normalise_before = true", { before: true }, "wasm"],
    ["drawn from the others", ", sampled = true", { sampled: true }, "wasm"],
    ["kept by chance", ", random = true", { random: true }, "wasm"],
    [
      "kept by chance, normalised before",
      ", random = true, normalise_before = true",
      { random: true, before: true },
      "wasm",
    ],
    ["the surest tokens first", ", prioritised = true", { prioritised: true }, "wasm"],
  ] as const)("in training: %s", (_, settings, policy, on) => {
    const mechanism = router(settings, { on, seed: 5 });
    runMechanism(mechanism, formula(4, policy));
  });
  test.each([true, false])(
    "padding has no choice, no place and no first choice that counts; prioritised: %s",
    (sure) => {
      const text = "import std.capacity { TwoChoices }";
      const apply = `TwoChoices { N = ${N}, prioritised = ${sure} }(x, if text < 2 or text == 5 then 0 else 1)`;
      const mechanism: Mechanism = { text, apply, width: 3, experts: N, length: 8, batch: 1, seed: 5 };
      const { picks } = runMechanism(
        { ...mechanism, on: "gpu" },
        formula(4, { prioritised: sure, padding: [0, 1, 5] }),
      );
      expect([picks[0], picks[5]]).toEqual([
        [-1, -1],
        [-1, -1],
      ]);
    },
  );
  test("at inference a quarter of the tokens have places", () => {
    const mechanism = router(", sampled = true, random = true", { mode: "inference" });
    const { picks } = runMechanism(mechanism, formula(2, { training: false }));
    expect(picks.flat()).toContain(-1);
  });
});
