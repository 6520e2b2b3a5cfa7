// Who keeps a place when an expert is full: rules of released codes against plain loops, known answers for six tokens, and what must hold exactly.

import { describe, expect, test } from "vitest";
import { onSix, six } from "../helpers/known-answers.ts";
import { runMechanism, type Found, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import { noiseRows } from "../helpers/plain-networks.ts";
import { gumbels, kept } from "../helpers/plain-places.ts";
import {
  added,
  columnMeans,
  columnSums,
  counts,
  dot,
  largest,
  mean,
  normalBelow,
  range,
  softmax,
  spread,
  squaredVariation,
  sum,
  times,
  type Rows,
} from "../helpers/plain.ts";

const N = 4;
const router = (name: string, settings: string, more: Partial<Mechanism> = {}): Mechanism => ({
  text: `import std.capacity { ${name} }`,
  apply: `${name} { N = ${N}${settings} }(x)`,
  width: 3,
  experts: N,
  length: 5,
  ...more,
});

const balance = (wished: Rows, p: Rows): number =>
  0.01 *
  N *
  dot(
    counts(wished, N).map((count) => count / wished.flat().length),
    columnMeans(p),
  );

describe("one expert, places by chance (DeepSpeed)", () => {
  const formula =
    (places: number, { sampled = false, jitter = 0, drawn = true }) =>
    ({ x, matrix, draws }: Given): Wanted => {
      const seen =
        jitter === 0
          ? x
          : x.map((row, t) => row.map((value, d) => value * (1 + jitter * (2 * draws[0]![3 * t + d]! - 1))));
      const z = seen.map((row) => times(row, matrix("w", N)));
      const p = z.map(softmax);
      const noise = sampled ? gumbels(draws[0]!) : new Array<number>(x.length * N).fill(0);
      const wished = z.map((row, t) => largest(added(row, noise.slice(N * t, N * t + N)), 1));
      const chance = draws.at(-1)!;
      const picks = kept(wished, places, (t, slot) => (drawn ? chance[N * t + wished[t]![slot]!]! : 0));
      return {
        out: spread(picks, N, (t, e) => p[t]![e]!),
        picks,
        losses: { balance: balance(wished, p) },
      };
    };
  test("the choice sees Gumbel noise, the weight does not", () => {
    const mechanism = router("DrawnPlaces", ", factor = 0.6, least = 1, sampled = true", { on: "gpu" });
    const { picks } = runMechanism(mechanism, formula(2, { sampled: true }));
    expect(picks.flat()).toContain(-1);
  });
  test("in the order of the text, with jitter", () => {
    const settings = ", factor = 0.6, least = 1, drawn = false, jitter = 0.1";
    runMechanism(router("DrawnPlaces", settings), formula(2, { jitter: 0.1, drawn: false }));
  });
  test("at inference chance draws as well, unless told not to", () => {
    const at = (settings: string, drawn: boolean): void => {
      const more = { mode: "inference", seed: 2 } as const;
      runMechanism(
        router("DrawnPlaces", `, factor = 0.6, least = 1${settings}`, more),
        formula(2, { drawn }),
      );
    };
    at("", true);
    // Nothing is drawn then: the draws are those of no choice.
    const { picks } = runMechanism(
      router("DrawnPlaces", ", factor = 0.6, least = 1, always = false", { mode: "inference", seed: 2 }),
      (given) => formula(2, { drawn: false })({ ...given, draws: [[]] }),
    );
    expect(picks.flat()).toContain(-1);
  });
  test("in the order of the text late tokens lose, by chance all lose alike", () => {
    const tokens = 512;
    const x = noiseRows(3, tokens, 8).map((row) => row.map((value, e) => value + (8 - e) / 8));
    const identity = range(8).map((i) => range(8).map((j) => (i === j ? 1 : 0)));
    const lost = (drawn: boolean): number[] => {
      const { picks } = runMechanism({
        text: "import std.capacity { DrawnPlaces }",
        apply: `DrawnPlaces { N = 8, drawn = ${drawn} }(x)`,
        width: 8,
        experts: 8,
        batch: 1,
        length: tokens,
        on: "double",
        tensors: { x, w: identity },
      });
      const gone = picks.map(([e]) => (e === -1 ? 1 : 0));
      return range(4).map((q) => mean(gone.slice((q * tokens) / 4, ((q + 1) * tokens) / 4)));
    };
    const [ordered, drawn] = [lost(false), lost(true)];
    expect(ordered[0]!).toBeLessThan(0.05);
    expect(ordered[3]!).toBeGreaterThan(0.4);
    expect(sum(drawn)).toBeCloseTo(sum(ordered), 9);
    for (const share of drawn) expect(Math.abs(share - mean(drawn))).toBeLessThan(0.12);
  });
});

const std = (name: string): string => `import std.capacity { ${name} }`;
const tokensKept = ({ picks }: Found): number[] => picks.flatMap(([e], t) => (e! >= 0 ? [t] : []));

describe("known answers", () => {
  test("two places each: the surest tokens, and random numbers that are given", () => {
    const surest = "Prioritised { N = 3, factor = 1, multiple = 1 }(x)";
    expect(tokensKept(onSix(std("Prioritised"), surest))).toEqual([0, 2, 3, 5]);
    const numbers = [0.1, 0.9, 0.5, 0.3, 0.7, 0.2];
    const text = `router Given(D, N)(x: [D]) -> gates[N] {
  score[e: N] = x[e + 0]
  choose top 1 of score
  capacity 2 drop lowest of x[3]
}`;
    const found = runMechanism({
      text,
      apply: "Given { N = 3 }(x)",
      width: 4,
      experts: 3,
      batch: 1,
      length: 6,
      tensors: { x: six.map((row, t) => [...row, numbers[t]!]) },
    });
    expect(tokensKept(found)).toEqual([1, 2, 4, 5]);
  });
  const after = {
    first: [0.731059, 0.731059, 0.731059, 0.817574, 0.524979, 1],
    second: [0.268941, 0.268941, 0.268941, 0.182426, 0.475021, 0],
  };
  const choices = { first: [0, 0, 1, 0, 0, 2], second: [1, 1, 2, 2, 1, 0] };
  const expectWeights = ({ out }: Found, want: typeof after): void =>
    out.forEach((row, t) => {
      expect(row[choices.first[t]!]).toBeCloseTo(want.first[t]!, 5);
      expect(row[choices.second[t]!]).toBeCloseTo(want.second[t]!, 5);
    });
  const two = (places: number, settings = ""): Found =>
    onSix(std("TwoChoices"), `TwoChoices { N = 3, fraction = ${places} / 6${settings} }(x)`);
  test("four places: the second choice of the last token is dropped, weights are normalised after or before", () => {
    expect(two(4).picks).toEqual(choices.first.map((e, t) => [e, t === 5 ? -1 : choices.second[t]!]));
    expectWeights(two(4), after);
    const before = [...after.first.slice(0, 5), 0.942676];
    expectWeights(two(4, ", normalise_before = true"), { ...after, first: before });
  });
  test("three places: token 4 loses both, token 5 keeps its first", () => {
    const { picks, out } = two(3);
    expect(picks[4]).toEqual([-1, -1]);
    expect(picks[5]).toEqual([2, -1]);
    expect(sum(out[4]!)).toBe(0);
    expect(out[5]![2]).toBeCloseTo(1, 9);
  });
});

describe("the k best, normalised over what was kept (DeepSpeed)", () => {
  test.each([true, false])("places by probability: %s", (probs) => {
    const mechanism = router("KeptTopK", `, factor = 0.5, least = 1, probs = ${probs}`, {
      on: probs ? "gpu" : "wasm",
    });
    const { picks } = runMechanism(mechanism, ({ x, matrix }) => {
      const p = x.map((row) => softmax(times(row, matrix("w", N))));
      const wished = p.map((row) => largest(row, 2));
      const left = kept(wished, 3, (t, slot) => (probs ? p[t]![wished[t]![slot]!]! : 0));
      const total = (t: number): number => sum(left[t]!.map((e) => (e < 0 ? 0 : p[t]![e]!)));
      return {
        out: spread(left, N, (t, e) => p[t]![e]! / total(t)),
        picks: left,
        losses: { balance: balance(wished, p) },
      };
    });
    expect(picks.flat()).toContain(-1);
  });
});

describe("the surest patches first (V-MoE)", () => {
  const formula =
    (k: number, places: number, training: boolean) =>
    ({ x, matrix, draws: [u, v] }: Given): Wanted => {
      const clean = x.map((row) => times(row, matrix("w", N)));
      const normal = (i: number): number =>
        Math.sqrt(-2 * Math.log(Math.max(u![i]!, 2 ** -25))) * Math.cos(2 * Math.PI * v![i]!);
      const z = clean.map((row, t) => row.map((value, e) => value + (training ? normal(N * t + e) / N : 0)));
      const p = z.map(softmax);
      const wished = p.map((row) => largest(row, k));
      const picks = kept(wished, places, (t, slot) => Math.max(...p[t]!) - slot);
      const bars = z.map((row) => row[largest(row, k)[k - 1]!]!);
      const chances = clean.map((row, t) => row.map((value) => normalBelow((value - bars[t]!) * N)));
      const spreads = [clean.map(softmax), chances].map((rows) => squaredVariation(columnSums(rows)));
      return {
        out: spread(picks, N, (t, e) => p[t]![e]!),
        picks,
        losses: training ? { balance: (0.01 * sum(spreads)) / 2 } : {},
      };
    };
  test.each([
    [1, 4, true],
    [2, 8, true],
    [2, 8, false],
  ])("%d of 4 experts, %d places, in training: %s", (k, places, training) => {
    const mode = training ? "training" : "inference";
    const more = { length: 16, batch: 1, mode, on: k === 1 ? "gpu" : "wasm" } as const;
    runMechanism(router("Prioritised", `, k = ${k}, factor = 0.9`, more), formula(k, places, training));
  });
  test("first choices take places before second ones, however sure those are", () => {
    // Token 1 is surer, but expert 0 is its second choice.
    const { picks } = onSix(
      std("Prioritised"),
      "Prioritised { N = 3, k = 2, factor = 0.5, multiple = 1 }(x)",
      {
        length: 2,
        tensors: {
          x: [
            [1, 0.5, 0],
            [8, 9, 0],
          ],
          w: range(3).map((i) => range(3).map((j) => (i === j ? 1 : 0))),
        },
      },
    );
    expect(picks).toEqual([
      [0, -1],
      [1, -1],
    ]);
  });
});

describe("a Switch layer in an encoder", () => {
  const layer = (settings: string, more: Partial<Mechanism> = {}): Mechanism => ({
    text: "import std.capacity { SwitchFeedForward }",
    apply: `SwitchFeedForward(3, 2, ${N}${settings})(x)`,
    width: 3,
    length: 5,
    ...more,
  });
  const network = ({ tensor }: Given, e: number, row: readonly number[]): number[] => {
    const part = (name: string, columns: number): Rows =>
      range(6 / columns).map((i) =>
        tensor(`pool.${name}`).slice(6 * e + i * columns, 6 * e + (i + 1) * columns),
      );
    const hidden = times(row, part("up", 2)).map((value) => Math.max(0, value));
    return times(hidden, part("down", 3));
  };
  const formula =
    (places: number, scaled: boolean, passes: boolean) =>
    (given: Given): Wanted => {
      const { x, matrix, tensor, draws } = given;
      const p = x.map((row) => softmax(added(times(row, matrix("switchfeedforward.w", N)), tensor("bias"))));
      const wished = p.map((row) => largest(row, 1));
      const picks = kept(wished, places, (t) => draws[0]![N * t + wished[t]![0]!]!);
      const out = x.map((row, t) => {
        const e = picks[t]![0]!;
        const y = e < 0 ? row.map((value) => (passes ? value : 0)) : network(given, e, row);
        return y.map((value) => (scaled ? Math.max(...p[t]!) : 1) * value);
      });
      return { out, picks, losses: { balance: balance(wished, p) } };
    };
  test.each([true, false])("a token without a place passes: %s", (passes) => {
    const mechanism = layer(`, passes = ${passes}`, { on: passes ? "gpu" : "wasm", seed: 4 });
    const { picks } = runMechanism(mechanism, formula(2, true, passes));
    expect(picks.flat()).toContain(-1);
  });
  let still: readonly number[] | undefined;
  test("not scaled: the values of the bare experts, and the router learns all the same", () => {
    const { gradients } = runMechanism(layer(", factor = 4, scaled = false, coefficient = 0"), (given) => {
      // The divisor has no gradient: it stays what it was before anything was moved.
      const p = given.x.map((row) =>
        softmax(added(times(row, given.matrix("switchfeedforward.w", N)), given.tensor("bias"))),
      );
      still ??= p.map((row) => Math.max(...row));
      const out = p.map((row, t) =>
        network(given, largest(row, 1)[0]!, given.x[t]!).map(
          (value) => (value * Math.max(...row)) / still![t]!,
        ),
      );
      return { out, losses: { balance: 0 } };
    });
    expect(gradients["switchfeedforward.w"]!.some((value) => Math.abs(value) > 1e-3)).toBe(true);
  });
  test("with one expert and room for all it is that expert", () => {
    const one = { ...layer(""), apply: "SwitchFeedForward(3, 2, 1)(x)" };
    runMechanism(one, (given) => ({
      out: given.x.map((row) => network(given, 0, row)),
      losses: { balance: 0.01 },
    }));
  });
  test("of experts that begin as copies of one, it does not matter who answers", () => {
    const copies = (values: readonly number[]): number[] => range(N).flatMap(() => values);
    const tensors = {
      "pool.up": copies(noiseRows(1, 1, 6)[0]!),
      "pool.down": copies(noiseRows(2, 1, 6)[0]!),
    };
    const run = (seed: number): Found =>
      runMechanism(
        layer(", factor = 4, scaled = false", {
          on: "double",
          tensors: { ...tensors, x: noiseRows(3, 10, 3), "switchfeedforward.w": noiseRows(seed, 3, N) },
        }),
      );
    const [one, other] = [run(4), run(5)];
    expect(other.picks).not.toEqual(one.picks);
    expect(other.out).toEqual(one.out);
  });
});
