// How the rows of a row cluster are worked on, and where arrays of a row are kept for members that read them later.
// In: a row cluster. Out: the kernel's team, and a place for each array. On a CPU one invocation has a row. Where neighbours
// are neighbouring invocations, a short row still has one, with its arrays in the workgroup's scratch, every invocation's
// own; a long row has a workgroup, whose invocations see in memory only what they wrote themselves, and in scratch
// everything. Deliberately absent: the stages (row.ts).

import type { Node } from "../graph.ts";
import { mostScratch, scratchNeeded, scratchOf } from "../fuse-kinds.ts";
import type { Cluster } from "../fuse.ts";
import { axisName, type Read } from "../fuse-trace.ts";
import { sameShape } from "../graph-axis.ts";
import type { Parallel } from "../target.ts";
import type { LowerContext } from "./context.ts";
import { elementOf } from "./context.ts";
import type { ClusterKernel } from "./context.ts";
import type { Keep } from "./keep.ts";
import { isReduction, reductionOf } from "./reduction.ts";
import { formWorkgroup, knownElements, leastWorkgroup, powerAbove } from "./team.ts";

export type Keeps = ReadonlyMap<Node, Keep>;

/** Invocations that have a row each are dealt to workgroups of at most so many: there may be few rows. */
const mostTogether = 64;
/** Elements of a row for each invocation, where they do not have to be more. */
const elementsEach = 4;

interface About {
  readonly context: LowerContext;
  readonly cluster: Cluster;
  readonly kernel: ClusterKernel;
  /** Results whose memory holds another array until they replace it: one array each, because both are there when the result is made. */
  readonly replaced: Set<Node>;
}

/** Chooses the kernel's team and its workgroup. `inner` is how many elements a row has, if that is known; else it is a guess. */
export function planRows(at: Omit<About, "replaced">, inner: number, isKnown: boolean): Keeps {
  const about: About = { ...at, replaced: new Set() };
  const { cluster, kernel } = about;
  const { parallel } = kernel;
  if (parallel === undefined) return new Map(cluster.members.map((node) => [node, keepAlone(about, node)]));
  if (inner < Math.min(leastWorkgroup, parallel.workgroup / 4)) {
    const needed = cluster.members.reduce((sum, node) => sum + (lengthOf(about, node) ?? 0), 0);
    let size = Math.min(parallel.workgroup, mostTogether);
    while (needed * size > parallel.scratch / 4 && size > leastWorkgroup) size /= 2;
    if (needed * size <= parallel.scratch / 4) {
      kernel.emitter.workgroup = cluster.rank === 0 ? 1 : size;
      return new Map(cluster.members.map((node) => [node, keepAlone(about, node)]));
    }
  }
  const wanted = isKnown ? Math.max(leastWorkgroup, powerAbove(inner / elementsEach)) : Infinity;
  const size = Math.min(parallel.workgroup, wanted);
  formWorkgroup(kernel, size);
  return keepTogether(about, parallel);
}

/** Elements of an array that is kept for others to read, when they may be in scratch. */
function lengthOf({ context, cluster, kernel }: About, node: Node): number | undefined {
  const { outputs, rank } = cluster;
  if (node.shape.length === rank || readersOf(context, cluster, node).length === 0) return undefined;
  if (outputs.includes(node) && node.op === "map" && kernel.team === "invocation") return undefined;
  const count = knownElements(node.shape.slice(rank));
  return count !== undefined && count <= mostScratch(kernel.parallel) ? count : undefined;
}

const readersOf = (context: LowerContext, { members }: Cluster, node: Node): readonly Node[] =>
  members.filter((member) => context.fusion.reads.get(member)?.some((read) => read.node === node));

/** Where a member that others of the cluster read is kept, when one invocation has the row. */
function keepAlone(about: About, node: Node): Keep {
  const { cluster, kernel } = about;
  const { emitter } = kernel;
  const count = lengthOf(about, node);
  if (count !== undefined)
    return {
      kind: "scratch",
      name: emitter.scratch(elementOf(node), count * emitter.workgroup),
      shared: false,
    };
  if (node.shape.length === cluster.rank || node.op !== "map" || cluster.outputs.includes(node))
    return { kind: "none" };
  return aliasOf(about, node) ?? { kind: "none" };
}

/** The last reader may be a result of the same shape that replaces it. */
function aliasOf({ context, cluster, replaced }: About, node: Node): Keep | undefined {
  const last = readersOf(context, cluster, node).at(-1);
  const inPlace =
    last !== undefined &&
    !replaced.has(last) &&
    cluster.outputs.includes(last) &&
    last.op === "map" &&
    last.dtype === node.dtype &&
    sameShape(last.shape, node.shape) &&
    context.fusion.reads
      .get(last)!
      .every((read) => read.node !== node || read.at.every((key, axis) => key === axisName(axis)));
  if (!inPlace) return undefined;
  replaced.add(last);
  return { kind: "alias", of: last };
}

/** Where they are kept when a workgroup has the row. First what cannot be computed again; then later members first, because
 * what is computed again is computed where others read it, and reads there what it is computed from. */
function keepTogether(about: About, parallel: Parallel): Keeps {
  const { context, cluster, kernel } = about;
  const { members, outputs, rank } = cluster;
  let left = members.reduce((rest, node) => rest - scratchNeeded(node, rank, parallel), scratchOf(parallel));
  const keeps = new Map<Node, Keep>();
  const owned = new Map<Node, boolean>();
  const keepOf = (node: Node): Keep => {
    const readers = readersOf(context, cluster, node);
    const own = readers.every(
      (reader) =>
        readsOwn(context, reader, node, rank) &&
        (keeps.get(reader)?.kind !== "again" || owned.get(reader) === true),
    );
    owned.set(node, own);
    if (readers.length === 0 || node.shape.length === rank) return { kind: "none" };
    const length = lengthOf(about, node);
    if (node.op === "map" && outputs.includes(node) && own) return { kind: "none" };
    if (length !== undefined && (node.op !== "map" || length <= left)) {
      if (node.op === "map") left -= length;
      const name = kernel.emitter.scratch(elementOf(node), length);
      // ids are written by whoever finds their rank
      return { kind: "scratch", name, shared: !own || (node.op === "choose" && node.as === "ids") };
    }
    if (node.op !== "map") return { kind: "none" };
    return (own && !outputs.includes(node) ? aliasOf(about, node) : undefined) ?? { kind: "again" };
  };
  for (const node of members.toReversed()) keeps.set(node, keepOf(node));
  return keeps;
}

/** Whether the invocation that has an element of `node` is the only one that reads it for `reader`. */
function readsOwn(context: LowerContext, reader: Node, node: Node, rank: number): boolean {
  const inner = node.shape.slice(rank);
  const same = (read: Read, name: (axis: number) => string): boolean =>
    read.node !== node || read.at.every((key, axis) => key === (axis < rank ? axisName(axis) : name(axis)));
  const reads = context.fusion.reads.get(reader)!;
  if (isReduction(reader))
    return (
      reader.shape.length === rank &&
      sameShape(reductionOf(reader).inner, inner) &&
      reads.every((read) => same(read, (axis) => `r${axis - rank}`))
    );
  const walked = reader.op === "choose" ? reader.score.shape : reader.shape;
  return sameShape(walked.slice(rank), inner) && reads.every((read) => same(read, axisName));
}
