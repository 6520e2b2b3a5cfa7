// Reverse-mode differentiation on the graph, by a rule per operation. The set of operations is closed under it: contract
// by moving labels, dispatch by combine and back, take by the routing machinery, scan by the scan from the other end.
// In: a builder, a scalar loss made by it, the nodes to differentiate by. Out: a gradient node for each of them (zero
// where the loss does not depend on one). Integers, conditions, choices, routings and random numbers have no gradient.
// Rows that a routing did not make are never read: contractions, reductions and combines count valid rows only.

import type { ContractNode, Node, Origin, ReduceNode, RouteNode, ViewNode } from "./graph.ts";
import { subtract } from "../runtime/size.ts";
import { mapRules } from "./differentiate-map.ts";
import { gradientOfTable } from "./differentiate-take.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { nodesOf, operandsOf } from "./graph-walk.ts";
import { printNode } from "./print-graph.ts";

/** What a rule may do: build, ask whether an operand wants a gradient, and give it one. */
export interface Backward {
  readonly builder: GraphBuilder;
  readonly wants: (operand: Node) => boolean;
  /** Adds to the operand's gradient; ignored when it wants none. */
  readonly give: (operand: Node, gradient: Node) => void;
}

type Rule<Op extends Node["op"]> = (back: Backward, node: Extract<Node, { op: Op }>, gradient: Node) => void;

const nothing = (): void => {};
const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

function gradientOfView({ builder }: Backward, node: ViewNode, gradient: Node): Node {
  const { view, input } = node;
  switch (view.kind) {
    case "permute":
      return builder.permute(
        gradient,
        range(view.axes.length).map((axis) => view.axes.indexOf(axis)),
      );
    case "reshape":
      return builder.reshape(gradient, input.shape);
    case "broadcast":
      return builder.sum(
        gradient,
        range(node.shape.length).filter((axis) => !view.axes.includes(axis)),
      );
    case "slice": {
      const size = node.shape[view.axis]!.size;
      const after = subtract(subtract(input.shape[view.axis]!.size, view.start), size);
      return builder.pad(gradient, view.axis, view.start, after);
    }
    case "pad":
      return builder.slice(gradient, view.axis, view.before, input.shape[view.axis]!.size);
    default:
      return view satisfies never;
  }
}

/** [.., groups, ..] -> [.., rows, ..]: every row gets its group's element. */
export function rowsFromGroups(builder: GraphBuilder, node: Node, axis: number, route: RouteNode): Node {
  const front = [axis, ...range(node.shape.length).filter((each) => each !== axis)];
  const taken = builder.take(builder.permute(node, front), builder.part(route, "group"));
  return builder.permute(
    taken,
    range(front.length).map((each) => front.indexOf(each)),
  );
}

/** The equal extrema share the gradient equally. */
function gradientOfReduce({ builder: b }: Backward, node: ReduceNode, gradient: Node): Node {
  const { input, axes } = node;
  const axis = input.shape[axes[0]!]!;
  const spread = (reduced: Node): Node =>
    node.groups && axis.kind === "ragged"
      ? rowsFromGroups(b, reduced, axes[0]!, axis.by)
      : b.broadcastTo(
          reduced,
          input.shape,
          range(input.shape.length).filter((each) => !axes.includes(each)),
        );
  if (node.fn === "sum") return spread(gradient);
  const extremal = b.map("eq", input, spread(node));
  const ones = b.cast(extremal, "f32");
  const count = node.groups ? b.reduceGroups("sum", ones, axes[0]!) : b.sum(ones, axes);
  // At least 1: nothing is divided by the count of an empty group, which no row reads.
  return b.select(extremal, spread(b.div(gradient, b.map("max", count, 1))), 0);
}

/** The gradient of one operand of a contraction: the contraction of the result's gradient with the other operand. */
function gradientOfFactor(builder: GraphBuilder, node: ContractNode, side: "a" | "b", gradient: Node): Node {
  const { labels, ragged } = node;
  const factor = node[side];
  const [other, otherLabels] = side === "a" ? [node.b, labels.b] : [node.a, labels.a];
  const mine = labels[side];
  const present = new Set(labels.out + otherLabels);
  const formula = (out: string): string => `${labels.out},${otherLabels}->${out}`;
  if (
    ragged !== undefined &&
    !present.has(ragged.row) &&
    mine.includes(ragged.row) &&
    present.has(ragged.group)
  ) {
    // The rows are summed and only this operand has them: each row gets what its group gets.
    const byGroup = [...mine].map((label) => (label === ragged.row ? ragged.group : label));
    const available = byGroup.filter((label) => present.has(label));
    const groups = builder.contract(gradient, other, formula(available.join("")));
    const row = factor.shape[mine.indexOf(ragged.row)]!;
    if (row.kind !== "ragged") throw new Error(`internal: rows without a routing: ${printNode(node)}`);
    const rows = rowsFromGroups(builder, groups, available.indexOf(ragged.group), row.by);
    return builder.broadcastTo(
      rows,
      factor.shape,
      available.map((label) => byGroup.indexOf(label)),
    );
  }
  if (ragged !== undefined && present.has(ragged.row)) present.add(ragged.group);
  const available = [...mine].filter((label) => present.has(label));
  const grouped =
    ragged !== undefined &&
    present.has(ragged.row) &&
    (labels.out + otherLabels + mine).includes(ragged.group);
  const small = builder.contract(gradient, other, formula(available.join("")), grouped ? ragged : undefined);
  // A label that only this operand has was summed alone: the gradient repeats along it.
  return builder.broadcastTo(
    small,
    factor.shape,
    available.map((label) => mine.indexOf(label)),
  );
}

const rules: { readonly [Op in Node["op"]]: Rule<Op> } = {
  input: nothing,
  tensor: nothing,
  const: nothing,
  size: nothing,
  index: nothing,
  random: nothing,
  choose: nothing,
  route: nothing,
  part: nothing,
  map: (back, node, gradient) => mapRules[node.fn](back, node, gradient),
  view: (back, node, gradient) => back.give(node.input, gradientOfView(back, node, gradient)),
  reduce: (back, node, gradient) => back.give(node.input, gradientOfReduce(back, node, gradient)),
  scan: (back, { input, axis, exclusive, reverse }, gradient) =>
    back.give(input, back.builder.scan(gradient, axis, { exclusive, reverse: !reverse })),
  contract: (back, node, gradient) => {
    for (const side of ["a", "b"] as const)
      if (back.wants(node[side])) back.give(node[side], gradientOfFactor(back.builder, node, side, gradient));
  },
  dispatch: (back, { input, route, per }, gradient) =>
    back.give(input, back.builder.combine(gradient, route, per)),
  combine: (back, { input, route, per }, gradient) =>
    back.give(input, back.builder.dispatch(gradient, route, per)),
  take: (back, node, gradient) => back.give(node.table, gradientOfTable(back.builder, node, gradient)),
};

/** The rule of a node's own operation; the table's type says that it fits. */
const ruleOf = (node: Node): Rule<Node["op"]> => rules[node.op] as Rule<Node["op"]>;

export function differentiate(
  builder: GraphBuilder,
  loss: Node,
  wrt: readonly Node[],
): ReadonlyMap<Node, Node> {
  if (loss.dtype !== "f32" || loss.shape.length > 0)
    throw new Error(`internal: the loss is no f32 scalar: ${printNode(loss)}`);
  const nodes = nodesOf([loss]);
  const asked = new Set(wrt);
  const carries = new Set<Node>();
  for (const node of nodes)
    if (asked.has(node) || (node.dtype === "f32" && operandsOf(node).some((operand) => carries.has(operand))))
      carries.add(node);

  const sums = new Map<Node, Node>([[loss, builder.constant(1)]]);
  const back: Backward = {
    builder,
    wants: (operand) => operand.dtype === "f32" && carries.has(operand),
    give: (operand, gradient) => {
      if (!back.wants(operand)) return;
      const before = sums.get(operand);
      sums.set(operand, before === undefined ? gradient : builder.add(before, gradient));
    },
  };
  const outside = builder.origin;
  const origins = new Map<Origin, Origin>();
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    const gradient = sums.get(node);
    if (gradient === undefined || !carries.has(node)) continue;
    let origin = origins.get(node.origin);
    if (origin === undefined)
      origins.set(node.origin, (origin = { ...node.origin, path: `${node.origin.path}'` }));
    builder.origin = origin;
    ruleOf(node)(back, node, gradient);
  }
  builder.origin = outside;
  return new Map(
    wrt.map((node) => {
      const zero = (): Node => builder.broadcastTo(builder.constant(0), node.shape);
      return [node, sums.get(node) ?? zero()];
    }),
  );
}
