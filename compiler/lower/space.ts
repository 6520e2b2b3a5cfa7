// Spaces: how the elements of a shape are walked. Rows are one flat index; the inner axes that every index treats as one
// are one vector loop. Where neighbours are neighbouring invocations, elements are one flat index that is dealt out to them.
// In: a shape, and the indices that a value is read and written with. Out: loops. Deliberately absent: values.

import type { Shape } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import type { Size } from "../../runtime/size.ts";
import { ceilDivide, known, sizeKey } from "../../runtime/size.ts";
import type { Affine } from "./affine.ts";
import { divide, number, times, variable } from "./affine.ts";
import type { ClusterKernel } from "./context.ts";
import { estimate } from "../estimate.ts";
import type { Lanes } from "./expr.ts";
import { binary, integer, invocation, lowerOf, sizeExpr, workgroup } from "./expr.ts";
import { dealt, knownElements, powerAbove } from "./team.ts";

const sizes = new WeakMap<Shape, Size>();
/** Elements of a shape. Nodes share shapes, so that each is multiplied once. */
export function sizeOf(shape: Shape): Size {
  let size = sizes.get(shape);
  if (size === undefined)
    sizes.set(shape, (size = shape.reduce((all, axis) => times(all, axis.size), number(1))));
  return size;
}

/** Elements that one workgroup works on, where there is a choice. */
export const taskElements = 8192;

/** How many trailing axes (at least one) every index treats as one: its coefficients are those of a flat index. */
export function joinable(shape: Shape, names: readonly string[], indices: readonly Affine[]): number {
  if (shape.length === 0) return 0;
  let count = 1;
  for (let axis = shape.length - 2; axis >= 0; axis--, count++) {
    if (shape[axis]!.kind === "ragged" || shape[axis + 1]!.kind === "ragged") return count;
    const [outer, inner] = [names[axis]!, names[axis + 1]!];
    const size = shape[axis + 1]!.size;
    for (const index of indices) {
      const next = sizeKey(times(coefficientOf(index, inner), size));
      if (sizeKey(coefficientOf(index, outer)) !== next) return count;
    }
  }
  return count;
}

const coefficientOf = (index: Affine, name: string): Size =>
  index.terms.find(({ atom }) => atom.key === name)?.coefficient ?? [];

/** Coordinates of several axes from one flat index. */
export function split(shape: Shape, flat: Affine): Affine[] {
  const at: Affine[] = [];
  let rest = flat;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    const { quotient, remainder } = divide(rest, shape[axis]!.size);
    at[axis] = remainder;
    rest = quotient;
  }
  if (shape.length > 0) at[0] = rest;
  return at;
}

/** All rows of `shape`, `rowsPerTask` in a workgroup; only rows of a routing that are there. Returns the grid. */
export function overRows(
  kernel: ClusterKernel,
  shape: Shape,
  rowsPerTask: number,
  body: (at: readonly Affine[]) => void,
): Size {
  const { emitter } = kernel;
  const rows = sizeOf(shape);
  if (shape.length === 0) {
    body([]);
    return number(1);
  }
  const first = shape[0]!;
  let limit: Expr = sizeExpr(rows);
  if (first.kind === "ragged") {
    const others = sizeOf(shape.slice(1));
    limit = emitter.let(binary("mul", kernel.rowCount(first.by), sizeExpr(others)), "n");
  }
  const walk = (flat: Affine): void => guardRows(kernel, shape, flat, 1, body);
  const count = known(rows);
  const perTask = count === undefined ? rowsPerTask : Math.min(rowsPerTask, count);
  if (perTask === 1) {
    const name = emitter.fresh("i");
    emitter.push({ op: "let", name, value: { op: "workgroup", type: "i32" } });
    const row = (): void => walk(variable(name, emitter.depth, { bound: rows }));
    if (first.kind === "ragged") emitter.if(binary("lt", { op: "local", type: "i32", name }, limit), row);
    else row();
    return rows;
  }
  const grid = ceilDivide(rows, number(perTask));
  const from = emitter.let(binary("mul", { op: "workgroup", type: "i32" }, integer(perTask)), "f");
  const to = lowerOf(binary("add", from, integer(perTask)), limit);
  emitter.for({ from, to, bound: rows }, walk);
  return grid;
}

/** All elements of `shape`, one invocation for each, or for `each` of them that are a workgroup apart. Returns the grid. */
export function overElements(
  kernel: ClusterKernel,
  shape: Shape,
  about: { readonly workgroup: number; readonly each?: number },
  body: (at: readonly Affine[]) => void,
): Size {
  const { emitter } = kernel;
  if (shape.length === 0) {
    body([]);
    return number(1);
  }
  const count = knownElements(shape);
  const size = Math.min(about.workgroup, powerAbove(count ?? Infinity));
  const span = size * (about.each ?? 1);
  emitter.workgroup = size;
  const total = sizeOf(shape);
  const ragged = shape[0]!.kind === "ragged";
  const end = ragged ? rowsThere(kernel, shape) : sizeExpr(total);
  const first = emitter.let(binary("mul", workgroup, integer(span)), "f");
  const one = (offset: Expr): void => {
    const at = emitter.given(binary("add", first, offset), { bound: total });
    guardRows(kernel, shape, at, 1, body);
  };
  // what is left is compared, not the index: the last workgroup's may be beyond what fits 32 bits
  const left = emitter.let(binary("sub", end, first), "n");
  if (span > size)
    emitter.for({ from: invocation, to: lowerOf(integer(span), left), step: size, hint: "j" }, (offset) =>
      one(kernel.values.index(offset)),
    );
  else if (!ragged && count !== undefined && count % size === 0) one(invocation);
  else emitter.if(binary("lt", invocation, left), () => one(invocation));
  return ceilDivide(total, number(span));
}

/** Elements of the rows that are there, of a shape that begins with those of a routing. */
function rowsThere(kernel: ClusterKernel, shape: Shape): Expr {
  const axis = shape[0]!;
  if (axis.kind !== "ragged") return sizeExpr(sizeOf(shape));
  return kernel.emitter.let(binary("mul", kernel.rowCount(axis.by), sizeExpr(sizeOf(shape.slice(1)))), "n");
}

/** Rows of a routing, on axes from `from` on, are skipped one by one when they are not there. What depends on a row is
 * computed inside of its guard: the index gets a new name there. */
export function guardRows(
  kernel: ClusterKernel,
  shape: Shape,
  flat: Affine,
  from: number,
  body: (at: readonly Affine[]) => void,
): void {
  const { emitter, values } = kernel;
  const at = split(shape, flat);
  let inside: Expr | undefined;
  for (let axis = from; axis < shape.length; axis++) {
    const each = shape[axis]!;
    if (each.kind !== "ragged") continue;
    const test = binary("lt", values.index(at[axis]!), kernel.rowCount(each.by));
    inside = inside === undefined ? test : binary("and", inside, test);
  }
  if (inside === undefined) return body(at);
  emitter.if(inside, () => {
    const name = emitter.fresh("i");
    emitter.push({ op: "let", name, value: values.index(flat) });
    body(split(shape, variable(name, emitter.depth, { bound: sizeOf(shape) })));
  });
}

/** Rows for one workgroup when each has `inner` elements of `work` additions. */
export function rowsForTask(inner: number, work = 1): number {
  return Math.max(1, Math.floor(taskElements / Math.max(1, inner * work)));
}

/** All elements of inner axes: loops over the outer ones, a vector loop over the last `joined` as one. In a workgroup, element
 * `i` of the flattened axes is always that of invocation `i` modulo the workgroup. */
export function overInner(
  kernel: ClusterKernel,
  shape: Shape,
  joined: number,
  body: (at: readonly Affine[], lanes: Lanes) => void,
): void {
  const { emitter } = kernel;
  if (kernel.team === "workgroup") return overDealt(kernel, shape, (at) => body(at, 1));
  const nest = (axis: number, at: readonly Affine[]): void => {
    if (axis < shape.length - joined) {
      const each = shape[axis]!;
      emitter.for({ to: extentOf(kernel, each), bound: each.size }, (index) =>
        nest(axis + 1, [...at, index]),
      );
      return;
    }
    const last = shape.slice(axis);
    if (last.length === 0) {
      body(at, 1);
      return;
    }
    const size = sizeOf(last);
    const each = (flat: Affine, lanes: Lanes): void => body([...at, ...split(last, flat)], lanes);
    if (last[0]!.kind === "ragged")
      emitter.lanesFrom(integer(0), extentOf(kernel, last[0]!), size, each, true);
    else emitter.lanes(size, each);
  };
  nest(0, []);
}

function overDealt(kernel: ClusterKernel, shape: Shape, body: (at: readonly Affine[]) => void): void {
  const size = sizeOf(shape);
  const to = shape.length === 0 ? integer(1) : rowsThere(kernel, shape);
  dealt(kernel, { to, bound: size }, (flat) => guardRows(kernel, shape, flat, 1, body));
}

export function extentOf(kernel: ClusterKernel, axis: Shape[number]): Expr {
  return axis.kind === "ragged" ? kernel.rowCount(axis.by) : sizeExpr(axis.size);
}

export const elementsOf = (shape: Shape): number =>
  shape.reduce((count, axis) => count * estimate(axis.size), 1);
