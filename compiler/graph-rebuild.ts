// The same node in another builder, over other operands. In: a node, a function from old nodes to new ones.
// Out: what the builder makes of it (its rules may make something else). Does not walk.

import type { Node, RouteNode, Shape } from "./graph.ts";
import { isDense, sameShape } from "./graph-axis.ts";
import type { GraphBuilder } from "./graph-builder.ts";

export function rebuildShape(shape: Shape, of: (node: Node) => Node): Shape {
  if (shape.every((axis) => axis.kind === "dense")) return shape;
  return shape.map((axis) => (axis.kind === "dense" ? axis : { ...axis, by: of(axis.by) as RouteNode }));
}

/** Whether a node over its new operands has the type that it has: rows of a routing follow their routing. */
function keepsType(node: Node, of: (node: Node) => Node): boolean {
  if (!node.shape.every(isDense)) return false;
  for (const operand of node.operands) {
    const now = of(operand);
    if (now.dtype !== operand.dtype || !sameShape(now.shape, operand.shape)) return false;
  }
  return true;
}

/** A node over operands of the same types: nothing is inferred again. Undefined: an operation that is rare. */
function rebuildTyped(builder: GraphBuilder, node: Node, of: (node: Node) => Node): Node | undefined {
  switch (node.op) {
    case "map": {
      const { op, fn, inputs } = node;
      return builder.make({ op, fn, inputs: inputs.map(of) }, undefined, node);
    }
    case "view": {
      const { op, view, shape } = node;
      const asked = view.kind === "permute" || view.kind === "pad" ? undefined : { shape };
      return builder.make({ op, view, input: of(node.input) }, asked, node);
    }
    case "reduce": {
      const { op, fn, axes, groups } = node;
      return builder.make({ op, fn, axes, groups, input: of(node.input) }, undefined, node);
    }
    case "contract": {
      const { op, labels, ragged } = node;
      const operands = { op, a: of(node.a), b: of(node.b), labels };
      return builder.make(ragged === undefined ? operands : { ...operands, ragged }, undefined, node);
    }
    default:
      return undefined;
  }
}

export function rebuild(builder: GraphBuilder, node: Node, of: (node: Node) => Node): Node {
  const typed = keepsType(node, of) ? rebuildTyped(builder, node, of) : undefined;
  if (typed !== undefined) return typed;
  switch (node.op) {
    case "input":
    case "tensor":
      return builder.make(
        { op: node.op, name: node.name },
        { dtype: node.dtype, shape: rebuildShape(node.shape, of) },
      );
    case "const":
      return builder.constant(node.value, node.dtype);
    case "size":
      return builder.size(node.size);
    case "index":
      return builder.index(rebuildShape(node.shape, of)[0]!);
    case "random":
      return builder.random(node.stream, node.shape);
    case "map":
      return builder.map(node.fn, ...node.inputs.map(of));
    case "view": {
      const { view } = node;
      const input = of(node.input);
      switch (view.kind) {
        case "permute":
          return builder.permute(input, view.axes);
        case "reshape":
          return builder.reshape(input, rebuildShape(node.shape, of));
        case "broadcast":
          return builder.broadcastTo(input, rebuildShape(node.shape, of), view.axes);
        case "slice":
          return builder.slice(input, view.axis, view.start, node.shape[view.axis]!.size);
        case "pad":
          return builder.pad(input, view.axis, view.before, view.after);
        default:
          return view satisfies never;
      }
    }
    case "reduce":
      return node.groups
        ? builder.reduceGroups(node.fn, of(node.input), node.axes[0])
        : builder.reduce(node.fn, of(node.input), node.axes);
    case "scan":
      return builder.scan(of(node.input), node.axis, node);
    case "contract": {
      const { labels, ragged } = node;
      return builder.contract(of(node.a), of(node.b), `${labels.a},${labels.b}->${labels.out}`, ragged);
    }
    case "choose":
      return builder.choose(of(node.score), node.count, node.as);
    case "route":
      return builder.route(of(node.picks), node.groups, node.bound);
    case "part":
      return builder.part(of(node.route) as RouteNode, node.part);
    case "dispatch":
    case "combine":
      return builder[node.op](of(node.input), of(node.route) as RouteNode, node.per);
    case "take":
      return builder.take(of(node.table), of(node.ids), node.batch);
    default:
      return node satisfies never;
  }
}
