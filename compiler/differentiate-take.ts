// The gradient of `take`: every row of the table sums the gradients of the places that took it. No scatter:
// - rows taken by the group of a routing: that routing's groups are summed;
// - one table, known length: the places are routed to the rows they took, rows grouped, groups summed;
// - a table per shared index, or of symbolic length: compare ids with the index and reduce.
// In: the node, the gradient of its result. Out: the gradient of the table. Ids outside the table contribute nothing.

import type { Axis, Node, TakeNode } from "./graph.ts";
import { constant, known, product } from "../runtime/size.ts";
import { isDense, sameSize } from "./graph-axis.ts";
import type { GraphBuilder } from "./graph-builder.ts";

/** `count` distinct labels from the `from`-th letter on. */
const labels = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) => String.fromCharCode(97 + from + i)).join("");

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const sizesOf = (axes: readonly Axis[]) => product(axes.map((axis) => axis.size));

/** ids [more..], gradient [more.., rest..] with at most one ragged axis among `more`. */
function byRouting(builder: GraphBuilder, ids: Node, gradient: Node, groups: number): Node {
  const rank = ids.shape.length;
  const rest = gradient.shape.slice(rank);
  const ragged = ids.shape.findIndex((axis) => !isDense(axis));
  if (ragged < 0) {
    const places = sizesOf(ids.shape);
    const route = builder.route(builder.reshape(ids, [places, 1]), groups, places);
    return builder.reduceGroups("sum", builder.dispatch(builder.reshape(gradient, [places, ...rest]), route));
  }
  const front = [ragged, ...range(0, rank).filter((axis) => axis !== ragged)];
  const rows = ids.shape[ragged]!;
  const perRow = sizesOf(ids.shape.filter(isDense));
  const picks = builder.reshape(builder.permute(ids, front), [rows, perRow]);
  const moved = builder.permute(gradient, [...front, ...range(rank, gradient.shape.length)]);
  const route = builder.route(picks, groups);
  return builder.reduceGroups(
    "sum",
    builder.dispatch(builder.reshape(moved, [rows, perRow, ...rest]), route, "pick"),
  );
}

function byComparison(builder: GraphBuilder, node: TakeNode, gradient: Node): Node {
  const { table, ids, batch } = node;
  const rank = ids.shape.length;
  const length = table.shape[batch]!;
  const hit = builder.oneHot(ids, length);
  const more = range(batch, rank);
  if (gradient.shape.length === rank) {
    const wide = builder.broadcastTo(gradient, hit.shape, range(0, rank));
    return builder.reduce("sum", builder.select(hit, wide, 0), more);
  }
  // A product is cheaper than a sum over selections here. What an id outside received must not reach it: 0 * inf.
  const valid = builder.map(
    "and",
    builder.map("le", 0, ids),
    builder.map("lt", ids, builder.broadcastTo(builder.size(length.size), ids.shape)),
  );
  const masked = builder.select(builder.broadcastTo(valid, gradient.shape, range(0, rank)), gradient, 0);
  const [shared, taken] = [labels(0, batch), labels(batch, more.length)];
  const row = labels(rank, 1);
  const rest = labels(rank + 1, gradient.shape.length - rank);
  return builder.contract(
    builder.cast(hit, "f32"),
    masked,
    `${shared}${taken}${row},${shared}${taken}${rest}->${shared}${row}${rest}`,
  );
}

export function gradientOfTable(builder: GraphBuilder, node: TakeNode, gradient: Node): Node {
  const { table, ids, batch } = node;
  const length = table.shape[batch]!.size;
  if (batch > 0) return byComparison(builder, node, gradient);
  if (ids.op === "part" && ids.part === "group" && sameSize(length, constant(ids.route.groups)))
    return builder.reduceGroups("sum", gradient);
  const groups = known(length);
  const ragged = ids.shape.filter((axis) => !isDense(axis)).length;
  if (groups === undefined || groups < 1 || ragged > 1) return byComparison(builder, node, gradient);
  return byRouting(builder, ids, gradient, groups);
}
