// Which node equals a draft: hash-consing without texts, because a large model asks for hundreds of thousands of nodes.
// In: drafts and the type asked for where fields do not tell it. Out: the place of an equal draft, if there was one, and what was made
// of it. One table of numbers beside two lists: whatever is kept for each node of a large model is moved about by the engine for long.
// Equal: the same operation on the same operands, and the same asked type; contractions that differ only in letters are
// one, -0 and 0 are two constants. Does not look at origins.

import type { ContractNode, Node, Shape, View } from "./graph.ts";
import { sameShape, sameSize } from "./graph-axis.ts";
import type { Draft, Type } from "./graph-infer.ts";
import type { Size } from "../runtime/size.ts";

export class UniqueNodes {
  /** As they were asked for, in order. */
  private readonly drafts: Node[] = [];
  /** What they are: the same, unless rules know better. */
  private readonly made: Node[] = [];
  private hashes = new Int32Array(512);
  /** Places in the lists, plus one, each as near behind its hash as there was room; at most half full. */
  private table = new Int32Array(1024);

  /** The place of an equal draft; -1 when there was none. */
  find(hash: number, draft: Draft, asked: Partial<Type>): number {
    const { table, hashes, drafts } = this;
    const mask = table.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const place = table[slot]! - 1;
      if (place < 0) return -1;
      if (hashes[place] !== hash) continue;
      const before = drafts[place]!;
      if (isAsked(before, asked) && sameDraft(before, draft)) return place;
    }
  }

  /** The place of a node that no draft before was equal to. */
  add(hash: number, node: Node): number {
    const place = this.drafts.length;
    if (2 * place >= this.table.length) this.grow();
    this.drafts.push(node);
    this.made.push(node);
    this.hashes[place] = hash;
    this.enter(place);
    return place;
  }

  at(place: number): Node {
    return this.made[place]!;
  }
  replace(place: number, node: Node): void {
    this.made[place] = node;
  }

  private enter(place: number): void {
    const { table } = this;
    const mask = table.length - 1;
    let slot = this.hashes[place]! & mask;
    while (table[slot] !== 0) slot = (slot + 1) & mask;
    table[slot] = place + 1;
  }

  private grow(): void {
    const { hashes, table, drafts } = this;
    this.table = new Int32Array(2 * table.length);
    this.hashes = new Int32Array(table.length);
    this.hashes.set(hashes);
    for (let place = 0; place < drafts.length; place++) this.enter(place);
  }
}

const mix = (hash: number, value: number): number => {
  const product = Math.imul(hash ^ value, 0x9e3779b1);
  return product ^ (product >>> 15);
};
function mixText(hash: number, text: string): number {
  let mixed = hash;
  for (let i = 0; i < text.length; i++) mixed = mix(mixed, text.charCodeAt(i));
  return mixed;
}
function mixAll(hash: number, values: readonly number[]): number {
  let mixed = hash;
  for (const value of values) mixed = mix(mixed, value);
  return mixed;
}
const mixSize = (hash: number, size: Size): number =>
  mix(hash, size.length === 0 ? 0 : size[0]!.coefficient + size[0]!.factors.length);
function mixShape(hash: number, shape: Shape): number {
  let mixed = mix(hash, shape.length);
  for (const axis of shape)
    mixed = axis.kind === "ragged" ? mix(mixed, ~axis.by.id) : mixSize(mixed, axis.size);
  return mixed;
}

// prettier-ignore
const ops: readonly Node["op"][] = [
  "input", "tensor", "const", "size", "index", "map", "view", "reduce", "scan", "contract", "choose", "route", "part",
  "dispatch", "combine", "take", "random",
];
const numbers = new Map(ops.map((op, i) => [op, i + 1]));

/** Equal drafts have equal hashes. */
export function hashOf(draft: Draft, asked: Partial<Type>): number {
  const start = numbers.get(draft.op)!;
  switch (draft.op) {
    case "input":
    case "tensor":
      return mixText(start, draft.name);
    case "const":
      return mix(mix(start, draft.value), draft.value * 4096);
    case "size":
      return mixSize(start, draft.size);
    case "index":
      return mixShape(start, asked.shape ?? []);
    case "map": {
      let hash = mixText(start, draft.fn);
      for (const input of draft.inputs) hash = mix(hash, input.id);
      return hash;
    }
    case "view": {
      const { view } = draft;
      const hash = mix(mix(start, draft.input.id), view.kind.charCodeAt(0) + view.kind.charCodeAt(1));
      if (view.kind === "permute") return mixAll(hash, view.axes);
      if (view.kind === "pad") return mixSize(mixSize(mix(hash, view.axis), view.before), view.after);
      if (view.kind === "slice") return mixSize(mix(hash, view.axis), view.start);
      return asked.shape === undefined ? hash : mixShape(hash, asked.shape);
    }
    case "reduce":
      return mixAll(mix(start, draft.input.id), draft.axes);
    case "scan":
      return mix(mix(start, draft.input.id), draft.axis);
    case "contract":
      return mix(mix(mix(start, draft.a.id), draft.b.id), draft.labels.out.length);
    case "choose":
      return mix(start, draft.score.id);
    case "route":
      return mix(start, draft.picks.id);
    case "part":
      return mix(mix(start, draft.route.id), draft.part.charCodeAt(0) + draft.part.charCodeAt(1));
    case "dispatch":
    case "combine":
      return mix(mix(start, draft.input.id), draft.route.id);
    case "take":
      return mix(mix(start, draft.table.id), draft.ids.id);
    case "random":
      return mix(start, draft.stream);
    default:
      return draft satisfies never;
  }
}

/** What is asked for is what the node has, or says nothing: then it follows from the draft. */
const isAsked = (node: Node, { dtype, shape }: Partial<Type>): boolean =>
  (dtype === undefined || dtype === node.dtype) && (shape === undefined || sameShape(shape, node.shape));

const sameNumbers = (a: readonly number[], b: readonly number[]): boolean =>
  a === b || (a.length === b.length && a.every((value, i) => value === b[i]));

function sameView(a: View, b: View): boolean {
  switch (a.kind) {
    case "permute":
    case "broadcast":
      return b.kind === a.kind && sameNumbers(a.axes, b.axes);
    case "reshape":
      return b.kind === a.kind;
    case "slice":
      return b.kind === a.kind && a.axis === b.axis && sameSize(a.start, b.start);
    case "pad":
      return (
        b.kind === a.kind && a.axis === b.axis && sameSize(a.before, b.before) && sameSize(a.after, b.after)
      );
    default:
      return a satisfies never;
  }
}

type Labelled = Pick<ContractNode, "labels" | "ragged">;

/** Whether two contractions have one meaning: their letters correspond, one to one, in order of appearance. */
function sameLabels(a: Labelled, b: Labelled): boolean {
  if (a.labels.a.length !== b.labels.a.length || a.labels.b.length !== b.labels.b.length) return false;
  if (a.labels.out.length !== b.labels.out.length || (a.ragged === undefined) !== (b.ragged === undefined))
    return false;
  const mine = a.labels.a + a.labels.b + a.labels.out + (a.ragged?.row ?? "") + (a.ragged?.group ?? "");
  const theirs = b.labels.a + b.labels.b + b.labels.out + (b.ragged?.row ?? "") + (b.ragged?.group ?? "");
  if (mine === theirs) return true;
  if (mine.length !== theirs.length) return false;
  for (let i = 0; i < mine.length; i++)
    if (mine.indexOf(mine[i]!) !== theirs.indexOf(theirs[i]!)) return false;
  return true;
}

/** Whether two drafts are one node, as far as their own fields say. */
function sameDraft(a: Node, b: Draft): boolean {
  switch (a.op) {
    case "input":
    case "tensor":
      return b.op === a.op && a.name === b.name;
    case "const":
      return b.op === a.op && Object.is(a.value, b.value);
    case "size":
      return b.op === a.op && sameSize(a.size, b.size);
    case "index":
      return b.op === a.op;
    case "map": {
      if (b.op !== a.op || a.fn !== b.fn || a.inputs.length !== b.inputs.length) return false;
      const { inputs } = b;
      return a.inputs.every((input, i) => input === inputs[i]);
    }
    case "view":
      return b.op === a.op && a.input === b.input && sameView(a.view, b.view);
    case "reduce":
      return (
        b.op === a.op &&
        a.input === b.input &&
        a.fn === b.fn &&
        a.groups === b.groups &&
        sameNumbers(a.axes, b.axes)
      );
    case "scan":
      return (
        b.op === a.op &&
        a.input === b.input &&
        a.axis === b.axis &&
        a.exclusive === b.exclusive &&
        a.reverse === b.reverse
      );
    case "contract":
      return b.op === a.op && a.a === b.a && a.b === b.b && sameLabels(a, b);
    case "choose":
      return b.op === a.op && a.score === b.score && a.as === b.as && sameSize(a.count, b.count);
    case "route":
      return b.op === a.op && a.picks === b.picks && a.groups === b.groups && sameSize(a.bound, b.bound);
    case "part":
      return b.op === a.op && a.route === b.route && a.part === b.part;
    case "dispatch":
    case "combine":
      return b.op === a.op && a.input === b.input && a.route === b.route && a.per === b.per;
    case "take":
      return b.op === a.op && a.table === b.table && a.ids === b.ids && a.batch === b.batch;
    case "random":
      return b.op === a.op && a.stream === b.stream;
    default:
      return a satisfies never;
  }
}
