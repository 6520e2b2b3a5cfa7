// Map clusters: element-wise values and gather-sums of one shape, several results at once.
// In: a cluster of maps (and `combine`s). Out: one kernel. Every workgroup owns a run of elements, or some rows; where
// neighbours are neighbouring invocations, every invocation owns one element, or a few.
// All results of an element are computed before any is stored, so that a result may overwrite what it is computed from.
// Deliberately absent: reductions.

import type { CombineNode, Node } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import { ceilDivide, known } from "../../runtime/size.ts";
import type { Cluster } from "../fuse.ts";
import { axisName, identity } from "../fuse-trace.ts";
import type { Affine } from "./affine.ts";
import { fixed, levelOfAll, number, read } from "./affine.ts";
import type { LowerContext } from "./context.ts";
import { ClusterKernel, titleOf } from "./context.ts";
import type { Lanes } from "./expr.ts";
import { isVector } from "../kernel-type.ts";
import { binary, integer, literal, lowerOf, select, sizeExpr, splat } from "./expr.ts";
import {
  elementsOf,
  extentOf,
  joinable,
  overElements,
  overInner,
  overRows,
  rowsForTask,
  sizeOf,
  split,
  taskElements,
} from "./space.ts";
import type { At } from "./layout.ts";
import { flatIndex } from "./layout.ts";
import { partOf, picksPerToken } from "./parts.ts";
import { unwindowed, windowed } from "./stacks.ts";

/** Picks per token up to which a gather-sum is written out. */
const unrolledPicks = 8;
/** Elements from which on an invocation has several: there are enough to keep every processor busy. */
const manyElements = 1 << 20;
const eachOfMany = 4;

export function lowerMap(context: LowerContext, cluster: Cluster): void {
  const { shape } = cluster.members[0]!;
  const kernel = new ClusterKernel(context, cluster);
  bindCombines(kernel, cluster);
  const write = (at: At, lanes: Lanes): void => storeAll(kernel, cluster.outputs, at, lanes);
  const title = titleOf(cluster);
  if (kernel.parallel !== undefined) {
    const { workgroup } = kernel.parallel;
    const each = elementsOf(shape) >= manyElements ? eachOfMany : 1;
    const { window } = context;
    const grid = overElements(kernel, windowed(shape, window), { workgroup, each }, (at) =>
      write(unwindowed(at, window), 1),
    );
    kernel.finish(title, grid);
    return;
  }
  const joined = joinedAxes(context, cluster);
  const outer = shape.slice(0, shape.length - joined);
  const inner = shape.slice(shape.length - joined);
  const whole = sizeOf(inner);
  if (outer.length > 0) {
    const work = cluster.members.length * picksOf(cluster);
    const grid = overRows(kernel, outer, rowsForTask(elementsOf(inner), work), (rows) =>
      overInner(kernel, inner, joined, (at, lanes) => write([...rows, ...at], lanes)),
    );
    kernel.finish(title, grid);
    return;
  }
  const count = known(whole);
  if (count !== undefined && count <= taskElements && inner[0]?.kind !== "ragged") {
    overInner(kernel, inner, joined, write);
    kernel.finish(title, number(1));
    return;
  }
  const { emitter } = kernel;
  const end = inner[0]!.kind === "ragged" ? extentOf(kernel, inner[0]!) : sizeExpr(whole);
  const from = emitter.let(binary("mul", { op: "workgroup", type: "i32" }, integer(taskElements)), "f");
  const to = emitter.let(lowerOf(binary("add", from, integer(taskElements)), end), "e");
  const each = (flat: Affine, lanes: Lanes): void => write(split(inner, flat), lanes);
  emitter.lanesFrom(from, to, whole, each, inner[0]!.kind === "ragged");
  kernel.finish(title, ceilDivide(whole, number(taskElements)));
}

const picksOf = (cluster: Cluster): number =>
  cluster.members.reduce(
    (most, node) => (node.op === "combine" ? Math.max(most, known(picksPerToken(node.route)) ?? 4) : most),
    1,
  );

/** The trailing axes that all reads and writes treat as one: found by a trial run that is thrown away. */
function joinedAxes(context: LowerContext, cluster: Cluster): number {
  const { shape } = cluster.members[0]!;
  const indices: Affine[] = [];
  const trial = new ClusterKernel(context, cluster, {
    load: (_, __, flat) => indices.push(flat),
    index: (index) => indices.push(index),
  });
  bindCombines(trial, cluster);
  for (const node of cluster.outputs) trial.values.value(node, identity(shape), 1);
  return joinable(
    shape,
    shape.map((_, axis) => axisName(axis)),
    indices,
  );
}

export function storeAll(kernel: ClusterKernel, outputs: readonly Node[], at: At, lanes: Lanes): void {
  const several = outputs.length > 1;
  const values = outputs.map((node) => {
    const value = kernel.values.value(node, at, lanes);
    return several ? kernel.emitter.let(value) : value;
  });
  for (const [i, node] of outputs.entries())
    kernel.values.store(kernel.memoryOf(node), flatIndex(node.shape, at), values[i]!);
}

/** Gather-sums have no memory inside their cluster: they are computed where they are read. */
export function bindCombines(kernel: ClusterKernel, cluster: Cluster): void {
  const { emitter, values } = kernel;
  for (const node of cluster.members) {
    if (node.op !== "combine" || node.per !== "token") continue;
    values.bind(node, (at, lanes) => {
      const key = `sum%${node.id}|${lanes}|${at.map((a) => a.key).join(",")}`;
      const before = emitter.recall(key);
      if (before !== undefined) return before;
      const level = levelOfAll(at);
      const sum = gatherSum(kernel, node, at, lanes);
      emitter.remember(key, Math.max(level, emitter.depth), sum);
      return sum;
    });
  }
}

function gatherSum(kernel: ClusterKernel, node: CombineNode, at: At, lanes: Lanes): Expr {
  const { emitter, values } = kernel;
  const picks = picksPerToken(node.route);
  const slot = partOf(node.route, "slot");
  const [token, ...rest] = at;
  const one = (pick: Affine): Expr => {
    const slotAt = [token!, pick];
    const row = read(slot, slotAt, node.route.bound);
    const there = binary("le", integer(0), values.value(slot, slotAt, 1));
    const value = values.value(node.input, [row, ...rest], lanes);
    const vector = isVector(value.type);
    return select(vector ? splat(there) : there, value, literal("f32", 0, vector ? 4 : 1));
  };
  const count = known(picks);
  if (count !== undefined && count <= unrolledPicks) {
    let sum: Expr = literal("f32", 0, lanes);
    for (let pick = 0; pick < count; pick++) {
      const value = one(fixed(number(pick)));
      sum = pick === 0 ? value : binary("add", sum, value);
    }
    return emitter.let(sum);
  }
  const sum = emitter.var(literal("f32", 0, lanes));
  emitter.for({ to: sizeExpr(picks), bound: picks, hint: "k" }, (pick) =>
    sum.set(binary("add", sum.get, one(pick))),
  );
  return sum.get;
}
