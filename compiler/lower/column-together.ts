// Column reductions where neighbours are neighbouring invocations.
// In: a column cluster. Out: one kernel, an invocation for each element of the result; or, where the result has few elements
// and each is a sum of many, several invocations for each, and a second kernel where one workgroup would still have too
// many. Their results are joined in a fixed order. Deliberately absent: a CPU's columns (column.ts).

import type { Cluster } from "../fuse.ts";
import type { Expr } from "../kernel.ts";
import type { Parallel } from "../target.ts";
import { multiply } from "../../runtime/size.ts";
import { combineOf, initialOf } from "./accumulate.ts";
import { add, number, scale, shift } from "./affine.ts";
import type { Affine } from "./affine.ts";
import type { LowerContext } from "./context.ts";
import { ClusterKernel, elementOf, temporary, titleOf } from "./context.ts";
import type { Memory } from "./emitter.ts";
import { binary, integer, invocation, sizeExpr } from "./expr.ts";
import type { At } from "./layout.ts";
import { flatIndex } from "./layout.ts";
import { dealLines, sharingOf } from "./lines.ts";
import { partOf } from "./parts.ts";
import type { Reduction } from "./reduction.ts";
import { elementsOf, extentOf, guardRows, overElements, sizeOf } from "./space.ts";

/** Columns are shared by workgroups up to this part of a workgroup: one invocation joins what they found. */
const partsShare = 4;

export function reduceColumns(
  context: LowerContext,
  cluster: Cluster,
  reduction: Reduction,
  parallel: Parallel,
): void {
  const { node, fn, inner, groups } = reduction;
  const { shape } = node;
  const depth = elementsOf(inner) / Math.max(1, groups?.route.groups ?? 1);
  const sharing = sharingOf(elementsOf(shape), depth, parallel, parallel.workgroup / partsShare);
  const { columns, shares, parts } = sharing;
  const type = elementOf(node);
  const join = combineOf(fn);
  const kernel = new ClusterKernel(context, cluster);
  const { emitter, values } = kernel;
  const total = sizeOf(shape);
  const partial: Memory | undefined =
    parts === 1 ? undefined : temporary(`${node.origin.path} parts`, type, multiply(total, number(parts)));
  const lines = dealLines(kernel, shape, sharing);
  const finish = (at: At, value: Expr): void => {
    const flat = flatIndex(shape, at);
    if (partial === undefined) return values.store(kernel.memoryOf(node), flat, value);
    values.store(partial, add(flat, scale(emitter.given(lines.part), total)), value);
  };
  const own = (at: At, into: { readonly get: Expr; readonly set: (value: Expr) => void }): void => {
    const first = binary("add", binary("mul", lines.part, integer(shares)), lines.share);
    along(kernel, reduction, at, first, shares * parts, (value) => into.set(binary(join, into.get, value)));
  };
  if (shares === 1)
    lines.where((at) => {
      const sum = emitter.var(initialOf(fn, type, 1));
      own(at, sum);
      finish(at, sum.get);
    });
  else {
    const scratch = emitter.scratch(type, columns * shares);
    const sum = emitter.var(initialOf(fn, type, 1));
    lines.where((at) => own(at, sum));
    emitter.push({ op: "store", buffer: scratch, index: invocation, value: sum.get });
    emitter.push({ op: "barrier" });
    emitter.if(binary("eq", lines.share, integer(0)), () =>
      lines.where((at) => {
        const whole = emitter.var(initialOf(fn, type, 1));
        emitter.for({ from: lines.column, to: integer(columns * shares), step: columns }, (index) => {
          const share: Expr = { op: "load", type, buffer: scratch, index: values.index(index) };
          whole.set(binary(join, whole.get, share));
        });
        finish(at, whole.get);
      }),
    );
  }
  kernel.finish(partial === undefined ? titleOf(cluster) : `${fn} parts`, lines.grid);
  if (partial !== undefined) joinParts(context, cluster, reduction, { partial, parts, parallel });
}

function joinParts(
  context: LowerContext,
  cluster: Cluster,
  { node, fn }: Reduction,
  about: { readonly partial: Memory; readonly parts: number; readonly parallel: Parallel },
): void {
  const kernel = new ClusterKernel(context, cluster);
  const { emitter, values } = kernel;
  const total = sizeOf(node.shape);
  const grid = overElements(kernel, node.shape, { workgroup: about.parallel.workgroup }, (at) => {
    const flat = flatIndex(node.shape, at);
    const sum = emitter.var(initialOf(fn, elementOf(node), 1));
    emitter.for({ to: integer(about.parts), bound: number(about.parts) }, (part) => {
      const value = emitter.load(about.partial, values.index(add(flat, scale(part, total))));
      sum.set(binary(combineOf(fn), sum.get, value));
    });
    values.store(kernel.memoryOf(node), flat, sum.get);
  });
  kernel.finish(titleOf(cluster), grid);
}

/** Every `step`-th value of a column, from `first` on. */
function along(
  kernel: ClusterKernel,
  reduction: Reduction,
  at: At,
  first: Expr,
  step: number,
  take: (value: Expr) => void,
): void {
  const { inner, groups } = reduction;
  const { emitter, values } = kernel;
  const outermost = inner[0];
  if (outermost === undefined) {
    const once = (): void => take(reduction.value(values, at, [], 1));
    if (step === 1) once();
    else emitter.if(binary("eq", first, integer(0)), once);
    return;
  }
  const others = sizeOf(inner.slice(1));
  const range = groups === undefined ? undefined : groupRange(kernel, groups, at);
  const from = range === undefined ? undefined : emitter.given(range.from);
  const count = range === undefined ? extentOf(kernel, outermost) : binary("sub", range.to, range.from);
  const to = emitter.let(binary("mul", count, sizeExpr(others)), "n");
  emitter.for({ from: first, to, step, bound: sizeOf(inner), hint: "r" }, (flat) =>
    guardRows(kernel, inner, flat, 1, ([outer, ...rest]) => {
      const moved = from === undefined ? outer! : add(outer!, from);
      take(reduction.value(values, at, [moved, ...rest], 1));
    }),
  );
}

/** The rows of the group that a place of the result belongs to. */
export function groupRange(
  kernel: ClusterKernel,
  groups: NonNullable<Reduction["groups"]>,
  at: At,
): { readonly from: Expr; readonly to: Expr } {
  const offsets = partOf(groups.route, "offsets");
  const group = at[groups.axis]!;
  const read = (index: Affine): Expr => kernel.values.value(offsets, [index], 1);
  return { from: read(group), to: read(shift(group, number(1))) };
}
