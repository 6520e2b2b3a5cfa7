// Statistics of paired runs. In: what two arms measured, seed by seed. Out: the mean difference with its standard error, and a verdict.
// The rule: a 95 % interval around the mean difference, mean ± t SE, with Student's t for n - 1 degrees of freedom. A difference
// shows when the interval lies on its side of 0, and that there is none when it lies within the margin. When the interval lies wholly
// where the prediction says that it does not, the verdict is the opposite; in between it does not show.

import type { Comparison, Prediction } from "./claim.ts";

export type Verdict = "shows" | "does not show" | "opposite";

export interface Effect {
  /** Mean of the arm less the other, over seeds. */
  readonly mean: number;
  readonly standardError: number;
  /** Half of the interval. */
  readonly reach: number;
  readonly seeds: number;
  /** Means of each arm. */
  readonly arm: number;
  readonly against: number;
}

/** Two-sided 95 % points of Student's distribution for 1 to 10 degrees of freedom; tables have them in every textbook. */
const students = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228] as const;

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Values of the same seeds in the same order, two at least. */
export function pairedEffect(arm: readonly number[], against: readonly number[]): Effect {
  const seeds = arm.length;
  const point = students[seeds - 2];
  if (seeds !== against.length || point === undefined)
    throw new Error(
      `internal: ${seeds} and ${against.length} runs are not 2 to ${students.length + 1} pairs`,
    );
  const differences = arm.map((value, i) => value - against[i]!);
  const mean = meanOf(differences);
  const variance = differences.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (seeds - 1);
  const standardError = Math.sqrt(variance / seeds);
  return {
    mean,
    standardError,
    reach: point * standardError,
    seeds,
    arm: meanOf(arm),
    against: meanOf(against),
  };
}

export function verdictOf(prediction: Prediction, { mean, reach, against }: Effect): Verdict {
  const [low, high] = [mean - reach, mean + reach];
  const margin = "margin" in prediction ? prediction.margin * Math.abs(against) : 0;
  switch (prediction.expect) {
    case "lower":
      return high < 0 ? "shows" : low > 0 ? "opposite" : "does not show";
    case "higher":
      return low > 0 ? "shows" : high < 0 ? "opposite" : "does not show";
    case "no higher":
      return high <= margin ? "shows" : low > margin ? "opposite" : "does not show";
    case "no lower":
      return low >= -margin ? "shows" : high < -margin ? "opposite" : "does not show";
    case "equal":
      if (low >= -margin && high <= margin) return "shows";
      return low > margin || high < -margin ? "opposite" : "does not show";
    default:
      return prediction satisfies never;
  }
}

/** A claim shows when all of its comparisons do; one opposite is enough for the opposite. */
export const overall = (verdicts: readonly Verdict[]): Verdict =>
  verdicts.includes("opposite")
    ? "opposite"
    : verdicts.every((verdict) => verdict === "shows")
      ? "shows"
      : "does not show";

export const predictionText = (comparison: Comparison): string =>
  "margin" in comparison
    ? `${comparison.expect} (within ${(100 * comparison.margin).toPrecision(2).replace(/\.0$/, "")} %)`
    : comparison.expect;
