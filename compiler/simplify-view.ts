// Rules for views: two views become one, repeats move outwards, permutations inwards (a view of one tensor is written
// broadcast(permute(x)) where it can be). In and out: see simplify-rule.ts.

import type { Node, ViewNode } from "./graph.ts";
import { add, known, subtract } from "../runtime/size.ts";
import { isOne, sameAxis } from "./graph-axis.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { filled, range, type Rule } from "./simplify-rule.ts";

const permuteRules: readonly Rule<ViewNode>[] = [
  {
    name: "permute of permute",
    apply: (b, { view, input }) =>
      view.kind === "permute" && input.op === "view" && input.view.kind === "permute"
        ? b.permute(
            input.input,
            view.axes.map((axis) => (input.view as { axes: readonly number[] }).axes[axis]!),
          )
        : undefined,
  },
  {
    name: "permute of broadcast",
    apply: (b, { view, input, shape }) => {
      if (view.kind !== "permute" || input.op !== "view" || input.view.kind !== "broadcast") return undefined;
      const from = input.view.axes;
      const kept = range(shape.length).filter((axis) => from.includes(view.axes[axis]!));
      const inner = b.permute(
        input.input,
        kept.map((axis) => from.indexOf(view.axes[axis]!)),
      );
      return b.broadcastTo(inner, shape, kept);
    },
  },
];

const reshapeRules: readonly Rule<ViewNode>[] = [
  {
    name: "reshape of reshape",
    apply: (b, { view, input, shape }) =>
      view.kind === "reshape" && input.op === "view" && input.view.kind === "reshape"
        ? b.reshape(input.input, shape)
        : undefined,
  },
  {
    name: "reshape of broadcast",
    apply: (b, { view, input, shape }) => {
      if (view.kind !== "reshape" || input.op !== "view" || input.view.kind !== "broadcast") return undefined;
      const { axes } = input.view;
      if (axes.length === 0) return b.broadcastTo(input.input, shape);
      const added = range(input.shape.length).filter((axis) => !axes.includes(axis));
      return added.every((axis) => isOne(input.shape[axis]!)) ? b.reshape(input.input, shape) : undefined;
    },
  },
  {
    name: "reshape that inserts ones",
    apply: (b, { view, input, shape }) => {
      if (view.kind !== "reshape" || shape.length <= input.shape.length) return undefined;
      const axes: number[] = [];
      shape.forEach((axis, i) => {
        const wanted = input.shape[axes.length];
        if (wanted !== undefined && sameAxis(axis, wanted)) axes.push(i);
      });
      const onesOnly = shape.every((axis, i) => axes.includes(i) || isOne(axis));
      return onesOnly && axes.length === input.shape.length ? b.broadcastTo(input, shape, axes) : undefined;
    },
  },
];

const broadcastRules: readonly Rule<ViewNode>[] = [
  {
    name: "broadcast of broadcast",
    apply: (b, { view, input, shape }) =>
      view.kind === "broadcast" && input.op === "view" && input.view.kind === "broadcast"
        ? b.broadcastTo(
            input.input,
            shape,
            input.view.axes.map((axis) => view.axes[axis]!),
          )
        : undefined,
  },
];

/** A slice of a pad: within the input, within the zeros, or neither for certain. */
function sliceOfPad(b: GraphBuilder, node: ViewNode, pad: ViewNode): Node | undefined {
  const { view } = node;
  if (view.kind !== "slice" || pad.view.kind !== "pad" || view.axis !== pad.view.axis) return undefined;
  const { before } = pad.view;
  const size = node.shape[view.axis]!.size;
  const inner = pad.input.shape[view.axis]!.size;
  const start = subtract(view.start, before);
  const atLeast = (n: number | undefined): boolean => n !== undefined && n >= 0;
  if (atLeast(known(start)) && atLeast(known(subtract(inner, add(start, size)))))
    return b.slice(pad.input, view.axis, start, size);
  const ends = subtract(before, add(view.start, size));
  return atLeast(known(ends)) || atLeast(known(subtract(start, inner))) ? filled(b, 0, node) : undefined;
}

const sliceRules: readonly Rule<ViewNode>[] = [
  {
    name: "slice of a view",
    apply: (b, node) => {
      const { view, input } = node;
      if (view.kind !== "slice" || input.op !== "view") return undefined;
      const inner = input.view;
      const size = node.shape[view.axis]!.size;
      switch (inner.kind) {
        case "slice":
          return inner.axis === view.axis
            ? b.slice(input.input, view.axis, add(inner.start, view.start), size)
            : undefined;
        case "pad":
          return sliceOfPad(b, node, input);
        case "permute":
          return b.permute(b.slice(input.input, inner.axes[view.axis]!, view.start, size), inner.axes);
        case "broadcast": {
          const axis = inner.axes.indexOf(view.axis);
          const part = axis < 0 ? input.input : b.slice(input.input, axis, view.start, size);
          return b.broadcastTo(part, node.shape, inner.axes);
        }
        case "reshape":
          return undefined;
        default:
          return inner satisfies never;
      }
    },
  },
];

const padRules: readonly Rule<ViewNode>[] = [
  {
    name: "pad of pad",
    apply: (b, { view, input }) =>
      view.kind === "pad" && input.op === "view" && input.view.kind === "pad" && input.view.axis === view.axis
        ? b.pad(
            input.input,
            view.axis,
            add(view.before, input.view.before),
            add(input.view.after, view.after),
          )
        : undefined,
  },
];

export const viewRules: readonly Rule<ViewNode>[] = [
  ...permuteRules,
  ...reshapeRules,
  ...broadcastRules,
  ...sliceRules,
  ...padRules,
];
