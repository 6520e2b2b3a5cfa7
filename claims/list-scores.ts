// Claims: what a choice goes by: scores, fixed draws, groups.

import type { Claim } from "./claim.ts";
import { noise, seeds, text } from "./settings.ts";

export const scoreClaims: readonly Claim[] = [
  {
    name: "hash",
    title: "The token may say its expert",
    says: "An expert that the token itself says, drawn once, is as good as one that a router learns to choose.",
    paper: "No number here: the paper says better than Switch and BASE, or competitive with them.",
    source: "Roller et al., Hash Layers, arXiv 2106.04426",
    entries: ["Hash", "Switch"],
    data: text,
    choices: "A random hash of 256 bytes; a draw is as uneven as bytes are, and nothing is dropped.",
    arms: [
      { name: "learned", model: "Learned" },
      { name: "hashed", model: "Hashed" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "hashed", against: "learned", expect: "no higher", margin: 0.01 },
    ],
  },
  {
    name: "cosine",
    title: "A cosine routes better than a product",
    says: "Scores of a cosine in a small space, over a learned temperature, predict better than products with the token.",
    paper: "No number here: consistent gains on seven multilingual benchmarks.",
    source: "Chi et al., X-MoE, arXiv 2204.09179",
    entries: ["Cosine", "TopK"],
    data: text,
    choices: "A space of half as many dimensions as experts, one expert for a token, as in the paper.",
    arms: [
      { name: "product", model: "Linear" },
      { name: "cosine", model: "OnSphere" },
    ],
    seeds,
    comparisons: [{ measure: "metric prediction", arm: "cosine", against: "product", expect: "lower" }],
  },
  {
    name: "group-limited",
    title: "Half of the groups are enough",
    says: "Taking eight experts of the best four of eight groups costs no quality against the best eight of all.",
    paper:
      "No number here: with three groups or more about as good as without a limit (DeepSeek-V2); four of eight in DeepSeek-V3.",
    source: "DeepSeek-V2, arXiv 2405.04434; DeepSeek-V3, arXiv 2412.19437",
    entries: ["GroupLimited"],
    data: text,
    choices: "The bias moves by 5e-3 in the place of 1e-3, because there are 400 steps.",
    arms: [
      { name: "8 of 32", model: "Unlimited" },
      { name: "8 of 32 in 4 of 8 groups", model: "Limited" },
    ],
    seeds,
    comparisons: [
      {
        measure: "metric prediction",
        arm: "8 of 32 in 4 of 8 groups",
        against: "8 of 32",
        expect: "no higher",
        margin: 0.01,
      },
    ],
  },
  {
    name: "grouped",
    title: "As many experts of each group",
    says: "The same number of experts from every group makes groups equally loaded, at no loss of quality, and one softmax over all experts is better than one for each group.",
    paper:
      "No number here: a simulation of unlimited choice is nearly never even; the softmax over all is said to be better.",
    source: "Pangu Pro MoE, arXiv 2505.21411",
    entries: ["Grouped", "TopK"],
    data: text,
    choices:
      "`uneven` is the largest load of four groups over the mean, less 1, in a batch, the mean of the layers. Weights of four softmaxes are divided by four.",
    arms: [
      { name: "4 of 16", model: "Free" },
      { name: "1 of each group", model: "Even" },
      { name: "1 of each, softmax for each", model: "EvenApart" },
    ],
    seeds,
    comparisons: [
      { measure: "metric uneven", arm: "1 of each group", against: "4 of 16", expect: "lower" },
      {
        measure: "metric prediction",
        arm: "1 of each group",
        against: "4 of 16",
        expect: "no higher",
        margin: 0.01,
      },
      {
        measure: "metric prediction",
        arm: "1 of each group",
        against: "1 of each, softmax for each",
        expect: "lower",
      },
    ],
  },
  {
    name: "scale-adapter",
    title: "Select with one score, weigh with another",
    says: "A weight that is the selecting score plus a second one errs less than the selecting score alone, or a mix of both.",
    paper: "LIBERO, average success 94.2 → 96.0; about one point over a mix.",
    source: "AdaMoE for vision, language and action, arXiv 2510.14300",
    entries: ["ScaleAdapter", "ConcatenatedScale", "GeneralAndRouted"],
    data: noise,
    choices:
      "The paper’s loss, flow matching, without a pretrained network to copy: all experts begin at random. The balance weighs 0.1, so that it and the task disagree about the one score.",
    arms: [
      { name: "one score", model: "Coupled" },
      { name: "sum of two", model: "Adapted" },
      { name: "mix", model: "Concatenated" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric velocity", arm: "sum of two", against: "one score", expect: "lower" },
      { measure: "metric velocity", arm: "sum of two", against: "mix", expect: "lower" },
    ],
  },
  {
    name: "decoupled-choice",
    title: "Choose by content, not by its scale",
    says: "Experts that choose patches before the time scales them err less than experts that choose scaled patches.",
    paper:
      "No number here: between first and last times the norms of scaled patches differ by an order of magnitude.",
    source: "Nucleus-Image, arXiv 2604.12163",
    entries: ["ConditionedChoice", "ConditionedExperts", "ModulatedBlock"],
    data: noise,
    choices: "Both see the time beside the patch.",
    arms: [
      { name: "scaled patches", model: "Modulated" },
      { name: "patches and time", model: "Decoupled" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric velocity", arm: "patches and time", against: "scaled patches", expect: "lower" },
    ],
  },
  {
    name: "sigmoid",
    title: "Scores that do not compete",
    says: "A sigmoid for each expert needs fewer samples than a softmax over all.",
    paper: "No number here: the paper proves a faster rate of convergence for the sigmoid.",
    source: "Nguyen et al., arXiv 2405.13997; the gate of BASE, arXiv 2103.16716",
    entries: ["Sigmoid", "TopK"],
    data: text,
    choices: "No balance in either, weights as they are.",
    arms: [
      { name: "softmax", model: "Softmax" },
      { name: "sigmoid", model: "Sigmoids" },
    ],
    seeds: [1, 2, 3],
    comparisons: [{ measure: "metric prediction", arm: "sigmoid", against: "softmax", expect: "lower" }],
  },
];
