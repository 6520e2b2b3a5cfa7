// Lower: a graph becomes kernels in execution order, each with the memory that it binds.
// In: a graph (after simplify and differentiate). Out: a LoweredEntry. Every cluster of the fuser is one kernel (a sum over
// everything is two). Updates of tensors are written in place when nobody reads the old value afterwards or elsewhere,
// else they are kept aside and copied at the end. Deliberately absent: lifetimes of temporaries (plan.ts).

import type { Graph, Node, PartNode } from "./graph.ts";
import type { ElementType } from "./kernel.ts";
import type { LoweredBuffer, LoweredDispatch, LoweredEntry, LoweredPort } from "./lowered.ts";
import { add as addSizes } from "../runtime/size.ts";
import { fuse } from "./fuse.ts";
import { NodeMap, type ReadonlyNodeMap } from "./graph-map.ts";
import { nodesOf } from "./graph-walk.ts";
import type { Cluster, FuseOptions, Fusion } from "./fuse.ts";
import { isPacked, readsInPlace } from "./fuse-maker.ts";
import { isSource } from "./fuse-trace.ts";
import { nothingKnown } from "./known.ts";
import { number } from "./lower/affine.ts";
import { lowerColumn } from "./lower/column.ts";
import { elementOf, sourceMemory, storedType, temporary, tensorBuffer } from "./lower/context.ts";
import type { LowerContext, MadeKernel } from "./lower/context.ts";
import { lowerContract } from "./lower/contract.ts";
import { copyMemory } from "./lower/copy.ts";
import type { Memory } from "./lower/emitter.ts";
import { once } from "./lower/memo.ts";
import { lowerMap } from "./lower/map.ts";
import { lowerRoute } from "./lower/route.ts";
import { lowerRow } from "./lower/row.ts";
import { lowerScan } from "./lower/scan.ts";
import { sizeOf } from "./lower/space.ts";
import { firstName, partName, tensorMemory, type Part, type Stacks } from "./lower/stacks.ts";
import { lowerStream } from "./lower/stream.ts";
import { canonical, partOf } from "./lower/parts.ts";
import { windowOf } from "./lower/window.ts";
import { inFullSums, targets, type Target } from "./target.ts";

export interface LowerOptions extends FuseOptions {
  /** Tensors that lie in parts. */
  readonly stacks?: Stacks;
  /** Told of tensors in parts that a kernel would need in one piece: what is lowered is of no use then. */
  readonly whole?: (tensor: string) => void;
}

const noStacks: Stacks = new Map();

export function lowerGraph(whole: Graph, options: LowerOptions = {}): LoweredEntry {
  const { target = targets.wasm, stacks = noStacks, known = nothingKnown() } = options;
  // A stack in parts that becomes one number is filled where it lies: no value of the entry is as long as it.
  const filled = whole.updates.filter(
    ({ tensor, node }) => stacks.has(tensor) && numberOf(node) !== undefined,
  );
  const graph = { ...whole, updates: whole.updates.filter((update) => !filled.includes(update)) };
  const fusion = fuse(graph, { ...options, known });
  const memories = new NodeMap<Memory>(fusion.nodes);
  for (const node of fusion.nodes) {
    const memory = sourceMemory(node, stacks);
    if (memory !== undefined) memories.set(node, memory);
  }
  const taken = new Set<Node>();
  for (const { name, node } of graph.outputs) {
    if (isSource(node) || node.op === "part" || taken.has(node)) continue;
    taken.add(node);
    memories.set(node, outputMemory(name, node));
  }
  const inPlace = chooseInPlace(fusion);
  for (const { tensor, node } of graph.updates)
    if (inPlace.has(tensor)) memories.set(node, updatedMemory(tensor, node, stacks));
  for (const cluster of fusion.clusters) giveMemory(cluster, fusion, memories);
  const sumsOf = shortSums(graph, target);
  const dispatches: LoweredDispatch[] = [];
  for (const cluster of fusion.clusters) {
    const { origin } = cluster.members[0]!;
    const { path } = origin;
    const window = windowOf({ fusion, memories, stacks, target, made: [] }, cluster);
    if (window !== undefined && "unfit" in window) for (const name of window.unfit) options.whole?.(name);
    const machine = sumsOf(cluster);
    for (const { kernel, buffers, title } of once(known, fusion, memories, cluster, machine, () => {
      const made: MadeKernel[] = [];
      const context = { fusion, memories, made, target: machine, stacks };
      lowerCluster(window === undefined || "unfit" in window ? context : { ...context, window }, cluster);
      return made;
    })) {
      const label = path === "" ? title : `${path}: ${title}`;
      dispatches.push(...launchesOf({ kernel, buffers, label, origin, kind: cluster.kind }, stacks));
    }
  }
  const copies = finalCopies(graph, memories, taken, inPlace, target);
  for (const { buffers } of copies)
    for (const buffer of buffers)
      if (buffer.kind === "tensor" && stacks.has(buffer.name)) options.whole?.(buffer.name);
  dispatches.push(...copies);
  for (const { tensor, node } of filled) {
    const memory = updatedMemory(tensor, node, stacks);
    const fill = copyMemory(numberOf(node)!, memory, `${tensor}: fill`, target.parallel);
    dispatches.push(...launchesOf(fill, stacks));
  }
  return {
    name: graph.name,
    inputs: inputsOf(fusion, dispatches),
    outputs: graph.outputs.map(({ name, node, doc }) => ({
      ...portOf(name, node),
      ...(doc === undefined ? {} : { doc }),
    })),
    dispatches,
    refusals: fusion.refusals,
  };
}

/**
 * The target for each cluster. Where it adds up products in f16, it does so for contractions that the entry's outputs are made of; what is
 * computed for updates only, gradients above all, is often too small for f16, since losses are not scaled.
 */
function shortSums(graph: Graph, target: Target): (cluster: Cluster) => Target {
  const full = inFullSums(target);
  if (full === target) return () => target;
  const values = new Set(nodesOf(graph.outputs.map(({ node }) => node)));
  return ({ members }) =>
    members.every((node) => node.op !== "contract" || values.has(node)) ? target : full;
}

const lengthOf = (node: Node): Memory["length"] => sizeOf(node.shape);

const outputMemory = (name: string, node: Node): Memory => ({
  key: `output:${name}`,
  type: storedType(node),
  length: lengthOf(node),
  buffer: { kind: "output", name },
});

/** What all elements of a node are, when that is one number. */
const numberOf = (node: Node): number | undefined =>
  node.op === "const"
    ? node.value
    : node.op === "view" && node.view.kind === "broadcast"
      ? numberOf(node.input)
      : undefined;

const updatedMemory = (name: string, node: Node, stacks: Stacks): Memory =>
  tensorMemory(name, node, { type: storedType(node), buffer: tensorBuffer(name) }, stacks);

/** One launch, or one for each part of the stacks that it binds. */
function launchesOf(whole: LoweredDispatch, stacks: Stacks): readonly LoweredDispatch[] {
  if (stacks.size === 0) return [whole];
  const partOf = (buffer: LoweredBuffer): Part | undefined =>
    buffer.kind === "tensor" ? stacks.get(buffer.name) : undefined;
  const part = whole.buffers.map(partOf).find((each) => each !== undefined);
  if (part === undefined) return [whole];
  return Array.from({ length: part.count }, (_, at) => ({
    ...whole,
    buffers: whole.buffers.map((buffer) =>
      buffer.kind === "tensor" && stacks.has(buffer.name) ? { ...buffer, part: at } : buffer,
    ),
    label: `${whole.label} (part ${at + 1} of ${part.count})`,
    launch: { [partName]: at, [firstName]: at * part.length },
  }));
}

const portOf = (name: string, node: Node): LoweredPort => ({
  name,
  type: elementOf(node),
  shape: node.shape.map((axis) => axis.size),
});

/** Results that other kernels read and that are no output of the entry. */
function giveMemory(cluster: Cluster, fusion: Fusion, memories: NodeMap<Memory>): void {
  for (const node of cluster.members)
    if (node.op === "route") {
      for (const part of ["offsets", "source", "group", "slot"] as const) {
        const key = partOf(node, part);
        if (part === "offsets" || isRead(fusion, key))
          memories.set(key, temporary(`${node.origin.path} ${part}`, "i32", lengthOf(key)));
      }
    }
  packResults(cluster, memories);
  for (const node of cluster.outputs) {
    if (node.op === "route" || memories.has(node)) continue;
    memories.set(
      node,
      temporary(
        `${node.origin.path} ${node.op === "map" ? node.fn : node.op}`,
        storedType(node),
        lengthOf(node),
      ),
    );
  }
}

/** Results of one contraction kernel share a buffer of their type, one after the other: whoever reads several of them binds one. */
function packResults(cluster: Cluster, memories: NodeMap<Memory>): void {
  const packed = cluster.outputs.filter((node) => isPacked(cluster.kind, node) && !memories.has(node));
  for (const type of new Set(packed.map(storedType)))
    pack(
      packed.filter((node) => storedType(node) === type),
      type,
      memories,
    );
}

function pack(packed: readonly Node[], type: ElementType, memories: NodeMap<Memory>): void {
  if (packed.length < 2) return;
  const lengths = packed.map(lengthOf);
  const total = lengths.reduce(addSizes, number(0));
  const label = `${packed[0]!.origin.path} ${packed.map((node) => (node.op === "map" ? node.fn : node.op)).join(", ")}`;
  const memory = temporary(label, type, total);
  let offset = number(0);
  for (const [i, node] of packed.entries()) {
    memories.set(node, { ...memory, offset });
    offset = addSizes(offset, lengths[i]!);
  }
}

const readParts = new WeakMap<Fusion, Set<Node>>();
function isRead(fusion: Fusion, part: PartNode): boolean {
  let set = readParts.get(fusion);
  if (set === undefined) {
    set = new Set();
    for (const node of fusion.nodes) {
      if (node.op === "part") set.add(canonical(node));
      for (const read of fusion.reads.get(node) ?? []) if (read.node.op === "part") set.add(read.node);
    }
    readParts.set(fusion, set);
  }
  return set.has(part);
}

/** Tensors whose new value may be written where the old one is. */
function chooseInPlace(fusion: Fusion): ReadonlySet<string> {
  const inPlace = new Set<string>();
  if (fusion.replaced.size === 0) return inPlace;
  const clusterOf = new NodeMap<number>(fusion.nodes);
  const readers = new Map<string, Node[]>();
  for (const [i, { members }] of fusion.clusters.entries())
    for (const node of members) {
      clusterOf.set(node, i);
      for (const { node: leaf } of fusion.reads.get(node)!) {
        if (leaf.op !== "tensor") continue;
        const list = readers.get(leaf.name);
        if (list === undefined) readers.set(leaf.name, [node]);
        else list.push(node);
      }
    }
  for (const [node, tensor] of fusion.replaced) {
    const at = clusterOf.get(node);
    if (at === undefined) continue;
    const { kind } = fusion.clusters[at]!;
    const safe = (readers.get(tensor) ?? []).every((reader) => {
      const index = clusterOf.get(reader)!;
      if (index !== at) return index < at;
      if ((kind !== "map" && kind !== "contract") || reader.op === "contract") return false;
      return readsInPlace(fusion.reads.get(reader)!, tensor, node);
    });
    if (safe) inPlace.add(tensor);
  }
  return inPlace;
}

function lowerCluster(context: LowerContext, cluster: Cluster): void {
  switch (cluster.kind) {
    case "map":
      return lowerMap(context, cluster);
    case "row":
      return lowerRow(context, cluster);
    case "contract":
      return lowerContract(context, cluster);
    case "stream":
      return lowerStream(context, cluster);
    case "column":
      return lowerColumn(context, cluster);
    case "scan":
      return lowerScan(context, cluster);
    case "route":
      return lowerRoute(context, cluster);
    default:
      return cluster.kind satisfies never;
  }
}

/** Outputs that are sources or parts, second names of one result, and updates that were not in place. */
function finalCopies(
  graph: Graph,
  memories: ReadonlyNodeMap<Memory>,
  taken: ReadonlySet<Node>,
  inPlace: ReadonlySet<string>,
  { parallel }: Target,
): LoweredDispatch[] {
  const copies: LoweredDispatch[] = [];
  const copy = (from: Memory, to: Memory, label: string): void =>
    void copies.push(copyMemory(from, to, label, parallel));
  const done = new Set<Node>();
  for (const { name, node } of graph.outputs) {
    if (taken.has(node) && !done.has(node)) done.add(node);
    else copy(memoryOf(memories, node), outputMemory(name, node), `${name}: copy`);
  }
  const later = graph.updates.filter(({ tensor }) => !inPlace.has(tensor));
  // a tensor that becomes another tensor is read before any is written
  const sources = later.map(({ tensor, node }) => {
    const memory = memoryOf(memories, node);
    if (node.op !== "tensor" || later.length === 1) return memory;
    const aside = temporary(tensor, memory.type, memory.length);
    copy(memory, aside, `${tensor}: keep`);
    return aside;
  });
  for (const [i, { tensor, node }] of later.entries()) {
    if (node.op === "tensor" && node.name === tensor) continue;
    copy(sources[i]!, updatedMemory(tensor, node, noStacks), `${tensor}: update`);
  }
  return copies;
}

function memoryOf(memories: ReadonlyNodeMap<Memory>, node: Node): Memory {
  const memory = memories.get(canonical(node));
  if (memory === undefined) throw new Error(`internal: %${node.id} ${node.op} was not computed`);
  return memory;
}

/** The inputs that the graph names and those that kernels use without naming them (the keys of random numbers). */
function inputsOf(fusion: Fusion, dispatches: readonly LoweredDispatch[]): LoweredPort[] {
  const ports = new Map<string, LoweredPort>();
  for (const node of fusion.nodes) if (node.op === "input") ports.set(node.name, portOf(node.name, node));
  for (const { buffers } of dispatches)
    for (const buffer of buffers)
      if (buffer.kind === "input" && !ports.has(buffer.name))
        ports.set(buffer.name, { name: buffer.name, type: "i32", shape: [] });
  return [...ports.values()];
}
