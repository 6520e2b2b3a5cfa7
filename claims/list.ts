// The claims, in the order of the page.

import type { Claim } from "./claim.ts";

const seeds = [1, 2, 3, 4, 5] as const;
const text = "Bytes of a novel (examples/book), windows of 64; two layers of width 64.";
const digits = "Handwritten digits in 49 patches (examples/digits); two layers of width 48.";

export const claims: readonly Claim[] = [
  {
    name: "null-experts",
    title: "Null experts save calls",
    says: "With null experts among the choices, easy tokens take fewer true experts, at no loss of quality.",
    paper: "Mixtral, six tasks: mean accuracy 84.64 → 85.35 with 15.2 % fewer FLOPs.",
    source: "Zeng et al., AdaMoE, arXiv 2406.13233",
    entries: ["NullAware"],
    data: text,
    arms: [
      { name: "top 2 of 8", model: "TopTwo" },
      { name: "top 3 of 8 and 8 nulls", model: "Nulls" },
    ],
    seeds,
    comparisons: [
      { measure: "calls", arm: "top 3 of 8 and 8 nulls", against: "top 2 of 8", expect: "lower" },
      {
        measure: "metric prediction",
        arm: "top 3 of 8 and 8 nulls",
        against: "top 2 of 8",
        expect: "no higher",
        margin: 0.01,
      },
    ],
  },
  {
    name: "loss-free",
    title: "A bias balances better than a loss",
    says: "A bias on the choice, moved after every step, evens the load more than an auxiliary loss does, at no loss of quality.",
    paper: "1B parameters: MaxVio 0.72 → 0.04, perplexity 9.56 → 9.50.",
    source: "Wang et al., arXiv 2408.15664",
    entries: ["LossFree", "Balance"],
    data: text,
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
    name: "fine-grained",
    title: "Many small experts and a shared one beat few large ones",
    says: "Experts cut into four, one of the pieces shared, predict better at the same parameters and arithmetic.",
    paper: "2B parameters, 100B tokens: loss on the Pile 1.867 (2 of 16) → 1.808 (1 shared, 7 of 63).",
    source: "Dai et al., DeepSeekMoE, arXiv 2401.06066",
    entries: ["FineGrained"],
    data: text,
    arms: [
      { name: "2 of 8", model: "FewLarge" },
      { name: "1 shared, 7 of 31", model: "FineShared" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "1 shared, 7 of 31", against: "2 of 8", expect: "lower" },
    ],
  },
  {
    name: "shared-expert",
    title: "A shared expert cannot be replaced",
    says: "Switching the shared expert off and taking one more routed expert in its place costs much.",
    paper: "2B parameters: loss on the Pile 1.808 → 2.414.",
    source: "Dai et al., DeepSeekMoE, arXiv 2401.06066",
    entries: ["FineGrained"],
    data: text,
    arms: [
      { name: "1 shared, 3 of 15", model: "WithShared" },
      { name: "4 of 15", model: "WithoutShared", weights: "1 shared, 3 of 15" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "4 of 15", against: "1 shared, 3 of 15", expect: "higher" },
    ],
  },
  {
    name: "chain",
    title: "A chain of experts beats one step",
    says: "Two experts, then two of the same pool for what came out, predict better than four at once: as many calls.",
    paper: "Validation loss 1.20 → 1.12 at 1,000 steps.",
    source: "Wang et al., Chain-of-Experts, arXiv 2506.18945",
    entries: ["ChainOfExperts"],
    data: text,
    arms: [
      { name: "4 of 16", model: "OneStep" },
      { name: "2 of 16, twice", model: "TwoSteps" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "2 of 16, twice", against: "4 of 16", expect: "lower" },
    ],
  },
  {
    name: "expert-choice",
    title: "Experts that choose are balanced and learn faster",
    says: "Experts that take their best tokens have an even load by construction, and learn faster at the same arithmetic.",
    paper: "More than twice as fast to the same quality as top 2.",
    source: "Zhou et al., arXiv 2202.09368",
    entries: ["ExpertChoice"],
    data: digits,
    arms: [
      { name: "top 2 of 8", model: "TokenChoice" },
      { name: "experts choose", model: "ExpertsChoose" },
    ],
    seeds,
    comparisons: [
      { measure: "violation", arm: "experts choose", against: "top 2 of 8", expect: "lower" },
      { measure: "metric prediction", arm: "experts choose", against: "top 2 of 8", expect: "lower" },
    ],
  },
  {
    name: "soft-mixture",
    title: "Slots beat hard choices",
    says: "Experts that work on averages of tokens predict better than experts that are chosen, with as many slots as tokens.",
    paper: "Far ahead of tokens that choose and of experts that choose; no single number.",
    source: "Puigcerver et al., arXiv 2308.00951",
    entries: ["SoftMixture"],
    data: digits,
    arms: [
      { name: "top 1 of 7", model: "TokenChoice" },
      { name: "7 experts of 7 slots", model: "Slots" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "7 experts of 7 slots", against: "top 1 of 7", expect: "lower" },
    ],
  },
  {
    name: "top-p",
    title: "Experts by need cost less than two for all",
    says: "Taking experts until their probabilities pass 0.4 uses fewer than two of them, at no loss of quality.",
    paper: "1.76 experts on average against 2, and 0.7 points better on average.",
    source: "Huang et al., Harder Tasks Need More Experts, arXiv 2403.07652",
    entries: ["TopP", "Entropy"],
    data: text,
    arms: [
      { name: "top 2 of 8", model: "TopTwo" },
      { name: "until 0.4", model: "Threshold" },
    ],
    seeds,
    comparisons: [
      { measure: "calls", arm: "until 0.4", against: "top 2 of 8", expect: "lower" },
      {
        measure: "metric prediction",
        arm: "until 0.4",
        against: "top 2 of 8",
        expect: "no higher",
        margin: 0.01,
      },
    ],
  },
  {
    name: "chunk-sparse",
    title: "Losses on chunks make activation sparse",
    says: "Losses that make neighbouring tokens take the same few experts make a ReLU router sparse, at hardly any loss of quality.",
    paper: "0.1B parameters: idle experts 48.6 → 80.5 %, perplexity 14.85 → 14.88.",
    source: "Song et al., BlockFFN, arXiv 2507.08771",
    entries: ["ChunkSparse", "ChunkUnion", "Locality", "ReluRouter"],
    data: text,
    arms: [
      { name: "ReLU", model: "WithoutLosses" },
      { name: "ReLU and both losses", model: "WithLosses" },
    ],
    seeds,
    comparisons: [
      { measure: "calls", arm: "ReLU and both losses", against: "ReLU", expect: "lower" },
      {
        measure: "metric prediction",
        arm: "ReLU and both losses",
        against: "ReLU",
        expect: "no higher",
        margin: 0.01,
      },
    ],
  },
  {
    name: "dense-residual",
    title: "A fixed expert and a correction are as good as two experts",
    says: "A fixed expert with a routed one that corrects it is as good as two routed experts.",
    paper: "About equal, and more than 10 % faster.",
    source: "Rajbhandari et al., DeepSpeed-MoE, arXiv 2201.05596",
    entries: ["DenseResidual"],
    data: text,
    arms: [
      { name: "top 1 of 8", model: "TopOne" },
      { name: "top 2 of 8", model: "TopTwo" },
      { name: "fixed and top 1 of 8", model: "Residual" },
    ],
    seeds,
    comparisons: [
      {
        measure: "metric prediction",
        arm: "fixed and top 1 of 8",
        against: "top 2 of 8",
        expect: "equal",
        margin: 0.01,
      },
      {
        measure: "metric prediction",
        arm: "fixed and top 1 of 8",
        against: "top 1 of 8",
        expect: "lower",
      },
    ],
  },
  {
    name: "multi-gate",
    title: "A gate for each task",
    says: "For tasks that are only half alike, experts under a gate for each task err less than one shared bottom or one gate.",
    paper: "Plots, no single number: the lead over a shared bottom grows as tasks are less alike.",
    source: "Ma et al., MMoE, KDD 2018",
    entries: ["MultiGate", "Dense"],
    data: "Two regressions of 64 features by the paper's own rule, with a cosine of 0.5 between the tasks.",
    arms: [
      { name: "shared bottom", model: "SharedBottom" },
      { name: "one gate", model: "OneGate" },
      { name: "a gate for each", model: "MultiGate" },
    ],
    // A run takes a second.
    seeds: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    comparisons: [
      { measure: "metric error", arm: "a gate for each", against: "shared bottom", expect: "lower" },
      { measure: "metric error", arm: "a gate for each", against: "one gate", expect: "lower" },
    ],
  },
  {
    name: "noisy-balance",
    title: "Without balance few experts do all",
    says: "Without losses of importance and load, gates send most tokens to few experts, and quality suffers.",
    paper: "Largest over mean load 17.80 → 1.14, perplexity 39.8 → 35.6.",
    source: "Shazeer et al., arXiv 1701.06538, table 6",
    entries: ["NoisyTopK", "SquaredVariation", "Chance"],
    data: text,
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
];
