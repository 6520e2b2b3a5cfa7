// Fuse: which nodes of a graph are computed together in one kernel.
// In: a graph. Out: clusters in execution order, each with the nodes it writes to memory, and every fusion that was
// considered and refused, with its reason.
//   map       element-wise values and gather-sums of one shape
//   row       what can be done one row at a time: reductions over trailing axes, selections, scans, maps between them
//   contract  one contraction or siblings that share the left operand, and an element-wise epilogue
//   column    one reduction over other axes, or of each group's rows
//   scan, route   one node
// Views, constants, dispatches and cheap maps are in no cluster: they are computed where they are read.
// Deliberately absent: how a cluster becomes statements (lower/).

import type { ContractNode, Graph, Node } from "./graph.ts";
import { sameShape } from "./graph-axis.ts";
import { nodesOf, operandsOf, rootsOf } from "./graph-walk.ts";
import { chooseStored, elements } from "./fuse-cost.ts";
import { axisName, isSource, readsOf } from "./fuse-trace.ts";
import type { Read, TraceMemo } from "./fuse-trace.ts";
import { isSmallReduction, isWideArray, kindOf, makerOf, rowRankOf, siblingKey } from "./fuse-kinds.ts";
import type { ClusterKind } from "./fuse-kinds.ts";
import { isReduction } from "./lower/reduction.ts";
import { canonical } from "./lower/parts.ts";
import { targets, type Target } from "./target.ts";

export interface Cluster {
  readonly kind: ClusterKind;
  /** In an order in which they can be computed. */
  readonly members: readonly Node[];
  /** Members that are read by other clusters or leave the entry. */
  readonly outputs: readonly Node[];
  /** row: how many leading axes make the row. */
  readonly rank: number;
}

export interface FuseOptions {
  /** Default: a thread of a CPU. */
  readonly target?: Target;
  /** Most buffers a kernel may bind, when not the target's. */
  readonly bindings?: number;
  /** false: every node gets memory and a kernel of its own. */
  readonly fuse?: boolean;
  /** What is known of nodes like those of this graph; shared by the entries of a program. */
  readonly traces?: TraceMemo;
}

export interface Fusion {
  readonly clusters: readonly Cluster[];
  readonly refusals: readonly string[];
  readonly nodes: readonly Node[];
  readonly uses: ReadonlyMap<Node, number>;
  /** What each stored node reads. */
  readonly reads: ReadonlyMap<Node, readonly Read[]>;
  /** Tensors that may be replaced in place, by their new value. */
  readonly replaced: ReadonlyMap<Node, string>;
}

/** What the maker of clusters is told once. */
interface MakerAbout {
  readonly stored: ReadonlySet<Node>;
  readonly roots: ReadonlySet<Node>;
  readonly replaced: ReadonlyMap<Node, string>;
  readonly bindings: number;
  readonly whole: boolean;
}

interface Draft {
  readonly kind: ClusterKind;
  readonly index: number;
  readonly members: Node[];
  readonly reads: Set<Node>;
  readonly rank: number;
}

/** Static elements of a row that a row kernel may be widened by. */
const mostRowElements = 16384;
const mostSiblings = 3;

export function fuse(graph: Graph, options: FuseOptions = {}): Fusion {
  const bindings = options.bindings ?? (options.target ?? targets.wasm).bindings;
  const roots = new Set(rootsOf(graph));
  const nodes = nodesOf([...roots]);
  const users = new Map<Node, Node[]>();
  const uses = new Map<Node, number>();
  for (const root of roots) uses.set(root, 1);
  for (const node of nodes)
    for (const operand of operandsOf(node)) {
      const key = canonical(operand);
      uses.set(key, (uses.get(key) ?? 0) + 1);
      const list = users.get(key);
      if (list === undefined) users.set(key, [node]);
      else if (list.at(-1) !== node) list.push(node);
    }
  const whole = options.fuse === false;
  const stored = whole
    ? new Set(
        nodes.filter(
          (node) => !isSource(node) && node.op !== "part" && (node.op !== "const" || roots.has(node)),
        ),
      )
    : chooseStored(
        nodes,
        { of: (node) => users.get(node) ?? [], isRoot: (node) => roots.has(node) },
        Math.max(2, bindings - 3),
      );
  const replaced = replacements(graph);
  const maker = new ClusterMaker({ stored, roots, replaced, bindings, whole }, options.traces ?? new Map());
  for (const node of nodes) if (stored.has(node)) maker.place(node);
  return { clusters: maker.finish(), refusals: maker.refusals, nodes, uses, reads: maker.reads, replaced };
}

/** Tensors by the node that becomes their value: those whose new value may be written over the old one, as far as the
 * graph's ends can tell. Readers elsewhere may still forbid it. */
function replacements(graph: Graph): ReadonlyMap<Node, string> {
  const outputs = new Set(graph.outputs.map(({ node }) => node));
  const copied = new Set<string>();
  const used = new Map<Node, number>();
  for (const node of [...outputs, ...graph.updates.map((update) => update.node)])
    if (node.op === "tensor") copied.add(node.name);
  for (const { node } of graph.updates) used.set(node, (used.get(node) ?? 0) + 1);
  const replaced = new Map<Node, string>();
  for (const { tensor, node } of graph.updates)
    if (!outputs.has(node) && !copied.has(tensor) && used.get(node) === 1) replaced.set(node, tensor);
  return replaced;
}

const titleOf = (node: Node): string => (node.op === "map" ? node.fn : node.op);

/** Places stored nodes, in order, into clusters. A cluster's index is its place in the execution order: a node may join a
 * cluster only when everything else that it reads is made by earlier ones, so no cycle can arise. */
class ClusterMaker {
  readonly refusals: string[] = [];
  private readonly drafts: Draft[] = [];
  private readonly clusterOf = new Map<Node, Draft>();
  readonly reads = new Map<Node, readonly Read[]>();
  /** Stored nodes that read a node. */
  private readonly readers = new Map<Node, Set<Node>>();
  private readonly tensorReaders = new Map<string, Set<Node>>();
  private readonly draftsReading = new Map<Node, Draft[]>();
  private readonly siblings = new Map<string, Draft>();
  private readonly roots: ReadonlySet<Node>;
  private readonly replaced: ReadonlyMap<Node, string>;
  private readonly bindings: number;
  private readonly whole: boolean;

  constructor({ stored, roots, replaced, bindings, whole }: MakerAbout, traces: TraceMemo) {
    this.roots = roots;
    this.replaced = replaced;
    this.bindings = bindings;
    this.whole = whole;
    for (const node of stored) {
      const reads = readsOf(node, (other) => stored.has(other), traces);
      this.reads.set(node, reads);
      for (const { node: leaf } of reads) {
        const maker = makerOf(leaf);
        const readers = this.readers.get(maker);
        if (readers === undefined) this.readers.set(maker, new Set([node]));
        else readers.add(node);
        if (leaf.op !== "tensor") continue;
        const tensorReaders = this.tensorReaders.get(leaf.name);
        if (tensorReaders === undefined) this.tensorReaders.set(leaf.name, new Set([node]));
        else tensorReaders.add(node);
      }
    }
  }

  place(node: Node): void {
    const draft = (this.whole ? undefined : this.join(node)) ?? this.open(node);
    draft.members.push(node);
    this.clusterOf.set(node, draft);
    for (const { node: leaf } of this.reads.get(node)!) {
      if (this.clusterOf.get(makerOf(leaf)) === draft) continue;
      if (draft.reads.has(leaf)) continue;
      draft.reads.add(leaf);
      const list = this.draftsReading.get(leaf);
      if (list === undefined) this.draftsReading.set(leaf, [draft]);
      else list.push(draft);
    }
  }

  private open(node: Node): Draft {
    const draft: Draft = {
      kind: kindOf(node),
      index: this.drafts.length,
      members: [],
      reads: new Set(),
      rank: rowRankOf(node),
    };
    this.drafts.push(draft);
    if (node.op === "contract" && draft.kind === "contract") this.siblings.set(siblingKey(node), draft);
    return draft;
  }

  private join(node: Node): Draft | undefined {
    const kind = kindOf(node);
    if (kind === "contract") return this.joinSibling(node as ContractNode);
    if (kind !== "map" && kind !== "row") return undefined;
    let last = -1;
    for (const { node: leaf } of this.reads.get(node)!)
      last = Math.max(last, this.clusterOf.get(makerOf(leaf))?.index ?? -1);
    const producer = this.drafts[last];
    if (producer !== undefined) {
      const reason = this.fits(node, producer);
      if (reason === undefined) return producer;
      if (reason !== "") this.refuse(node, producer, reason);
    }
    // side by side: another kernel that reads the same tensor in the same way
    for (const { node: leaf } of this.reads.get(node)!) {
      const candidates = this.draftsReading.get(leaf) ?? [];
      for (let i = candidates.length - 1; i >= Math.max(0, candidates.length - 4); i--) {
        const candidate = candidates[i]!;
        if (candidate.index <= last || candidate.kind !== kind) continue;
        if (this.fits(node, candidate) === undefined && this.readsAlike(node, candidate, leaf))
          return candidate;
      }
    }
    return undefined;
  }

  private joinSibling(node: ContractNode): Draft | undefined {
    const draft = this.siblings.get(siblingKey(node));
    if (draft === undefined || draft.members.some((member) => member.op !== "contract")) return undefined;
    if (draft.members.length >= mostSiblings) return undefined;
    for (const { node: leaf } of this.reads.get(node)!)
      if ((this.clusterOf.get(makerOf(leaf))?.index ?? -1) >= draft.index) return undefined;
    const count = this.countBindings(draft, node);
    if (count <= this.bindings) return draft;
    this.refuse(node, draft, `${count} bindings, at most ${this.bindings}`);
    return undefined;
  }

  /** Why a node may not join a cluster: undefined when it may, "" when there is nothing to tell. */
  private fits(node: Node, draft: Draft): string | undefined {
    const members = new Set(draft.members);
    const first = draft.members[0]!;
    const kind = kindOf(node);
    if (draft.kind === "map" || draft.kind === "contract") {
      if (kind !== "map" || !sameShape(node.shape, first.shape)) return "";
      for (const { node: leaf, at } of this.reads.get(node)!)
        if (members.has(leaf) && !at.every((key, axis) => key === axisName(axis)))
          return `it reads ${titleOf(leaf)} at other places than its own`;
      if (draft.kind === "contract" && node.op === "combine") return "";
    } else if (draft.kind === "row") {
      const { rank } = draft;
      if (node.op === "combine" || (kind === "row" && rowRankOf(node) < rank)) return "";
      if (node.shape.length < rank || !sameShape(node.shape.slice(0, rank), first.shape.slice(0, rank)))
        return "";
      if (kind === "row" && rowRankOf(node) !== rank && !(isReduction(node) && isSmallReduction(node, rank)))
        return "";
      for (const { node: leaf, at } of this.reads.get(node)!)
        if (members.has(leaf) && !at.slice(0, rank).every((key, axis) => key === axisName(axis)))
          return `it reads ${titleOf(leaf)} of other rows than its own`;
      // a parameter's new value is written over the old one, which a row kernel does not do
      if (this.replaced.has(node) && node.shape.length > 0) return "";
      const inner = elements(node.shape.slice(rank));
      if (inner > mostRowElements || (elements(node.shape.slice(0, rank)) < 16 && inner > 1024))
        return `its rows of ${inner} elements need more parallelism than one row at a time`;
    } else return "";
    const count = this.countBindings(draft, node);
    return count <= this.bindings ? undefined : `${count} bindings, at most ${this.bindings}`;
  }

  private readsAlike(node: Node, draft: Draft, leaf: Node): boolean {
    if (elements(leaf.shape) < 64) return false;
    const of = (reader: Node): Set<string> =>
      new Set(
        this.reads
          .get(reader)!
          .filter((read) => read.node === leaf)
          .map(({ at }) => at.slice(0, draft.kind === "row" ? draft.rank : at.length).join(",")),
      );
    const own = of(node);
    return draft.members.some((member) => [...of(member)].some((key) => own.has(key)));
  }

  private countBindings(draft: Draft, extra: Node): number {
    const members = new Set([...draft.members, extra]);
    const bound = new Set<Node | string>();
    const bind = (node: Node, maker: Draft): void =>
      void bound.add(
        isPacked(maker.kind, node) && !this.roots.has(node) ? `results of ${maker.index}` : node,
      );
    const over = this.replacedBy(draft, members);
    const read = (leaf: Node): void => {
      if (members.has(makerOf(leaf)) || (leaf.op === "tensor" && over.has(leaf.name))) return;
      const maker = this.clusterOf.get(leaf);
      if (maker === undefined) bound.add(leaf);
      else bind(leaf, maker);
    };
    draft.reads.forEach(read);
    for (const { node: leaf } of this.reads.get(extra)!) read(leaf);
    for (const member of members) if (this.isOutput(member, members, draft)) bind(member, draft);
    return bound.size;
  }

  /** Tensors that members of an element-wise cluster will overwrite: nobody else reads them later, and members read them
   * where they write them. */
  private replacedBy(draft: Draft, members: ReadonlySet<Node>): ReadonlySet<string> {
    const names = new Set<string>();
    if (draft.kind !== "map") return names;
    for (const member of members) {
      const tensor = this.replaced.get(member);
      if (tensor === undefined) continue;
      const safe = [...(this.tensorReaders.get(tensor) ?? [])].every((reader) =>
        members.has(reader)
          ? readsInPlace(this.reads.get(reader)!, tensor, member)
          : (this.clusterOf.get(reader)?.index ?? Infinity) < draft.index,
      );
      if (safe) names.add(tensor);
    }
    return names;
  }

  private isOutput(node: Node, members: ReadonlySet<Node>, { kind, rank }: Draft): boolean {
    if (this.roots.has(node) || (kind === "row" && isWideArray(node, rank))) return true;
    for (const reader of this.readers.get(node) ?? []) if (!members.has(reader)) return true;
    return false;
  }

  private refuse(node: Node, draft: Draft, reason: string): void {
    const other = draft.members.map(titleOf).join(", ");
    this.refusals.push(`${node.origin.path}: ${titleOf(node)} not joined with ${other}: ${reason}`);
  }

  finish(): Cluster[] {
    return this.drafts.map((draft) => {
      const { kind, members, rank } = draft;
      const all = new Set(members);
      return { kind, members, rank, outputs: members.filter((member) => this.isOutput(member, all, draft)) };
    });
  }
}

/** Results of one contraction kernel lie in one buffer (unless they leave the entry): they count as one binding. */
export const isPacked = (kind: ClusterKind, node: Node): boolean =>
  kind === "contract" && node.dtype === "f32";

/** Whether a node that becomes a tensor's value may be written while the tensor is read: every element by itself. */
export const readsInPlace = (reads: readonly Read[], tensor: string, node: Node): boolean =>
  reads.every(
    (read) =>
      read.node.op !== "tensor" ||
      read.node.name !== tensor ||
      (sameShape(read.node.shape, node.shape) && read.at.every((key, axis) => key === axisName(axis))),
  );
