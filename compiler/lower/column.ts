// Column reductions: over leading or middle axes, over the rows of a routing, over the rows of each of its groups.
// In: a cluster of one reduction. Out: one kernel. Four neighbours of the result's last axis are reduced together, each by
// one running value, so the order of additions is that of the rows.
// Deliberately absent: reductions over trailing axes (row.ts), neighbouring invocations (column-together.ts).

import type { Shape } from "../graph.ts";
import { known, multiply } from "../../runtime/size.ts";
import type { Cluster } from "../fuse.ts";
import { number, shift } from "./affine.ts";
import type { LowerContext } from "./context.ts";
import { ClusterKernel, elementOf, titleOf } from "./context.ts";
import type { Lanes } from "./expr.ts";
import { binary, integer, lowerOf, sizeExpr } from "./expr.ts";
import type { Reduction } from "./reduction.ts";
import { isReduction, reductionOf } from "./reduction.ts";
import { combineOf, initialOf } from "./accumulate.ts";
import { groupRange, reduceColumns } from "./column-together.ts";
import { elementsOf, extentOf, guardRows, overRows, rowsForTask, sizeOf, taskElements } from "./space.ts";
import type { At } from "./layout.ts";
import { flatIndex } from "./layout.ts";

/** Vectors reduced together: one cache line. */
const wide = 4;

export function lowerColumn(context: LowerContext, cluster: Cluster): void {
  const node = cluster.members[0]!;
  if (!isReduction(node)) throw new Error(`internal: a column cluster of ${node.op}`);
  const reduction = reductionOf(node);
  const { parallel } = context.target;
  if (parallel !== undefined) return reduceColumns(context, cluster, reduction, parallel);
  const kernel = new ClusterKernel(context, cluster);
  const { shape } = node;
  const depth = elementsOf(reduction.inner) / Math.max(1, reduction.groups?.route.groups ?? 1);
  const last = shape.at(-1);
  const vector =
    last !== undefined &&
    last.kind === "dense" &&
    reduction.groups?.axis !== shape.length - 1 &&
    (known(last.size) ?? 4) >= 4;
  if (!vector) {
    const grid = overRows(kernel, shape, rowsForTask(depth), (at) => reduceAt(kernel, reduction, at, [0], 1));
    kernel.finish(titleOf(cluster), grid);
    return;
  }
  const outer = shape.slice(0, -1);
  const columns = known(last.size);
  const step = columns !== undefined && columns % (4 * wide) === 0 ? 4 * wide : 4;
  const offsets = Array.from({ length: step / 4 }, (_, i) => 4 * i);
  const perTask = Math.max(step, Math.ceil(taskElements / depth / step) * step);
  if (columns === undefined || columns <= perTask) {
    const grid = overRows(kernel, outer, rowsForTask(depth * (columns ?? 64)), (at) => {
      if (step > 4)
        kernel.emitter.for(
          { to: sizeExpr(last.size), step, multiple: step, bound: last.size, vector: true },
          (index) => reduceAt(kernel, reduction, [...at, index], offsets, 4),
        );
      else
        kernel.emitter.lanes(last.size, (index, lanes) =>
          reduceAt(kernel, reduction, [...at, index], [0], lanes),
        );
    });
    kernel.finish(titleOf(cluster), grid);
    return;
  }
  columnBlocks(kernel, cluster, reduction, { outer, columns, perTask, step, offsets });
}

/** Few rows with long columns: a workgroup for each block of columns of each row. */
function columnBlocks(
  kernel: ClusterKernel,
  cluster: Cluster,
  reduction: Reduction,
  about: {
    readonly outer: Shape;
    readonly columns: number;
    readonly perTask: number;
    readonly step: number;
    readonly offsets: readonly number[];
  },
): void {
  const { outer, columns, perTask, step, offsets } = about;
  const { emitter } = kernel;
  const blocks = Math.ceil(columns / perTask);
  const task = { op: "workgroup", type: "i32" } as const;
  const block = emitter.let(binary("mod", task, integer(blocks)), "f");
  const from = emitter.let(binary("mul", block, integer(perTask)), "f");
  const to = emitter.let(lowerOf(binary("add", from, integer(perTask)), integer(columns)), "e");
  const body = (at: At): void => {
    if (step > 4)
      emitter.for({ from, to, step, multiple: 4, bound: number(columns), vector: true }, (index) =>
        reduceAt(kernel, reduction, [...at, index], offsets, 4),
      );
    else
      emitter.lanesFrom(from, to, number(columns), (index, lanes) =>
        reduceAt(kernel, reduction, [...at, index], [0], lanes),
      );
  };
  const rows = sizeOf(outer);
  const row = emitter.let(binary("div", task, integer(blocks)), "i");
  guardRows(kernel, outer, emitter.given(row, { bound: rows }), 0, body);
  kernel.finish(titleOf(cluster), multiply(rows, number(blocks)));
}

/** Reduces at one place of the result, or at several vectors that are `offsets` apart. */
function reduceAt(
  kernel: ClusterKernel,
  reduction: Reduction,
  at: At,
  offsets: readonly number[],
  lanes: Lanes,
): void {
  const { node, fn, inner, groups } = reduction;
  const { emitter, values } = kernel;
  const type = elementOf(node);
  const sums = offsets.map(() => emitter.var(initialOf(fn, type, lanes)));
  const placeOf = (offset: number): At =>
    offset === 0 ? at : [...at.slice(0, -1), shift(at.at(-1)!, number(offset))];
  const nest = (axis: number, reduced: At): void => {
    const each = inner[axis];
    if (each === undefined) {
      for (const [i, offset] of offsets.entries()) {
        const value = reduction.value(values, placeOf(offset), reduced, lanes);
        sums[i]!.set(binary(combineOf(fn), sums[i]!.get, value));
      }
      return;
    }
    const range =
      axis === 0 && groups !== undefined
        ? groupRange(kernel, groups, at)
        : { from: integer(0), to: extentOf(kernel, each) };
    emitter.for({ ...range, bound: each.size, hint: "r" }, (index) => nest(axis + 1, [...reduced, index]));
  };
  nest(0, []);
  for (const [i, offset] of offsets.entries())
    values.store(kernel.memoryOf(node), flatIndex(node.shape, placeOf(offset)), sums[i]!.get);
}
