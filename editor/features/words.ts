// Words: how each statement, setting and declaration is written, for hovers and completion: as a snippet (`${1:D}` are places to
// fill in) with a line of explanation. In: nothing. Out: tables.

import type { DefinitionKind } from "../../grammar/syntax.ts";

export interface Form {
  readonly word: string;
  readonly snippet: string;
  readonly doc: string;
  /** Kinds of definitions that it may stand in; absent: all. */
  readonly kinds?: readonly DefinitionKind[];
}

const form = (word: string, snippet: string, doc: string, kinds?: readonly DefinitionKind[]): Form => ({
  ...{ word, snippet, doc },
  ...(kinds === undefined ? {} : { kinds }),
});

export const declarationForms: readonly Form[] = [
  form(
    "import",
    "import ${1:std.experts} { $2 }",
    "Names from the standard library or from a file beside this one.",
  ),
  form(
    "expert",
    "expert ${1:Name}(${2:D, H})(x: [${3:D}]) -> [${4:D}] {\n  $0\n}",
    "A function of one token, with parameters, that a pool can hold many of.",
  ),
  form(
    "router",
    "router ${1:Name}(D, N, k = ${2:2})(x: [D]) -> gates[N] {\n  param w: [D, N] = normal(0.02)\n  score = softmax(x @ w)\n  choose top k of score$0\n}",
    "Scores, a choice and weights: from a token to the experts that it takes.",
  ),
  form(
    "moe",
    "moe ${1:Name}(D, H)(x: [D]) -> [D] {\n  routed ${2:SwiGLU}(D, H) * ${3:8}\n  router ${4:TopK} { k = ${5:2} }$0\n}",
    "A pool of experts, shared and null experts, and a router.",
  ),
  form(
    "layer",
    "layer ${1:Name}(${2:D})(x: [${3:T, D}]) -> [${4:T, D}] {\n  $0\n}",
    "Any block with parameters.",
  ),
  form(
    "chain",
    "chain ${1:Name}(${2:D})(x: [${3:D}]) -> [${4:D}] {\n  $0\n}",
    "A layer that routes again over one pool of experts.",
  ),
  form("function", "function ${1:name}(${2:x: [D]}) -> [${3:D}] {\n  $0\n}", "A formula without parameters."),
  form(
    "model",
    "model ${1:Name} {\n  dim D = ${2:128}\n  modality text = tokens(vocab = 256)\n  param table: [text.vocab, D] = normal(0.02)\n  x = table[text]\n  $0\n  logits = x @ transpose(table)\n  loss cross_entropy(logits, text.next)\n}",
    "Modalities, layers, losses, metrics: the whole.",
  ),
  form(
    "train",
    'train ${1:Name} {\n  data text = bytes("${2:corpus/*.txt}")\n  batch ${3:16} of ${4:256}\n  optimizer adamw { rate = cosine(3e-3, warmup = 100) }\n  steps ${5:1000}$0\n}',
    "How a model is trained.",
  ),
  form("dim", "dim ${1:D} = ${2:256}", "A number that is known when the model is compiled."),
];

const withParameters: readonly DefinitionKind[] = ["expert", "router", "moe", "layer", "chain", "model"];

export const statementForms: readonly Form[] = [
  form("dim", "dim ${1:H} = ${2:4 * D}", "A static name."),
  form("param", "param ${1:w}: [${2:D, H}]", "A trained tensor.", withParameters),
  form(
    "state",
    "state ${1:bias}: [${2:N}] = ${3:0}",
    "A tensor without gradient, saved with the checkpoint.",
    withParameters,
  ),
  form("modality", "modality ${1:text} = ${2:tokens(vocab = 256)}", "What enters the model.", ["model"]),
  form("choose", "choose ", "Which experts a token takes.", ["router"]),
  form("weight", "weight ${1:score / sum(score)}", "What each chosen expert's answer counts.", ["router"]),
  form("capacity", "capacity ${1:1.25} * tokens / N", "How many tokens an expert takes at most.", ["router"]),
  form("shared", "shared ${1:SwiGLU(D, H)} * ${2:1}", "Experts that every token takes.", ["moe"]),
  form("routed", "routed ${1:SwiGLU(D, H)} * ${2:8}", "Experts that the router chooses from.", ["moe"]),
  form("null", "null ${1|zero,copy,constant|} * ${2:1}", "Experts that cost nothing.", ["moe"]),
  form("router", "router ${1:TopK} { k = ${2:2} }", "Who chooses.", ["moe"]),
  form("loss", "loss ${1:expression}", "Adds to what training makes small; a name makes it a metric too."),
  form("metric", "metric ${1:name} = ${2:expression}", "Reported, never trained on."),
  form("after", "after step: ${1:state} += ${2:expression}", "A state's new value, once per step."),
  form("repeat", "repeat ${1:4} {\n  $0\n}", "The body, so many times, each with its own parameters."),
  form("if", "if ${1:condition} {\n  $0\n}", "A static choice."),
];

export const settingForms: readonly Form[] = [
  form("data", 'data ${1:text} = bytes("${2:corpus/*.txt}")', "Where the data of a modality come from."),
  form("batch", "batch ${1:16} of ${2:256}", "Examples in one step, and how long each is."),
  form(
    "optimizer",
    "optimizer ${1|adamw,sgd,lion,muon|} { rate = ${2:1e-3} }",
    "How parameters follow gradients.",
  ),
  form("steps", "steps ${1:1000}", "Optimiser steps."),
  form("accumulate", "accumulate ${1:2}", "Micro-batches in one step."),
  form("clip", "clip ${1:1}", "The norm of the gradient that is kept."),
  form("seed", "seed ${1:1}", "Of initial values, order and randomness."),
  form(
    "evaluate",
    "evaluate every ${1:100} on ${2:5%}",
    "How often it is measured, on what share of the data.",
  ),
  form("checkpoint", "checkpoint every ${1:100}", "How often it is saved."),
  form("stop", "stop after ${1:5}", "Evaluations without improvement."),
  form("freeze", 'freeze "${1:embed*}"', "Parameters that are not trained, by a pattern of names."),
  form("model", "model ${1:Name} { ${2:experts} = ${3:8} }", "What is trained, and what it is given."),
  form(
    "start",
    'start from "${1:runs/base}" {\n  "${2:*.experts.*}" = copy("${3:*.ffn.*}")\n}',
    "First values from other checkpoints.",
  ),
  form("phase", "phase ${1:name} {\n  steps ${2:1000}\n  $0\n}", "Settings of one part of the run."),
  form("rate", 'rate "${1:*.router.*}" = ${2:0.5}', "A factor on the learning rate, by a pattern of names."),
];

export const chooseForms: readonly Form[] = [
  form("top", "top ${1:k} of ${2:score}", "The best; ties to the lower index."),
  form("until", "until sum(${1:score}) > ${2:0.4} by ${1:score}", "The best until their sum passes."),
  form("where", "where ${1:score > 0}", "All that satisfy a condition."),
  form("all", "all", "Every expert."),
  form("given", "given ${1:route}", "What ids or gates say."),
];

/** How a word of the language is used; undefined for any other word. */
export function formHelp(word: string): { readonly code: string; readonly doc: string } | undefined {
  const found =
    statementForms.find((each) => each.word === word) ??
    declarationForms.find((each) => each.word === word) ??
    settingForms.find((each) => each.word === word);
  return found === undefined ? undefined : { code: plainText(found.snippet), doc: found.doc };
}

/** A snippet with its places filled in. */
export const plainText = (snippet: string): string =>
  snippet
    .replace(/\$\{\d+\|([^,|}]*)[^}]*\}/g, "$1")
    .replace(/\$\{\d+:([^}]*)\}/g, "$1")
    .replace(/\s*\$\d/g, "")
    .trimEnd();
