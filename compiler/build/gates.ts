// What is read off picks: weights at the picks, who was chosen, how many tokens each expert got.
// In: picks i32 [tokens.., K] (-1 = none) and tensors [tokens.., N]. Out: tensors aligned with the picks, or with the experts.

import type { GraphBuilder } from "../graph-builder.ts";
import { multiply, type Size } from "../../runtime/size.ts";
import type { Node } from "../graph.ts";

/** bool, the shape of the picks: whether there is one. */
export const isPicked = (builder: GraphBuilder, picks: Node): Node =>
  builder.map("le", builder.constant(0, "i32"), picks);

/** A tensor over experts at the picks: [tokens.., N] (or [N]) -> [tokens.., K]; `fill` where there is no pick. Gradients flow. */
export function atPicks(builder: GraphBuilder, value: Node, picks: Node, fill = 0): Node {
  const batch = value.shape.length - 1;
  const taken = builder.take(value, picks, batch);
  if (fill === 0) return taken; // take gives zeros for ids outside
  return builder.select(isPicked(builder, picks), taken, fill);
}

/** f32 [tokens.., N]: 1 where the expert was chosen for the token. No gradient. */
export function chosenOf(builder: GraphBuilder, picks: Node, experts: Size): Node {
  const hits = builder.oneHot(picks, experts); // [tokens.., K, N]
  return builder.sum(builder.cast(hits, "f32"), [-2]);
}

/** f32 [N]: picks per expert over all tokens, from a counting sort of the picks: no pass over tokens * experts. */
export function loadOf(builder: GraphBuilder, picks: Node, experts: number): Node {
  const rank = picks.shape.length;
  const tokens = picks.shape.slice(0, -1);
  const flat =
    rank === 2
      ? picks
      : builder.reshape(picks, [
          tokens.map((axis) => axis.size).reduce((a, b) => multiply(a, b)),
          picks.shape[rank - 1]!,
        ]);
  const offsets = builder.part(builder.route(flat, experts), "offsets");
  const ends = builder.slice(offsets, 0, 1, experts);
  const starts = builder.slice(offsets, 0, 0, experts);
  return builder.cast(builder.sub(ends, starts), "f32");
}
