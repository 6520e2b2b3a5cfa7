// What a mask says about where a tile matters: linear conditions on its two coordinates that hold wherever a sum gets
// anything at all. A causal mask gives j - m <= 0, a window m - j - w + 1 <= 0.
// In: the sinks of a stream. Out: bounds that all of them have in common. Only masks that compare affine indices are
// understood. What is left out would have been multiplied by zero: NaN or infinities there do not show. A row that a mask
// of indices leaves nothing at all makes NaN of its softmax, which must show: then only the row's own sum takes part.

import type { MapNode, Node } from "../graph.ts";
import type { Region, Sink } from "../stream-region.ts";
import type { Stream } from "../stream-plan.ts";
import { constantOf } from "../simplify-rule.ts";
import type { Size } from "../../runtime/size.ts";
import { known, sizeEquals, subtract as subtractSizes } from "../../runtime/size.ts";
import type { Affine } from "./affine.ts";
import { add, fixed, number, ofAtom, read, scale, shift, subtract, variable } from "./affine.ts";

/** `form` <= 0. */
type Bounds = ReadonlyMap<string, Affine>;
const none: Bounds = new Map();

const both = (a: Bounds, b: Bounds): Bounds => new Map([...a, ...b]);
const either = (a: Bounds, b: Bounds): Bounds => new Map([...a].filter(([key]) => b.has(key)));

/** own * m + stream * j + offset + all reads <= 0. */
export interface FoundBound {
  readonly own: number;
  readonly stream: -1 | 1;
  readonly offset: Size;
  /** Scalars that are known when the kernel runs: the position of decoding. */
  readonly reads: readonly { readonly node: Node; readonly factor: number }[];
}

export function boundsOf(stream: Stream): FoundBound[] {
  const { region, own, summed, sinks, online } = stream;
  const names = new Map([
    [own, "m"],
    [summed[0]!, "j"],
  ]);
  const finder = new BoundFinder(region, names);
  if (online?.max === undefined && region.sinks.some((sink) => isMax(sink) && !neverEmpty(region, sink)))
    return [];
  const each = sinks.map((sink) => finder.ofSink(sink, sink.node === online?.max));
  const common = each.reduce(either);
  return [...common.values()].flatMap((form): FoundBound[] => {
    let [m, j]: (number | undefined)[] = [0, 0];
    const reads: { node: Node; factor: number }[] = [];
    for (const { atom, coefficient } of form.terms) {
      const factor = known(coefficient);
      if (atom.key === "m") m = factor;
      else if (atom.key === "j") j = factor;
      else if (atom.kind === "read" && atom.at.length === 0 && factor !== undefined)
        reads.push({ node: atom.node, factor });
      else return [];
    }
    if (m === undefined || (j !== 1 && j !== -1)) return [];
    return [{ own: m, stream: j, offset: form.offset, reads }];
  });
}

const isMax = ({ node }: Sink): boolean => node.op === "reduce" && node.fn === "max";

/** Whether every row of a maximum certainly has an element that a mask of indices leaves: its own, the first or the last. */
function neverEmpty(region: Region, sink: Sink): boolean {
  const [rows, columns] = [sink.own, sink.summed[0]!];
  const forms = new BoundFinder(
    region,
    new Map([
      [rows, "m"],
      [columns, "j"],
    ]),
  ).ofSink(sink, true);
  const m = variable("m", 0);
  const last = (axis: number): Affine => fixed(subtractSizes(region.sizes[axis]!, number(1)));
  const candidates = [fixed(number(0)), last(columns)];
  if (sizeEquals(region.sizes[rows]!, region.sizes[columns]!)) candidates.push(m);
  return candidates.some((j) =>
    [...forms.values()].every((form) => {
      const there = replace(form, "j", j);
      return [fixed(number(0)), last(rows)].every((edge) => {
        const { terms, offset } = replace(there, "m", edge);
        return terms.length === 0 && offset.every(({ coefficient }) => coefficient <= 0);
      });
    }),
  );
}

function replace(form: Affine, name: string, by: Affine): Affine {
  const term = form.terms.find(({ atom }) => atom.key === name);
  if (term === undefined) return form;
  return add(subtract(form, scale(ofAtom(term.atom), term.coefficient)), scale(by, term.coefficient));
}

class BoundFinder {
  private readonly region: Region;
  private readonly names: ReadonlyMap<number, string>;

  constructor(region: Region, names: ReadonlyMap<number, string>) {
    this.region = region;
    this.names = names;
  }

  ofSink({ node, tile }: Sink, isOnline: boolean): Bounds {
    const at = this.region.axes.get(tile)!.map((axis) => variable(this.names.get(axis) ?? `b${axis}`, 0));
    return isOnline || (node.op === "reduce" && node.fn === "max")
      ? this.notLowest(tile, at)
      : this.nonZero(tile, at);
  }

  /** What holds where the value is not zero. */
  private nonZero(node: Node, at: readonly Affine[]): Bounds {
    if (node.op === "view") {
      const below = belowView(node, at);
      return below === undefined ? none : this.nonZero(node.input, below);
    }
    if (node.op !== "map") return none;
    const [a, b, c] = node.inputs;
    switch (node.fn) {
      case "mul":
        return both(this.nonZero(a!, at), this.nonZero(b!, at));
      case "div":
      case "neg":
      case "tanh":
      case "stop":
        return this.nonZero(a!, at);
      case "f32":
        return a!.dtype === "bool" ? this.holds(a!, at, true) : this.nonZero(a!, at);
      case "exp":
      case "sigmoid":
        return this.notLowest(a!, at);
      case "add":
      case "sub":
        return either(this.nonZero(a!, at), this.nonZero(b!, at));
      case "select":
        if (constantOf(c!) === 0) return both(this.holds(a!, at, true), this.nonZero(b!, at));
        if (constantOf(b!) === 0) return both(this.holds(a!, at, false), this.nonZero(c!, at));
        return either(this.nonZero(b!, at), this.nonZero(c!, at));
      default:
        return none;
    }
  }

  /** What holds where the value is not -inf. */
  private notLowest(node: Node, at: readonly Affine[]): Bounds {
    if (node.op === "view") {
      const below = belowView(node, at);
      return below === undefined ? none : this.notLowest(node.input, below);
    }
    if (node.op !== "map") return none;
    const [a, b, c] = node.inputs;
    const positive = (factor: Node): boolean => (constantOf(factor) ?? 0) > 0;
    switch (node.fn) {
      case "sub":
      case "stop":
        return this.notLowest(a!, at);
      case "add":
      case "min":
        return both(this.notLowest(a!, at), this.notLowest(b!, at));
      case "mul":
        if (positive(b!)) return this.notLowest(a!, at);
        return positive(a!) ? this.notLowest(b!, at) : none;
      case "div":
        return positive(b!) ? this.notLowest(a!, at) : none;
      case "select":
        if (constantOf(c!) === -Infinity) return both(this.holds(a!, at, true), this.notLowest(b!, at));
        if (constantOf(b!) === -Infinity) return both(this.holds(a!, at, false), this.notLowest(c!, at));
        return either(this.notLowest(b!, at), this.notLowest(c!, at));
      default:
        return none;
    }
  }

  /** What a condition says, when it is true or when it is false. */
  private holds(node: Node, at: readonly Affine[], truth: boolean): Bounds {
    if (node.op === "view") {
      const below = belowView(node, at);
      return below === undefined ? none : this.holds(node.input, below, truth);
    }
    if (node.op !== "map") return none;
    const [a, b] = node.inputs;
    switch (node.fn) {
      case "not":
        return this.holds(a!, at, !truth);
      case "and":
      case "or": {
        const join = (node.fn === "and") === truth ? both : either;
        return join(this.holds(a!, at, truth), this.holds(b!, at, truth));
      }
      case "le":
      case "lt":
        return this.comparison(node, at, truth);
      default:
        return none;
    }
  }

  private comparison({ fn, inputs }: MapNode, at: readonly Affine[], truth: boolean): Bounds {
    const [a, b] = inputs.map((input) => indexOf(input, at));
    if (a === undefined || b === undefined) return none;
    // a <= b, a < b; and their opposites b < a, b <= a
    const strict = (fn === "lt") === truth;
    const difference = truth ? subtract(a, b) : subtract(b, a);
    const form = strict ? shift(difference, number(1)) : difference;
    return new Map([[form.key, form]]);
  }
}

function belowView(
  node: Extract<Node, { op: "view" }>,
  at: readonly Affine[],
): readonly Affine[] | undefined {
  const { view } = node;
  if (view.kind === "broadcast") return view.axes.map((axis) => at[axis]!);
  if (view.kind !== "permute") return undefined;
  const from: Affine[] = [];
  for (const [axis, source] of view.axes.entries()) from[source] = at[axis]!;
  return from;
}

/** An i32 value as an affine form of the coordinates. */
function indexOf(node: Node, at: readonly Affine[]): Affine | undefined {
  if (node.dtype !== "i32") return undefined;
  const each = (inputs: readonly Node[]): readonly (Affine | undefined)[] =>
    inputs.map((input) => indexOf(input, at));
  switch (node.op) {
    case "index":
      return at[0];
    case "input":
      return node.shape.length === 0 ? read(node, []) : undefined;
    case "const":
      return fixed(number(node.value));
    case "size":
      return fixed(node.size);
    case "view": {
      const below = belowView(node, at);
      return below === undefined ? undefined : indexOf(node.input, below);
    }
    case "map": {
      const [a, b] = each(node.inputs);
      if (a === undefined) return undefined;
      if (node.fn === "neg") return scale(a, number(-1));
      if (b === undefined) return undefined;
      if (node.fn === "add") return add(a, b);
      if (node.fn === "sub") return subtract(a, b);
      if (node.fn !== "mul") return undefined;
      if (a.terms.length === 0) return scale(b, a.offset);
      return b.terms.length === 0 ? scale(a, b.offset) : undefined;
    }
    default:
      return undefined;
  }
}
