// A routed layer of SwiGLU experts in ONNX's standard operators, for runtimes that have no operator for it. In: sizes; where each
// matrix lies in one file of weights. Out: the bytes of a model. Three formulations:
// `dense` computes every expert for every token in batched products, and masks by weight.
// `loop` sorts the picks by expert (NonZero), splits the gathered rows, and does three products for each expert.
// `chosen` gathers the matrices of each pick's expert: for few tokens only.

import { longs, node, onnxFile, outside, tensor, type Message } from "./onnx-file.ts";

export interface StandardLayer {
  readonly tokens: number;
  readonly width: number;
  readonly hidden: number;
  readonly experts: number;
  readonly k: number;
}

/** In the file of weights: router [width, experts], gate and up [experts, width, hidden], down [experts, hidden, width]. */
export const weightFile = "weights.bin";
export const weightOrder = ["router", "gate", "up", "down"] as const;

export const standardForms = ["dense", "loop", "chosen"] as const;
export type StandardForm = (typeof standardForms)[number];

type Weight = (typeof weightOrder)[number];

export function standardModel(layer: StandardLayer, form: StandardForm): Uint8Array {
  const { tokens, width } = layer;
  const nodes: Message[] = [];
  const tensors: Message[] = [];
  const add = (operator: string, inputs: readonly string[], attributes = {}): string => {
    const output = `v${nodes.length}`;
    nodes.push(node(operator, inputs, [output], attributes));
    return output;
  };
  const longsOf = (name: string, values: readonly number[], shape = [values.length]): string => {
    tensors.push(longs(name, shape, values));
    return name;
  };
  const graph: Graph = { layer, nodes, tensors, add, longs: longsOf, weights: weightsOf(layer, tensors) };
  const y = { dense, loop, chosen }[form](graph);
  nodes.push(node("Identity", [y], ["y"]));
  return onnxFile({
    name: form,
    nodes,
    tensors,
    inputs: { x: [tokens, width] },
    outputs: { y: [tokens, width] },
  });
}

interface Graph {
  readonly layer: StandardLayer;
  readonly nodes: Message[];
  readonly tensors: Message[];
  /** Adds an operator of one output; gives the output's name. */
  add(operator: string, inputs: readonly string[], attributes?: Readonly<Record<string, number>>): string;
  longs(name: string, values: readonly number[], shape?: number[]): string;
  /** A whole weight, or one expert's part of it. */
  weights(name: Weight, expert?: number): string;
}

function weightsOf(
  { width, hidden, experts }: StandardLayer,
  tensors: Message[],
): (name: Weight, expert?: number) => string {
  const shapes: Readonly<Record<Weight, readonly number[]>> = {
    router: [width, experts],
    gate: [experts, width, hidden],
    up: [experts, width, hidden],
    down: [experts, hidden, width],
  };
  const bytes = (shape: readonly number[]): number => 4 * shape.reduce((product, size) => product * size, 1);
  const start = (name: Weight): number =>
    weightOrder.slice(0, weightOrder.indexOf(name)).reduce((sum, before) => sum + bytes(shapes[before]), 0);
  return (name, expert) => {
    const shape = expert === undefined ? shapes[name] : shapes[name].slice(1);
    const label = expert === undefined ? name : `${name}.${expert}`;
    const length = bytes(shape);
    const offset = start(name) + (expert ?? 0) * length;
    tensors.push(outside(label, shape, weightFile, { offset, length }));
    return label;
  };
}

/** Each expert's share of a token, and the k best of them with their numbers. */
function scores({ layer: { k }, nodes, add, longs: constant, weights }: Graph): {
  readonly share: string;
  readonly best: string;
  readonly picks: string;
} {
  const share = add("Softmax", [add("MatMul", ["x", weights("router")])], { axis: 1 });
  nodes.push(node("TopK", [share, constant("k", [k])], ["best", "picks"]));
  return { share, best: "best", picks: "picks" };
}

const swiglu = ({ add }: Graph, x: string, gate: string, up: string, down: string): string => {
  const gated = add("MatMul", [x, gate]);
  const hidden = add("Mul", [add("Mul", [gated, add("Sigmoid", [gated])]), add("MatMul", [x, up])]);
  return add("MatMul", [hidden, down]);
};

function dense(graph: Graph): string {
  const { layer, tensors, add, longs: constant, weights } = graph;
  const { share, best } = scores(graph);
  tensors.push(tensor("zero", [1], Float32Array.of(0)));
  const least = add("Gather", [best, constant("last", [layer.k - 1])], { axis: 1 });
  const kept = add("Where", [add("GreaterOrEqual", [share, least]), share, "zero"]);
  const one = constant("one", [1]);
  const weight = add("Div", [kept, add("ReduceSum", [kept, one])]);
  const none = constant("none", [0]);
  const outputs = swiglu(
    graph,
    add("Unsqueeze", ["x", none]),
    weights("gate"),
    weights("up"),
    weights("down"),
  );
  const byExpert = add("Unsqueeze", [add("Transpose", [weight]), constant("two", [2])]);
  return add("ReduceSum", [add("Mul", [outputs, byExpert]), none], { keepdims: 0 });
}

/** Rows of results in the order of the picks -> the sum of each token's, by weight. */
function merged(
  { layer: { tokens, k, width }, add, longs: constant }: Graph,
  rows: string,
  best: string,
): string {
  const one = constant("one", [1]);
  const weight = add("Unsqueeze", [add("Div", [best, add("ReduceSum", [best, one])]), constant("two", [2])]);
  const byToken = add("Reshape", [rows, constant("byToken", [tokens, k, width])]);
  return add("ReduceSum", [add("Mul", [byToken, weight]), one], { keepdims: 0 });
}

function loop(graph: Graph): string {
  const { layer, nodes, add, longs: constant, weights } = graph;
  const { tokens, experts, k } = layer;
  const { best, picks } = scores(graph);
  const count = tokens * k;
  const numbers = (length: number): number[] => Array.from({ length }, (_, i) => i);
  const flat = add("Reshape", [picks, constant("flat", [1, count])]);
  const taken = add("Equal", [flat, constant("experts", numbers(experts), [experts, 1])]);
  // Expert after expert, so the second row of places is the picks in the order of their experts.
  const order = add("Gather", [add("NonZero", [taken]), constant("second", [1], [])], { axis: 0 });
  const long = 7;
  const loads = add("ReduceSum", [add("Cast", [taken], { to: long }), constant("along", [1])], {
    keepdims: 0,
  });
  const rows = add("Gather", ["x", add("Div", [order, constant("k1", [k])])], { axis: 0 });
  const parts = numbers(experts).map((expert) => `rows.${expert}`);
  nodes.push(node("Split", [rows, loads], parts, { axis: 0 }));
  const results = parts.map((part, expert) =>
    swiglu(graph, part, weights("gate", expert), weights("up", expert), weights("down", expert)),
  );
  const all = add("Concat", results, { axis: 0 });
  const back = add("ScatterElements", [
    constant("nothing", numbers(count).fill(0)),
    order,
    constant("places", numbers(count)),
  ]);
  return merged(graph, add("Gather", [all, back], { axis: 0 }), best);
}

function chosen(graph: Graph): string {
  const { layer, add, longs: constant, weights } = graph;
  const { tokens, k } = layer;
  const { best, picks } = scores(graph);
  const count = tokens * k;
  const flat = add("Reshape", [picks, constant("flat", [count])]);
  const token = constant(
    "token",
    Array.from({ length: count }, (_, pick) => Math.floor(pick / k)),
  );
  const rows = add("Unsqueeze", [add("Gather", ["x", token], { axis: 0 }), constant("middle", [1])]);
  const of = (name: Weight): string => add("Gather", [weights(name), flat], { axis: 0 });
  return merged(graph, swiglu(graph, rows, of("gate"), of("up"), of("down")), best);
}
