// Parts: names of memory that the graph does not name itself. The tables of a routing, and inputs that only kernels read.
// In: routings, names. Out: one object for each, so that they can be compared by identity.

import { nodeOf } from "../graph-node.ts";
import type { DispatchNode, Node, PartNode, RouteNode, Shape } from "../graph.ts";
import type { Size } from "../../runtime/size.ts";
import type { Affine } from "./affine.ts";
import { divide, number, read } from "./affine.ts";
import type { At } from "./layout.ts";

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
    const id = -(route.id * 8 + order);
    node = nodeOf({ op: "part", part, route }, { dtype: "i32", shape }, id, route.origin) as PartNode;
    known.set(part, node);
  }
  return node;
}

/** Parts of one routing are one node here. */
export const canonical = (node: Node): Node => (node.op === "part" ? partOf(node.route, node.part) : node);

/** Picks per token of a routing. */
export const picksPerToken = (route: RouteNode): Size => route.picks.shape.at(-1)!.size;

/** Where a dispatch reads for a row. */
export function dispatched(node: DispatchNode, at: At): At {
  const [row, ...rest] = at;
  const { token, pick } = sourceOf(node.route, row!);
  return node.per === "token" ? [token, ...rest] : [token, pick, ...rest];
}

/** Token and pick of a row. The row in a slot is where that slot is from. */
function sourceOf(route: RouteNode, row: Affine): { readonly token: Affine; readonly pick: Affine } {
  const atom = row.terms.length === 1 && row.offset.length === 0 ? row.terms[0]!.atom : undefined;
  if (atom?.kind === "read" && atom.node === partOf(route, "slot"))
    return { token: atom.at[0]!, pick: atom.at[1]! };
  const source = read(partOf(route, "source"), [row]);
  const { quotient, remainder } = divide(source, picksPerToken(route));
  return { token: quotient, pick: remainder };
}

const inputs = new Map<string, { readonly kind: "input"; readonly name: string }>();
/** One object per input name: buffers are compared by identity. */
export function inputBuffer(name: string): { readonly kind: "input"; readonly name: string } {
  let buffer = inputs.get(name);
  if (buffer === undefined) inputs.set(name, (buffer = { kind: "input", name }));
  return buffer;
}
