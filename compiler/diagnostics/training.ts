// Pages of M06: models, states and recipes.

import { page, type Page } from "./page.ts";

const recipe = (
  settings: string,
  model = "  modality x = features(4)\n  modality y = number\n  param w: [4]\n  logits = x @ w\n  loss square(logits - y)",
): string => `
model Example {
${model}
}

train Example {
${settings
  .split("\n")
  .map((line) => `  ${line}`)
  .join("\n")}
}
`;
const data = 'data x = csv("data.csv", "a", "b", "c", "d")\ndata y = csv("data.csv", "y")';

export const trainingPages: readonly Page[] = [
  page(
    "M0601",
    "a rule for what is no state",
    "Parameters are trained by the optimiser, and other names are bound anew in every step. What follows a rule of its own, once a step, is a `state`.",
    "\nlayer Count(D)(x: [D]) -> [D] {\n  param seen: [D]\n  after step: seen += 1\n  x + seen\n}\n",
    "\nlayer Count(D)(x: [D]) -> [D] {\n  state seen: [D]\n  after step: seen += 1\n  x + seen\n}\n",
  ),
  page(
    "M0602",
    "a state that would have a value for each token",
    "A state has one value, computed once a step from the whole batch: what varies from token to token is reduced first.",
    "\nlayer Centre(D)(x: [D]) -> [D] {\n  state middle: [D]\n  after step: middle = 0.9 * middle + 0.1 * x\n  x - middle\n}\nmodel Example {\n  modality x = features(4)\n  logits = Centre(x)\n}\n",
    "\nlayer Centre(D)(x: [D]) -> [D] {\n  state middle: [D]\n  after step: middle = 0.9 * middle + 0.1 * mean(x over tokens)\n  x - middle\n}\nmodel Example {\n  modality x = features(4)\n  logits = Centre(x)\n}\n",
  ),
  page(
    "M0603",
    "a modality that is not written like one",
    "`tokens(vocab = 256)`, `image(28, 28)`, `image(32, 32, 3)`, `category(10)`, `features(13)`, `number`.",
    "\nmodel Example {\n  modality x = image(28)\n  logits = x\n}\n",
    "\nmodel Example {\n  modality x = image(28, 28)\n  logits = x\n}\n",
  ),
  page(
    "M0604",
    "a model without an output",
    "What a model gives is bound to `logits`, or is its last expression.",
    "\nmodel Example {\n  modality x = features(4)\n  loss mean(x)\n}\n",
    "\nmodel Example {\n  modality x = features(4)\n  logits = 2 * x\n  loss mean(x)\n}\n",
  ),
  page(
    "M0605",
    "a model that is not in the file",
    "A `train` block trains a model of the same file.",
    recipe(data).replace("train Example", "train Exmaple"),
    recipe(data),
  ),
  page(
    "M0606",
    "a setting that is no fitting number",
    "Steps, batches and the like are whole numbers; shares lie between 0 and 1; the rate of an optimiser is a number or a schedule.",
    recipe(`${data}\nsteps 0`),
    recipe(`${data}\nsteps 100`),
  ),
  page(
    "M0607",
    "a pattern or path without quotes",
    "Files, columns and patterns of names are strings.",
    recipe(`${data}\nfreeze w`),
    recipe(`${data}\nfreeze "w*"`),
  ),
  page(
    "M0608",
    "data that cannot be read like this",
    "`bytes`, `characters` and `pairs` read text; `csv` and `jsonl` read columns, which are named; `idx` reads arrays. `stream = NAME` behind " +
      "a file reads it apart from the others, in an order of its own.",
    recipe(data.replace('csv("data.csv", "y")', 'csv("data.csv")')),
    recipe(data),
  ),
  page(
    "M0609",
    "an optimiser that does not exist",
    "There are `adamw`, `sgd`, `lion` and `muon`.",
    recipe(`${data}\noptimizer adam { rate = 1e-3 }`),
    recipe(`${data}\noptimizer adamw { rate = 1e-3 }`),
  ),
  page(
    "M0610",
    "a setting that is given twice",
    "Every setting stands once, and every modality has one source of data.",
    recipe(`${data}\nsteps 100\nsteps 200`),
    recipe(`${data}\nsteps 200`),
  ),
  page(
    "M0611",
    "data and modalities that do not match",
    "Every modality of the model gets data, and all data are for a modality.",
    recipe('data x = csv("data.csv", "a", "b", "c", "d")'),
    recipe(data),
  ),
  page(
    "M0612",
    "a recipe without a loss",
    "Training makes the sum of all losses small: the model, or a layer in it, says what they are.",
    recipe(data, "  modality x = features(4)\n  modality y = number\n  param w: [4]\n  logits = x @ w"),
    recipe(data),
  ),
  page(
    "M0613",
    "a name that is reported twice",
    "Losses with a name and metrics are reported together, beside `loss`, `rate` and `norm`. Losses of one name are added up over the model, metrics of one name are averaged; one name cannot be both.",
    "\nmodel Example {\n  modality x = features(4)\n  logits = 2 * x\n  loss size = mean(x)\n  metric size = max(x)\n}\n",
    "\nmodel Example {\n  modality x = features(4)\n  logits = 2 * x\n  loss size = mean(x)\n  metric largest = max(x)\n}\n",
  ),
  page(
    "M0614",
    "a pattern that matches no parameter",
    "`freeze`, `rate` and `start` take patterns of parameter names, as `moe show` lists them; `*` stands for any text. Inside of a layer " +
      "the name begins with that of the layer: `block.0.router.w`.",
    recipe(`${data}\nfreeze "layer.w"`),
    recipe(`${data}\nfreeze "*w"`),
  ),
  page(
    "M0615",
    "a start that does not say where values come from",
    "`start from` names runs, files or earlier phases; each rule names tensors of this model, and what they are made of: names in quotes, with a `*` for each " +
      "that stands on the left, in `copy`, `slice`, `take`, `transpose`, `concat`, `stack` or `mean`, or `fresh`. Of several sources each has a name, " +
      'which is called with the pattern: `a("*")`.',
    recipe(`${data}\nstart from "runs/base" {\n  "w" = double("w")\n}`),
    recipe(`${data}\nstart from "runs/base" {\n  "w" = copy("w", noise = 0.01)\n}`),
  ),
  page(
    "M0616",
    "a phase that is not there, or there twice",
    "Phases have names of their own and hold settings, no phases. `--phase NAME` asks for one of them.",
    recipe(`${data}\nphase warm {\n  steps 10\n}\nphase warm {\n  steps 20\n}`),
    recipe(`${data}\nphase warm {\n  steps 10\n}\nphase hot {\n  steps 20\n}`),
  ),
];
