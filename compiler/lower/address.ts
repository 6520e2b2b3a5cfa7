// Where an element lies that a contraction reads, behind views and gathers, and whether its neighbours can be copied sixteen bytes at a
// time. In: a node, coordinates. Out: memory and an affine index; undefined where something is computed on the way.

import type { Node, ViewNode } from "../graph.ts";
import { multipleOf, shift, type Affine, type Atom } from "./affine.ts";
import type { Memory } from "./emitter.ts";
import { flatIndex, reshaped, type At } from "./layout.ts";
import { canonical, dispatched } from "./parts.ts";
import { known } from "../../runtime/size.ts";

/** A view that is no element of its input everywhere. */
export type Padding = Extract<ViewNode["view"], { readonly kind: "pad" }>;

/** Coordinates of the input of any other view. */
export function viewed(node: ViewNode, view: Exclude<ViewNode["view"], Padding>, at: At): At {
  switch (view.kind) {
    case "permute": {
      const from: Affine[] = [];
      for (const [axis, source] of view.axes.entries()) from[source] = at[axis]!;
      return from;
    }
    case "broadcast":
      return view.axes.map((axis) => at[axis]!);
    case "reshape":
      return reshaped(node.shape, node.input.shape, at);
    case "slice":
      return at.map((a, axis) => (axis === view.axis ? shift(a, view.start) : a));
    default:
      return view satisfies never;
  }
}

export interface Address {
  readonly memory: Memory;
  readonly flat: Affine;
}

export function addressOf(
  memoryOf: (node: Node) => Memory | undefined,
  given: Node,
  at: At,
): Address | undefined {
  const node = canonical(given);
  const memory = memoryOf(node);
  if (memory !== undefined) {
    const flat = flatIndex(node.shape, at);
    return { memory, flat: memory.offset === undefined ? flat : shift(flat, memory.offset) };
  }
  if (node.op === "dispatch") return addressOf(memoryOf, node.input, dispatched(node, at));
  if (node.op !== "view" || node.view.kind === "pad") return undefined;
  return addressOf(memoryOf, node.input, viewed(node, node.view, at));
}

/** Whether `count` elements from a value of the variable on, itself a multiple of them, are neighbours that begin at a multiple of them. */
export function inPieces({ flat }: Address, variable: string, count: number): boolean {
  const moving = flat.terms.filter(({ atom }) => mentions(atom, variable));
  if (moving.length !== 1) return false;
  const [{ atom, coefficient }] = moving as [(typeof moving)[number]];
  return atom.kind === "variable" && known(coefficient) === 1 && multipleOf(flat) % count === 0;
}

function mentions(atom: Atom, variable: string): boolean {
  if (atom.kind === "variable") return atom.name === variable || (atom.clamped?.terms.some(inside) ?? false);
  return (atom.kind === "quotient" ? [atom.of] : atom.at).some(({ terms }) => terms.some(inside));
  function inside(term: { readonly atom: Atom }): boolean {
    return mentions(term.atom, variable);
  }
}
