// The controller of a loss's coefficient, step by step: its states are carried from one step to the next, as a run carries them.

import { describe, expect, test } from "vitest";
import { runMechanism } from "../helpers/mechanism.ts";

describe("a factor that follows what it holds down", () => {
  /** The factor at each step, when the value of each step is given. States are carried from step to step. */
  function factors(values: readonly number[], constant = 4): number[] {
    const text = `import std.sparsity { Follower }
layer Probe(D)(x: [D]) -> [D] {
  factor = Follower { start = 0.5, constant = ${constant}, every = 2 }(mean(mean(x) over tokens))
  0 * x + factor
}`;
    let tensors: Record<string, readonly number[]> = {
      "probe.follower.from": [0.5],
      "probe.follower.to": [0.5],
      "probe.follower.total": [0],
      "probe.follower.earlier": [0],
    };
    return values.map((value, step) => {
      const mechanism = { text, apply: "Probe(x)", width: 1, batch: 1, length: 1, on: "double" } as const;
      const found = runMechanism({ ...mechanism, step, tensors: { x: [value], ...tensors } });
      tensors = found.states;
      return found.out[0]![0]!;
    });
  }
  test.each([
    [
      "constant at first, then by the ratio of two windows, spread over the next",
      [1, 1, 2, 2, 2, 2, 2, 2],
      [1, 1, 1, 1, 1, 1.5, 2, 2],
    ],
    [
      "a rise counts for at least 1.025",
      [1, 1, 1, 1.002, 1, 1, 1, 1],
      [1, 1, 1, 1, 1, 1.0125, 1.025, 1.025 * (1 - 0.0005 / 1.001)],
    ],
    ["a fall lowers it", [4, 4, 2, 2, 1, 1, 1, 1], [1, 1, 1, 1, 1, 0.75, 0.5, 0.375]],
    ["at most four times the start", [1, 1, 9, 9, 90, 90, 90, 90], [1, 1, 1, 1, 1, 2.5, 4, 4]],
  ])("%s", (_, values, wanted) => {
    factors(values).forEach((value, step) =>
      expect(value / 0.5, `step ${step}`).toBeCloseTo(wanted[step]!, 5),
    );
  });
  test.each([0, 1, 2, 3])(
    "two windows pass before the first ratio, if %d steps are to be constant",
    (constant) => {
      const values = [1, 1, 2, 2, 1, 1, 1, 1];
      expect(factors(values, constant)).toEqual(factors(values, 4));
    },
  );
});
