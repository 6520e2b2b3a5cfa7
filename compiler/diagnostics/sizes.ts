// Pages of M03: axes and sizes.

import { inModel, page, type Page } from "./page.ts";

export const sizePages: readonly Page[] = [
  page(
    "M0301",
    "sizes that do not fit",
    "Axes line up from the right and must have the same size; an axis that one side lacks is repeated, an axis of size 1 is not. Sizes are compared by name before any number is known.",
    "\nexpert Narrow(D, H)(x: [D]) -> [D] {\n  param down: [H, D]\n  x @ down\n}\n",
    "\nexpert Narrow(D, H)(x: [D]) -> [D] {\n  param up: [D, H]\n  param down: [H, D]\n  x @ up @ down\n}\n",
  ),
  page(
    "M0302",
    "too few axes",
    "A definition that is written for `[T, D]` cannot be given `[D]`; one that is written for `[D]` can be given more, and is applied to each.",
    "\nlayer Mean(T, D)(x: [T, D]) -> [D] { mean(x over T) }\nmodel Example {\n  modality x = features(4)\n  logits = Mean(x)\n}\n",
    "\nlayer Mean(T, D)(x: [T, D]) -> [D] { mean(x over T) }\nmodel Example {\n  modality x = image(4, 4)\n  logits = Mean(x)\n}\n",
  ),
  page(
    "M0303",
    "a size that is no whole number, or an axis that is not named",
    "Sizes are whole numbers of at least zero: what is divided must come out. A reduction of more than one axis says over which.",
    "\ndim D = 50\nmodel Example {\n  modality x = features(50)\n  logits = x as [3, D / 3]\n}\n",
    "\ndim D = 51\nmodel Example {\n  modality x = features(51)\n  logits = x as [3, D / 3]\n}\n",
  ),
  page(
    "M0304",
    "an axis that is not there",
    "After `over` stand names of axes of the argument: sizes, indices, or tokens, sequence and batch for the axes that a definition is lifted over.",
    "\nlayer Mean(D)(x: [D]) -> [] { sum(x over H) / D }\n",
    "\nlayer Mean(D)(x: [D]) -> [] { sum(x over D) / D }\n",
  ),
  page(
    "M0305",
    "one index over two sizes",
    "An index stands for one axis: wherever it names an axis, that axis has the same size.",
    "\nlayer Turn(D, H)(x: [D]) -> [H] {\n  param w: [H, D]\n  y[h] = sum(x[c] * w[c, h] over c)\n  y\n}\n",
    "\nlayer Turn(D, H)(x: [D]) -> [H] {\n  param w: [H, D]\n  y[h] = sum(x[c] * w[h, c] over c)\n  y\n}\n",
  ),
  page(
    "M0306",
    "a place or an index that cannot stand there",
    "A number in brackets is a place on its axis, counted from 0. An index names each axis of a tensor once. A sum of one or two indices and a number is a shift or a window.",
    inModel("logits = x[4]"),
    inModel("logits = x[3]"),
  ),
  page(
    "M0307",
    "an index without a range",
    "An index gets its range from a tensor that it indexes. Where there is none, the left side gives it: `y[t: T]`.",
    "\nfunction Positions(T, D)(x: [T, D]) -> [T] {\n  y[t] = 2 * t + 1\n  y\n}\n",
    "\nfunction Positions(T, D)(x: [T, D]) -> [T] {\n  y[t: T] = 2 * t + 1\n  y\n}\n",
  ),
  page(
    "M0308",
    "an index that is left over",
    "Every index of the right side is named on the left or reduced with `over`.",
    "\nfunction Outer(D)(x: [D], y: [D]) -> [D] {\n  z[i] = softmax(x[i] * y[j] over j)\n  z\n}\n",
    "\nfunction Outer(D)(x: [D], y: [D]) -> [D] {\n  z[i] = sum(x[i] * y[j] over j)\n  z\n}\n",
  ),
  page(
    "M0309",
    "a parameter whose size is not known",
    "Parameters are stored, so their sizes are numbers when the model is compiled. The batch and the length of a text are not.",
    "\nmodel Example {\n  modality text = tokens(vocab = 16)\n  param place: [text.length, 8]\n  param table: [16, 8]\n  logits = table[text] + place\n}\n",
    "\nmodel Example {\n  modality text = tokens(vocab = 16)\n  param place: [8]\n  param table: [16, 8]\n  logits = table[text] + place\n}\n",
  ),
  page(
    "M0310",
    "one instance for two sizes",
    "An instance that is bound to a name has one set of parameters; their sizes cannot follow what it is applied to.",
    "\nimport std.norms { RMSNorm }\nmodel Example {\n  modality x = features(4)\n  norm = RMSNorm { epsilon = 1e-5 }\n  logits = concat(norm(x), norm(concat(x, x)))\n}\n",
    "\nimport std.norms { RMSNorm }\nmodel Example {\n  modality x = features(4)\n  narrow = RMSNorm { epsilon = 1e-5 }\n  wide = RMSNorm { epsilon = 1e-5 }\n  logits = concat(narrow(x), wide(concat(x, x)))\n}\n",
  ),
  page(
    "M0311",
    "a reshape that does not keep the elements",
    "`as` keeps every element, in order; the product of the sizes stays the same.",
    "\nlayer Split(D, heads = 4)(x: [D]) -> [heads, D] { x as [heads, D] }\n",
    "\nlayer Split(D, heads = 4)(x: [D]) -> [heads, D / heads] { x as [heads, D / heads] }\n",
  ),
  page(
    "M0312",
    "a result of another shape than declared",
    "The type after `->` is a promise that the body must keep: callers are checked against it.",
    "\nexpert Up(D, H)(x: [D]) -> [D] {\n  param up: [D, H]\n  x @ up\n}\n",
    "\nexpert Up(D, H)(x: [D]) -> [H] {\n  param up: [D, H]\n  x @ up\n}\n",
  ),
  page(
    "M0313",
    "a size that is not known when an input is left out",
    "Sizes come from statics and from the types of inputs. An input that may be left out binds none: whoever leaves it out says nothing about them.",
    "\nlayer Picture(D)(x: [D], mask: [W] = 1) -> [D] { x * mean(mask) }\n",
    "\nlayer Picture(D, W)(x: [D], mask: [W] = 1) -> [D] { x * mean(mask) }\n",
  ),
];
