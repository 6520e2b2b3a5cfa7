// The routed layers that the GPU bench measures. In: a shape. Out: the text of a model; floating-point operations and bytes, by formulas.
// The layer alone: no embedding, no head. A parameter stands before it, so that it must hand on a gradient, and a loss behind it.

import type { Precision } from "../../runtime/program.ts";
import type { Warpgroups } from "../../compiler/target.ts";
import { suffixOf, type Layer, type LayerShape } from "./manifest.ts";

export const shapes: readonly LayerShape[] = [
  { width: 2048, hidden: 1024, experts: 64, k: 8 },
  { width: 4096, hidden: 14336, experts: 8, k: 2 },
  { width: 2048, hidden: 768, experts: 128, k: 8 },
];
/** What tells most first. */
export const tokenCounts: readonly number[] = [4096, 1, 64];
/** bf16 three times: by warps, by warpgroups where the device's multiply, and with bulk copies beside that. */
const ways: readonly { readonly precision: Precision; readonly warpgroups: Warpgroups }[] = [
  { precision: "f32", warpgroups: false },
  { precision: "bf16", warpgroups: false },
  { precision: "bf16", warpgroups: true },
  { precision: "bf16", warpgroups: "bulk" },
];

const wayOf = ({ precision, warpgroups }: Pick<Layer, "precision" | "warpgroups">): string =>
  `${precision}${suffixOf(warpgroups, "-")}`;
const numbersOf = ({ width, hidden, experts, k }: LayerShape): readonly number[] => [
  width,
  hidden,
  experts,
  k,
];
export const nameOf = (layer: Omit<Layer, "folder">): string =>
  `(${numbersOf(layer).join(", ")}) ${wayOf(layer)}`;

export const layers: readonly Layer[] = shapes.flatMap((shape) =>
  ways.map((way) => ({ ...shape, ...way, folder: `layers/${numbersOf(shape).join("-")}-${wayOf(way)}` })),
);

export const layerText = ({ width, hidden, experts, k }: LayerShape): string => `
import std.experts { SwiGLU }

router Spread(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  p = softmax(x @ w)
  choose top ${k} of p
  weight p / sum(p)
}

model Layer {
  dim D = ${width}
  modality x = features(D)
  param gain: [D] = 1
  pool = SwiGLU(D, ${hidden}) * ${experts}
  given = x * gain
  y = pool(given) by Spread
  loss mean(square(y))
  y
}

train Layer {
  data x = csv("data.csv", "x")
  batch 64
  optimizer sgd { rate = 0 }
  steps 1
}
`;

/** Of a forward pass: the router's scores, and gate, up and down for each pick. A step of training is three times as much. */
export const operations = ({ width, hidden, experts, k }: LayerShape, tokens: number): number =>
  2 * tokens * width * experts + 6 * tokens * k * width * hidden;

/** Weights that a forward pass must read when so many experts are chosen: the router's are f32, the experts' in the layer's precision. */
export const weightBytes = (
  { width, hidden, experts, precision }: Pick<Layer, "width" | "hidden" | "experts" | "precision">,
  chosen: number,
): number => 4 * width * experts + (precision === "f32" ? 4 : 2) * 3 * chosen * width * hidden;
