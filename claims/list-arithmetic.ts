// Claims at equal arithmetic: arms train on the same data for as many multiply-adds, not for as many steps.

import type { Claim } from "./claim.ts";
import { branches, text } from "./settings.ts";

export const arithmeticClaims: readonly Claim[] = [
  {
    name: "sparse-arithmetic",
    title: "Dense first, sparse later, at equal arithmetic",
    says: "What a gate that is dense at first costs is worth it: at equal arithmetic experts behind it predict better than one expert each from the first step, grown from one or not.",
    paper: "No number here: ahead of Switch, BASE, Hash and StableMoE by the paper’s account.",
    source: "Nie et al., EvoMoE, arXiv 2112.14397",
    entries: ["DenseToSparse"],
    data: text,
    choices:
      "As in the claim about equal steps, but dense for 100 steps. The grown arm has one expert for 100 of 300 steps; steps of the others were set after the first seed.",
    at: "equal arithmetic",
    arms: [
      { name: "1 of 8", model: "Sparse" },
      { name: "grown", model: "Evolving" },
      { name: "not grown", model: "GateAlone" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric prediction", arm: "grown", against: "1 of 8", expect: "lower" },
      { measure: "metric prediction", arm: "not grown", against: "1 of 8", expect: "lower" },
    ],
  },
  {
    name: "branches-arithmetic",
    title: "Branches bring their attention, at equal arithmetic",
    says: "Attention that becomes experts costs more for a token than attention that is averaged, and is better at the same arithmetic, too.",
    paper:
      "590M parameters, at equal tokens: mean perplexity 10.72 averaged, 10.32 to 10.46 with common keys and values, 9.70 to 10.00 with own ones; ahead within the same compute, too.",
    source:
      "Zhang et al., BAM, arXiv 2408.08274; averaged: Sukhbaatar et al., Branch-Train-MiX, arXiv 2403.07816",
    entries: ["AttentionExperts", "AttendAndMix"],
    data: branches,
    choices:
      "As in the claim about branches; the mixture is trained for 150 steps where keys are each expert's own, longer where attention is cheaper.",
    at: "equal arithmetic",
    arms: [
      { name: "averaged", model: "Averaged" },
      { name: "common keys", model: "SharedKeys" },
      { name: "own keys", model: "OwnKeys" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric prediction", arm: "common keys", against: "averaged", expect: "lower" },
      { measure: "metric prediction", arm: "own keys", against: "averaged", expect: "lower" },
    ],
  },
];
