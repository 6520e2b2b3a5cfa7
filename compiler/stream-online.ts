// Sums whose terms wait for row values of the same row: a softmax needs the row's maximum and its sum before its first
// product. They are computed in one pass when the sum can be mended afterwards:
//   a factor that is the same along the row is taken out of the sum and applied at its end;
//   terms exp(y - m), m the maximum of the row's y so far, are rescaled by exp(old m - m) whenever the maximum grows.
// In: the region, the row values that are not known yet, and the tile that is summed. Out: which nodes are read without
// their row factor, and the factors; or nothing when this algebra does not cover the expression.

import type { MapNode, Node, ReduceNode } from "./graph.ts";
import { operandsOf } from "./graph-walk.ts";
import { constantOf } from "./simplify-rule.ts";
import type { Region } from "./stream-region.ts";

/** A product or quotient of a tile and a value of the row. */
export interface RowFactor {
  readonly node: MapNode;
  readonly tile: Node;
  readonly factor: Node;
}

export interface Online {
  /** The running maximum that terms are relative to. */
  readonly max?: ReduceNode;
  readonly sums: readonly ReduceNode[];
  /** Taken out of the sums of contractions. */
  readonly factors: readonly RowFactor[];
  /** Nodes that must not have memory: what factors are made of. */
  readonly inlined: ReadonlySet<Node>;
}

interface Linear {
  /** Whether terms are relative to the maximum. */
  readonly relative: boolean;
  readonly factors: readonly RowFactor[];
}

export function onlineOf(
  region: Region,
  pending: readonly ReduceNode[],
  tiles: readonly Node[],
): Online | undefined {
  const maxima = pending.filter(({ fn }) => fn === "max");
  const sums = pending.filter(({ fn }) => fn === "sum");
  if (maxima.length > 1 || maxima.length + sums.length < pending.length) return undefined;
  const max = maxima[0];
  const waits = waitsFor(new Set(pending));
  if (max !== undefined && waits(max.input)) return undefined;
  const relative = max !== undefined;
  const isFactor = (node: Node): boolean => !region.axes.has(node) && waits(node);

  const linear = (node: Node): Linear | undefined => {
    if (!waits(node)) return { relative: false, factors: [] };
    if (!region.axes.has(node)) return undefined;
    if (node.op === "view") return linear(node.input);
    if (node.op !== "map") return undefined;
    const [a, b, c] = node.inputs;
    switch (node.fn) {
      case "neg":
        return linear(a!);
      case "exp":
        if (a!.op !== "map" || a!.fn !== "sub" || max === undefined) return undefined;
        // Of other numbers the maximum so far is no bound: their exponentials overflow, and are lost while it is still -inf.
        return a!.inputs[0] === max.input && belowViews(a!.inputs[1]!) === max
          ? { relative: true, factors: [] }
          : undefined;
      case "mul":
        return product(node, a!, b!) ?? product(node, b!, a!);
      case "div":
        return product(node, a!, b!);
      case "select":
        if (waits(a!)) return undefined;
        return constantOf(c!) === 0 ? linear(b!) : constantOf(b!) === 0 ? linear(c!) : undefined;
      default:
        return undefined;
    }
  };
  /** `tile` times (or divided by) `other`. */
  const product = (node: MapNode, tile: Node, other: Node): Linear | undefined => {
    if (!waits(other)) return linear(tile);
    if (!isFactor(other)) return undefined;
    const inner = linear(tile);
    if (inner === undefined) return undefined;
    return { ...inner, factors: [...inner.factors, { node, tile, factor: other }] };
  };

  for (const sum of sums) {
    const found = linear(sum.input);
    if (found === undefined || found.factors.length > 0 || found.relative !== relative) return undefined;
  }
  const factors: RowFactor[] = [];
  for (const tile of tiles) {
    const found = linear(tile);
    if (found === undefined || found.relative !== relative) return undefined;
    factors.push(...found.factors);
  }
  const inlined = new Set<Node>();
  for (const { factor } of factors) collectWaiting(factor, waits, new Set(pending), inlined);
  return { ...(max === undefined ? {} : { max }), sums, factors, inlined };
}

export function belowViews(node: Node): Node {
  let at = node;
  while (at.op === "view") at = at.input;
  return at;
}

/** Whether a node is made of row values that are not known yet, by maps and views. */
function waitsFor(pending: ReadonlySet<Node>): (node: Node) => boolean {
  const known = new Map<Node, boolean>();
  const waits = (node: Node): boolean => {
    if (pending.has(node)) return true;
    const before = known.get(node);
    if (before !== undefined) return before;
    const found = (node.op === "map" || node.op === "view") && operandsOf(node).some(waits);
    known.set(node, found);
    return found;
  };
  return waits;
}

function collectWaiting(
  node: Node,
  waits: (node: Node) => boolean,
  pending: ReadonlySet<Node>,
  into: Set<Node>,
): void {
  if (pending.has(node) || !waits(node)) return;
  into.add(node);
  for (const operand of operandsOf(node)) collectWaiting(operand, waits, pending, into);
}
