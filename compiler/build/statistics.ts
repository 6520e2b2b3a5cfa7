// What a training step hands from its micro-batches to its update: gradients and, for `after step`, statistics of the batch.
// In: nodes of the train graph. Out: carried tensors, the updates that fill them, and the nodes that read them.
// Gradients and loads are summed over micro-batches, other statistics averaged, so that `after step` sees the global batch.

import type { Tensor } from "../../runtime/program.ts";
import { known } from "../../runtime/size.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { rebuild } from "../graph-rebuild.ts";
import { dependenciesOf } from "../graph-walk.ts";
import type { Node } from "../graph.ts";
import type { Update } from "./optimizer.ts";

export class Carrier {
  readonly tensors: Tensor[] = [];
  /** For the train graph: the carried tensors take their values. */
  readonly fills: Update[] = [];
  /** For the update graph: emptied again, when several micro-batches add up. */
  readonly resets: Update[] = [];
  private readonly builder: GraphBuilder;
  private readonly accumulate: number;
  private readonly readers = new Map<Node, Node>();
  /** Whether a node depends on the batch, for all that was looked at. */
  private readonly varying = new Map<Node, boolean>();

  constructor(builder: GraphBuilder, accumulate: number) {
    this.builder = builder;
    this.accumulate = accumulate;
  }

  /** The node's sum over the micro-batches, as the update reads it. */
  sum(name: string, node: Node): Node {
    const before = this.readers.get(node);
    if (before !== undefined) return before;
    const { builder } = this;
    const shape = node.shape.map((axis) => {
      const size = known(axis.size);
      if (size === undefined) throw new Error(`internal: ${name} has no static shape, it cannot be carried`);
      return size;
    });
    if (node.dtype !== "f32" && node.dtype !== "i32")
      throw new Error(`internal: ${name} is ${node.dtype}, it cannot be carried`);
    const reader = builder.tensor(name, shape, node.dtype);
    this.readers.set(node, reader);
    this.tensors.push({ name, role: "carry", type: node.dtype, shape, init: { kind: "constant", value: 0 } });
    this.fills.push({ tensor: name, node: this.accumulate === 1 ? node : builder.add(reader, node) });
    if (this.accumulate > 1)
      this.resets.push({ tensor: name, node: builder.broadcastTo(builder.constant(0, node.dtype), shape) });
    return reader;
  }

  /** An `after step` value with everything that depends on the batch read from carried tensors. `loads` are summed. */
  afterStep(name: string, value: Node, loads: ReadonlyMap<Node, string>): Node {
    const { builder } = this;
    const replaced = new Map<Node, Node>();
    let count = 0;
    // Only what the value still needs once its statistics are cut off is visited: from the roots down.
    const resolve = (node: Node): Node => {
      const before = replaced.get(node);
      if (before !== undefined) return before;
      const result = this.resolved(node, loads, resolve, () => `statistic.${name}.${count++}`);
      replaced.set(node, result);
      return result;
    };
    return builder.at(value.origin, () => resolve(value));
  }

  /** Values of one model share nearly all that they depend on: each node is looked at once. Nothing recurses, models are deep. */
  private varies(root: Node): boolean {
    const { varying } = this;
    const stack = [root];
    for (let node = stack.at(-1); node !== undefined; node = stack.at(-1)) {
      const dependencies = dependenciesOf(node);
      const open = varying.has(node) ? undefined : dependencies.find((each) => !varying.has(each));
      if (open !== undefined) {
        stack.push(open);
        continue;
      }
      stack.pop();
      const own = node.op === "random" || (node.op === "input" && !node.name.startsWith("$"));
      varying.set(node, own || dependencies.some((each) => varying.get(each)));
    }
    return varying.get(root)!;
  }

  private resolved(
    node: Node,
    loads: ReadonlyMap<Node, string>,
    resolve: (node: Node) => Node,
    name: () => string,
  ): Node {
    if (!this.varies(node)) return node;
    const load = loads.get(node);
    if (load !== undefined) return this.sum(`sum.${load}`, node);
    // What is computed from statistics alone is computed after the step, from the global ones: mean(load) is that of all
    // micro-batches. A statistic itself is where the batch was reduced, or where something was drawn.
    const operands = dependenciesOf(node);
    const formula = operands.length > 0 && operands.every(isSmall);
    if (isSmall(node) && !formula) {
      const sum = this.sum(name(), node);
      return this.accumulate === 1 ? sum : this.builder.div(sum, this.accumulate);
    }
    return rebuild(this.builder, node, resolve);
  }
}

const isSmall = (node: Node): boolean =>
  node.shape.every((axis) => axis.kind === "dense" && known(axis.size) !== undefined);
