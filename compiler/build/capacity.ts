// Capacity: picks beyond c tokens per expert are dropped (become -1), so that no expert takes more.
// In: picks i32 [tokens.., K], and what queues: the experts themselves, or groups of neighbouring experts that share their places.
// Out: picks of the same shape. Drop last: earlier tokens first. Drop lowest: the picks with the highest score stay (ties:
// earlier tokens stay; -inf and NaN never stay). `inner` leading axes, from the inside, compete with each other: 1 = one
// sequence, all = the batch.

import { multiply, product, type Size } from "../../runtime/size.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";
import { isPicked } from "./gates.ts";

/** The queue that every pick stands in: i32 of the picks' shape, -1 where there is none. */
export interface Queues {
  readonly ids: Node;
  readonly count: number;
}

/** Experts of `groups` groups of neighbours share their places. */
export function queuesOfGroups(builder: GraphBuilder, picks: Node, experts: number, groups: number): Queues {
  const wide = builder.broadcastTo(builder.index(groups), [groups, experts / groups], [0]);
  const ids = builder.take(builder.reshape(wide, [experts]), picks);
  return { ids: builder.select(isPicked(builder, picks), ids, -1), count: groups };
}

/** `capacity` is a scalar i32 node. */
export function dropLast(
  builder: GraphBuilder,
  picks: Node,
  queues: Queues,
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
  const flat = builder.reshape(queues.ids, [outers, multiply(tokens, width)]);
  const hits = builder.cast(builder.oneHot(flat, queues.count), "f32"); // [outers, tokens * K, queues]
  const before = builder.scan(hits, 1, { exclusive: true });
  const rankOf = builder.take(before, builder.reshape(flat, [outers, multiply(tokens, width), 1]), 2);
  const place = builder.reshape(rankOf, picks.shape);
  const limit = builder.broadcastTo(builder.cast(capacity, "f32"), picks.shape, []);
  return builder.select(builder.map("lt", place, limit), picks, -1);
}

/** Keeps, for each expert, the `capacity` picks with the highest score [tokens.., N]. No token picks an expert twice. */
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

/** The same where a token may stand in one queue several times: every pick, [tokens.., K], has a score of its own. */
export function dropLowestOfPicks(
  builder: GraphBuilder,
  picks: Node,
  queues: Queues,
  score: Node,
  capacity: Size,
  inner: number,
): Node {
  const rank = picks.shape.length;
  const outers = picks.shape.slice(0, rank - 1 - inner);
  const line = [...outers, product(picks.shape.slice(outers.length).map((axis) => axis.size))];
  const ids = builder.reshape(queues.ids, line);
  const stands = builder.oneHot(ids, queues.count); // [outers.., tokens * K, queues]
  const scores = builder.broadcastTo(
    builder.reshape(builder.stop(score), line),
    stands.shape,
    line.map((_, axis) => axis),
  );
  const standing = builder.transpose(builder.select(stands, scores, -Infinity));
  const kept = builder.cast(builder.choose(standing, capacity, "mask"), "f32");
  const keep = builder.reshape(builder.sum(kept, [-2]), picks.shape);
  return builder.select(builder.map("lt", 0, keep), picks, -1);
}
