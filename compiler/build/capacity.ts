// Capacity: picks beyond c tokens per expert are dropped (become -1), so that no expert takes more.
// In: picks i32 [tokens.., K]. Out: picks of the same shape.
// Drop last: earlier tokens first. Drop lowest: the picks with the highest score stay (ties: earlier tokens stay).

import { multiply, product, type Size } from "../../runtime/size.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";

/** `capacity` is a scalar i32 node or a size. `inner` leading axes, from the inside, compete with each other: 1 = one sequence,
 * all = the batch. */
export function dropLast(
  builder: GraphBuilder,
  picks: Node,
  experts: number,
  capacity: Node,
  inner: number,
): Node {
  const rank = picks.shape.length;
  const outer = rank - 1 - inner;
  const width = picks.shape[rank - 1]!.size;
  const tokens = product(picks.shape.slice(outer, rank - 1).map((axis) => axis.size));
  const outers = product(picks.shape.slice(0, outer).map((axis) => axis.size));
  // One group for each expert of each outer index: with a static number of outers that would be one routing. It is not
  // static, so ranks are counted along the tokens: a running sum of who picked whom.
  const flat = builder.reshape(picks, [outers, multiply(tokens, width)]);
  const hits = builder.cast(builder.oneHot(flat, experts), "f32"); // [outers, tokens * K, N]
  const before = builder.scan(hits, 1, { exclusive: true });
  const rankOf = builder.take(before, builder.reshape(flat, [outers, multiply(tokens, width), 1]), 2);
  const place = builder.reshape(rankOf, picks.shape);
  const limit = builder.broadcastTo(builder.cast(capacity, "f32"), picks.shape, []);
  return builder.select(builder.map("lt", place, limit), picks, -1);
}

/** Keeps, for each expert, the `capacity` picks with the highest score [tokens.., N]. */
export function dropLowest(
  builder: GraphBuilder,
  picks: Node,
  chosen: Node,
  score: Node,
  capacity: Size,
  inner: number,
): Node {
  const rank = score.shape.length;
  const outer = rank - 1 - inner;
  const experts = score.shape[rank - 1]!;
  const tokens = product(score.shape.slice(outer, rank - 1).map((axis) => axis.size));
  const standing = builder.select(builder.map("lt", 0, chosen), builder.stop(score), -Infinity);
  const flat = builder.reshape(standing, [...score.shape.slice(0, outer), tokens, experts]);
  const kept = builder.transpose(builder.choose(builder.transpose(flat), capacity, "mask"));
  const keep = builder.cast(builder.reshape(kept, score.shape), "f32");
  const atPick = builder.take(keep, picks, rank - 1);
  return builder.select(builder.map("lt", 0, atPick), picks, -1);
}
