// How many places an expert has and who takes them: the numbers that released codes give for ten tokens and four experts, the queues of six tokens,
// and what must hold exactly where there are few places or none. Formulas for any numbers are in domains-capacity.test.ts.

import { describe, expect, test } from "vitest";
import { onSix, six } from "../helpers/known-answers.ts";
import { runMechanism, type Mechanism } from "../helpers/mechanism.ts";
import { noiseRows } from "../helpers/plain-networks.ts";
import {
  added,
  columnMeans,
  counts,
  dot,
  largest,
  range,
  softmax,
  times,
  type Rows,
} from "../helpers/plain.ts";

const identity = (n: number): Rows => range(n).map((i) => range(n).map((j) => (i === j ? 1 : 0)));

describe("places of ten tokens and four experts", () => {
  /** Ten tokens that all want expert 0, and then expert 1: how many it takes. */
  const places = (name: string, apply: string, more: Partial<Mechanism> = {}): number =>
    runMechanism({
      text: `import std.${name}`,
      apply: `${apply}(x)`,
      width: 1,
      batch: 2,
      length: 5,
      mode: "inference",
      on: "double",
      ...more,
      tensors: { x: new Array<number>(10).fill(1), ...(more.tensors ?? { w: [1, 0, 0, 0] }) },
    }).load[0]!;
  const router = { experts: 4 };
  const factors = [1, 1.25, 2];
  test.each([
    ["routers", "Switch", "", [3, 4, 5]],
    ["routers", "RandomSecond", "", [3, 4, 5]],
    ["capacity", "DrawnPlaces", "", [4, 4, 5]],
    ["capacity", "KeptTopK", ", least = 1", [5, 7, 10]],
    ["capacity", "Prioritised", "", [4, 4, 8]],
  ])("factors 1, 1.25 and 2: std.%s %s%s", (file, name, settings, wanted) => {
    const apply = (factor: number): string => `${name} { N = 4, factor = ${factor}${settings} }`;
    expect(factors.map((factor) => places(`${file} { ${name} }`, apply(factor), router))).toEqual(wanted);
  });
  test("a layer of an encoder rounds down, without a least number", () => {
    const layer = { out: 1, tensors: { "switchfeedforward.w": [1, 0, 0, 0], bias: [0, 0, 0, 0] } };
    const apply = (factor: number): string => `SwitchFeedForward(1, 2, 4, factor = ${factor})`;
    const found = factors.map((factor) => places("capacity { SwitchFeedForward }", apply(factor), layer));
    expect(found).toEqual([2, 3, 5]);
  });
  test("a gate by direction: k times a number that was rounded down, twelve places for ten tokens", () => {
    const tensors = {
      project: [1, 0, 0, 0],
      project_bias: [0, 0, 0, 0],
      expert_point: identity(4),
      scale: [1],
    };
    const found = (k: number): number[] =>
      factors.map((factor) => {
        const apply = `ScaledCosine { N = 4, R = 4, k = ${k}, factor = ${factor} }`;
        return places("routers { ScaledCosine }", apply, { ...router, tensors });
      });
    expect(found(1)).toEqual([3, 3, 6]);
    expect(found(2)).toEqual([6, 6, 10]);
  });
  test("two choices: six in training, a share of the tokens at inference", () => {
    const two = (settings: string, mode: "training" | "inference"): number =>
      places("capacity { TwoChoices }", `TwoChoices { N = 4${settings} }`, { ...router, mode });
    expect(two("", "training")).toBe(6);
    expect(two("", "inference")).toBe(3);
    expect(two(", fraction = 1", "inference")).toBe(10);
  });
});

test.each([1, 2, 3, 4, 5])(
  "six tokens wait in one queue for each expert, second choices behind all first ones: %d places",
  (places) => {
    const choices = [
      [0, 1],
      [0, 1],
      [1, 2],
      [0, 2],
      [0, 1],
      [2, 0],
    ];
    const queue = [
      [0, 1],
      [1, 2],
      [0, 1],
      [2, 2],
      [3, 3],
      [0, 4],
    ];
    const { picks } = onSix(
      "import std.capacity { TwoChoices }",
      `TwoChoices { N = 3, fraction = ${places} / 6 }(x)`,
    );
    expect(picks).toEqual(choices.map((row, t) => row.map((e, i) => (queue[t]![i]! < places ? e : -1))));
  },
);

test("jitter reaches the router alone: the expert sees the token as it is", () => {
  const text = `import std.routers { Switch }
expert Same(D)(x: [D]) -> [D] {
  x
}
layer Jittered(x: [3]) -> [3] {
  pool = Same(3) * 2
  pool(x) by Switch { factor = 2, epsilon = 0.5 }
}`;
  runMechanism({ text, apply: "Jittered(x)", width: 3 }, ({ x, matrix, draws }) => {
    const p = x.map((row, t) => {
      const seen = row.map((value, d) => value * (1 + 0.5 * (2 * draws[0]![3 * t + d]! - 1)));
      return softmax(times(seen, matrix("w", 2)));
    });
    const f = counts(
      p.map((row) => largest(row, 1)),
      2,
    ).map((count) => count / x.length);
    return {
      out: x.map((row, t) => row.map((value) => Math.max(...p[t]!) * value)),
      losses: { balance: 0.01 * 2 * dot(f, columnMeans(p)) },
    };
  });
});

test("fewer tokens than experts, rounded down: nobody has a place, and every token passes, scaled", () => {
  const mechanism: Mechanism = {
    text: "import std.capacity { SwitchFeedForward }",
    apply: "SwitchFeedForward(3, 2, 8)(x)",
    width: 3,
  };
  const { load } = runMechanism(mechanism, ({ x, matrix, tensor }) => {
    const p = x.map((row) => softmax(added(times(row, matrix("switchfeedforward.w", 8)), tensor("bias"))));
    const f = counts(
      p.map((row) => largest(row, 1)),
      8,
    ).map((count) => count / x.length);
    return {
      out: x.map((row, t) => row.map((value) => Math.max(...p[t]!) * value)),
      picks: x.map(() => [-1]),
      losses: { balance: 0.01 * 8 * dot(f, columnMeans(p)) },
    };
  });
  expect(load).toEqual(range(8).map(() => 0));
});

test("an answer that is left out keeps its place, and nobody else gets it", () => {
  const run = (p: number) =>
    runMechanism({
      text: "import std.masking { MaskedExperts }\nimport std.capacity { KeptTopK }",
      apply: `MaskedExperts(3, 2, 4, Router = KeptTopK { factor = 0.5, least = 1 }, p_eom = ${p})(x)`,
      width: 3,
      length: 5,
      on: "double",
    });
  const [all, few] = [run(0), run(0.9)];
  expect(all.picks.flat()).toContain(-1);
  expect(few.picks).toEqual(all.picks);
  expect(few.load).toEqual(all.load);
  expect(few.losses["balance"]).toBe(all.losses["balance"]);
  expect(few.out).not.toEqual(all.out);
});

test("known answer: what six tokens give to a slot, a softmax over tokens, and what they take, one over slots", () => {
  // A token is an eighth of its logits, a mark of its own, and what makes its length 1, so that 8 times the cosines are the logits.
  const x = six.map((row, t) => {
    const logits = row.map((value) => value / 8);
    return [
      ...logits,
      ...range(6).map((u) => (u === t ? 0.5 : 0)),
      Math.sqrt(1 - 0.25 - dot(logits, logits)),
    ];
  });
  const text = `import std.layers { SoftMixture }
expert Gain(D, H)(x: [D]) -> [D] {
  param gain: []
  gain * x
}`;
  const { out } = runMechanism({
    text,
    apply: "SoftMixture(10, 3, Ffn = Gain)(x)",
    width: 10,
    batch: 1,
    length: 6,
    tensors: { x, place: identity(10).map((row) => row.slice(0, 3)), scale: [8], gain: [1, 0, 0] },
  });
  const given = [0.254857, 0.154579, 0.034491, 0.420189, 0.093757, 0.042128];
  const taken = [0.665241, 0.628532, 0.090031, 0.766157, 0.367165, 0.054497];
  out.forEach((row, t) =>
    given.forEach((share, u) => expect(2 * row[3 + u]!).toBeCloseTo(taken[t]! * share, 5)),
  );
});

describe("who sees whom", () => {
  test("tokens for parts: over the batch, what a sequence takes depends on its neighbours; over experts it does not", () => {
    const logs = (p: number): readonly number[] => [Math.log(p), Math.log(1 - p)];
    const taken = (neighbours: readonly number[], ofToken: boolean): number[] => {
      const { picks } = runMechanism({
        text: "import std.heads { TokensForParts }",
        apply: `TokensForParts { N = 2, k = 2, of_token = ${ofToken} }(x)`,
        width: 2,
        experts: 2,
        length: 2,
        on: "double",
        tensors: { x: [0.6, 0.7, ...neighbours].map(logs), w: identity(2), bias: [0, 0] },
      });
      return range(2).filter((t) => picks[t]![0] === 0);
    };
    // .6 / (.6 + .1) and .7 / (.7 + .9); then .6 / (.6 + .9) and .7 / (.7 + .1).
    expect(taken([0.1, 0.9], false)).toEqual([0]);
    expect(taken([0.9, 0.1], false)).toEqual([1]);
    expect(taken([0.1, 0.9], true)).toEqual([1]);
    expect(taken([0.9, 0.1], true)).toEqual([1]);
  });
  const sequence = `import std.adapters { MixedProjection, SequenceGate }
layer Mixed(T)(x: [T, 2]) -> [T, 2] {
  q = SequenceGate(2, 2)(x)
  MixedProjection(2, 2, N = 2, R = 1, dropout = 0)(x, q)
}`;
  test.each<[string, string, string, Partial<Mechanism>]>([
    [
      "parts that take tokens",
      "import std.heads { TokensForParts }",
      "TokensForParts { N = 2, of_token = true }",
      { experts: 2, tensors: { w: identity(2), bias: [0, 0] } },
    ],
    [
      "experts that choose",
      "import std.routers { ExpertChoice }",
      "ExpertChoice { N = 2, capacity_factor = 1 }",
      { experts: 2, tensors: { w: identity(2) } },
    ],
    ["soft slots", "import std.layers { SoftMixture }", "SoftMixture(2, 2)", {}],
    ["one gate for a text", sequence, "Mixed", { tensors: { "sequencegate.w": identity(2) } }],
  ])("%s: a later token changes what earlier ones get, another text does not", (_, text, apply, more) => {
    const run = (last: readonly number[], next: Rows): Rows =>
      runMechanism({
        text,
        apply: `${apply}(x)`,
        width: 2,
        length: 4,
        on: "double",
        ...more,
        tensors: { ...more.tensors, x: [...noiseRows(3, 3, 2), last, ...next] },
      }).out.slice(0, 3);
    const one = run([-9, 9], noiseRows(4, 4, 2));
    expect(run([9, -9], noiseRows(4, 4, 2))).not.toEqual(one);
    expect(run([-9, 9], noiseRows(5, 4, 2))).toEqual(one);
  });
});
