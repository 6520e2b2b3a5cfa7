// Pages of M04: element types.

import { inModel, page, type Page } from "./page.ts";

export const typePages: readonly Page[] = [
  page(
    "M0401",
    "a truth value where a number is wanted",
    "Truth values are not counted with. `if condition then 1 else 0` makes a number of one.",
    inModel("logits = 2 * (x > 0)"),
    inModel("logits = 2 * (if x > 0 then 1 else 0)"),
  ),
  page(
    "M0402",
    "a number where a truth value is wanted",
    "Conditions, `and`, `or`, `not`, `any` and `all` take truth values: compare first.",
    inModel("logits = if x then 1 else 0"),
    inModel("logits = if x > 0 then 1 else 0"),
  ),
  page(
    "M0403",
    "something else than integers where ids are wanted",
    "Lookups, `one_hot` and `cross_entropy` take integers: a token modality, a category, an index, `argmax`; `int(x)` makes them of numbers.",
    "\nmodel Example {\n  modality x = features(4)\n  param table: [8, 4]\n  logits = table[x]\n}\n",
    "\nmodel Example {\n  modality x = category(8)\n  param table: [8, 4]\n  logits = table[x]\n}\n",
  ),
  page(
    "M0404",
    "a division by zero",
    "The divisor is a static number, and it is 0.",
    inModel("dim share = 4 - 4\nlogits = x / share"),
    inModel("dim share = 4 - 3\nlogits = x / share"),
  ),
  page(
    "M0405",
    "an element type that does not fit the signature",
    "`[D]` is numbers, `int [D]` integers, `bool [D]` truth values. Integers may be given where numbers are declared.",
    "\nlayer Lookup(D)(id: int []) -> [D] {\n  param table: [8, D]\n  table[id]\n}\nmodel Example {\n  modality x = number\n  logits = Lookup(4)(x)\n}\n",
    "\nlayer Lookup(D)(id: int []) -> [D] {\n  param table: [8, D]\n  table[id]\n}\nmodel Example {\n  modality x = category(8)\n  logits = Lookup(4)(x)\n}\n",
  ),
  page(
    "M0406",
    "a parameter that does not hold numbers",
    "Parameters are trained and hold numbers; states hold numbers or integers.",
    "\nlayer Flags(D)(x: [D]) -> [D] {\n  param on: bool [D]\n  if on then x else 0\n}\n",
    "\nlayer Flags(D)(x: [D]) -> [D] {\n  param on: [D]\n  if on > 0 then x else 0\n}\n",
  ),
  page(
    "M0407",
    "randomness among the rows of a routing",
    "How many rows an expert gets is known only when it runs, and the random numbers of a token must not depend on it. Draw before routing, and give the noise to the pool as a further input.",
    "\nimport std.routers { TopK }\nexpert Noisy(D)(x: [D]) -> [D] {\n  param gain: [D] = 1\n  gain * (x + normal(x))\n}\nmodel Example {\n  modality x = features(4)\n  pool = Noisy(4) * 4\n  logits = pool(x) by TopK\n}\n",
    "\nimport std.routers { TopK }\nexpert Noisy(D)(x: [D], noise: [D]) -> [D] {\n  param gain: [D] = 1\n  gain * (x + noise)\n}\nmodel Example {\n  modality x = features(4)\n  pool = Noisy(4) * 4\n  logits = pool(x, normal(x)) by TopK\n}\n",
  ),
];
