// Routing: a stable counting sort of picks by group, without atomics.
// In: a route node. Out: one kernel of one workgroup that writes the parts somebody reads: where each group starts, the pick
// of each row, the group of each row, the row of each pick. Rows are ordered by group, then token, then pick.
// Deliberately absent: routing by many workgroups (route-together.ts).

import type { RouteNode } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import type { Cluster } from "../fuse.ts";
import type { Affine } from "./affine.ts";
import { add, fixed, number, scale, variable } from "./affine.ts";
import type { LowerContext } from "./context.ts";
import { ClusterKernel } from "./context.ts";
import { binary, integer, sizeExpr } from "./expr.ts";
import { partOf, picksPerToken } from "./parts.ts";
import { routeTogether } from "./route-together.ts";

export function lowerRoute(context: LowerContext, cluster: Cluster): void {
  const node = cluster.members[0]!;
  if (node.op !== "route") throw new Error(`internal: a route cluster of ${node.op}`);
  const { parallel } = context.target;
  if (parallel !== undefined) return routeTogether(context, cluster, node, parallel);
  const kernel = new ClusterKernel(context, cluster);
  const { emitter } = kernel;
  const cursor = emitter.scratch("i32", node.groups);
  const at = (index: Expr): Expr => ({ op: "load", type: "i32", buffer: cursor, index });
  const put = (index: Expr, value: Expr): void => emitter.push({ op: "store", buffer: cursor, index, value });
  emitter.for({ to: integer(node.groups), hint: "g" }, (group) =>
    put(kernel.values.index(group), integer(0)),
  );
  overPicks(kernel, node, ({ group, valid }) =>
    emitter.if(valid, () => put(group, binary("add", at(group), integer(1)))),
  );
  const rows = emitter.var(integer(0));
  const offsets = context.memories.get(partOf(node, "offsets"))!;
  emitter.for({ to: integer(node.groups), hint: "g" }, (group) => {
    const index = kernel.values.index(group);
    const count = emitter.let(at(index));
    put(index, rows.get);
    kernel.values.store(offsets, group, rows.get);
    rows.set(binary("add", rows.get, count));
  });
  kernel.values.store(offsets, fixed(number(node.groups)), rows.get);
  const fill = (part: "source" | "group" | "slot", index: Affine, value: Expr): void => {
    const memory = context.memories.get(partOf(node, part));
    if (memory !== undefined) kernel.values.store(memory, index, value);
  };
  overPicks(kernel, node, ({ group, valid, position }) => {
    emitter.if(
      valid,
      () => {
        const row = emitter.let(at(group), "r");
        put(group, binary("add", row, integer(1)));
        const index = row.op === "local" ? variable(row.name, emitter.depth) : fixed(number(0));
        fill("source", index, kernel.values.index(position));
        fill("group", index, group);
        fill("slot", position, row);
      },
      () => fill("slot", position, integer(-1)),
    );
  });
  kernel.finish("route", number(1));
}

function overPicks(
  kernel: ClusterKernel,
  node: RouteNode,
  body: (pick: { readonly group: Expr; readonly valid: Expr; readonly position: Affine }) => void,
): void {
  const { emitter, values } = kernel;
  const [tokens] = node.picks.shape;
  const picks = picksPerToken(node);
  emitter.for({ to: sizeExpr(tokens!.size), bound: tokens!.size, hint: "t" }, (token) =>
    emitter.for({ to: sizeExpr(picks), bound: picks, hint: "k" }, (pick) => {
      const group = emitter.let(values.value(node.picks, [token, pick], 1), "g");
      const valid = emitter.let(
        binary("and", binary("le", integer(0), group), binary("lt", group, integer(node.groups))),
      );
      body({ group, valid, position: add(scale(token, picks), pick) });
    }),
  );
}
