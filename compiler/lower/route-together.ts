// Routing by many workgroups: a stable counting sort of picks by group, without atomics.
// In: a route node. Out: the parts that somebody reads.
//   1. every block of picks counts its own: [blocks, groups]; not needed when there is but one block
//   2. every block finds where its rows of each group start, from the counts of all, and ranks its picks
// Groups that are too many for that are ranked pick by pick (route-by-rank.ts). Deliberately absent: a CPU's routing (route.ts).

import type { RouteNode } from "../graph.ts";
import { scratchOf } from "../fuse-kinds.ts";
import type { Cluster } from "../fuse.ts";
import type { Expr } from "../kernel.ts";
import type { Parallel } from "../target.ts";
import { ceilDivide, known, multiply } from "../../runtime/size.ts";
import { fixed, number } from "./affine.ts";
import type { Affine } from "./affine.ts";
import type { LowerContext } from "./context.ts";
import { ClusterKernel, temporary } from "./context.ts";
import type { Memory } from "./emitter.ts";
import { binary, integer, invocation, lowerOf, select, sizeExpr, workgroup } from "./expr.ts";
import { partOf } from "./parts.ts";
import { routeByRank } from "./route-by-rank.ts";
import { fill, groupAt, loadInteger, put, type Routing } from "./route-picks.ts";
import { sumsOfWorkgroup } from "./scan-together.ts";
import { sizeOf } from "./space.ts";
import { dealt, formWorkgroup, leastWorkgroup, meet, powerAbove } from "./team.ts";

/** Picks of a block for each invocation. */
const picksEach = 2;

export function routeTogether(
  context: LowerContext,
  cluster: Cluster,
  node: RouteNode,
  parallel: Parallel,
): void {
  const picks = sizeOf(node.picks.shape);
  // a token or two have few picks: one workgroup, no larger than it has work for
  const wanted = Math.max(leastWorkgroup, node.groups, (known(picks) ?? Infinity) / picksEach);
  const size = Math.min(parallel.workgroup, powerAbove(wanted));
  const block = picksEach * size;
  const blocks = ceilDivide(picks, number(block));
  const routing: Routing = { context, cluster, node, size, picks, block, blocks };
  if (block + 2 * node.groups + 2 * parallel.workgroup > scratchOf(parallel)) return routeByRank(routing);
  if (known(blocks) === 1) return placePicks(routing, undefined);
  const counts = temporary(`${node.origin.path} counts`, "i32", multiply(blocks, number(node.groups)));
  countPicks(routing, counts);
  placePicks(routing, counts);
}

interface Staged {
  readonly staged: string;
  /** The first pick of the block; how many there are. */
  readonly first: Expr;
  readonly there: Expr;
}

/** The block's picks in scratch, -1 for those without a group. */
function stagePicks(kernel: ClusterKernel, routing: Routing): Staged {
  const { emitter, values } = kernel;
  const staged = emitter.scratch("i32", routing.block);
  const first = emitter.let(binary("mul", workgroup, integer(routing.block)), "f");
  dealt(kernel, { to: integer(routing.block), hint: "p" }, (index) => {
    const place = values.index(index);
    put(kernel, staged, place, groupAt(kernel, routing, emitter.let(binary("add", first, place)), -1));
  });
  meet(kernel);
  const there = lowerOf(integer(routing.block), binary("sub", sizeExpr(routing.picks), first));
  return { staged, first, there: emitter.let(there, "n") };
}

/** How many of the first `count` staged picks are of a group. */
function countStaged(kernel: ClusterKernel, staged: string, group: Expr, count: Expr): Expr {
  const { emitter, values } = kernel;
  const sum = emitter.var(integer(0));
  emitter.for({ to: count, hint: "q" }, (index) => {
    const same = binary("eq", loadInteger(staged, values.index(index)), group);
    sum.set(binary("add", sum.get, select(same, integer(1), integer(0))));
  });
  return sum.get;
}

function countPicks(routing: Routing, counts: Memory): void {
  const { context, cluster, node, size, blocks } = routing;
  const kernel = new ClusterKernel(context, cluster);
  const { emitter, values } = kernel;
  formWorkgroup(kernel, size);
  const { staged, there } = stagePicks(kernel, routing);
  const first = emitter.let(binary("mul", workgroup, integer(node.groups)), "f");
  dealt(kernel, { to: integer(node.groups), hint: "g" }, (index) => {
    const group = values.index(index);
    const count = countStaged(kernel, staged, group, there);
    emitter.store(counts, binary("add", first, group), count);
  });
  kernel.finish("route counts", blocks);
}

/** Rows of each group start where those of smaller groups, and those of it in earlier blocks, end. */
function placePicks(routing: Routing, counts: Memory | undefined): void {
  const { context, cluster, node, size, blocks } = routing;
  const kernel = new ClusterKernel(context, cluster);
  const { emitter, values } = kernel;
  formWorkgroup(kernel, size);
  const { staged, first, there } = stagePicks(kernel, routing);
  const starts = emitter.scratch("i32", node.groups);
  const earlier = counts === undefined ? undefined : emitter.scratch("i32", node.groups);
  dealt(kernel, { to: integer(node.groups), hint: "g" }, (index) => {
    const group = values.index(index);
    if (counts === undefined || earlier === undefined) {
      put(kernel, starts, group, countStaged(kernel, staged, group, there));
      return;
    }
    const [before, all] = [emitter.var(integer(0)), emitter.var(integer(0))];
    emitter.for({ to: sizeExpr(blocks), bound: blocks, hint: "b" }, (other) => {
      const number_ = values.index(other);
      const at = binary("add", binary("mul", number_, integer(node.groups)), group);
      const count = emitter.let(emitter.load(counts, at));
      before.set(binary("add", before.get, select(binary("lt", number_, workgroup), count, integer(0))));
      all.set(binary("add", all.get, count));
    });
    put(kernel, starts, group, all.get);
    put(kernel, earlier, group, before.get);
  });
  meet(kernel);
  startsOfCounts(kernel, routing, starts);
  dealt(kernel, { to: there, hint: "p" }, (index) => {
    const place = values.index(index);
    const group = emitter.let(loadInteger(staged, place), "g");
    const at = emitter.renamed(binary("add", first, place), { bound: routing.picks });
    emitter.if(
      binary("le", integer(0), group),
      () => {
        const rank = countStaged(kernel, staged, group, place);
        let row = binary("add", loadInteger(starts, group), rank);
        if (earlier !== undefined) row = binary("add", row, loadInteger(earlier, group));
        fillRow(kernel, routing, emitter.renamed(row, { bound: node.bound }), at, group);
      },
      () => fill(kernel, routing, "slot", at, integer(-1)),
    );
  });
  kernel.finish("route", blocks);
}

/** Counts in scratch become where each group starts; one workgroup writes that down. */
function startsOfCounts(kernel: ClusterKernel, { context, node }: Routing, starts: string): void {
  const { emitter, values } = kernel;
  const size = emitter.workgroup;
  const each = Math.ceil(node.groups / size);
  const offsets = context.memories.get(partOf(node, "offsets"))!;
  const from = emitter.let(lowerOf(binary("mul", invocation, integer(each)), integer(node.groups)), "f");
  const to = emitter.let(lowerOf(binary("add", from, integer(each)), integer(node.groups)), "e");
  const own = emitter.var(integer(0));
  emitter.for({ from, to, hint: "g" }, (index) =>
    own.set(binary("add", own.get, loadInteger(starts, values.index(index)))),
  );
  const scratch = emitter.scratch("i32", 2 * size);
  const { before, all } = sumsOfWorkgroup(kernel, { scratch, place: invocation, own: own.get });
  const start = emitter.var(before);
  emitter.for({ from, to, hint: "g" }, (index) => {
    const count = emitter.let(loadInteger(starts, values.index(index)));
    put(kernel, starts, values.index(index), start.get);
    start.set(binary("add", start.get, count));
  });
  meet(kernel);
  emitter.if(binary("eq", workgroup, integer(0)), () => {
    dealt(kernel, { to: integer(node.groups), hint: "g" }, (index) =>
      values.store(offsets, index, loadInteger(starts, values.index(index))),
    );
    emitter.if(binary("eq", invocation, integer(0)), () =>
      values.store(offsets, fixed(number(node.groups)), all),
    );
  });
}

function fillRow(kernel: ClusterKernel, routing: Routing, row: Affine, pick: Affine, group: Expr): void {
  fill(kernel, routing, "source", row, kernel.values.index(pick));
  fill(kernel, routing, "group", row, group);
  fill(kernel, routing, "slot", pick, kernel.values.index(row));
}
