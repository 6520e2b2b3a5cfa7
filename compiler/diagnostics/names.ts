// Pages of M01: names. And of M07: modules.

import { inModel, page, type Page } from "./page.ts";

export const namePages: readonly Page[] = [
  page(
    "M0101",
    "a name that stands for nothing here",
    "Names are bindings above in the same body, statics and inputs of the definition, declarations of the module, and what it imports. A definition does not see the names of the one that uses it.",
    inModel("scaled = 2 * x\nlogits = scald"),
    inModel("scaled = 2 * x\nlogits = scaled"),
  ),
  page(
    "M0102",
    "a name that is declared twice",
    "Declarations of one module, and what it imports, share one set of names; so do the statics and inputs of a definition. (A binding inside a body may be bound again: it then shadows the first.)",
    "\nlayer Twice(D)(x: [D]) -> [D] { 2 * x }\nlayer Twice(D)(x: [D]) -> [D] { x + x }\n",
    "\nlayer Twice(D)(x: [D]) -> [D] { 2 * x }\nlayer Double(D)(x: [D]) -> [D] { x + x }\n",
  ),
  page(
    "M0103",
    "a static, input or option that does not exist",
    "Braces give statics by name, parentheses inputs: the name must be one of the definition's. The same holds for the options of an optimiser.",
    `
import std.norms { RMSNorm }
model Example {
  modality x = features(4)
  logits = RMSNorm { epsilom = 1e-5 }(x)
}
`,
    `
import std.norms { RMSNorm }
model Example {
  modality x = features(4)
  logits = RMSNorm { epsilon = 1e-5 }(x)
}
`,
  ),
  page(
    "M0104",
    "something that contains itself",
    "A definition that uses itself would never end, and a `dim` that needs itself has no value. Repetition is written with `repeat`; a definition can be given to another as a static.",
    "\ndim D = 2 * H\ndim H = D / 2\nlayer Twice(x: [D]) -> [D] { 2 * x }\n",
    "\ndim D = 64\ndim H = D / 2\nlayer Twice(x: [D]) -> [D] { 2 * x }\n",
  ),
  page(
    "M0105",
    "a member that does not exist",
    "Token modalities have `.next`, `.vocab` and `.length`, categories `.count`; gates have `.weight`, `.picks`, `.chosen` and `.load`.",
    "\nmodel Example {\n  modality text = tokens(vocab = 16)\n  param table: [text.vocabulary, 8]\n  logits = table[text]\n}\n",
    "\nmodel Example {\n  modality text = tokens(vocab = 16)\n  param table: [text.vocab, 8]\n  logits = table[text]\n}\n",
  ),
  page(
    "M0106",
    "a default that reads an input behind it",
    "The default of an input is an expression over statics and the inputs before it: those are known when it is needed.",
    "\nlayer Mixed(D)(x: [D], a: [D] = b, b: [D] = x) -> [D] { x + a * b }\n",
    "\nlayer Mixed(D)(x: [D], b: [D] = x, a: [D] = b) -> [D] { x + a * b }\n",
  ),
];

export const modulePages: readonly Page[] = [
  page(
    "M0701",
    "a module that is not there",
    "`import std.experts { ... }` reads the standard library; a text in quotes is a path from the file that imports. There is no search path.",
    '\nimport "./mine.moe" { Mine }\nmodel Example {\n  modality x = features(4)\n  logits = Mine(x)\n}\n',
    '\nimport "./ours.moe" { Mine }\nmodel Example {\n  modality x = features(4)\n  logits = Mine(x)\n}\n',
    { "ours.moe": "layer Mine(D)(x: [D]) -> [D] { 2 * x }\n" },
  ),
  page(
    "M0702",
    "modules that import each other in a circle",
    "A module is read after everything that it imports, so imports must not lead back to it. What two modules need of each other belongs into a third.",
    '\nimport "./other.moe" { Other }\nlayer Mine(D)(x: [D]) -> [D] { Other(x) }\n',
    '\nimport "./third.moe" { Other }\nlayer Mine(D)(x: [D]) -> [D] { Other(x) }\n',
    {
      "other.moe": 'import "./main.moe" { Mine }\nlayer Other(D)(x: [D]) -> [D] { 2 * x }\n',
      "third.moe": "layer Other(D)(x: [D]) -> [D] { 2 * x }\n",
    },
  ),
  page(
    "M0703",
    "a name that a module does not declare",
    "An import takes names that the other module declares itself; what that one has imported is not passed on.",
    "\nimport std.experts { SwiGLu }\nmodel Example {\n  modality x = features(4)\n  logits = SwiGLu(4, 8)(x)\n}\n",
    "\nimport std.experts { SwiGLU }\nmodel Example {\n  modality x = features(4)\n  logits = SwiGLU(4, 8)(x)\n}\n",
  ),
  page(
    "M0704",
    "an import that is never used",
    "A warning: the name can be removed from the import without changing anything.",
    "\nimport std.experts { Relu, SwiGLU }\nmodel Example {\n  modality x = features(4)\n  logits = SwiGLU(4, 8)(x)\n}\n",
    "\nimport std.experts { SwiGLU }\nmodel Example {\n  modality x = features(4)\n  logits = SwiGLU(4, 8)(x)\n}\n",
  ),
];
