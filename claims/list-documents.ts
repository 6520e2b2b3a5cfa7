// Claims about experts and domains, on documents whose domain is known.

import type { Claim } from "./claim.ts";
import { branches, documents, seeds } from "./settings.ts";

export const documentClaims: readonly Claim[] = [
  {
    name: "balance-scope",
    title: "Balance inside documents keeps experts from domains",
    says: "A balance loss inside every sequence makes experts take all domains alike; over the whole batch it lets them specialise, and predicts better.",
    paper:
      "Models of up to 42.8B parameters: better perplexity and tasks, and experts that follow domains; its abstract has no single number.",
    source: "Qiu et al., Demons in the Detail, arXiv 2501.11873",
    entries: ["Balance", "SequenceBalance"],
    data: documents,
    choices: "Both losses weigh 0.1: enough to balance, and the same value where the load is even.",
    arms: [
      { name: "over the batch", model: "Batch" },
      { name: "inside documents", model: "Document" },
    ],
    seeds,
    comparisons: [
      {
        measure: "specialisation domain",
        arm: "inside documents",
        against: "over the batch",
        expect: "lower",
      },
      {
        measure: "metric prediction",
        arm: "inside documents",
        against: "over the batch",
        expect: "higher",
      },
    ],
  },
  {
    name: "document-pools",
    title: "Pools of documents make experts parts that can be taken out",
    says: "Documents that draw their experts from a pool in training make experts follow domains, so that a quarter of them is nearly enough for a document, at no loss for the whole.",
    paper:
      "1T tokens: MMLU 42.4 → 42.8 with all experts; with a quarter kept about 1 point less, against more than 10 without pools.",
    source: "EMO, arXiv 2605.06663",
    entries: ["DocumentPools", "DocumentPool", "Open"],
    data: documents,
    choices:
      "One shared expert and four of 32; pools of four to all. A quarter kept: each document has eight experts at inference, those with the most probability in it, the same rule for both arms. Its later letters have a say in that, as in the paper's evaluations with pools.",
    arms: [
      { name: "no pools", model: "Open" },
      { name: "no pools, a quarter kept", model: "OpenCut", weights: "no pools" },
      { name: "pools", model: "Pooled" },
      { name: "pools, a quarter kept", model: "PooledCut", weights: "pools" },
    ],
    seeds,
    comparisons: [
      { measure: "specialisation domain", arm: "pools", against: "no pools", expect: "higher" },
      {
        measure: "metric prediction",
        arm: "pools, a quarter kept",
        against: "no pools, a quarter kept",
        from: { arm: "pools", against: "no pools" },
        expect: "lower",
      },
      { measure: "metric prediction", arm: "pools", against: "no pools", expect: "no higher", margin: 0.01 },
    ],
  },
  {
    name: "expert-domains",
    title: "Small experts and a shared one specialise",
    says: "Experts that are cut into four specialise more, and a shared one that takes what is common lets the others specialise further.",
    paper:
      "2B parameters: switching off the experts that tokens want most costs more than with large experts; plots.",
    source: "Dai et al., DeepSeekMoE, arXiv 2401.06066",
    entries: ["FineGrained"],
    data: documents,
    choices:
      "What experts tell of the domain stands for specialisation. More experts can tell more, all else equal: the comparison of eight with 32 has that in it, the one of 32 with 31 hardly.",
    arms: [
      { name: "2 of 8", model: "FewLarge" },
      { name: "8 of 32", model: "ManySmall" },
      { name: "1 shared, 7 of 31", model: "SharedSmall" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "specialisation domain", arm: "8 of 32", against: "2 of 8", expect: "higher" },
      { measure: "specialisation domain", arm: "1 shared, 7 of 31", against: "8 of 32", expect: "higher" },
      { measure: "metric prediction", arm: "1 shared, 7 of 31", against: "2 of 8", expect: "lower" },
    ],
  },
  {
    name: "pruning-by-use",
    title: "Experts that are used are worth keeping",
    says: "Of the experts, those that a domain uses most are enough for it; kept by use they lose less than kept by chance.",
    paper:
      "Translation among 50 languages: pruning by use keeps most of the quality; no number could be verified.",
    source:
      "Kim et al., Scalable and Efficient MoE Training for Multitask Multilingual Models, arXiv 2109.10465; Chen et al., Task-Specific Expert Pruning, arXiv 2206.00277",
    entries: ["TopK", "Largest"],
    data: documents,
    choices:
      "Two of sixteen, four left at inference, without training after the cut. Use is counted over all of training; by chance are the first four.",
    arms: [
      { name: "all sixteen", model: "All" },
      { name: "four by the domain's use", model: "ByDomain", weights: "all sixteen" },
      { name: "four by all use", model: "ByUse", weights: "all sixteen" },
      { name: "four by chance", model: "ByNumber", weights: "all sixteen" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "four by all use", against: "four by chance", expect: "lower" },
      {
        measure: "metric prediction",
        arm: "four by the domain's use",
        against: "four by all use",
        expect: "lower",
      },
    ],
  },
  {
    name: "drawn-places",
    title: "Places by chance instead of by order",
    says: "Where experts have too few places, drawing who gets one learns better than giving them to the first in the batch.",
    paper: "Translation among 50 languages: faster convergence; plots.",
    source: "Kim et al., arXiv 2109.10465",
    entries: ["DrawnPlaces"],
    data: documents,
    choices: "As many places as tokens, in training and at inference, where the places are drawn as well.",
    arms: [
      { name: "by order", model: "Order" },
      { name: "by chance", model: "Chance" },
    ],
    seeds,
    comparisons: [{ measure: "metric prediction", arm: "by chance", against: "by order", expect: "lower" }],
  },
  {
    name: "assigned",
    title: "An even assignment needs no loss",
    says: "Tokens that are assigned evenly in training load experts evenly without a loss, and predict better than Switch.",
    paper:
      "Language models: ahead of Switch and of dense models at the same time of training; plots, no number could be verified.",
    source: "Lewis et al., BASE Layers, arXiv 2103.16716",
    entries: ["Auctioned", "Auction", "Assigned", "AssignedLayer", "Switch"],
    data: documents,
    choices:
      "One of eight. The assignment is exact, by an auction; a third arm has Sinkhorn's rounds in its place, as Clark et al. (arXiv 2202.01169) have. The load is that at inference, where every token takes its best expert. It is compared with arms that drop nothing: what Switch keeps is at most 1.25 times the mean, however uneven its choices are.",
    arms: [
      { name: "Switch", model: "Switched" },
      { name: "assigned", model: "Exact" },
      { name: "Sinkhorn", model: "Balanced" },
      { name: "the best, Switch's loss", model: "Held" },
      { name: "the best, no loss", model: "Unheld" },
    ],
    seeds,
    comparisons: [
      { measure: "violation", arm: "assigned", against: "the best, no loss", expect: "lower" },
      {
        measure: "violation",
        arm: "assigned",
        against: "the best, Switch's loss",
        expect: "no higher",
        margin: 0.5,
      },
      { measure: "metric prediction", arm: "assigned", against: "Switch", expect: "lower" },
      {
        measure: "metric prediction",
        arm: "Sinkhorn",
        against: "assigned",
        expect: "equal",
        margin: 0.01,
      },
    ],
  },
  {
    name: "attention-weights",
    title: "Attention experts are better mixed than chosen",
    says: "A mixture of all attention experts predicts better than the two best of them, and those better than the best alone.",
    paper: "590M parameters: mean perplexity 10.47 with all, 10.72 with two, 10.81 with one.",
    source: "Zhang et al., BAM, arXiv 2408.08274",
    entries: ["AttendAndMix", "AttentionExperts"],
    data: documents,
    choices: "Experts begin as they are drawn, not as branches of a trained model.",
    arms: [
      { name: "all four", model: "Soft" },
      { name: "top 2 of 4", model: "Two" },
      { name: "top 1 of 4", model: "One" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric prediction", arm: "all four", against: "top 2 of 4", expect: "lower" },
      { measure: "metric prediction", arm: "top 2 of 4", against: "top 1 of 4", expect: "lower" },
    ],
  },
  {
    name: "students",
    title: "A student learns from its teacher for a while",
    says: "A smaller student predicts better when it learns from its teacher as well, and best when the teacher stops before the end.",
    paper:
      "Mean accuracy 42.87 with 21 of 24 layers, the teacher's 43.08; with the teacher to the end the student falls back.",
    source: "Rajbhandari et al., DeepSpeed-MoE, arXiv 2201.05596",
    entries: ["Staged", "Distillation", "DenseResidual"],
    data: documents,
    choices:
      "A teacher of two layers of width 32, a student of one of width 16; the teacher's logits come at temperature 1 with weight 1, until the end or for 70 % of the steps.",
    arms: [
      { name: "alone", model: "Alone" },
      { name: "taught", model: "Taught" },
      { name: "taught for 70 %", model: "StagedStudent" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "taught for 70 %", against: "alone", expect: "lower" },
      { measure: "metric prediction", arm: "taught for 70 %", against: "taught", expect: "lower" },
    ],
  },
  {
    name: "branches",
    title: "Branches bring their attention, too",
    says: "Of models that were trained apart, attention that becomes experts predicts better than attention that is averaged, and best with keys and values of their own.",
    paper:
      "590M parameters: mean perplexity 10.72 averaged, 10.32 to 10.46 with common keys and values, 9.70 to 10.00 with own ones.",
    source:
      "Zhang et al., BAM, arXiv 2408.08274; averaged: Sukhbaatar et al., Branch-Train-MiX, arXiv 2403.07816",
    entries: ["AttentionExperts", "AttendAndMix"],
    data: branches,
    choices:
      "150 steps for the seed, for each of three branches and for the mixture, with the same schedule each. Keys and values are averaged where they are common.",
    arms: [
      { name: "averaged", model: "Averaged" },
      { name: "common keys", model: "SharedKeys" },
      { name: "own keys", model: "OwnKeys" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric prediction", arm: "common keys", against: "averaged", expect: "lower" },
      { measure: "metric prediction", arm: "own keys", against: "common keys", expect: "lower" },
    ],
  },
  {
    name: "text-adapters",
    title: "A change for each kind of text, and a gate",
    says: "Low-rank changes that are trained apart, with a gate that picks one for a whole text, are better than the model that they change.",
    paper:
      "Translation of five programming languages into Python: CodeBLEU 73.8, at least 3.5 above earlier results.",
    source: "Pan et al., SteloCoder, arXiv 2310.15539",
    entries: ["MixedProjection", "SequenceGate", "GivenMixture"],
    data: branches,
    choices:
      "Rank 4, scale 8 as in the paper, in one projection of each layer; 150 steps for the base and for each change, 600 for the gate, which is trained soft and used hard as in the paper. A first try with 150 steps left the gate where it was.",
    arms: [
      { name: "the likeliest", model: "Hard" },
      { name: "mixed", model: "Soft", weights: "the likeliest" },
      { name: "none", model: "Without", weights: "the likeliest" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "the likeliest", against: "none", expect: "lower" },
      {
        measure: "metric prediction",
        arm: "the likeliest",
        against: "mixed",
        expect: "no higher",
        margin: 0.01,
      },
    ],
  },
  {
    name: "pyramid",
    title: "Experts belong in the deeper layers",
    says: "Many experts in the second half of the layers predict better than in the first half, and as well as everywhere.",
    paper:
      "24 layers: experts in the second half are better than in the first; a pyramid of 4B parameters is as good as 13B with 128 experts everywhere, within 0.01.",
    source: "Rajbhandari et al., DeepSpeed-MoE, arXiv 2201.05596",
    entries: ["DenseResidual"],
    data: "Documents of 32 letters of eight domains (claims/data-documents.ts); four layers of width 32.",
    choices: "16 and 4 experts, or 10 everywhere: the same parameters.",
    arms: [
      { name: "16, 16, 4, 4", model: "Early" },
      { name: "4, 4, 16, 16", model: "Late" },
      { name: "10 everywhere", model: "Even" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric prediction", arm: "4, 4, 16, 16", against: "16, 16, 4, 4", expect: "lower" },
      {
        measure: "metric prediction",
        arm: "4, 4, 16, 16",
        against: "10 everywhere",
        expect: "no higher",
        margin: 0.01,
      },
    ],
  },
  {
    name: "tunable-experts",
    title: "Experts that tell a behaviour carry it",
    says: "Switching off the few experts that are most peculiar to what a model does there changes it far more than switching off others.",
    paper: "671B parameters, 10 of 14,848 experts: 52 % fewer refusals; with 10 others about 9 %.",
    source: "Dahlke et al., MoTE, arXiv 2502.11096",
    entries: ["TopK", "Largest"],
    data: documents,
    choices:
      "The behaviour is a domain: at inference each document lacks the four of sixteen experts that its domain uses most, or the last four. Those next in line take their places.",
    arms: [
      { name: "all sixteen", model: "All" },
      { name: "without the domain's four", model: "Distinctive", weights: "all sixteen" },
      { name: "without any four", model: "Arbitrary", weights: "all sixteen" },
    ],
    seeds,
    comparisons: [
      {
        measure: "metric prediction",
        arm: "without the domain's four",
        against: "without any four",
        expect: "higher",
      },
    ],
  },
  {
    name: "aggregation",
    title: "Two mixtures become one",
    says: "The experts of two trained mixtures together, trained on for a little, are better than as many experts that begin anew, and than the smaller mixture trained on.",
    paper:
      "Translation among 50 languages: faster convergence than from the beginning; no number could be verified.",
    source: "Kim et al., arXiv 2109.10465",
    entries: ["TopK"],
    data: branches,
    choices:
      "Four experts for the beginning and for both branches, each on a domain of its own; then eight; 150 steps each. Everything else is averaged.",
    arms: [
      { name: "together", model: "Together" },
      { name: "anew", model: "Anew" },
      { name: "four trained on", model: "Small" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric prediction", arm: "together", against: "anew", expect: "lower" },
      { measure: "metric prediction", arm: "together", against: "four trained on", expect: "lower" },
    ],
  },
  {
    name: "pool-sizes",
    title: "Pools of one size serve that size only",
    says: "Pools of one size in training are good for documents that have as many experts later, and worse than pools of drawn sizes for documents that have all or fewer.",
    paper: "No number here.",
    source: "EMO, arXiv 2605.06663",
    entries: ["DocumentPools", "DocumentPool", "Open"],
    data: documents,
    choices: "As in the claim about pools of documents: sizes from four to 32, or always eight.",
    arms: [
      { name: "drawn", model: "Drawn" },
      { name: "drawn, 8 kept", model: "DrawnEight", weights: "drawn" },
      { name: "drawn, 4 kept", model: "DrawnFour", weights: "drawn" },
      { name: "eight", model: "Fixed" },
      { name: "eight, 8 kept", model: "FixedEight", weights: "eight" },
      { name: "eight, 4 kept", model: "FixedFour", weights: "eight" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      {
        measure: "metric prediction",
        arm: "eight, 8 kept",
        against: "drawn, 8 kept",
        expect: "no higher",
        margin: 0.01,
      },
      { measure: "metric prediction", arm: "eight", against: "drawn", expect: "higher" },
      { measure: "metric prediction", arm: "eight, 4 kept", against: "drawn, 4 kept", expect: "higher" },
    ],
  },
];
