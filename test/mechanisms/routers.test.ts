// Routers of the standard library that the field builds on, against plain loops over their papers' formulas: weights, picks, loads, losses
// and gradients. What must hold exactly, and known answers, are in claims.test.ts.

import { describe, expect, test } from "vitest";
import { checkText } from "../helpers/elaborate.ts";
import { runMechanism, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import {
  columnMeans,
  columnOf,
  columnSums,
  counts,
  dot,
  largest,
  logsumexp,
  mean,
  normalBelow,
  sigmoid,
  softmax,
  softplus,
  spread,
  squaredVariation,
  sum,
  times,
  unit,
  type Rows,
} from "../helpers/plain.ts";

const router = (name: string, apply: string, more: Partial<Mechanism> = {}): Mechanism => ({
  text: `import std.routers { ${name} }`,
  apply,
  width: 3,
  experts: 4,
  ...more,
});

/** N sum_i f_i P_i, with f the shares of all picks. */
const balanceOf = (picks: Rows, p: Rows): number => {
  const load = counts(picks, p[0]!.length);
  return (
    load.length *
    dot(
      load.map((count) => count / sum(load)),
      columnMeans(p),
    )
  );
};
const zLoss = (z: Rows): number => mean(z.map((row) => logsumexp(row) ** 2));

/** Standard normal numbers from two rows of uniform ones, as the language reference says. */
const normals = ([u, v]: Given["draws"]): number[] =>
  u!.map((value, i) => Math.sqrt(-2 * Math.log(Math.max(value, 2 ** -25))) * Math.cos(2 * Math.PI * v![i]!));

describe("softmax, top k", () => {
  const formula =
    (k: number, renormalise: boolean) =>
    ({ x, matrix }: Given): Wanted => {
      const z = x.map((row) => times(row, matrix("w", 4)));
      const p = z.map(softmax);
      const picks = p.map((row) => largest(row, k));
      const total = (t: number): number => (renormalise ? sum(picks[t]!.map((e) => p[t]![e]!)) : 1);
      return {
        out: spread(picks, 4, (t, e) => p[t]![e]! / total(t)),
        picks,
        load: counts(picks, 4),
        losses: { balance: 0.01 * balanceOf(picks, p), z: 0.001 * zLoss(z) },
      };
    };
  test("as they are", () => {
    const apply = "TopK { N = 4, k = 3, renormalise = false, z_loss = 0.001 }(x)";
    runMechanism(router("TopK", apply), formula(3, false));
  });
  test("summing to 1", () => {
    const apply = "TopK { N = 4, z_loss = 0.001 }(x)";
    runMechanism(router("TopK", apply, { on: "gpu" }), formula(2, true));
  });
});

describe("one expert with a capacity (Switch)", () => {
  const formula =
    (factor: number, epsilon: number, training: boolean) =>
    ({ x, matrix, draws }: Given): Wanted => {
      const seen = training
        ? x.map((row, t) =>
            row.map((value, d) => value * (1 - epsilon + 2 * epsilon * draws[0]![3 * t + d]!)),
          )
        : x;
      const z = seen.map((row) => times(row, matrix("w", 4)));
      const p = z.map(softmax);
      const wished = p.map((row) => largest(row, 1));
      const taken = [0, 0, 0, 0];
      const capacity = Math.ceil((factor * x.length) / 4);
      const picks = wished.map(([e]) => [taken[e!]!++ < capacity ? e! : -1]);
      return {
        out: spread(picks, 4, (t, e) => p[t]![e]!),
        picks,
        load: counts(picks, 4),
        losses: { balance: 0.01 * balanceOf(wished, p), z: 0.001 * zLoss(z) },
      };
    };
  test("in training, with jitter", () => {
    const apply = "Switch { N = 4, epsilon = 0.1, z_loss = 0.001 }(x)";
    runMechanism(router("Switch", apply, { length: 4, on: "gpu" }), formula(1.25, 0.1, true));
  });
  test("at inference, with a capacity of one", () => {
    const apply = "Switch { N = 4, factor = 0.5, z_loss = 0.001 }(x)";
    const mechanism = router("Switch", apply, { length: 4, mode: "inference" });
    const { picks } = runMechanism(mechanism, formula(0.5, 0, false));
    expect(picks.flat()).toContain(-1);
  });
});

describe("top 2 with a random second (GShard)", () => {
  /** Algorithm 1: a pass over the tokens for the first experts, then one for the second. */
  const formula =
    (factor: number, training: boolean) =>
    ({ x, matrix, draws }: Given): Wanted => {
      const z = x.map((row) => times(row, matrix("w", 4)));
      const p = z.map(softmax);
      const best = p.map((row) => largest(row, 2));
      const share = (t: number, e: number): number =>
        p[t]![e]! / (p[t]![best[t]![0]!]! + p[t]![best[t]![1]!]!);
      const capacity = Math.ceil((factor * x.length) / 4);
      const taken = [0, 0, 0, 0];
      const place = (e: number): number => (taken[e]!++ < capacity ? e : -1);
      const first = best.map(([e]) => place(e!));
      const second = best.map(([, e], t) => (!training || 2 * share(t, e!) > draws[0]![t]! ? place(e!) : -1));
      const picks = first.map((e, t) => [e, second[t]!]);
      const chosen = counts(
        best.map(([e]) => [e!]),
        4,
      ).map((count) => count / x.length);
      return {
        out: spread(picks, 4, share),
        picks,
        load: counts(picks, 4),
        losses: { balance: 0.01 * 4 * dot(chosen, columnMeans(p)), z: 0.001 * zLoss(z) },
      };
    };
  test.each([1, 2, 3])("in training, numbers %d", (seed) => {
    const apply = "RandomSecond { N = 4, factor = 1.2, z_loss = 0.001 }(x)";
    const mechanism = router("RandomSecond", apply, { length: 5, seed, on: seed === 1 ? "gpu" : "wasm" });
    const { picks } = runMechanism(mechanism, formula(1.2, true));
    expect(picks.flat(), "nothing was dropped or left out").toContain(-1);
  });
  test("at inference every second is wanted", () => {
    const apply = "RandomSecond { N = 4, z_loss = 0.001 }(x)";
    runMechanism(router("RandomSecond", apply, { mode: "inference" }), formula(2, false));
  });
});

describe("sigmoid scores", () => {
  test.each([false, true])("renormalised: %s", (renormalise) => {
    const apply = `Sigmoid { N = 4, k = 2, renormalise = ${renormalise} }(x)`;
    runMechanism(router("Sigmoid", apply, { on: renormalise ? "gpu" : "wasm" }), ({ x, matrix }) => {
      const s = x.map((row) => times(row, matrix("w", 4)).map(sigmoid));
      const picks = s.map((row) => largest(row, 2));
      const total = (t: number): number => (renormalise ? sum(picks[t]!.map((e) => s[t]![e]!)) : 1);
      return { out: spread(picks, 4, (t, e) => s[t]![e]! / total(t)), picks, load: counts(picks, 4) };
    });
  });
});

test("sigmoid scores with a bias that only the selection sees (loss-free)", () => {
  const apply = "LossFree { N = 4, k = 2, rate = 0.01, scale = 1.5 }(x)";
  runMechanism(router("LossFree", apply), ({ x, matrix, tensor }) => {
    const bias = tensor("bias");
    const s = x.map((row) => times(row, matrix("w", 4)).map(sigmoid));
    const picks = s.map((row) =>
      largest(
        row.map((value, e) => value + bias[e]!),
        2,
      ),
    );
    const load = counts(picks, 4);
    const total = (t: number): number => sum(picks[t]!.map((e) => s[t]![e]!));
    return {
      out: spread(picks, 4, (t, e) => (1.5 * s[t]![e]!) / total(t)),
      picks,
      load,
      states: { bias: bias.map((value, e) => value + 0.01 * Math.sign(mean(load) - load[e]!)) },
    };
  });
});

describe("noisy top k of the sparsely-gated layer", () => {
  const formula =
    (k: number, training: boolean) =>
    ({ x, matrix, draws }: Given): Wanted => {
      const clean = x.map((row) => times(row, matrix("w", 4)));
      const deviation = x.map((row) => times(row, matrix("noise", 4)).map(softplus));
      const noise = training ? normals(draws) : [];
      const h = clean.map((row, t) =>
        row.map((value, e) => (training ? value + noise[4 * t + e]! * deviation[t]![e]! : value)),
      );
      const picks = h.map((row) => largest(row, k));
      const gates = picks.map((chosen, t) => softmax(chosen.map((e) => h[t]![e]!)));
      const out = spread(picks, 4, (t, e) => gates[t]![picks[t]!.indexOf(e)]!);
      /** The k-th largest of a row without one of its entries. */
      const without = (row: readonly number[], e: number): number =>
        row.filter((_, i) => i !== e).sort((a, b) => b - a)[k - 1]!;
      const chances = h.map((row, t) =>
        row.map((_, e) => normalBelow((clean[t]![e]! - without(row, e)) / deviation[t]![e]!)),
      );
      return {
        out,
        picks,
        load: counts(picks, 4),
        losses: {
          importance: 0.3 * squaredVariation(columnSums(out)),
          z: 0.4 * zLoss(clean),
          ...(training ? { load: 0.2 * squaredVariation(columnSums(chances)) } : {}),
        },
      };
    };
  test.each([1, 2])("in training, k = %d", (k) => {
    const apply = `NoisyTopK { N = 4, k = ${k}, w_importance = 0.3, w_load = 0.2, z_loss = 0.4 }(x)`;
    runMechanism(router("NoisyTopK", apply, { on: k === 2 ? "gpu" : "wasm" }), formula(k, true));
  });
  test("at inference without noise", () => {
    const apply = "NoisyTopK { N = 4, w_importance = 0.3, z_loss = 0.4 }(x)";
    runMechanism(router("NoisyTopK", apply, { mode: "inference" }), formula(2, false));
  });
});

describe("cosine", () => {
  const cosines = (u: Rows, points: Rows): Rows =>
    u.map((row) => points[0]!.map((_, e) => dot(unit(row, 1e-12), unit(columnOf(points, e), 1e-12))));
  /** The balance reads the cosines over the first temperature, which stays, the weights over the learned one. */
  const learned =
    (independent: boolean, temperature?: number) =>
    ({ x, matrix, tensor }: Given): Wanted => {
      const u = x.map((row) => times(row, matrix("project", 2)));
      const directions = cosines(u, matrix("expert_point", 4));
      const over = (by: number): Rows => directions.map((row) => row.map((value) => value / by));
      const z = over(temperature ?? tensor("temperature")[0]!);
      const p = z.map(softmax);
      const picks = p.map((row) => largest(row, 2));
      return {
        out: spread(picks, 4, (t, e) => (independent ? sigmoid(z[t]![e]!) : p[t]![e]!)),
        picks,
        load: counts(picks, 4),
        losses: { balance: 0.01 * balanceOf(picks, over(independent ? 0.07 : 0.3).map(softmax)) },
      };
    };
  test.each([false, true])("over a learned temperature (X-MoE), weights of a sigmoid: %s", (independent) => {
    const apply = `Cosine { N = 4, k = 2, independent = ${independent} }(x)`;
    const tensors = { temperature: [0.45] };
    runMechanism(router("Cosine", apply, { tensors, on: "gpu" }), learned(independent));
  });
  test.each([-1, 0, 9e-5])("a temperature of %s counts as 1e-4 and is learned no more", (temperature) => {
    const mechanism = router("Cosine", "Cosine { N = 4, k = 2 }(x)", {
      tensors: { temperature: [temperature] },
      on: "double",
    });
    const { gradients } = runMechanism(mechanism, learned(false, 1e-4));
    expect(Object.entries(gradients).find(([name]) => name.endsWith(".temperature"))?.[1]).toEqual([0]);
  });

  /** Tutel and SwinV2-MoE: noise of deviation 1 / N, importance and load losses without bias, batch priority, k = 1. */
  const scaled =
    (ofLogits: boolean, training: boolean) =>
    ({ x, matrix, tensor, draws }: Given): Wanted => {
      const bias = tensor("project_bias");
      const u = x.map((row) => times(row, matrix("project", 2)).map((value, r) => value + bias[r]!));
      const factor = Math.exp(Math.min(tensor("scale")[0]!, Math.log(100)));
      const clean = cosines(u, matrix("expert_point", 4)).map((row) => row.map((value) => value * factor));
      const noise = training ? normals(draws) : [];
      const z = clean.map((row, t) =>
        row.map((value, e) => (training ? value + noise[4 * t + e]! / 4 : value)),
      );
      const p = z.map(softmax);
      const wished = p.map((row) => largest(row, 1)[0]!);
      const capacity = Math.floor(1 * Math.ceil(x.length / 4));
      const order = largest(
        p.map((row) => Math.max(...row)),
        x.length,
      );
      const taken = [0, 0, 0, 0];
      const picks = x.map(() => [-1]);
      for (const t of order) if (taken[wished[t]!]!++ < capacity) picks[t] = [wished[t]!];
      const score = ofLogits ? clean : clean.map(softmax);
      const chances = score.map((row, t) =>
        row.map((value) => normalBelow((value - z[t]![wished[t]!]!) / (1 / 4))),
      );
      const losses = [columnSums(clean.map(softmax)), columnSums(chances)].map((each) =>
        squaredVariation(each, 1),
      );
      return {
        out: spread(picks, 4, (t, e) => p[t]![e]!),
        picks,
        load: counts(picks, 4),
        losses: training ? { balance: 0.01 * mean(losses) } : {},
      };
    };
  test.each([false, true])("times a learned scale (Tutel), load of logits: %s", (ofLogits) => {
    const apply = `ScaledCosine { N = 4, R = 2, factor = 1, of_logits = ${ofLogits} }(x)`;
    const { picks } = runMechanism(
      router("ScaledCosine", apply, { length: 4, on: ofLogits ? "gpu" : "wasm" }),
      scaled(ofLogits, true),
    );
    expect(picks.flat(), "nothing was dropped").toContain(-1);
  });
  test("times a learned scale, at inference", () => {
    const apply = "ScaledCosine { N = 4, R = 2, factor = 1 }(x)";
    runMechanism(router("ScaledCosine", apply, { length: 4, mode: "inference" }), scaled(false, false));
  });
});

describe("experts choose their tokens", () => {
  test.each([false, true])("normalised over the choosers: %s", (normalise) => {
    const apply = `ExpertChoice { N = 4, capacity_factor = 1.5, normalise = ${normalise} }(x)`;
    runMechanism(
      router("ExpertChoice", apply, { length: 5, on: normalise ? "gpu" : "wasm" }),
      ({ x, matrix, batch, length }) => {
        const p = x.map((row) => softmax(times(row, matrix("w", 4))));
        const picks = x.map(() => [-1, -1, -1, -1]);
        for (let b = 0; b < batch; b++)
          for (let e = 0; e < 4; e++)
            for (const t of largest(
              columnOf(p.slice(b * length, (b + 1) * length), e),
              Math.ceil((1.5 * length) / 4),
            ))
              picks[b * length + t]![e] = e;
        const total = (t: number): number =>
          normalise ? sum(picks[t]!.filter((e) => e >= 0).map((e) => p[t]![e]!)) + 1e-9 : 1;
        return { out: spread(picks, 4, (t, e) => p[t]![e]! / total(t)), picks, load: counts(picks, 4) };
      },
    );
  });
});

test("an expert for each id, by a table (hash)", () => {
  const table = [3.2, 0.5, 2.999, 4, 1, 0];
  const mechanism = router("Hash", "Hash { N = 4, V = 6 }(text)", { tensors: { expert_of: table } });
  runMechanism(mechanism, () => {
    const picks = [[3], [0], [2], [3], [1], [0]];
    return { out: spread(picks, 4, () => 1), picks, load: [2, 1, 1, 2] };
  });
});

describe("int", () => {
  test("leaves out what stands after the point, and has no gradient", () => {
    const mechanism = { text: "", apply: "1.0 * int(4 * x)", width: 3, on: "gpu" } as const;
    runMechanism(mechanism, ({ x }) => ({ out: x.map((row) => row.map((value) => Math.trunc(4 * value))) }));
  });
  test.each([
    ["logits = 1.0 * int(zero)", "M0201 zero: `int` takes numbers and tensors, not null experts"],
    ["logits = 1.0 * int(x, x)", "M0204 int(x, x): `int` takes one argument, not 2"],
    ["dim S = int(7 / 2)\n  logits = x as [2, S - 1]", ""],
  ])("%s", (line, wanted) => {
    const text = `model M {\n  modality x = features(4)\n  ${line}\n}\n`;
    expect(checkText(text).join("\n")).toBe(wanted);
  });
});
