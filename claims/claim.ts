// Claim: a paper's headline comparison, as plain data. The models lie beside it in `models.moe`, one for each arm: ordinary files of
// the language, which `moe train` takes as well. What a claim means is here; how it is run, weighed and shown is in the other files.

/** One side of a comparison. */
export interface Arm {
  readonly name: string;
  /** In the claim's `models.moe`. */
  readonly model: string;
  /** The arm whose trained tensors are measured under this model: an intervention after training. Absent: it is trained itself. */
  readonly weights?: string;
}

/**
 * What is measured on all held-out data, in inference.
 * `metric NAME`: the mean of a metric or of a loss with a name. `violation`: largest load / mean load - 1 (MaxVio of arXiv 2408.15664),
 * the mean over routers; 0 is even. `calls`: true experts that work on a token, summed over the model's routers. `nulls`: the share of
 * picks that are null experts. `arithmetic`: multiply-adds for a token, as the planner counts them, with the picks that were really made.
 * `specialisation NAME`: how much an expert tells of the modality NAME (specialisation.ts), the mean over routers; 0 is nothing, 1 all.
 */
export type Measure =
  `metric ${string}` | `specialisation ${string}` | "violation" | "calls" | "nulls" | "arithmetic";

/** What the paper predicts of the arm, against the other. `lower`, `higher`: there is a difference; the rest: there is none that is
 * worse than `margin`, a share of the other arm's value. */
export type Prediction =
  | { readonly expect: "lower" | "higher" }
  | { readonly expect: "no higher" | "no lower" | "equal"; readonly margin: number };

export type Comparison = Prediction & {
  readonly measure: Measure;
  readonly arm: string;
  readonly against: string;
  /** Changes are compared: the arm less this one, the other less that one. */
  readonly from?: { readonly arm: string; readonly against: string };
};

export interface Claim {
  /** The folder's name. */
  readonly name: string;
  readonly title: string;
  /** What the paper says, in a sentence. */
  readonly says: string;
  /** The paper's own numbers, at its own size. */
  readonly paper: string;
  readonly source: string;
  /** Names of entries of the standard library whose pages show it. */
  readonly entries: readonly string[];
  /** What it is tried on, in a few words. */
  readonly data: string;
  /** What the paper leaves open or has larger, what was taken here, and why. */
  readonly choices?: string;
  /** `equal arithmetic`: arms may differ in their steps, and all of training takes as many multiply-adds (table.ts has the tolerance).
   * Absent: arms have the same steps. Data and batches are the same in any case. */
  readonly at?: "equal arithmetic";
  readonly arms: readonly Arm[];
  /** Initial values, the order of the data and all randomness; every arm gets each. */
  readonly seeds: readonly number[];
  readonly comparisons: readonly Comparison[];
}

export const armOf = (claim: Claim, name: string): Arm => {
  const arm = claim.arms.find((each) => each.name === name);
  if (arm === undefined) throw new Error(`internal: the claim ${claim.name} has no arm ${name}`);
  return arm;
};
