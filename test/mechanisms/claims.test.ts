// What must hold exactly of the routers and layers that the field builds on, and known answers: six tokens of three logits whose choices,
// losses and weights were computed by hand. Formulas for any numbers are in routers.test.ts and layers.test.ts.

import { describe, expect, test } from "vitest";
import { signedNumbers } from "../helpers/differential.ts";
import { identity, onSix, six } from "../helpers/known-answers.ts";
import { runMechanism, type Found, type Mechanism } from "../helpers/mechanism.ts";
import { columnMeans, mean, sum, type Rows } from "../helpers/plain.ts";

const std = (name: string): string => `import std.routers { ${name} }`;
const noiseRows = (seed: number, rows: number, columns: number): Rows =>
  Array.from({ length: rows }, (_, i) => [...signedNumbers(seed * 100 + i, columns)]);
const expectRows = (actual: Rows, wanted: Rows, digits: number): void => {
  expect(actual.length).toBe(wanted.length);
  actual.forEach((row, i) =>
    row.forEach((value, j) => expect(value, `${i}, ${j}`).toBeCloseTo(wanted[i]![j]!, digits)),
  );
};

describe("balance losses", () => {
  test("known answers: one choice, two choices, logits", () => {
    const one = onSix(std("TopK"), "TopK { N = 3, k = 1, balance = 1, z_loss = 1 }(x)");
    expect(one.losses["balance"]).toBeCloseTo(1.142906, 5);
    expect(one.losses["z"]).toBeCloseTo(6.130344, 5);
    const two = onSix(std("TopK"), "TopK { N = 3, balance = 1 }(x)");
    expect(2 * two.losses["balance"]!).toBeCloseTo(2.060739, 5);
  });
  test("known answers: importance and load", () => {
    const text = `import std.losses { Chance, SquaredVariation }
router Probe(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  z = x @ w
  p = softmax(z)
  choose top 1 of z
  bar = min(if chosen > 0 then z else inf)
  metric importance = SquaredVariation(sum(p over tokens))
  metric unbiased = SquaredVariation { correction = 1 }(sum(p over tokens))
  metric of_logits = SquaredVariation(sum(Chance(z, 0 * z + bar, 0 * z + 1 / 3) over tokens))
  metric of_chances = SquaredVariation { correction = 1 }(sum(Chance(p, 0 * z + bar, 0 * z + 1 / 3) over tokens))
}`;
    const { losses } = onSix(text, "Probe { N = 3 }(x)");
    expect(losses["importance"]).toBeCloseTo(0.043599, 5);
    expect(losses["unbiased"]).toBeCloseTo(0.065399, 5);
    expect(losses["of_logits"]).toBeCloseTo(0.205601, 5);
    expect(losses["of_chances"]).toBeCloseTo(0.101732, 5);
  });
  test.each([
    "Switch { N = 3, epsilon = 0, balance = 0.02, factor = 3 }",
    "TopK { N = 3, k = 1, balance = 0.02 }",
  ])("an even load gives the coefficient, whatever the probabilities: %s", (apply) => {
    const x = [5, 0.3, 1, 2, 0.1, 4].map((value, t) => [0, 1, 2].map((e) => (e === t % 3 ? value : 0)));
    const { load, losses } = onSix(std(apply.split(" ")[0]!), `${apply}(x)`, { tensors: { x, w: identity } });
    expect(load).toEqual([2, 2, 2]);
    expect(losses["balance"]).toBeCloseTo(0.02, 10);
  });
});

describe("capacity", () => {
  const kept = ({ picks }: Found): number[] => picks.flatMap(([e], t) => (e! >= 0 ? [t] : []));
  test("two places for each: the first come, or the surest", () => {
    expect(
      kept(onSix(std("Switch"), "Switch { N = 3, epsilon = 0, factor = 1 }(x)", { on: "wasm" })),
    ).toEqual([0, 1, 2, 5]);
    const text = `router Surest(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  choose top 1 of softmax(x @ w)
  capacity tokens / N drop lowest
}`;
    expect(kept(onSix(text, "Surest { N = 3 }(x)", { on: "wasm" }))).toEqual([0, 2, 3, 5]);
  });
  test("first come, first served: later tokens take nothing from earlier ones", () => {
    const x = noiseRows(1, 12, 3);
    const picks = (length: number): Rows =>
      onSix(std("Switch"), `Switch { N = 3, epsilon = 0, factor = ${6 / length} }(x)`, {
        length,
        tensors: { x: x.slice(0, length), w: identity },
      }).picks;
    const all = picks(12);
    expect(all.flat()).toContain(-1);
    expect(all.slice(0, 6)).toEqual(picks(6));
  });
  test.each([
    ["factor * tokens / N", [3, 4, 5]],
    ["floor(factor * ceil(tokens / N))", [3, 3, 6]],
    ["floor(factor * tokens / N)", [2, 3, 5]],
    ["max(4, ceil(factor * tokens / N))", [4, 4, 5]],
    ["ceil(2 * factor * tokens / N)", [5, 7, 10]],
    ["4 * ceil(factor * tokens / N / 4)", [4, 4, 8]],
  ])("of ten tokens and four experts: %s", (rule, wanted) => {
    const found = (drop: string): unknown =>
      [1, 1.25, 2].map((factor) => {
        const text = `router Capped(D, N, factor)(x: [D]) -> gates[N] {
  param w: [D, N]
  choose top 1 of x @ w
  capacity ${rule} ${drop}
}`;
        const mechanism = {
          text,
          apply: `Capped { N = 4, factor = ${factor} }(x)`,
          width: 1,
          experts: 4,
          batch: 2,
          length: 5,
        };
        return runMechanism({
          ...mechanism,
          on: "double",
          tensors: { x: new Array<number>(10).fill(1), w: [1, 0, 0, 0] },
        }).load[0];
      });
    expect(found("drop last")).toEqual(wanted);
    expect(found("drop lowest of x[0]")).toEqual(wanted);
  });
});

describe("top 2 with a random second", () => {
  const top2 = (factor: number): Found =>
    onSix(std("RandomSecond"), `RandomSecond { N = 3, factor = ${factor} }(x)`);
  const first = [0.731059, 0.731059, 0.731059, 0.817574, 0.524979, 0.942676];
  const chosen = [
    [0, 1],
    [0, 1],
    [1, 2],
    [0, 2],
    [0, 1],
    [2, 0],
  ];
  test("with four places the second expert of the last token is full, because all first choices came before", () => {
    const { picks, out } = top2(2);
    expect(picks).toEqual([...chosen.slice(0, 5), [2, -1]]);
    // Weights are of the pair as it was chosen.
    expectRows(
      out,
      chosen.map(([a, b], t) =>
        [0, 1, 2].map((e) => (e === a ? first[t]! : e === b && t < 5 ? 1 - first[t]! : 0)),
      ),
      5,
    );
  });
  test("with three places token 4 loses both, the last token its second", () => {
    expect(top2(1.5).picks).toEqual([...chosen.slice(0, 4), [-1, -1], [2, -1]]);
  });
  test("a second expert that is half as likely or more is always taken in training", () => {
    const x = [3, 2.9, 0, 0, 5, 4.9].map((value, t) => [value, value + (t % 2) * 0.5, -20]);
    for (const seed of [1, 2, 3]) {
      const apply = "RandomSecond { N = 3, factor = 6 }(x)";
      const { picks } = onSix(std("RandomSecond"), apply, {
        mode: "training",
        seed,
        tensors: { x, w: identity },
      });
      // 2 g2 = 1 where both are equal, 0.76 where they are e^0.5 apart.
      picks.forEach((row, t) => t % 2 === 0 && expect(row).toEqual([0, 1]));
      expect(picks.flat()).not.toContain(2);
    }
  });
});

describe("experts choose", () => {
  test("known answer: two tokens each, token 1 by nobody, token 4 twice", () => {
    const { picks } = onSix(std("ExpertChoice"), "ExpertChoice { N = 3, capacity_factor = 1 }(x)");
    const chosen = [0, 1, 2].map((e) => picks.flatMap((row, t) => (row[e]! >= 0 ? [t] : [])));
    expect(chosen).toEqual([
      [0, 3],
      [2, 4],
      [4, 5],
    ]);
  });
  test("every expert has exactly C tokens of every sequence", () => {
    const { picks, load } = runMechanism({
      text: std("ExpertChoice"),
      on: "double",
      apply: "ExpertChoice { N = 4, capacity_factor = 2 }(x)",
      width: 3,
      experts: 4,
      batch: 3,
      length: 5,
    });
    expect(load).toEqual([9, 9, 9, 9]);
    for (const b of [0, 1, 2])
      for (const e of [0, 1, 2, 3])
        expect(picks.slice(5 * b, 5 * b + 5).filter((row) => row[e] === e)).toHaveLength(3);
  });
});

test("sigmoid: known weights of the best", () => {
  const { out } = onSix(std("Sigmoid"), "Sigmoid { N = 3 }(x)");
  const wanted = [0.880797, 0.817574, 0.880797, 0.924142, 0.731059, 0.952574];
  expectRows(
    out.map((row) => [Math.max(...row)]),
    wanted.map((value) => [value]),
    5,
  );
});

describe("cosine", () => {
  const points = [
    [3, 0, 1],
    [4, 0, 1],
    [0, 2, 1],
  ];
  const one = (name: string, apply: string, more: Mechanism["tensors"]): Found =>
    onSix(std(name), apply, {
      length: 1,
      tensors: { x: [1, 2, 2], project: identity, expert_point: points, ...more },
    });
  test("known answer, over a temperature and times a scale", () => {
    const wanted = [[0.289367, 0.253246, 0.457387]];
    expectRows(one("Cosine", "Cosine { N = 3, R = 3, k = 3 }(x)", { temperature: [0.5] }).out, wanted, 5);
    const scaled = "ScaledCosine { N = 3, R = 3, k = 3, factor = 3 }(x)";
    expectRows(one("ScaledCosine", scaled, { scale: [Math.log(2)], project_bias: [0, 0, 0] }).out, wanted, 5);
  });
  test("the length of tokens and of experts does not matter", () => {
    const tensors = { project: noiseRows(2, 3, 3), expert_point: noiseRows(3, 3, 3), temperature: [0.2] };
    const at = (x: number, point: number): Found =>
      onSix(std("Cosine"), "Cosine { N = 3, R = 3 }(x)", {
        tensors: {
          ...tensors,
          x: six.map((row) => row.map((value) => value * x)),
          expert_point: tensors.expert_point.map((row) => row.map((value) => value * point)),
        },
      });
    expect(at(1024, 1).picks).toEqual(at(1, 1).picks);
    expectRows(at(1024, 1).out, at(1, 1).out, 9);
    expectRows(at(1, 64).out, at(1, 1).out, 9);
  });
  test("a scale beyond log 100 is log 100", () => {
    const at = (scale: number): Rows =>
      one("ScaledCosine", "ScaledCosine { N = 3, R = 3, k = 3, factor = 3 }(x)", {
        scale: [scale],
        project_bias: [0, 0, 0],
      }).out;
    expectRows(at(7), at(Math.log(100)), 5);
    expect(Math.abs(at(4)[0]![2]! - at(7)[0]![2]!)).toBeGreaterThan(1e-6);
  });
});

describe("noisy top k", () => {
  test("experts of equal weights cost nothing; at inference, nothing is drawn", () => {
    const x = [0, 1, 2, 0, 1, 2].map((e) => [0, 1, 2].map((i) => (i === e ? 2 : 0)));
    const { losses, load } = onSix(std("NoisyTopK"), "NoisyTopK { N = 3, k = 1 }(x)", {
      tensors: { x, w: identity },
    });
    expect(load).toEqual([2, 2, 2]);
    expect(losses["importance"]).toBeCloseTo(0, 12);
  });
  test("with no signal every expert has the same chance in the limit of much noise", () => {
    // Scores are all 0, so that each chance is Phi(-threshold / deviation), whatever the deviation.
    const run = (noise: number): number =>
      runMechanism({
        text: std("NoisyTopK"),
        on: "double",
        apply: "NoisyTopK { N = 3, k = 1, w_load = 1 }(x)",
        width: 1,
        experts: 3,
        batch: 1,
        length: 6,
        tensors: { x: new Array<number>(6).fill(1), w: [0, 0, 0], noise: [noise, noise, noise] },
      }).losses["load"]!;
    expect(run(3)).toBeCloseTo(run(-1), 6);
  });
});

describe("soft mixture", () => {
  const same = `import std.layers { SoftMixture }
expert Scale(D, H)(x: [D]) -> [D] {
  param gain: [D]
  x * gain
}`;
  const run = (x: Rows, gain: Rows, scale: number): Rows =>
    runMechanism({
      text: same,
      on: "double",
      apply: "SoftMixture(3, 2, slots = 2, Ffn = Scale)(x)",
      width: 3,
      batch: 1,
      length: 4,
      tensors: { x, gain, scale: [scale], place: noiseRows(9, 3, 4) },
    }).out;
  const x = noiseRows(4, 4, 3);
  const ones = [
    [1, 1, 1],
    [1, 1, 1],
  ];
  test("without a preference every slot is the mean of the tokens, and identical experts give it back", () => {
    expectRows(
      run(x, ones, 0),
      x.map(() => columnMeans(x)),
      9,
    );
  });
  test("identical tokens come back through identical experts, whatever the places", () => {
    const rows = x.map(() => x[0]!);
    expectRows(run(rows, ones, 3), rows, 7);
  });
  test("identical tokens give a weighted mean of the experts, the same for each", () => {
    const rows = x.map(() => x[0]!);
    const out = run(
      rows,
      [
        [1, 1, 1],
        [3, 3, 3],
      ],
      3,
    );
    const share = out[0]!.map((value, d) => value / x[0]![d]!);
    expect(share[0]).toBeGreaterThan(1);
    expect(share[0]).toBeLessThan(3);
    expectRows(
      out,
      x.map(() => x[0]!.map((value) => value * mean(share))),
      7,
    );
  });
  test("tokens in another order come out in that order", () => {
    const gains = noiseRows(5, 2, 3);
    const out = run(x, gains, 2);
    const order = [2, 0, 3, 1];
    expectRows(
      run(
        order.map((t) => x[t]!),
        gains,
        2,
      ),
      order.map((t) => out[t]!),
      9,
    );
  });
});

test("dense residual: a learned share that knows nothing is half and half", () => {
  const text = "import std.layers { DenseResidual }\nimport std.routers { TopK }";
  const tensors = { x: six, "router.w": noiseRows(6, 3, 2) };
  const run = (learned: boolean): Rows =>
    runMechanism({
      text,
      on: "double",
      apply: `DenseResidual(3, 2, H = 2, Router = TopK { k = 1 }, learned = ${learned})(x)`,
      width: 3,
      batch: 1,
      length: 6,
      tensors: { ...tensors, ...(learned ? { mix: [0, 0, 0, 0, 0, 0], mix_bias: [0, 0] } : {}) },
    }).out;
  expectRows(
    run(true).map((row) => row.map((value) => 2 * value)),
    run(false),
    9,
  );
  expect(sum(run(false)[0]!)).not.toBe(0);
});
