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
  copy(draft, node);
  return node as Node;
}

function copy(draft: Draft, node: Fields): void {
  const [from, to] = [draft, node] as unknown as [Record<string, unknown>, Record<string, unknown>];
  for (const field in from) to[field] = from[field];
}
