// The check's cases: the examples at small sizes, the small programs of the tests, routings at their edges, a training run, and the same in
// bf16 and f16. In: the project's folder. Out: texts of programs, and what is to be done with each.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Precision } from "../../runtime/program.ts";
import { textOf, type Case } from "./manifest.ts";

/** One program, and the cases that run it. */
export interface Group {
  readonly name: string;
  /** A path below the project's folder, or the text itself. */
  readonly source: { readonly path: string } | { readonly text: string };
  readonly precision?: Precision;
  readonly cases: readonly Omit<Case, "folder">[];
}

/** As in the tests: rounding in f32, in another order of summation. */
const f32Tolerance = 3e-5;
/** Through many layers, with weights as they begin. */
const deepTolerance = 1e-3;
/** Operands of contractions have 8 bits (bf16) or 11 (f16). */
const halfTolerance: Readonly<Record<Exclude<Precision, "f32">, number>> = { bf16: 4e-2, f16: 6e-3 };

export function groupsOf(root: string): readonly Group[] {
  return [
    ...examples(root),
    ...programs(root),
    ...edges,
    curve("f32", 5e-3),
    ...halves("bf16"),
    ...halves("f16"),
  ];
}

const tokens = (text: string): boolean => text.includes("tokens(");

function examples(root: string): Group[] {
  const files = readdirSync(join(root, "examples"), { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => file.endsWith(".moe") && !/(^|\/)(node_modules|runs|dist)\//.test(file))
    .sort()
    .map((file): Group => {
      const path = `examples/${file.replaceAll("\\", "/")}`;
      const sizes = tokens(readFileSync(join(root, path), "utf8")) ? { B: 2, T: 8 } : { B: 4 };
      const name = path.replace(/\.moe$/, "");
      return {
        name,
        source: { path },
        cases: [{ name, kind: "alike", sizes, start: "initial", tolerance: deepTolerance }],
      };
    });
}

function programs(root: string): Group[] {
  return readdirSync(join(root, "test/programs"))
    .sort()
    .map((file): Group => {
      const path = `test/programs/${file}`;
      const sizes = tokens(readFileSync(join(root, path), "utf8")) ? { B: 2, T: 5 } : { B: 6 };
      const name = `programs/${file.replace(/\.moe$/, "")}`;
      return {
        name,
        source: { path },
        cases: [{ name, kind: "alike", sizes, start: "noise", tolerance: f32Tolerance }],
      };
    });
}

/** The scores are given: which expert gets what is known. */
const forced = (experts: number, nulls: number, k: number): string => `
expert Mix(D)(x: [D]) -> [D] {
  param w: [D, D]
  tanh(x @ w)
}
router Forced(N)(x: [D], score: [N]) -> gates[N] {
  param scale: [N]
  choose top ${k} of score
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
  data score = csv("data.csv", "d")
  data y = csv("data.csv", "h")
  batch 5
  steps 3
  optimizer sgd { rate = 0.1 }
}`;

const none = -Infinity;
const repeated = (row: readonly number[]): number[][] => Array.from({ length: 5 }, () => [...row]);

function edge(
  experts: number,
  nulls: number,
  k: number,
  scores: Readonly<Record<string, number[][]>>,
): Group {
  return {
    name: `edges-${experts}-${nulls}-${k}`,
    source: { text: forced(experts, nulls, k) },
    cases: Object.entries(scores).map(([name, rows]) => ({
      ...{ name: `routing: ${name}`, kind: "alike", start: "noise", tolerance: f32Tolerance },
      sizes: { B: rows.length },
      entries: ["forward", "train"],
      inputs: { score: rows.flat().map(textOf) },
    })),
  };
}

const edges: readonly Group[] = [
  edge(2, 2, 2, {
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
  }),
  edge(1, 0, 1, { "one expert": [[1], [2], [NaN], [0], [none]] }),
  edge(3, 0, 3, { "as many picks as experts": repeated([0, 2, 1]) }),
];

const learner = (width: number): string => `
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
  modality text = tokens(vocab = 9)
  param table: [text.vocab, D] = normal(0.3)
  x = table[text]
  x = x + CausalAttention(D, heads = 2)(RMSNorm(x))
  x = x + Experts(D, ${width - 2})(RMSNorm(x))
  logits = RMSNorm(x) @ transpose(table)
  loss cross_entropy(logits, text.next)
}

train Small {
  data text = bytes("data.txt")
  batch 4 of 6
  optimizer adamw { rate = cosine(3e-2, warmup = 5), decay = 0.1 }
  clip 1
  steps 50
}`;

const curve = (precision: Precision, tolerance: number): Group => ({
  name: `learner-${precision}`,
  source: { text: learner(8) },
  precision,
  cases: [
    {
      ...{ name: `50 steps of training, ${precision}`, kind: "curve", start: "initial", tolerance },
      sizes: { B: 4, T: 6 },
    },
  ],
});

/** Large enough that tiles of matrix units are full, and some are not. */
const layer = `
import std.experts { SwiGLU }

router Spread(D, N)(x: [D]) -> gates[N] {
  param w: [D, N] = normal(1)
  p = softmax(x @ w)
  choose top 2 of p
  weight p
}

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

const halves = (precision: "bf16" | "f16"): readonly Group[] => [
  {
    name: `layer-${precision}`,
    source: { text: layer },
    precision,
    cases: [1, 7, 200].map((batch) => ({
      ...{ name: `layer of ${batch} rows, ${precision}`, kind: "alike", start: "initial" },
      sizes: { B: batch },
      entries: ["forward", "train"],
      tolerance: halfTolerance[precision],
    })),
  },
  curve(precision, 5e-2),
];
