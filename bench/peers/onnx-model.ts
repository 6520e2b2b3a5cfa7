// An ONNX file with one routed layer: router product, then ONNX Runtime's own operator com.microsoft MoE. In: weights. Out: bytes.

import { node, onnxFile, tensor } from "./onnx-file.ts";

export interface RoutedWeights {
  readonly tokens: number;
  readonly width: number;
  readonly hidden: number;
  readonly experts: number;
  readonly k: number;
  /** [width, experts] */
  readonly router: Float32Array;
  /** [experts, width, hidden] */
  readonly gate: Float32Array;
  readonly up: Float32Array;
  /** [experts, hidden, width] */
  readonly down: Float32Array;
}

export function routedModel(weights: RoutedWeights): Uint8Array {
  const { tokens, width, hidden, experts, k } = weights;
  // The operator wants output before input, and gate and up row by row in turn.
  const inner = new Float32Array(experts * 2 * hidden * width);
  const outer = new Float32Array(experts * width * hidden);
  for (let e = 0; e < experts; e++)
    for (let h = 0; h < hidden; h++)
      for (let d = 0; d < width; d++) {
        const from = (e * width + d) * hidden + h;
        inner[(e * 2 * hidden + 2 * h) * width + d] = weights.gate[from]!;
        inner[(e * 2 * hidden + 2 * h + 1) * width + d] = weights.up[from]!;
        outer[(e * width + d) * hidden + h] = weights.down[(e * hidden + h) * width + d]!;
      }
  return onnxFile({
    name: "routed",
    nodes: [
      node("MatMul", ["x", "router"], ["logits"]),
      node(
        "MoE",
        ["x", "logits", "inner", "", "outer"],
        ["y"],
        {
          k,
          activation_type: "swiglu",
          swiglu_fusion: 1,
          normalize_routing_weights: 1,
          activation_alpha: { float: 1 },
          activation_beta: { float: 0 },
        },
        "com.microsoft",
      ),
    ],
    tensors: [
      tensor("router", [width, experts], weights.router),
      tensor("inner", [experts, 2 * hidden, width], inner),
      tensor("outer", [experts, width, hidden], outer),
    ],
    inputs: { x: [tokens, width] },
    outputs: { y: [tokens, width] },
  });
}
