// Checks a graph as a whole: every node has the type that its fields and operands give it, operands come before
// users, updates fit their tensors. In: a graph. Throws `internal:` with the node.
// Does not look at values.

import type { Graph, Node } from "./graph.ts";
import { sameShape } from "./graph-axis.ts";
import { infer } from "./graph-infer.ts";
import { dependenciesOf, nodesOf, rootsOf } from "./graph-walk.ts";
import { printNode, printType } from "./print-graph.ts";

function wrong(why: string, node: Node): never {
  throw new Error(`internal: ${why}: ${printNode(node)}`);
}

export function verifyGraph(graph: Graph): void {
  const nodes = nodesOf(rootsOf(graph));
  const tensors = new Map<string, Node>();
  for (const node of nodes) {
    // Ids that rise along every edge rule out cycles.
    for (const operand of dependenciesOf(node))
      if (operand.id >= node.id) wrong(`%${operand.id} is made after its user`, node);
    const type = infer(node, { dtype: node.dtype, shape: node.shape });
    if (type.dtype !== node.dtype || !sameShape(type.shape, node.shape))
      wrong(`this should be ${printType(type)}`, node);
    if (node.op === "tensor" || node.op === "input") {
      const key = `${node.op} ${node.name}`;
      if (tensors.has(key)) wrong("one name has two types", node);
      tensors.set(key, node);
    }
  }
  const names = new Set<string>();
  for (const { name, node } of graph.outputs) {
    if (names.has(name)) wrong(`two outputs are called ${name}`, node);
    names.add(name);
  }
  const updated = new Set<string>();
  for (const { tensor, node } of graph.updates) {
    if (updated.has(tensor)) wrong(`${tensor} is updated twice`, node);
    updated.add(tensor);
    const old = tensors.get(`tensor ${tensor}`);
    if (old !== undefined && (old.dtype !== node.dtype || !sameShape(old.shape, node.shape)))
      wrong(`${tensor} is ${printType(old)} and its new value is not`, node);
  }
}
