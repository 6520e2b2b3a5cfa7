// Routers without a fixed number of experts per token, against plain loops over their papers' formulas, and what must hold of them exactly:
// positive scores with losses over neighbouring tokens, a mass of probability, from dense to sparse.

import { describe, expect, test } from "vitest";
import { buildText } from "../helpers/elaborate.ts";
import { runMechanism, type Found, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import {
  columnMeans,
  counts,
  dot,
  largest,
  mean,
  sigmoid,
  softmax,
  softplus,
  spread,
  sum,
  times,
  type Rows,
} from "../helpers/plain.ts";

const relu = (x: number): number => Math.max(0, x);
const moduleOf = (name: string): string =>
  name === "ReluRouter" || name === "TopP" ? "routers" : "sparsity";
const router = (name: string, apply: string, more: Partial<Mechanism> = {}): Mechanism => ({
  text: `import std.${moduleOf(name)} { ${name} }`,
  apply,
  width: 3,
  experts: 4,
  ...more,
});
const identity = [
  [1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
  [0, 0, 0, 1],
];
/** A router of four experts whose logits are the rows given. */
const onLogits = (name: string, apply: string, rows: Rows, more: Partial<Mechanism> = {}): Found =>
  runMechanism(
    router(name, apply, {
      width: 4,
      batch: 1,
      length: rows.length,
      mode: "inference",
      on: "double",
      tensors: { x: rows, w: identity },
      ...more,
    }),
  );
const sizes = (picks: Rows): number[] => picks.map((row) => row.filter((e) => e >= 0).length);

/** Binary cross-entropy of a logit, in the form that does not overflow. */
const cross = (a: number, target: number): number => softplus(-Math.abs(a)) + relu(a) - target * a;

describe("positive scores (BlockFFN)", () => {
  const formula =
    (loss: (z: Rows, raw: Rows, given: Given) => Wanted["losses"]) =>
    (given: Given): Wanted => {
      const { x, matrix, tensor } = given;
      const z = x.map((row) => times(row, matrix("w", 4)));
      const raw = z.map((row) => row.map(relu));
      const out = raw.map((row) => {
        const size = Math.sqrt(mean(row.map((value) => value ** 2)) + 1e-6);
        return row.map((value, e) => (value / size) * tensor("gain")[e]!);
      });
      const picks = raw.map((row) => row.map((value, e) => (value > 0 ? e : -1)));
      return { out, picks, load: counts(picks, 4), losses: loss(z, raw, given) ?? {} };
    };
  /** Means over pairs of neighbours, and over chunks of L tokens, within documents that are so long, one after the other; or in sequences. */
  const losses =
    (L: number, alpha: number, documents?: readonly number[]) =>
    (z: Rows, raw: Rows, { batch, length, tensor }: Given): Wanted["losses"] => {
      const pairs: number[] = [];
      const unions: number[] = [];
      let end = 0;
      for (const size of documents ?? new Array<number>(batch).fill(length)) {
        const first = end;
        end += size;
        for (let t = first + 1; t < end; t++)
          z[t]!.forEach((value, e) => pairs.push(cross(alpha * z[t - 1]![e]!, sigmoid(alpha * value))));
        for (let chunk = first; chunk + L <= end; chunk += L)
          for (let e = 0; e < 4; e++) {
            const missing = raw
              .slice(chunk, chunk + L)
              .map((row) => 1 - row[e]! / Math.max(sum(row), 1e-12) + 1e-5);
            unions.push(1 - missing.reduce((a, b) => a * b));
          }
      }
      const [from, to] = [tensor("from")[0]!, tensor("to")[0]!];
      // Step 3 of a window of 10.
      return { locality: 2e-3 * mean(pairs), union: (from + 0.3 * (to - from)) * mean(unions) };
    };

  test("alone", () => {
    runMechanism(
      router("ReluRouter", "ReluRouter { N = 4 }(x)", { on: "gpu" }),
      formula(() => ({})),
    );
  });
  test("with losses that make neighbours alike", () => {
    const apply = "ChunkSparse { N = 4, L = 3, alpha = 2, every = 10 }(x)";
    const mechanism = router("ChunkSparse", apply, { length: 7, step: 3, on: "gpu" });
    const { out } = runMechanism(mechanism, formula(losses(3, 2)));
    expect(out.flat(), "everyone was taken").toContain(0);
  });
  test("with losses that stop where a document does", () => {
    const start =
      "if text < 4 then 0 else if text < 9 then 4 else if text < 10 then 9 else if text < 17 then 10 else 17";
    const apply = `ChunkSparseWithin { N = 4, L = 3, alpha = 2, every = 10 }(x, text - (${start}))`;
    const mechanism = router("ChunkSparseWithin", apply, { length: 9, step: 3, on: "gpu" });
    runMechanism(mechanism, formula(losses(3, 2, [4, 5, 1, 7, 1])));
  });
  test("of two layers, half as strong each", () => {
    const apply = "ChunkSparse { N = 4, L = 3, alpha = 2, every = 10, layers = 2 }(x)";
    const halved = (z: Rows, raw: Rows, given: Given): Wanted["losses"] => {
      const { locality, union } = losses(3, 2)(z, raw, given)!;
      return { locality: locality! / 2, union: union! };
    };
    runMechanism(router("ChunkSparse", apply, { length: 7, step: 3 }), formula(halved));
    const { built } = buildText(`import std.sparsity { ChunkSparse }
model M {
  modality text = tokens(vocab = 8)
  param table: [8, 3]
  x = table[text]
  g = ${apply}
  logits = g.weight
  loss logits
}`);
    // The factor of the other loss is state, and begins at half as much.
    const from = built.tensors.find(({ name }) => name.endsWith(".from"))!;
    expect(from.init).toMatchObject({ value: 5e-2 / 2 });
  });
  test("at inference there are no losses", () => {
    const apply = "ChunkSparse { N = 4, L = 3 }(x)";
    const none = formula(() => ({}));
    runMechanism(router("ChunkSparse", apply, { length: 7, mode: "inference" }), none);
  });
  test("sharp scores saturate and stay finite", () => {
    const rows = [
      [30, -30, 2, -2],
      [-30, 30, 2, 2],
      [0, 0, 0, 0],
    ];
    const { losses: found } = onLogits(
      "ChunkSparse",
      "ChunkSparse { N = 4, L = 3, lambda_al = 1 }(x)",
      rows,
      {
        mode: "training",
        tensors: { x: rows, w: identity, from: [1], to: [1] },
      },
    );
    const pairs = [1, 2].flatMap((t) =>
      rows[t]!.map((value, e) => cross(100 * rows[t - 1]![e]!, sigmoid(100 * value))),
    );
    expect(found["locality"]).toBeCloseTo(mean(pairs), 6);
  });

  const rows = [
    [0.3, -1, 2, 0.5],
    [1.5, 0.2, -0.4, 1],
  ];
  test("scores times a positive number choose and weigh the same, up to the epsilon", () => {
    const at = (scale: number): Found =>
      onLogits("ReluRouter", "ReluRouter { N = 4 }(x)", rows, {
        tensors: { x: rows, w: identity.map((row) => row.map((value) => value * scale)) },
      });
    expect(at(64).picks).toEqual(at(1).picks);
    at(64).out.forEach((row, t) =>
      row.forEach((value, e) => expect(value).toBeCloseTo(at(1).out[t]![e]!, 5)),
    );
  });
  test("a negative gain changes weights, not the choice", () => {
    const gain = [-1, 1, -2, 1];
    const { picks, out } = onLogits("ReluRouter", "ReluRouter { N = 4 }(x)", rows, {
      tensors: { x: rows, w: identity, gain },
    });
    expect(picks).toEqual([
      [0, -1, 2, 3],
      [0, 1, -1, 3],
    ]);
    expect(out[0]![2]).toBeLessThan(0);
  });
  test("a token without a positive score takes nobody and has no NaN", () => {
    const none = [[-1, -2, -3, -4], ...rows];
    const {
      picks,
      out,
      losses: found,
    } = onLogits("ChunkSparse", "ChunkSparse { N = 4, L = 3 }(x)", none, {
      mode: "training",
      on: "gpu",
    });
    expect(picks[0]).toEqual([-1, -1, -1, -1]);
    expect(out[0]).toEqual([0, 0, 0, 0]);
    for (const value of Object.values(found)) expect(Number.isFinite(value)).toBe(true);
  });
  test("the gradient of the task reaches the scores of active experts only", () => {
    const shut = rows.map((row) => row.map((value, e) => (e === 1 ? -Math.abs(value) : value)));
    const { gradients, load } = onLogits("ReluRouter", "ReluRouter { N = 4 }(x)", shut);
    expect(load[1]).toBe(0);
    const gradient = gradients["relurouter.w"]!;
    for (const d of [0, 1, 2, 3]) expect(gradient[4 * d + 1]).toBe(0);
    expect(Math.max(...gradient.map(Math.abs))).toBeGreaterThan(1e-3);
  });

  const union = (tokens: Rows, L: number): number =>
    runMechanism({
      text: `import std.sparsity { ChunkUnion }
layer Probe(N)(score: [N]) -> [N] {
  metric union = ChunkUnion { L = ${L} }(relu(score))
  score
}`,
      apply: "Probe(x)",
      width: 4,
      batch: 1,
      length: tokens.length,
      on: "double",
      tensors: { x: tokens },
    }).losses["union"]!;
  test("the union of a chunk lies in 0 to 1, but for the epsilon", () => {
    const one = [1, 0, 0, 0];
    expect(union([one, one, one, one], 4)).toBeCloseTo(1 / 4, 4);
    const all = identity.map((row) => [...row]);
    expect(union(all, 4)).toBeCloseTo(1, 4);
    expect(union(all, 2)).toBeCloseTo(1 / 2, 4);
    const even = [1, 1, 1, 1];
    expect(union([even, even], 2)).toBeCloseTo(1 - 0.75 ** 2, 4);
    const nobody = [0, 0, 0, 0];
    expect(Math.abs(union([nobody, nobody], 2))).toBeLessThan(1e-4);
  });
  test("the probabilities of a token sum to 1: chunks of one token have their mean, 1 / N", () => {
    for (const row of rows) expect(union([row], 1)).toBeCloseTo(1 / 4, 4);
    expect(union([rows[0]!.map((value) => 64 * value)], 1)).toBeCloseTo(1 / 4, 4);
  });
  test("tokens behind the last whole chunk count in none", () => {
    const all = identity.map((row) => [...row]);
    expect(union([...all, [1, 0, 0, 0]], 4)).toBe(union(all, 4));
  });
});

describe("until a mass of probability is reached", () => {
  const formula =
    (threshold: number, strict: boolean, most: number) =>
    ({ x, matrix }: Given): Wanted => {
      const p = x.map((row) => softmax(times(row, matrix("w", 4))));
      const picks = p.map((row) => {
        const order = largest(row, 4);
        let total = 0;
        const taken = order.slice(0, most).filter((e) => {
          const open = strict ? total <= threshold : total < threshold;
          if (open) total += row[e]!;
          return open;
        });
        return [...taken, ...new Array<number>(most - taken.length).fill(-1)];
      });
      const share = counts(picks, 4).map((count) => count / x.length);
      return {
        out: spread(picks, 4, (t, e) => p[t]![e]!),
        picks,
        load: counts(picks, 4),
        losses: {
          balance: 0.01 * 4 * dot(share, columnMeans(p)),
          entropy: 1e-4 * mean(p.map((row) => -sum(row.map((value) => value * Math.log(value + 1e-9))))),
        },
      };
    };
  test("strictly, weights as they are", () => {
    runMechanism(router("TopP", "TopP { N = 4 }(x)", { on: "gpu" }), formula(0.4, true, 4));
  });
  test("at most two, when it need only be reached", () => {
    const apply = "TopP { N = 4, threshold = 0.7, most = 2, strict = false }(x)";
    runMechanism(router("TopP", apply), formula(0.7, false, 2));
  });

  const top = (rows: Rows, options: string): number[] =>
    sizes(onLogits("TopP", `TopP { N = 4, ${options} }(x)`, rows).picks);
  const even = [[0, 0, 0, 0]];
  const noise = [
    [0.3, -1, 2, 0.5],
    [1.5, 0.2, -0.4, 1],
    [0.1, 0, 0.2, -0.1],
  ];
  test("even probabilities: floor(p N) + 1 experts when they have to pass, p N when they have to reach", () => {
    expect([0.25, 0.5, 0.75].map((p) => top(even, `threshold = ${p}`)[0])).toEqual([2, 3, 4]);
    expect([0.25, 0.5, 0.75].map((p) => top(even, `threshold = ${p}, strict = false`)[0])).toEqual([1, 2, 3]);
  });
  test("a certain token takes one expert", () => {
    expect(top([[0, 50, 0, 0]], "threshold = 0.9")).toEqual([1]);
  });
  test("from 1 to N experts, no fewer for a higher threshold", () => {
    const found = [0, 0.2, 0.4, 0.6, 0.8, 0.99, 1].map((p) => top(noise, `threshold = ${p}`));
    expect(found[0]).toEqual([1, 1, 1]);
    found.forEach((each, i) =>
      each.forEach((count, t) => {
        expect(count).toBeGreaterThanOrEqual(found[Math.max(0, i - 1)]![t]!);
        expect(count).toBeLessThanOrEqual(4);
      }),
    );
    expect(found.at(-1)).toEqual([4, 4, 4]);
  });
  test("what it costs is how many were chosen, and so is the balance when probabilities are even", () => {
    const { load, picks, losses } = onLogits("TopP", "TopP { N = 4, balance = 1 }(x)", [...even, ...even]);
    expect(sum(load)).toBe(sum(sizes(picks)));
    expect(losses["balance"]).toBeCloseTo(2, 9);
  });
});

describe("from dense to sparse", () => {
  const formula =
    (tau: number, hard: boolean, ofNoisy: boolean) =>
    ({ x, matrix, draws }: Given): Wanted => {
      const z = x.map((row) => times(row, matrix("w", 4)));
      const noise = draws[0]?.map((u) => -Math.log(-Math.log(u)));
      const g = z.map((row, t) =>
        softmax(row.map((value, e) => (noise === undefined ? value : (value + noise[4 * t + e]!) / tau))),
      );
      const p = z.map(softmax);
      const picks = g.map((row) =>
        row.map((value, e) => (largest(row, 1)[0] === e || (!hard && value > 0.001) ? e : -1)),
      );
      const out = spread(picks, 4, (t, e) => (ofNoisy ? g : p)[t]![e]!);
      const share = counts(picks, 4).map((count) => count / x.length);
      return {
        out,
        picks,
        load: counts(picks, 4),
        losses: { balance: 0.5 * 4 * dot(columnMeans(out), share) },
      };
    };
  const at = (options: string, more: Partial<Mechanism> = {}): Mechanism =>
    router("DenseToSparse", `DenseToSparse { N = 4, balance = 0.5, ${options} }(x)`, more);
  test("soft: all above the threshold, weights without noise", () => {
    // Half way from 0.2 to 0.1.
    const mechanism = at("tau = linear(0.2, 0.1)", { step: 500, on: "gpu" });
    const { picks } = runMechanism(mechanism, formula(0.15, false, false));
    expect(new Set(sizes(picks)).size, "all tokens take as many").toBeGreaterThan(1);
  });
  test("weights of the noisy scores, an exponential temperature", () => {
    runMechanism(
      at("of_noisy = true, tau = exponential(1, 0.01)", { step: 500, tolerance: 1e-4 }),
      formula(0.1, false, true),
    );
  });
  test("hard from a step on: one each", () => {
    const { picks } = runMechanism(at("hard_from = 3", { step: 3 }), formula(0.5 ** (3 / 1000), true, false));
    expect(sizes(picks)).toEqual([1, 1, 1, 1, 1, 1]);
    const before = runMechanism(at("hard_from = 3", { step: 2 }), formula(0.5 ** (2 / 1000), false, false));
    expect(sum(before.load)).toBeGreaterThan(6);
  });
  test("afterwards the best without noise", () => {
    runMechanism(at("tau = 0.1", { mode: "inference" }), formula(1, true, false));
  });
  test("the same noise chooses the same experts, and no more of them when it is colder", () => {
    const colder = [2, 1, 0.5, 0.3, 0.1].map((tau) =>
      sizes(runMechanism(at(`tau = ${tau}`, { on: "double" })).picks),
    );
    expect(runMechanism(at("tau = 2", { on: "double" })).picks).toEqual(
      runMechanism(at("tau = 2", { on: "double" })).picks,
    );
    colder.forEach((each, i) =>
      each.forEach((count, t) => expect(count).toBeLessThanOrEqual(colder[Math.max(0, i - 1)]![t]!)),
    );
    expect(sum(colder.at(-1)!)).toBeLessThan(sum(colder[0]!));
  });
  test("experts that are copies, behind equal columns, have equal gradients and stay copies", () => {
    const gain = [0.5, -1, 2];
    const { gradients } = runMechanism({
      text: `import std.sparsity { DenseToSparse }
expert Scale(D)(x: [D]) -> [D] {
  param gain: [D]
  x * gain
}
moe Copies(D)(x: [D]) -> [D] {
  routed Scale(D) * 2
  router DenseToSparse { tau = 50 }
}`,
      apply: "Copies(3)(x)",
      width: 3,
      on: "double",
      tensors: {
        gain: [gain, gain],
        "router.w": [
          [1, 1],
          [-2, -2],
          [0.5, 0.5],
        ],
      },
    });
    const [first, second] = [0, 3].map((from) => gradients["copies.routed.gain"]!.slice(from, from + 3));
    expect(Math.max(...first!.map(Math.abs))).toBeGreaterThan(1e-3);
    first!.forEach((value, d) => expect(second![d]).toBeCloseTo(value, 12));
    gradients["copies.router.w"]!.forEach((value, i, all) => expect(all[i ^ 1]).toBeCloseTo(value, 12));
  });
});
