// Fuse: which nodes of a graph are computed together in one kernel.
// In: a graph. Out: clusters in execution order, each with the nodes it writes to memory, and every fusion that was
// considered and refused, with its reason.
//   map       element-wise values and gather-sums of one shape
//   row       what can be done one row at a time: reductions over trailing axes, selections, scans, maps between them
//   contract  one contraction or siblings that share the left operand, and an element-wise epilogue
//   stream    sums over one side of a large tile that contractions make, which is never stored: attention, forward and
//             backward; with the row values (a softmax's maximum and sum) that can be found on the way
//   column    one reduction over other axes, or of each group's rows
//   scan, route   one node
// Views, constants, dispatches and cheap maps are in no cluster: they are computed where they are read.
// Deliberately absent: how nodes find their clusters (fuse-maker.ts), and how a cluster becomes statements (lower/).

import type { Graph, Node } from "./graph.ts";
import { NodeSet, type ReadonlyNodeMap } from "./graph-map.ts";
import { nodesOf, rootsOf } from "./graph-walk.ts";
import { chooseStored } from "./fuse-stored.ts";
import { isSource } from "./fuse-trace.ts";
import type { Read } from "./fuse-trace.ts";
import type { ClusterKind } from "./fuse-kinds.ts";
import { ClusterMaker } from "./fuse-maker.ts";
import { usersIn } from "./fuse-users.ts";
import { nothingKnown, type Known } from "./known.ts";
import { Terms } from "./lower/terms.ts";
import { planStreams, type Exception, type Stream, type StreamPlan } from "./stream-plan.ts";
import { targets, type Target } from "./target.ts";

export interface Cluster {
  readonly kind: ClusterKind;
  /** In an order in which they can be computed. */
  readonly members: readonly Node[];
  /** Members that are read by other clusters or leave the entry. */
  readonly outputs: readonly Node[];
  /** row: how many leading axes make the row. */
  readonly rank: number;
  /** stream: what is summed, and how. */
  readonly stream?: Stream;
}

export interface FuseOptions {
  /** Default: a thread of a CPU. */
  readonly target?: Target;
  /** Most buffers a kernel may bind, when not the target's. */
  readonly bindings?: number;
  /** false: every node gets memory and a kernel of its own. */
  readonly fuse?: boolean;
  /** Whether tiles that need not be stored are not: by cost when not given. */
  readonly stream?: boolean;
  /** What is known of nodes like those of this graph; shared by the entries of a program. */
  readonly known?: Known;
}

export interface Fusion {
  readonly clusters: readonly Cluster[];
  readonly refusals: readonly string[];
  readonly nodes: readonly Node[];
  readonly uses: ReadonlyNodeMap<number>;
  /** What each stored node reads. */
  readonly reads: ReadonlyNodeMap<readonly Read[]>;
  /** Tensors that may be replaced in place, by their new value. */
  readonly replaced: ReadonlyMap<Node, string>;
  /** How each node is computed from those that have memory. */
  readonly terms: Terms;
}

export function fuse(graph: Graph, options: FuseOptions = {}): Fusion {
  const { target = targets.wasm, known = nothingKnown() } = options;
  const bindings = options.bindings ?? target.bindings;
  const roots = new Set(rootsOf(graph));
  const nodes = nodesOf([...roots]);
  const { users: usersOf, uses } = usersIn(nodes, roots);
  const whole = options.fuse === false;
  const replaced = replacements(graph);
  /** Everything once; again where streams turn out to bind too much: with each sum by itself, then with tiles stored. */
  const attempt = (except: ReadonlyMap<Node, Exception>, refused: readonly string[]): Fusion => {
    const plan =
      whole || options.stream === false
        ? noStreams
        : planStreams(nodes, usersOf, { target, always: options.stream === true, except });
    const stored = whole
      ? everything(nodes, roots)
      : chooseStored(nodes, usersOf, Math.max(2, bindings - 3), plan.inlined);
    const { streams } = plan;
    const terms = new Terms(nodes, stored, uses, known.terms);
    const maker = new ClusterMaker(
      { nodes, stored, roots, replaced, bindings, parallel: target.parallel, whole, streams, terms },
      known.reads,
    );
    for (const node of nodes) if (stored.has(node)) maker.place(node);
    const clusters = maker.finish();
    const refusals = [...refused, ...plan.refusals, ...maker.refusals];
    const wide = clusters.flatMap((cluster) => maker.bindsTooMuch(cluster));
    if (wide.length === 0) return { clusters, refusals, nodes, uses, reads: maker.reads, replaced, terms };
    const exceptions = new Map(except);
    const reasons: string[] = [];
    for (const { region, sinks } of wide)
      for (const tile of region.tiles) {
        const together = !except.has(tile);
        exceptions.set(tile, together ? "apart" : "stored");
        const { path } = sinks[0]!.node.origin;
        reasons.push(
          `${path}: contract not streamed${together ? " with its sibling" : ""}: more than ${bindings} bindings`,
        );
      }
    return attempt(exceptions, [...refused, ...new Set(reasons)]);
  };
  return attempt(new Map(), []);
}

function everything(nodes: readonly Node[], roots: ReadonlySet<Node>): NodeSet {
  const stored = new NodeSet(nodes);
  for (const node of nodes)
    if (!isSource(node) && node.op !== "part" && (node.op !== "const" || roots.has(node))) stored.add(node);
  return stored;
}

const noStreams: StreamPlan = { streams: [], inlined: new Set(), refusals: [] };

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
