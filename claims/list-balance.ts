// Claims: what keeps the load even and training stable.

import type { Claim } from "./claim.ts";
import { documents, seeds, text } from "./settings.ts";

export const balanceClaims: readonly Claim[] = [
  {
    name: "loss-free",
    title: "A bias balances better than a loss",
    says: "A bias on the choice, moved after every step, evens the load more than an auxiliary loss does, at no loss of quality.",
    paper: "1B parameters: MaxVio 0.72 → 0.04, perplexity 9.56 → 9.50.",
    source: "Wang et al., arXiv 2408.15664",
    entries: ["LossFree", "Balance"],
    data: text,
    choices:
      "The loss weighs 0.001, as in the paper; the bias moves by 5e-3 in the place of 1e-3, because there are 400 steps.",
    arms: [
      { name: "auxiliary loss", model: "Auxiliary" },
      { name: "bias", model: "Bias" },
    ],
    seeds,
    comparisons: [
      { measure: "violation", arm: "bias", against: "auxiliary loss", expect: "lower" },
      {
        measure: "metric prediction",
        arm: "bias",
        against: "auxiliary loss",
        expect: "no higher",
        margin: 0.01,
      },
    ],
  },
  {
    name: "noisy-balance",
    title: "Without balance few experts do all",
    says: "Without losses of importance and load, gates send most tokens to few experts, and quality suffers.",
    paper: "An even load and a lower perplexity with any of the losses; no number could be verified.",
    source: "Shazeer et al., arXiv 1701.06538, table 6",
    entries: ["NoisyTopK", "SquaredVariation", "Chance"],
    data: text,
    choices:
      "Four of 64 narrow experts: the paper has 256 for its four, and a few that do all leave most idle only where most are many. Coefficients of 0.1, one of the paper’s settings.",
    arms: [
      { name: "without losses", model: "WithoutLosses" },
      { name: "with both losses", model: "WithLosses" },
    ],
    seeds,
    comparisons: [
      { measure: "violation", arm: "with both losses", against: "without losses", expect: "lower" },
      { measure: "metric prediction", arm: "with both losses", against: "without losses", expect: "lower" },
    ],
  },
  {
    name: "z-loss",
    title: "A loss that keeps logits small",
    says: "A loss on the size of the router’s logits keeps them small at a high rate, at no loss of quality.",
    paper: "No number here: it settles unstable training and makes quality slightly better.",
    source: "Zoph et al., ST-MoE, arXiv 2202.08906",
    entries: ["ZLoss"],
    data: text,
    choices:
      "`size` is the loss without its coefficient, the mean of the layers. Coefficient 0.001 as in the paper, and four times the rate of the other claims; numbers have 32 bits, so that what the paper sees in 16 cannot show.",
    arms: [
      { name: "without", model: "Without" },
      { name: "with", model: "With" },
    ],
    seeds,
    comparisons: [
      { measure: "metric size", arm: "with", against: "without", expect: "lower" },
      { measure: "metric prediction", arm: "with", against: "without", expect: "no higher", margin: 0.01 },
    ],
  },
  {
    name: "null-bucket",
    title: "Nulls share a bucket",
    says: "A balance that asks the same of every null expert predicts worse than one that pools them.",
    paper: "No number here.",
    source: "Zeng et al., AdaMoE, arXiv 2406.13233",
    entries: ["NullAware", "CountBalance"],
    data: text,
    choices: "As in the claim about null experts.",
    arms: [
      { name: "pooled", model: "Nulls" },
      { name: "apart", model: "NullsApart" },
    ],
    seeds: [1, 2, 3],
    comparisons: [{ measure: "metric prediction", arm: "apart", against: "pooled", expect: "higher" }],
  },
  {
    name: "relaxed-balance",
    title: "Balance where devices need it",
    says: "A strong balance inside of the parts of groups and a weak one of all experts leave groups as even and experts less even than a strong one of all, at no loss of quality.",
    paper: "No number: the paper has none.",
    source: "Yi-Lightning, arXiv 2412.01253",
    entries: ["Partitioned", "PartBalance"],
    data: text,
    choices:
      "The paper’s proportions, ten times as strong for 400 steps. Which tokens are a part’s is not said: here those whose best expert is in it; with all tokens the terms of groups and parts would be those of all experts again. `uneven` is the largest load of four groups over the mean, less 1.",
    arms: [
      { name: "strong", model: "Strong" },
      { name: "relaxed", model: "Relaxed" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric uneven", arm: "relaxed", against: "strong", expect: "no higher", margin: 0.5 },
      { measure: "violation", arm: "relaxed", against: "strong", expect: "higher" },
      { measure: "metric prediction", arm: "relaxed", against: "strong", expect: "no higher", margin: 0.01 },
    ],
  },
  {
    name: "sequence-scope",
    title: "Balance of a batch, not of every sequence",
    says: "A loss that evens the load in every sequence predicts worse than one for the batch or a bias, which are equal, and keeps experts from domains.",
    paper:
      "Validation loss at 1B parameters: by sequence 2.258, by batch 2.253, by bias 2.253; at 3B 2.085, 2.080, 2.080. Experts' loads differ more among domains with a bias.",
    source: "DeepSeek-V3, arXiv 2412.19437",
    entries: ["SequenceBalance", "Balance", "LossFree"],
    data: documents,
    choices:
      "Sigmoid scores in all arms. Both losses weigh 0.1, as in the claim about balance inside documents; the bias moves by 5e-3, because there are 400 steps.",
    arms: [
      { name: "batch", model: "OfBatch" },
      { name: "sequence", model: "OfSequence" },
      { name: "bias", model: "Bias" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "sequence", against: "batch", expect: "higher" },
      { measure: "metric prediction", arm: "batch", against: "bias", expect: "equal", margin: 0.01 },
      { measure: "specialisation domain", arm: "bias", against: "sequence", expect: "higher" },
    ],
  },
];
