// Rules for reductions: fewer axes, smaller operands, factors outside the sum, and the rule that makes contractions:
// `sum(broadcast a * broadcast b)`, which is how index notation arrives, is `contract` when neither operand covers the
// other. Where one covers the other (a row dot, a gain) the sum stays: it fuses with what surrounds it.
// In and out: see simplify-rule.ts. Taking a factor out of a sum assumes that it is finite.

import type { Axis, Node, ReduceNode, Shape } from "./graph.ts";
import { product } from "../runtime/size.ts";
import { isDense, isOne, surelyPositive } from "./graph-axis.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { constantOf, place, range, type Rule } from "./simplify-rule.ts";

/** A factor of the summed product: its axis i is axis at[i] of the product. */
interface Factor {
  readonly node: Node;
  readonly at: readonly number[];
}
const factorLimit = 8;

/** The factors of a product, seen through broadcasts and permutations, and the constant among them. */
function factorsOf(root: Node): { readonly factors: readonly Factor[]; readonly scale: number } {
  const factors: Factor[] = [];
  let scale = 1;
  const open: Factor[] = [{ node: root, at: range(root.shape.length) }];
  for (let factor = open.pop(); factor !== undefined; factor = open.pop()) {
    const { node, at } = factor;
    const value = constantOf(node);
    if (value !== undefined) scale *= value;
    else if (node.op === "view" && node.view.kind === "broadcast")
      open.push({ node: node.input, at: node.view.axes.map((axis) => at[axis]!) });
    else if (node.op === "view" && node.view.kind === "permute") {
      const { axes } = node.view;
      open.push({ node: node.input, at: axes.map((_, i) => at[axes.indexOf(i)]!) });
    } else if (node.op === "map" && node.fn === "mul" && open.length + factors.length < factorLimit)
      open.push({ node: node.inputs[1]!, at }, { node: node.inputs[0]!, at });
    else if (node.op === "map" && node.fn === "neg") {
      scale = -scale;
      open.push({ node: node.inputs[0]!, at });
    } else factors.push(factor);
  }
  return { factors, scale };
}

/** The product of some factors, over the axes that they have, in order. */
function multiply(b: GraphBuilder, factors: readonly Factor[], shape: Shape): Factor {
  if (factors.length === 1) return factors[0]!;
  const at = [...new Set(factors.flatMap((factor) => factor.at))].sort((x, y) => x - y);
  const small = at.map((axis) => shape[axis]!);
  const placed = factors.map((factor) =>
    place(
      b,
      factor.node,
      factor.at.map((axis) => at.indexOf(axis)),
      small,
    ),
  );
  return { node: placed.reduce((x, y) => b.mul(x, y)), at };
}

/** Factors joined into as few groups as possible such that a group is no larger than its largest factor. */
function groupFactors(factors: readonly Factor[]): Factor[][] {
  const groups: Factor[][] = [];
  for (const factor of [...factors].sort((x, y) => y.at.length - x.at.length)) {
    const covering = groups.filter((group) => factor.at.every((axis) => group[0]!.at.includes(axis)));
    const smallest = covering.sort((x, y) => x[0]!.at.length - y[0]!.at.length)[0];
    if (smallest === undefined) groups.push([factor]);
    else smallest.push(factor);
  }
  return groups;
}

/** Sums a factor over the axes that only it has. */
function sumAlone(b: GraphBuilder, factor: Factor, alone: ReadonlySet<number>): Factor {
  const own = range(factor.at.length).filter((i) => alone.has(factor.at[i]!));
  return { node: b.sum(factor.node, own), at: factor.at.filter((axis) => !alone.has(axis)) };
}

const letters = (at: readonly number[]): string => at.map((axis) => String.fromCharCode(97 + axis)).join("");

/** The sum over `reduced` of the product of two factors, on the axes that are left. */
function sumOfTwo(b: GraphBuilder, x: Factor, y: Factor, reduced: readonly number[], shape: Shape): Factor {
  const alone = new Set(reduced.filter((axis) => x.at.includes(axis) !== y.at.includes(axis)));
  const [left, right] = [sumAlone(b, x, alone), sumAlone(b, y, alone)];
  const shared = reduced.filter((axis) => left.at.includes(axis) && right.at.includes(axis));
  const kept = range(shape.length).filter((axis) => !reduced.includes(axis));
  const at = kept.filter((axis) => left.at.includes(axis) || right.at.includes(axis));
  const covers = (big: Factor, small: Factor): boolean => small.at.every((axis) => big.at.includes(axis));
  if (shared.length === 0) return multiply(b, [left, right], shape);
  if (covers(left, right) || covers(right, left)) {
    const whole = multiply(b, [left, right], shape);
    return {
      node: b.sum(
        whole.node,
        shared.map((axis) => whole.at.indexOf(axis)),
      ),
      at,
    };
  }
  // The operand of the result's first own axis comes first: `ab,bc->ac`, whatever order the product was in.
  const own = at.find((axis) => !left.at.includes(axis) || !right.at.includes(axis));
  const [first, second] = own !== undefined && right.at.includes(own) ? [right, left] : [left, right];
  const formula = `${letters(first.at)},${letters(second.at)}->${letters(at)}`;
  return { node: b.contract(first.node, second.node, formula), at };
}

const sumOfProduct: Rule<ReduceNode> = {
  name: "sum of product",
  apply: (b, node) => {
    const { input, axes, groups } = node;
    if (node.fn !== "sum" || node.dtype !== "f32" || input.op !== "map") return undefined;
    if (input.fn !== "mul" && input.fn !== "neg") return undefined;
    const { factors, scale } = factorsOf(input);
    if (factors.length === 0) return undefined;
    const isInside = ({ at }: Factor): boolean => at.some((axis) => axes.includes(axis));
    const inside = factors.filter(isInside);
    const outside = factors.filter((factor) => !isInside(factor));
    const partition = groupFactors(inside);
    const contracts = !groups && partition.length === 2;
    if (!contracts && ((outside.length === 0 && scale === 1) || inside.length === 0)) return undefined;

    const parts = partition.map((group) => multiply(b, group, input.shape));
    let sum: Factor;
    if (contracts) sum = sumOfTwo(b, parts[0]!, parts[1]!, axes, input.shape);
    else {
      const whole = multiply(b, parts, input.shape);
      // Every reduced axis must be there: what no factor has would count as one.
      if (!axes.every((axis) => whole.at.includes(axis))) return undefined;
      const own = axes.map((axis) => whole.at.indexOf(axis)).sort((x, y) => x - y);
      if (groups) sum = { node: b.reduceGroups("sum", whole.node, own[0]), at: whole.at };
      else sum = { node: b.sum(whole.node, own), at: whole.at.filter((axis) => !axes.includes(axis)) };
    }
    const position = (axis: number): number =>
      groups ? axis : axis - axes.filter((each) => each < axis).length;
    const result = [sum, ...outside].map((factor) =>
      place(b, factor.node, factor.at.map(position), node.shape),
    );
    const multiplied = result.reduce((x, y) => b.mul(x, y));
    return scale === 1 ? multiplied : b.mul(multiplied, scale);
  },
};

const views: readonly Rule<ReduceNode>[] = [
  {
    name: "reduce of broadcast",
    apply: (b, node) => {
      const { input, axes, fn } = node;
      if (node.groups || input.op !== "view" || input.view.kind !== "broadcast") return undefined;
      const { axes: kept } = input.view;
      const dropped = axes.filter((axis) => {
        const extent = input.shape[axis]!;
        return !kept.includes(axis) && isDense(extent) && (fn === "sum" || surelyPositive(extent.size));
      });
      if (dropped.length === 0) return undefined;
      const left = range(input.shape.length).filter((axis) => !dropped.includes(axis));
      const inner = b.broadcastTo(
        input.input,
        left.map((axis) => input.shape[axis]!),
        kept.map((axis) => left.indexOf(axis)),
      );
      const rest = axes.filter((axis) => !dropped.includes(axis)).map((axis) => left.indexOf(axis));
      const reduced = b.reduce(fn, inner, rest);
      if (fn !== "sum") return reduced;
      const times = b.size(product(dropped.map((axis) => input.shape[axis]!.size)));
      return b.mul(reduced, node.dtype === "f32" ? b.cast(times, "f32") : times);
    },
  },
  {
    name: "reduce of permute",
    apply: (b, node) => {
      const { input, axes, fn, groups } = node;
      if (input.op !== "view" || input.view.kind !== "permute") return undefined;
      const order = input.view.axes;
      const reduced = axes.map((axis) => order[axis]!);
      if (groups) return b.permute(b.reduceGroups(fn, input.input, reduced[0]), order);
      const left = range(order.length).filter((axis) => !reduced.includes(axis));
      const outer = order.filter((axis) => !reduced.includes(axis));
      return b.permute(
        b.reduce(fn, input.input, reduced),
        outer.map((axis) => left.indexOf(axis)),
      );
    },
  },
  {
    name: "reduce of reduce",
    apply: (b, node) => {
      const { input, axes, fn, groups } = node;
      if (groups || input.op !== "reduce" || input.groups || input.fn !== fn) return undefined;
      const left = range(input.input.shape.length).filter((axis) => !input.axes.includes(axis));
      return b.reduce(fn, input.input, [...input.axes, ...axes.map((axis) => left[axis]!)]);
    },
  },
  {
    name: "reduce all of reshape",
    apply: (b, node) => {
      const { input, axes, fn, groups } = node;
      if (groups || axes.length !== input.shape.length) return undefined;
      return input.op === "view" && input.view.kind === "reshape" ? b.reduce(fn, input.input) : undefined;
    },
  },
  {
    name: "reduce of one",
    apply: (b, node) => {
      const { input, axes, fn, groups } = node;
      if (groups) return undefined;
      const ones = axes.filter((axis) => isOne(input.shape[axis]!));
      if (ones.length === 0) return undefined;
      const left = range(input.shape.length).filter((axis) => !ones.includes(axis));
      const shape = left.map((axis): Axis => input.shape[axis]!);
      const rest = axes.filter((axis) => !ones.includes(axis)).map((axis) => left.indexOf(axis));
      return b.reduce(fn, b.reshape(input, shape), rest);
    },
  },
];

export const reduceRules: readonly Rule<ReduceNode>[] = [...views, sumOfProduct];
