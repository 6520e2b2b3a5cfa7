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
  fill(node, draft);
  return node as Node;
}

function fill(node: Fields, draft: Draft): void {
  switch (draft.op) {
    case "input":
    case "tensor":
      node.name = draft.name;
      return;
    case "const":
      node.value = draft.value;
      return;
    case "size":
      node.size = draft.size;
      return;
    case "index":
      return;
    case "map":
      node.fn = draft.fn;
      node.inputs = draft.inputs;
      return;
    case "view":
      node.view = draft.view;
      node.input = draft.input;
      return;
    case "reduce":
      node.fn = draft.fn;
      node.axes = draft.axes;
      node.groups = draft.groups;
      node.input = draft.input;
      return;
    case "scan":
      node.axis = draft.axis;
      node.exclusive = draft.exclusive;
      node.reverse = draft.reverse;
      node.input = draft.input;
      return;
    case "contract":
      node.a = draft.a;
      node.b = draft.b;
      node.labels = draft.labels;
      node.ragged = draft.ragged;
      return;
    case "choose":
      node.score = draft.score;
      node.count = draft.count;
      node.as = draft.as;
      return;
    case "route":
      node.picks = draft.picks;
      node.groups = draft.groups;
      node.bound = draft.bound;
      return;
    case "part":
      node.part = draft.part;
      node.route = draft.route;
      return;
    case "dispatch":
    case "combine":
      node.per = draft.per;
      node.input = draft.input;
      node.route = draft.route;
      return;
    case "take":
      node.table = draft.table;
      node.ids = draft.ids;
      node.batch = draft.batch;
      return;
    case "random":
      node.stream = draft.stream;
      return;
    default:
      return draft satisfies never;
  }
}
