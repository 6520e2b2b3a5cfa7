// Claims about pools of documents: how few experts are enough, which, and over what the load is even.

import type { Claim } from "./claim.ts";
import { documents } from "./settings.ts";

export const poolClaims: readonly Claim[] = [
  {
    name: "document-eighths",
    title: "An eighth of the experts is enough for a domain",
    says: "Of experts that learned under pools a domain can do with an eighth, chosen on a few documents, where a model without pools loses much; chosen layer by layer it loses no more than chosen at once.",
    paper:
      "1T tokens: with 12.5 % kept about 3 points less, chosen greedily; a model without pools loses more than 10 with 25 %.",
    source: "EMO, arXiv 2605.06663",
    entries: ["DocumentPools", "DocumentPool", "Open"],
    data: documents,
    choices:
      "As in the claim about pools of documents, but four of 32 experts are kept for each domain, those with the most probability on its share of 128 documents; where layers are cut one after the other, the second is counted anew on as many. That choosing so is no worse is not said in the paper, which does nothing else.",
    arms: [
      { name: "no pools", model: "Unpooled" },
      { name: "no pools, at once", model: "AtOnce", weights: "no pools" },
      { name: "no pools, by layer", model: "Greedy", weights: "no pools" },
      { name: "pools", model: "Pooled" },
      { name: "pools, at once", model: "AtOnce", weights: "pools" },
      { name: "pools, by layer", model: "Greedy", weights: "pools" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      {
        measure: "metric prediction",
        arm: "pools, by layer",
        against: "no pools, by layer",
        from: { arm: "pools", against: "no pools" },
        expect: "lower",
      },
      {
        measure: "metric prediction",
        arm: "pools, by layer",
        against: "pools, at once",
        expect: "no higher",
        margin: 0.01,
      },
    ],
  },
  {
    name: "pool-balance",
    title: "Pools need a balance over many documents",
    says: "A load that has to be even inside of few documents works against their pools: experts tell less of domains, and the model predicts worse.",
    paper: "No number here: a balance of each small batch is unstable.",
    source: "EMO, arXiv 2605.06663",
    entries: ["DocumentPools", "Open"],
    data: documents,
    choices: "Sixteen documents of a step, or each of them by itself, the fewest there are; both weigh 0.1.",
    arms: [
      { name: "over the batch", model: "OfBatch" },
      { name: "inside documents", model: "OfDocument" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      {
        measure: "specialisation domain",
        arm: "inside documents",
        against: "over the batch",
        expect: "lower",
      },
      { measure: "metric prediction", arm: "inside documents", against: "over the batch", expect: "higher" },
    ],
  },
];
