// Rules for contractions: permutations and repeats of an operand become labels; a factor per row leaves the operand.
// In and out: see simplify-rule.ts.

import type { ContractNode, Node } from "./graph.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { constantOf, place, range, type Rule } from "./simplify-rule.ts";

type Side = "a" | "b";
type Ragged = ContractNode["ragged"];

/** The contraction with one operand and its labels replaced; labels of groups go with the last tensor that has them. */
function withOperand(
  b: GraphBuilder,
  node: ContractNode,
  side: Side,
  operand: Node,
  labels: string,
  out = node.labels.out,
): Node {
  const [left, right] = side === "a" ? [labels, node.labels.b] : [node.labels.a, labels];
  const all = left + right + out;
  const { ragged } = node;
  const grouped: Ragged = ragged !== undefined && all.includes(ragged.group) ? ragged : undefined;
  const [first, second] = side === "a" ? [operand, node.b] : [node.a, operand];
  return b.contract(first, second, `${left},${right}->${out}`, grouped);
}

/** Applies a rule to either operand. */
const eitherSide = (
  name: string,
  apply: (b: GraphBuilder, node: ContractNode, side: Side) => Node | undefined,
): Rule<ContractNode> => ({ name, apply: (b, node) => apply(b, node, "a") ?? apply(b, node, "b") });

export const contractRules: readonly Rule<ContractNode>[] = [
  eitherSide("contract of permute", (b, node, side) => {
    const operand = node[side];
    if (operand.op !== "view" || operand.view.kind !== "permute") return undefined;
    const { axes } = operand.view;
    const labels = axes.map((_, i) => node.labels[side][axes.indexOf(i)]!).join("");
    return withOperand(b, node, side, operand.input, labels);
  }),
  eitherSide("contract of broadcast", (b, node, side) => {
    const operand = node[side];
    if (operand.op !== "view" || operand.view.kind !== "broadcast") return undefined;
    const { ragged, labels } = node;
    const other = labels[side === "a" ? "b" : "a"];
    const { axes } = operand.view;
    const mine = [...labels[side]];
    // A repeated label that the other operand has, or whose index follows from a row there, asks for no loop here.
    const free = (label: string): boolean =>
      other.includes(label) || (ragged !== undefined && label === ragged.group && other.includes(ragged.row));
    const onlyOut = (label: string): boolean =>
      labels.out.includes(label) &&
      (ragged === undefined || (label !== ragged.row && label !== ragged.group));
    const repeated = mine.filter((_, i) => !axes.includes(i));
    const dropped = repeated.filter((label) => free(label) || onlyOut(label));
    if (dropped.length === 0) return undefined;
    const left = range(mine.length).filter((i) => !dropped.includes(mine[i]!));
    const inner = b.broadcastTo(
      operand.input,
      left.map((i) => operand.shape[i]!),
      axes.map((axis) => left.indexOf(axis)),
    );
    const out = [...labels.out].filter(
      (label) => other.includes(label) || !dropped.includes(label) || free(label),
    );
    const small = withOperand(b, node, side, inner, left.map((i) => mine[i]!).join(""), out.join(""));
    return b.broadcastTo(
      small,
      node.shape,
      out.map((label) => labels.out.indexOf(label)),
    );
  }),
  eitherSide("contract with a scalar", (b, node, side) => {
    if (node.labels[side] !== "" || node.ragged !== undefined) return undefined;
    const [other, labels] = side === "a" ? [node.b, [...node.labels.b]] : [node.a, [...node.labels.a]];
    const out = [...node.labels.out];
    const summed = range(labels.length).filter((i) => !out.includes(labels[i]!));
    const kept = labels.filter((label) => out.includes(label));
    const sum = place(
      b,
      b.sum(other, summed),
      kept.map((label) => out.indexOf(label)),
      node.shape,
    );
    return b.mul(sum, node[side]);
  }),
  // The weight of a row multiplies after the product with its expert's matrix: then the product of the bare rows is
  // shared with the row dots (see "row dot of a contraction").
  eitherSide("contract of scaled rows", (b, node, side) => {
    const operand = node[side];
    if (operand.op !== "map" || operand.fn !== "mul") return undefined;
    for (const [rows, scale] of [operand.inputs, [...operand.inputs].reverse()] as [Node, Node][]) {
      if (rows.op !== "dispatch" || scale.op !== "view" || scale.view.kind !== "broadcast") continue;
      const labels = scale.view.axes.map((axis) => node.labels[side][axis]!);
      if (constantOf(scale) !== undefined || !labels.every((label) => node.labels.out.includes(label)))
        continue;
      const bare = withOperand(b, node, side, rows, node.labels[side]);
      return b.mul(
        bare,
        place(
          b,
          scale.input,
          labels.map((label) => node.labels.out.indexOf(label)),
          node.shape,
        ),
      );
    }
    return undefined;
  }),
];
