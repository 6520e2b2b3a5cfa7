// Running sums by many invocations at once.
// In: a scan node. Out: statements: along a row, a block of neighbours at a time; along another axis, some invocations of a
// workgroup have a segment each of the same line. The order of additions depends on sizes and the target only.
// Deliberately absent: rows and lines that one invocation walks alone (scan.ts).

import type { ScanNode } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import type { Size } from "../../runtime/size.ts";
import type { Parallel } from "../target.ts";
import { subtract } from "./affine.ts";
import type { ClusterKernel } from "./context.ts";
import { elementOf } from "./context.ts";
import { binary, integer, invocation, literal, lowerOf, select, upperOf } from "./expr.ts";
import type { At } from "./layout.ts";
import { flatIndex } from "./layout.ts";
import { dealLines, sharingOf } from "./lines.ts";
import { elementsOf, extentOf } from "./space.ts";

/** The last axis of a row, by a workgroup: blocks of as many elements as there are invocations, each with the sum of those
 * before it. Element `i` is that of invocation `i` modulo the workgroup, as everywhere. */
export function scanTogether(
  kernel: ClusterKernel,
  node: ScanNode,
  row: At,
  store: (at: At, value: Expr) => void,
): void {
  const { emitter, values } = kernel;
  const { workgroup } = emitter;
  const axis = node.shape.at(-1)!;
  const type = elementOf(node);
  const none = literal(type, 0);
  const sums = emitter.scratch(type, 2 * workgroup);
  const extent = emitter.let(extentOf(kernel, axis), "n");
  const blocks = emitter.let(
    binary("div", binary("add", extent, integer(workgroup - 1)), integer(workgroup)),
    "n",
  );
  const place = node.reverse ? emitter.let(binary("sub", integer(workgroup - 1), invocation)) : invocation;
  const carried = emitter.var(none);
  emitter.for({ to: blocks, hint: "b" }, (index) => {
    const counted = values.index(index);
    const block = node.reverse ? binary("sub", binary("sub", blocks, integer(1)), counted) : counted;
    const element = emitter.let(binary("add", binary("mul", block, integer(workgroup)), invocation), "x");
    // a name of its own inside the guard, so that nothing is read outside of it
    const where = (body: (at: At) => void): void =>
      emitter.if(binary("lt", element, extent), () =>
        body([...row, emitter.renamed(element, { bound: axis.size })]),
      );
    const own = emitter.var(none);
    where((at) => own.set(values.value(node.input, at, 1)));
    const found = sumsOfWorkgroup(kernel, { scratch: sums, place, own: own.get });
    const upTo = node.exclusive ? found.before : found.through;
    const result = emitter.let(binary("add", carried.get, upTo));
    carried.set(binary("add", carried.get, found.all));
    where((at) => store(at, result));
    emitter.push({ op: "barrier" });
  });
}

/** Running sums of one value of each invocation, in the order of `place`; `scratch` has two for each. What comes out is read
 * from scratch: before it is used again, the workgroup has to meet. */
export function sumsOfWorkgroup(
  { emitter }: ClusterKernel,
  { scratch, place, own }: { readonly scratch: string; readonly place: Expr; readonly own: Expr },
): { readonly before: Expr; readonly through: Expr; readonly all: Expr } {
  const { workgroup } = emitter;
  const type = own.type === "i32" ? "i32" : "f32";
  const none = literal(type, 0);
  const load = (index: Expr): Expr => ({ op: "load", type, buffer: scratch, index });
  const put = (index: Expr, value: Expr): void =>
    emitter.push({ op: "store", buffer: scratch, index, value });
  const earlier = (from: number, distance: number): Expr =>
    select(
      binary("le", integer(distance), place),
      load(binary("add", integer(from), upperOf(binary("sub", place, integer(distance)), integer(0)))),
      none,
    );
  put(place, own);
  let from = 0;
  for (let distance = 1; distance < workgroup; distance *= 2) {
    emitter.push({ op: "barrier" });
    const through = load(binary("add", integer(from), place));
    const sum = emitter.let(binary("add", through, earlier(from, distance)));
    from = workgroup - from;
    put(binary("add", integer(from), place), sum);
  }
  emitter.push({ op: "barrier" });
  return {
    before: emitter.let(earlier(from, 1)),
    through: emitter.let(load(binary("add", integer(from), place))),
    all: emitter.let(load(integer(from + workgroup - 1))),
  };
}

/** Any other axis: an invocation has a segment of a line, and first of all its sum. Returns the grid. */
export function scanLines(kernel: ClusterKernel, node: ScanNode, parallel: Parallel): Size {
  const { emitter, values } = kernel;
  const { shape, axis } = node;
  const type = elementOf(node);
  const others = shape.filter((_, i) => i !== axis);
  const sharing = sharingOf(elementsOf(others), elementsOf([shape[axis]!]), parallel);
  const { columns, shares } = sharing;
  const lines = dealLines(kernel, others, sharing);
  const extent = emitter.let(extentOf(kernel, shape[axis]!), "n");
  const length = emitter.let(binary("div", binary("add", extent, integer(shares - 1)), integer(shares)), "n");
  const from = emitter.let(lowerOf(binary("mul", lines.share, length), extent), "f");
  const to = emitter.let(lowerOf(binary("add", from, length), extent), "e");
  const top = node.reverse ? emitter.given(binary("sub", extent, integer(1))) : undefined;
  const walk = (rest: At, body: (at: At, value: Expr) => void): void =>
    emitter.for({ from, to, bound: shape[axis]!.size }, (index) => {
      const along = top === undefined ? index : subtract(top, index);
      const at = [...rest.slice(0, axis), along, ...rest.slice(axis)];
      body(at, emitter.let(values.value(node.input, at, 1)));
    });
  const sum = emitter.var(literal(type, 0));
  if (shares > 1) {
    const sums = emitter.scratch(type, columns * shares);
    lines.where((rest) => walk(rest, (_, value) => sum.set(binary("add", sum.get, value))));
    emitter.push({ op: "store", buffer: sums, index: invocation, value: sum.get });
    emitter.push({ op: "barrier" });
    sum.set(literal(type, 0));
    emitter.for({ from: lines.column, to: invocation, step: columns }, (index) => {
      const before: Expr = { op: "load", type, buffer: sums, index: values.index(index) };
      sum.set(binary("add", sum.get, before));
    });
  }
  lines.where((rest) =>
    walk(rest, (at, value) => {
      const add = (): void => sum.set(binary("add", sum.get, value));
      if (!node.exclusive) add();
      values.store(kernel.memoryOf(node), flatIndex(shape, at), sum.get);
      if (node.exclusive) add();
    }),
  );
  return lines.grid;
}
