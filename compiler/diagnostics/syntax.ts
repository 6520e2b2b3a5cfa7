// Pages of M00: how programs are written.

import { inModel, inRouter, page, type Page } from "./page.ts";

export const syntaxPages: readonly Page[] = [
  page(
    "M0001",
    "a character that is no part of the language",
    "Outside of comments and strings a program is written with letters, digits, `_` and the operators of the reference.",
    inModel("logits = x $ 2"),
    inModel("logits = x * 2"),
  ),
  page(
    "M0002",
    "a string that does not end",
    "A string begins and ends with a double quote on one line. Strings stand only for files and patterns of names.",
    `
model Example {
  modality x = features(4)
  modality y = number
  logits = sum(x)
  loss square(logits - y)
}

train Example {
  data x = csv("data.csv", "a", "b", "c", "d")
  data y = csv("data.csv", "y")
  freeze "head*
}
`,
    `
model Example {
  modality x = features(4)
  modality y = number
  logits = sum(x)
  loss square(logits - y)
}

train Example {
  data x = csv("data.csv", "a", "b", "c", "d")
  data y = csv("data.csv", "y")
  freeze "head*"
}
`,
  ),
  page(
    "M0003",
    "a bracket that is never closed",
    "Every `(`, `[` and `{` has its partner. A newline does not end a statement inside `( )` and `[ ]`, so one open bracket swallows what follows it.",
    inModel("logits = sum(x"),
    inModel("logits = sum(x)"),
  ),
  page(
    "M0004",
    "a bracket that closes nothing",
    "There is one closing bracket more than was opened, or it is of another kind than the one that is open.",
    inModel("logits = sum(x))"),
    inModel("logits = sum(x)"),
  ),
  page(
    "M0005",
    "something else was expected here",
    "The text up to here is the beginning of something that cannot go on like this. The message names what could stand here.",
    inModel("logits = x +\n"),
    inModel("logits = x + 1"),
  ),
  page(
    "M0006",
    "a word that is not one of the language",
    "A statement or declaration begins with a word that is nearly, but not quite, one of the language.",
    "\nlayr Twice(D)(x: [D]) -> [D] { 2 * x }\n",
    "\nlayer Twice(D)(x: [D]) -> [D] { 2 * x }\n",
  ),
  page(
    "M0007",
    "nested too deeply",
    "Brackets and blocks may be nested some hundred levels deep: more than anyone can read. Programs that were made by other programs may need names for their parts.",
    inModel(`logits = ${"(".repeat(300)}x${")".repeat(300)}`),
    inModel("logits = x"),
  ),
  page(
    "M0008",
    "a word of the language as a name",
    "`and`, `or`, `not`, `if`, `then` and `else` are never names. All other words of the language may be.",
    "\nlayer then(D)(x: [D]) -> [D] { 2 * x }\n",
    "\nlayer Then(D)(x: [D]) -> [D] { 2 * x }\n",
  ),
  page(
    "M0009",
    "comparisons do not chain",
    "`a < b < c` would compare a truth value with a number. Say what is meant with `and`.",
    inModel("logits = if 0 < x < 1 then x else 0"),
    inModel("logits = if 0 < x and x < 1 then x else 0"),
  ),
  page(
    "M0010",
    "`not` after an operator",
    "`not` binds more loosely than comparisons and arithmetic, so after an operator it needs parentheses.",
    inModel("logits = if (x > 0) == not (x > 1) then x else 0"),
    inModel("logits = if (x > 0) == (not (x > 1)) then x else 0"),
  ),
  page(
    "M0011",
    "`by` without a pool that is applied",
    "`by` says which router picks the experts for a pool that is applied to something: `pool(x) by router`.",
    `
import std.experts { Relu }
import std.routers { TopK }
model Example {
  modality x = features(4)
  pool = Relu(4, 8) * 4
  logits = pool by TopK
}
`,
    `
import std.experts { Relu }
import std.routers { TopK }
model Example {
  modality x = features(4)
  pool = Relu(4, 8) * 4
  logits = pool(x) by TopK
}
`,
  ),
  page(
    "M0012",
    "a number that is too large",
    "Numbers are kept in double precision, which ends at about 1.8e308.",
    inModel("logits = x * 1e999"),
    inModel("logits = if x > 0 then inf else x"),
  ),
  page(
    "M0013",
    "`until` without a limit",
    "`choose until` adds experts until a sum passes a limit: it needs a comparison with `>` or `>=`.",
    inRouter("choose until sum(score) by score"),
    inRouter("choose until sum(score) > 0.4 by score"),
  ),
  page(
    "M0014",
    "an input among the statics",
    "Statics are known when the model is compiled and stand in the first list; inputs are tensors, have types and stand in the second.",
    "\nlayer Sum(D, y: [D])(x: [D]) -> [D] { x + y }\n",
    "\nlayer Sum(D)(x: [D], y: [D]) -> [D] { x + y }\n",
  ),
  page(
    "M0015",
    "an input without a type",
    "The type of an input says for how many axes a definition is written, and names its sizes.",
    "\nlayer Twice(D)(x) -> [D] { 2 * x }\n",
    "\nlayer Twice(D)(x: [D]) -> [D] { 2 * x }\n",
  ),
  page(
    "M0016",
    "a number runs into a name",
    "Something begins like a number and goes on like a name.",
    inModel("logits = 2x"),
    inModel("logits = 2 * x"),
  ),
  page(
    "M0017",
    "an input without a default behind one with a default",
    "Inputs that may be left out stand behind those that are always given: they are left out from the right, or skipped by name.",
    "\nlayer Scaled(D)(by: [] = 1, x: [D]) -> [D] { by * x }\n",
    "\nlayer Scaled(D)(x: [D], by: [] = 1) -> [D] { by * x }\n",
  ),
];
