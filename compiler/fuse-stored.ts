// Which nodes get memory, before clusters are made: everything that is no element-wise function or view, the last of a
// contraction's epilogue, what is rounded to half width, what keeps kernels within their bindings, and what costs too much to compute again (fuse-cost.ts).
// In: nodes in order and their users. Out: the set of stored nodes. Deliberately absent: clusters (fuse.ts).

import type { Node } from "./graph.ts";
import { NodeMap, NodeSet } from "./graph-map.ts";
import { sameShape } from "./graph-axis.ts";
import { storeRepeated } from "./fuse-cost.ts";
import { isNarrowed, isVirtual, mayStore, readOperands } from "./fuse-kinds.ts";
import { isSource } from "./fuse-trace.ts";
import { operandsOf } from "./graph-walk.ts";
import { canonical } from "./lower/parts.ts";
import type { Users } from "./stream-region.ts";

/** `inlined` nodes never get memory: the tiles of streamed kernels. */
export function chooseStored(
  nodes: readonly Node[],
  users: Users,
  mostLeaves: number,
  inlined: ReadonlySet<Node> = new Set(),
): NodeSet {
  const stored = new NodeSet(nodes);
  for (const node of nodes) {
    if (node.op === "input" || node.op === "tensor" || node.op === "part" || inlined.has(node)) continue;
    if (!isVirtual(node) || users.isRoot(node)) stored.add(node);
  }
  for (const node of nodes)
    if ((node.op === "contract" && !inlined.has(node)) || (node.op === "combine" && node.per === "token")) {
      const join = joinOf(node, users);
      if (join !== undefined) stored.add(join);
    }
  // What is rounded is written once, in half the bytes, by the kernel that computes it. Where none does, cost decides.
  for (const node of nodes) if (isNarrowed(node) && !inlined.has(node) && isMade(node)) stored.add(node);
  limitLeaves(nodes, stored, mostLeaves, inlined);
  storeRepeated(nodes, users, stored, inlined);
  limitLeaves(nodes, stored, mostLeaves, inlined);
  return stored;
}

/** Whether functions lead to a node from what a kernel makes anyway, at its own places. */
const isMade = (node: Node): boolean =>
  isBelow(
    node,
    isStoredAnyway,
    (at) => at.op === "map" || (at.op === "view" && at.view.kind === "broadcast"),
  );

const isStoredAnyway = (node: Node): boolean => !isVirtual(node) && !isSource(node);

/** Whether what a node is computed from has such a node, as far as one may look through what comes before. */
function isBelow(
  node: Node,
  wanted: (node: Node) => boolean,
  through: (node: Node) => boolean = isVirtual,
): boolean {
  const rest = [...operandsOf(node)];
  const seen = new Set<Node>();
  for (let at = rest.pop(); at !== undefined; at = rest.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    if (wanted(at)) return true;
    if (through(at)) rest.push(...operandsOf(at));
  }
  return false;
}

/** The last map that all uses of a contraction's result lead to: its epilogue ends there. What is rounded on the way is stored
 * as well, and whoever reads that is no use of the result. */
function joinOf(root: Node, users: Users): Node | undefined {
  let join: Node | undefined;
  const open = new Map<number, Node>();
  const enqueue = (node: Node): boolean => {
    for (const user of users.of(node)) {
      if (user.op !== "map" || !sameShape(user.shape, root.shape)) return false;
      open.set(user.id, user);
    }
    return !users.isRoot(node);
  };
  if (!enqueue(root)) return undefined;
  let rounded = false;
  /** What waits for a later kernel is in no epilogue of this one. */
  const found = (): Node | undefined =>
    rounded && join !== undefined && isBelow(join, (at) => isStoredAnyway(at) && at.id > root.id)
      ? undefined
      : join;
  for (let steps = 0; open.size > 0 && steps < 48; steps++) {
    const first = Math.min(...open.keys());
    const node = open.get(first)!;
    open.delete(first);
    if (open.size === 0) join = node;
    if (isNarrowed(node)) rounded = true;
    else if (!enqueue(node)) return found();
  }
  return found();
}

/** Leaves of virtual nodes are bounded, so that no kernel needs more buffers than it may bind. */
function limitLeaves(
  nodes: readonly Node[],
  stored: NodeSet,
  most: number,
  inlined: ReadonlySet<Node>,
): void {
  const leaves: Leaves = new NodeMap(nodes);
  const alone: Leaves = new NodeMap(nodes);
  const of = (given: Node): readonly Node[] => {
    const node = canonical(given);
    if (!stored.has(node) && (isVirtual(node) || inlined.has(node))) return leaves.get(node) ?? none;
    let itself = alone.get(node);
    if (itself === undefined) alone.set(node, (itself = [node]));
    return itself;
  };
  for (const node of nodes) {
    const inputs = readOperands(node);
    const route = node.op === "dispatch" || (node.op === "combine" && isVirtual(node)) ? [node.route] : none;
    let union = unionOf(inputs, of, route);
    while (union.length > most) {
      const largest = inputs
        .map(belowViews)
        .filter(
          (input) => mayStore(input) && !stored.has(input) && !inlined.has(input) && of(input).length > 1,
        )
        .sort((a, b) => of(b).length - of(a).length)[0];
      if (largest === undefined) break;
      stored.add(largest);
      refresh(largest, inputs, leaves, of);
      union = unionOf(inputs, of, route);
    }
    leaves.set(node, union);
  }
}

/** The leaves of nodes, each once: few, so they are lists. */
type Leaves = NodeMap<readonly Node[]>;
const none: readonly Node[] = [];

function unionOf(
  inputs: readonly Node[],
  of: (node: Node) => readonly Node[],
  more: readonly Node[],
): readonly Node[] {
  const first = inputs.length === 0 ? none : of(inputs[0]!);
  let union: Node[] | undefined;
  const add = (leaves: readonly Node[]): void => {
    for (const leaf of leaves) if (!(union ?? first).includes(leaf)) (union ??= [...first]).push(leaf);
  };
  for (let i = 1; i < inputs.length; i++) add(of(inputs[i]!));
  add(more);
  return union ?? first;
}

/** What is looked at through views and gathers: they cannot have memory of their own. */
function belowViews(node: Node): Node {
  let at = node;
  while (at.op === "view" || at.op === "dispatch") at = at.input;
  return at;
}

/** The leaf sets of the views and gathers between a node that now has memory and its user. */
function refresh(
  stored: Node,
  inputs: readonly Node[],
  leaves: Leaves,
  of: (node: Node) => readonly Node[],
): void {
  for (const input of inputs) {
    const path: Node[] = [];
    let at = input;
    while (at.op === "view" || at.op === "dispatch") {
      path.unshift(at);
      at = at.input;
    }
    if (at !== stored) continue;
    let below = of(stored);
    for (const node of path) {
      if (node.op === "dispatch" && !below.includes(node.route)) below = [...below, node.route];
      leaves.set(node, below);
    }
  }
}
