// Stacks that are too long for one binding, such as the matrices of many experts, lie in parts of so many experts each; a kernel
// that touches them is launched once for each part (window.ts says which kernels can be). In: tensors, and the bytes that a binding
// may cover. Out: the parts; where a tensor's elements are, for a launch that sees one of them; the sizes that such a launch has
// beside the session's. Deliberately absent: buffers of a device.

import type { Node, Shape } from "../graph.ts";
import { elementsOf } from "../graph-axis.ts";
import { constant, floorDivide, multiply, named, type Size } from "../../runtime/size.ts";
import { number, shift } from "./affine.ts";
import type { Memory } from "./emitter.ts";
import type { At } from "./layout.ts";

/** Of a tensor in parts: how many there are, and the length of its first axis in each. */
export interface Part {
  readonly count: number;
  readonly length: number;
}

/** By name of tensor; what is not here is in one piece. */
export type Stacks = ReadonlyMap<string, Part>;

/** Sizes that a launch has beside the session's: the part's number, and the first index of its first axis. */
export const partName = "$part";
export const firstName = "$first";

/** What a kernel sees of all stacks in parts that it touches. */
export interface Window {
  readonly part: Part;
  /** The members that touch one. */
  readonly members: ReadonlySet<Node>;
}

/** The tensors that are longer than a binding, as few parts of each as will do; stacks of equally many experts, equal parts. A copy
 * has the parts of what it copies: a kernel that writes one writes both. */
export function stacksOf(
  tensors: readonly { readonly name: string; readonly shape: readonly number[] }[],
  binding: number,
  copies: readonly { readonly name: string; readonly of: string }[] = [],
): Stacks {
  const bytesOf = (shape: readonly number[]): number => shape.reduce((all, each) => all * each, 4);
  const long = tensors.filter(({ shape }) => shape.length > 1 && bytesOf(shape) > binding);
  const counts = new Map<number, number>();
  for (const { shape } of long) {
    const first = shape[0]!;
    let count = Math.ceil(bytesOf(shape) / binding);
    while (count < first && first % count !== 0) count++;
    // Even one of them alone may be too long: then it stays as it is.
    if (bytesOf(shape) / count <= binding && count <= first)
      counts.set(first, Math.max(counts.get(first) ?? 0, count));
  }
  const parts = new Map<string, Part>();
  for (const { name, shape } of long) {
    const [first] = shape;
    const count = first! % (counts.get(first!) ?? 0) === 0 ? counts.get(first!) : undefined;
    if (count !== undefined && bytesOf(shape) / count <= binding)
      parts.set(name, { count, length: first! / count });
  }
  for (const { name, of } of copies) if (parts.has(of)) parts.set(name, parts.get(of)!);
  return parts;
}

/** A tensor where it lies: whole, or the part that a launch binds. */
export function tensorMemory(
  name: string,
  { shape }: Pick<Node, "shape">,
  whole: Pick<Memory, "type" | "buffer">,
  stacks: Stacks,
): Memory {
  const { type, buffer } = whole;
  const key = `tensor:${name}`;
  const part = stacks.get(name);
  if (part === undefined) return { key, type, length: elementsOf(shape), buffer };
  const rest = elementsOf(shape.slice(1));
  const offset = multiply(multiply(named(firstName), rest), constant(-1));
  return { key, type, length: multiply(constant(part.length), rest), buffer, offset };
}

/** The first axis of a shape, within the window. */
export const windowed = (shape: Shape, window: Window | undefined): Shape =>
  window === undefined ? shape : [{ kind: "dense", size: number(window.part.length) }, ...shape.slice(1)];

/** Coordinates within the window as those of the whole. */
export const unwindowed = (at: At, window: Window | undefined): At =>
  window === undefined ? at : [shift(at[0]!, named(firstName)), ...at.slice(1)];

/** Of all parts together -> of one. */
export const perPart = (all: Size, window: Window | undefined): Size =>
  window === undefined ? all : floorDivide(all, constant(window.part.count));
