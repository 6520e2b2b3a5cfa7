// Claims: what a chain of experts is worth, in layers and in experts for a token.

import type { Claim } from "./claim.ts";
import { text } from "./settings.ts";

export const chainClaims: readonly Claim[] = [
  {
    name: "chain-depth",
    title: "A chain is worth layers",
    says: "Two layers, each of which calls its experts twice, predict as well as four that call them once.",
    paper: "Four layers with two iterations match eight to twelve layers without.",
    source: "Wang et al., Chain-of-Experts, arXiv 2506.18945",
    entries: ["ChainOfExperts"],
    data: "Bytes of a novel (examples/book), windows of 64; two or four layers of width 64.",
    choices:
      "Two of sixteen experts, twice, against four of sixteen at once in twice as many layers: the least of what the paper says.",
    arms: [
      { name: "two layers, 2 of 16 twice", model: "TwoSteps" },
      { name: "four layers, 4 of 16", model: "FourLayers" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      {
        measure: "metric prediction",
        arm: "two layers, 2 of 16 twice",
        against: "four layers, 4 of 16",
        expect: "no higher",
        margin: 0.01,
      },
    ],
  },
  {
    name: "chain-width",
    title: "A chain is worth more than experts side by side",
    says: "Two experts, then two of the same pool for what came out, predict better than two or three times as many calls at once.",
    paper: "Two times four experts are ahead of 16 and of 24 at once.",
    source: "Wang et al., Chain-of-Experts, arXiv 2506.18945",
    entries: ["ChainOfExperts"],
    data: text,
    choices:
      "As in the claim about chains, with eight and twelve of sixteen experts at once: the paper's ratios of calls.",
    arms: [
      { name: "2 of 16, twice", model: "TwoSteps" },
      { name: "8 of 16", model: "Eight" },
      { name: "12 of 16", model: "Twelve" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric prediction", arm: "2 of 16, twice", against: "8 of 16", expect: "lower" },
      { measure: "metric prediction", arm: "2 of 16, twice", against: "12 of 16", expect: "lower" },
    ],
  },
];
