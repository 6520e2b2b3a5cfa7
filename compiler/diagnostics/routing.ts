// Pages of M05: routers and pools.

import { inRouter, page, type Page } from "./page.ts";

/** A moe around statements, in a model, with experts and routers of the library. */
const inMoe = (statements: string, routers: readonly string[] = ["TopK"]): string => `
import std.experts { Relu }
${routers.map((name) => `import std.routers { ${name} }\n`).join("")}moe Ffn(D)(x: [D]) -> [D] {
${statements
  .split("\n")
  .map((line) => `  ${line}`)
  .join("\n")}
}
model Example {
  modality x = features(4)
  logits = Ffn(4)(x)
}
`;

export const routingPages: readonly Page[] = [
  page(
    "M0501",
    "more picks than there are experts",
    "A choice cannot take more experts than the pool has (null experts count), nor more of a group than are in it.",
    inMoe("routed Relu(D, 8) * 4\nrouter TopK { k = 5 }"),
    inMoe("routed Relu(D, 8) * 4\nnull zero * 2\nrouter TopK { k = 5 }"),
  ),
  page(
    "M0502",
    "scores that are not one for each expert",
    "What a router chooses by, and its masks, have one entry for each of the N experts.",
    inRouter("choose top 1 of sum(score)"),
    inRouter("choose top 1 of score"),
  ),
  page(
    "M0503",
    "scores and conditions confused",
    "`top` and `until` rank numbers; `where` and `only where` take truth values.",
    inRouter("choose where score"),
    inRouter("choose where score > 0"),
  ),
  page(
    "M0504",
    "a count that is no whole number",
    "Numbers of picks, groups and experts are whole numbers of at least 1, known when the model is compiled.",
    inRouter("choose top 1.5 of score"),
    inRouter("choose top 2 of score"),
  ),
  page(
    "M0505",
    "groups that do not divide the experts",
    "Groups are of neighbours, and all of one size.",
    inMoe("routed Relu(D, 8) * 6\nrouter Grouped { groups = 4 }", ["Grouped"]),
    inMoe("routed Relu(D, 8) * 8\nrouter Grouped { groups = 4 }", ["Grouped"]),
  ),
  page(
    "M0506",
    "a choice that is not complete",
    "`at most 4` in a choice by condition needs `by score`, so that it is known which to leave out; a threshold is one number; groups are ranked by `sum` or `max`; `given` takes integers (`int(x)` makes them of numbers) or gates.",
    inRouter("choose where score > 0 at most 4"),
    inRouter("choose where score > 0 at most 4 by score"),
  ),
  page(
    "M0507",
    "a router that does not choose, or not yet",
    "A router chooses once; `load` and `chosen` are known from then on.",
    inRouter("loss balance = sum(load)\nchoose top 1 of score"),
    inRouter("choose top 1 of score\nloss balance = sum(load)"),
  ),
  page(
    "M0508",
    "a capacity that cannot be kept",
    "`capacity` stands below `choose` and counts tokens per expert: a number or a size. `drop lowest` needs a choice by score, or says of what: `drop lowest of p`.",
    inRouter("capacity 1.25 * tokens / N\nchoose top 1 of score"),
    inRouter("choose top 1 of score\ncapacity 1.25 * tokens / N"),
  ),
  page(
    "M0509",
    "a weight that is not one number for each chosen expert",
    "In `weight` every tensor over experts stands for its chosen entries; the result has one number for each of them, or one for all.",
    inRouter("choose top 2 of score\nweight w"),
    inRouter("choose top 2 of score\nweight softmax(score)"),
  ),
  page(
    "M0510",
    "experts of one pool that return different sizes",
    "The results of a token's experts are added up, so all of them return the same. They may be of different kinds and inner sizes.",
    "\nimport std.routers { TopK }\nexpert Up(D, H)(x: [D]) -> [H] {\n  param w: [D, H]\n  x @ w\n}\nmodel Example {\n  modality x = features(4)\n  pool = Up(4, 4) * 2 + Up(4, 8) * 2\n  logits = pool(x) by TopK\n}\n",
    "\nimport std.routers { TopK }\nexpert Up(D, H)(x: [D]) -> [H] {\n  param w: [D, H]\n  x @ w\n}\nmodel Example {\n  modality x = features(4)\n  pool = Up(4, 8) * 2 + Up(4, 8) * 2\n  logits = pool(x) by TopK\n}\n",
  ),
  page(
    "M0511",
    "a routed expert that routes",
    "Rows of a routing are not routed again: a hierarchy is written with one choice over all leaf experts (`in the best 2 of 8 groups`), or with layers around the pools.",
    "\nimport std.experts { Relu }\nimport std.routers { TopK }\nexpert Tree(D)(x: [D]) -> [D] {\n  leaves = Relu(D, 8) * 4\n  leaves(x) by TopK\n}\nmodel Example {\n  modality x = features(4)\n  trees = Tree(4) * 2\n  logits = trees(x) by TopK { k = 1 }\n}\n",
    "\nimport std.experts { Relu }\nimport std.routers { GroupLimited }\nmodel Example {\n  modality x = features(4)\n  leaves = Relu(4, 8) * 8\n  logits = leaves(x) by GroupLimited { k = 2, groups = 2, kept = 1 }\n}\n",
  ),
  page(
    "M0512",
    "a null expert that copies, among experts of another width",
    "`copy` returns the token itself: that fits only where the experts return what they take.",
    "\nimport std.routers { TopK }\nexpert Up(D, H)(x: [D]) -> [H] {\n  param w: [D, H]\n  x @ w\n}\nmodel Example {\n  modality x = features(4)\n  pool = Up(4, 8) * 4 + copy\n  logits = pool(x) by TopK\n}\n",
    "\nimport std.routers { TopK }\nexpert Up(D, H)(x: [D]) -> [H] {\n  param w: [D, H]\n  x @ w\n}\nmodel Example {\n  modality x = features(4)\n  pool = Up(4, 8) * 4 + constant\n  logits = pool(x) by TopK\n}\n",
  ),
  page(
    "M0513",
    "gates for other tokens than those of the pool",
    "The router says what is routed: one set of gates for each token, or for each sequence. The pool must be applied to the same things.",
    "\nimport std.routers { TopK }\nexpert Rows(R, D)(x: [R, D]) -> [R, D] {\n  param w: [R, D]\n  x * w\n}\nmodel Example {\n  modality x = image(3, 4)\n  pool = Rows(3, 4) * 4\n  logits = pool(x) by TopK\n}\n",
    "\nimport std.routers { TopK }\nexpert Rows(R, D)(x: [R, D]) -> [R, D] {\n  param w: [R, D]\n  x * w\n}\nmodel Example {\n  modality x = image(3, 4)\n  pool = Rows(3, 4) * 4\n  logits = pool(x) by TopK(mean(x over height))\n}\n",
  ),
  page(
    "M0514",
    "a pool without a router, or a router without a pool",
    "Which experts a token takes is always said: `router ...` in a moe, `pool(x) by ...` elsewhere.",
    inMoe("routed Relu(D, 8) * 4", []),
    inMoe("routed Relu(D, 8) * 4\nrouter TopK"),
  ),
  page(
    "M0515",
    "something else where a router is wanted",
    "After `by` and `router` stands a router, a router applied to what it should read, or gates.",
    inMoe("routed Relu(D, 8) * 4\nrouter Relu(D, 8)", []),
    inMoe("routed Relu(D, 8) * 4\nrouter TopK"),
  ),
  page(
    "M0516",
    "experts for one modality among tokens of unknown modality",
    "`for text` asks which modality a token came from. That is known along axes that were made of modalities: a token modality itself, or several joined with `concat(... over T)`.",
    "\nimport std.experts { Relu }\nimport std.routers { TopK }\nmoe Ffn(D)(x: [D]) -> [D] {\n  routed Relu(D, 8) * 2 for day\n  routed Relu(D, 8) * 2\n  router TopK\n}\nmodel Example {\n  modality day = features(4)\n  logits = Ffn(4)(day)\n}\n",
    "\nimport std.experts { Relu }\nimport std.routers { TopK }\nmoe Ffn(D)(x: [D]) -> [D] {\n  routed Relu(D, 8) * 2 for text\n  routed Relu(D, 8) * 2\n  router TopK\n}\nmodel Example {\n  modality text = tokens(vocab = 16)\n  param table: [16, 4]\n  logits = Ffn(4)(table[text])\n}\n",
  ),
  page(
    "M0517",
    "a weight of experts that is no single number",
    "`shared ... weight` and `routed ... weight` scale what experts return by one number for each token.",
    inMoe("shared Relu(D, 8) weight x\nrouted Relu(D, 8) * 4\nrouter TopK"),
    inMoe("param w: [D]\nshared Relu(D, 8) weight sigmoid(x @ w)\nrouted Relu(D, 8) * 4\nrouter TopK"),
  ),
  page(
    "M0518",
    "null experts that are shared",
    "A shared expert runs for every token: one that does nothing can be left out.",
    inMoe("shared zero * 2\nrouted Relu(D, 8) * 4\nrouter TopK"),
    inMoe("null zero * 2\nrouted Relu(D, 8) * 4\nrouter TopK"),
  ),
  page(
    "M0519",
    "two routers for one pool",
    "A pool in a moe has one router, or one for each mode: `router A in training`, `router B in inference`.",
    inMoe("routed Relu(D, 8) * 4\nrouter TopK { k = 1 }\nrouter TopK { k = 2 }"),
    inMoe("routed Relu(D, 8) * 4\nrouter TopK { k = 1 } in inference\nrouter TopK { k = 2 } in training"),
  ),
  page(
    "M0521",
    "gates for another number of experts",
    "Gates that are made on their own choose among `N` experts, nulls counted; the pool that they are given to must have as many.",
    "\nimport std.experts { Relu }\nimport std.routers { TopK }\nmodel Example {\n  modality x = features(4)\n  g = TopK { N = 4 }(x)\n  pool = Relu(4, 8) * 6\n  logits = pool(x) by g\n}\n",
    "\nimport std.experts { Relu }\nimport std.routers { TopK }\nmodel Example {\n  modality x = features(4)\n  g = TopK { N = 6 }(x)\n  pool = Relu(4, 8) * 6\n  logits = pool(x) by g\n}\n",
  ),
  page(
    "M0520",
    "a moe with a pool and an expression",
    "The result of a moe is the sum of its shared and routed experts. Residuals and projections belong in a layer around it.",
    inMoe("routed Relu(D, 8) * 4\nrouter TopK\nx"),
    inMoe("routed Relu(D, 8) * 4\nrouter TopK"),
  ),
  page(
    "M0522",
    "a priority that is not one number for each expert, or one for the token",
    "What stands after `drop lowest of` says who keeps a place: the highest. It has one entry for each of the N experts, or is one number " +
      "for the token; `inf` is never dropped before others, and `-inf` keeps no place.",
    inRouter("choose top 1 of score\ncapacity 1.25 * tokens / N drop lowest of x"),
    inRouter("choose top 1 of score\ncapacity 1.25 * tokens / N drop lowest of max(score)"),
  ),
];
