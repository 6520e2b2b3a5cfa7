// The bias that keeps loads even, with and without a zero mean, against plain loops: what moves, what drifts, what no choice sees.

import { describe, expect, test } from "vitest";
import { signedNumbers } from "../helpers/differential.ts";
import { runMechanism, type Found, type Given, type Mechanism, type Wanted } from "../helpers/mechanism.ts";
import { counts, largest, logsumexp, mean, sigmoid, sum, times, type Rows } from "../helpers/plain.ts";

const N = 4;
const step = (load: readonly number[], zeroMean: boolean): number[] => {
  const signs = load.map((count) => Math.sign(mean(load) - count));
  return signs.map((sign) => sign - (zeroMean ? mean(signs) : 0));
};
const lossFree =
  (zeroMean: boolean, told: (bias: readonly number[]) => void = () => {}) =>
  ({ x, matrix, tensor }: Given): Wanted => {
    const bias = tensor("bias");
    const s = x.map((row) => times(row, matrix("w", N)).map(sigmoid));
    const picks = s.map((row) =>
      largest(
        row.map((value, e) => value + bias[e]!),
        2,
      ),
    );
    const load = counts(picks, N);
    const next = step(load, zeroMean).map((value, e) => bias[e]! + 0.01 * value);
    told(next);
    return {
      out: picks.map((chosen, t) => {
        const total = sum(chosen.map((e) => s[t]![e]!));
        return s[t]!.map((value, e) => (chosen.includes(e) ? value / total : 0));
      }),
      picks,
      load,
      states: { bias: next },
    };
  };
const run = (
  zeroMean: boolean,
  tensors: Mechanism["tensors"] = {},
  told?: (bias: readonly number[]) => void,
): Found =>
  runMechanism(
    {
      text: "import std.routers { LossFree }",
      apply: `LossFree { N = 4, k = 2, rate = 0.01, zero_mean = ${zeroMean} }(x)`,
      width: 3,
      experts: N,
      length: 5,
      tensors,
      on: tensors["bias"] === undefined ? "gpu" : "double",
    },
    lossFree(zeroMean, told),
  );

describe("a bias without scores of its own", () => {
  test.each([false, true])("one step, zero mean: %s", (zeroMean) => {
    run(zeroMean);
  });
  /** The mean of the bias after twelve steps on other tokens each. */
  const walked = (zeroMean: boolean): number => {
    let bias: readonly number[] = [0, 0, 0, 0];
    for (let i = 0; i < 12; i++)
      run(
        zeroMean,
        { bias, x: [...signedNumbers(50 + i, 30)], w: [...signedNumbers(9, 12)] },
        (next) => (bias = next),
      );
    return mean(bias);
  };
  test("the mean of the bias stays 0 where steps have none, and drifts where they are signs", () => {
    expect(Math.abs(walked(true))).toBeLessThan(1e-7);
    expect(Math.abs(walked(false))).toBeGreaterThan(1e-3);
  });
  test("a bias that is the same for all changes no choice and no weight", () => {
    const bias = [0.25, -0.5, 0.125, 0];
    const tensors = { x: [...signedNumbers(5, 30)], w: [...signedNumbers(6, 12)] };
    const shifted = run(false, { ...tensors, bias: bias.map((value) => value + 8) });
    const plain = run(false, { ...tensors, bias });
    expect(shifted.picks).toEqual(plain.picks);
    expect(shifted.out).toEqual(plain.out);
  });
});

test("best groups with a bias of zero mean and a z-loss (Ling 2.0)", () => {
  const mechanism: Mechanism = {
    text: "import std.routers { GroupLimited }",
    apply:
      "GroupLimited { N = 8, k = 2, groups = 4, kept = 2, best = 2, rate = 1e-3, alpha = 0, zero_mean = true, z_loss = 3.5e-6 }(x)",
    width: 3,
    experts: 8,
    length: 5,
    on: "gpu",
  };
  runMechanism(mechanism, ({ x, matrix, tensor }) => {
    const bias = tensor("bias");
    const z = x.map((row) => times(row, matrix("w", 8)));
    const s = z.map((row) => row.map(sigmoid));
    const picks: Rows = s.map((row) => {
      const q = row.map((value, e) => value + bias[e]!);
      const groups = largest(
        [0, 1, 2, 3].map((g) => q[2 * g]! + q[2 * g + 1]!),
        2,
      );
      return largest(
        q.map((value, e) => (groups.includes(Math.floor(e / 2)) ? value : -Infinity)),
        2,
      );
    });
    const load = counts(picks, 8);
    return {
      out: picks.map((chosen, t) => {
        const total = sum(chosen.map((e) => s[t]![e]!));
        return s[t]!.map((value, e) => (chosen.includes(e) ? (2.5 * value) / total : 0));
      }),
      picks,
      load,
      losses: { balance: 0, z: 3.5e-6 * mean(z.map((row) => logsumexp(row) ** 2)) },
      states: { bias: step(load, true).map((value, e) => bias[e]! + 1e-3 * value) },
    };
  });
});
