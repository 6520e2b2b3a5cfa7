// The routed layer of the comparison on WebGPU: softmax over the experts, the k best renormalised, SwiGLU experts; trained by AdamW on
// a mean squared error. In: sizes. Out: the text of a model, and inputs for it. Runs in a page.

import { noise } from "./noise.ts";

export interface WebGpuLayer {
  readonly width: number;
  readonly hidden: number;
  readonly experts: number;
  readonly k: number;
  readonly tokens: number;
}

export const layerModel = ({ width, hidden, experts, k, tokens }: WebGpuLayer): string => `
import std.experts { SwiGLU }

router Best(D, N)(x: [D]) -> gates[N] {
  param w: [D, N] = normal(0.02)
  p = softmax(x @ w)
  choose top ${k} of p
  weight p / sum(p)
}

model Layer {
  modality x = features(${width})
  modality target = features(${width})
  pool = SwiGLU(${width}, ${hidden}) * ${experts}
  y = pool(x) by Best
  loss mean(square(y - target))
  logits = y
}

train Layer {
  data x = csv("none.csv", "x")
  data target = csv("none.csv", "y")
  batch ${tokens}
  optimizer adamw { rate = 1e-3, beta2 = 0.95, decay = 0.1 }
  steps 1000
}
`;

/** Scores that are nearer to each other than this may change places by rounding, and another expert is another result. */
const nearlyTied = 1e-4;

export interface LayerInputs {
  /** [tokens, width] */
  readonly x: Float32Array;
  /** Rows of the fullest expert. */
  readonly fullest: number;
}

/** Tokens of noise whose choice of experts no rounding changes. `router`: [width, experts]. */
export function settledTokens(layer: WebGpuLayer, router: Float32Array): LayerInputs {
  const { width, experts, k, tokens } = layer;
  const spare = 8 + Math.ceil(tokens / 4);
  const drawn = noise((tokens + spare) * width, 3);
  const x = new Float32Array(tokens * width);
  const loads = new Int32Array(experts);
  let kept = 0;
  for (let at = 0; at < tokens + spare && kept < tokens; at++) {
    const row = drawn.subarray(at * width, (at + 1) * width);
    const scores = new Float64Array(experts);
    for (let d = 0; d < width; d++)
      for (let e = 0; e < experts; e++) scores[e]! += row[d]! * router[d * experts + e]!;
    const order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!);
    if (k < experts && scores[order[k - 1]!]! - scores[order[k]!]! < nearlyTied) continue;
    for (const expert of order.slice(0, k)) loads[expert]!++;
    x.set(row, kept++ * width);
  }
  if (kept < tokens) throw new Error("internal: nearly all tokens are tied");
  return { x, fullest: Math.max(...loads) };
}
