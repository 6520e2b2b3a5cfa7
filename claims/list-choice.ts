// Claims: how many experts are chosen, when, and by whom.

import type { Claim } from "./claim.ts";
import { digits, noise, seeds, text } from "./settings.ts";

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
    says: "At about the same number of experts for a token, eight consecutive tokens take fewer together under the losses of locality and chunks than with a fixed number for each, or under a loss on the sum of scores.",
    paper:
      "0.1B parameters: idle for a token 80.5 % against 79.2 % with a fixed number, idle for eight tokens 71.4 against 49.2 %, and 45.1 % with a loss on scores.",
    source: "Song et al., BlockFFN, arXiv 2507.08771",
    entries: ["ChunkSparse", "ChunkUnion", "Locality", "ReluRouter"],
    data: text,
    choices:
      "`together` is the share of the experts that eight consecutive bytes take, the mean of the layers. Four of sixteen is about what the losses leave of the ReLU router in the claim about chunks, and what a coefficient of 0.001 leaves where the loss is on the sum of scores; with 0.02, a first try, one was left.",
    arms: [
      { name: "top 4 of 16", model: "TopFour" },
      { name: "ReLU and both losses", model: "WithLosses" },
      { name: "ReLU and small scores", model: "SmallScores" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric together", arm: "ReLU and both losses", against: "top 4 of 16", expect: "lower" },
      {
        measure: "metric together",
        arm: "ReLU and both losses",
        against: "ReLU and small scores",
        expect: "lower",
      },
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
    says: "Experts that grow from one, behind a gate that is dense at first and sparse at last, predict better than one expert each from the first step; and so do experts that do not grow, behind such a gate.",
    paper: "No number here: ahead of Switch, BASE, Hash and StableMoE by the paper’s account.",
    source: "Nie et al., EvoMoE, arXiv 2112.14397",
    entries: ["DenseToSparse"],
    data: text,
    choices:
      "Equal steps, not equal arithmetic: the gate is dense in some 150 of 400 steps, which favours growing. The temperature falls to 0.1, because at the released 0.5 nearly all of eight experts stay; copies lose a tenth of their numbers, because the paper’s way was not found.",
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
    name: "device-dropping",
    title: "Groups that drop what is too much",
    says: "Dropping, in training, what a group is given beyond its even share costs no quality at inference, where nothing is dropped.",
    paper: "No number here: about 10 % of sequences are never dropped, so that training is like inference.",
    source: "DeepSeek-V2, arXiv 2405.04434",
    entries: ["DeviceLimited", "CommunicationBalance", "DeviceBalance"],
    data: text,
    choices: "Eight groups of four experts, six experts in three groups, coefficients of the paper.",
    arms: [
      { name: "keeps all", model: "Keeps" },
      { name: "drops", model: "Drops" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric prediction", arm: "drops", against: "keeps all", expect: "no higher", margin: 0.01 },
    ],
  },
  {
    name: "dynamic-capacity",
    title: "Experts by need, with a null among them",
    says: "As many of eight experts and a null as a token needs cost less than four for each, at no loss of quality.",
    paper:
      "No number for this comparison: 4.8 billion parameters active on average, 2.8 to 5.9, of one that is trained so.",
    source: "Uni-MoE-2.0-Omni, arXiv 2511.12609",
    entries: ["DynamicCapacity", "SharedMass"],
    data: text,
    choices:
      "A mass of 0.7, one null, two shared experts of an eighth of the width; the plain arm has such shared experts too, and the same coefficient of the balance.",
    arms: [
      { name: "4 of 8", model: "FourOfEight" },
      { name: "by need", model: "Needed" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "arithmetic", arm: "by need", against: "4 of 8", expect: "lower" },
      { measure: "metric prediction", arm: "by need", against: "4 of 8", expect: "no higher", margin: 0.01 },
    ],
  },
  {
    name: "skipped-layers",
    title: "Layers that most tokens skip",
    says: "Blocks that a quarter of the tokens goes through predict as well as fewer blocks for all tokens; but who goes through has to be foretold at inference, and what is foretold wrongly costs much.",
    paper:
      "As good as a plain model of the same training arithmetic (Mixture-of-Depths); with a second router at inference wrong decisions in 0.5 % of the cases cost all that skipping gained (MoMa).",
    source: "Raposo et al., Mixture-of-Depths, arXiv 2404.02258; Lin et al., MoMa, arXiv 2407.21770",
    entries: ["SkippedBlock", "DepthChoice"],
    data: text,
    choices:
      "Every second block is skipped, as in MoMa; two that are and two that are not stand against three for all, which are more arithmetic. The second router learns beside the model instead of after it. Each choice is counted twice among the calls: by the gates that choose and by those that send.",
    arms: [
      { name: "three blocks", model: "ThreeBlocks" },
      { name: "foretold", model: "Foretold" },
      { name: "sees what comes", model: "Leaking", weights: "foretold" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      {
        measure: "metric prediction",
        arm: "sees what comes",
        against: "three blocks",
        expect: "no higher",
        margin: 0.01,
      },
      { measure: "metric prediction", arm: "foretold", against: "sees what comes", expect: "higher" },
    ],
  },
  {
    name: "hard-tokens",
    title: "Hard tokens take more experts",
    says: "With null experts among the choices, tokens that a plain model predicts badly take more true experts.",
    paper: "No number here.",
    source: "Zeng et al., AdaMoE, arXiv 2406.13233",
    entries: ["NullAware", "Correlation"],
    data: text,
    choices:
      "`correlation` is that of the number of true experts of a token, in both layers, and of its loss in a model of one network, which learns beside the mixture; where the number is fixed it is 0.",
    arms: [
      { name: "top 2 of 8", model: "TopTwo" },
      { name: "top 3 of 8 and 8 nulls", model: "Nulls" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      {
        measure: "metric correlation",
        arm: "top 3 of 8 and 8 nulls",
        against: "top 2 of 8",
        expect: "higher",
      },
    ],
  },
  {
    name: "need-by-domain",
    title: "Where more experts are needed",
    says: "Experts by need are more for texts that are hard to predict than for others, and fewer in deeper layers.",
    paper: "1.87 experts for BBH, 1.72 for HellaSwag; about four in the first layer, one in the last.",
    source: "Huang et al., Harder Tasks Need More Experts, arXiv 2403.07652",
    entries: ["TopP"],
    data: "Documents of 64 letters from two Markov chains, in one of which half of the letters are drawn evenly instead (claims/data-documents.ts); three layers of width 32.",
    choices:
      "Arms are one trained model; what is counted differs. `need` is the mean number of experts of a token, the sum over the layers that are counted. That a text is harder stands for a harder task.",
    arms: [
      { name: "chains", model: "Chains" },
      { name: "half drawn evenly", model: "Blurred", weights: "chains" },
      { name: "first layer", model: "First", weights: "chains" },
      { name: "last layer", model: "Last", weights: "chains" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric need", arm: "half drawn evenly", against: "chains", expect: "higher" },
      { measure: "metric need", arm: "last layer", against: "first layer", expect: "lower" },
    ],
  },
  {
    name: "shrinking-capacity",
    title: "Fewer and fewer patches for an expert",
    says: "Experts that take eight, then four, then two of sixteen patches end no worse than with two all the time.",
    paper: "No number here: 8, 4 and 2 for growing pictures.",
    source: "Nucleus-Image, arXiv 2604.12163",
    entries: ["ConditionedExperts", "ModulatedBlock"],
    data: noise,
    choices:
      "Equal steps, so that shrinking costs more in training; pictures do not grow. The numbers are experts for a patch, on average.",
    arms: [
      { name: "2 of 16", model: "Constant" },
      { name: "8, 4, 2 of 16", model: "Shrinking" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      {
        measure: "metric velocity",
        arm: "8, 4, 2 of 16",
        against: "2 of 16",
        expect: "no higher",
        margin: 0.01,
      },
    ],
  },
];
