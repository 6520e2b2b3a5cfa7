// Signatures: the text of everything that a piece of the graph is made of, so that equal pieces are worked on once.
// In: root nodes, and which nodes are leaves. Out: a text that is equal for equal pieces, whatever the nodes' ids and
// origins are, and the nodes in the order in which the text numbers them. A model repeats its layers; their clusters
// have equal signatures, and one of them is lowered. Deliberately absent: what equal pieces have in common is up to the caller.

import type { Node, RouteNode, Shape } from "../graph.ts";
import { keyOfSize } from "../graph-axis.ts";
import { NodeMap } from "../graph-map.ts";
import { printOperation } from "../print-graph.ts";
import { canonical } from "./parts.ts";

export interface SignatureAbout {
  /** What there is to say of a node that is read, not computed; undefined when it is computed here. */
  readonly leaf: (node: Node) => string | undefined;
  /** What there is to say of a node that is computed here, beside its operation. */
  readonly inner?: (node: Node) => string;
  /** What there is to say of a routing that is only named or read. */
  readonly route?: (node: RouteNode) => string;
}

export interface Signature {
  readonly key: string;
  readonly nodes: readonly Node[];
}

/** What signatures say of single nodes, made once for all signatures of a graph. */
export interface NodeTexts {
  /** Operation, and type where it is plain text: axes of rows are told by the number of their routing. */
  readonly computed: NodeMap<string>;
  /** Type, where it is plain text. */
  readonly read: NodeMap<string>;
}
export const nodeTexts = (nodes: readonly Node[]): NodeTexts => ({
  computed: new NodeMap(nodes),
  read: new NodeMap(nodes),
});

/** Whether a type is the same text wherever it is written. The rows of a routing have the routing itself for an axis. */
function isPlain({ op, shape }: Node): boolean {
  for (const axis of shape) if (axis.kind !== "dense") return false;
  return op !== "route";
}

function denseType({ dtype, shape }: Node): string {
  let text = `${dtype}[`;
  for (const { size } of shape) text += `${keyOfSize(size)},`;
  return `${text}]`;
}

const operationText = (node: Node): string =>
  node.op === "const" && Object.is(node.value, -0) ? "const -0" : printOperation(node);

/** Roots are always computed here. */
export function signatureOf(roots: readonly Node[], texts: NodeTexts, about: SignatureAbout): Signature {
  const numbers = new Map<Node, number>();
  const nodes: Node[] = [];
  const own = new Set(roots);
  let key = "";

  const shapeText = (shape: Shape): string => {
    let text = "";
    for (const axis of shape)
      text += axis.kind === "dense" ? `${keyOfSize(axis.size)},` : `@${visit(axis.by)},`;
    return text;
  };
  const raggedType = ({ op, dtype, shape }: Node): string =>
    op === "route" ? dtype : `${dtype}[${shapeText(shape)}]`;
  const leafText = (node: Node): string => {
    if (!isPlain(node)) return raggedType(node);
    let text = texts.read.get(node);
    if (text === undefined) texts.read.set(node, (text = denseType(node)));
    return text;
  };
  const textOf = (node: Node): string => {
    if (node.op === "route" && !own.has(node))
      return `route ${node.groups} ${keyOfSize(node.bound)} [${shapeText(node.picks.shape)}] ${about.route?.(node) ?? ""}`;
    if (node.op === "part") return `part ${node.part} ${visit(node.route)} ${about.leaf(node) ?? ""}`;
    const leaf = own.has(node) ? undefined : about.leaf(node);
    if (leaf !== undefined) return `leaf ${leaf} ${leafText(node)}`;
    const plain = isPlain(node);
    let text = texts.computed.get(node);
    if (text === undefined) {
      text = plain ? `${operationText(node)} ${denseType(node)}` : operationText(node);
      texts.computed.set(node, text);
    }
    for (const operand of node.operands) text += ` %${visit(operand)}`;
    return `${text} ${plain ? "" : raggedType(node)} ${about.inner?.(node) ?? ""}`;
  };
  const visit = (given: Node): number => {
    const node = canonical(given);
    const before = numbers.get(node);
    if (before !== undefined) return before;
    const text = textOf(node);
    const number = nodes.length;
    numbers.set(node, number);
    nodes.push(node);
    key += `${text};`;
    return number;
  };
  const order = roots.map(visit).join(",");
  return { key: `${key}${order}`, nodes };
}
