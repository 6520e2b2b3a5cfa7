// Axes and shapes of the graph: made, compared, written.
// In: sizes, routings. Out: axes, canonical keys, text. Does not check operations; that is graph-infer.ts.

import type { Axis, RouteNode, Shape } from "./graph.ts";
import { constant, known, product, sizeKey, type Size } from "../runtime/size.ts";

/** What builder methods accept for an axis: a number or a size is a dense axis. */
export type AxisLike = Axis | Size | number;
export type ShapeLike = readonly AxisLike[];

// Axes of known size are made once: shapes of shared axes compare and print without looking at sizes.
const knownAxes = new Map<number, Axis>();
export function dense(size: Size | number): Axis {
  if (typeof size !== "number") return { kind: "dense", size };
  let axis = knownAxes.get(size);
  if (axis === undefined) knownAxes.set(size, (axis = { kind: "dense", size: constant(size) }));
  return axis;
}
export const isDense = (axis: Axis): boolean => axis.kind === "dense";

/** The axis of the rows of a routing. */
export const raggedBy = (route: RouteNode): Axis => ({ kind: "ragged", size: route.bound, by: route });

export const toAxis = (axis: AxisLike): Axis =>
  typeof axis === "number" || Array.isArray(axis) ? dense(axis as number | Size) : (axis as Axis);
const isShape = (shape: ShapeLike): shape is Shape =>
  shape.every((axis) => typeof axis !== "number" && !Array.isArray(axis));
export const toShape = (shape: ShapeLike): Shape => (isShape(shape) ? shape : shape.map(toAxis));

// The same few size objects appear in thousands of shapes; the text of those that are no numbers is made once.
const sizeKeys = new WeakMap<Size, string>();
export function keyOfSize(size: Size): string {
  const value = known(size);
  if (value !== undefined) return String(value);
  let key = sizeKeys.get(size);
  if (key === undefined) sizeKeys.set(size, (key = sizeKey(size)));
  return key;
}
export function sameSize(a: Size, b: Size): boolean {
  if (a === b) return true;
  const [x, y] = [known(a), known(b)];
  return x !== undefined || y !== undefined ? x === y : keyOfSize(a) === keyOfSize(b);
}

export const sameAxis = (a: Axis, b: Axis): boolean =>
  a === b ||
  (a.kind === "dense"
    ? b.kind === "dense" && sameSize(a.size, b.size)
    : b.kind === "ragged" && a.by === b.by);
export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!sameAxis(a[i]!, b[i]!)) return false;
  return true;
}

/** `T, 512` for dense axes, `R<=2*T@7` for the rows of routing %7. */
export const printAxis = (axis: Axis): string =>
  axis.kind === "dense" ? keyOfSize(axis.size) : `R<=${keyOfSize(axis.size)}@${axis.by.id}`;
export const printShape = (shape: Shape): string => shape.map(printAxis).join(", ");

/** Number of elements, ragged axes counted at their bound. */
export const elementsOf = (shape: Shape): Size => product(shape.map((axis) => axis.size));
export const isOne = (axis: Axis): boolean => axis.kind === "dense" && known(axis.size) === 1;

/** Whether a size is at least 1 for certain: names stand for at least 1, and nothing is subtracted. */
export const surelyPositive = (size: Size): boolean =>
  size.length > 0 &&
  size.every(
    ({ coefficient, factors }) =>
      coefficient > 0 &&
      factors.every(
        (factor) =>
          typeof factor === "string" ||
          (factor.fn === "ceil" && surelyPositive(factor.of)) ||
          (factor.fn === "min" && surelyPositive(factor.of) && surelyPositive(factor.by)) ||
          (factor.fn === "max" && (surelyPositive(factor.of) || surelyPositive(factor.by))),
      ),
  );
