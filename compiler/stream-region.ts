// Regions of a graph that a streamed kernel may walk block by block: everything between contractions that make a large tile
// (scores of queries and keys) and what sums the tile away again (a softmax's row values, a mixture, a gradient).
// In: a contraction. Out: the tile nodes with their axes named, and the sinks that end the region; or why there is none.
// Nothing here knows attention: a tile is what has two axes that come from different operands of one contraction, and
// every way out of it must sum one of the two. Deliberately absent: which sinks share a kernel (stream-plan.ts).

import type { ContractNode, Node, ReduceNode, ViewNode } from "./graph.ts";
import { sameSize } from "./graph-axis.ts";
import { operandsOf } from "./graph-walk.ts";
import { estimateLong } from "./stream-length.ts";
import { known, product } from "../runtime/size.ts";
import type { Size } from "../runtime/size.ts";

/** Axes of a tile by number; the node's axis i is tile axis axes[i]. */
export type TileAxes = readonly number[];

export interface Region {
  readonly axes: ReadonlyMap<Node, TileAxes>;
  readonly sizes: readonly Size[];
  /** The two axes of which one is summed by every sink. */
  readonly rows: number;
  readonly columns: number;
  /** Contractions that make tiles, each computed again in every kernel that needs it. */
  readonly tiles: readonly ContractNode[];
  /** Maps as large as the tile that are no tiles themselves: masks, random numbers. They are computed where they are read. */
  readonly leaves: ReadonlySet<Node>;
  /** What reads the region and is not in it, in order. */
  readonly sinks: readonly Sink[];
}

export interface Sink {
  readonly node: ContractNode | ReduceNode;
  /** The tile that is summed: the operand of a contraction, or the input of a reduction. */
  readonly tile: Node;
  /** Tile axes: the one kept by each row of the result, and all that are summed (the region's other one first). */
  readonly own: number;
  readonly summed: readonly number[];
  /** Columns of a contraction's result; 0 for a value of the row. */
  readonly width: number;
}

export interface Blocked {
  readonly blocked: string;
  readonly seen: readonly Node[];
}

/** The longest inner sum of a tile: longer ones cost more to do again than to store. */
const mostDepth = 256;

/** Columns of a sum: a row's sums stay at hand while the other side is walked. */
const mostWidth = 256;

export interface Users {
  readonly of: (node: Node) => readonly Node[];
  readonly isRoot: (node: Node) => boolean;
}

export const reducedLabels = ({ labels }: ContractNode): string[] =>
  [...new Set(labels.a + labels.b)].filter((label) => !labels.out.includes(label));

/** Labels of the result that only one operand has. */
const ownLabels = (node: ContractNode, side: "a" | "b"): string[] => {
  const { labels } = node;
  const other = side === "a" ? labels.b : labels.a;
  return [...labels.out].filter((label) => labels[side].includes(label) && !other.includes(label));
};

/** Whether a contraction may make tiles: a short sum, and axes of their own on both sides. */
function canMakeTile(node: Node): node is ContractNode {
  if (node.op !== "contract" || node.ragged !== undefined) return false;
  const reduced = reducedLabels(node);
  const depth = known(product(reduced.map((label) => sizeOfLabel(node, label))));
  if (depth === undefined || depth > mostDepth || reduced.length === 0) return false;
  if ([node, node.a, node.b].some(({ shape }) => shape.some(({ kind }) => kind !== "dense"))) return false;
  const { labels } = node;
  const distinct = (text: string): boolean => new Set(text).size === text.length;
  return (
    distinct(labels.a) &&
    distinct(labels.b) &&
    ownLabels(node, "a").length > 0 &&
    ownLabels(node, "b").length > 0
  );
}

export function sizeOfLabel(node: ContractNode, label: string): Size {
  const at = node.labels.a.indexOf(label);
  return (at >= 0 ? node.a.shape[at]! : node.b.shape[node.labels.b.indexOf(label)]!).size;
}

/** The longest of some labels; the later of equals. */
function longest(node: ContractNode, labels: readonly string[]): string {
  const length = (label: string): number => estimateLong(sizeOfLabel(node, label));
  return labels.reduce((best, label) => (length(label) >= length(best) ? label : best));
}

export class RegionFinder {
  private readonly users: Users;
  private readonly tileish = new Map<Node, boolean>();

  constructor(users: Users) {
    this.users = users;
  }

  /** Whether a node is made of a contraction's tile by maps and views. */
  private isTileish(node: Node): boolean {
    const before = this.tileish.get(node);
    if (before !== undefined) return before;
    const found =
      node.op === "map"
        ? node.inputs.some((input) => this.isTileish(input))
        : node.op === "view"
          ? this.isTileish(node.input)
          : canMakeTile(node);
    this.tileish.set(node, found);
    return found;
  }

  grow(seed: Node): Region | Blocked | undefined {
    if (seed.op !== "contract" || !this.isTileish(seed)) return undefined;
    const rows = seed.labels.out.indexOf(longest(seed, ownLabels(seed, "a")));
    const columns = seed.labels.out.indexOf(longest(seed, ownLabels(seed, "b")));
    const growth = new Growth(this.users, (node) => this.isTileish(node), seed, rows, columns);
    return growth.run();
  }
}

class Growth {
  private readonly axes = new Map<Node, TileAxes>();
  private readonly sizes: Size[] = [];
  private readonly tiles: ContractNode[] = [];
  private readonly leaves = new Set<Node>();
  private readonly sinks = new Map<Node, Sink>();
  private readonly open: Node[] = [];
  private readonly users: Users;
  private readonly isTileish: (node: Node) => boolean;
  private readonly rows: number;
  private readonly columns: number;
  private blocked: string | undefined;

  constructor(
    users: Users,
    isTileish: (node: Node) => boolean,
    seed: ContractNode,
    rows: number,
    columns: number,
  ) {
    this.users = users;
    this.isTileish = isTileish;
    this.rows = rows;
    this.columns = columns;
    this.assign(
      seed,
      seed.shape.map(({ size }) => this.sizes.push(size) - 1),
    );
  }

  run(): Region | Blocked {
    for (let node = this.open.pop(); node !== undefined; node = this.open.pop()) {
      if (this.users.isRoot(node)) this.block(`${titleOf(node)} leaves the entry`);
      if (node.op === "map") for (const input of node.inputs) this.below(input, this.axes.get(node)!);
      if (node.op === "view") this.below(node.input, this.inputAxes(node, this.axes.get(node)!));
      for (const user of this.users.of(node)) this.above(user, node);
      if (this.blocked !== undefined) return { blocked: this.blocked, seen: [...this.axes.keys()] };
    }
    const sinks = [...this.sinks.values()].sort((a, b) => a.node.id - b.node.id);
    if (!sinks.some(({ node }) => node.op === "contract"))
      return { blocked: "no contraction sums it", seen: [...this.axes.keys()] };
    const { axes, sizes, rows, columns, tiles, leaves } = this;
    return { axes, sizes, rows, columns, tiles: tiles.sort((a, b) => a.id - b.id), leaves, sinks };
  }

  private block(reason: string): void {
    this.blocked ??= reason;
  }

  private assign(node: Node, axes: TileAxes): void {
    const before = this.axes.get(node);
    if (before !== undefined) {
      if (before.join() !== axes.join()) this.block(`${titleOf(node)} is read in two orders`);
      return;
    }
    if (node.op === "contract") {
      if (!this.makesTile(node, axes)) return;
      this.tiles.push(node);
    }
    this.axes.set(node, axes);
    this.open.push(node);
  }

  /** Whether the two axes of the region come from different operands; else the contraction has memory of its own. */
  private makesTile(node: ContractNode, axes: TileAxes): boolean {
    if (!canMakeTile(node)) return false;
    const label = (axis: number): string => node.labels.out[axes.indexOf(axis)]!;
    const [row, column] = [label(this.rows), label(this.columns)];
    const [a, b] = [ownLabels(node, "a"), ownLabels(node, "b")];
    return (a.includes(row) && b.includes(column)) || (a.includes(column) && b.includes(row));
  }

  private isTile(axes: TileAxes | undefined): axes is TileAxes {
    return axes !== undefined && axes.includes(this.rows) && axes.includes(this.columns);
  }

  private below(input: Node, axes: TileAxes | undefined): void {
    if (!this.isTile(axes)) return;
    if (this.isTileish(input)) this.assign(input, axes);
    else if (input.op === "view") this.below(input.input, this.inputAxes(input, axes));
    else if (input.op === "map" || input.op === "random") {
      if (this.leaves.has(input)) return;
      this.leaves.add(input);
      for (const operand of operandsOf(input)) this.below(operand, axes);
    }
  }

  private above(user: Node, node: Node): void {
    const axes = this.axes.get(node)!;
    const position = (axis: number): number => axes.indexOf(axis);
    switch (user.op) {
      case "map":
        return this.assign(user, axes);
      case "view": {
        const seen = this.axes.get(user);
        const through = this.outputAxes(user, axes, seen);
        if (!this.isTile(through)) return this.block(`a ${user.view.kind} of ${titleOf(node)}`);
        return this.assign(user, through);
      }
      case "reduce": {
        const summed = user.axes.map((axis) => axes[axis]!);
        const [only, more] = [summed[0], summed[1]];
        if (user.dtype !== "f32" || user.fn === "min") return this.block(`${user.fn} of ${titleOf(node)}`);
        if (user.groups || more !== undefined || (only !== this.rows && only !== this.columns))
          return this.block(`${user.fn} of ${titleOf(node)} over more than one side`);
        const own = only === this.rows ? this.columns : this.rows;
        return void this.sinks.set(user, { node: user, tile: node, own, summed: [only], width: 0 });
      }
      case "contract": {
        const { labels } = user;
        const dense = [user.a, user.b].every(({ shape }) => shape.every(({ kind }) => kind === "dense"));
        if (user.ragged !== undefined || !dense) return this.block("a contraction of rows that are routed");
        if (user.a === node && user.b === node) return this.block("a contraction of two tiles");
        const mine = user.a === node ? labels.a : labels.b;
        const theirs = user.a === node ? labels.b : labels.a;
        const [row, column] = [mine[position(this.rows)]!, mine[position(this.columns)]!];
        const [keepsRow, keepsColumn] = [labels.out.includes(row), labels.out.includes(column)];
        const other = user.a === node ? user.b : user.a;
        const kept = keepsRow ? row : column;
        const gone = keepsRow ? column : row;
        if (keepsRow === keepsColumn || theirs.includes(kept) || !theirs.includes(gone))
          return this.block(`a contraction that sums neither side of ${titleOf(node)}, or both`);
        if (this.axes.has(other)) return this.block("a contraction of two tiles");
        const own = keepsRow ? this.rows : this.columns;
        const stream = keepsRow ? this.columns : this.rows;
        const summed = [...mine].flatMap((label, i) => (labels.out.includes(label) ? [] : [axes[i]!]));
        // What only the other operand has is either in the result or summed outside of this.
        const onlyTheirs = [...theirs].filter((label) => !mine.includes(label));
        if (onlyTheirs.length === 0 || onlyTheirs.some((label) => !labels.out.includes(label)))
          return this.block("a contraction that is no matrix product");
        const width = known(product(onlyTheirs.map((label) => sizeOfLabel(user, label))));
        if (width === undefined || width > mostWidth)
          return this.block(`a sum of ${width ?? "an unknown number of"} columns`);
        return void this.sinks.set(user, {
          node: user,
          tile: node,
          own,
          width,
          summed: [stream, ...summed.filter((axis) => axis !== stream)],
        });
      }
      case "input":
      case "tensor":
      case "const":
      case "size":
      case "index":
      case "scan":
      case "choose":
      case "route":
      case "part":
      case "dispatch":
      case "combine":
      case "take":
      case "random":
        return this.block(`${titleOf(user)} reads ${titleOf(node)}`);
      default:
        return user satisfies never;
    }
  }

  /** Axes of a view's input. An axis of the input that the view's result does not have makes it no tile of this region. */
  private inputAxes(node: ViewNode, axes: TileAxes): TileAxes | undefined {
    const { view, input } = node;
    if (view.kind === "permute") {
      const from: number[] = [];
      for (const [axis, source] of view.axes.entries()) from[source] = axes[axis]!;
      return from;
    }
    if (view.kind === "broadcast") return view.axes.map((axis) => axes[axis]!);
    // the same axes but for some of size 1 would be a reshape, too: those have memory
    return view.kind === "reshape" && sameAxes(node, input) ? axes : undefined;
  }

  private outputAxes(node: ViewNode, axes: TileAxes, seen: TileAxes | undefined): TileAxes | undefined {
    const { view, input } = node;
    if (view.kind === "permute") return view.axes.map((axis) => axes[axis]!);
    if (view.kind === "reshape") return sameAxes(node, input) ? axes : undefined;
    if (view.kind !== "broadcast") return undefined;
    if (seen !== undefined) return seen;
    return node.shape.map(({ size }, axis) => {
      const from = view.axes.indexOf(axis);
      return from >= 0 ? axes[from]! : this.sizes.push(size) - 1;
    });
  }
}

const sameAxes = (a: Node, b: Node): boolean =>
  a.shape.length === b.shape.length && a.shape.every((axis, i) => sameSize(axis.size, b.shape[i]!.size));

const titleOf = (node: Node): string => (node.op === "map" ? node.fn : node.op);
