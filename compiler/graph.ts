// Graph: hash-consed data flow over dense and ragged axes. Differentiation and fusion happen here.
// In: made by build (from the checked model). Out: fused into clusters and lowered to kernels; executed by the graph
// interpreter in double precision, which is the specification of every operation.
// A closed set of operations, none named after a model. There is no scatter: `dispatch` and `combine` are each other's
// transposes, and both gather.

import type { HalfName } from "../runtime/program.ts";
import type { Size } from "../runtime/size.ts";
import type { Span } from "../grammar/syntax.ts";

/** Numbers of half width (bf16, f16) come of casts and are moved and contracted, nothing else: sums and functions are f32. */
export type DType = "f32" | "i32" | "bool" | HalfName;

/** A ragged axis holds the rows that a routing made: ordered by group (expert), then by token. `size` is the static bound on
 * rows; how many are really there is known only when it runs. Two ragged axes are the same when the routing is. */
export type Axis =
  | { readonly kind: "dense"; readonly size: Size }
  | { readonly kind: "ragged"; readonly size: Size; readonly by: RouteNode };

export type Shape = readonly Axis[];

/** Where a node comes from: for kernel names, plans and errors. */
export interface Origin {
  /** Path of the instance in the model: `block.0.experts.router`. */
  readonly path: string;
  readonly span?: Span;
  readonly module?: string;
}

interface Common {
  /** Position in creation order; inputs have smaller ids than their users. */
  readonly id: number;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly origin: Origin;
  /** The nodes whose values it reads, in the order of its fields: for all that walks. */
  readonly operands: readonly Node[];
}

export type UnaryMap =
  | "neg" | "abs" | "exp" | "log" | "sqrt" | "tanh" | "sin" | "cos" | "erf" | "sigmoid"
  | "floor" | "ceil" | "round" | "sign" | "not" | "isnan"
  /** Identity whose gradient is zero. */
  | "stop"
  /** Casts: numbers to f32, f32 to i32 (truncating), bool to 0 or 1; f32 to the nearest number of half width, ties to even. */
  | "f32" | "i32" | HalfName;
export type BinaryMap =
  // min and max return the other operand when one is NaN; div and mod of i32 are for non-negative numbers
  "add" | "sub" | "mul" | "div" | "mod" | "min" | "max" | "pow" | "lt" | "le" | "eq" | "ne" | "and" | "or" | "xor";
/** `select(condition, a, b)`. */
export type MapFn = UnaryMap | BinaryMap | "select";

/** Every way to look at a tensor without computing. A ragged axis may be moved by permute and kept by the others; never
 * reshaped, sliced or padded. */
export type View =
  /** out axis i is input axis axes[i]. */
  | { readonly kind: "permute"; readonly axes: readonly number[] }
  /** Row-major; same number of elements. */
  | { readonly kind: "reshape" }
  /** Input axis i becomes out axis axes[i] (increasing); the other out axes repeat. */
  | { readonly kind: "broadcast"; readonly axes: readonly number[] }
  /** out[.., i, ..] = in[.., start + i, ..] along one axis. */
  | { readonly kind: "slice"; readonly axis: number; readonly start: Size }
  /** Zeros (false) before and after along one axis. */
  | { readonly kind: "pad"; readonly axis: number; readonly before: Size; readonly after: Size };

/** An input of the entry. `$step` (i32: optimiser steps done), `$draw` (i32: counts forward passes, keys randomness), `$seed`
 * (i32) and, in decoding, `$position` (i32: tokens already in the caches) are scalars that the runtime provides. */
export interface InputNode extends Common { readonly op: "input"; readonly name: string }
/** The value, at the start of the entry, of a parameter, a state or a piece of optimiser state. */
export interface TensorNode extends Common { readonly op: "tensor"; readonly name: string }
/** A scalar (rank 0). */
export interface ConstNode extends Common { readonly op: "const"; readonly value: number }
/** A size as an i32 scalar: lets formulas use symbolic sizes. */
export interface SizeNode extends Common { readonly op: "size"; readonly size: Size }
/** Rank 1, i32: 0, 1, 2, ... */
export interface IndexNode extends Common { readonly op: "index" }
/** Element-wise; every input has the shape of the result (broadcasts are views). */
export interface MapNode extends Common { readonly op: "map"; readonly fn: MapFn; readonly inputs: readonly Node[] }
export interface ViewNode extends Common { readonly op: "view"; readonly view: View; readonly input: Node }
/** Removes `axes`. Over a ragged axis only the rows that are there count; with `groups` the ragged axis (then the only one
 * reduced) becomes a dense axis of the routing's groups. An empty sum is 0, an empty max -inf, an empty min inf. */
export interface ReduceNode extends Common {
  readonly op: "reduce";
  readonly fn: "sum" | "max" | "min";
  readonly axes: readonly number[];
  readonly groups: boolean;
  readonly input: Node;
}
/** Running sum along an axis. Exclusive: the element itself is not in its sum. */
export interface ScanNode extends Common {
  readonly op: "scan";
  readonly axis: number;
  readonly exclusive: boolean;
  readonly reverse: boolean;
  readonly input: Node;
}
/** out[out labels] = sum over labels not in out of a[labels] * b[labels]; f32, of operands that are f32 or both of one half width. Each label is one letter, each axis has one.
 * With `ragged`, `row` labels a ragged axis and `group` the dense axis of its groups: the group's index is that of the row,
 * so `rk,ekn->rn` is a product with each row's own matrix, and `rk,rn->ekn` sums each group's rows. */
export interface ContractNode extends Common {
  readonly op: "contract";
  readonly a: Node;
  readonly b: Node;
  readonly labels: { readonly a: string; readonly b: string; readonly out: string };
  readonly ragged?: { readonly row: string; readonly group: string };
}
/** The `count` largest along the last axis, by value, ties to the lower index; NaN and -inf are never chosen.
 * ids: i32 [..., count], in falling order of score, -1 where nothing was left. mask: bool, the shape of the score. */
export interface ChooseNode extends Common {
  readonly op: "choose";
  readonly score: Node;
  readonly count: Size;
  readonly as: "ids" | "mask";
}
/** A routing, from picks i32 [tokens, K] (group of each pick, -1 or >= groups: no row). Opaque: read through `part`, `dispatch`,
 * `combine`. Rows are ordered by group, then by token, then by pick. shape [rows bound], dtype i32 by convention. */
export interface RouteNode extends Common {
  readonly op: "route";
  readonly picks: Node;
  readonly groups: number;
  readonly bound: Size;
}
/** offsets: [groups + 1], first row of each group. source: [rows] ragged, token * K + pick of the row. group: [rows] ragged.
 * slot: [tokens, K], the row of the pick or -1. All i32. */
export interface PartNode extends Common {
  readonly op: "part";
  readonly part: "offsets" | "source" | "group" | "slot";
  readonly route: RouteNode;
}
/** Rows from tokens. per token: [tokens, ...] -> [rows, ...]; per pick: [tokens, K, ...] -> [rows, ...]. */
export interface DispatchNode extends Common {
  readonly op: "dispatch";
  readonly per: "token" | "pick";
  readonly input: Node;
  readonly route: RouteNode;
}
/** Tokens from rows; the transpose of dispatch. per token: each token sums its rows; per pick: each pick takes its row, or 0. */
export interface CombineNode extends Common {
  readonly op: "combine";
  readonly per: "token" | "pick";
  readonly input: Node;
  readonly route: RouteNode;
}
/** table[shared axes.., V, rest..], ids[shared axes.., more..] -> [shared.., more.., rest..] with `batch` shared leading axes.
 * An id outside 0..V-1 gives zeros. */
export interface TakeNode extends Common {
  readonly op: "take";
  readonly table: Node;
  readonly ids: Node;
  readonly batch: number;
}
/** f32 in [0, 1), counter-based: element i of the flattened shape is threefry(key ($seed, $draw), counter (i, stream)). */
export interface RandomNode extends Common { readonly op: "random"; readonly stream: number }

export type Node =
  | InputNode | TensorNode | ConstNode | SizeNode | IndexNode | MapNode | ViewNode | ReduceNode | ScanNode | ContractNode
  | ChooseNode | RouteNode | PartNode | DispatchNode | CombineNode | TakeNode | RandomNode;

/** One entry of a program before lowering. */
export interface Graph {
  readonly name: string;
  readonly outputs: readonly { readonly name: string; readonly node: Node; readonly doc?: string }[];
  /** New values of tensors, all computed from the old ones, stored when everything that reads the old ones is done. */
  readonly updates: readonly { readonly tensor: string; readonly node: Node }[];
}
