// Terms: how a node is computed from what lies in memory, and from which nodes that is. The first is a number, equal where nodes are
// computed in the same way, whatever their ids and origins are. A model repeats its layers: their nodes have equal numbers and other
// leaves, and what was found out of one (what its kernel reads, the kernel itself) holds for all.
// In: the nodes of a graph in order, and which of them have memory. Out: the term of each, found in one walk: a term is told by its
// operation, its operands' terms, and which of their leaves are the same, because equal nodes of a graph are one node.
// Deliberately absent: what follows from equal numbers (fuse-trace.ts, memo.ts).

import type { Node, Shape } from "../graph.ts";
import { keyOfSize } from "../graph-axis.ts";
import { NodeMap, type ReadonlyNodeMap, type ReadonlyNodeSet } from "../graph-map.ts";
import { printOperation } from "../print-graph.ts";
import { canonical } from "./parts.ts";

export interface Term {
  readonly number: number;
  /** What has memory, and the routings whose rows are spoken of, each once, in the order in which the term counts them. */
  readonly leaves: readonly Node[];
}

/** Numbers by what they stand for; shared by the graphs whose terms are compared. */
export type TermNumbers = Map<string, number>;

export class Terms {
  /** Of nodes as their own kernels compute them, where they have memory. */
  private readonly made: NodeMap<Term>;
  /** Of nodes as others read them. */
  private readonly read: NodeMap<Term>;
  private readonly numbers: TermNumbers;
  /** Texts of dense shapes. */
  private readonly shapes = new Map<Shape, string>();

  /** `uses`: a value that is used again has a name in its kernel, so it is another term. */
  constructor(
    nodes: readonly Node[],
    stored: ReadonlyNodeSet,
    uses: ReadonlyNodeMap<number>,
    numbers: TermNumbers,
  ) {
    this.made = new NodeMap(nodes);
    this.read = new NodeMap(nodes);
    this.numbers = numbers;
    for (const node of nodes) {
      if (node.op === "input" || node.op === "tensor") this.read.set(node, this.leaf(node));
      else if (stored.has(node)) {
        this.made.set(node, this.computed(node, false));
        // A constant is written out wherever it is read.
        this.read.set(node, node.op === "const" ? this.of(node) : this.leaf(node));
      } else if (node.op !== "part") this.read.set(node, this.computed(node, (uses.get(node) ?? 1) > 1));
    }
  }

  /** Of a node with memory, as its kernel computes it. */
  of(node: Node): Term {
    return found(this.made.get(node), node);
  }

  /** Of a node as others read it: from memory, or computed where it is read. */
  asRead(given: Node): Term {
    const node = canonical(given);
    const term = this.read.get(node);
    if (term !== undefined || node.op !== "part") return found(term, node);
    const part = this.leaf(node);
    this.read.set(node, part);
    return part;
  }

  private computed(node: Node, again: boolean): Term {
    const draft = new Draft(again ? `${operationText(node)}*` : operationText(node));
    for (const operand of node.operands) draft.mention(this.asRead(operand));
    // The type of a map follows from its operands', and a routing's rows are its own.
    if (node.op !== "map" && node.op !== "route") this.mentionType(draft, node);
    return this.numbered(draft);
  }

  private leaf(node: Node): Term {
    if (node.op === "part") {
      const draft = new Draft(`part ${node.part}`);
      draft.mention(this.asRead(node.route));
      return this.numbered(draft);
    }
    const draft = new Draft(node.op === "route" ? operationText(node) : "leaf", [node]);
    this.mentionType(draft, node.op === "route" ? node.picks : node);
    return this.numbered(draft);
  }

  /** A type is a text, and the routings whose rows it speaks of. */
  private mentionType(draft: Draft, { dtype, shape }: Node): void {
    let text = this.shapes.get(shape);
    const dense = text !== undefined || shape.every(({ kind }) => kind === "dense");
    if (text === undefined) {
      text = "";
      for (const axis of shape) text += axis.kind === "dense" ? `${keyOfSize(axis.size)},` : "@,";
      if (dense) this.shapes.set(shape, text);
    }
    draft.text += ` ${dtype}[${text}]`;
    if (!dense) for (const axis of shape) if (axis.kind === "ragged") draft.mention(this.asRead(axis.by));
  }

  private numbered({ text, leaves }: Draft): Term {
    let number = this.numbers.get(text);
    if (number === undefined) this.numbers.set(text, (number = this.numbers.size));
    return { number, leaves };
  }
}

/** A term that is being made. */
class Draft {
  text: string;
  /** Those of the first that is mentioned, until there are more. */
  leaves: readonly Node[];
  private own: Node[] | undefined;

  constructor(text: string, leaves: readonly Node[] = none) {
    this.text = text;
    this.leaves = leaves;
  }

  /** Says which of the leaves are the other term's, unless they are the first, in order. */
  mention({ number, leaves }: Term): void {
    this.text += ` %${number}`;
    if (this.leaves.length === 0) this.leaves = leaves;
    if (this.leaves === leaves) return;
    let places = "";
    let first = true;
    for (let i = 0; i < leaves.length; i++) {
      const place = this.placeOf(leaves[i]!);
      places += `,${place}`;
      first &&= place === i;
    }
    if (!first) this.text += places;
  }

  private placeOf(leaf: Node): number {
    const place = this.leaves.indexOf(leaf);
    if (place >= 0) return place;
    if (this.own === undefined) this.leaves = this.own = [...this.leaves];
    return this.own.push(leaf) - 1;
  }
}

const none: readonly Node[] = [];

function found(term: Term | undefined, node: Node): Term {
  if (term === undefined) throw new Error(`internal: %${node.id} ${node.op} has no term`);
  return term;
}

const operationText = (node: Node): string =>
  node.op === "const" && Object.is(node.value, -0) ? "const -0" : printOperation(node);
