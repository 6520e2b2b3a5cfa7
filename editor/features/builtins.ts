// Built-in names: what everybody may write without declaring it, with a signature and a line of explanation. In: nothing. Out: a
// table by name, and where each may stand. A test compares it with what the compiler knows.

import { optimizerDefaults } from "../../compiler/build/optimizer.ts";
import { formulas } from "../../compiler/elaborate/element-wise.ts";
import { scheduleParameters } from "../../compiler/elaborate/schedules.ts";

export interface Builtin {
  readonly name: string;
  readonly group:
    | "reduction"
    | "element-wise"
    | "function"
    | "initialiser"
    | "schedule"
    | "constant"
    | "clock"
    | "router"
    | "modality"
    | "reader"
    | "optimiser"
    | "null expert";
  readonly signature: string;
  readonly doc: string;
  /** Names of the arguments, for signature help. */
  readonly parameters: readonly string[];
}

const list: Builtin[] = [];
const add = (group: Builtin["group"], entries: Readonly<Record<string, readonly [string, string]>>): void => {
  for (const [name, [signature, doc]] of Object.entries(entries))
    list.push({ name, group, signature, doc, parameters: parametersIn(signature) });
};

function parametersIn(signature: string): readonly string[] {
  const inside = /^[^({]*[({](.*)[)}]/.exec(signature)?.[1]?.trim() ?? "";
  if (inside === "") return [];
  const parts: string[] = [];
  let depth = 0;
  let part = "";
  for (const character of inside) {
    if ("([{".includes(character)) depth += 1;
    if (")]}".includes(character)) depth -= 1;
    if (character === "," && depth === 0) {
      parts.push(part.trim());
      part = "";
    } else part += character;
  }
  return [...parts, part.trim()];
}

add("reduction", {
  sum: ["sum(x over axes)", "The sum along an axis. A vector has only one; of several, `over` says which."],
  mean: ["mean(x over axes)", "The mean along an axis."],
  max: ["max(x over axes)", "The largest along an axis; `max(a, b)` is element-wise."],
  min: ["min(x over axes)", "The smallest along an axis; `min(a, b)` is element-wise."],
  any: ["any(x over axes)", "Whether any element is true."],
  all: ["all(x over axes)", "Whether every element is true."],
  softmax: ["softmax(x over axes)", "exp(x) divided by its sum along the axis."],
  log_softmax: ["log_softmax(x over axes)", "The logarithm of softmax, without overflow."],
  logsumexp: ["logsumexp(x over axes)", "log(sum(exp(x))), without overflow."],
  rms: ["rms(x over axes)", "The square root of the mean of squares."],
  cumsum: ["cumsum(x over axis)", "Running sums along an axis."],
  argmax: ["argmax(x over axis)", "The index of the largest; of equals, the first."],
});

const formulaDocs: Readonly<Record<string, string>> = {
  exp: "e to the power of x.",
  log: "The natural logarithm.",
  sqrt: "The square root.",
  abs: "The absolute value.",
  sign: "-1, 0 or 1.",
  floor: "Rounded down.",
  ceil: "Rounded up.",
  round: "Rounded to the nearest whole number.",
  sin: "The sine.",
  cos: "The cosine.",
  tanh: "The hyperbolic tangent.",
  sigmoid: "1 / (1 + exp(-x)).",
  erf: "The error function.",
  silu: "x * sigmoid(x).",
  gelu: "x / 2 * (1 + erf(x / sqrt(2))).",
  relu: "x where it is positive, else 0.",
  softplus: "log(1 + exp(x)), without overflow.",
  square: "x * x.",
};
add(
  "element-wise",
  Object.fromEntries(
    Object.keys(formulas).map((name) => [name, [`${name}(x)`, formulaDocs[name] ?? "Element by element."]]),
  ),
);
add("element-wise", {
  mod: ["mod(a, b)", "The remainder of a / b."],
  clamp: ["clamp(x, low, high)", "x, at least `low` and at most `high`."],
});
add("function", {
  concat: ["concat(a, b)", "Joined along the last axis, or along `over`."],
  stop: ["stop(x)", "x without a gradient."],
  straight_through: [
    "straight_through(value, gradient)",
    "The first in the forward pass, the gradient of the second in the backward pass.",
  ],
  transpose: ["transpose(w)", "The two axes of a matrix exchanged."],
  previous: ["previous(x, n)", "x of `n` positions earlier in the sequence; zeros before its start."],
  context: [
    "context(k)",
    "Every position of `k` seen so far, along a new axis: the sequence in training, the cache in decoding.",
  ],
  largest: ["largest(x, k over D)", "Which are the k largest along an axis; equals by their order."],
  gradient: ["gradient(value, x)", "How the value, summed over everything, changes with x."],
  one_hot: ["one_hot(ids, N)", "1 at the place of the id, else 0."],
  int: ["int(x)", "Whole numbers as integers: what stands after the point is left out."],
  cross_entropy: [
    "cross_entropy(logits, ids)",
    "Mean over tokens of the negative log probability of the right id; padding does not count.",
  ],
  dispatch: ["dispatch(x, gates)", "The rows of tokens that each expert takes."],
  combine: ["combine(rows, gates)", "Each token's rows, weighted and added up."],
  gumbel: ["gumbel(x)", "Gumbel noise in the shape of x."],
});
add("initialiser", {
  normal: ["normal(deviation)", "An initialiser; in an expression, `normal(x)` is noise in the shape of x."],
  uniform: [
    "uniform(low, high)",
    "An initialiser; in an expression, `uniform(x)` is noise in the shape of x.",
  ],
  orthogonal: ["orthogonal(gain)", "An initialiser: orthogonal rows or columns."],
  identity: ["identity()", "An initialiser: ones on the diagonal."],
});
const scheduleDocs: Readonly<Record<string, string>> = {
  cosine: "Warms up to the peak, then falls along half a cosine to the floor.",
  linear: "From one value to another in a straight line.",
  exponential: "From one value to another by the same factor in every step.",
  wsd: "Warms up, stays, and falls over the last share of the steps.",
  constant: "One value, after the warm-up.",
};
add(
  "schedule",
  Object.fromEntries(
    Object.entries(scheduleParameters).map(([name, parameters]) => [
      name,
      [
        `${name}(${parameters
          .map((each) => (each.default === undefined ? each.name : `${each.name} = ${each.default}`))
          .join(", ")})`,
        scheduleDocs[name] ?? "A function of the step.",
      ],
    ]),
  ),
);
add("constant", {
  true: ["true", "A truth value."],
  false: ["false", "A truth value."],
  inf: ["inf", "Infinity; `-inf` in masks."],
  pi: ["pi", "3.14159..."],
  training: ["training", "Whether this is training."],
  inference: ["inference", "Whether this is inference."],
});
add("clock", {
  step: ["step", "The number of the optimiser's step."],
  steps: ["steps", "How many steps the recipe has."],
  progress: ["progress", "step / steps."],
});
add("router", {
  load: ["load: [N]", "Picks of each expert in the batch, after dropping. After `choose`."],
  chosen: ["chosen: [N]", "1 where this token chose the expert, else 0. After `choose`."],
  is_null: ["is_null: bool [N]", "Which experts are null experts."],
  experts: ["experts", "N less the null experts."],
  tokens: ["tokens", "How many tokens the batch holds; `over tokens`: every lifted axis."],
  sequence: ["sequence", "How many tokens one sequence holds; `over sequence`: the innermost lifted axis."],
});
add("modality", {
  tokens: ["tokens(vocab = 256)", "`int [T]`, with `.next`, `.vocab` and `.length`."],
  image: ["image(height, width, channels)", "`[height, width]` or with channels, from 0 to 1."],
  category: ["category(count)", "`int []`, with `.count`."],
  features: ["features(count)", "A vector of numbers."],
  number: ["number", "One number."],
});
add("reader", {
  bytes: ["bytes(path)", "Every byte of the files is a token."],
  characters: ["characters(path)", "Every character of the files is a token."],
  pairs: ["pairs(path)", "Byte pairs, learned from the files, are tokens."],
  csv: ["csv(path, columns)", "Columns of a table."],
  jsonl: ["jsonl(path, columns)", "Fields of one JSON object on each line."],
  idx: ["idx(path)", "Images or labels in the format of MNIST."],
});
const optimiserDocs: Readonly<Record<string, string>> = {
  adamw: "Adam with decoupled weight decay.",
  sgd: "Gradient descent with momentum.",
  lion: "The sign of an interpolated momentum.",
  muon: "Momentum made orthogonal, for matrices; the rest by adamw.",
};
add(
  "optimiser",
  Object.fromEntries(
    Object.entries(optimizerDefaults).map(([name, options]) => [
      name,
      [
        `${name} { ${Object.entries(options)
          .map(([option, value]) => (value === undefined ? option : `${option} = ${value}`))
          .join(", ")} }`,
        optimiserDocs[name] ?? "An optimiser.",
      ],
    ]),
  ),
);
add("null expert", {
  zero: ["zero", "A null expert that returns nothing."],
  copy: ["copy", "A null expert that returns the token itself."],
  constant: ["constant", "A null expert that returns a learned vector."],
});

export const builtins: readonly Builtin[] = list;

/** The meaning of a name, of those groups that may stand there; the first group that has it. */
export function builtinNamed(name: string, groups?: readonly Builtin["group"][]): Builtin | undefined {
  return list.find((each) => each.name === name && (groups === undefined || groups.includes(each.group)));
}

/** What may stand in an expression. */
export const inExpressions: readonly Builtin["group"][] = [
  "reduction",
  "element-wise",
  "function",
  "initialiser",
  "schedule",
  "constant",
  "clock",
  "null expert",
];
