// A graph as text, one line per node, for people and golden tests.
// In: a graph. Out: `%12 = contract rk,ekn->rn %3 %7 : f32[R<=2*T@5, 512]`. There is no way back from the text.

import type { Graph, Node, View } from "./graph.ts";
import { keyOfSize, printShape } from "./graph-axis.ts";
import { nodesOf, operandsOf, rootsOf } from "./graph-walk.ts";

function printView(view: View): string {
  switch (view.kind) {
    case "permute":
      return `permute ${view.axes.join(",")}`;
    case "reshape":
      return "reshape";
    case "broadcast":
      return `broadcast ${view.axes.length === 0 ? "scalar" : view.axes.join(",")}`;
    case "slice":
      return `slice axis ${view.axis} from ${keyOfSize(view.start)}`;
    case "pad":
      return `pad axis ${view.axis} by ${keyOfSize(view.before)} and ${keyOfSize(view.after)}`;
    default:
      return view satisfies never;
  }
}

/** The operation and its attributes, without operands: `reduce sum 1 groups`. */
export function printOperation(node: Node): string {
  switch (node.op) {
    case "input":
    case "tensor":
      return `${node.op} ${node.name}`;
    case "const":
      return `const ${node.value}`;
    case "size":
      return `size ${keyOfSize(node.size)}`;
    case "index":
      return "index";
    case "map":
      return node.fn;
    case "view":
      return printView(node.view);
    case "reduce":
      return `reduce ${node.fn} ${node.axes.join(",")}${node.groups ? " groups" : ""}`;
    case "scan":
      return `scan axis ${node.axis}${node.exclusive ? " exclusive" : ""}${node.reverse ? " reverse" : ""}`;
    case "contract": {
      const { a, b, out } = node.labels;
      const ragged = node.ragged === undefined ? "" : ` (${node.ragged.group} of ${node.ragged.row})`;
      return `contract ${a},${b}->${out}${ragged}`;
    }
    case "choose":
      return `choose ${keyOfSize(node.count)} as ${node.as}`;
    case "route":
      return `route to ${node.groups} within ${keyOfSize(node.bound)}`;
    case "part":
      return `part ${node.part}`;
    case "dispatch":
    case "combine":
      return `${node.op} per ${node.per}`;
    case "take":
      return `take${node.batch === 0 ? "" : ` batch ${node.batch}`}`;
    case "random":
      return `random stream ${node.stream}`;
    default:
      return node satisfies never;
  }
}

export const printType = (node: Pick<Node, "dtype" | "shape">): string =>
  node.shape.length === 0 ? node.dtype : `${node.dtype}[${printShape(node.shape)}]`;

export function printNode(node: Node): string {
  const operands = operandsOf(node).map((operand) => ` %${operand.id}`);
  return `%${node.id} = ${printOperation(node)}${operands.join("")} : ${printType(node)}`;
}

/** The whole graph. Lines that belong to another place of the model than the line before say which. */
export function printGraph(graph: Graph): string {
  const lines = [`graph ${graph.name}`];
  let path = "";
  for (const node of nodesOf(rootsOf(graph))) {
    const place = node.origin.path === path ? "" : `  // ${node.origin.path}`;
    path = node.origin.path;
    lines.push(`  ${printNode(node)}${place}`);
  }
  for (const { name, node } of graph.outputs) lines.push(`  output ${name} = %${node.id}`);
  for (const { tensor, node } of graph.updates) lines.push(`  update ${tensor} = %${node.id}`);
  return lines.join("\n") + "\n";
}
