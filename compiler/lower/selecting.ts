// Contractions that something is chosen by: a router's scores. In: what the fuser knows of a graph. Out: the contractions whose
// results reach a choice through element-wise functions, reductions and views only. They are never rounded to half width: two
// scores that are near each other would change places, and a token its expert.

import type { Fusion } from "../fuse.ts";
import type { Node } from "../graph.ts";
import { operandsOf } from "../graph-walk.ts";

const found = new WeakMap<Fusion, ReadonlySet<Node>>();

export function selecting(fusion: Fusion): ReadonlySet<Node> {
  let contracts = found.get(fusion);
  if (contracts === undefined) found.set(fusion, (contracts = find(fusion.nodes)));
  return contracts;
}

function find(nodes: readonly Node[]): ReadonlySet<Node> {
  const contracts = new Set<Node>();
  const seen = new Set<Node>();
  const rest: Node[] = nodes.flatMap((node) => (node.op === "choose" ? [node.score] : []));
  for (let node = rest.pop(); node !== undefined; node = rest.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.op === "contract") contracts.add(node);
    else if (node.op === "map" || node.op === "view" || node.op === "reduce" || node.op === "scan")
      rest.push(...operandsOf(node));
  }
  return contracts;
}
