// Every way to choose experts, composed from the one primitive `choose` (the largest along an axis) and maps.
// In: scores f32 [tokens.., N]. Out: picks i32 [tokens.., K]: the expert of each pick, -1 where there is none.
// No gradient flows through a choice; it flows through the scores that the weights read at the picks (gates.ts).
// Ties go to the lower index; -inf and NaN are never chosen: `only` masks by writing -inf.

import { constant, divideExactly, known, product, type Size } from "../../runtime/size.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";

const lastSize = (node: Node): Size => node.shape[node.shape.length - 1]!.size;

/** The score where `only` (bool, same shape) holds, -inf elsewhere. */
export const masked = (builder: GraphBuilder, score: Node, only: Node | undefined): Node =>
  only === undefined ? score : builder.select(only, score, -Infinity);

/** `choose top k of score`: Switch, GShard, Mixtral. */
export const chooseTop = (builder: GraphBuilder, score: Node, k: number): Node =>
  builder.choose(builder.stop(score), k);

/** [tokens.., N] -> [tokens.., groups, N / groups]. */
function grouped(builder: GraphBuilder, score: Node, groups: number): Node {
  const width = divideExactly(lastSize(score), constant(groups));
  if (width === undefined) throw new Error("internal: groups do not divide the experts");
  return builder.reshape(score, [...score.shape.slice(0, -1), groups, width]);
}

/** `choose top k of score in each of g groups`: K = g * k picks, group by group (Pangu's grouped experts). */
export function chooseEach(builder: GraphBuilder, score: Node, k: number, groups: number): Node {
  const parts = grouped(builder, builder.stop(score), groups);
  const width = known(lastSize(parts))!;
  const local = builder.choose(parts, k);
  const first = builder.map("mul", builder.index(groups), builder.constant(width, "i32"));
  const rank = local.shape.length;
  const start = builder.broadcastTo(first, local.shape, [rank - 2]);
  const empty = builder.map("lt", local, builder.constant(0, "i32"));
  const ids = builder.select(empty, local, builder.add(local, start));
  return builder.reshape(ids, [...score.shape.slice(0, -1), groups * k]);
}

/** How a group is scored: the sum of its `top` best, or (top = 1) its maximum. */
export interface GroupScore {
  readonly score: Node;
  readonly top: number;
}

/** `choose top k of q in the best m of g groups by sum(top r of q)`: only experts of the m best groups stand for choice. */
export function chooseBest(
  builder: GraphBuilder,
  score: Node,
  k: number,
  best: number,
  groups: number,
  by: GroupScore,
): Node {
  const parts = grouped(builder, builder.stop(by.score), groups);
  const rank = parts.shape.length;
  const of = by.top === 1 ? builder.reduce("max", parts, [-1]) : sumOfBest(builder, parts, by.top);
  const kept = builder.choose(of, best, "mask");
  const open = builder.broadcastTo(
    kept,
    parts.shape,
    kept.shape.map((_, axis) => axis),
  );
  if (rank !== score.shape.length + 1) throw new Error("internal: group scores of another rank");
  const mask = builder.reshape(open, score.shape);
  return builder.choose(masked(builder, builder.stop(score), mask), k);
}

/** The sum of the `count` largest along the last axis; entries of -inf do not count unless nothing else is there. */
function sumOfBest(builder: GraphBuilder, parts: Node, count: number): Node {
  const ids = builder.choose(parts, count);
  const values = builder.take(parts, ids, parts.shape.length - 1);
  const sum = builder.sum(values, [-1]);
  // A group whose every entry is -inf is no group to choose from.
  const any = builder.map("lt", -Infinity, builder.reduce("max", parts, [-1]));
  return builder.select(any, sum, -Infinity);
}

/** `choose until sum(summed) > threshold by score [at most m]`: in falling order of `by`, the expert that crosses is in.
 * Strict: goes on while the sum is <= threshold; weak (`>=`): while it is < threshold. At least one expert. */
export function chooseUntil(
  builder: GraphBuilder,
  summed: Node,
  threshold: Node,
  strict: boolean,
  by: Node,
  most?: number,
): Node {
  const order = builder.choose(builder.stop(by), most ?? lastSize(by));
  const rank = by.shape.length;
  const values = builder.take(builder.stop(summed), order, rank - 1);
  const before = builder.scan(values, rank - 1, { exclusive: true });
  const wide =
    threshold.shape.length === 0
      ? builder.broadcastTo(threshold, before.shape, [])
      : builder.broadcastTo(
          threshold,
          before.shape,
          threshold.shape.map((_, axis) => axis),
        );
  const going = builder.map(strict ? "le" : "lt", before, builder.stop(wide));
  const place = builder.broadcastTo(builder.index(before.shape[rank - 1]!), before.shape, [rank - 1]);
  const first = builder.map("eq", place, builder.constant(0, "i32"));
  return builder.select(builder.map("or", first, going), order, -1);
}

/** `choose where condition [at most m by score]`. Without a bound K = N and pick i is expert i. */
export function chooseWhere(builder: GraphBuilder, condition: Node, most?: number, by?: Node): Node {
  if (most !== undefined && by !== undefined)
    return builder.choose(masked(builder, builder.stop(by), condition), most);
  return builder.select(condition, everyExpert(builder, condition), -1);
}

/** `choose all`: pick i is expert i. `like` has the shape [tokens.., N]. */
export const chooseAll = (builder: GraphBuilder, like: Node, only?: Node): Node =>
  only === undefined ? everyExpert(builder, like) : chooseWhere(builder, only);

function everyExpert(builder: GraphBuilder, like: Node): Node {
  const rank = like.shape.length;
  return builder.broadcastTo(builder.index(like.shape[rank - 1]!), like.shape, [rank - 1]);
}

/** `choose top C tokens of score for each expert`: expert choice. The tokens compete along `axes` leading axes from the inside:
 * 1 = inside a sequence, all leading axes = in the batch. K = N, pick i is expert i or -1. `count` may depend on sizes. */
export function chooseTokens(builder: GraphBuilder, score: Node, count: Size, axes: number): Node {
  const rank = score.shape.length;
  const outer = rank - 1 - axes;
  const tokens = score.shape.slice(outer, rank - 1).map((axis) => axis.size);
  const outerShape = score.shape.slice(0, outer);
  const experts = score.shape[rank - 1]!;
  const flat = axes === 1 ? score : builder.reshape(score, [...outerShape, product(tokens), experts]);
  const byExpert = builder.transpose(builder.stop(flat));
  const taken = builder.transpose(builder.choose(byExpert, count, "mask"));
  return chooseWhere(builder, axes === 1 ? taken : builder.reshape(taken, score.shape));
}
