// Computing again against storing: the maps for which computing them in every consumer costs more than writing and reading them.
// A model of costs with few numbers, in units of one addition of one element; symbolic sizes are estimated.
// In: nodes in order, their users, and what is stored for certain. Out: what is stored for speed, added to it.

import type { Node, Shape } from "./graph.ts";
import { NodeMap, NodeSet, type ReadonlyNodeMap, type ReadonlyNodeSet } from "./graph-map.ts";
import { operandsOf } from "./graph-walk.ts";
import { elements, estimate } from "./estimate.ts";
import { isNarrowed, isVirtual, mayStore, readOperands } from "./fuse-kinds.ts";
import { workOf } from "./lower/map-functions.ts";
import type { Users } from "./stream-region.ts";

/** Reading an element of four bytes, and writing one: at some 10 GB/s, in additions of four lanes at a time. */
const readCost = 5;
const writeCost = 10;
/** Clamping an index and choosing between the input and 0. */
const padWork = 6;
/** Columns (rows) of a contraction that share one staging of the other operand. */
const stagedBlock = 128;

/** Consumers first: how often each element of a node would be computed, against writing it once. */
export function storeRepeated(
  nodes: readonly Node[],
  users: Users,
  stored: NodeSet,
  inlined: ReadonlySet<Node>,
): void {
  const costOf = costsIn(nodes, stored);
  const latest = latestMakers(nodes);
  const sinks = new NodeMap<Sinks>(nodes);
  // computed once per row wherever it is needed: next to nothing
  const perRow = new NodeSet(nodes);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    if (!isVirtual(node) || stored.has(node)) continue;
    const own = sinksOf(node, users.of(node), { stored, sinks, latest });
    const { count, inRows } = own;
    const width = isNarrowed(node) ? 0.5 : 1;
    const [read, write] = inRows ? [1, 1] : [width * readCost, width * writeCost];
    if (users.of(node).every((user) => repeatsInside(user) || perRow.has(user))) perRow.add(node);
    else if (
      mayStore(node) &&
      !inlined.has(node) &&
      count > 1 &&
      workOnce(costOf(node)) * (count - 1) > write + read * count
    ) {
      stored.add(node);
      continue;
    }
    sinks.set(node, own);
  }
}

/** What one element of a virtual node costs: arithmetic, and how much of an element of each stored node is read. */
interface Cost {
  readonly arithmetic: number;
  readonly reads: Share[];
}
interface Share {
  readonly leaf: Node;
  share: number;
}

const workOnce = ({ arithmetic, reads }: Cost): number =>
  Math.min(
    reads.reduce((sum, { share }) => sum + share * readCost, arithmetic),
    1e6,
  );

/** Few leaves: a list is faster than a table. */
function addShare(reads: Share[], leaf: Node, share: number): void {
  for (const read of reads)
    if (read.leaf === leaf) {
      read.share = Math.max(read.share, share);
      return;
    }
  reads.push({ leaf, share });
}

/** Costs of virtual nodes, found when they are asked for: not all are. Memory is given from the last node to the first, so what a node is
 * computed from is still as it was at the start. */
function costsIn(nodes: readonly Node[], stored: ReadonlyNodeSet): (node: Node) => Cost {
  const costs = new NodeMap<Cost>(nodes);
  const find = (node: Node): Cost => {
    let arithmetic = ownWork(node);
    let reads: Share[] = [];
    const inputs = readOperands(node);
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[i]!;
      if (inputs.indexOf(input) < i) continue;
      // what is broadcast is computed outside of the inner loop; beyond the edge of a pad the input is computed too
      const share =
        input.shape === node.shape || isPad(node)
          ? 1
          : Math.min(1, elements(input.shape) / elements(node.shape));
      if (stored.has(input) || !isVirtual(input)) {
        addShare(reads, input, share);
        continue;
      }
      const inner = of(input);
      arithmetic += inner.arithmetic * share;
      if (share === 1 && inputs.length === 1) reads = inner.reads;
      else for (const read of inner.reads) addShare(reads, read.leaf, read.share * share);
    }
    return { arithmetic, reads };
  };
  const of = (node: Node): Cost => {
    let cost = costs.get(node);
    if (cost === undefined) costs.set(node, (cost = find(node)));
    return cost;
  };
  return of;
}

const isPad = (node: Node): boolean => node.op === "view" && node.view.kind === "pad";

/** One element of a virtual node, without what it is computed from. */
function ownWork(node: Node): number {
  if (node.op === "map") return workOf(node.fn);
  if (node.op === "random") return 60;
  if (node.op === "take") return 2;
  return isPad(node) ? padWork : 0;
}

/** The kernels that compute a node. */
interface Sinks {
  /** By a node of each: how often it computes one element. */
  readonly times: ReadonlyMap<Node, number>;
  /** How often all of them do. */
  readonly count: number;
  /** What row kernels compute and read again stays in a cache. */
  readonly inRows: boolean;
}
interface SinksAbout {
  readonly stored: ReadonlyNodeSet;
  readonly sinks: ReadonlyNodeMap<Sinks>;
  readonly latest: ReadonlyNodeMap<Node>;
}
const mostSinks = 12;

const isRowWise = (node: Node, latest: ReadonlyNodeMap<Node>): boolean => {
  const { op } = isVirtual(node) ? (latest.get(node) ?? node) : node;
  return op === "reduce" || op === "choose" || op === "scan";
};

/** The last node with memory for certain that a virtual node is computed from: its kernel is the one that it may join. */
function latestMakers(nodes: readonly Node[]): ReadonlyNodeMap<Node> {
  const latest = new NodeMap<Node>(nodes);
  for (const node of nodes) {
    if (!isVirtual(node)) continue;
    let last: Node | undefined;
    for (const input of operandsOf(node)) {
      const maker = isVirtual(input) ? latest.get(input) : input;
      if (maker !== undefined && (last === undefined || maker.id > last.id)) last = maker;
    }
    if (last !== undefined) latest.set(node, last);
  }
  return latest;
}

function sinksOf(node: Node, users: readonly Node[], about: SinksAbout): Sinks {
  const [user, ...more] = users;
  if (user !== undefined && more.length === 0) {
    // Most nodes have one user, which reads each element once.
    const theirs = about.sinks.get(user);
    if (theirs !== undefined && theirs.times.size <= mostSinks && readsBy(user, node) === 1) return theirs;
  }
  const times = new Map<Node, number>();
  for (const each of users) addSinks(times, each, node, about);
  let count = 0;
  let inRows = true;
  for (const [anchor, own] of times) {
    count += own;
    inRows &&= isRowWise(anchor, about.latest);
  }
  return { times, count, inRows };
}

/** What one user adds. Maps that end one contraction's epilogue share what they compute; loops over a row do not. */
function addSinks(into: Map<Node, number>, user: Node, node: Node, about: SinksAbout): void {
  const times = readsBy(user, node);
  const theirs = about.sinks.get(user);
  const add = (anchor: Node, count: number): void =>
    void into.set(anchor, Math.max(into.get(anchor) ?? 0, count));
  if (theirs !== undefined && theirs.times.size <= mostSinks)
    for (const [anchor, count] of theirs.times) add(anchor, count * times);
  else if (theirs !== undefined) add(user, times * mostSinks);
  else {
    const maker = isVirtual(user) ? about.latest.get(user) : undefined;
    add(maker !== undefined && (maker.op === "contract" || maker.op === "combine") ? maker : user, times);
  }
}

/** How often one element of `node` is read to compute each element of a user once. */
function readsBy(user: Node, node: Node): number {
  switch (user.op) {
    case "view":
      return user.view.kind === "broadcast" ? repetition(user.view.axes, user.shape) : 1;
    case "dispatch":
    case "take":
      return elements(user.shape) / Math.max(1, elements(node.shape));
    case "contract": {
      const other = user.a === node ? user.labels.b : user.labels.a;
      const own = user.a === node ? user.labels.a : user.labels.b;
      let free = 1;
      for (const [i, label] of [...user.labels.out].entries())
        if (other.includes(label) && !own.includes(label)) free *= estimate(user.shape[i]!.size);
      return Math.max(1, free / stagedBlock);
    }
    case "choose":
    case "route":
      return 2;
    case "input":
    case "tensor":
    case "const":
    case "size":
    case "index":
    case "map":
    case "reduce":
    case "scan":
    case "part":
    case "combine":
    case "random":
      return 1;
    default:
      return user satisfies never;
  }
}

/** A broadcast along the innermost axes. */
const repeatsInside = (user: Node): boolean =>
  user.op === "view" &&
  user.view.kind === "broadcast" &&
  (user.view.axes.at(-1) ?? -1) < user.shape.length - 1;

/** How often a broadcast repeats an element; not along the innermost axes, where lowering computes it once per row. */
function repetition(axes: readonly number[], shape: Shape): number {
  const last = axes.at(-1) ?? -1;
  let count = 1;
  for (let axis = 0; axis < last; axis++) if (!axes.includes(axis)) count *= estimate(shape[axis]!.size);
  return count;
}
