// One shape for everything that is reduced element by element: reduce nodes, and contractions that are no matrix product.
// In: a node. Out: the axes of the result, the axes that are reduced, and the value to reduce at given coordinates.
// Deliberately absent: the loops (row.ts, column.ts).

import type { Axis, ContractNode, Node, ReduceNode, RouteNode, Shape } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import type { Affine } from "./affine.ts";
import { read } from "./affine.ts";
import type { Lanes } from "./expr.ts";
import { binary } from "./expr.ts";
import type { At } from "./layout.ts";
import type { Values } from "./value.ts";
import { partOf } from "./parts.ts";

export interface Reduction {
  readonly node: ReduceNode | ContractNode;
  readonly fn: "sum" | "max" | "min";
  /** What is reduced, outermost first. */
  readonly inner: Shape;
  /** The first inner axis runs over the rows of the group that is the coordinate of axis `axis` of the result. */
  readonly groups?: { readonly route: RouteNode; readonly axis: number };
  readonly value: (values: Values, out: At, inner: At, lanes: Lanes) => Expr;
  /** Whether neighbours along the last inner axis are neighbours in the operands. */
  readonly trailing: boolean;
}

export const isReduction = (node: Node): node is ReduceNode | ContractNode =>
  node.op === "reduce" || node.op === "contract";

export const reductionOf = (node: ReduceNode | ContractNode): Reduction =>
  node.op === "reduce" ? ofReduce(node) : ofContract(node);

function ofReduce(node: ReduceNode): Reduction {
  const { shape } = node.input;
  const trailing = !node.groups && node.axes.every((axis, i) => axis === shape.length - node.axes.length + i);
  const value = (values: Values, out: At, inner: At, lanes: Lanes): Expr => {
    const at: Affine[] = [];
    let kept = 0;
    let reduced = 0;
    for (const axis of shape.keys()) {
      const isReduced = node.axes.includes(axis);
      if (isReduced && node.groups) kept++;
      at.push(isReduced ? inner[reduced++]! : out[kept++]!);
    }
    return values.value(node.input, at, lanes);
  };
  const inner = node.axes.map((axis) => shape[axis]!);
  if (!node.groups) return { node, fn: node.fn, inner, value, trailing };
  const ragged = inner[0]!;
  if (ragged.kind !== "ragged") throw new Error("internal: a reduction by groups of a dense axis");
  return { node, fn: node.fn, inner, value, trailing, groups: { route: ragged.by, axis: node.axes[0]! } };
}

function ofContract(node: ContractNode): Reduction {
  const { labels, ragged } = node;
  const axisOf = (label: string): Axis => {
    const at = labels.a.indexOf(label);
    return at >= 0 ? node.a.shape[at]! : node.b.shape[labels.b.indexOf(label)]!;
  };
  const grouped =
    ragged !== undefined && labels.out.includes(ragged.group) && !labels.out.includes(ragged.row);
  const innerLabels = [...new Set([...labels.a, ...labels.b])]
    .filter((label) => !labels.out.includes(label) && label !== ragged?.group)
    .sort((a, b) => Number(b === ragged?.row) - Number(a === ragged?.row));
  const value = (values: Values, out: At, inner: At, lanes: Lanes): Expr => {
    const of = (label: string): Affine => {
      const kept = labels.out.indexOf(label);
      if (kept >= 0) return out[kept]!;
      const reduced = innerLabels.indexOf(label);
      if (reduced >= 0) return inner[reduced]!;
      const row = axisOf(ragged!.row);
      if (row.kind !== "ragged") throw new Error("internal: the row label is not ragged");
      return read(partOf(row.by, "group"), [of(ragged!.row)], axisOf(label).size);
    };
    const a = values.value(node.a, [...labels.a].map(of), lanes);
    const b = values.value(node.b, [...labels.b].map(of), lanes);
    return binary("mul", a, b);
  };
  const isInner = (label: string | undefined): boolean => label === undefined || innerLabels.includes(label);
  const inner = innerLabels.map(axisOf);
  const trailing =
    !grouped &&
    inner.length > 0 &&
    isInner(labels.a.at(-1)) &&
    isInner(labels.b.at(-1)) &&
    inner.every(({ kind }) => kind === "dense");
  const base = { node, fn: "sum", inner, value, trailing } as const;
  if (!grouped) return base;
  const row = axisOf(ragged.row);
  if (row.kind !== "ragged") throw new Error("internal: the row label is not ragged");
  return { ...base, groups: { route: row.by, axis: labels.out.indexOf(ragged.group) } };
}
