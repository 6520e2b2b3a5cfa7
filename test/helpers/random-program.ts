// Random well-typed programs over the whole language: experts, pools, routers of random forms, chains, attention, index notation,
// expressions, states, losses, recipes. Out: descriptions that fast-check makes and shrinks; random-program-text.ts writes them.

import fc from "fast-check";

/** A vector of D numbers, or one number, for each token. */
export type Vector =
  | { readonly form: "x" }
  | { readonly form: "param" }
  | { readonly form: "unary"; readonly fn: string; readonly a: Vector }
  | { readonly form: "binary"; readonly fn: string; readonly a: Vector; readonly b: Vector }
  | { readonly form: "scaled"; readonly a: Vector; readonly by: Scalar }
  | { readonly form: "if"; readonly test: Vector; readonly a: Vector; readonly b: Vector }
  | { readonly form: "matrix"; readonly a: Vector; readonly inner: number };
interface Scalar {
  readonly fn: string;
  readonly of: Vector;
}

export interface Segment {
  readonly expert: "Mix" | "Wide" | "Gain" | "SwiGLU";
  readonly count: number;
}
export interface Routing {
  readonly segments: readonly Segment[];
  readonly nulls: readonly { readonly kind: "zero" | "copy" | "constant"; readonly count: number }[];
  readonly score: string;
  readonly choice: string;
  /** Numbers that the choice takes, as shares of what it may be. */
  readonly k: number;
  readonly groups: number;
  readonly weight: string;
  readonly capacity: string;
  readonly balance: boolean;
  readonly state: boolean;
  readonly only: boolean;
}
export type Layer =
  | { readonly form: "expression"; readonly value: Vector }
  | { readonly form: "moe"; readonly routing: Routing; readonly shared: number; readonly weight: boolean }
  | { readonly form: "pool"; readonly routing: Routing; readonly times: number }
  | { readonly form: "chain"; readonly routing: Routing; readonly repeat: number }
  | { readonly form: "bare"; readonly routing: Routing }
  | { readonly form: "indices"; readonly which: number }
  | { readonly form: "attention"; readonly heads: number }
  | { readonly form: "previous"; readonly by: number };

export interface RandomProgram {
  readonly tokens: boolean;
  readonly layers: readonly Layer[];
  readonly repeat: number;
  readonly optimizer: string;
  readonly clip: boolean;
  readonly accumulate: number;
}

const unary = [
  "tanh",
  "sigmoid",
  "silu",
  "gelu",
  "relu",
  "softplus",
  "sin",
  "cos",
  "erf",
  "abs",
  "softmax",
  "cumsum",
  "square",
  "exp",
];
const binary = ["+", "-", "*", "/", "max", "min", "^"];
const scalars = ["sum", "mean", "max", "min", "rms", "logsumexp"];

const vector: fc.Arbitrary<Vector> = fc.letrec<{ vector: Vector }>((tie) => ({
  vector: fc.oneof(
    { depthSize: "small", maxDepth: 3, withCrossShrink: true },
    fc.constant<Vector>({ form: "x" }),
    fc.constant<Vector>({ form: "param" }),
    fc.record({ form: fc.constant("unary" as const), fn: fc.constantFrom(...unary), a: tie("vector") }),
    fc.record({
      form: fc.constant("binary" as const),
      fn: fc.constantFrom(...binary),
      a: tie("vector"),
      b: tie("vector"),
    }),
    fc.record({
      form: fc.constant("scaled" as const),
      a: tie("vector"),
      by: fc.record({ fn: fc.constantFrom(...scalars), of: tie("vector") }),
    }),
    fc.record({ form: fc.constant("if" as const), test: tie("vector"), a: tie("vector"), b: tie("vector") }),
    fc.record({
      form: fc.constant("matrix" as const),
      a: tie("vector"),
      inner: fc.integer({ min: 1, max: 5 }),
    }),
  ),
})).vector;

const routing: fc.Arbitrary<Routing> = fc.record({
  segments: fc.array(
    fc.record({
      expert: fc.constantFrom("Mix" as const, "Wide" as const, "Gain" as const, "SwiGLU" as const),
      count: fc.integer({ min: 1, max: 3 }),
    }),
    { minLength: 1, maxLength: 2 },
  ),
  nulls: fc.array(
    fc.record({
      kind: fc.constantFrom("zero" as const, "copy" as const, "constant" as const),
      count: fc.integer({ min: 1, max: 2 }),
    }),
    { maxLength: 2 },
  ),
  score: fc.constantFrom(
    "softmax(z)",
    "sigmoid(z)",
    "z",
    "tanh(z)",
    "relu(z) / sqrt(mean(square(relu(z))) + 0.1)",
    "softmax(z / max(temperature, 0.1))",
  ),
  choice: fc.constantFrom("top", "each", "best", "until", "where", "where most", "all", "tokens", "given"),
  k: fc.integer({ min: 1, max: 4 }),
  groups: fc.integer({ min: 1, max: 3 }),
  weight: fc.constantFrom(
    "",
    "weight p",
    "weight p / (sum(abs(p)) + 0.5)",
    "weight softmax(z)",
    "weight sigmoid(z) * 0.5",
    "weight if is_null then 0.5 else sigmoid(z)",
  ),
  capacity: fc.constantFrom(
    "",
    "",
    "",
    "capacity 2",
    "capacity 1.5 * tokens / N drop lowest",
    "capacity 2 per sequence",
    "capacity 2 drop lowest of uniform(p)",
    "capacity 2 per sequence drop lowest of max(p)",
    "capacity 3 in each of 1 groups",
  ),
  balance: fc.boolean(),
  state: fc.boolean(),
  only: fc.boolean(),
});

const layer = (tokens: boolean): fc.Arbitrary<Layer> => {
  const common: fc.Arbitrary<Layer>[] = [
    fc.record({ form: fc.constant("expression" as const), value: vector }),
    fc.record({
      form: fc.constant("moe" as const),
      routing,
      shared: fc.integer({ min: 0, max: 2 }),
      weight: fc.boolean(),
    }),
    fc.record({ form: fc.constant("pool" as const), routing, times: fc.integer({ min: 1, max: 2 }) }),
    fc.record({ form: fc.constant("chain" as const), routing, repeat: fc.integer({ min: 1, max: 2 }) }),
    fc.record({ form: fc.constant("bare" as const), routing }),
    fc.record({ form: fc.constant("indices" as const), which: fc.integer({ min: 0, max: 4 }) }),
  ];
  const ofTexts: fc.Arbitrary<Layer>[] = [
    fc.record({ form: fc.constant("attention" as const), heads: fc.constantFrom(1, 2) }),
    fc.record({ form: fc.constant("previous" as const), by: fc.integer({ min: 1, max: 2 }) }),
  ];
  return fc.oneof(...common, ...(tokens ? ofTexts : []));
};

export const randomProgram: fc.Arbitrary<RandomProgram> = fc.boolean().chain((tokens) =>
  fc.record({
    tokens: fc.constant(tokens),
    layers: fc.array(layer(tokens), { minLength: 1, maxLength: 3 }),
    repeat: fc.constantFrom(1, 1, 2),
    optimizer: fc.constantFrom(
      "adamw { rate = 0.01 }",
      "sgd { rate = cosine(0.1, warmup = 1), momentum = 0.9 }",
      "lion { rate = 0.01 }",
      "sgd { rate = 0.1, momentum = 0 }",
    ),
    clip: fc.boolean(),
    accumulate: fc.constantFrom(1, 1, 2),
  }),
);
