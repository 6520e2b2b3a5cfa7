// Tokens as one axis, for routing: a tensor for each token is flattened over the axes that are routed and spread out again.
// In: tensors with hidden token axes. Out: nodes [tokens, others.., visible..], and back.

import type { Size } from "../../runtime/size.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";
import { expandTo, hiddenShape, unionHidden } from "./align.ts";
import { build, type Elaboration } from "./elaboration.ts";
import { type Hidden, tensor, type Tensor, type VisibleAxis } from "./value.ts";

/** Tokens of a choice as one axis. */
export interface Tokens {
  readonly hidden: readonly Hidden[];
  readonly count: Size;
}

/** A tensor for each token, [tokens, others.., visible..]; `others` are hidden axes that are no tokens. */
export function flatten(
  of: Elaboration,
  value: Tensor,
  tokens: Tokens,
  axes: readonly VisibleAxis[],
): { readonly node: Node | undefined; readonly others: readonly Hidden[] } {
  const all = unionHidden([value, { hidden: tokens.hidden }]);
  const wide = expandTo(of, value, all, axes);
  const others = all.filter((axis) => !tokens.hidden.includes(axis));
  const node = build(of, [wide], (builder, from) => {
    const rank = all.length;
    const moved = builder.permute(from, [
      ...tokens.hidden.map((axis) => all.indexOf(axis)),
      ...others.map((axis) => all.indexOf(axis)),
      ...axes.map((_, i) => rank + i),
    ]);
    return builder.reshape(moved, [tokens.count, ...moved.shape.slice(tokens.hidden.length)]);
  });
  return { node, others };
}

/** Undoes `flatten`. */
export function unflatten(
  of: Elaboration,
  node: Node,
  tokens: Tokens,
  others: readonly Hidden[],
  axes: readonly VisibleAxis[],
): Tensor {
  const { builder } = of;
  if (builder === undefined) throw new Error("internal: no graph is being built");
  const split = builder.reshape(node, [...hiddenShape(tokens.hidden), ...node.shape.slice(1)]);
  const order = [...tokens.hidden, ...others];
  const all = unionHidden([{ hidden: order }]);
  const moved = builder.permute(split, [
    ...all.map((axis) => order.indexOf(axis)),
    ...axes.map((_, i) => all.length + i),
  ]);
  return tensor("number", all, axes, moved);
}

/** The picks of one range of experts, counted from its first; -1 elsewhere. */
export function localPicks(
  builder: GraphBuilder,
  picks: Node,
  first: number,
  count: number,
  whole: boolean,
): Node {
  if (whole || first === 0) return picks; // picks beyond the groups get no row
  const at = (value: number): Node => builder.constant(value, "i32");
  const inside = builder.map(
    "and",
    builder.map("le", at(first), picks),
    builder.map("lt", picks, at(first + count)),
  );
  return builder.select(inside, builder.sub(picks, at(first)), at(-1));
}

/** Sum of the weights of the picks in a range: [tokens]. */
export function weightIn(
  builder: GraphBuilder,
  picks: Node,
  weight: Node,
  first: number,
  count: number,
): Node {
  const at = (value: number): Node => builder.constant(value, "i32");
  const inside = builder.map(
    "and",
    builder.map("le", at(first), picks),
    builder.map("lt", picks, at(first + count)),
  );
  return builder.sum(builder.select(inside, weight, 0), [-1]);
}

export const zeros = (builder: GraphBuilder, count: Size): Node =>
  builder.broadcastTo(builder.constant(0), [count], []);

/** x times one number for each token. */
export function scaleTokens(of: Elaboration, x: Tensor, share: Node | undefined, tokens: Tokens): Tensor {
  const { node, others } = flatten(of, x, tokens, x.axes);
  if (node === undefined || share === undefined || of.builder === undefined)
    return tensor("number", unionHidden([x, { hidden: tokens.hidden }]), x.axes, undefined);
  return unflatten(
    of,
    of.builder.mul(node, of.builder.broadcastTo(share, node.shape, [0])),
    tokens,
    others,
    x.axes,
  );
}
