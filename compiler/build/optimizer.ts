// Optimisers as graphs: new values of parameters and of their own state, from gradients.
// In: parameters with gradients, options as scalar nodes. Out: updates and the tensors of state that they need.
// Each optimiser is one element-wise formula per parameter (Muon: matrices orthogonalised in between), so that fusion makes it one kernel.

import type { GraphBuilder, Value } from "../graph-builder.ts";
import type { Node } from "../graph.ts";
import type { Tensor } from "../../runtime/program.ts";
import { orthogonalise } from "./newton-schulz.ts";

/** What the optimiser is given for one parameter. */
export interface Trained {
  readonly tensor: Tensor;
  readonly value: Node;
  readonly gradient: Node;
  /** A factor on the learning rate (`rate "pattern" = factor`). */
  readonly factor: number;
}

export interface Update {
  readonly tensor: string;
  readonly node: Node;
}

export interface Optimised {
  readonly updates: readonly Update[];
  readonly tensors: readonly Tensor[];
}

export type OptimizerName = "adamw" | "sgd" | "lion" | "muon";

/** Options by name; absent ones take the defaults of `optimizerDefaults`. */
export type OptimizerOptions = Readonly<Record<string, Value>>;

/** What each optimiser knows, with defaults. `rate` has none: it must be given. */
export const optimizerDefaults: Readonly<
  Record<OptimizerName, Readonly<Record<string, number | undefined>>>
> = {
  adamw: { rate: undefined, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, decay: 0.1 },
  sgd: { rate: undefined, momentum: 0.9, nesterov: 0, decay: 0 },
  lion: { rate: undefined, beta1: 0.9, beta2: 0.99, decay: 0.1 },
  muon: {
    rate: undefined,
    momentum: 0.95,
    decay: 0.1,
    adam_rate: 3e-3,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
  },
};

/** Decay pulls at matrices only: gains, biases and single numbers are left alone. */
const decays = (trained: Trained): boolean => trained.tensor.shape.length >= 2;

/** Muon is for matrices between activations; tables of embeddings are handled by AdamW (Jordan et al., 2024). */
const isHidden = (trained: Trained): boolean =>
  trained.tensor.shape.length >= 2 && !/(^|\.)(table|embed\w*|unembed\w*|head)$/.test(trained.tensor.name);

/** State of the optimiser beside a parameter. */
const beside = (trained: Trained, what: string): Tensor => ({
  name: `${what}.${trained.tensor.name}`,
  role: "optimiser",
  type: "f32",
  shape: trained.tensor.shape,
  init: { kind: "constant", value: 0 },
});

/** `step` is an f32 scalar: optimiser steps done before this one. */
export function optimise(
  builder: GraphBuilder,
  name: OptimizerName,
  given: OptimizerOptions,
  parameters: readonly Trained[],
  step: Node,
): Optimised {
  const updates: Update[] = [];
  const tensors: Tensor[] = [];
  const option = (key: string): Value => {
    const value = given[key] ?? optimizerDefaults[name][key];
    if (value === undefined) throw new Error(`internal: ${name} without ${key}`);
    return value;
  };
  const state = (trained: Trained, what: string): Node => {
    const tensor = beside(trained, what);
    tensors.push(tensor);
    return builder.tensor(tensor.name, tensor.shape);
  };
  const set = (tensor: string, node: Node): void => void updates.push({ tensor, node });
  /** value - rate * (change + decay * value). */
  const move = (trained: Trained, rate: Value, change: Node): void => {
    const scaled = trained.factor === 1 ? rate : builder.mul(lift(builder, rate), trained.factor);
    const whole = decays(trained) ? builder.add(change, builder.mul(trained.value, option("decay"))) : change;
    set(trained.tensor.name, builder.sub(trained.value, builder.mul(whole, scaled)));
  };

  /** Adam's step with bias correction, decay apart from the gradient. Source: Loshchilov and Hutter, arXiv 1711.05101. */
  const adam = (trained: Trained, rate: Value): void => {
    const [beta1, beta2] = [option("beta1"), option("beta2")];
    const first = mix(builder, state(trained, "adam.first"), trained.gradient, beta1);
    const second = mix(builder, state(trained, "adam.second"), builder.square(trained.gradient), beta2);
    set(`adam.first.${trained.tensor.name}`, first);
    set(`adam.second.${trained.tensor.name}`, second);
    const done = builder.add(step, 1);
    const correct = (beta: Value): Node =>
      builder.sub(builder.constant(1), builder.map("pow", lift(builder, beta), done));
    const mean = builder.div(first, correct(beta1));
    const size = builder.map("sqrt", builder.div(second, correct(beta2)));
    move(trained, rate, builder.div(mean, builder.add(size, option("epsilon"))));
  };

  for (const trained of parameters)
    switch (name) {
      case "adamw":
        adam(trained, option("rate"));
        break;
      case "sgd": {
        // v = momentum * v + g; step along v, or along g + momentum * v (Nesterov).
        const momentum = option("momentum");
        const velocity = builder.add(builder.mul(state(trained, "sgd.velocity"), momentum), trained.gradient);
        set(`sgd.velocity.${trained.tensor.name}`, velocity);
        const nesterov = builder.add(trained.gradient, builder.mul(velocity, momentum));
        move(trained, option("rate"), option("nesterov") === 0 ? velocity : nesterov);
        break;
      }
      case "lion": {
        // Step along sign(beta1 * m + (1 - beta1) * g); m follows with beta2. Source: Chen et al., arXiv 2302.06675.
        const memory = state(trained, "lion.memory");
        const direction = builder.map("sign", mix(builder, memory, trained.gradient, option("beta1")));
        set(`lion.memory.${trained.tensor.name}`, mix(builder, memory, trained.gradient, option("beta2")));
        move(trained, option("rate"), direction);
        break;
      }
      case "muon": {
        if (!isHidden(trained)) {
          adam(trained, option("adam_rate"));
          break;
        }
        // Momentum (Nesterov), orthogonalised, scaled by sqrt(max(1, rows / columns)).
        // Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
        const momentum = option("momentum");
        const velocity = mix(builder, state(trained, "muon.velocity"), trained.gradient, momentum);
        set(`muon.velocity.${trained.tensor.name}`, velocity);
        const ahead = mix(builder, velocity, trained.gradient, momentum);
        const [rows, columns] = trained.tensor.shape.slice(-2) as [number, number];
        const scale = Math.sqrt(Math.max(1, rows / columns));
        move(trained, option("rate"), builder.mul(orthogonalise(builder, ahead), scale));
        break;
      }
      default:
        name satisfies never;
    }
  return { updates, tensors };
}

const lift = (builder: GraphBuilder, value: Value): Node =>
  typeof value === "number" ? builder.constant(value) : value;

/** beta * a + (1 - beta) * b. */
const mix = (builder: GraphBuilder, a: Node, b: Node, beta: Value): Node =>
  builder.add(builder.mul(a, beta), builder.mul(b, builder.sub(builder.constant(1), beta)));

/** sqrt of the sum of squares of all gradients, and the factor that brings it down to `limit` (1 when it is below). */
export function clipping(
  builder: GraphBuilder,
  gradients: readonly Node[],
  limit: number | undefined,
): { readonly norm: Node; readonly factor: Node | undefined } {
  const squares = gradients.map((gradient) => builder.sum(builder.square(gradient)));
  const norm = builder.map(
    "sqrt",
    squares.reduce((a, b) => builder.add(a, b)),
  );
  if (limit === undefined) return { norm, factor: undefined };
  // A norm of 0 divides nothing: min(1, limit / (norm + tiny)).
  return {
    norm,
    factor: builder.map("min", builder.div(builder.constant(limit), builder.add(norm, 1e-12)), 1),
  };
}
