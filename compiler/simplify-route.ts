// Rules for routed data: dispatch and combine undo each other where they can, and what repeats over tokens or picks is
// not gathered. In and out: see simplify-rule.ts.

import type { CombineNode, DispatchNode, Node, ReduceNode, RouteNode } from "./graph.ts";
import { raggedBy } from "./graph-axis.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { range, type Rule } from "./simplify-rule.ts";

/** bool [tokens, K]: whether the pick has a row. */
const hasRow = (b: GraphBuilder, route: RouteNode): Node => b.map("le", 0, b.part(route, "slot"));

export const dispatchRules: readonly Rule<DispatchNode>[] = [
  {
    name: "dispatch of combine per pick",
    apply: (_b, { input, per, route }) =>
      per === "pick" && input.op === "combine" && input.per === "pick" && input.route === route
        ? input.input
        : undefined,
  },
  {
    name: "dispatch of broadcast",
    apply: (b, { input, per, route, shape }) => {
      if (input.op !== "view" || input.view.kind !== "broadcast") return undefined;
      const { axes } = input.view;
      const leading = per === "token" ? 1 : 2;
      if (!axes.includes(0) && (leading === 1 || !axes.includes(1)))
        return b.broadcastTo(
          input.input,
          shape,
          axes.map((axis) => axis - leading + 1),
        );
      if (leading === 1 || !axes.includes(0) || axes.includes(1)) return undefined;
      const perToken = b.broadcastTo(
        input.input,
        input.shape.filter((_, i) => i !== 1),
        axes.map((axis) => (axis === 0 ? 0 : axis - 1)),
      );
      return b.dispatch(perToken, route);
    },
  },
];

export const combineRules: readonly Rule<CombineNode>[] = [
  {
    name: "combine of dispatch",
    apply: (b, { input, per, route, shape }) => {
      if (input.op !== "dispatch" || input.route !== route) return undefined;
      const there = hasRow(b, route);
      if (per === "token") {
        if (input.per !== "token") return undefined;
        const rows = b.sum(b.cast(there, input.dtype === "i32" ? "i32" : "f32"), [1]);
        return b.mul(input.input, b.broadcastTo(rows, shape, [0]));
      }
      const picks = range(shape.length).filter((axis) => axis !== 1);
      const source = input.per === "pick" ? input.input : b.broadcastTo(input.input, shape, picks);
      return b.select(b.broadcastTo(there, shape, [0, 1]), source, b.constant(0, input.dtype));
    },
  },
];

/** The picks of a combine, and what multiplies them with a factor that does not depend on the rows' width. */
export const sumOfPicks: readonly Rule<ReduceNode>[] = [
  {
    name: "sum of picks",
    apply: (b, { input, fn, axes, groups }) =>
      !groups && fn === "sum" && axes.join() === "1" && input.op === "combine" && input.per === "pick"
        ? b.combine(input.input, input.route)
        : undefined,
  },
  {
    // sum over k of w[t, k] y[slot[t, k]] = combine(w[row] y[row]): the weights go to the rows. Assumes finite weights
    // where there is no row.
    name: "weighted sum of picks",
    apply: (b, { input, fn, axes, groups }) => {
      if (groups || fn !== "sum" || axes.join() !== "1" || input.op !== "map" || input.fn !== "mul")
        return undefined;
      for (const [picks, weight] of [input.inputs, [...input.inputs].reverse()] as [Node, Node][]) {
        if (picks.op !== "combine" || picks.per !== "pick") continue;
        if (weight.op !== "view" || weight.view.kind !== "broadcast" || weight.view.axes.join() !== "0,1")
          continue;
        const rows = b.dispatch(weight.input, picks.route, "pick");
        const weighted = b.mul(
          picks.input,
          b.broadcastTo(rows, [raggedBy(picks.route), ...picks.input.shape.slice(1)], [0]),
        );
        return b.combine(weighted, picks.route);
      }
      return undefined;
    },
  },
];
