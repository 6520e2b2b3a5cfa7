// Scans: running sums along an axis.
// In: a scan node, alone (any axis but the last: four neighbours of the last axis run together) or as a stage of a row
// kernel (the last axis). Out: a kernel, or statements. One invocation walks an axis in order; how many share one is in
// scan-together.ts.

import type { Axis, ScanNode } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import type { Cluster } from "../fuse.ts";
import type { Affine } from "./affine.ts";
import { fixed, number, shift, subtract } from "./affine.ts";
import type { LowerContext } from "./context.ts";
import { ClusterKernel, elementOf, titleOf } from "./context.ts";
import type { Lanes } from "./expr.ts";
import { binary, integer, literal } from "./expr.ts";
import { bindKept, keepValue } from "./keep.ts";
import type { Keep } from "./keep.ts";
import { elementsOf, extentOf, overInner, overRows, rowsForTask } from "./space.ts";
import type { At } from "./layout.ts";
import { flatIndex } from "./layout.ts";
import { scanLines, scanTogether } from "./scan-together.ts";

export function lowerScan(context: LowerContext, cluster: Cluster): void {
  const node = cluster.members[0]!;
  if (node.op !== "scan") throw new Error(`internal: a scan cluster of ${node.op}`);
  const kernel = new ClusterKernel(context, cluster);
  const { shape, axis } = node;
  const outer = shape.filter((_, i) => i !== axis && i < shape.length - 1);
  const inner = shape.slice(-1);
  if (kernel.parallel !== undefined) {
    kernel.finish(titleOf(cluster), scanLines(kernel, node, kernel.parallel));
    return;
  }
  const grid = overRows(kernel, outer, rowsForTask(elementsOf(shape.slice(axis))), (rows) =>
    overInner(kernel, inner, 1, (last, lanes) => {
      const rest = [...rows, ...last];
      walk(
        kernel,
        node,
        shape[axis]!,
        lanes,
        (at) => [...rest.slice(0, axis), at, ...rest.slice(axis)],
        (at, value) => kernel.values.store(kernel.memoryOf(node), flatIndex(shape, at), value),
      );
    }),
  );
  kernel.finish(titleOf(cluster), grid);
}

export function scanRow(
  kernel: ClusterKernel,
  node: ScanNode,
  row: At,
  to: { readonly isOutput: boolean; readonly keep: Keep },
): void {
  const store = (at: At, value: Expr): void => {
    if (to.isOutput) kernel.values.store(kernel.memoryOf(node), flatIndex(node.shape, at), value);
    keepValue(kernel, node, to.keep, row, at.slice(row.length), value);
  };
  if (kernel.team === "workgroup") scanTogether(kernel, node, row, store);
  else walk(kernel, node, node.shape.at(-1)!, 1, (at) => [...row, at], store);
  bindKept(kernel, node, to, row);
}

function walk(
  kernel: ClusterKernel,
  node: ScanNode,
  axis: Axis,
  lanes: Lanes,
  place: (along: Affine) => At,
  store: (at: At, value: Expr) => void,
): void {
  const { emitter, values } = kernel;
  const sum = emitter.var(literal(elementOf(node), 0, lanes));
  const extent = extentOf(kernel, axis);
  const top = !node.reverse
    ? undefined
    : axis.kind === "ragged"
      ? emitter.given(binary("sub", extent, integer(1)))
      : shift(fixed(axis.size), number(-1));
  emitter.for({ to: extent, bound: axis.size }, (index) => {
    const at = place(top === undefined ? index : subtract(top, index));
    const value = emitter.let(values.value(node.input, at, lanes));
    const add = (): void => sum.set(binary("add", sum.get, value));
    if (!node.exclusive) add();
    store(at, sum.get);
    if (node.exclusive) add();
  });
}
