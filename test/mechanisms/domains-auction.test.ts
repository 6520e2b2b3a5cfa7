// Tokens shared out evenly among experts by an auction (BASE): the rounds against plain loops, the sum of affinities against the Hungarian method,
// balance after any number of rounds.

import { describe, expect, test } from "vitest";
import { runMechanism, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import { noiseRows } from "../helpers/plain-networks.ts";
import { counts, largest, range, sigmoid, spread, sum, times, type Rows } from "../helpers/plain.ts";

/** The auction, token by token: who holds what after so many rounds, and after the rest is given away. */
function auction(a: Rows, places: number, rounds: number, epsilon: number): (number | undefined)[] {
  const experts = range(a[0]!.length);
  const price = experts.map(() => 0);
  const held: ({ expert: number; bid: number } | undefined)[] = a.map(() => undefined);
  for (let round = 0; round < rounds; round++) {
    const bidders = range(a.length).filter((t) => held[t] === undefined);
    for (const t of bidders) {
      const value = a[t]!.map((each, e) => each - price[e]!);
      const [first, second] = largest(value, 2) as [number, number];
      held[t] = { expert: first, bid: price[first]! + value[first]! - value[second]! + epsilon };
    }
    for (const e of experts) {
      const bids = range(a.length).filter((t) => held[t]?.expert === e);
      const kept = largest(
        bids.map((t) => held[t]!.bid),
        places,
      ).map((i) => bids[i]!);
      if (kept.length === places) price[e] = Math.min(...kept.map((t) => held[t]!.bid));
      for (const t of bids) if (!kept.includes(t)) held[t] = undefined;
    }
  }
  const expert = held.map((each) => each?.expert);
  const room = experts.flatMap((e) =>
    new Array<number>(places - expert.filter((each) => each === e).length).fill(e),
  );
  return expert.map((e) => e ?? room.shift());
}

/** The largest sum of affinities when every expert takes so many tokens: Hungarian method with a column for each place. */
function bestSum(a: Rows, places: number): number {
  const cost = a.map((row) => row.flatMap((value) => new Array<number>(places).fill(-value)));
  const [n, m] = [cost.length, cost[0]!.length];
  const [u, v] = [new Array<number>(n + 1).fill(0), new Array<number>(m + 1).fill(0)];
  const taker = new Array<number>(m + 1).fill(0);
  for (let row = 1; row <= n; row++) {
    const least = new Array<number>(m + 1).fill(Infinity);
    const way = new Array<number>(m + 1).fill(0);
    const seen = new Set<number>();
    let column = 0;
    taker[0] = row;
    do {
      seen.add(column);
      const at = taker[column]!;
      let next = 0;
      for (let j = 1; j <= m; j++) {
        if (seen.has(j)) continue;
        const reduced = cost[at - 1]![j - 1]! - u[at]! - v[j]!;
        if (reduced < least[j]!) [least[j], way[j]] = [reduced, column];
        if (next === 0 || least[j]! < least[next]!) next = j;
      }
      const step = least[next]!;
      for (let j = 0; j <= m; j++)
        if (seen.has(j)) {
          u[taker[j]!]! += step;
          v[j]! -= step;
        } else least[j]! -= step;
      column = next;
    } while (taker[column] !== 0);
    for (; column !== 0; column = way[column]!) taker[column] = taker[way[column]!]!;
  }
  return sum(range(m).map((j) => (taker[j + 1] === 0 ? 0 : -cost[taker[j + 1]! - 1]![j]!)));
}

const router = (N: number, settings: string, more: Partial<Mechanism> = {}): Mechanism => ({
  text: "import std.assignment { Auctioned }",
  apply: `Auctioned { N = ${N}${settings} }(x)`,
  width: N,
  experts: N,
  ...more,
});
const identity = (N: number): Rows => range(N).map((i) => range(N).map((j) => (i === j ? 1 : 0)));
const total = (a: Rows, picks: readonly number[]): number => sum(picks.map((e, t) => a[t]![e]!));

describe("an auction", () => {
  const formula =
    (N: number, places: number, rounds: number, epsilon: number) =>
    ({ x, matrix }: Given): Wanted => {
      const a = x.map((row) => times(row, matrix("centroid", N)));
      const picks = auction(a, places, rounds, epsilon).map((e) => [e!]);
      return { out: spread(picks, N, (t, e) => sigmoid(a[t]![e]!)), picks, load: counts(picks, N) };
    };
  test.each([1, 2, 5])("round by round, %d of them", (rounds) => {
    runMechanism(
      router(3, `, rounds = ${rounds}, epsilon = 0.1`, { length: 6, on: rounds === 2 ? "gpu" : "wasm" }),
      formula(3, 4, rounds, 0.1),
    );
  });
  test("more places than tokens", () => {
    runMechanism(router(3, ", rounds = 3, epsilon = 0.1", { length: 5 }), formula(3, 4, 3, 0.1));
  });
  test("at inference by the affinity alone", () => {
    runMechanism(router(3, "", { mode: "inference" }), ({ x, matrix }) => {
      const a = x.map((row) => times(row, matrix("centroid", 3)));
      const picks = a.map((row) => largest(row, 1));
      return { out: spread(picks, 3, (t, e) => sigmoid(a[t]![e]!)), picks };
    });
  });
});

describe("the assignment", () => {
  const run = (N: number, x: Rows, settings: string): { picks: number[]; load: readonly number[] } => {
    const tensors = { x, centroid: identity(N) };
    const { picks, load } = runMechanism(
      router(N, settings, { batch: 1, length: x.length, on: "double", tensors }),
    );
    return { picks: picks.flat(), load };
  };
  // Whole numbers, and epsilons that sum to less than 1: whoever is left with nothing to bid for has the best assignment.
  test.each([1, 2, 3, 4])("of whole numbers is the best that there is: numbers %d", (seed) => {
    const a = noiseRows(seed, 16, 4).map((row) => row.map((value) => Math.round(4 * value)));
    const { picks, load } = run(4, a, ", rounds = 150, epsilon = 0.03125");
    expect(load).toEqual([4, 4, 4, 4]);
    expect(total(a, picks)).toBe(bestSum(a, 4));
  });
  test("of any numbers it is at most an epsilon for each token away", () => {
    const a = noiseRows(9, 24, 3);
    const { picks, load } = run(3, a, ", rounds = 100, epsilon = 0.01");
    expect(load).toEqual([8, 8, 8]);
    const best = bestSum(a, 8);
    expect(total(a, picks)).toBeLessThanOrEqual(best + 1e-9);
    expect(total(a, picks)).toBeGreaterThanOrEqual(best - 24 * 0.01);
  });
  test.each([0, 1, 4])("is balanced after %d rounds, however lopsided the batch", (rounds) => {
    const a = noiseRows(5, 60, 3).map((row) => row.map((value, e) => value + (e === 0 ? 3 : 0)));
    expect(run(3, a, `, rounds = ${rounds}`).load).toEqual([20, 20, 20]);
  });
  test("the choice has no gradient", () => {
    const { gradients } = runMechanism(
      router(3, ", rounds = 2", { on: "double", tensors: { probe: new Array<number>(18).fill(0) } }),
    );
    for (const value of gradients["auctioned.centroid"]!) expect(value).toBe(0);
  });
});
