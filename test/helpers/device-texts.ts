// Texts and inputs of small programs that every device must run alike: routings at their edges, and a language model that learns.
// Used by the tests and by the check on a GPU (bench/gpu), so it knows nothing of a test runner.

/** A pool whose scores are an input. `choice`: the statement that chooses, and a capacity below it. */
export const forced = (experts: number, nulls: number, choice: string): string => `
expert Mix(D)(x: [D]) -> [D] {
  param w: [D, D]
  tanh(x @ w)
}
router Forced(N)(x: [D], score: [N]) -> gates[N] {
  param scale: [N]
  ${choice}
  weight 1 + scale
}
model M {
  modality x = features(3)
  modality score = features(${experts + nulls})
  modality y = category(3)
  param head: [3, 3]
  pool = Mix(3) * ${experts}${nulls === 0 ? "" : ` + zero * ${nulls}`}
  logits = (x + pool(x) by Forced(x, score)) @ head
  loss cross_entropy(logits, y)
}
train M {
  data x = csv("data.csv", "a", "b", "c")
  data score = csv("data.csv", ${Array.from({ length: experts + nulls }, (_, i) => `"s${i}"`).join(", ")})
  data y = csv("data.csv", "y")
  batch 5
  steps 3
  optimizer sgd { rate = 0.1 }
}`;

export interface Edge {
  readonly experts: number;
  readonly nulls: number;
  readonly k: number;
  /** By what is awkward in them: the scores of every token. */
  readonly scores: Readonly<Record<string, readonly (readonly number[])[]>>;
}

const none = -Infinity;
const repeated = (row: readonly number[]): number[][] => Array.from({ length: 5 }, () => [...row]);

export const edges: readonly Edge[] = [
  {
    ...{ experts: 2, nulls: 2, k: 2 },
    scores: {
      "an expert without tokens": repeated([1, none, 0, none]),
      "one takes all": repeated([1, 0, 0, none]),
      ties: repeated([1, 1, 1, 1]),
      "scores that are not numbers": [
        [NaN, 1, 2, 0],
        [NaN, NaN, NaN, NaN],
        [none, none, none, none],
        [0, NaN, 1, 2],
        [3, 2, 1, 0],
      ],
      "nulls only": repeated([none, none, 1, 1]),
      "one token": [[0, 3, 1, 2]],
    },
  },
  { ...{ experts: 1, nulls: 0, k: 1 }, scores: { "one expert": [[1], [2], [NaN], [0], [none]] } },
  { ...{ experts: 3, nulls: 0, k: 3 }, scores: { "as many picks as experts": repeated([0, 2, 1]) } },
];

/** Experts by the k best probabilities, weights as they are. */
export const spread = (k: number): string => `
router Spread(D, N)(x: [D]) -> gates[N] {
  param w: [D, N] = normal(1)
  p = softmax(x @ w)
  choose top ${k} of p
  weight p
}
`;

/** Sizes of the learner's batch, and how many tokens it knows. */
export const learnerSizes = { B: 4, T: 6 } as const;
const vocabulary = 9;

export interface LearnerOptions {
  readonly width?: number;
  readonly steps?: number;
  readonly optimizer?: string;
  /** More lines of the recipe. */
  readonly extra?: string;
}

/** A language model with a shared, four routed and a null expert that learns in fifty steps. */
export const learner = ({
  width = 8,
  steps = 50,
  optimizer = "adamw { rate = cosine(3e-2, warmup = 5), decay = 0.1 }",
  extra = "",
}: LearnerOptions = {}): string => `
import std.attention { CausalAttention }
import std.experts { SwiGLU }
import std.norms { RMSNorm }
import std.routers { LossFree }

moe Experts(D, H)(x: [D]) -> [D] {
  shared SwiGLU(D, H)
  routed SwiGLU(D, H) * 4
  null zero
  router LossFree { k = 2, rate = 0.01 }
}

model Small {
  dim D = ${width}
  modality text = tokens(vocab = ${vocabulary})
  param table: [text.vocab, D] = normal(0.3)
  x = table[text]
  x = x + CausalAttention(D, heads = 2)(RMSNorm(x))
  x = x + Experts(D, ${width - 2})(RMSNorm(x))
  logits = RMSNorm(x) @ transpose(table)
  loss cross_entropy(logits, text.next)
}

train Small {
  data text = bytes("data.txt")
  batch ${learnerSizes.B} of ${learnerSizes.T}
  optimizer ${optimizer}
  clip 1
  steps ${steps}
  ${extra}
}`;

/** Texts that can be learned: each token says what comes next. In: the step. Out: the batch, row after row, and what follows. */
export function learnerBatch(step: number): { readonly text: number[]; readonly next: number[] } {
  const at = (b: number, t: number): number => (step * 5 + b * 2 + t * (1 + (b % 2))) % vocabulary;
  const { B, T } = learnerSizes;
  const shifted = (shift: number): number[] =>
    Array.from({ length: B * T }, (_, i) => at(Math.floor(i / T), (i % T) + shift));
  return { text: shifted(0), next: shifted(1) };
}

/** A routed layer, large enough that tiles of matrix units are full, and some are not. */
export const layered = `
import std.experts { SwiGLU }
${spread(2)}
model Layer {
  dim D = 72
  modality x = features(D)
  pool = SwiGLU(D, 104) * 5
  y = pool(x) by Spread
  loss mean(square(y))
  y
}

train Layer {
  data x = csv("data.csv", "x")
  batch 4
  optimizer sgd { rate = 0.1 }
  steps 1
}`;

/** Its tiles are as large as tiles get. */
export const wide = layered
  .replace("dim D = 72", "dim D = 128")
  .replace("SwiGLU(D, 104) * 5", "SwiGLU(D, 1024) * 2");
