// Parts: names of memory that the graph does not name itself. The tables of a routing, and inputs that only kernels read.
// In: routings, names. Out: one object for each, so that they can be compared by identity.

import type { Node, PartNode, RouteNode, Shape } from "../graph.ts";
import type { Size } from "../../runtime/size.ts";
import { number } from "./affine.ts";

const parts = new WeakMap<RouteNode, Map<PartNode["part"], PartNode>>();
/** The one node that stands for a part of a routing, whichever node the graph reads it through. */
export function partOf(route: RouteNode, part: PartNode["part"]): PartNode {
  let known = parts.get(route);
  if (known === undefined) parts.set(route, (known = new Map()));
  let node = known.get(part);
  if (node === undefined) {
    const rows = { kind: "ragged", size: route.bound, by: route } as const;
    const shape: Shape =
      part === "offsets"
        ? [{ kind: "dense", size: number(route.groups + 1) }]
        : part === "slot"
          ? route.picks.shape
          : [rows];
    const order = { offsets: 1, source: 2, group: 3, slot: 4 }[part];
    node = {
      op: "part",
      part,
      route,
      dtype: "i32",
      shape,
      id: -(route.id * 8 + order),
      origin: route.origin,
    };
    known.set(part, node);
  }
  return node;
}

/** Parts of one routing are one node here. */
export const canonical = (node: Node): Node => (node.op === "part" ? partOf(node.route, node.part) : node);

/** Picks per token of a routing. */
export const picksPerToken = (route: RouteNode): Size => route.picks.shape.at(-1)!.size;

const inputs = new Map<string, { readonly kind: "input"; readonly name: string }>();
/** One object per input name: buffers are compared by identity. */
export function inputBuffer(name: string): { readonly kind: "input"; readonly name: string } {
  let buffer = inputs.get(name);
  if (buffer === undefined) inputs.set(name, (buffer = { kind: "input", name }));
  return buffer;
}
