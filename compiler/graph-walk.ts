// Walking a graph: operands, dependencies, order.
// Nothing here recurses: a model of many layers is a very deep graph.

import type { Graph, Node, RouteNode, Shape } from "./graph.ts";

/** The nodes whose values a node reads, in the order of its fields. */
export const operandsOf = (node: Node): readonly Node[] => node.operands;

/** The routings whose rows a shape speaks of. */
export function routesOf(shape: Shape): readonly RouteNode[] {
  const routes: RouteNode[] = [];
  for (const axis of shape) if (axis.kind === "ragged" && !routes.includes(axis.by)) routes.push(axis.by);
  return routes;
}

function isDenseShape(shape: Shape): boolean {
  for (const { kind } of shape) if (kind !== "dense") return false;
  return true;
}

/** Operands, and the routings that a shape names without reading (a broadcast to rows). */
export function dependenciesOf(node: Node): readonly Node[] {
  const operands = node.operands;
  if (isDenseShape(node.shape)) return operands;
  const routes = routesOf(node.shape).filter((route) => !operands.includes(route));
  return routes.length === 0 ? operands : [...operands, ...routes];
}

export const rootsOf = (graph: Graph): readonly Node[] => [
  ...graph.outputs.map(({ node }) => node),
  ...graph.updates.map(({ node }) => node),
];

/** Every node that the roots need, each after all of its dependencies, in creation order. */
export function nodesOf(roots: readonly Node[]): readonly Node[] {
  // By id, so that nothing is sorted; of its full length from the start, because engines make tables of arrays that grow
  // from their end.
  let last = -1;
  for (const { id } of roots) if (id > last) last = id;
  const seen = new Array<Node | undefined>(last + 1).fill(undefined);
  const stack: Node[] = [];
  let count = 0;
  const visit = (node: Node): void => {
    const before = seen[node.id];
    if (before === node) return;
    if (before !== undefined)
      throw new Error(`internal: nodes of two builders in one graph share id ${node.id}`);
    seen[node.id] = node;
    stack.push(node);
    count++;
  };
  for (const root of roots) visit(root);
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    for (const operand of node.operands) visit(operand);
    for (const axis of node.shape) if (axis.kind === "ragged") visit(axis.by);
  }
  const nodes = new Array<Node>(count);
  let at = 0;
  for (const node of seen) if (node !== undefined) nodes[at++] = node;
  return nodes;
}
