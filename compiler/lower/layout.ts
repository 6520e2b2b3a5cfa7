// Layout: row-major indices of elements, and the index map of a reshape.
// In: shapes and affine coordinates. Out: affine indices. Deliberately absent: memory, values.

import type { Shape } from "../graph.ts";
import type { Size } from "../../runtime/size.ts";
import { sizeKey } from "../../runtime/size.ts";
import type { Affine } from "./affine.ts";
import { add, divide, fixed, number, scale, times } from "./affine.ts";

/** A coordinate for each axis. */
export type At = readonly Affine[];

const stridesOf = new WeakMap<Shape, readonly Size[]>();
export function rowStrides(shape: Shape): readonly Size[] {
  let strides = stridesOf.get(shape);
  if (strides === undefined) stridesOf.set(shape, (strides = findStrides(shape)));
  return strides;
}

function findStrides(shape: Shape): Size[] {
  const strides: Size[] = [];
  let stride = number(1);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride = times(stride, shape[axis]!.size);
  }
  return strides;
}

export function flatIndex(shape: Shape, at: At): Affine {
  let flat: Affine = fixed(number(0));
  const strides = rowStrides(shape);
  for (const [axis, coordinate] of at.entries()) flat = add(flat, scale(coordinate, strides[axis]!));
  return flat;
}

/** Coordinates of the input of a reshape. Runs of axes with equal products correspond; inside a run the index is
 * flattened and split again. */
export function reshaped(to: Shape, from: Shape, at: At): Affine[] {
  const result: Affine[] = [];
  let i = 0;
  let j = 0;
  while (i < to.length || j < from.length) {
    let left: Size = number(1);
    let right: Size = number(1);
    const startOut = i;
    const startIn = j;
    if (i < to.length) left = to[i++]!.size;
    if (j < from.length) right = from[j++]!.size;
    while (sizeKey(left) !== sizeKey(right)) {
      // grow the shorter side; with symbols, the one with fewer axes left to lose
      const growLeft = i < to.length && (j >= from.length || isSmaller(left, right));
      if (growLeft) left = times(left, to[i++]!.size);
      else if (j < from.length) right = times(right, from[j++]!.size);
      else throw new Error("internal: a reshape changes the number of elements");
    }
    // axes of size 1 that end a run belong to it
    let flat: Affine = fixed(number(0));
    for (let axis = startOut; axis < i; axis++) flat = add(scale(flat, to[axis]!.size), at[axis]!);
    for (let axis = j - 1; axis > startIn; axis--) {
      const { quotient, remainder } = divide(flat, from[axis]!.size);
      result[axis] = remainder;
      flat = quotient;
    }
    if (startIn < j) result[startIn] = sizeKey(from[startIn]!.size) === "1" ? fixed(number(0)) : flat;
  }
  return result;
}

/** Which product of a run to grow: numbers by value, polynomials by what divides what. */
function isSmaller(left: Size, right: Size): boolean {
  const degree = (size: Size): number => Math.max(0, ...size.map(({ factors }) => factors.length));
  const a = degree(left);
  const b = degree(right);
  if (a !== b) return a < b;
  const top = (size: Size): number => Math.max(0, ...size.map(({ coefficient }) => coefficient));
  return top(left) < top(right);
}
