// An ONNX file with one routed layer: router product, then ONNX Runtime's own operator com.microsoft MoE. In: weights. Out: bytes.
// ONNX is protobuf: a message is a row of fields, each a key (number * 8 + wire type) and a number or a length with bytes.
// Only what this model needs. Field numbers are those of onnx.proto.

const text = new TextEncoder();

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  return [...bytes, value];
}

type Message = readonly Uint8Array[];

const integer = (field: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(field * 8), ...varint(value)]);
const bytes = (field: number, value: Uint8Array): Message => [
  Uint8Array.from([...varint(field * 8 + 2), ...varint(value.length)]),
  value,
];
const string = (field: number, value: string): Message => bytes(field, text.encode(value));
const message = (field: number, parts: readonly (Uint8Array | Message)[]): Message =>
  bytes(field, joined(parts));
const float = (field: number, value: number): Uint8Array =>
  Uint8Array.from([...varint(field * 8 + 5), ...new Uint8Array(Float32Array.of(value).buffer)]);

function joined(parts: readonly (Uint8Array | Message)[]): Uint8Array {
  const flat = parts.flatMap((part) => (part instanceof Uint8Array ? [part] : part));
  const whole = new Uint8Array(flat.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of flat) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const floatType = 1;

const attribute = (name: string, value: number | string, isFloat = false): Message =>
  message(5, [
    string(1, name),
    typeof value === "string" ? bytes(4, text.encode(value)) : isFloat ? float(2, value) : integer(3, value),
    integer(20, typeof value === "string" ? 3 : isFloat ? 1 : 2),
  ]);

const tensor = (name: string, shape: readonly number[], values: Float32Array): Message =>
  message(5, [
    ...shape.map((size) => integer(1, size)),
    integer(2, floatType),
    string(8, name),
    bytes(9, new Uint8Array(values.buffer, values.byteOffset, values.byteLength)),
  ]);

const port = (field: number, name: string, shape: readonly number[]): Message =>
  message(field, [
    string(1, name),
    message(2, [
      message(1, [
        integer(1, floatType),
        message(
          2,
          shape.map((size) => message(1, [integer(1, size)])),
        ),
      ]),
    ]),
  ]);

const operatorSet = (domain: string, version: number): Message =>
  message(8, [string(1, domain), integer(2, version)]);

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
  const product = message(1, [string(1, "x"), string(1, "router"), string(2, "logits"), string(4, "MatMul")]);
  const routed = message(1, [
    ...["x", "logits", "inner", "", "outer"].map((name) => string(1, name)),
    string(2, "y"),
    string(4, "MoE"),
    string(7, "com.microsoft"),
    attribute("k", k),
    attribute("activation_type", "swiglu"),
    attribute("swiglu_fusion", 1),
    attribute("normalize_routing_weights", 1),
    attribute("activation_alpha", 1, true),
    attribute("activation_beta", 0, true),
  ]);
  const graph = message(7, [
    product,
    routed,
    string(2, "routed"),
    tensor("router", [width, experts], weights.router),
    tensor("inner", [experts, 2 * hidden, width], inner),
    tensor("outer", [experts, width, hidden], outer),
    port(11, "x", [tokens, width]),
    port(12, "y", [tokens, width]),
  ]);
  return joined([integer(1, 9), graph, operatorSet("", 17), operatorSet("com.microsoft", 1)]);
}
