// As many experts as a token needs, null and shared ones in one softmax, and the estimated gradient of a sampled choice, against plain loops.

import { describe, expect, test } from "vitest";
import { runMechanism, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import {
  columnMeans,
  counts,
  dot,
  largest,
  range,
  softmax,
  sum,
  times,
  type Rows,
} from "../helpers/plain.ts";
import { gated } from "../helpers/plain-networks.ts";
import { kept } from "../helpers/plain-places.ts";

const [N, nulls, S] = [3, 1, 2];
const E = N + nulls;

interface Choice {
  readonly picks: Rows;
  /** Of routed and null experts, 0 where not chosen. */
  readonly weight: Rows;
  readonly shared: Rows;
  readonly balance: number;
}
/** The best until their probabilities reach the threshold; `order` says what is best. */
function choose(z: Rows, zShared: Rows, threshold: number, order = z): Choice {
  const picks = z.map((row, t) => {
    const p = softmax(row);
    const taken: number[] = [];
    for (const e of largest(order[t]!, row.length)) {
      if (taken.length > 0 && sum(taken.map((each) => p[each]!)) >= threshold) break;
      taken.push(e);
    }
    return taken;
  });
  const both = z.map((row, t) => softmax([...picks[t]!.map((e) => row[e]!), ...zShared[t]!]));
  const weight = z.map((row, t) => row.map((_, e) => both[t]![picks[t]!.indexOf(e)] ?? 0));
  const among = z.map((row, t) => {
    const share = softmax(picks[t]!.map((e) => row[e]!));
    return row.map((_, e) => share[picks[t]!.indexOf(e)] ?? 0);
  });
  const f = counts(picks, z[0]!.length).map((count) => count / z.length);
  return {
    picks,
    weight,
    shared: zShared.map((row, t) => row.map((_, s) => both[t]![picks[t]!.length + s]!)),
    balance: 0.025 * z[0]!.length * dot(f, columnMeans(among)),
  };
}
const padded = (picks: Rows): Rows =>
  picks.map((row) => [...row, ...new Array<number>(E - row.length).fill(-1)]);
const gumbels = (u: readonly number[]): number[] => u.map((value) => -Math.log(-Math.log(value)));
const disturbed = (z: Rows, noise: readonly number[]): Rows =>
  z.map((row, t) => row.map((value, e) => value + noise[row.length * t + e]!));

const head = "import std.dynamic { DynamicCapacity, SharedMass }";
/** A router of tokens [z; shared]. */
const probe = (statics: string): Mechanism => ({
  text: `import std.dynamic { SharedMass }
function First(D)(x: [D]) -> [4] {
  here[i: 4] = int(i)
  x[here]
}
function Last(D)(x: [D]) -> [2] {
  here[i: 2] = int(i + 4)
  x[here]
}`,
  apply: `SharedMass { ${statics} }(First(x), Last(x))`,
  width: 6,
  experts: E,
});

describe("until the mass is reached", () => {
  const formula =
    (threshold: number, sample: boolean) =>
    ({ x, draws }: Given): Wanted => {
      const z = x.map((row) => row.slice(0, E));
      const order = sample ? disturbed(z, gumbels(draws[0]!)) : z;
      const { picks, weight, balance } = choose(
        z,
        x.map((row) => row.slice(E)),
        threshold,
        order,
      );
      return { out: weight, picks: padded(picks), load: counts(picks, E), losses: { balance } };
    };
  test.each([0.3, 0.7, 0.95])("threshold %d", (threshold) => {
    const mechanism = probe(`threshold = ${threshold}`);
    runMechanism({ ...mechanism, on: threshold === 0.7 ? "gpu" : "wasm" }, formula(threshold, false));
  });
  test("tokens of more worth count for more in the balance, and nowhere else", () => {
    // A token is worth ten where its first logit is positive.
    const worth = (row: readonly number[]): number => (row[0]! > 0 ? 10 : 1);
    const weighed = (router: string): Mechanism => ({
      ...probe(""),
      text: `${probe("").text.replace("SharedMass", router)}
function Worth(D)(x: [D]) -> [] {
  if x[0] > 0 then 10 else 1
}`,
      apply: `${router}(First(x), Last(x), Worth(x))`,
    });
    const { losses } = runMechanism({ ...weighed("SharedMass"), on: "gpu" }, ({ x }) => {
      const z = x.map((row) => row.slice(0, E));
      const { picks, weight } = choose(
        z,
        x.map((row) => row.slice(E)),
        0.7,
      );
      const all = sum(x.map(worth));
      const weigh = (of: (t: number, e: number) => number): number[] =>
        range(E).map((e) => sum(x.map((row, t) => worth(row) * of(t, e))) / all);
      const f = weigh((t, e) => (picks[t]!.includes(e) ? 1 : 0));
      const P = weigh((t, e) => softmax(picks[t]!.map((pick) => z[t]![pick]!))[picks[t]!.indexOf(e)] ?? 0);
      return { out: weight, losses: { balance: 0.025 * E * dot(f, P) } };
    });
    expect(runMechanism({ ...weighed("NearTies"), on: "double" }).losses["balance"]).toBe(losses["balance"]);
    expect(runMechanism({ ...probe(""), on: "double" }).losses["balance"]).not.toBeCloseTo(
      losses["balance"]!,
      4,
    );
  });
  test("drawn by the probabilities, one after the other", () => {
    const sampled = new Set<string>();
    for (const seed of [1, 2, 3]) {
      const mechanism = { ...probe("sample = true"), seed: 1, tensors: {} };
      const { picks } = runMechanism({ ...mechanism, seed }, formula(0.7, true));
      sampled.add(JSON.stringify(picks));
    }
    expect(sampled.size).toBe(3);
    runMechanism({ ...probe("sample = true"), mode: "inference" }, formula(0.7, false));
  });
  test.each([true, false])("two places for each expert, by logit: %s; weights over what is left", (probs) => {
    const mechanism = probe(`threshold = 0.9, factor = 1, least = 1, probs = ${probs}`);
    const { picks } = runMechanism({ ...mechanism, on: probs ? "gpu" : "wasm" }, ({ x }) => {
      const z = x.map((row) => row.slice(0, E));
      const zShared = x.map((row) => row.slice(E));
      const { picks: wished, balance } = choose(z, zShared, 0.9);
      const left = kept(wished, 2, (t, slot) => (probs ? z[t]![wished[t]![slot]!]! : 0));
      const out = z.map((row, t) => {
        const here = left[t]!.filter((e) => e >= 0);
        const shares = softmax([...here.map((e) => row[e]!), ...zShared[t]!]);
        return row.map((_, e) => (here.includes(e) ? shares[here.indexOf(e)]! : 0));
      });
      return { out, picks: padded(left), load: counts(left, E), losses: { balance } };
    });
    expect(picks.flat().filter((e) => e >= 0).length, "some are dropped").toBeLessThanOrEqual(8);
  });
  test.each([0.01, 0.4])(
    "weights of the released code, one expert after the other, ties within %d",
    (jitter) => {
      const text = probe("").text.replace("SharedMass", "NearTies");
      const apply = `NearTies { jitter = ${jitter} }(First(x), Last(x))`;
      // Logits of which some lie near each other, and two of shared experts.
      const x = [
        [1, 0.995, 0.23, -1, 0.3, 0],
        [0.5, 0.4993, -2, 1.2, -0.1, 0.4],
        [0, 0.03, 0.1, -0.07, 1, 1],
        [2, 1.4, 1, 0.9, 0, 0],
        [-1, -1.01, -3, -2, 0, 1],
        [0.7, 0.12, 0.69, 0.5, 0, 0],
      ];
      const tensors = { x };
      runMechanism({ ...probe(""), text, apply, tensors, on: "gpu" }, ({ x }) => {
        const z = x.map((row) => row.slice(0, E));
        const zShared = x.map((row) => row.slice(E));
        const { picks, weight, balance } = choose(z, zShared, 0.7);
        const out = z.map((row, t) => {
          let rest = range(E);
          const own = picks[t]!.map((e) => {
            const best = row[e]!;
            const rivals = rest.filter(
              (j) =>
                (best - row[j]!) / Math.max(Math.abs(best), Math.abs(row[j]!)) <= 2 * jitter ||
                row[j] === best,
            );
            rest = rest.filter((j) => j !== e);
            return softmax(rivals.map((j) => row[j]!))[rivals.indexOf(e)]!;
          });
          return row.map((_, e) => {
            const at = picks[t]!.indexOf(e);
            return at < 0 ? 0 : (own[at]! / sum(own)) * sum(weight[t]!);
          });
        });
        return { out, picks: padded(picks), losses: { balance } };
      });
    },
  );
  test("without near ties the released code weighs all chosen experts alike", () => {
    const text = probe("").text.replace("SharedMass", "NearTies");
    const x = [2, 1, 0, -1, -9, -9];
    const { out } = runMechanism({
      ...probe(""),
      text,
      apply: "NearTies { threshold = 0.8 }(First(x), Last(x))",
      batch: 1,
      length: 1,
      tensors: { x },
      on: "double",
    });
    expect(out[0]![0]).toBeCloseTo(0.5, 4);
    expect(out[0]![1]).toBeCloseTo(out[0]![0]!, 12);
  });
  test("a mass that floats cannot reach takes every expert, once", () => {
    const { picks } = runMechanism({ ...probe("threshold = 1.5"), on: "wasm" });
    for (const row of picks) expect([...row].sort()).toEqual([0, 1, 2, 3]);
  });
});

describe("routed, null and shared experts in one softmax", () => {
  const layer = (more = ""): Mechanism => ({
    text: head,
    apply: `DynamicCapacity(4, 4, N = 3${more})(x)`,
    width: 4,
  });
  const parts = (given: Given): { readonly z: Rows; readonly zShared: Rows } => ({
    z: given.x.map((row) => times(row, given.matrix("dynamiccapacity.w", E))),
    zShared: given.x.map((row) => times(row, given.matrix("w_shared", S))),
  });
  /** `out` of o = w E(x): forward m o, backward gain o, where a formula with that value and that gradient is wanted. */
  const whole = (
    given: Given,
    { weight, shared }: Choice,
    routed: (token: number, expert: number, o: readonly number[]) => readonly number[],
  ): Rows =>
    given.x.map((row, t) => {
      const y = [0, 0, 0, 0];
      const add = (values: readonly number[]): void => values.forEach((value, d) => (y[d]! += value));
      for (let e = 0; e < N; e++)
        if (weight[t]![e]! > 0)
          add(
            routed(
              t,
              e,
              gated(given, "pool", 4, e)(row).map((value) => weight[t]![e]! * value),
            ),
          );
      for (let s = 0; s < S; s++)
        add(gated(given, `common.${s}`, 2)(row).map((value) => shared[t]![s]! * value));
      return y;
    });
  test.each([0.5, 0.7])("threshold %d", (threshold) => {
    const mechanism = layer(`, Router = SharedMass { threshold = ${threshold} }`);
    runMechanism({ ...mechanism, on: threshold === 0.5 ? "gpu" : "wasm" }, (given) => {
      const { z, zShared } = parts(given);
      const made = choose(z, zShared, threshold);
      return { out: whole(given, made, (_, __, o) => o), losses: { balance: made.balance } };
    });
  });
  test("weights of what was chosen, null experts too, and of shared experts sum to 1", () => {
    const mechanism = probe("threshold = 0.7");
    runMechanism(mechanism, ({ x }) => {
      const made = choose(
        x.map((row) => row.slice(0, E)),
        x.map((row) => row.slice(E)),
        0.7,
      );
      made.weight.forEach((row, t) => expect(sum([...row, ...made.shared[t]!])).toBeCloseTo(1, 12));
      return { out: made.weight, losses: { balance: made.balance } };
    });
  });
  test("where every routed and shared expert says 1, a token gets what the null ones leave of 1", () => {
    const text = `${head}
expert One(D, H)(x: [D]) -> [D] {
  param gain: [D]
  1 + 0 * gain * x
}`;
    const apply = "DynamicCapacity(4, 4, N = 3, Ffn = One)(x)";
    const lost = new Set<boolean>();
    runMechanism({ text, apply, width: 4, length: 6 }, (given) => {
      const { z, zShared } = parts(given);
      const made = choose(z, zShared, 0.7);
      made.picks.forEach((row) => lost.add(row.includes(N)));
      const out = given.x.map((row, t) => row.map(() => 1 - made.weight[t]![N]!));
      return { out, losses: { balance: made.balance } };
    });
    expect(lost).toEqual(new Set([true, false]));
  });
  test("a token that takes null experts only gets the shared ones only", () => {
    // The null expert is the last of four, and all tokens are alike.
    const x = new Array<number[]>(6).fill([1, 0, 0, 0]);
    const w = [0, 0, 0, 9, ...new Array<number>(12).fill(0)];
    const mechanism = { ...layer(), tensors: { x, "dynamiccapacity.w": w } };
    const { load } = runMechanism({ ...mechanism, on: "double" }, (given) => {
      const { z, zShared } = parts(given);
      const made = choose(z, zShared, 0.7);
      const shared = made.shared.map((row, t) => {
        const all = softmax([z[t]![3]!, ...zShared[t]!]);
        row.forEach((value, s) => expect(value).toBeCloseTo(all[1 + s]!, 12));
        return row;
      });
      return {
        out: given.x.map((row, t) =>
          row.map((_, d) =>
            sum(shared[t]!.map((share, s) => share * gated(given, `common.${s}`, 2)(row)[d]!)),
          ),
        ),
        losses: { balance: made.balance },
      };
    });
    expect(load).toEqual([0, 0, 0, 6]);
  });

  describe("the estimated gradient", () => {
    // Forward m o, backward gain o: m o at the point, plus gain times the change of o since then.
    const formula = (chance: number, gain: number): ((given: Given) => Wanted) => {
      const before = new Map<string, readonly number[]>();
      return (given) => {
        const { z, zShared } = parts(given);
        const made = choose(z, zShared, 0.7);
        const out = whole(given, made, (t, e, o) => {
          const key = `${t} ${e}`;
          if (!before.has(key)) before.set(key, o);
          const best = largest(z[t]!, 1)[0] === e;
          const m = best || given.draws[0]![E * t + e]! < chance ? 1 : 1 / 3;
          const then = before.get(key)!;
          return o.map((value, d) => m * then[d]! + gain * (value - then[d]!));
        });
        return { out, losses: { balance: made.balance } };
      };
    };
    test.each([
      [5 / 8, 2],
      [1 / 4, 1],
    ])("chance %d, gain %d", (chance, gain) => {
      const mechanism = layer(`, estimate = true, chance = ${chance}, gain = ${gain}`);
      runMechanism({ ...mechanism, on: gain === 2 ? "gpu" : "wasm" }, formula(chance, gain));
    });
    test("the best expert alone: forward it is o, backward it is 2 o", () => {
      const best = (more: string): Mechanism => layer(`, Router = SharedMass { threshold = 1e-6 }${more}`);
      const plain = runMechanism({ ...best(""), on: "double" }).out;
      expect(runMechanism({ ...best(", estimate = true, chance = 0"), on: "double" }).out).toEqual(plain);
      const before = new Map<string, readonly number[]>();
      runMechanism(best(", estimate = true, chance = 0"), (given) => {
        const { z, zShared } = parts(given);
        const made = choose(z, zShared, 1e-6);
        const out = whole(given, made, (t, e, o) => {
          if (!before.has(`${t} ${e}`)) before.set(`${t} ${e}`, o);
          return o.map((value, d) => 2 * value - before.get(`${t} ${e}`)![d]!);
        });
        return { out, losses: { balance: made.balance } };
      });
    });
    test("at inference nothing is drawn", () => {
      const at = (more: string): Rows =>
        runMechanism({ ...layer(more), mode: "inference", on: "double" }).out;
      expect(at(", estimate = true")).toEqual(at(""));
    });
  });
});
