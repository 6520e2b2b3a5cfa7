// Routers that know of groups of experts (devices, nodes, partitions), and fine-grained experts, against plain loops over their papers'
// formulas, and what must hold of them exactly.

import { describe, expect, test } from "vitest";
import { signedNumbers } from "../helpers/differential.ts";
import { runMechanism, type Found, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import {
  columnMeans,
  counts,
  dot,
  largest,
  mean,
  sigmoid,
  softmax,
  spread,
  sum,
  times,
  type Rows,
} from "../helpers/plain.ts";

const moduleOf = (name: string): string =>
  name === "DeviceLimited" || name === "Partitioned" ? "devices" : "routers";
const router = (name: string, options: string, more: Partial<Mechanism> = {}): Mechanism => ({
  text: `import std.${moduleOf(name)} { ${name} }`,
  apply: `${name} { N = 8, ${options} }(x)`,
  width: 3,
  experts: 8,
  ...more,
});
const identity = Array.from({ length: 8 }, (_, i) => Array.from({ length: 8 }, (_, j) => (i === j ? 1 : 0)));
/** A router of eight experts whose logits are the rows given. */
const onLogits = (name: string, options: string, rows: Rows, more: Mechanism["tensors"] = {}): Found =>
  runMechanism(
    router(name, options, {
      width: 8,
      batch: 1,
      length: rows.length,
      on: "double",
      tensors: { x: rows, w: identity, ...more },
    }),
  );
const noise = (seed: number, rows: number): Rows =>
  Array.from({ length: rows }, (_, i) => [...signedNumbers(seed * 100 + i, 8)].map((value) => 3 * value));
const zeros = new Array<number>(8).fill(0);

const chunks = (values: readonly number[], groups: number): Rows => {
  const size = values.length / groups;
  return Array.from({ length: groups }, (_, g) => values.slice(g * size, (g + 1) * size));
};
/** The k best of the `kept` groups whose `best` best entries have the largest sum. */
function limited(score: readonly number[], k: number, groups: number, kept: number, best: number): number[] {
  const ranks = chunks(score, groups).map((group) => sum(largest(group, best).map((i) => group[i]!)));
  const open = largest(ranks, kept);
  const size = score.length / groups;
  return largest(
    score.map((value, e) => (open.includes(Math.floor(e / size)) ? value : -Infinity)),
    k,
  );
}
const groupsOf = (picks: readonly number[], size: number): number =>
  new Set(picks.filter((e) => e >= 0).map((e) => Math.floor(e / size))).size;
/** The mean over sequences of what is computed of each one's picks and probabilities. */
const perSequence = (
  { batch, length }: Pick<Given, "batch" | "length">,
  picks: Rows,
  p: Rows,
  loss: (picks: Rows, p: Rows) => number,
): number =>
  mean(
    Array.from({ length: batch }, (_, b) =>
      loss(picks.slice(b * length, (b + 1) * length), p.slice(b * length, (b + 1) * length)),
    ),
  );

/** N / (k T) count_i of the picks. */
const shares = (picks: Rows, k: number): number[] =>
  counts(picks, 8).map((count) => (8 * count) / (k * picks.length));
const expertBalance = (k: number) => (picks: Rows, p: Rows) => dot(shares(picks, k), columnMeans(p));
const deviceBalance = (k: number, groups: number) => (picks: Rows, p: Rows) =>
  dot(chunks(shares(picks, k), groups).map(mean), chunks(columnMeans(p), groups).map(sum));
const communicationBalance = (groups: number, kept: number) => (picks: Rows, p: Rows) => {
  const reached = Array.from({ length: groups }, (_, g) => {
    const tokens = picks.filter((row) => row.some((e) => Math.floor((e * groups) / 8) === g));
    return (groups / (kept * picks.length)) * tokens.length;
  });
  return dot(reached, chunks(columnMeans(p), groups).map(sum));
};

describe("device-limited routing (V2)", () => {
  /** Per device at most its share of all picks: those of spared sequences first, then by affinity. */
  const within = (picks: Rows, s: Rows, spared: (token: number) => boolean, budget: number): Rows => {
    const rank = (t: number, e: number): number => (spared(t) ? Infinity : s[t]![e]!);
    const all = picks.flatMap((row, t) => row.map((e) => ({ t, e })));
    const kept = [0, 1, 2, 3].flatMap((g) =>
      all
        .filter(({ e }) => Math.floor(e / 2) === g)
        .sort((a, b) => rank(b.t, b.e) - rank(a.t, a.e) || 0)
        .slice(0, budget),
    );
    return picks.map((row, t) => row.map((e) => (kept.some((one) => one.t === t && one.e === e) ? e : -1)));
  };
  const formula =
    (factor: number, exempt: number) =>
    (given: Given): Wanted => {
      const { x, matrix, draws, length } = given;
      const s = x.map((row) => softmax(times(row, matrix("w", 8))));
      const wished = s.map((row) => limited(row, 3, 4, 2, 1));
      const spared = (t: number): boolean => draws[0]![Math.floor(t / length)]! < exempt;
      const budget = Math.ceil((factor * 3 * x.length) / 4);
      const picks = factor === Infinity ? wished : within(wished, s, spared, budget);
      return {
        out: spread(picks, 8, (t, e) => 16 * s[t]![e]!),
        picks,
        load: counts(picks, 8),
        losses: {
          expert_balance: 0.003 * perSequence(given, wished, s, expertBalance(3)),
          device_balance: 0.05 * perSequence(given, wished, s, deviceBalance(3, 4)),
          communication_balance: 0.02 * perSequence(given, wished, s, communicationBalance(4, 2)),
        },
      };
    };
  const options = "k = 3, groups = 4, kept = 2";
  test("groups by their best expert, three losses, each of a sequence", () => {
    const whole = router("DeviceLimited", `${options}, factor = inf`, { length: 4 });
    runMechanism(whole, formula(Infinity, 0));
  });
  test("a device drops the lowest affinities beyond its budget", () => {
    const mechanism = router("DeviceLimited", `${options}, exempt = 0`, { length: 4, on: "gpu" });
    const { picks, load } = runMechanism(mechanism, formula(1, 0));
    expect(picks.flat(), "nothing was dropped").toContain(-1);
    for (const pair of chunks(load, 4)) expect(sum(pair)).toBeLessThanOrEqual(6);
  });
  test.each([1, 2, 3])("a share of the sequences is dropped from last, numbers %d", (seed) => {
    const mechanism = router("DeviceLimited", `${options}, exempt = 0.5, factor = 0.7`, {
      batch: 4,
      length: 3,
      seed,
    });
    runMechanism(mechanism, formula(0.7, 0.5));
  });
  test("afterwards nothing is dropped", () => {
    const mechanism = router("DeviceLimited", options, { length: 4, mode: "inference" });
    runMechanism(mechanism, formula(Infinity, 0));
  });
  const tokens = noise(1, 12);
  test("a token touches at most as many groups as are kept", () => {
    const { picks } = onLogits("DeviceLimited", "k = 4, groups = 4, kept = 2, factor = inf", tokens);
    expect(picks.map((row) => groupsOf(row, 2))).toEqual(tokens.map(() => 2));
  });
  test("an even load gives each coefficient", () => {
    // Token t likes experts t and t + 4 best, of devices 0 and 2 or 1 and 3.
    const rows = [0, 1, 2, 3].map((t) => zeros.map((_, e) => (e % 4 === t ? 2 : 0)));
    const { load, losses } = onLogits("DeviceLimited", "k = 2, groups = 4, kept = 2", rows);
    expect(load).toEqual(new Array(8).fill(1));
    expect(losses["expert_balance"]).toBeCloseTo(0.003, 9);
    expect(losses["device_balance"]).toBeCloseTo(0.05, 9);
    expect(losses["communication_balance"]).toBeCloseTo(0.02, 9);
  });
  test("two experts of one device are one message", () => {
    const row = zeros.map((_, e) => (e < 2 ? 5 : 0));
    const { losses } = onLogits("DeviceLimited", "k = 2, groups = 4, kept = 2, alpha3 = 1, factor = inf", [
      row,
    ]);
    const p = softmax(row);
    expect(losses["communication_balance"]).toBeCloseTo((4 / 2) * (p[0]! + p[1]!), 9);
  });
});

describe("node-limited routing with a loss-free bias (V3)", () => {
  const formula =
    (k: number, groups: number, kept: number, best: number, rate: number, unbiased: boolean) =>
    (given: Given): Wanted => {
      const { x, matrix, tensor } = given;
      const bias = tensor("bias");
      const s = x.map((row) => times(row, matrix("w", 8)).map(sigmoid));
      const picks = s.map((row) =>
        limited(
          row.map((value, e) => value + bias[e]!),
          k,
          groups,
          kept,
          best,
        ),
      );
      const total = (t: number): number => sum(picks[t]!.map((e) => s[t]![e]!));
      const load = counts(picks, 8);
      const counted = unbiased ? s.map((row) => largest(row, k)) : picks;
      const p = s.map((row) => row.map((value) => value / sum(row)));
      return {
        out: spread(picks, 8, (t, e) => (2.5 * s[t]![e]!) / total(t)),
        picks,
        load,
        losses: { balance: 1e-4 * perSequence(given, counted, p, expertBalance(k)) },
        states: { bias: bias.map((value, e) => value + rate * Math.sign(mean(load) - load[e]!)) },
      };
    };
  test("groups by the sum of their two best", () => {
    const mechanism = router("GroupLimited", "k = 4, groups = 4, kept = 2", { length: 4, on: "gpu" });
    runMechanism(mechanism, formula(4, 4, 2, 2, 1e-3, true));
  });
  test("groups by their best, the balance of what was chosen", () => {
    const options = "k = 3, groups = 4, kept = 2, best = 1, unbiased = false";
    runMechanism(router("GroupLimited", options), formula(3, 4, 2, 1, 1e-3, false));
  });
  test("the bias rests for the last 0.5 of 14.8 trillion tokens", () => {
    const at = (step: number): Mechanism => router("GroupLimited", "k = 4, groups = 2, kept = 1", { step });
    runMechanism({ ...at(966), on: "double" }, formula(4, 2, 1, 4, 1e-3, true));
    runMechanism({ ...at(967), on: "double" }, formula(4, 2, 1, 4, 0, true));
  });

  const tokens = noise(2, 12);
  const options = "k = 4, groups = 4, kept = 2";
  const biased = (bias: readonly number[]): Found => onLogits("GroupLimited", options, tokens, { bias });
  const bias = [0.3, -0.2, 0.1, 0, -0.4, 0.2, 0, 0.25];
  test("a token touches at most as many groups as are kept", () => {
    expect(biased(bias).picks.map((row) => groupsOf(row, 2))).toEqual(tokens.map(() => 2));
  });
  test("weights sum to the scale", () => {
    biased(bias).out.forEach((row) => expect(sum(row)).toBeCloseTo(2.5, 9));
  });
  test("one number added to every bias changes nothing", () => {
    const [at, moved] = [biased(bias), biased(bias.map((value) => value + 7))];
    expect(moved.picks).toEqual(at.picks);
    expect(moved.out).toEqual(at.out);
  });
  test("the bias has no gradient: weights do not depend on it where the choice is the same", () => {
    const moved = biased(bias.map((value, e) => value + 1e-9 * e));
    expect(moved.picks).toEqual(biased(bias).picks);
    expect(moved.out).toEqual(biased(bias).out);
  });
  test("experts of other groups are shut, also where biased scores are negative", () => {
    const { picks } = biased(bias.map((value) => value - 20));
    expect(picks).toEqual(biased(bias).picks);
  });
});

describe("the same number from every group", () => {
  test.each([false, true])("weights times a learned factor: %s", (gain) => {
    const options = `groups = 4, picks = 1, gain = ${gain}`;
    runMechanism(router("Grouped", options, { on: gain ? "gpu" : "wasm" }), ({ x, matrix, tensor }) => {
      const p = x.map((row) => softmax(times(row, matrix("w", 8))));
      const picks = p.map((row) => chunks(row, 4).map((group, g) => 2 * g + largest(group, 1)[0]!));
      return {
        out: spread(picks, 8, (t, e) => p[t]![e]! * (gain ? tensor("factor")[e]! : 1)),
        picks,
        load: counts(picks, 8),
        losses: { balance: 0.01 * dot(shares(picks, 4), columnMeans(p)) },
      };
    });
  });
  const tokens = noise(3, 11);
  test("every token takes exactly as many of each group, so groups are equally loaded", () => {
    const { picks, load } = onLogits("Grouped", "groups = 4, picks = 1", tokens);
    for (const row of picks) expect(row.map((e) => Math.floor(e / 2)).sort()).toEqual([0, 1, 2, 3]);
    expect(chunks(load, 4).map(sum)).toEqual([11, 11, 11, 11]);
  });
  test("one group is the best of all", () => {
    const at = (name: string, options: string): Found => onLogits(name, options, tokens);
    const best = at("TopK", "k = 3, renormalise = false");
    const grouped = at("Grouped", "groups = 1, picks = 3");
    expect(grouped.picks).toEqual(best.picks);
    expect(grouped.out).toEqual(best.out);
  });
});

describe("balances of groups and partitions", () => {
  /** S sum_i f_i P_i of each part, over the tokens whose best expert is in it, or over all. */
  const partBalance = (p: Rows, parts: number, routed: boolean): number[] =>
    Array.from({ length: parts }, (_, part) => {
      const size = 8 / parts;
      const first = p.map((row) => largest(row, 1)[0]!);
      const mine = p.filter((_, t) => !routed || Math.floor(first[t]! / size) === part);
      return (
        size *
        sum(
          Array.from({ length: size }, (_, i) => {
            const e = part * size + i;
            if (mine.length === 0) return 0;
            return (
              (first.filter((each) => each === e).length / mine.length) * mean(mine.map((row) => row[e]!))
            );
          }),
        )
      );
    });
  test.each([
    [true, false, true],
    [false, true, false],
  ])("tokens of the part only: %s; summed: %s; renormalised: %s", (routed, summed, renormalise) => {
    const options = `groups = 2, partitions = 2, a_ST = 0.3, a_EP = 0.5, a_PEP = 0.7, routed = ${routed}, summed = ${summed}, renormalise = ${renormalise}`;
    const mechanism = router("Partitioned", options, { length: 5, on: routed ? "gpu" : "wasm" });
    runMechanism(mechanism, ({ x, matrix }) => {
      const p = x.map((row) => softmax(times(row, matrix("w", 8))));
      const picks = p.map((row) => largest(row, 2));
      const total = (t: number): number => (renormalise ? sum(picks[t]!.map((e) => p[t]![e]!)) : 1);
      const all = (parts: number): number => (summed ? sum : mean)(partBalance(p, parts, routed));
      return {
        out: spread(picks, 8, (t, e) => p[t]![e]! / total(t)),
        picks,
        load: counts(picks, 8),
        losses: { st: 0.3 * all(1), ep: 0.5 * all(2), pep: 0.7 * all(4) },
      };
    });
  });
  const one = "groups = 1, partitions = 1";
  test("with one group and one partition the three are one, up to their coefficients", () => {
    const { losses } = onLogits("Partitioned", one, noise(4, 9));
    expect(losses["st"]! / 1e-6).toBeCloseTo(losses["ep"]! / 1e-4, 9);
    expect(losses["st"]! / 1e-6).toBeCloseTo(losses["pep"]! / 1e-3, 9);
  });
  test("balanced, each is its coefficient", () => {
    const rows = zeros.map((_, t) => zeros.map((_, e) => (e === t ? 1 : 0)));
    const { losses } = onLogits("Partitioned", one, rows);
    expect(losses["st"]! / 1e-6).toBeCloseTo(1, 9);
    expect(losses["ep"]! / 1e-4).toBeCloseTo(1, 9);
    expect(losses["pep"]! / 1e-3).toBeCloseTo(1, 9);
  });
});
