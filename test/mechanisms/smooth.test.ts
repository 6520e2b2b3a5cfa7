// Routers whose choice has a gradient, and experts that cost next to nothing, against plain loops over their papers' formulas.

import { describe, expect, test } from "vitest";
import { runMechanism, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import {
  added,
  columnMeans,
  counts,
  dot,
  largest,
  mean,
  range,
  rowsOf,
  softmax,
  spread,
  stopped,
  sum,
  times,
  type Rows,
} from "../helpers/plain.ts";

const N = 4;
const router = (module: string, apply: string, more: Partial<Mechanism> = {}): Mechanism => ({
  text: `import std.${module} { ${apply.split(" ")[0]!} }`,
  apply: `${apply}(x)`,
  width: 3,
  experts: N,
  length: 4,
  ...more,
});

describe("positive scores, held at a number of experts (ReMoE)", () => {
  test.each([
    [0.3, 1],
    [0.3, 3],
  ])("factor %s, k = %s", (factor, k) => {
    let active = 0;
    const { states } = runMechanism(
      router("smooth", `AdaptiveRelu { N = 4, k = ${k} }`, { tensors: { factor: [factor] }, on: "gpu" }),
      ({ x, matrix }: Given): Wanted => {
        const r = x.map((row) => times(row, matrix("w", N)).map((z) => Math.max(0, z)));
        const share = columnMeans(r.map((row) => row.map((value) => (value > 0 ? 1 : 0))));
        active = sum(share);
        return {
          out: r,
          load: share.map((value) => value * x.length),
          losses: { pressure: (factor * N * dot(share, columnMeans(r))) / k },
          states: { factor: [factor * (active > k ? 1.2 : active < k ? 1 / 1.2 : 1)] },
        };
      },
    );
    expect(active > k).toBe(k === 1);
    expect(Object.values(states)[0]![0]! > factor).toBe(k === 1);
  });
});

/** Logits within 2 * jitter of the best open one, as a share of the larger size; -inf elsewhere. */
const near = (z: readonly number[], open: (e: number) => boolean, jitter: number): number[] => {
  const best = Math.max(...z.filter((_, e) => open(e)));
  return z.map((value, e) =>
    open(e) && (best - value) / Math.max(Math.abs(value), best) <= 2 * jitter ? value : -Infinity,
  );
};
describe("two experts that are drawn (SparseMixer-v2)", () => {
  const jitter = 0.4;
  test.each(["training", "inference"] as const)("in %s", (mode) => {
    const [first, second] = [stopped(), stopped()];
    let thirds = 0;
    const mechanism = router("smooth", `SparseMixer { N = 4, jitter = ${jitter} }`, {
      mode,
      length: 12,
      on: "gpu",
    });
    runMechanism(mechanism, ({ x, matrix, draws }) => {
      const noise = (draw: number, row: readonly number[], t: number): number[] =>
        mode === "inference"
          ? [...row]
          : row.map((z, e) => z - Math.log(-Math.log(draws[draw]![t * N + e]!)));
      const z = x.map((row) => times(row, matrix("w", N)));
      const one = z.map((row) => near(row, () => true, jitter));
      const firsts = one.map((row, t) => largest(noise(0, row, t), 1)[0]!);
      const two = z.map((row, t) => near(row, (e) => e !== firsts[t], jitter));
      const seconds = two.map((row, t) => largest(noise(1, row, t), 1)[0]!);
      const weight = (among: Rows, taken: readonly number[], was: (rows: Rows) => Rows): Rows => {
        const p = among.map(softmax);
        const before = was(p);
        return p.map((row, t) =>
          row.map((value, e) => {
            const sure =
              mode === "inference" || largest(among[t]!, 1)[0] === e || draws[2]![t * N + e]! > 0.75;
            if (e !== taken[t]) return 0;
            if (!sure) thirds++;
            return value + (sure ? 0 : (1 / 3 - 1) * before[t]![e]!);
          }),
        );
      };
      const [a, b] = [weight(one, firsts, first), weight(two, seconds, second)];
      return { out: a.map((row, t) => added(row, b[t]!)), picks: firsts.map((e, t) => [e, seconds[t]!]) };
    });
    expect(thirds > 0).toBe(mode === "training");
  });
});

describe("selectors of binary digits (DSelect-k)", () => {
  test.each([
    [4, 2],
    [3, 2],
  ])("%s experts, %s digits", (experts, bits) => {
    const apply = `SmoothSelect { N = ${experts}, bits = ${bits}, entropy = 0.1, gamma = 2 }`;
    const found = runMechanism(router("smooth", apply, { experts, on: "gpu" }), ({ x, matrix, tensor }) => {
      const step = (t: number): number => (t <= -1 ? 0 : t >= 1 ? 1 : (-2 * t ** 3) / 8 + (3 * t) / 4 + 0.5);
      const shares = x.map((row) => {
        const z = added(times(row, matrix("z", 2 * bits)), tensor("z_bias")).map(step);
        return rowsOf(z, bits).map((digits) =>
          range(experts).map((n) =>
            digits.reduce((product, b, i) => product * ((n >> i) % 2 === 1 ? b : 1 - b), 1),
          ),
        );
      });
      const out = x.map((row, t) => {
        const selector = softmax(added(times(row, matrix("w", 2)), tensor("w_bias")));
        return range(experts).map((n) =>
          dot(
            selector,
            shares[t]!.map((share) => share[n]!),
          ),
        );
      });
      const entropy = shares.map((each) => -sum(each.flat().map((value) => value * Math.log(value + 1e-6))));
      const reachable = shares.map((each) => sum(each.map((share) => 1 / sum(share))));
      return {
        out,
        losses: { entropy: 0.1 * mean(entropy), ...(experts === 3 ? { reachable: mean(reachable) } : {}) },
      };
    });
    expect(found.out.flat().every(Number.isFinite)).toBe(true);
  });
});

describe("experts that cost next to nothing", () => {
  test("a vector in the place of a part of the token (MoE++)", () => {
    runMechanism(
      { text: "import std.nulls { BlendedConstant }", apply: "BlendedConstant(3)(x)", width: 3 },
      ({ x, matrix, tensor }) => ({
        out: x.map((row) => {
          const [a, b] = softmax(times(row, matrix("w", 2)));
          return row.map((value, d) => a! * value + b! * tensor("vector")[d]!);
        }),
      }),
    );
  });
  test.each([false, true])(
    "logits with those of the layer before; the zero expert counts 0: %s",
    (renormalise) => {
      const text = `import std.nulls { FreeTopK, PathwayLogits }
layer Path(D, N)(x: [D]) -> [N] {
  param before: [D, N]
  z = PathwayLogits(D, N)(x, x @ before)
  g = FreeTopK { N = N, free = 2, renormalise = ${renormalise} }(z)
  given = g.weight
  place = one_hot(g.picks, N)
  y[n] = sum(given[j] * place[j, n] over j)
}`;
      const mechanism: Mechanism = {
        text,
        apply: "Path { N = 4 }(x)",
        width: 3,
        out: 4,
        length: 4,
        on: "gpu",
      };
      runMechanism(mechanism, ({ x, matrix }) => {
        const z = x.map((row) =>
          added(
            times(row, matrix("pathwaylogits.w", N)),
            times(times(row, matrix("before", N)), matrix("carry", N)),
          ),
        );
        const p = z.map(softmax);
        const picks = p.map((row) => largest(row, 2));
        const share = counts(picks, N).map((count) => count / x.length);
        const eta = [1, 1, 0.75, 0.75];
        const paid = (t: number, e: number): number => (renormalise && e === 3 ? 0 : p[t]![e]!);
        return {
          out: spread(picks, N, (t, e) =>
            renormalise ? paid(t, e) / Math.max(1e-12, sum(picks[t]!.map((i) => paid(t, i)))) : paid(t, e),
          ),
          losses: { balance: 0.01 * sum(columnMeans(p).map((value, e) => eta[e]! * share[e]! * value)) },
        };
      });
    },
  );
  test("true experts by need, their number by a bias that null experts have none of (LongCat-Flash)", () => {
    const text = `import std.nulls { ZeroComputation }
expert Scale(D)(x: [D]) -> [D] {
  param gain: [D]
  x * gain
}
moe Free(D)(x: [D]) -> [D] {
  routed Scale(D) * 3
  null copy * 2
  router ZeroComputation { k = 3, wanted = 2, rate = 0.5, scale = 2 }
}`;
    const mechanism: Mechanism = { text, apply: "Free(3)(x)", width: 3, length: 4, on: "gpu" };
    runMechanism(mechanism, ({ x, matrix, tensor }) => {
      const p = x.map((row) => softmax(times(row, matrix("w", 5))));
      const bias = tensor("bias");
      const picks = p.map((row) => largest(added(row, bias), 3));
      const gain = matrix("gain", 3);
      const load = counts(picks, 5);
      return {
        out: x.map((row, t) =>
          row.map((value, d) =>
            sum(picks[t]!.map((e) => 2 * p[t]![e]! * (e < 3 ? gain[e]![d]! : 1) * value)),
          ),
        ),
        load,
        states: {
          bias: bias.map((value, e) => value + (e < 3 ? 0.5 * (2 / 3 / 3 - load[e]! / (3 * x.length)) : 0)),
        },
      };
    });
  });
});
