// ClusterMaker: puts stored nodes, in order, into clusters.
// In: which nodes have memory, and which of them are the sinks of streams. Out: clusters in execution order, and the joins that
// were considered and refused. Deliberately absent: what has memory (fuse-cost.ts), what is streamed (stream-plan.ts).

import type { ContractNode, Node } from "./graph.ts";
import { sameShape } from "./graph-axis.ts";
import { NodeMap, type ReadonlyNodeMap, type ReadonlyNodeSet } from "./graph-map.ts";
import { operandsOf } from "./graph-walk.ts";
import { elements } from "./estimate.ts";
import { isHalf } from "./half.ts";
import type { Cluster } from "./fuse.ts";
import { axisName, readsOf, type Read } from "./fuse-trace.ts";
import {
  isSmallReduction,
  isWideArray,
  isWideChoice,
  kindOf,
  makerOf,
  rowRankOf,
  scratchNeeded,
  scratchOf,
  siblingKey,
  type ClusterKind,
} from "./fuse-kinds.ts";
import { isReduction } from "./lower/reduction.ts";
import type { Known } from "./known.ts";
import type { Terms } from "./lower/terms.ts";
import type { Stream } from "./stream-plan.ts";
import type { Parallel } from "./target.ts";

/** What the maker of clusters is told once. */
export interface MakerAbout {
  readonly nodes: readonly Node[];
  readonly stored: ReadonlyNodeSet;
  readonly roots: ReadonlySet<Node>;
  readonly replaced: ReadonlyMap<Node, string>;
  readonly bindings: number;
  readonly parallel: Parallel | undefined;
  readonly whole: boolean;
  readonly streams: readonly Stream[];
  readonly terms: Terms;
}

interface Draft {
  readonly kind: ClusterKind;
  readonly index: number;
  readonly members: Node[];
  readonly reads: Set<Node>;
  readonly rank: number;
  readonly stream?: Stream;
}

/** Static elements of a row that a row kernel may be widened by. */
const mostRowElements = 16384;
const mostSiblings = 3;

const titleOf = (node: Node): string => (node.op === "map" ? node.fn : node.op);

/** Places stored nodes, in order, into clusters. A cluster's index is its place in the execution order: a node may join a
 * cluster only when everything else that it reads is made by earlier ones, so no cycle can arise. */
export class ClusterMaker {
  readonly refusals: string[] = [];
  private readonly drafts: Draft[] = [];
  private readonly clusterOf: NodeMap<Draft>;
  readonly reads: NodeMap<readonly Read[]>;
  /** Stored nodes that read a node, each once. */
  private readonly readers: NodeMap<Node[]>;
  private readonly tensorReaders = new Map<string, Node[]>();
  private readonly draftsReading: NodeMap<Draft[]>;
  private readonly siblings = new Map<string, Draft>();
  private readonly roots: ReadonlySet<Node>;
  private readonly replaced: ReadonlyMap<Node, string>;
  private readonly bindings: number;
  private readonly parallel: Parallel | undefined;
  private readonly whole: boolean;
  private readonly streamOf = new Map<Node, Stream>();
  private readonly kinds: NodeMap<ClusterKind>;
  /** What `drawsRandom` found; nothing where no random numbers are made. */
  private readonly drawing: NodeMap<boolean> | undefined;
  /** Nodes that read what a stream makes whose turn has not come: all its members come with the last. */
  private waiting: Node[] = [];

  constructor(
    { nodes, stored, roots, replaced, bindings, parallel, whole, streams, terms }: MakerAbout,
    known: Known["reads"],
  ) {
    this.clusterOf = new NodeMap(nodes);
    this.reads = new NodeMap(nodes);
    this.readers = new NodeMap(nodes);
    this.draftsReading = new NodeMap(nodes);
    this.kinds = new NodeMap(nodes);
    this.drawing = nodes.some(({ op }) => op === "random") ? new NodeMap(nodes) : undefined;
    for (const stream of streams) for (const { node } of stream.sinks) this.streamOf.set(node, stream);
    this.roots = roots;
    this.replaced = replaced;
    this.bindings = bindings;
    this.parallel = parallel;
    this.whole = whole;
    for (const node of nodes) {
      if (!stored.has(node)) continue;
      const reads = readsOf(node, stored, known, terms);
      this.reads.set(node, reads);
      this.kinds.set(node, kindOf(node));
      for (const { node: leaf } of reads) {
        const maker = makerOf(leaf);
        const readers = this.readers.get(maker);
        if (readers === undefined) this.readers.set(maker, [node]);
        else if (readers.at(-1) !== node) readers.push(node);
        if (leaf.op !== "tensor") continue;
        const tensorReaders = this.tensorReaders.get(leaf.name);
        if (tensorReaders === undefined) this.tensorReaders.set(leaf.name, [node]);
        else if (tensorReaders.at(-1) !== node) tensorReaders.push(node);
      }
    }
  }

  place(node: Node): void {
    const stream = this.streamOf.get(node);
    if (stream !== undefined && stream.sinks.at(-1)!.node !== node) return;
    if (!this.isReady(node, stream)) {
      this.waiting.push(node);
      return;
    }
    if (stream === undefined) {
      this.add((this.whole ? undefined : this.join(node)) ?? this.open(node), node);
      return;
    }
    const draft = this.openDraft("stream", 0, stream);
    for (const sink of stream.sinks) this.clusterOf.set(sink.node, draft);
    for (const sink of stream.sinks) this.add(draft, sink.node);
    const { waiting } = this;
    this.waiting = [];
    for (const each of waiting) this.place(each);
  }

  /** Whether everything has been placed that a node (or any sink of its stream) reads. */
  private isReady(node: Node, stream: Stream | undefined): boolean {
    if (this.streamOf.size === 0) return true;
    const sinks: readonly Node[] = stream === undefined ? [node] : stream.sinks.map((sink) => sink.node);
    return sinks.every((sink) =>
      this.reads.get(sink)!.every(({ node: leaf }) => {
        const maker = makerOf(leaf);
        return !this.reads.has(maker) || this.clusterOf.has(maker) || sinks.includes(maker);
      }),
    );
  }

  private add(draft: Draft, node: Node): void {
    draft.members.push(node);
    this.clusterOf.set(node, draft);
    for (const { node: leaf } of this.reads.get(node)!) {
      if (this.clusterOf.get(makerOf(leaf)) === draft || draft.reads.has(leaf)) continue;
      draft.reads.add(leaf);
      const list = this.draftsReading.get(leaf);
      if (list === undefined) this.draftsReading.set(leaf, [draft]);
      else list.push(draft);
    }
  }

  private openDraft(kind: ClusterKind, rank: number, stream?: Stream): Draft {
    const index = this.drafts.length;
    const about = stream === undefined ? {} : { stream };
    const draft: Draft = { kind, index, members: [], reads: new Set(), rank, ...about };
    this.drafts.push(draft);
    return draft;
  }

  private open(node: Node): Draft {
    const draft = this.openDraft(this.kinds.get(node)!, rowRankOf(node));
    if (node.op === "contract" && draft.kind === "contract") this.siblings.set(siblingKey(node), draft);
    return draft;
  }

  private join(node: Node): Draft | undefined {
    const kind = this.kinds.get(node)!;
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
    const reason = this.beyondBindings(draft, node);
    if (reason === undefined) return draft;
    this.refuse(node, draft, reason);
    return undefined;
  }

  /** Why a node may not join a cluster: undefined when it may, "" when there is nothing to tell. */
  private fits(node: Node, draft: Draft): string | undefined {
    const first = draft.members[0]!;
    const isMember = (leaf: Node): boolean => this.clusterOf.get(leaf) === draft;
    const kind = this.kinds.get(node)!;
    if (draft.kind === "stream") {
      const reason = this.fitsStream(node, draft);
      if (reason !== undefined) return reason;
    } else if (draft.kind === "map" || draft.kind === "contract") {
      if (kind !== "map" || !sameShape(node.shape, first.shape)) return "";
      for (const { node: leaf, at } of this.reads.get(node)!)
        if (isMember(leaf) && !at.every((key, axis) => key === axisName(axis)))
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
        if (isMember(leaf) && !at.slice(0, rank).every((key, axis) => key === axisName(axis)))
          return `it reads ${titleOf(leaf)} of other rows than its own`;
      // a parameter's new value is written over the old one, which a row kernel does not do
      if (this.replaced.has(node) && node.shape.length > 0) return "";
      const inner = elements(node.shape.slice(rank));
      if (inner > mostRowElements || (elements(node.shape.slice(0, rank)) < 16 && inner > 1024))
        return `its rows of ${inner} elements need more parallelism than one row at a time`;
      const beyond = this.parallel === undefined ? undefined : this.beyondScratch(node, draft, this.parallel);
      if (beyond !== undefined) return beyond;
    } else return "";
    return this.beyondBindings(draft, node);
  }

  /** Maps of one sink's shape come after it, where its sums are finished. */
  private fitsStream(node: Node, draft: Draft): string | undefined {
    if (node.op !== "map") return "";
    const read = this.reads
      .get(node)!
      .filter(({ node: leaf }) => this.clusterOf.get(makerOf(leaf)) === draft);
    const homes = new Set(read.map(({ node: leaf }) => homeOf(draft, leaf, this.reads)));
    const [home] = homes;
    if (homes.size !== 1 || home?.op !== "contract" || !sameShape(home.shape, node.shape)) return "";
    for (const { node: leaf, at } of read)
      if (!sameShape(leaf.shape, node.shape) || !at.every((key, axis) => key === axisName(axis)))
        return `it reads ${titleOf(leaf)} at other places than its own`;
    return undefined;
  }

  /** Why a workgroup could not do a row with this node in it: invocations see only in scratch what others wrote. */
  private beyondScratch(node: Node, { members, rank }: Draft, parallel: Parallel): string | undefined {
    for (const { node: leaf } of this.reads.get(node)!)
      if (members.includes(leaf) && (isWideArray(leaf, rank, parallel) || isWideChoice(node, parallel)))
        return `it reads rows of ${titleOf(leaf)} that are too long for scratch`;
    const needed = [...members, node].reduce((sum, each) => sum + scratchNeeded(each, rank, parallel), 0);
    const most = scratchOf(parallel);
    return needed <= most ? undefined : `rows of ${needed} elements in scratch, at most ${most}`;
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

  private beyondBindings(draft: Draft, extra: Node): string | undefined {
    // What is read, what is written, and the two keys of random numbers: mostly so few that nothing need be counted.
    const most = draft.reads.size + this.reads.get(extra)!.length + draft.members.length + 1 + 2;
    const count = most <= this.bindings ? most : this.countBindings(draft, extra);
    return count <= this.bindings ? undefined : `${count} bindings, at most ${this.bindings}`;
  }

  private countBindings(draft: Draft, extra: Node): number {
    const members = new Set([...draft.members, extra]);
    const bound = new Set<Node | string>();
    const bind = (node: Node, maker: Draft): void =>
      void bound.add(
        isPacked(maker.kind, node) && !this.roots.has(node) ? `${node.dtype} of ${maker.index}` : node,
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
    const keys = [...members].some((member) => this.drawsRandom(member)) ? 2 : 0;
    return bound.size + keys;
  }

  /** Tensors that members of an element-wise cluster will overwrite: nobody else reads them later, and members read them
   * where they write them. */
  private replacedBy(draft: Draft, members: ReadonlySet<Node>): ReadonlySet<string> {
    const names = new Set<string>();
    if (draft.kind !== "map") return names;
    for (const member of members) {
      const tensor = this.replaced.get(member);
      if (tensor === undefined) continue;
      const safe = (this.tensorReaders.get(tensor) ?? []).every((reader) =>
        members.has(reader)
          ? readsInPlace(this.reads.get(reader)!, tensor, member)
          : (this.clusterOf.get(reader)?.index ?? Infinity) < draft.index,
      );
      if (safe) names.add(tensor);
    }
    return names;
  }

  private isOutput(node: Node, members: ReadonlySet<Node>, { kind, rank }: Draft): boolean {
    if (this.roots.has(node) || (kind === "row" && isWideArray(node, rank, this.parallel))) return true;
    for (const reader of this.readers.get(node) ?? []) if (!members.has(reader)) return true;
    return false;
  }

  private refuse(node: Node, draft: Draft, reason: string): void {
    const other = draft.members.map(titleOf).join(", ");
    this.refusals.push(`${node.origin.path}: ${titleOf(node)} not joined with ${other}: ${reason}`);
  }

  /** The stream of a cluster that needs more bindings than there are. */
  bindsTooMuch({ stream }: Cluster): readonly Stream[] {
    if (stream === undefined) return [];
    const { node } = stream.sinks[0]!;
    return this.countBindings(this.clusterOf.get(node)!, node) > this.bindings ? [stream] : [];
  }

  /** Whether random numbers are made where a node is computed: their seed and count are bound, too. */
  private drawsRandom(root: Node): boolean {
    if (this.drawing === undefined) return false;
    const before = this.drawing.get(root);
    if (before !== undefined) return before;
    const seen = new Set<Node>();
    const stack = root.op === "random" ? [root] : [...operandsOf(root)];
    let found = false;
    for (let node = stack.pop(); node !== undefined && !found; node = stack.pop()) {
      found = node.op === "random" && (node === root || !this.reads.has(node));
      if (found || seen.has(node) || this.reads.has(node)) continue;
      seen.add(node);
      stack.push(...operandsOf(node));
    }
    this.drawing.set(root, found);
    return found;
  }

  finish(): Cluster[] {
    if (this.waiting.length > 0) throw new Error("internal: streams wait for each other");
    return this.drafts.map((draft) => {
      const { kind, members, rank, stream } = draft;
      const all = new Set(members);
      const outputs = members.filter((member) => this.isOutput(member, all, draft));
      return { kind, members, rank, outputs, ...(stream === undefined ? {} : { stream }) };
    });
  }
}

/** The sink after whose sums a member of a streamed kernel is computed: itself, or the one that it reads. */
export function homeOf(
  draft: { readonly members: readonly Node[]; readonly stream?: Stream },
  node: Node,
  reads: ReadonlyNodeMap<readonly Read[]>,
): Node | undefined {
  if (draft.stream?.sinks.some((sink) => sink.node === node) === true) return node;
  const read = reads.get(node)?.find(({ node: leaf }) => leaf !== node && draft.members.includes(leaf));
  return read === undefined ? undefined : homeOf(draft, read.node, reads);
}

/** Results of one type of one contraction kernel lie in one buffer (unless they leave the entry): they count as one binding. */
export const isPacked = (kind: ClusterKind, node: Node): boolean =>
  (kind === "contract" || kind === "stream") && (node.dtype === "f32" || isHalf(node.dtype));

/** Whether a node that becomes a tensor's value may be written while the tensor is read: every element by itself. */
export const readsInPlace = (reads: readonly Read[], tensor: string, node: Node): boolean =>
  reads.every(
    (read) =>
      read.node.op !== "tensor" ||
      read.node.name !== tensor ||
      (sameShape(read.node.shape, node.shape) && read.at.every((key, axis) => key === axisName(axis))),
  );
