// What is known of the nodes of one graph: tables and sets by the nodes' numbers. Every pass asks dozens of times for each of tens
// of thousands of nodes, and by numbers is several times as fast as by objects.
// The canonical parts of routings have numbers below zero and are few: they are kept by themselves.

import type { Node } from "./graph.ts";

export interface ReadonlyNodeMap<T> {
  get(node: Node): T | undefined;
  has(node: Node): boolean;
}

export class NodeMap<T> implements ReadonlyNodeMap<T> {
  private readonly values: (T | undefined)[];
  private readonly parts = new Map<Node, T>();

  /** `nodes`: of the graph, the last made last. */
  constructor(nodes: readonly Node[]) {
    // Of its full length from the start: engines make tables of arrays that grow from their end.
    this.values = new Array<T | undefined>((nodes.at(-1)?.id ?? -1) + 1).fill(undefined);
  }

  get(node: Node): T | undefined {
    return node.id < 0 ? this.parts.get(node) : this.values[node.id];
  }
  has(node: Node): boolean {
    return this.get(node) !== undefined;
  }
  set(node: Node, value: T): void {
    if (node.id < 0) this.parts.set(node, value);
    else this.values[node.id] = value;
  }
}

export interface ReadonlyNodeSet {
  has(node: Node): boolean;
}

/** Without parts: they are never in it. */
export class NodeSet implements ReadonlyNodeSet {
  private readonly flags: Uint8Array;

  constructor(nodes: readonly Node[]) {
    this.flags = new Uint8Array((nodes.at(-1)?.id ?? -1) + 1);
  }

  has(node: Node): boolean {
    return this.flags[node.id] === 1;
  }
  add(node: Node): void {
    this.flags[node.id] = 1;
  }
}
