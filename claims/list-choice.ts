// Claims: how many experts are chosen, when, and by whom.

import type { Claim } from "./claim.ts";
import { digits, seeds, text } from "./settings.ts";

export const choiceClaims: readonly Claim[] = [
  {
    name: "null-experts",
    title: "Null experts save calls",
    says: "With null experts among the choices, easy tokens take fewer true experts, at no loss of quality.",
    paper: "Mixtral, six tasks: mean accuracy 84.64 → 85.35 with 15.2 % fewer FLOPs.",
    source: "Zeng et al., AdaMoE, arXiv 2406.13233",
    entries: ["NullAware"],
    data: text,
    choices:
      "From scratch, where the paper fine-tunes. The balance weighs 0.02 in the first half and 1e-4 in the second, as in the paper.",
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
    choices:
      "Coefficients of the paper; chunks of 16 bytes, a quarter of a window, in the place of 64 tokens.",
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
    name: "switch",
    title: "One expert of many beats one network",
    says: "One of several experts, with no more arithmetic than one network, predicts better, and as well as two of them with as many places.",
    paper: "As good as T5-Base up to seven times sooner; ahead of two experts at the same capacity factor.",
    source: "Fedus et al., Switch Transformers, arXiv 2101.03961",
    entries: ["Switch", "RandomSecond", "Relu"],
    data: text,
    choices:
      "A capacity factor of 1.25 in both, of all tokens over the experts, as in the paper: two choices share the places of one.",
    arms: [
      { name: "one network", model: "OneNetwork" },
      { name: "1 of 8", model: "OneOfEight" },
      { name: "2 of 8", model: "TwoOfEight" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "1 of 8", against: "one network", expect: "lower" },
      { measure: "metric prediction", arm: "1 of 8", against: "2 of 8", expect: "no higher", margin: 0.01 },
    ],
  },
  {
    name: "entropy",
    title: "A loss that makes the router sure",
    says: "Without the loss on the entropy of its probabilities a router that chooses by their mass takes more experts.",
    paper: "No number here.",
    source: "Huang et al., Harder Tasks Need More Experts, arXiv 2403.07652",
    entries: ["TopP", "Entropy"],
    data: text,
    choices: "The coefficient is that of secondary notes, 1e-4.",
    arms: [
      { name: "with the loss", model: "With" },
      { name: "without", model: "Without" },
    ],
    seeds,
    comparisons: [{ measure: "calls", arm: "without", against: "with the loss", expect: "higher" }],
  },
  {
    name: "places-at-inference",
    title: "More places at inference",
    says: "A model that dropped tokens in training predicts no worse when fewer are dropped at inference, and worse when more are.",
    paper: "No number here: a larger capacity at evaluation is slightly better.",
    source: "Zoph et al., ST-MoE, arXiv 2202.08906",
    entries: ["Switch"],
    data: text,
    choices: "Arms are capacity factors of one trained model.",
    arms: [
      { name: "1.25, as trained", model: "OneOfEight" },
      { name: "2", model: "MorePlaces", weights: "1.25, as trained" },
      { name: "0.75", model: "FewPlaces", weights: "1.25, as trained" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      {
        measure: "metric prediction",
        arm: "2",
        against: "1.25, as trained",
        expect: "no higher",
        margin: 0.01,
      },
      { measure: "metric prediction", arm: "0.75", against: "1.25, as trained", expect: "higher" },
    ],
  },
  {
    name: "chunk-union",
    title: "Neighbours take the same experts",
    says: "At about the same number of experts for a token, eight consecutive tokens take fewer together under the losses of locality and chunks than with a fixed number for each.",
    paper:
      "0.1B parameters: idle for a token 80.5 % against 79.2 % with a fixed number, idle for eight tokens 71.4 against 49.2 %.",
    source: "Song et al., BlockFFN, arXiv 2507.08771",
    entries: ["ChunkSparse", "ChunkUnion", "Locality", "ReluRouter"],
    data: text,
    choices:
      "`together` is the share of the experts that eight consecutive bytes take, the mean of the layers. Four of sixteen is about what the losses leave of the ReLU router in the claim about chunks.",
    arms: [
      { name: "top 4 of 16", model: "TopFour" },
      { name: "ReLU and both losses", model: "WithLosses" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric together", arm: "ReLU and both losses", against: "top 4 of 16", expect: "lower" },
    ],
  },
  {
    name: "foretold-choice",
    title: "Who decides at inference",
    says: "Where experts choose among tokens in training, a second router that foretells their choice from one token decides nearly as well at inference, so that the model is ahead of one network still.",
    paper:
      "No number for experts: close. For skipped layers more than 0.5 % of wrong decisions cost all that skipping gained.",
    source: "Lin et al., MoMa, arXiv 2407.21770",
    entries: ["ModalityChoice"],
    data: text,
    choices:
      "One modality. The second router learns beside the model instead of after it; nothing but its own loss reaches it, so that the model is the same.",
    arms: [
      { name: "one network", model: "OneNetwork" },
      { name: "foretold", model: "Foretold" },
      { name: "sees what comes", model: "Leaking", weights: "foretold" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      {
        measure: "metric prediction",
        arm: "foretold",
        against: "sees what comes",
        expect: "no higher",
        margin: 0.01,
      },
      { measure: "metric prediction", arm: "foretold", against: "one network", expect: "lower" },
    ],
  },
  {
    name: "dense-to-sparse",
    title: "Dense first, sparse later",
    says: "Experts that grow from one, behind a gate that is dense at first and sparse at last, predict better than one expert each from the first step.",
    paper: "No number here: ahead of Switch, BASE, Hash and StableMoE by the paper’s account.",
    source: "Nie et al., EvoMoE, arXiv 2112.14397",
    entries: ["DenseToSparse"],
    data: text,
    choices:
      "Equal steps, not equal arithmetic: the gate is dense in some 150 of 400 steps, which favours growing. The temperature falls to 0.1, because at the released 0.5 nearly all of eight experts stay; copies lose a tenth of their numbers, because the paper’s way was not found.",
    arms: [
      { name: "1 of 8", model: "Sparse" },
      { name: "grown", model: "Evolving" },
    ],
    seeds: [1, 2, 3],
    comparisons: [{ measure: "metric prediction", arm: "grown", against: "1 of 8", expect: "lower" }],
  },
];
