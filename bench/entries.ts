// Ten entries of the standard library, each as a layer of the same work: two experts of one size for each token, or as many
// multiply-adds in other portions. In: sizes. Out: texts of models, with the entry from `std`, or the same text in a file of the user's.
// What a router costs is then the ratio of whole layers (sections/generality.ts), and what `std` is ahead of users is nothing
// (test/generality.test.ts).

import { stdlib } from "../stdlib/sources.ts";

export interface LayerShape {
  readonly batch: number;
  readonly length: number;
  readonly width: number;
  readonly hidden: number;
}

export interface LibraryEntry {
  readonly name: string;
  /** Of `std`. */
  readonly module: string;
  /** From `x` to the layer's result; D and H are the sizes, `pool` is eight experts. */
  readonly use: string;
  /** In inference it chooses by another rule, whose picks are not two for each token. */
  readonly trainingOnly?: boolean;
}

const router = (name: string, statics: string, module = "routers"): LibraryEntry => ({
  name,
  module,
  use: `y = pool(x) by ${name}${statics}`,
});

/** What the others are compared with. */
export const plainEntry: LibraryEntry = router("TopK", " { k = 2 }");

export const libraryEntries: readonly LibraryEntry[] = [
  router("LossFree", " { k = 2 }"),
  router("GroupLimited", " { k = 2, groups = 4, kept = 2 }"),
  router("Grouped", " { groups = 2, picks = 1 }"),
  router("NoisyTopK", " { k = 2 }"),
  router("Cosine", " { k = 2 }"),
  router("ExpertChoice", " { capacity_factor = 2 }"),
  router("Prioritised", " { k = 2 }", "capacity"),
  { name: "ChainOfExperts", module: "chains", use: "y = ChainOfExperts(D, 8, K = 1, H = H, shared = 0)(x)" },
  // Halves of experts: one for all tokens, three of fifteen for each.
  { name: "FineGrained", module: "layers", use: "y = FineGrained(D, H, N = 8, m = 2)(x)" },
  // A quarter of the tokens, for each of which one expert does four times as much as the two.
  {
    name: "DepthChoice",
    module: "depth",
    use: "one = SwiGLU(D, 8 * H) * 1\n  y = one(x) by DepthChoice { share = 0.25 }",
    trainingOnly: true,
  },
];

/** A model of one layer. `given` are more imports and definitions. */
export const layerModel = (
  use: string,
  given: string,
  { batch, length, width, hidden }: LayerShape,
): string => `
import std.experts { SwiGLU }
${given}

model Layer {
  dim D = ${width}
  dim H = ${hidden}
  modality text = tokens(vocab = 64)
  param table: [64, D]
  x = table[text]
  pool = SwiGLU(D, H) * 8
  ${use}
  loss square(y)
  logits = y
}

train Layer {
  data text = bytes("none.txt")
  batch ${batch} of ${length}
  optimizer sgd { rate = 0 }
  steps 1
}
`;

export const entryModel = ({ name, module, use }: LibraryEntry, shape: LayerShape): string =>
  layerModel(use, `import std.${module} { ${name} }`, shape);

/** Names of definitions in a file of the user's begin with this. */
export const userPrefix = "Yours";

/** The same layer, from a file beside the model's in which every definition has the text of `std` and another name: by path. */
export function userModel(entry: LibraryEntry, shape: LayerShape): Readonly<Record<string, string>> {
  const text = stdlib[`std.${entry.module}`]!;
  const definition = /^(?:expert|router|moe|layer|chain|function) (\w+)/gm;
  const own = [...text.matchAll(definition)].map(([, name]) => name!);
  const renamed = (source: string): string =>
    source.replace(new RegExp(`\\b(${own.join("|")})\\b`, "g"), `${userPrefix}$1`);
  return {
    "layer.moe": layerModel(renamed(entry.use), `import "./mine.moe" { ${renamed(entry.name)} }`, shape),
    "mine.moe": renamed(text),
  };
}
