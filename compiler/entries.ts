// Entries: from a built model to the graphs that a program runs. In: what elaboration collected, in training and in
// inference, and the recipe. Out: one graph for each entry, and the tensors that they add (optimiser state, carried sums).
//   forward   inputs -> logits
//   evaluate  inputs and targets -> loss, metrics, loads, picks (inference mode)
//   decode    one sequence, with caches -> logits
//   train     one micro-batch -> loss, metrics, loads (but of gates that are metrics); carries gradients and statistics
//   update    carried sums -> parameters, optimiser state, layer state; gives the rate and the gradient's norm

import type { Tensor, Training } from "../runtime/program.ts";
import { Carrier } from "./build/statistics.ts";
import {
  clipping,
  optimise,
  type OptimizerName,
  type OptimizerOptions,
  type Trained,
} from "./build/optimizer.ts";
import { differentiate } from "./differentiate.ts";
import type { Built } from "./elaborate/model.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import type { Graph, Node } from "./graph.ts";

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

/** loss first, then named losses and metrics. */
function scalars(builder: GraphBuilder, built: Built): Output[] {
  const losses = built.losses.map(({ node }) => node);
  const total = losses.reduce((a, b) => builder.add(a, b), builder.constant(0));
  return [{ name: "loss", node: total }, ...built.metrics];
}

export const loadPort = (router: string): string => `load.${router}`;
export const picksPort = (router: string): string => `picks.${router}`;

export const forwardGraph = (built: Built): Graph => ({
  name: "forward",
  outputs: built.outputs,
  updates: [],
});

export const decodeGraph = (built: Built): Graph => ({
  name: "decode",
  outputs: built.outputs,
  updates: built.updates,
});

export const evaluateGraph = (builder: GraphBuilder, built: Built): Graph => ({
  name: "evaluate",
  outputs: [
    ...scalars(builder, built),
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
}

/** `step` is the f32 scalar of optimiser steps done. */
export function trainingGraphs(
  builder: GraphBuilder,
  built: Built,
  recipe: Recipe,
  step: Node,
): TrainingGraphs {
  const { accumulate } = recipe.training;
  const outputs = scalars(builder, built);
  const carrier = new Carrier(builder, accumulate);

  const parameters = built.tensors.filter(
    (tensor) => tensor.role === "parameter" && !recipe.frozen(tensor.name),
  );
  const values = parameters.map((tensor) => builder.tensor(tensor.name, tensor.shape));
  const gradients = differentiate(builder, outputs[0]!.node, values);
  const sums = parameters.map((tensor, i) =>
    carrier.sum(`gradient.${tensor.name}`, gradients.get(values[i]!)!),
  );
  const means = accumulate === 1 ? sums : sums.map((sum) => builder.div(sum, accumulate));
  const { norm, factor } =
    means.length === 0
      ? { norm: builder.constant(0), factor: undefined }
      : clipping(builder, means, recipe.clip);
  const trained = parameters.map((tensor, i): Trained => ({
    tensor,
    value: values[i]!,
    gradient: factor === undefined ? means[i]! : builder.mul(means[i]!, factor),
    factor: recipe.factor(tensor.name),
  }));
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
      outputs: [
        ...outputs,
        ...built.routers.flatMap(({ name, load, measured }) =>
          measured === true ? [] : { name: loadPort(name), node: load },
        ),
      ],
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
  };
}
