// Low-rank experts over one frozen network (MixLoRA) and low-rank changes of a projection, mixed for a whole text (SteloCoder), against plain loops over
// their formulas: every expert as the whole network that the papers write down.

import { describe, expect, test } from "vitest";
import { identity, six } from "../helpers/known-answers.ts";
import { runMechanism, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import { noiseRows, silu } from "../helpers/plain-networks.ts";
import {
  added,
  columnMeans,
  columnOf,
  counts,
  dot,
  largest,
  range,
  rowsOf,
  softmax,
  times,
  weighted,
} from "../helpers/plain.ts";

const scaled = (row: readonly number[], by: number): number[] => row.map((value) => by * value);
/** Low-rank change number e of several. */
function change({ tensor }: Given, path: string, e: number, rank: number, row: readonly number[]): number[] {
  const [A, B] = [tensor(`${path}.down`), tensor(`${path}.up`)];
  const width = row.length * rank;
  const out = rank * (B.length / (A.length / width) / rank);
  const down = rowsOf(A.slice(e * width, (e + 1) * width), rank);
  return times(times(row, down), rowsOf(B.slice(e * out, (e + 1) * out), out / rank));
}

describe("low-rank experts over one network (MixLoRA)", () => {
  const [D, H, N, R] = [3, 4, 4, 2];
  const layer = (settings: string, more: Partial<Mechanism> = {}): Mechanism => ({
    text: `import std.adapters { MixtureOfAdapters }`,
    apply: `MixtureOfAdapters(${D}, ${H}, N = ${N}, R = ${R}, alpha = 3${settings})(x)`,
    width: D,
    ...more,
  });
  /** (W_d + s B_d A_d) applied to act((W_g + s B_g A_g) x) * ((W_u + s B_u A_u) x), with dropout before every A. */
  const network = (
    given: Given,
    e: number,
    s: number,
    x: readonly number[],
    seen: readonly number[],
    kept: readonly number[],
  ): number[] => {
    const { matrix } = given;
    const path = (part: string): string => `pool.${part}_delta`;
    const both = ["gate", "up"].map((part) =>
      added(times(x, matrix(`base_${part}`, H)), scaled(change(given, path(part), e, R, seen), s)),
    );
    const h = both[0]!.map((value, i) => silu(value) * both[1]![i]!);
    const masked = h.map((value, i) => value * kept[i]!);
    return added(times(h, matrix("base_down", D)), scaled(change(given, path("down"), e, R, masked), s));
  };
  const formula =
    (s: number, coefficient: number, dropout: number) =>
    (given: Given): Wanted => {
      const { x, matrix, draws } = given;
      const keep = (which: number, at: number): number =>
        dropout === 0 ? 1 : draws[which]![at]! < dropout ? 0 : 1 / (1 - dropout);
      const p = x.map((row) => softmax(times(row, matrix("router.w", N))));
      const picks = p.map((row) => largest(row, 2));
      const out = x.map((row, t) => {
        const shares = picks[t]!.map((e) => p[t]![e]! / (p[t]![picks[t]![0]!]! + p[t]![picks[t]![1]!]!));
        const seen = row.map((value, d) => value * keep(0, D * t + d));
        const kept = range(H).map((h) => keep(1, H * t + h));
        return weighted(
          shares,
          picks[t]!.map((e) => network(given, e, s, row, seen, kept)),
        );
      });
      // Over slots: the share of tokens whose first choice is e, plus that of the second choice.
      const shares = [0, 1].map((slot) =>
        counts(
          picks.map((row) => [row[slot]!]),
          N,
        ).map((count) => count / x.length),
      );
      const f = added(shares[0]!, shares[1]!);
      return { out, picks, losses: { balance: coefficient * N * dot(f, columnMeans(p)) } };
    };
  test("with dropout before every low-rank matrix", () => {
    runMechanism(layer(", dropout = 0.3", { on: "gpu" }), formula(1.5, 0.01, 0.3));
  });
  test("at inference without", () => {
    runMechanism(layer(", dropout = 0.3", { mode: "inference" }), formula(1.5, 0.01, 0));
  });
  test("rank-stabilised scale, the coefficient of the code", () => {
    const settings = ", dropout = 0, scale = 3 / sqrt(2), coefficient = 0.001";
    runMechanism(layer(settings), formula(3 / Math.sqrt(2), 0.001, 0));
  });
  test("changes of zero and weights that sum to 1: one network, however many are chosen", () => {
    const zeros = (count: number): readonly number[] => new Array<number>(count).fill(0);
    const tensors = {
      "gate_delta.up": zeros(N * R * H),
      "up_delta.up": zeros(N * R * H),
      "down_delta.up": zeros(N * R * D),
    };
    const [one, ...others] = [1, 2, 3].map(
      (k) => runMechanism(layer(`, dropout = 0, k = ${k}`, { tensors, on: "double" })).out,
    );
    for (const other of others)
      other.flat().forEach((value, i) => expect(value).toBeCloseTo(one!.flat()[i]!, 12));
  });
  test.each(["TopP { threshold = 0.8 }", "Switch { factor = 1, epsilon = 0 }"])(
    "its variants choose as their routers do: %s",
    (router) => {
      const name = router.split(" ")[0]!;
      const w = noiseRows(7, D, N);
      const shared = { tensors: { x: noiseRows(8, 6, D), w }, width: D } as const;
      const alone = runMechanism({
        ...shared,
        text: `import std.routers { ${name} }`,
        apply: `${router.replace("{", `{ N = ${N},`)}(x)`,
        experts: N,
        on: "double",
      });
      const inside = runMechanism({
        ...layer(`, Router = ${router}`),
        text: `import std.adapters { MixtureOfAdapters }\nimport std.routers { ${name} }`,
        ...shared,
      });
      expect(inside.picks).toEqual(alone.picks);
      expect(inside.losses["balance"]).toBeCloseTo(alone.losses["balance"]!, 12);
    },
  );
  test("one expert whose weight is divided by itself: the task does not reach the router", () => {
    const one = runMechanism(layer(", dropout = 0, k = 1, coefficient = 0", { on: "double" }));
    for (const value of one.gradients["mixtureofadapters.router.w"]!) expect(value).toBeCloseTo(0, 12);
    const two = runMechanism(layer(", dropout = 0, coefficient = 0", { on: "double" }));
    expect(two.gradients["mixtureofadapters.router.w"]!.some((value) => Math.abs(value) > 1e-4)).toBe(true);
  });
  test("known answer: six tokens, two slots, the balance is 2.060739", () => {
    const { losses: found } = runMechanism({
      ...layer(""),
      apply: "MixtureOfAdapters(3, 2, N = 3, R = 1, coefficient = 1)(x)",
      batch: 1,
      length: 6,
      on: "double",
      tensors: { x: six, "router.w": identity },
    });
    expect(found["balance"]).toBeCloseTo(2.060739, 5);
  });
  test("an even load of k experts a token costs k times the coefficient", () => {
    const x = range(6).map((t) => range(3).map((e) => 2 - ((e - t + 6) % 3)));
    const { load, losses } = runMechanism({
      ...layer(""),
      apply: "MixtureOfAdapters(3, 2, N = 3, R = 1)(x)",
      batch: 1,
      length: 6,
      on: "double",
      tensors: { x, "router.w": identity },
    });
    expect(load).toEqual([4, 4, 4]);
    expect(losses["balance"]).toBeCloseTo(0.02, 10);
  });
});

describe("low-rank changes mixed for a whole text (SteloCoder)", () => {
  const [D, O, N, R] = [3, 2, 3, 2];
  const text = `import std.adapters { MixedProjection, SequenceGate }
layer Mixed(T)(x: [T, ${D}]) -> [T, ${O}] {
  q = SequenceGate(${D}, ${N})(x)
  MixedProjection(${D}, ${O}, N = ${N}, R = ${R}, alpha = 3, dropout = 0)(x, q)
}
layer Soft(T)(x: [T, ${D}]) -> [T, ${O}] {
  q = SequenceGate(${D}, ${N})(x)
  MixedProjection(${D}, ${O}, N = ${N}, R = ${R}, alpha = 3, dropout = 0, hard = false)(x, q)
}
layer Told(T)(x: [T, ${D}]) -> [T, ${O}] {
  told[e: ${N}] = if e == 1 then 1 else 0
  MixedProjection(${D}, ${O}, N = ${N}, R = ${R}, alpha = 3, dropout = 0)(x, told)
}`;
  const base = { text, width: D, out: O, length: 4 } as const;
  const mixture = (given: Given, b: number): number[] => {
    const rows = given.x.slice(b * given.length, (b + 1) * given.length);
    const logits = rows.map((row) => times(row, given.matrix("sequencegate.w", N)));
    return softmax(range(N).map((e) => Math.max(...columnOf(logits, e))));
  };
  const formula =
    (shares: (q: number[]) => readonly number[]) =>
    (given: Given): Wanted => ({
      out: given.x.map((row, t) => {
        const q = shares(mixture(given, Math.floor(t / given.length)));
        const deltas = range(N).map((e) => change(given, "mixedprojection.pool", e, R, row));
        return added(times(row, given.matrix("base", O)), scaled(weighted(q, deltas), 3 / R));
      }),
    });
  const sure = (q: readonly number[]): number[] => q.map((_, e) => (e === largest(q, 1)[0] ? 1 : 0));
  test("all changes in training, by the largest logit of each over the sequence", () => {
    runMechanism(
      { ...base, apply: "Mixed(x)", on: "gpu" },
      formula((q) => q),
    );
  });
  test("at inference the largest alone, which weighs 1, or all as before", () => {
    runMechanism({ ...base, apply: "Mixed(x)", mode: "inference" }, formula(sure));
    runMechanism(
      { ...base, apply: "Soft(x)", mode: "inference" },
      formula((q) => q),
    );
  });
  test("a mixture of one kind is that kind's low-rank change", () => {
    const { out } = runMechanism({ ...base, apply: "Told(x)" }, (given) => ({
      out: given.x.map((row) =>
        added(
          times(row, given.matrix("base", O)),
          scaled(change(given, "mixedprojection.pool", 1, R, row), 1.5),
        ),
      ),
    }));
    expect(out.length).toBe(8);
  });
  test("dropout leaves the frozen projection alone", () => {
    const mechanism = {
      text: `import std.adapters { MixedProjection }
layer Half(x: [${D}]) -> [${O}] {
  told[e: 1] = 1
  MixedProjection(${D}, ${O}, N = 1, R = ${R}, alpha = 2, dropout = 0.5)(x, told)
}`,
      apply: "Half(x)",
      width: D,
      out: O,
      tensors: { x: noiseRows(1, 6, D) },
    };
    runMechanism(mechanism, (given) => ({
      out: given.x.map((row, t) => {
        const seen = row.map((value, d) => (given.draws[0]![D * t + d]! < 0.5 ? 0 : 2 * value));
        return added(times(row, given.matrix("base", O)), change(given, "mixedprojection.pool", 0, R, seen));
      }),
    }));
  });
});
