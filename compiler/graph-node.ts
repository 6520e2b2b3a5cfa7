// Nodes as objects: all of one layout, whatever their operation. An engine compiles code for the layouts that it meets;
// with one for each operation, everything that walks a graph was compiled again and again, and slow in the end.
// In: a draft, its type, an id. Out: the node; fields that its operation does not have are undefined. Checks nothing.

import type { Node, Origin } from "./graph.ts";
import type { Draft, Type } from "./graph-infer.ts";

type KeyOf<T> = T extends unknown ? keyof T : never;
type FieldOf<T, K> = T extends unknown ? (K extends keyof T ? T[K] : never) : never;
/** The fields of all operations. */
type Fields = { -readonly [K in KeyOf<Node>]: FieldOf<Node, K> | undefined };

export function nodeOf(draft: Draft, { dtype, shape }: Type, id: number, origin: Origin): Node {
  const node: Fields = {
    id,
    dtype,
    shape,
    origin,
    operands: none,
    op: draft.op,
    name: undefined,
    value: undefined,
    size: undefined,
    fn: undefined,
    inputs: undefined,
    view: undefined,
    input: undefined,
    axes: undefined,
    groups: undefined,
    axis: undefined,
    exclusive: undefined,
    reverse: undefined,
    a: undefined,
    b: undefined,
    labels: undefined,
    ragged: undefined,
    score: undefined,
    count: undefined,
    as: undefined,
    picks: undefined,
    bound: undefined,
    route: undefined,
    part: undefined,
    per: undefined,
    table: undefined,
    ids: undefined,
    batch: undefined,
    stream: undefined,
  };
  node.operands = fill(node, draft);
  return node as Node;
}

const none: readonly Node[] = [];

/** Copies what the operation has, and gives the nodes whose values it reads, in the order of its fields. */
function fill(node: Fields, draft: Draft): readonly Node[] {
  switch (draft.op) {
    case "input":
    case "tensor":
      node.name = draft.name;
      return none;
    case "const":
      node.value = draft.value;
      return none;
    case "size":
      node.size = draft.size;
      return none;
    case "index":
      return none;
    case "random":
      node.stream = draft.stream;
      return none;
    case "map":
      node.fn = draft.fn;
      return (node.inputs = draft.inputs);
    case "view":
      node.view = draft.view;
      return [(node.input = draft.input)];
    case "reduce":
      node.fn = draft.fn;
      node.axes = draft.axes;
      node.groups = draft.groups;
      return [(node.input = draft.input)];
    case "scan":
      node.axis = draft.axis;
      node.exclusive = draft.exclusive;
      node.reverse = draft.reverse;
      return [(node.input = draft.input)];
    case "contract":
      node.labels = draft.labels;
      node.ragged = draft.ragged;
      return [(node.a = draft.a), (node.b = draft.b)];
    case "choose":
      node.count = draft.count;
      node.as = draft.as;
      return [(node.score = draft.score)];
    case "route":
      node.groups = draft.groups;
      node.bound = draft.bound;
      return [(node.picks = draft.picks)];
    case "part":
      node.part = draft.part;
      return [(node.route = draft.route)];
    case "dispatch":
    case "combine":
      node.per = draft.per;
      return [(node.input = draft.input), (node.route = draft.route)];
    case "take":
      node.batch = draft.batch;
      return [(node.table = draft.table), (node.ids = draft.ids)];
    default:
      return draft satisfies never;
  }
}
