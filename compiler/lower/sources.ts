// What the evaluation of values is told: where stored nodes are; and what it tells those who only look.
// In: nothing. Out: two interfaces. Deliberately absent: the evaluation (value.ts).

import type { Node } from "../graph.ts";
import type { Affine } from "./affine.ts";
import type { Memory } from "./emitter.ts";
import type { At } from "./layout.ts";

/** What the evaluation sees, for analyses that run it without keeping the code. */
export interface Trace {
  /** A read of memory at a flat index. */
  readonly load?: (node: Node, at: At, flat: Affine) => void;
  /** A read of a node bound to a local. */
  readonly bound?: (node: Node, at: At) => void;
  /** An index used as a number: a guard, a gather, a counter. */
  readonly index?: (index: Affine) => void;
}

export interface Sources {
  /** Where a node's elements are, when it has memory. */
  readonly memoryOf: (node: Node) => Memory | undefined;
  /** How often a node is used in the graph: shared values get a name. */
  readonly usesOf: (node: Node) => number;
  readonly trace?: Trace;
}
