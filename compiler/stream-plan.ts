// Streams: which sinks of a region are computed by one kernel, each walking the tile once without storing it.
// In: the nodes of a graph and their users. Out: streams, and the nodes that therefore have no memory (the tiles). A
// contraction takes along the row values that it waits for when their sum can be mended afterwards (stream-online.ts);
// contractions over the same side of the tile share it. Row values that wait for nothing get a walk of their own.
// Deliberately absent: kernels (lower/stream.ts), and where streams come in the order of execution (fuse.ts).

import type { ContractNode, Node, ReduceNode } from "./graph.ts";
import { operandsOf } from "./graph-walk.ts";
import { RegionFinder } from "./stream-region.ts";
import type { Region, Sink, Users } from "./stream-region.ts";
import { onlineOf } from "./stream-online.ts";
import type { Online } from "./stream-online.ts";
import { refusalOf } from "./stream-cost.ts";
import { boundsOf } from "./lower/stream-bounds.ts";
import type { Target } from "./target.ts";

export interface Stream {
  readonly region: Region;
  /** In order. */
  readonly sinks: readonly Sink[];
  /** Tile axes, as of every sink. */
  readonly own: number;
  readonly summed: readonly number[];
  readonly online?: Online;
  /** The contractions that the sinks' tiles are made of. */
  readonly tiles: readonly ContractNode[];
}

export interface StreamPlan {
  readonly streams: readonly Stream[];
  /** Nodes without memory: tiles, and what is between row values and tiles. */
  readonly inlined: ReadonlySet<Node>;
  readonly refusals: readonly string[];
}

/** What is done about a region whose kernels bind too much: sums by themselves, or no streams. */
export type Exception = "apart" | "stored";

/** Sinks that share a walk, at most, and columns of all their results. */
const mostTogether = 2;
const mostColumns = 256;

export function planStreams(
  nodes: readonly Node[],
  users: Users,
  about: { readonly target: Target; readonly always: boolean; readonly except: ReadonlyMap<Node, Exception> },
): StreamPlan {
  const streams: Stream[] = [];
  const inlined = new Set<Node>();
  const refusals: string[] = [];
  const finder = new RegionFinder(users);
  const seen = new Set<Node>();
  for (const node of nodes) {
    if (node.op !== "contract" || seen.has(node)) continue;
    const found = finder.grow(node);
    if (found === undefined) continue;
    if ("blocked" in found) {
      for (const each of found.seen) if (each.op === "contract") seen.add(each);
      if (isSquare(node)) refusals.push(`${node.origin.path}: contract not streamed: ${found.blocked}`);
      continue;
    }
    for (const tile of found.tiles) seen.add(tile);
    const exception = about.except.get(found.tiles[0]!);
    if (exception === "stored") continue;
    const grouped = groupSinks(found, exception === "apart" ? 1 : mostTogether);
    const reason = about.always ? undefined : refusalOf(found, grouped, about.target, isMasked);
    if (reason !== undefined) {
      refusals.push(`${node.origin.path}: contract not streamed: ${reason}`);
      continue;
    }
    streams.push(...grouped);
    for (const tile of [...found.axes.keys(), ...found.leaves]) inlined.add(tile);
    for (const { online } of grouped) for (const each of online?.inlined ?? []) inlined.add(each);
  }
  return { streams, inlined, refusals };
}

/** Both sides of the tile are of one size, as those of scores are: worth a word when it is not streamed. */
const isSquare = ({ shape }: ContractNode): boolean =>
  shape.length > 1 && new Set(shape.map(({ size }) => size)).size < shape.length;

function groupSinks(region: Region, most: number): Stream[] {
  const streams: Stream[] = [];
  const placed = new Set<Node>();
  const rowSinks = new Map<Node, Sink>();
  for (const sink of region.sinks) if (sink.node.op === "reduce") rowSinks.set(sink.node, sink);
  const add = (sinks: readonly Sink[], online?: Online): void => {
    for (const { node } of sinks) placed.add(node);
    const { own, summed } = sinks[0]!;
    const tiles = tilesOf(region, sinks);
    streams.push({ region, sinks, own, summed, tiles, ...(online === undefined ? {} : { online }) });
  };
  const place = (sink: Sink): void => {
    if (placed.has(sink.node)) return;
    const waiting = pendingOf(sink, rowSinks).filter((node) => !placed.has(node));
    const theirs = waiting.map((node) => rowSinks.get(node)!);
    const together = waiting.length > 0 && theirs.every((each) => sameWalk(region, each, sink));
    if (together && !reachesOutside(sink.node, region, new Set(waiting))) {
      const { node } = sink;
      const online =
        node.op === "contract"
          ? onlineOf(region, waiting, [sink.tile])
          : onlineOf(region, [...waiting, node], []);
      if (online !== undefined) return add([...theirs, sink], online);
    }
    // The last first: it may take along what it waits for.
    for (const each of [...theirs].reverse()) place(each);
    const joined = streams.findIndex((stream) => mayJoin(stream, sink, most));
    if (joined >= 0) {
      placed.add(sink.node);
      const sinks = [...streams[joined]!.sinks, sink];
      streams[joined] = { ...streams[joined]!, sinks, tiles: tilesOf(region, sinks) };
    } else add([sink]);
  };
  for (const sink of region.sinks) if (sink.node.op === "contract") place(sink);
  for (const sink of region.sinks) place(sink);
  return streams;
}

const isMasked = (stream: Stream): boolean => boundsOf(stream).length > 0;

function tilesOf(region: Region, sinks: readonly Sink[]): readonly ContractNode[] {
  const found = new Set<Node>();
  const visit = (node: Node): void => {
    if (found.has(node) || !region.axes.has(node)) return;
    found.add(node);
    if (node.op === "map") node.inputs.forEach(visit);
    else if (node.op === "view") visit(node.input);
  };
  for (const { tile } of sinks) visit(tile);
  return region.tiles.filter((tile) => found.has(tile));
}

/** The same rows, the same sums, and the same axes around them. */
function sameWalk(region: Region, a: Sink, b: Sink): boolean {
  const text = (axes: readonly number[]): string => [...axes].sort((x, y) => x - y).join();
  const around = ({ tile }: Sink): string => text(region.axes.get(tile)!);
  return a.own === b.own && text(a.summed) === text(b.summed) && around(a) === around(b);
}

function mayJoin(stream: Stream, sink: Sink, most: number): boolean {
  if (stream.online !== undefined || !sameWalk(stream.region, stream.sinks[0]!, sink)) return false;
  const members = stream.sinks.map(({ node }) => node);
  // Row values with row values, sums with sums: either kind is enough work for a kernel.
  if (members.some(({ op }) => op !== sink.node.op)) return false;
  if (members.length >= (sink.node.op === "contract" ? most : mostTogether)) return false;
  if (stream.sinks.reduce((sum, { width }) => sum + width, sink.width) > mostColumns) return false;
  return (
    !dependsOn(sink.node, new Set(members)) &&
    members.every((member) => !dependsOn(member, new Set([sink.node])))
  );
}

/** Row values of the region that a sink's tile is made of by maps and views, in order. */
function pendingOf(sink: Sink, rowSinks: ReadonlyMap<Node, Sink>): ReduceNode[] {
  const found = new Set<ReduceNode>();
  const seen = new Set<Node>();
  const visit = (node: Node): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.op === "reduce" && rowSinks.has(node)) {
      found.add(node);
      visit(node.input);
    } else if (node.op === "map" || node.op === "view") operandsOf(node).forEach(visit);
  };
  visit(sink.tile);
  return [...found].sort((a, b) => a.id - b.id);
}

const lowest = (nodes: Iterable<Node>): number => Math.min(...[...nodes].map(({ id }) => id));

/** Whether a node needs any of some others, in whatever way. */
function dependsOn(node: Node, others: ReadonlySet<Node>): boolean {
  const from = lowest(others);
  const seen = new Set<Node>();
  const stack = [...operandsOf(node)];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (others.has(next)) return true;
    if (next.id < from || seen.has(next)) continue;
    seen.add(next);
    stack.push(...operandsOf(next));
  }
  return false;
}

/** Whether a sink needs row values also through something that another kernel computes from them. */
function reachesOutside(node: Node, region: Region, pending: ReadonlySet<Node>): boolean {
  const from = lowest(pending);
  const seen = new Set<Node>();
  const stack = [...operandsOf(node)];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (pending.has(next) || next.id < from || seen.has(next)) continue;
    seen.add(next);
    const within = region.axes.has(next) || next.op === "map" || next.op === "view";
    if (!within && dependsOn(next, pending)) return true;
    stack.push(...operandsOf(next));
  }
  return false;
}
