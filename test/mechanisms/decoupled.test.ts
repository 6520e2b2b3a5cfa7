// One score that selects and another that weighs, against plain loops: weights, balance and its coefficient, and what must hold exactly.

import { describe, expect, test } from "vitest";
import { signedNumbers } from "../helpers/differential.ts";
import { runMechanism, type Found, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import {
  columnMeans,
  counts,
  dot,
  largest,
  logsumexp,
  mean,
  normalBelow,
  softmax,
  times,
  type Rows,
} from "../helpers/plain.ts";
import { gated } from "../helpers/plain-networks.ts";

const N = 4;
const routed = (apply: string, more: Partial<Mechanism> = {}): Mechanism => ({
  text: "import std.decoupled { ConcatenatedScale, GeneralAndRouted, ScaleAdapter }",
  apply,
  width: 3,
  experts: N,
  ...more,
});
const gelu = (x: number): number => x * normalBelow(x);

/** mean_i (c_i / T * P_i) */
const balanceOf = (picks: Rows, p: Rows): number =>
  dot(
    counts(picks, N).map((count) => count / picks.length),
    columnMeans(p),
  ) / N;

const adapter =
  (k: number) =>
  ({ x, matrix }: Given): Wanted => {
    const z = x.map((row) => times(row, matrix("w", N)));
    const p = z.map(softmax);
    const picks = p.map((row) => largest(row, k));
    const added = x.map((row) => times(row, matrix("adapter", N)));
    return {
      out: picks.map((chosen, t) =>
        p[t]!.map((value, e) => (chosen.includes(e) ? value + added[t]![e]! : 0)),
      ),
      picks,
      load: counts(picks, N),
      losses: { balance: 0.01 * balanceOf(picks, p) },
      metrics: { z: 1e-4 * mean(z.map((row) => logsumexp(row) ** 2)) },
    };
  };

describe("the adapter is added to the probability", () => {
  test.each([1, 2])("k = %d", (k) => {
    const apply = `ScaleAdapter { N = 4, k = ${k} }(x)`;
    runMechanism(routed(apply, { on: k === 2 ? "gpu" : "wasm" }), adapter(k));
  });

  const run = (adapterAt: readonly number[]): Found =>
    runMechanism(
      routed("ScaleAdapter { N = 4, k = 2 }(x)", { tensors: { adapter: adapterAt }, on: "double" }),
      adapter(2),
    );
  test("what is chosen, and the balance, do not depend on the adapter", () => {
    const [none, some] = [run(new Array<number>(12).fill(0)), run([...signedNumbers(5, 12)])];
    expect(some.picks).toEqual(none.picks);
    expect(some.losses["balance"]).toBe(none.losses["balance"]);
    expect(some.out).not.toEqual(none.out);
  });
  test("an adapter of zeros weighs by the probability", () => {
    const probability = `router Vanilla(D, N, k)(x: [D]) -> gates[N] {
  param w: [D, N]
  choose top k of softmax(x @ w)
}`;
    const [x, w] = [signedNumbers(1, 18), signedNumbers(2, 12)];
    const tensors = { x: [...x], w: [...w] };
    const plain = runMechanism({
      ...routed("Vanilla { N = 4, k = 2 }(x)", { tensors, on: "double" }),
      text: probability,
    });
    const zero = routed("ScaleAdapter { N = 4, k = 2 }(x)", {
      tensors: { ...tensors, adapter: new Array<number>(12).fill(0) },
      on: "double",
    });
    expect(runMechanism(zero).out).toEqual(plain.out);
  });
  test("weights may be negative, and nothing makes them sum to 1", () => {
    const { out } = runMechanism(
      routed("ScaleAdapter { N = 4, k = 2 }(x)", { tensors: { adapter: new Array<number>(12).fill(-3) } }),
    );
    expect(Math.min(...out.flat())).toBeLessThan(0);
    expect(Math.max(...out.flat())).toBeGreaterThan(1);
  });
  test("an even load costs the coefficient times k / N^2", () => {
    const x = [0, 1, 2, 3].map((e) => [0, 1, 2, 3].map((i) => (i === e ? 1 : 0)));
    const apply = "ScaleAdapter { N = 4 }(x)";
    const { load, losses } = runMechanism({
      ...routed(apply, { on: "double", tensors: { x, w: x } }),
      width: 4,
      batch: 1,
      length: 4,
    });
    expect(load).toEqual([1, 1, 1, 1]);
    expect(losses["balance"]).toBeCloseTo(0.01 / 16, 12);
  });
});

test("the concatenated variant weighs by a softmax of token and probabilities", () => {
  const apply = "ConcatenatedScale { N = 4, k = 2 }(x)";
  runMechanism(routed(apply, { on: "gpu" }), ({ x, matrix }) => {
    const p = x.map((row) => softmax(times(row, matrix("w", N))));
    const picks = p.map((row) => largest(row, 2));
    const share = x.map((row, t) => softmax(times([...row, ...p[t]!], matrix("mix", N))));
    return {
      out: picks.map((chosen, t) => share[t]!.map((value, e) => (chosen.includes(e) ? value : 0))),
      picks,
      load: counts(picks, N),
      losses: { balance: 0.01 * balanceOf(picks, p) },
    };
  });
});

describe("a general expert beside the routed ones", () => {
  test.each([0.5, 0])("of weight %d", (general) => {
    const apply = `GeneralAndRouted(3, 2, general = ${general})(x)`;
    const mechanism: Mechanism = { text: routed("").text, apply, width: 3, on: general > 0 ? "gpu" : "wasm" };
    runMechanism(mechanism, (given) => {
      const { x, matrix } = given;
      const router = adapter(1)({ ...given, matrix: (name, columns) => matrix(`router.${name}`, columns) });
      return {
        out: x.map((row, t) => {
          const e = router.picks![t]![0]!;
          const each = gated(
            given,
            "routed",
            2,
            e,
            gelu,
          )(row).map((value) => (1 - general) * router.out[t]![e]! * value);
          return general === 0
            ? each
            : each.map((value, d) => value + general * gated(given, "shared", 2, 0, gelu)(row)[d]!);
        }),
        losses: router.losses!,
        metrics: router.metrics!,
      };
    });
  });
});

test("the coefficient of the balance falls after 500 steps", () => {
  const text = "import std.decoupled { ScaleAdapter }";
  const at = (step: number): number => {
    const { losses } = runMechanism({
      text,
      apply: "ScaleAdapter { N = 4 }(x)",
      width: 3,
      experts: N,
      step,
      on: "double",
    });
    return losses["balance"]!;
  };
  expect(at(500)).toBe(at(0));
  expect(2 * at(501)).toBeCloseTo(at(0), 12);
});
