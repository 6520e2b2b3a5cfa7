// Entries: from a built model to the graphs that a program runs. In: what elaboration collected, in training and in
// inference, and the recipe. Out: one graph for each entry, and the tensors that they add (optimiser state, carried sums).
//   forward   inputs -> logits
//   evaluate  inputs and targets -> loss, metrics, loads, picks (inference mode)
//   decode    one sequence, with caches -> logits
//   train     one micro-batch -> loss, metrics, loads; carries gradients and statistics
//   update    carried sums -> parameters, optimiser state, layer state; gives the rate and the gradient's norm

import type { Tensor, Training } from "../runtime/program.ts";
import { Carrier } from "./build/statistics.ts";
import {
  clipping,
  optimise,
  type OptimizerName,
  type OptimizerOptions,
  type Trained,
  type Update,
} from "./build/optimizer.ts";
import { differentiate } from "./differentiate.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import type { Graph, Node } from "./graph.ts";

/** What elaboration gives of one mode. */
export interface Built {
  readonly builder: GraphBuilder;
  /** The model's result. */
  readonly logits: Node;
  /** Scalars; without a name: part of the loss only. */
  readonly losses: readonly { readonly name?: string; readonly node: Node }[];
  readonly metrics: readonly { readonly name: string; readonly node: Node }[];
  /** New values of states: of layers in training, of caches in decoding. */
  readonly updates: readonly Update[];
  readonly routers: readonly {
    readonly name: string;
    readonly picks: Node;
    readonly load: Node;
  }[];
  readonly tensors: readonly Tensor[];
}

/** How a model is trained, as the graphs need it. */
export interface Recipe {
  readonly training: Training;
  readonly optimizer: { readonly name: OptimizerName; readonly options: OptimizerOptions };
  /** Largest norm of the gradient. */
  readonly clip?: number;
  /** Whether a parameter gets no gradient, and the factor on its rate. */
  readonly frozen: (name: string) => boolean;
  readonly factor: (name: string) => number;
}

type Output = Graph["outputs"][number];

/** Scalars of the same name (one from every layer) become one: losses add up, metrics are averaged. */
function byName(
  builder: GraphBuilder,
  scalars: readonly { readonly name?: string; readonly node: Node }[],
  average: boolean,
): Output[] {
  const groups = new Map<string, Node[]>();
  for (const { name, node } of scalars)
    if (name !== undefined) groups.set(name, [...(groups.get(name) ?? []), node]);
  return [...groups].map(([name, nodes]) => {
    const sum = nodes.reduce((a, b) => builder.add(a, b));
    return { name, node: average && nodes.length > 1 ? builder.div(sum, nodes.length) : sum };
  });
}

function totalLoss(built: Built): Node {
  const [first, ...rest] = built.losses.map(({ node }) => node);
  return rest.reduce((a, b) => built.builder.add(a, b), first ?? built.builder.constant(0));
}

/** loss, named losses, metrics. A metric may not take the name of a loss: the checker has seen to it. */
function scalars(built: Built): Output[] {
  const { builder } = built;
  return [
    { name: "loss", node: totalLoss(built) },
    ...byName(builder, built.losses, false),
    ...byName(builder, built.metrics, true),
  ];
}

export const loadPort = (router: string): string => `load.${router}`;
export const picksPort = (router: string): string => `picks.${router}`;

export const forwardGraph = (built: Built): Graph => ({
  name: "forward",
  outputs: [{ name: "logits", node: built.logits }],
  updates: [],
});

export const decodeGraph = (built: Built): Graph => ({
  name: "decode",
  outputs: [{ name: "logits", node: built.logits }],
  updates: built.updates,
});

export const evaluateGraph = (built: Built): Graph => ({
  name: "evaluate",
  outputs: [
    ...scalars(built),
    ...built.routers.flatMap(({ name, load, picks }) => [
      { name: loadPort(name), node: load },
      { name: picksPort(name), node: picks },
    ]),
  ],
  updates: [],
});

export interface TrainingGraphs {
  readonly train: Graph;
  readonly update: Graph;
  /** Optimiser state and carried sums. */
  readonly tensors: readonly Tensor[];
  /** Scalar outputs of `train`, `loss` first. */
  readonly metrics: readonly string[];
}

export function trainingGraphs(built: Built, recipe: Recipe, step: Node): TrainingGraphs {
  const { builder } = built;
  const { accumulate } = recipe.training;
  const outputs = scalars(built);
  const carrier = new Carrier(builder, accumulate);

  const parameters = built.tensors.filter(
    (tensor) => tensor.role === "parameter" && !recipe.frozen(tensor.name),
  );
  const values = parameters.map((tensor) => builder.tensor(tensor.name, tensor.shape));
  const gradients = differentiate(builder, outputs[0]!.node, values);
  const sums = parameters.map((tensor, i) => carrier.sum(`gradient.${tensor.name}`, gradients.get(values[i]!)!));
  const means = accumulate === 1 ? sums : sums.map((sum) => builder.div(sum, accumulate));
  const { norm, factor } =
    means.length === 0
      ? { norm: builder.constant(0), factor: undefined }
      : clipping(builder, means, recipe.clip);
  const trained = parameters.map(
    (tensor, i): Trained => ({
      tensor,
      value: values[i]!,
      gradient: factor === undefined ? means[i]! : builder.mul(means[i]!, factor),
      factor: recipe.factor(tensor.name),
    }),
  );
  const { name, options } = recipe.optimizer;
  const optimised = optimise(builder, name, options, trained, step);

  const loads = new Map(built.routers.map(({ name, load }) => [load, loadPort(name)]));
  const states = built.updates.map(({ tensor, node }) => ({
    tensor,
    node: carrier.afterStep(tensor, node, loads),
  }));
  const rate = options["rate"] ?? 0;
  return {
    train: {
      name: "train",
      outputs: [...outputs, ...built.routers.map(({ name, load }) => ({ name: loadPort(name), node: load }))],
      updates: carrier.fills,
    },
    update: {
      name: "update",
      outputs: [
        { name: "rate", node: typeof rate === "number" ? builder.constant(rate) : rate },
        { name: "norm", node: norm },
      ],
      updates: [...optimised.updates, ...states, ...carrier.resets],
    },
    tensors: [...optimised.tensors, ...carrier.tensors],
    metrics: outputs.map(({ name }) => name),
  };
}
