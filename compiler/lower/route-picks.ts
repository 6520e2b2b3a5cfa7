// What every way of routing by workgroups has in common: the picks, and the parts that somebody reads.
// In: a route node. Out: the group of a pick, the parts' memories filled where they have some.
// Deliberately absent: where a row goes (route-together.ts, route-by-rank.ts).

import type { RouteNode } from "../graph.ts";
import type { Cluster } from "../fuse.ts";
import type { Expr } from "../kernel.ts";
import type { Size } from "../../runtime/size.ts";
import type { Affine } from "./affine.ts";
import type { ClusterKernel, LowerContext } from "./context.ts";
import { binary, integer, select, sizeExpr } from "./expr.ts";
import { partOf } from "./parts.ts";
import { split } from "./space.ts";

export interface Routing {
  readonly context: LowerContext;
  readonly cluster: Cluster;
  readonly node: RouteNode;
  /** Invocations of a workgroup. */
  readonly size: number;
  /** How many picks. */
  readonly picks: Size;
  /** Picks of a block; how many blocks. */
  readonly block: number;
  readonly blocks: Size;
}

export const loadInteger = (buffer: string, index: Expr): Expr => ({
  op: "load",
  type: "i32",
  buffer,
  index,
});

export function put(kernel: ClusterKernel, buffer: string, index: Expr, value: Expr): void {
  kernel.emitter.push({ op: "store", buffer, index, value });
}

/** The group of a pick, or `none` beyond the last pick and where the pick is no group. */
export function groupAt(kernel: ClusterKernel, { node, picks }: Routing, position: Expr, none: number): Expr {
  const { emitter, values } = kernel;
  const group = emitter.var(integer(none), "g");
  emitter.if(binary("lt", position, sizeExpr(picks)), () => {
    const at = split(node.picks.shape, emitter.renamed(position, { bound: picks }));
    const pick = emitter.let(values.value(node.picks, at, 1), "g");
    const valid = binary("and", binary("le", integer(0), pick), binary("lt", pick, integer(node.groups)));
    group.set(select(valid, pick, integer(none)));
  });
  return group.get;
}

type Part = "source" | "group" | "slot";

export function fill(
  kernel: ClusterKernel,
  { context, node }: Routing,
  part: Part,
  index: Affine,
  value: Expr,
): void {
  const memory = context.memories.get(partOf(node, part));
  if (memory !== undefined) kernel.values.store(memory, index, value);
}
