// Who reads what in a graph, as fusion sees it: the parts of a routing are known by their first reader. In: nodes in order, and those
// that leave the graph. Out: the users of each, every one once, and how often each is used.

import type { Node } from "./graph.ts";
import { NodeMap, type ReadonlyNodeMap } from "./graph-map.ts";
import { operandsOf } from "./graph-walk.ts";
import { canonical } from "./lower/parts.ts";
import type { Users } from "./stream-region.ts";

const none: readonly Node[] = [];

export function usersIn(
  nodes: readonly Node[],
  roots: ReadonlySet<Node>,
): { readonly users: Users; readonly uses: ReadonlyNodeMap<number> } {
  const users = new NodeMap<Node[]>(nodes);
  const uses = new NodeMap<number>(nodes);
  for (const root of roots) uses.set(root, 1);
  for (const node of nodes)
    for (const operand of operandsOf(node)) {
      const key = canonical(operand);
      uses.set(key, (uses.get(key) ?? 0) + 1);
      const list = users.get(key);
      if (list === undefined) users.set(key, [node]);
      else if (list.at(-1) !== node) list.push(node);
    }
  return { users: { of: (node) => users.get(node) ?? none, isRoot: (node) => roots.has(node) }, uses };
}
