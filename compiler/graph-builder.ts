// Makes graphs: one method per operation, each node made once (hash-consed), types inferred and checked; then the
// compositions that everyone needs. In: nodes, numbers. Out: nodes.
// A node made twice is one node and keeps the origin of the first. Identity views vanish here; every other
// simplification is simplify's, which gives the builder its rules as `rewrite`.

import type { ChooseNode, DType, MapFn, Node, Origin, PartNode, RouteNode, Shape, View } from "./graph.ts";
import { add, constant, known, multiply, product, type Size } from "../runtime/size.ts";
import { dense, sameAxis, sameShape, toAxis, toShape } from "./graph-axis.ts";
import type { AxisLike, ShapeLike } from "./graph-axis.ts";
import { infer, type Draft, type Type } from "./graph-infer.ts";
import { nodeOf } from "./graph-node.ts";
import { hashOf, UniqueNodes } from "./graph-unique.ts";

/** A node, or a number that becomes a constant of the dtype beside it. */
export type Value = Node | number;
const sizeOf = (size: Size | number): Size => (typeof size === "number" ? constant(size) : size);

const untyped: Partial<Type> = {};

export class GraphBuilder {
  /** Given to every node made from now on. */
  origin: Origin = { path: "" };
  /** Told of every node that is asked for, made before or not. Used by elaboration to ask again. */
  asked: ((node: Node) => void) | undefined;
  private readonly unique = new UniqueNodes();
  private next = 0;
  /** What a new node becomes: itself when undefined. Used by simplify. */
  private readonly rewrite: ((node: Node) => Node | undefined) | undefined;

  constructor(rewrite?: (node: Node) => Node | undefined) {
    this.rewrite = rewrite;
  }

  /** Runs with another origin. */
  at<T>(origin: Origin, make: () => T): T {
    const before = this.origin;
    this.origin = origin;
    try {
      return make();
    } finally {
      this.origin = before;
    }
  }

  /** The node of a draft: the one made before, or a new one. `type`: where it is known, so that nothing need be inferred. */
  make(draft: Draft, asked: Partial<Type> = untyped, type?: Type): Node {
    const hash = hashOf(draft, asked);
    const place = this.unique.find(hash, draft, asked);
    const node = place < 0 ? this.enter(hash, draft, type ?? infer(draft, asked)) : this.unique.at(place);
    this.asked?.(node);
    return node;
  }

  private enter(hash: number, draft: Draft, type: Type): Node {
    const node = nodeOf(draft, type, this.next++, this.origin);
    // Known before it is rewritten: a rule that makes the same node again gets it as it is.
    const place = this.unique.add(hash, node);
    const better = this.rewrite?.(node);
    if (better === undefined) return node;
    this.unique.replace(place, better);
    return better;
  }

  // Sources

  input(name: string, dtype: DType, shape: ShapeLike = []): Node {
    return this.make({ op: "input", name }, { dtype, shape: toShape(shape) });
  }
  tensor(name: string, shape: ShapeLike, dtype: DType = "f32"): Node {
    return this.make({ op: "tensor", name }, { dtype, shape: toShape(shape) });
  }
  constant(value: number | boolean, dtype: DType = typeof value === "boolean" ? "bool" : "f32"): Node {
    return this.make({ op: "const", value: Number(value) }, { dtype });
  }
  /** A size as an i32 scalar. */
  size(size: Size | number): Node {
    return this.make({ op: "size", size: sizeOf(size) });
  }
  /** i32 [size]: 0, 1, 2, ... */
  index(size: AxisLike): Node {
    return this.make({ op: "index" }, { shape: [toAxis(size)] });
  }
  random(stream: number, shape: ShapeLike): Node {
    return this.make({ op: "random", stream }, { shape: toShape(shape) });
  }

  // Element-wise

  /** Applies `fn`. Numbers and scalars are repeated to the shape of the other operands. */
  map(fn: MapFn, ...inputs: readonly Value[]): Node {
    let dtype: DType | undefined;
    let shape: Shape = [];
    for (const [i, input] of inputs.entries()) {
      if (typeof input === "number") continue;
      // The condition of a selection says nothing of what is selected.
      if (fn !== "select" || i > 0) dtype ??= input.dtype;
      if (input.shape.length > shape.length) shape = input.shape;
    }
    const operands = inputs.map((input) => {
      const node = typeof input === "number" ? this.constant(input, dtype ?? "f32") : input;
      return node.shape.length === 0 ? this.broadcastTo(node, shape, []) : node;
    });
    if (operands[0]!.dtype === fn) return operands[0]!;
    return this.make({ op: "map", fn, inputs: operands });
  }
  add(a: Value, b: Value): Node {
    return this.map("add", a, b);
  }
  sub(a: Value, b: Value): Node {
    return this.map("sub", a, b);
  }
  mul(a: Value, b: Value): Node {
    return this.map("mul", a, b);
  }
  div(a: Value, b: Value): Node {
    return this.map("div", a, b);
  }
  select(condition: Node, a: Value, b: Value): Node {
    return this.map("select", condition, a, b);
  }
  /** Cast to a number. */
  cast(node: Node, dtype: Exclude<DType, "bool">): Node {
    return this.map(dtype, node);
  }

  // Views

  private view(view: View, input: Node, shape?: Shape): Node {
    return this.make({ op: "view", view, input }, shape === undefined ? untyped : { shape });
  }
  /** out axis i is input axis axes[i]. */
  permute(node: Node, axes: readonly number[]): Node {
    if (axes.length === node.shape.length && axes.every((axis, i) => axis === i)) return node;
    return this.view({ kind: "permute", axes }, node);
  }
  reshape(node: Node, shape: ShapeLike): Node {
    const to = toShape(shape);
    return sameShape(node.shape, to) ? node : this.view({ kind: "reshape" }, node, to);
  }
  /** Input axis i becomes axis axes[i] of `shape`; the other axes repeat. */
  broadcastTo(node: Node, shape: ShapeLike, axes: readonly number[] = []): Node {
    const to = toShape(shape);
    if (axes.length === to.length && sameShape(node.shape, to)) return node;
    return this.view({ kind: "broadcast", axes }, node, to);
  }
  slice(node: Node, axis: number, start: Size | number, size: Size | number): Node {
    const to = dense(sizeOf(size));
    const at = sizeOf(start);
    if (known(at) === 0 && node.shape[axis] !== undefined && sameAxis(node.shape[axis], to)) return node;
    const shape = node.shape.map((each, i) => (i === axis ? to : each));
    return this.view({ kind: "slice", axis, start: at }, node, shape);
  }
  pad(node: Node, axis: number, before: Size | number, after: Size | number): Node {
    const [first, last] = [sizeOf(before), sizeOf(after)];
    if (known(first) === 0 && known(last) === 0) return node;
    return this.view({ kind: "pad", axis, before: first, after: last }, node);
  }

  // Reductions, scans, contractions

  /** Removes `axes` (all when not given); negative axes count from the end. */
  reduce(fn: "sum" | "max" | "min", input: Node, axes?: readonly number[]): Node {
    const rank = input.shape.length;
    const positive = axes?.map((axis) => (axis < 0 ? rank + axis : axis)) ?? input.shape.map((_, i) => i);
    if (positive.length === 0) return input;
    return this.make({ op: "reduce", fn, axes: [...positive].sort((a, b) => a - b), groups: false, input });
  }
  /** The ragged axis becomes the dense axis of its routing's groups. */
  reduceGroups(fn: "sum" | "max" | "min", input: Node, axis = 0): Node {
    return this.make({ op: "reduce", fn, axes: [axis], groups: true, input });
  }
  scan(input: Node, axis: number, { exclusive = false, reverse = false } = {}): Node {
    return this.make({
      op: "scan",
      axis: axis < 0 ? input.shape.length + axis : axis,
      exclusive,
      reverse,
      input,
    });
  }
  /** `contract(x, w, "rk,ekn->rn", { row: "r", group: "e" })`. */
  contract(
    a: Node,
    b: Node,
    formula: string,
    ragged?: { readonly row: string; readonly group: string },
  ): Node {
    const [left, right, out] = formula.replaceAll(" ", "").split(/,|->/);
    if (left === undefined || right === undefined || out === undefined)
      throw new Error(`internal: ${formula} is no contraction`);
    const labels = { a: left, b: right, out };
    return this.make({ op: "contract", a, b, labels, ...(ragged === undefined ? {} : { ragged }) });
  }

  // Routing

  choose(score: Node, count: Size | number, as: ChooseNode["as"] = "ids"): Node {
    return this.make({ op: "choose", score, count: sizeOf(count), as });
  }
  /** `bound` is the static bound on rows; tokens * K when not given. */
  route(picks: Node, groups: number, bound?: Size): RouteNode {
    const all = (): Size => {
      const [tokens, picksPerToken] = picks.shape;
      if (tokens === undefined || picksPerToken === undefined)
        throw new Error("internal: picks are [tokens, K]");
      return multiply(tokens.size, picksPerToken.size);
    };
    return this.make({ op: "route", picks, groups, bound: bound ?? all() }) as RouteNode;
  }
  part(route: RouteNode, part: PartNode["part"]): Node {
    return this.make({ op: "part", part, route });
  }
  dispatch(input: Node, route: RouteNode, per: "token" | "pick" = "token"): Node {
    return this.make({ op: "dispatch", per, input, route });
  }
  combine(input: Node, route: RouteNode, per: "token" | "pick" = "token"): Node {
    return this.make({ op: "combine", per, input, route });
  }
  take(table: Node, ids: Node, batch = 0): Node {
    return this.make({ op: "take", table, ids, batch });
  }

  // Compositions

  sum(node: Node, axes?: readonly number[]): Node {
    return this.reduce("sum", node, axes);
  }
  /** Over dense axes, whose size is known before it runs; rows of a routing are counted by `part offsets`. */
  mean(node: Node, axes?: readonly number[]): Node {
    const rank = node.shape.length;
    const reduced = axes?.map((axis) => node.shape[axis < 0 ? rank + axis : axis]!) ?? node.shape;
    if (reduced.some((axis) => axis.kind === "ragged"))
      throw new Error("internal: the mean over a ragged axis");
    const count = this.cast(this.size(product(reduced.map((axis) => axis.size))), "f32");
    return this.div(this.sum(node, axes), count);
  }
  neg(node: Node): Node {
    return this.map("neg", node);
  }
  square(node: Node): Node {
    return this.mul(node, node);
  }
  /** Its gradient is zero. */
  stop(node: Node): Node {
    return this.map("stop", node);
  }
  silu(node: Node): Node {
    return this.mul(node, this.map("sigmoid", node));
  }
  /** A new axis before axis `at`, along which the node repeats. */
  insertAxis(node: Node, at: number, axis: AxisLike): Node {
    const shape = [...node.shape.slice(0, at), toAxis(axis), ...node.shape.slice(at)];
    const axes = node.shape.map((_, i) => (i < at ? i : i + 1));
    return this.broadcastTo(node, shape, axes);
  }
  /** Undoes a reduction of `axis`: the node repeats along it, in the shape of `like`. */
  expand(node: Node, like: Shape, axis: number): Node {
    const at = axis < 0 ? like.length + axis : axis;
    return this.insertAxis(node, at, like[at]!);
  }
  transpose(node: Node, a = -1, b = -2): Node {
    const rank = node.shape.length;
    const [first, second] = [a < 0 ? rank + a : a, b < 0 ? rank + b : b];
    const swap = (axis: number): number => (axis === first ? second : axis === second ? first : axis);
    return this.permute(
      node,
      node.shape.map((_, i) => swap(i)),
    );
  }
  /** exp(x - max x) and the max, shared by the softmax family. The max is stopped: it cancels out of the gradient. */
  private exponentials(node: Node, axis: number): { readonly max: Node; readonly exp: Node } {
    const max = this.stop(this.reduce("max", node, [axis]));
    return { max, exp: this.map("exp", this.sub(node, this.expand(max, node.shape, axis))) };
  }
  /** exp(x - max x) / sum exp(x - max x). All -inf gives NaN: mask the result where a whole row may be masked. */
  softmax(node: Node, axis = -1): Node {
    const { exp } = this.exponentials(node, axis);
    return this.div(exp, this.expand(this.sum(exp, [axis]), node.shape, axis));
  }
  /** log sum exp(x), without overflow. */
  logsumexp(node: Node, axis = -1): Node {
    const { max, exp } = this.exponentials(node, axis);
    return this.add(max, this.map("log", this.sum(exp, [axis])));
  }
  logSoftmax(node: Node, axis = -1): Node {
    return this.sub(node, this.expand(this.logsumexp(node, axis), node.shape, axis));
  }
  /** bool [..., size]: whether the id is that index. An id outside matches nothing. */
  oneHot(ids: Node, size: AxisLike): Node {
    const shape = [...ids.shape, toAxis(size)];
    const rank = ids.shape.length;
    const wide = this.broadcastTo(
      ids,
      shape,
      ids.shape.map((_, i) => i),
    );
    return this.map("eq", wide, this.broadcastTo(this.index(size), shape, [rank]));
  }
  /** Side by side along one axis: each part padded to the whole, then added (bool: or). */
  concat(nodes: readonly Node[], axis: number): Node {
    const first = nodes[0];
    if (first === undefined) throw new Error("internal: concat of nothing");
    const at = axis < 0 ? first.shape.length + axis : axis;
    const sizes = nodes.map((node) => node.shape[at]!.size);
    const sum = (some: readonly Size[]): Size => some.reduce(add, constant(0));
    const wide = nodes.map((node, i) => this.pad(node, at, sum(sizes.slice(0, i)), sum(sizes.slice(i + 1))));
    return wide.reduce((a, b) => this.map(first.dtype === "bool" ? "or" : "add", a, b));
  }
}
