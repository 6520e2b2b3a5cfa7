// Models with stacks of experts that are longer than a binding of so many bytes. For tests of parts.

export interface LongStacks {
  readonly name: string;
  readonly text: string;
  /** Bytes that a binding may cover. */
  readonly binding: number;
}

/** A routed layer of six experts, and how it is trained. */
export const stacked = (hidden: number, optimizer: string): string => `import std.experts { SwiGLU }
import std.routers { TopK }

moe Experts(D)(x: [D]) -> [D] {
  routed SwiGLU(D, ${hidden}) * 6
  router TopK { k = 2 }
}

model M {
  modality x = features(8)
  modality y = category(3)
  param head: [8, 3]
  x = x + Experts(8)(x)
  logits = x @ head
  loss cross_entropy(logits, y)
}

train M {
  data x = csv("rows.csv", "x")
  data y = csv("rows.csv", "y")
  batch 6
  steps 10
  ${optimizer}
}
`;

/** Of six experts that are so wide inside. */
export const stackBytes = (hidden: number): number => 4 * 6 * 8 * hidden;

export const longStacks = (hidden: number): readonly LongStacks[] => [
  {
    name: "two parts",
    text: stacked(hidden, "optimizer sgd { rate = 0.1 }"),
    binding: stackBytes(hidden) / 2,
  },
  {
    name: "three parts, a clipped gradient, two moments",
    text: stacked(hidden, "optimizer adamw { rate = 0.01, decay = 0.1 }\n  clip 0.01"),
    binding: stackBytes(hidden) / 3,
  },
  {
    name: "sums of several batches",
    text: stacked(hidden, "optimizer sgd { rate = 0.1, momentum = 0 }\n  accumulate 2"),
    binding: stackBytes(hidden) / 2,
  },
  {
    name: "an expert in each",
    text: stacked(hidden, "optimizer lion { rate = 0.01 }"),
    binding: stackBytes(hidden) / 6,
  },
];
