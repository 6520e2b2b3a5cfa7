// What a simplification rule is, and what rules share. A rule looks at one node, whose operands are simplified already,
// and says what it equals, or nothing. What it makes through the builder is simplified on the way.
// Equal means: equal in exact arithmetic on finite numbers. Rounding may differ; so may the sign of a zero. A rule that
// would hide a NaN or an infinity that the graph makes says so.

import type { Node, Shape } from "./graph.ts";
import type { GraphBuilder } from "./graph-builder.ts";

export interface Rule<N extends Node = Node> {
  readonly name: string;
  readonly apply: (builder: GraphBuilder, node: N) => Node | undefined;
}

/** The number of a constant, repeated or not. */
export function constantOf(node: Node): number | undefined {
  if (node.op === "const") return node.value;
  if (node.op === "view" && node.view.kind === "broadcast" && node.input.op === "const")
    return node.input.value;
  return undefined;
}

/** A constant in a shape. */
export const filled = (builder: GraphBuilder, value: number, like: Pick<Node, "dtype" | "shape">): Node =>
  builder.broadcastTo(builder.constant(value, like.dtype), like.shape);

export const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/** The inverse of a permutation. */
export const inverse = (axes: readonly number[]): number[] => axes.map((_, i) => axes.indexOf(i));

/** Puts a node, whose axes are axes `at` of `shape` in any order, into `shape`. */
export function place(builder: GraphBuilder, node: Node, at: readonly number[], shape: Shape): Node {
  const order = range(at.length).sort((i, j) => at[i]! - at[j]!);
  return builder.broadcastTo(
    builder.permute(node, order),
    shape,
    order.map((i) => at[i]!),
  );
}
