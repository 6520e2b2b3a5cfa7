// Claims about tables: several tasks, classifiers, market days, texts as vectors, pictures of stars. Data with a known answer (claims/data-tables.ts).

import type { Claim } from "./claim.ts";
import { digits32, seeds, tenSeeds } from "./settings.ts";

const grouped =
  "Four yes-or-no tasks in two groups of 24 features of heavy tails and unlike scales; two thirds of a task's odds are its group's.";

export const tableClaims: readonly Claim[] = [
  {
    name: "task-extraction",
    title: "Experts of each task beside shared ones",
    says: "Experts that only one task sees, beside shared ones, err less than experts for all, and two levels of them less than one.",
    paper:
      "Two tasks of a video service: gains in both at once, where a shared pool gains in one and loses in the other; plots and tables of its own metrics.",
    source: "Tang et al., Progressive Layered Extraction, RecSys 2020",
    entries: ["ProgressiveExtraction", "CustomGates", "MultiGate"],
    data: grouped,
    choices: "Ten experts of twelve neurons in a level.",
    arms: [
      { name: "a gate for each task", model: "Gates" },
      { name: "own and shared experts", model: "OneLevel" },
      { name: "two levels", model: "TwoLevels" },
    ],
    seeds: tenSeeds,
    comparisons: [
      {
        measure: "metric error",
        arm: "own and shared experts",
        against: "a gate for each task",
        expect: "lower",
      },
      { measure: "metric error", arm: "two levels", against: "own and shared experts", expect: "lower" },
    ],
  },
  {
    name: "task-hierarchy",
    title: "Normalised experts in a hierarchy of tasks",
    says: "Two levels of experts that know the groups of tasks, normalised, err less than one pool under many gates; without normalisation experts die.",
    paper: "A gain in all tasks of a video service, online and offline; no number could be verified.",
    source: "Wang et al., HoME, arXiv 2408.05430",
    entries: ["GroupedTasks", "NormedSwish", "ViewedSwish"],
    data: grouped,
    choices:
      "Ten experts of twelve neurons in each arm; views of the features belong to the normalised ones, as in the paper.",
    arms: [
      { name: "a gate for each task", model: "Gates" },
      { name: "hierarchy, ReLU", model: "Hierarchy" },
      { name: "hierarchy, normalised", model: "Normalised" },
    ],
    seeds: tenSeeds,
    comparisons: [
      {
        measure: "metric error",
        arm: "hierarchy, normalised",
        against: "a gate for each task",
        expect: "lower",
      },
      { measure: "metric error", arm: "hierarchy, normalised", against: "hierarchy, ReLU", expect: "lower" },
    ],
  },
  {
    name: "feature-views",
    title: "Each expert looks through a gate of its own",
    says: "Normalised experts err less when each sees the features through a gate of its own.",
    paper: "A gain in all tasks of a video service; no number could be verified.",
    source: "Wang et al., HoME, arXiv 2408.05430",
    entries: ["GroupedTasks", "ViewedSwish", "FeatureGate"],
    data: grouped,
    choices: "As in the claim about the hierarchy. Two maps of rank four make a view, which is a guess.",
    arms: [
      { name: "views", model: "Views" },
      { name: "no views", model: "NoViews" },
    ],
    seeds: tenSeeds,
    comparisons: [{ measure: "metric error", arm: "views", against: "no views", expect: "lower" }],
  },
  {
    name: "classifier-mixture",
    title: "Classifiers for kinds of samples",
    says: "A classifier that is chosen for each sample is right more often than one for all, where a class is several kinds of things.",
    paper: "Ship noise, three data sets: gains of a few points over one classifier on the same network.",
    source: "Xie et al., CMoE, arXiv 2402.11919",
    entries: ["ClassifierMixture", "Select"],
    data: "Four classes of three normal clouds each in eight dimensions; samples are what the router and the classifiers see, without a network before.",
    choices:
      "Eight linear classifiers, sigmoid scores and a balance loss of 0.01 as in the released code, where the score selects and the task does not train it. A third arm lets it multiply.",
    arms: [
      { name: "one classifier", model: "OneHead" },
      { name: "eight, the score selects", model: "Published" },
      { name: "eight, the score multiplies", model: "Multiplied" },
    ],
    seeds: tenSeeds,
    comparisons: [
      {
        measure: "metric accuracy",
        arm: "eight, the score selects",
        against: "one classifier",
        expect: "higher",
      },
      {
        measure: "metric accuracy",
        arm: "eight, the score multiplies",
        against: "one classifier",
        expect: "higher",
      },
    ],
  },
  {
    name: "output-masking",
    title: "Answers left out by chance help where data are few",
    says: "Leaving out whole answers of experts in training generalises better, most where there are few data.",
    paper: "128 experts, top 2: +0.4 chrF++ over all directions, more for languages with few data.",
    source: "No Language Left Behind, arXiv 2207.04672",
    entries: ["MaskedExperts"],
    data: "512 rows of eight classes of four normal clouds in 16 dimensions, 15 % of the labels drawn at random; measured on 2,048 rows with true labels.",
    choices: "p = 0.2, as in the final model; two layers, two of eight experts, 125 epochs.",
    arms: [
      { name: "all answers", model: "Plain" },
      { name: "a fifth left out", model: "Masked" },
    ],
    seeds: tenSeeds,
    comparisons: [
      { measure: "metric truth", arm: "a fifth left out", against: "all answers", expect: "lower" },
      { measure: "metric accuracy", arm: "a fifth left out", against: "all answers", expect: "higher" },
    ],
  },
  {
    name: "adapter-mixture",
    title: "Many small changes beat one of their size",
    says: "Changes of low rank that a router chooses among fit several tasks better than one change with as many parameters.",
    paper: "7B parameters, several tasks at once: mean accuracy 71.8 with one change, 77.6 with eight.",
    source: "Li et al., MixLoRA, arXiv 2404.15159",
    entries: ["MixtureOfAdapters", "AdaptedGates"],
    data: "A function of 16 numbers that is learned first; then the network is frozen, and four kinds of rows each need another change of rank 2 added to it.",
    choices:
      "Rank 16 once against rank 2 eight times, two for a row; scale 2 as in the paper's setting, no dropout, for regression.",
    arms: [
      { name: "one of rank 16", model: "One" },
      { name: "two of eight of rank 2", model: "Eight" },
    ],
    seeds,
    comparisons: [
      { measure: "metric error", arm: "two of eight of rank 2", against: "one of rank 16", expect: "lower" },
    ],
  },
  {
    name: "prompt-mixture",
    title: "A gate over texts that compares answer and question",
    says: "A gate for each thing weighs its texts better than their mean, and better when it compares what a text says with what was asked.",
    paper:
      "Graphs of articles and products: the mixture is ahead of single prompts and of their mean; no number could be verified.",
    source: "Fang et al., GAugLLM, arXiv 2406.11945",
    entries: ["PromptMixture", "PairMixture"],
    data: "Four vectors that stand for texts about a thing of eight classes; one of them is right, and its context is like its content.",
    choices: "Temperature 0.2 for both gates, that of the released gate with similarities.",
    arms: [
      { name: "mean", model: "Averaged" },
      { name: "gate of contents", model: "Contents" },
      { name: "gate with similarities", model: "Similar" },
    ],
    seeds,
    comparisons: [
      { measure: "metric accuracy", arm: "gate with similarities", against: "mean", expect: "higher" },
      {
        measure: "metric accuracy",
        arm: "gate with similarities",
        against: "gate of contents",
        expect: "higher",
      },
    ],
  },
  {
    name: "trail-experts",
    title: "Two fixed kernels and a gate that knows the mode",
    says: "Experts with the physics of points and of trails, weighed by how the telescope moves, find what moves better than either alone.",
    paper: "Simulated images in three modes: mean average precision up to 99.26 %.",
    source: "Jia et al., arXiv 2504.07777",
    entries: ["TrailMixture", "StillPoint", "MovingTrail"],
    data: "Pictures of 16 × 16, half of them with something that moves: a trail where the telescope follows the stars, a point where it follows what moves; 4.5 deviations above the noise for a filter of the right shape.",
    choices:
      "In the place of the paper's detectors, in all arms: the brightest place after the kernel, against a threshold of the mode. A first try had stars in the pictures, which are the brightest places under any kernel; they are left out, as known from catalogues. Cross-entropy is compared since accuracies of a first seed lay within its noise.",
    arms: [
      { name: "points", model: "Points" },
      { name: "trails", model: "Trails" },
      { name: "both", model: "Both" },
    ],
    seeds,
    comparisons: [
      { measure: "metric prediction", arm: "both", against: "points", expect: "lower" },
      { measure: "metric prediction", arm: "both", against: "trails", expect: "lower" },
    ],
  },
  {
    name: "group-aggregation",
    title: "Experts in groups that hear each other",
    says: "Routed linear experts rank what comes better than one, and better still when those of a group attend to each other.",
    paper:
      "300 shares: information coefficient 0.052, ahead of single models; there is no mixture without groups among its baselines.",
    source: "Yu et al., MIGA, arXiv 2410.02241",
    entries: ["GroupAggregation", "Correlation"],
    data: "Days of 48 things with eight features, of four styles; what comes is linear in the features, by style, with noise three times as large.",
    choices:
      "Four groups of four experts, four for a thing; the loss is one less the correlation within a day.",
    arms: [
      { name: "one expert", model: "One" },
      { name: "4 of 16", model: "Alone" },
      { name: "4 of 16 in groups", model: "Groups" },
    ],
    seeds: tenSeeds,
    comparisons: [
      { measure: "metric correlation", arm: "4 of 16 in groups", against: "one expert", expect: "higher" },
      { measure: "metric correlation", arm: "4 of 16 in groups", against: "4 of 16", expect: "higher" },
    ],
  },
  {
    name: "second-opinion",
    title: "Two heads that differ read more than the mark",
    says: "Where a mark tells the label whenever there is one, heads that are made to differ on data without labels give one that reads the thing itself.",
    paper:
      "Pictures with a background that tells the class: one of two heads generalises where plain training does not; no number could be verified.",
    source: "Lee, Yao and Finn, DivDis, arXiv 2202.03418",
    entries: ["Diversity", "Calibration", "MutualInformation"],
    data: "Is a handwritten digit odd? A mark beside it says so, always where labels are; where none are, and in the measure, it says anything.",
    choices:
      "Weights of 10 for both losses, as in the paper; accuracy is that of the better head on batches of 100. Pictures without labels are the same pictures with another mark.",
    arms: [
      { name: "labels alone", model: "Labels" },
      { name: "and difference", model: "Diverse" },
    ],
    seeds,
    comparisons: [
      { measure: "metric accuracy", arm: "and difference", against: "labels alone", expect: "higher" },
    ],
  },
  {
    name: "answer-spans",
    title: "Switch layers in an encoder that answers",
    says: "An encoder with Switch layers points at answers better than with one network for all.",
    paper: "Question answering out of domain: F1 9.5 % better, to 53.5 on validation.",
    source: "Zhou et al., arXiv 2204.09598",
    entries: ["SwitchFeedForward"],
    data: "Where the n-th word of 32 letters of a novel (examples/book) begins and ends, n told by the first letter; two layers of width 32.",
    choices:
      "Measured on held-out text of the same book: there is no second test set. Places for just as many letters as there are.",
    arms: [
      { name: "one network", model: "OneNetwork" },
      { name: "Switch, one of 8", model: "Switched" },
    ],
    seeds,
    comparisons: [
      { measure: "metric exact", arm: "Switch, one of 8", against: "one network", expect: "higher" },
    ],
  },
  {
    name: "disagreement",
    title: "A second model that shall not agree",
    says: "A model that learns the labels but shall not agree with a first one on data without labels finds what the first one did not look at.",
    paper:
      "Two digits, clothes and other things side by side, one of which tells the label always: the second model reads the other one; no number could be verified.",
    source: "Pagliardini et al., D-BAT, arXiv 2202.04414",
    entries: ["Disagreement"],
    data: "Is a handwritten digit odd? A mark beside it says so, always where labels are; where none are, and in the measure, it says anything.",
    choices:
      "The paper searches the weight of the loss, from a millionth to 2; here 2, its weight for coloured digits, and a tenth of it. A first try with 1, on one seed, was no better than chance. Pictures without labels are the same pictures with another mark.",
    arms: [
      { name: "a second alike", model: "Agreeing" },
      { name: "weight 0.2", model: "Little" },
      { name: "weight 2", model: "Much" },
    ],
    seeds: tenSeeds,
    comparisons: [
      { measure: "metric accuracy", arm: "weight 0.2", against: "a second alike", expect: "higher" },
      { measure: "metric accuracy", arm: "weight 2", against: "a second alike", expect: "higher" },
    ],
  },
  {
    name: "parts-of-dense",
    title: "Parts of a network that take half of the tokens each",
    says: "A network cut into four parts, each of which takes the half of the tokens that it wants most, is better than the whole on all tokens, at half the arithmetic.",
    paper:
      "Language: perplexity 2.38 lower than the next best with 76 % of its arithmetic; pictures: accuracy 1.75 points higher.",
    source: "Yang et al., Union of Experts, arXiv 2503.02495",
    entries: ["PartsOfDense", "TokensForParts"],
    data: digits32,
    choices:
      "As in the released code parts are not weighed, so that nothing trains the router; a third arm weighs them. Not for text: what a part takes depends on later tokens.",
    arms: [
      { name: "whole", model: "Dense" },
      { name: "parts", model: "InParts" },
      { name: "weighed parts", model: "WeighedParts" },
    ],
    seeds: tenSeeds,
    comparisons: [
      { measure: "metric accuracy", arm: "parts", against: "whole", expect: "higher" },
      { measure: "metric accuracy", arm: "weighed parts", against: "parts", expect: "higher" },
      { measure: "arithmetic", arm: "parts", against: "whole", expect: "lower" },
    ],
  },
  {
    name: "attention-parts",
    title: "Heads that take half of the tokens each",
    says: "Attention whose heads are parts, each of which takes the half of the tokens that it wants most, is better than whole attention, and better still with a network in parts.",
    paper:
      "Both in parts. Language: perplexity 2.38 lower than the next best with 76 % of its arithmetic; pictures: accuracy 1.75 points higher.",
    source: "Yang et al., Union of Experts, arXiv 2503.02495",
    entries: ["RoutedHeads", "PartsOfDense", "TokensForParts"],
    data: digits32,
    choices:
      "Four heads, parts that are not weighed, as in the released code. Scores of tokens that a head did not take are computed and masked, so that the arithmetic saved in attention is not in the table.",
    arms: [
      { name: "whole", model: "Dense" },
      { name: "attention in parts", model: "InHeads" },
      { name: "both in parts", model: "InParts" },
    ],
    seeds,
    comparisons: [
      { measure: "metric accuracy", arm: "attention in parts", against: "whole", expect: "higher" },
      { measure: "metric accuracy", arm: "both in parts", against: "attention in parts", expect: "higher" },
    ],
  },
  {
    name: "spurious-ratio",
    title: "How often the mark is right decides",
    says: "Heads that are made to differ read the thing itself where, on data without labels, the mark is right as often as not, less where it never is, and not at all where it always is.",
    paper:
      "Each method has a share of its own at which it works; with another the lead over plain training is lost. No number could be verified.",
    source:
      "Unraveling the key components of OOD generalization via diversification, arXiv 2312.16313; the method: DivDis, arXiv 2202.03418",
    entries: ["Diversity", "Calibration"],
    data: "Is a handwritten digit odd? A mark beside it says so, always where labels are; where none are, never, half of the time or always; in the measure half of the time.",
    choices: "As in the claim about two heads.",
    arms: [
      { name: "always", model: "Always" },
      { name: "half", model: "Half" },
      { name: "never", model: "Never" },
    ],
    seeds,
    comparisons: [
      { measure: "metric accuracy", arm: "half", against: "always", expect: "higher" },
      { measure: "metric accuracy", arm: "half", against: "never", expect: "higher" },
    ],
  },
  {
    name: "disagreement-ratio",
    title: "A mark that is always wrong helps a second model most",
    says: "A second model that shall not agree with a first one reads the thing itself best where, on data without labels, the mark is always wrong, less well where it is right as often as not, and worst where it always is.",
    paper:
      "Each method has a share of its own at which it works; with another the lead over plain training is lost. No number could be verified.",
    source:
      "Unraveling the key components of OOD generalization via diversification, arXiv 2312.16313; the method: D-BAT, arXiv 2202.04414",
    entries: ["Disagreement"],
    data: "Is a handwritten digit odd? A mark beside it says so, always where labels are; where none are, never, half of the time or always; in the measure half of the time.",
    choices: "As in the claim about a second model, with the weight of 0.2.",
    arms: [
      { name: "always", model: "Always" },
      { name: "half", model: "Half" },
      { name: "never", model: "Never" },
    ],
    seeds: tenSeeds,
    comparisons: [
      { measure: "metric accuracy", arm: "never", against: "half", expect: "higher" },
      { measure: "metric accuracy", arm: "half", against: "always", expect: "higher" },
    ],
  },
];
