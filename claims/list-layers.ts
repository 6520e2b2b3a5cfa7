// Claims: what experts are, and what stands around and between them.

import type { Claim } from "./claim.ts";
import { digits, digits32, seeds, tenSeeds, text } from "./settings.ts";

export const layerClaims: readonly Claim[] = [
  {
    name: "fine-grained",
    title: "Many small experts and a shared one beat few large ones",
    says: "Experts cut into four, one of the pieces shared, predict better at the same parameters and arithmetic.",
    paper: "2B parameters, 100B tokens: loss on the Pile 1.867 (2 of 16) → 1.808 (1 shared, 7 of 63).",
    source: "Dai et al., DeepSeekMoE, arXiv 2401.06066",
    entries: ["FineGrained"],
    data: text,
    choices:
      "Eight experts in the place of sixteen. Pieces begin with the deviation of what they are cut from, as in the paper, whose numbers all begin with one; the usual start, larger for narrow experts, is another model.",
    arms: [
      { name: "2 of 8", model: "FewLarge" },
      { name: "1 shared, 1 of 7", model: "LargeShared" },
      { name: "1 shared, 7 of 31", model: "FineShared" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "1 shared, 7 of 31", against: "2 of 8", expect: "lower" },
      {
        measure: "metric prediction",
        arm: "1 shared, 7 of 31",
        against: "1 shared, 1 of 7",
        expect: "lower",
      },
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
    seeds: tenSeeds,
    comparisons: [
      { measure: "metric error", arm: "a gate for each", against: "shared bottom", expect: "lower" },
      { measure: "metric error", arm: "a gate for each", against: "one gate", expect: "lower" },
    ],
  },
  {
    name: "multi-token",
    title: "Looking two ahead",
    says: "A block that predicts the token after the next, in training only, makes the model itself predict no worse.",
    paper: "Most benchmarks improve, code and mathematics above all; no number could be verified.",
    source: "DeepSeek-V3, arXiv 2412.19437",
    entries: ["MultiToken"],
    data: text,
    choices:
      "Table and head are one tensor, as in the other claims about text; the block is one of the model’s.",
    arms: [
      { name: "one ahead", model: "One" },
      { name: "two ahead", model: "Two" },
    ],
    seeds,
    comparisons: [
      {
        measure: "metric prediction",
        arm: "two ahead",
        against: "one ahead",
        expect: "no higher",
        margin: 0.01,
      },
    ],
  },
  {
    name: "merged-checkpoints",
    title: "Averaged checkpoints in the place of a falling rate",
    says: "Where the rate stays, the average of the last checkpoints predicts better than the last one, and as well as a rate that falls.",
    paper: "Ahead of a rate that falls: MATH +3.5 %, HumanEval +2.9 %, MMLU-Pro +5.5 %.",
    source: "Tian et al., WSM, arXiv 2507.17634, as used by Ling 2.0, arXiv 2510.22115",
    entries: ["TopK"],
    data: text,
    choices:
      "Five checkpoints, 50 steps apart, count the same, which stands for a linear fall over the last 200 of 400 steps. The optimiser begins anew after each of them, in all arms; one more step has a rate of 0.",
    arms: [
      { name: "averaged", model: "Merged" },
      { name: "falls", model: "Decayed" },
      { name: "neither", model: "Neither" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric prediction", arm: "averaged", against: "neither", expect: "lower" },
      { measure: "metric prediction", arm: "averaged", against: "falls", expect: "no higher", margin: 0.01 },
    ],
  },
  {
    name: "eight-bits",
    title: "Eight bits are enough for products",
    says: "Experts whose products read numbers of eight bits, scaled in blocks, predict as well as with 32.",
    paper:
      "Loss within 0.25 % of that of 16 bits (DeepSeek-V3); curves nearly identical over 1T tokens (Ling 2.0).",
    source: "DeepSeek-V3, arXiv 2412.19437; Ling 2.0, arXiv 2510.22115",
    entries: ["EightBlocks", "Eight"],
    data: text,
    choices:
      "Blocks of 32 by 32 and 1 by 32 in the place of 128. Operands are rounded forward only; gradients have 32 bits.",
    arms: [
      { name: "32 bits", model: "TopTwo" },
      { name: "8 bits", model: "Eight" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "8 bits", against: "32 bits", expect: "no higher", margin: 0.01 },
    ],
  },
  {
    name: "chain-parts",
    title: "A chain needs a gate for each step",
    says: "With one gate for both steps a chain predicts worse than one step, and with the residual outside of the steps worse than inside.",
    paper:
      "Validation loss near 1.5 with one gate, 1.20 for one step; an outer residual is at about one step.",
    source: "Wang et al., Chain-of-Experts, arXiv 2506.18945",
    entries: ["ChainOfExperts"],
    data: text,
    choices: "As in the claim about chains.",
    arms: [
      { name: "4 of 16", model: "OneStep" },
      { name: "2 of 16, twice", model: "TwoSteps" },
      { name: "one gate", model: "SharedGate" },
      { name: "outer residual", model: "OuterResidual" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "one gate", against: "4 of 16", expect: "higher" },
      { measure: "metric prediction", arm: "one gate", against: "2 of 16, twice", expect: "higher" },
      { measure: "metric prediction", arm: "outer residual", against: "2 of 16, twice", expect: "higher" },
    ],
  },
  {
    name: "modality-groups",
    title: "Experts for each kind of token",
    says: "In one sequence of pictures and text, experts that choose predict better than one network; groups of experts for each kind are better for pictures than experts for all, and better than one network for text.",
    paper:
      "FLOPs saved at equal loss, 1.4B: 8 for all 3.0 times (text 3.0, pictures 2.8), 4 and 4 3.7 times (text 2.6, pictures 5.2).",
    source: "Lin et al., MoMa, arXiv 2407.21770",
    entries: ["ModalityExperts", "ModalityChoice"],
    data: "49 grey values of a digit (examples/digits), then 48 letters of a novel (examples/book), each predicted from what stands before; two layers of width 48.",
    choices:
      "A picture and a line have nothing to do with each other; costs are counted for a letter and its share of the picture. Losses are compared with the choice of training, as in the paper, which sees what comes later; the table also has them with a second router that foretells it. That one learns beside the model here, in 400 steps, where the paper gives it thousands afterwards.",
    arms: [
      { name: "one network", model: "OneNetwork" },
      { name: "8 for all, foretold", model: "Together" },
      { name: "4 and 4, foretold", model: "Apart" },
      { name: "8 for all", model: "TogetherSeeing", weights: "8 for all, foretold" },
      { name: "4 and 4", model: "ApartSeeing", weights: "4 and 4, foretold" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric pixels", arm: "4 and 4", against: "8 for all", expect: "lower" },
      { measure: "metric pixels", arm: "8 for all", against: "one network", expect: "lower" },
      { measure: "metric story", arm: "4 and 4", against: "one network", expect: "lower" },
    ],
  },
  {
    name: "chain-memory",
    title: "A chain needs fewer experts",
    says: "Two experts of twelve, twice, predict as well as four of sixteen at once: as many calls, three quarters of the memory.",
    paper: "Two times four of 48 match eight of 64, with 17.6 % less memory.",
    source: "Wang et al., Chain-of-Experts, arXiv 2506.18945",
    entries: ["ChainOfExperts"],
    data: text,
    choices: "As in the claim about chains; the same share of experts is left out as in the paper.",
    arms: [
      { name: "4 of 16", model: "OneStep" },
      { name: "2 of 12, twice", model: "TwoSteps" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      {
        measure: "metric prediction",
        arm: "2 of 12, twice",
        against: "4 of 16",
        expect: "no higher",
        margin: 0.01,
      },
    ],
  },
  {
    name: "chain-dense",
    title: "Without a choice a chain gains nothing",
    says: "Where nothing is chosen, experts one behind the other are not clearly better than as many side by side.",
    paper: "No clear gain; plots.",
    source: "Wang et al., Chain-of-Experts, arXiv 2506.18945",
    entries: ["ChainOfExperts", "Dense"],
    data: text,
    choices: "All of four at once, all of two twice; weights are a softmax.",
    arms: [
      { name: "4 of 4", model: "OneStep" },
      { name: "2 of 2, twice", model: "TwoSteps" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      {
        measure: "metric prediction",
        arm: "2 of 2, twice",
        against: "4 of 4",
        expect: "no lower",
        margin: 0.01,
      },
    ],
  },
  {
    name: "grown-experts",
    title: "One expert first, copies later",
    says: "Experts that are copies of one that learned first predict better than experts that learn from the beginning, at the same arithmetic.",
    paper:
      "1.2 times the speed to the same loss, when one expert of each kind learns for the first 10,000 steps.",
    source: "Lin et al., MoMa, arXiv 2407.21770",
    entries: ["ModalityChoice"],
    data: digits32,
    choices:
      "One expert in 100 of 300 steps, then eight exact copies with a new router, told apart by the noise on its logits, as in the paper. Experts choose in pictures, where nothing is causal, so that no second router is needed.",
    arms: [
      { name: "eight from the beginning", model: "Scratch" },
      { name: "one, then eight", model: "Grown" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      {
        measure: "metric prediction",
        arm: "one, then eight",
        against: "eight from the beginning",
        expect: "lower",
      },
    ],
  },
  {
    name: "mixture-on-pictures",
    title: "Experts for pictures",
    says: "One of eight experts for a patch of a picture is better than one network, and a cosine chooses about as well as a product.",
    paper:
      "SwinV2-S, ImageNet-22K: accuracy 35.5 with one network, 36.8 with eight experts; of 32 experts 37.4 by products, 37.2 by cosines.",
    source: "Hwang et al., Tutel, arXiv 2206.03382",
    entries: ["ScaledCosine", "TopK"],
    data: digits32,
    choices:
      "Cross-entropy stands beside accuracy, which moves in steps of a sixth of a point. The balance is that of each router: importance and load for the cosine, Switch's for the product. There is room for all.",
    arms: [
      { name: "one network", model: "OneNetwork" },
      { name: "1 of 8 by product", model: "Linear" },
      { name: "1 of 8 by cosine", model: "OnSphere" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric accuracy", arm: "1 of 8 by product", against: "one network", expect: "higher" },
      { measure: "metric prediction", arm: "1 of 8 by product", against: "one network", expect: "lower" },
      {
        measure: "metric accuracy",
        arm: "1 of 8 by cosine",
        against: "1 of 8 by product",
        expect: "equal",
        margin: 0.01,
      },
    ],
  },
  {
    name: "levels",
    title: "Experts of tokens, then experts of whole pictures",
    says: "Experts of tokens followed by experts of whole sequences, two of which bring in features of a frozen network, are better than one network, and than the same without those features.",
    paper:
      "A score of descriptions of faces: 4.988 without experts, 6.023 with both levels, 5.21 without the features.",
    source: "UniF2ace, arXiv 2503.08120",
    entries: ["ExpertsOfTask", "UnderstandingExperts", "FeatureView"],
    data: digits32,
    choices:
      "One task, which is to name the digit. Rows and columns of the picture at half its size are in the place of what two frozen networks see. Experts of tokens: one for all and four of sixteen of half the width.",
    arms: [
      { name: "one network", model: "OneNetwork" },
      { name: "without features", model: "WithoutFeatures" },
      { name: "both levels", model: "BothLevels" },
    ],
    seeds: [1, 2, 3],
    comparisons: [
      { measure: "metric prediction", arm: "both levels", against: "one network", expect: "lower" },
      { measure: "metric prediction", arm: "both levels", against: "without features", expect: "lower" },
    ],
  },
];
