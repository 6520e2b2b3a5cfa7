// Tokens shared out evenly among experts (BASE, by Sinkhorn's rounds), and the gate by direction as X-MoE released it, against plain loops; the best of
// all balanced assignments by trying them all.

import { describe, expect, test } from "vitest";
import { runMechanism, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import { noiseRows } from "../helpers/plain-networks.ts";
import {
  added,
  columnMeans,
  columnOf,
  counts,
  dot,
  largest,
  logsumexp,
  mean,
  range,
  rowsOf,
  sigmoid,
  softmax,
  spread,
  sum,
  times,
  unit,
  type Rows,
} from "../helpers/plain.ts";

/** Columns, then rows of exp(a / temperature) divided by their sums, so many times, as logarithms. */
function sinkhorn(a: Rows, temperature: number, rounds: number): Rows {
  let plan: Rows = a.map((row) => row.map((value) => value / temperature));
  for (const _ of range(rounds)) {
    const columns = plan[0]!.map((__, e) => logsumexp(columnOf(plan, e)));
    plan = plan.map((row) => row.map((value, e) => value - columns[e]!));
    plan = plan.map((row) => row.map((value) => value - logsumexp(row)));
  }
  return plan;
}
/** Every way to give each of n experts the same number of tokens. */
function* balanced(tokens: number, n: number, taken: readonly number[] = []): Generator<readonly number[]> {
  if (taken.length === tokens) yield taken;
  else
    for (const e of range(n))
      if (taken.filter((each) => each === e).length < tokens / n) yield* balanced(tokens, n, [...taken, e]);
}

describe("tokens shared out evenly (BASE)", () => {
  const N = 3;
  const router = (settings: string, more: Partial<Mechanism> = {}): Mechanism => ({
    text: "import std.assignment { Assigned }",
    apply: `Assigned { N = ${N}${settings} }(x)`,
    width: 3,
    experts: N,
    ...more,
  });
  const formula =
    (plan: (a: Rows) => Rows) =>
    ({ x, matrix }: Given): Wanted => {
      const a = x.map((row) => times(row, matrix("centroid", N)));
      const picks = plan(a).map((row) => largest(row, 1));
      return { out: spread(picks, N, (t, e) => sigmoid(a[t]![e]!)), picks, load: counts(picks, N) };
    };
  test("in training by rounds", () => {
    runMechanism(
      router(", rounds = 3, temperature = 0.5", { on: "gpu" }),
      formula((a) => sinkhorn(a, 0.5, 3)),
    );
  });
  test("at inference by the affinity alone", () => {
    runMechanism(
      router("", { mode: "inference" }),
      formula((a) => a),
    );
  });
  const identity = range(N).map((i) => range(N).map((j) => (i === j ? 1 : 0)));
  test.each([1, 2, 3, 4])(
    "cold and long enough, it is the best of all 90 balanced assignments: numbers %d",
    (seed) => {
      const x = noiseRows(seed, 6, N);
      const all = [...balanced(6, N)];
      expect(all.length).toBe(90);
      const total = (picks: readonly number[]): number => sum(picks.map((e, t) => x[t]![e]!));
      const best = all.reduce((a, b) => (total(b) > total(a) ? b : a));
      const { picks, load } = runMechanism(
        router(", rounds = 200, temperature = 0.01", {
          batch: 1,
          length: 6,
          on: "double",
          tensors: { x, centroid: identity },
        }),
      );
      expect(load).toEqual([2, 2, 2]);
      expect(picks.flat()).toEqual(best);
    },
  );
  test("with the rounds and the temperature of the library a lopsided batch is nearly even, at inference it is not", () => {
    const x = noiseRows(5, 120, N).map((row) => row.map((value, e) => value + (e === 0 ? 1 : 0)));
    const load = (mode: "training" | "inference"): readonly number[] =>
      runMechanism(
        router("", { mode, batch: 1, length: 120, on: "double", tensors: { x, centroid: identity } }),
      ).load;
    for (const count of load("training")) expect(Math.abs(count - 40)).toBeLessThanOrEqual(6);
    expect(load("inference")[0]).toBeGreaterThan(80);
  });
  test("the choice has no gradient, the weight has", () => {
    const { gradients } = runMechanism(
      router(", rounds = 2", { on: "double", tensors: { probe: new Array<number>(18).fill(0) } }),
    );
    for (const value of gradients["assigned.centroid"]!) expect(value).toBe(0);
  });
});

describe("a layer of balanced experts", () => {
  test("s E(x) + (1 - s) x, with experts that add to what they are given", () => {
    const mechanism: Mechanism = {
      text: `import std.assignment { Assigned, AssignedLayer }`,
      apply: "AssignedLayer(3, 2, 2, Router = Assigned { rounds = 3, temperature = 0.5 })(x)",
      width: 3,
      on: "gpu",
    };
    runMechanism(mechanism, ({ x, matrix, tensor }) => {
      const part = (name: string, e: number, columns: number): Rows =>
        rowsOf(tensor(`pool.${name}`).slice(6 * e, 6 * e + 6), columns);
      const a = x.map((row) => times(row, matrix("centroid", 2)));
      const picks = sinkhorn(a, 0.5, 3).map((row) => largest(row, 1)[0]!);
      const out = x.map((row, t) => {
        const e = picks[t]!;
        const centred = row.map((value) => value - mean(row));
        const deviation = Math.sqrt(mean(centred.map((value) => value * value)) + 1e-5);
        const normed = centred.map(
          (value, d) =>
            (value / deviation) * tensor("layernorm.gain")[3 * e + d]! + tensor("layernorm.bias")[3 * e + d]!,
        );
        const hidden = times(normed, part("relu.up", e, 2)).map((value) => Math.max(0, value));
        const said = added(row, times(hidden, part("relu.down", e, 3)));
        const s = sigmoid(a[t]![e]!);
        return said.map((value, d) => s * value + (1 - s) * row[d]!);
      });
      return { out };
    });
  });
});

describe("a gate by direction times a scale (Tutel)", () => {
  const run = (factor: number): Rows =>
    runMechanism({
      text: "import std.routers { ScaledCosine }",
      apply: `ScaledCosine { N = 3, R = 3, k = 2, factor = ${factor} }(x)`,
      width: 3,
      experts: 3,
      batch: 1,
      length: 3,
      mode: "inference",
      tensors: {
        x: [
          [1, 0.98, 0.96],
          [1, 1.01, 0],
          [1, 1.02, 0],
        ],
        project: [1, 0, 0, 0, 1, 0, 0, 0, 1],
        project_bias: [0, 0, 0],
        expert_point: [1, 0, 0, 0, 1, 0, 0, 0, 1],
        scale: [2],
      },
    }).picks;
  test("an unsure first choice takes its place before a sure second one, then the surest token", () => {
    expect(run(1)).toEqual([
      [0, -1],
      [1, -1],
      [1, 0],
    ]);
  });
  test("a factor of 0 leaves room for all", () => {
    expect(run(0)).toEqual([
      [0, 1],
      [1, 0],
      [1, 0],
    ]);
  });
});

describe("a gate by direction as it was released (X-MoE)", () => {
  const mechanism = (settings = "", more: Partial<Mechanism> = {}): Mechanism => ({
    text: "import std.routers { Cosine }",
    apply: `Cosine { N = 4, R = 2, of_length = true${settings} }(x)`,
    width: 3,
    experts: 4,
    ...more,
  });
  test("the token keeps its length, and there is no temperature", () => {
    runMechanism(mechanism("", { on: "gpu" }), ({ x, matrix }) => {
      const points = matrix("expert_point", 4);
      const z = x.map((row) => {
        const u = times(row, matrix("project", 2));
        return range(4).map((e) => dot(u, unit(columnOf(points, e), 1e-12)));
      });
      const p = z.map(softmax);
      const picks = p.map((row) => largest(row, 1));
      const f = counts(picks, 4).map((count) => count / picks.length);
      return {
        out: spread(picks, 4, (t, e) => p[t]![e]!),
        picks,
        losses: { balance: 0.01 * 4 * dot(f, columnMeans(p)) },
      };
    });
  });
  test("the length of an expert's point does not matter: 1.5 or any other", () => {
    const points = noiseRows(3, 2, 4);
    const run = (by: number): Rows =>
      runMechanism(
        mechanism("", {
          on: "double",
          tensors: { expert_point: points.map((row) => row.map((value) => by * value)) },
        }),
      ).out;
    const [a, b] = [run(1), run(1.5)];
    a.flat().forEach((value, i) => expect(b.flat()[i]!).toBeCloseTo(value, 6));
  });
});

test("experts of two models side by side: with the columns of both gates twice, a softmax over all halves every weight", () => {
  const w = noiseRows(4, 3, 2);
  const weights = (columns: Rows): Rows =>
    runMechanism({
      text: "import std.routers { TopK }",
      apply: `TopK { N = ${columns[0]!.length}, k = 1, renormalise = false }(x)`,
      width: 3,
      experts: columns[0]!.length,
      on: "double",
      tensors: { w: columns },
    }).out;
  const [one, two] = [weights(w), weights(w.map((row) => [...row, ...row]))];
  one.forEach((row, t) => row.forEach((value, e) => expect(two[t]![e]!).toBeCloseTo(value / 2, 12)));
});
