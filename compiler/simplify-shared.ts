// Rules that are only worth it when a value has no other user, or when what they need is in the graph anyway. They look
// at a whole simplified graph, so they are tried while it is rebuilt, not while nodes are made.
// In: an old node, how often each old contraction is used, old contractions by operand. Out: what it equals in the new builder.

import type { ContractNode, Graph, MapNode, Node } from "./graph.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { NodeMap, type ReadonlyNodeMap } from "./graph-map.ts";
import { rootsOf } from "./graph-walk.ts";
import { range } from "./simplify-rule.ts";

export interface Surroundings {
  /** How many operand places (and outputs) each contraction fills. */
  readonly uses: ReadonlyNodeMap<number>;
  /** Contractions that read a node. */
  readonly contractions: ReadonlyNodeMap<readonly ContractNode[]>;
}

export function surroundingsOf(graph: Graph, nodes: readonly Node[]): Surroundings {
  const contractions = new NodeMap<ContractNode[]>(nodes);
  const uses = new NodeMap<number>(nodes);
  const use = (node: Node): void => {
    if (node.op === "contract") uses.set(node, (uses.get(node) ?? 0) + 1);
  };
  rootsOf(graph).forEach(use);
  for (const node of nodes) {
    for (const operand of node.operands) use(operand);
    if (node.op !== "contract") continue;
    for (const operand of node.a === node.b ? [node.a] : node.operands) {
      const known = contractions.get(operand);
      if (known === undefined) contractions.set(operand, [node]);
      else known.push(node);
    }
  }
  return { uses, contractions };
}

export interface SharedRule {
  readonly name: string;
  /** The operation of the nodes that it looks at. */
  readonly op: Node["op"];
  /** `of` gives the new node of an old operand. */
  readonly apply: (
    builder: GraphBuilder,
    node: Node,
    around: Surroundings,
    of: (node: Node) => Node,
  ) => Node | undefined;
}

const contractOver = (b: GraphBuilder, node: ContractNode, out: string, of: (node: Node) => Node): Node => {
  const { labels, ragged } = node;
  const stays = ragged !== undefined && (labels.a + labels.b + out).includes(ragged.group);
  return b.contract(of(node.a), of(node.b), `${labels.a},${labels.b}->${out}`, stays ? ragged : undefined);
};

/** Labels and ragged labels in the letters of another contraction, matched operand by operand. */
function sameContraction(
  found: ContractNode,
  first: Node,
  second: Node,
  labels: readonly [string, string, string],
  ragged: ContractNode["ragged"],
): boolean {
  const matches = (a: string, b: string): boolean => {
    const letters = new Map<string, string>();
    const pairs = [...(a + b + labels[2])].map(
      (label, i) => [label, (found.labels.a + found.labels.b + found.labels.out)[i]] as const,
    );
    const back = new Map<string, string>();
    for (const [mine, theirs] of pairs) {
      if (theirs === undefined) return false;
      if ((letters.get(mine) ?? theirs) !== theirs || (back.get(theirs) ?? mine) !== mine) return false;
      letters.set(mine, theirs);
      back.set(theirs, mine);
    }
    const named = (label: string | undefined): string | undefined =>
      label === undefined ? undefined : letters.get(label);
    return named(ragged?.row) === found.ragged?.row && named(ragged?.group) === found.ragged?.group;
  };
  const sizes = [found.labels.a.length, found.labels.b.length, found.labels.out.length];
  if (found.a === first && found.b === second)
    return sizes.join() === labels.map((text) => text.length).join() && matches(labels[0], labels[1]);
  return (
    found.a === second &&
    found.b === first &&
    sizes.join() === [labels[1].length, labels[0].length, labels[2].length].join() &&
    matches(labels[1], labels[0])
  );
}

/** Whether a row dot is turned: from `other` times the contraction `inner` to the contraction `found`. Both are in the graph;
 * turning back as well would never end. */
type Wants = (other: Node, inner: ContractNode, found: ContractNode) => boolean;

/** sum_n d[r, n] (sum_k a[r, k] w[k, n]) = sum_k a[r, k] (sum_n d[r, n] w[k, n]), if the inner product on the right is there. */
export const rowDot = (name: string, wants: Wants): SharedRule => ({
  name,
  op: "reduce",
  apply: (b, node, around, of) => {
    if (node.op !== "reduce" || node.fn !== "sum" || node.groups) return undefined;
    if (node.input.op !== "map" || node.input.fn !== "mul") return undefined;
    return turnRowDot(b, node.input, node.axes, around, of, wants);
  },
});

function turnRowDot(
  b: GraphBuilder,
  product: MapNode,
  reduced: readonly number[],
  around: Surroundings,
  of: (node: Node) => Node,
  wants: Wants,
): Node | undefined {
  for (const [other, inner] of [product.inputs, [...product.inputs].reverse()] as [Node, Node][]) {
    if (inner.op !== "contract") continue;
    const { labels, ragged } = inner;
    const summed = reduced.map((axis) => labels.out[axis]!);
    const kept = [...labels.out].filter((label) => !summed.includes(label));
    for (const [left, leftLabels, right, rightLabels] of [
      [inner.a, labels.a, inner.b, labels.b],
      [inner.b, labels.b, inner.a, labels.a],
    ] as const) {
      // `left` has all that is kept and nothing that is summed outside; what else it has is summed inside.
      if (
        summed.some((label) => leftLabels.includes(label)) ||
        !kept.every((label) => leftLabels.includes(label))
      )
        continue;
      const found = around.contractions
        .get(other)
        ?.find((node) => sameContraction(node, other, right, [labels.out, rightLabels, leftLabels], ragged));
      if (found === undefined || !wants(other, inner, found)) continue;
      // Made here, since the old one may come later; the two become one.
      const dot = b.mul(contractOver(b, found, found.labels.out, of), of(left));
      const gone = range(leftLabels.length).filter((axis) => !kept.includes(leftLabels[axis]!));
      const order = [...leftLabels].filter((label) => kept.includes(label));
      return b.permute(
        b.sum(dot, gone),
        kept.map((label) => order.indexOf(label)),
      );
    }
  }
  return undefined;
}

export const sharedRules: readonly SharedRule[] = [
  {
    name: "permute of contract",
    op: "view",
    apply: (b, node, { uses }, of) => {
      if (node.op !== "view" || node.view.kind !== "permute" || node.input.op !== "contract")
        return undefined;
      if (uses.get(node.input) !== 1) return undefined;
      const { out } = node.input.labels;
      return contractOver(b, node.input, node.view.axes.map((axis) => out[axis]!).join(""), of);
    },
  },
  {
    name: "sum of contract",
    op: "reduce",
    apply: (b, node, { uses }, of) => {
      if (node.op !== "reduce" || node.fn !== "sum" || node.groups || node.input.op !== "contract")
        return undefined;
      if (uses.get(node.input) !== 1) return undefined;
      const out = [...node.input.labels.out].filter((_, i) => !node.axes.includes(i));
      return contractOver(b, node.input, out.join(""), of);
    },
  },
  // The later one is the backward pass's.
  rowDot("row dot of a contraction", (other, inner, found) => other.op === "dispatch" && found.id > inner.id),
];
