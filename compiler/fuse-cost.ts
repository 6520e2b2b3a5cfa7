// Which nodes get memory, before clusters are made: everything that is no element-wise function or view, and those maps for
// which computing them again in every consumer costs more than writing and reading them.
// In: nodes in order and their users. Out: the set of stored nodes. A model of costs with few numbers, in units of one
// addition of one element; symbolic sizes count as `nominal`. Deliberately absent: clusters and bindings (fuse.ts).

import type { Node, Shape } from "./graph.ts";
import { operandsOf } from "./graph-walk.ts";
import { sameShape } from "./graph-axis.ts";
import { workOf } from "./lower/map-functions.ts";
import { canonical } from "./lower/parts.ts";
import { evaluate, known, namesOf } from "../runtime/size.ts";
import type { Size } from "../runtime/size.ts";

/** What a symbolic size counts as in estimates. */
export const nominal = 64;
/** Reading an element of four bytes, and writing one: at some 10 GB/s, in additions of four lanes at a time. */
const readCost = 5;
const writeCost = 10;
/** Clamping an index and choosing between the input and 0. */
const padWork = 6;
/** Columns (rows) of a contraction that share one staging of the other operand. */
const stagedBlock = 128;

const estimates = new WeakMap<Size, number>();
export function estimate(size: Size): number {
  const value = known(size);
  if (value !== undefined) return value;
  let found = estimates.get(size);
  if (found === undefined) {
    const names = Object.fromEntries([...namesOf(size)].map((name) => [name, nominal]));
    estimates.set(size, (found = Math.max(1, evaluate(size, names))));
  }
  return found;
}
export const elements = (shape: Shape): number =>
  shape.reduce((count, axis) => count * estimate(axis.size), 1);

/** Nodes that are computed wherever they are read, unless they are roots. */
export const isVirtual = (node: Node): boolean => {
  switch (node.op) {
    case "const":
    case "size":
    case "index":
    case "map":
    case "view":
    case "dispatch":
    case "take":
    case "random":
      return true;
    case "combine":
      return node.per === "pick";
    case "input":
    case "tensor":
    case "reduce":
    case "scan":
    case "contract":
    case "choose":
    case "route":
    case "part":
      return false;
    default:
      return node satisfies never;
  }
};

/** Maps may be written to memory for speed; views, constants and gathers never gain by it. */
const mayStore = (node: Node): boolean => node.op === "map" || node.op === "take" || node.op === "random";

export interface Users {
  readonly of: (node: Node) => readonly Node[];
  readonly isRoot: (node: Node) => boolean;
}

/** `inlined` nodes never get memory: the tiles of streamed kernels. */
export function chooseStored(
  nodes: readonly Node[],
  users: Users,
  mostLeaves: number,
  inlined: ReadonlySet<Node> = new Set(),
): Set<Node> {
  const stored = new Set<Node>();
  for (const node of nodes) {
    if (node.op === "input" || node.op === "tensor" || node.op === "part" || inlined.has(node)) continue;
    if (!isVirtual(node) || users.isRoot(node)) stored.add(node);
  }
  for (const node of nodes)
    if ((node.op === "contract" && !inlined.has(node)) || (node.op === "combine" && node.per === "token")) {
      const join = joinOf(node, users);
      if (join !== undefined) stored.add(join);
    }
  limitLeaves(nodes, stored, mostLeaves, inlined);
  storeRepeated(nodes, users, stored, inlined);
  limitLeaves(nodes, stored, mostLeaves, inlined);
  return stored;
}

/** The last map that all uses of a contraction's result lead to: its epilogue ends there. */
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
  for (let steps = 0; open.size > 0 && steps < 48; steps++) {
    const first = Math.min(...open.keys());
    const node = open.get(first)!;
    open.delete(first);
    if (open.size === 0) join = node;
    if (!enqueue(node)) return join;
  }
  return join;
}

/** Leaves of virtual nodes are bounded, so that no kernel needs more buffers than it may bind. */
function limitLeaves(
  nodes: readonly Node[],
  stored: Set<Node>,
  most: number,
  inlined: ReadonlySet<Node>,
): void {
  const leaves: Leaves = new Map();
  const of = (given: Node): readonly Node[] => {
    const node = canonical(given);
    const virtual = isVirtual(node) || inlined.has(node);
    return virtual && !stored.has(node) ? (leaves.get(node) ?? []) : [node];
  };
  for (const node of nodes) {
    const inputs = readOperands(node);
    const route = node.op === "dispatch" || (node.op === "combine" && isVirtual(node)) ? [node.route] : [];
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

/** The leaves of virtual nodes, each once: few, so they are lists. */
type Leaves = Map<Node, readonly Node[]>;

const readOperands = (node: Node): readonly Node[] =>
  node.op === "dispatch" || node.op === "combine" ? [node.input] : node.op === "part" ? [] : operandsOf(node);

function unionOf(
  inputs: readonly Node[],
  of: (node: Node) => readonly Node[],
  more: readonly Node[],
): readonly Node[] {
  const first = inputs.length === 0 ? [] : of(inputs[0]!);
  if (inputs.length === 1 && more.length === 0) return first;
  const union = [...first];
  const add = (leaf: Node): void => {
    if (!union.includes(leaf)) union.push(leaf);
  };
  for (let i = 1; i < inputs.length; i++) of(inputs[i]!).forEach(add);
  more.forEach(add);
  return union;
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

/** Consumers first: how often each element of a node would be computed, against writing it once. */
function storeRepeated(
  nodes: readonly Node[],
  users: Users,
  stored: Set<Node>,
  inlined: ReadonlySet<Node>,
): void {
  const work = new Map<Node, number>();
  for (const [node, { arithmetic, reads }] of costsOf(nodes, stored)) {
    let sum = arithmetic;
    for (const { share } of reads) sum += share * readCost;
    work.set(node, Math.min(sum, 1e6));
  }
  const latest = latestMakers(nodes);
  const sinks = new Map<Node, Sinks>();
  // computed once per row wherever it is needed: next to nothing
  const perRow = new Set<Node>();
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    if (!isVirtual(node) || stored.has(node)) continue;
    const own = sinksOf(node, users.of(node), { stored, sinks, latest });
    let count = 0;
    // what one row kernel computes and reads again stays in a cache
    let inRows = true;
    for (const [anchor, times] of own) {
      count += times;
      inRows &&= isRowWise(anchor, latest);
    }
    const [read, write] = inRows ? [1, 1] : [readCost, writeCost];
    const once = work.get(node) ?? 0;
    if (users.of(node).every((user) => repeatsInside(user) || perRow.has(user))) perRow.add(node);
    else if (mayStore(node) && !inlined.has(node) && count > 1 && once * (count - 1) > write + read * count) {
      stored.add(node);
      continue;
    }
    sinks.set(node, own);
  }
}

/** What one element of a virtual node costs: arithmetic, and how much of an element of each stored node is read. */
interface Cost {
  readonly arithmetic: number;
  readonly reads: readonly Share[];
}
interface Share {
  readonly leaf: Node;
  share: number;
}

/** Few leaves: a list is faster than a table. */
function addShare(reads: Share[], leaf: Node, share: number): void {
  for (const read of reads)
    if (read.leaf === leaf) {
      read.share = Math.max(read.share, share);
      return;
    }
  reads.push({ leaf, share });
}

function costsOf(nodes: readonly Node[], stored: ReadonlySet<Node>): ReadonlyMap<Node, Cost> {
  const costs = new Map<Node, Cost>();
  for (const node of nodes) {
    if (!isVirtual(node)) continue;
    let arithmetic = ownWork(node);
    const reads: Share[] = [];
    const inputs = readOperands(node);
    for (const [i, input] of inputs.entries()) {
      if (inputs.indexOf(input) < i) continue;
      // what is broadcast is computed outside of the inner loop; beyond the edge of a pad the input is computed too
      const share = isPad(node) ? 1 : Math.min(1, elements(input.shape) / elements(node.shape));
      const inner = stored.has(input) ? undefined : costs.get(input);
      if (inner === undefined) {
        addShare(reads, input, share);
        continue;
      }
      arithmetic += inner.arithmetic * share;
      for (const read of inner.reads) addShare(reads, read.leaf, read.share * share);
    }
    costs.set(node, { arithmetic, reads });
  }
  return costs;
}

const isPad = (node: Node): boolean => node.op === "view" && node.view.kind === "pad";

/** One element of a virtual node, without what it is computed from. */
function ownWork(node: Node): number {
  if (node.op === "map") return workOf(node.fn);
  if (node.op === "random") return 60;
  if (node.op === "take") return 2;
  return isPad(node) ? padWork : 0;
}

/** The kernels that compute a node, by a node of each, and how often each computes one element. */
type Sinks = ReadonlyMap<Node, number>;
interface SinksAbout {
  readonly stored: ReadonlySet<Node>;
  readonly sinks: ReadonlyMap<Node, Sinks>;
  readonly latest: ReadonlyMap<Node, Node>;
}
const mostSinks = 12;

const isRowWise = (node: Node, latest: ReadonlyMap<Node, Node>): boolean => {
  const { op } = isVirtual(node) ? (latest.get(node) ?? node) : node;
  return op === "reduce" || op === "choose" || op === "scan";
};

/** The last node with memory for certain that a virtual node is computed from: its kernel is the one that it may join. */
function latestMakers(nodes: readonly Node[]): ReadonlyMap<Node, Node> {
  const latest = new Map<Node, Node>();
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
    if (theirs !== undefined && theirs.size <= mostSinks && readsBy(user, node) === 1) return theirs;
  }
  const own = new Map<Node, number>();
  for (const each of users) addSinks(own, each, node, about);
  return own;
}

/** What one user adds. Maps that end one contraction's epilogue share what they compute; loops over a row do not. */
function addSinks(into: Map<Node, number>, user: Node, node: Node, about: SinksAbout): void {
  const times = readsBy(user, node);
  const theirs = about.sinks.get(user);
  const add = (anchor: Node, count: number): void =>
    void into.set(anchor, Math.max(into.get(anchor) ?? 0, count));
  if (theirs !== undefined && theirs.size <= mostSinks)
    for (const [anchor, count] of theirs) add(anchor, count * times);
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
