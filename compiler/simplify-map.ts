// Rules for element-wise functions: constants, identities, signs, casts, selections, and computing before a repeat
// instead of after it. In and out: see simplify-rule.ts.
// x * 0 is 0 only where x cannot be infinite or NaN (integers, bounded functions); x / c becomes x * (1 / c).

import type { BinaryMap, MapFn, MapNode, Node, Shape, ViewNode } from "./graph.ts";
import { evaluateMap } from "./graph-scalar.ts";
import { sameShape } from "./graph-axis.ts";
import { signOf } from "./graph-sign.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { constantOf, filled, type Rule } from "./simplify-rule.ts";

const commutative: ReadonlySet<MapFn> = new Set(["add", "mul", "min", "max", "eq", "ne", "and", "or", "xor"]);

const isMap = (node: Node, fn: MapFn): node is MapNode => node.op === "map" && node.fn === fn;
const isView = (node: Node, kind: ViewNode["view"]["kind"]): node is ViewNode =>
  node.op === "view" && node.view.kind === kind;

/** A rule of one function, or of any. */
type MapRule = Rule<MapNode> & { readonly fn?: MapFn };

const isWhole = ({ dtype }: Node): boolean => dtype === "i32" || dtype === "bool";

/** Never infinite and never NaN. */
function bounded(node: Node): boolean {
  if (isWhole(node) || node.op === "random") return true;
  const value = constantOf(node);
  if (value !== undefined) return Number.isFinite(value);
  if (isView(node, "broadcast") || isView(node, "reshape") || isView(node, "permute"))
    return bounded(node.input);
  return isMap(node, "f32") && isWhole(node.inputs[0]!);
}

/** What a node negates, seen through a repeat (signs move inside repeats, see "map before broadcast"). */
function negated(b: GraphBuilder, node: Node): Node | undefined {
  if (isMap(node, "neg")) return node.inputs[0];
  if (node.op !== "view" || node.view.kind !== "broadcast" || !isMap(node.input, "neg")) return undefined;
  return b.broadcastTo(node.input.inputs[0]!, node.shape, node.view.axes);
}

/** An identity of a unary function: from its operand. */
const unary = (name: string, fn: MapFn, apply: (b: GraphBuilder, x: Node) => Node | undefined): MapRule => ({
  name,
  fn,
  apply: (b, node) => (node.fn === fn ? apply(b, node.inputs[0]!) : undefined),
});

/** An identity of a binary function whose second operand is a constant (simplify puts it there). */
const withConstant = (
  name: string,
  fn: BinaryMap,
  apply: (b: GraphBuilder, x: Node, value: number, node: MapNode) => Node | undefined,
): MapRule => ({
  name,
  fn,
  apply: (b, node) => {
    if (node.fn !== fn) return undefined;
    const value = constantOf(node.inputs[1]!);
    return value === undefined ? undefined : apply(b, node.inputs[0]!, value, node);
  },
});

const binary = (
  name: string,
  fn: BinaryMap,
  apply: (b: GraphBuilder, x: Node, y: Node, node: MapNode) => Node | undefined,
): MapRule => ({
  name,
  fn,
  apply: (b, node) => (node.fn === fn ? apply(b, node.inputs[0]!, node.inputs[1]!, node) : undefined),
});

/** (x op c) op d = x op (c op d), with the first operand's constant. */
const merge = (fn: "add" | "mul"): MapRule =>
  withConstant(`merge constants of ${fn}`, fn, (b, x, value, node) => {
    if (!isMap(x, fn)) return undefined;
    const inner = constantOf(x.inputs[1]!);
    if (inner === undefined) return undefined;
    return b.map(fn, x.inputs[0]!, filled(b, evaluateMap(fn, node.dtype, inner, value, 0), node));
  });

const constants: readonly MapRule[] = [
  {
    name: "fold constants",
    apply: (b, node) => {
      if (node.inputs.some((input) => constantOf(input) === undefined)) return undefined;
      const values = node.inputs.map(constantOf);
      const [x, y, z] = values;
      return filled(b, evaluateMap(node.fn, node.inputs.at(-1)!.dtype, x!, y ?? 0, z ?? 0), node);
    },
  },
  {
    name: "order of commutative operands",
    apply: (b, node) => {
      if (!commutative.has(node.fn)) return undefined;
      const [x, y] = node.inputs as [Node, Node];
      const [first, second] = [constantOf(x) !== undefined, constantOf(y) !== undefined];
      const swapped = first !== second ? first : x.id > y.id;
      return swapped ? b.map(node.fn, y, x) : undefined;
    },
  },
  withConstant("x + 0", "add", (_b, x, value) => (value === 0 ? x : undefined)),
  withConstant("x - c", "sub", (b, x, value, node) => b.add(x, filled(b, -value, node))),
  binary("0 - x", "sub", (b, x, y) => (constantOf(x) === 0 ? b.neg(y) : undefined)),
  withConstant("x * 1", "mul", (_b, x, value) => (value === 1 ? x : undefined)),
  withConstant("x * -1", "mul", (b, x, value) => (value === -1 ? b.neg(x) : undefined)),
  withConstant("x * 0, x bounded", "mul", (b, x, value, node) =>
    value === 0 && bounded(x) ? filled(b, 0, node) : undefined,
  ),
  withConstant("x / c", "div", (b, x, value, node) => {
    if (value === 1) return x;
    return node.dtype === "f32" && value !== 0 && Number.isFinite(1 / value)
      ? b.mul(x, filled(b, 1 / value, node))
      : undefined;
  }),
  // Of numbers that are sizes: the mean of 1 over tokens is 1.
  binary("x / x, x positive and bounded", "div", (b, x, y, node) =>
    x === y && signOf(x) === "positive" && bounded(x) ? filled(b, 1, node) : undefined,
  ),
  merge("add"),
  merge("mul"),
  // A constant multiplies the smaller operand.
  withConstant("x repeat(y) * c", "mul", (b, x, value, node) => {
    if (!isMap(x, "mul")) return undefined;
    const at = x.inputs.findIndex((input) => isView(input, "broadcast") && constantOf(input) === undefined);
    const small = x.inputs[at];
    if (small?.op !== "view" || small.view.kind !== "broadcast") return undefined;
    const scaled = b.mul(small.input, filled(b, value, { dtype: node.dtype, shape: small.input.shape }));
    return b.mul(x.inputs[1 - at]!, b.broadcastTo(scaled, node.shape, small.view.axes));
  }),
  withConstant("x ^ c", "pow", (b, x, value, node) => {
    const inverse = (y: Node): Node => b.div(filled(b, 1, node), y);
    switch (value) {
      case 0:
        return filled(b, 1, node);
      case 1:
        return x;
      case 2:
        return b.mul(x, x);
      case 3:
        return b.mul(b.mul(x, x), x);
      case 0.5:
        return b.map("sqrt", x);
      case -0.5:
        return inverse(b.map("sqrt", x));
      case -1:
        return inverse(x);
      case -2:
        return inverse(b.mul(x, x));
      default:
        return undefined;
    }
  }),
];

const signs: readonly MapRule[] = [
  unary("-(-x)", "neg", (_b, x) => (isMap(x, "neg") ? x.inputs[0] : undefined)),
  unary("-(x - y)", "neg", (b, x) => (isMap(x, "sub") ? b.sub(x.inputs[1]!, x.inputs[0]!) : undefined)),
  unary("-(x * c)", "neg", (b, x) => {
    const value = isMap(x, "mul") ? constantOf(x.inputs[1]!) : undefined;
    return value === undefined ? undefined : b.mul((x as MapNode).inputs[0]!, filled(b, -value, x));
  }),
  binary("x + -y", "add", (b, x, y) => {
    const [minusX, minusY] = [negated(b, x), negated(b, y)];
    return minusY !== undefined ? b.sub(x, minusY) : minusX !== undefined ? b.sub(y, minusX) : undefined;
  }),
  binary("x - -y", "sub", (b, x, y) => {
    const minusY = negated(b, y);
    return minusY === undefined ? undefined : b.add(x, minusY);
  }),
  binary("x + x", "add", (b, x, y) => (x === y && x.dtype === "f32" ? b.mul(x, 2) : undefined)),
  binary("-x * y", "mul", (b, x, y) => {
    const [value, minusX, minusY] = [constantOf(y), negated(b, x), negated(b, y)];
    if (minusX !== undefined)
      return value === undefined ? b.neg(b.mul(minusX, y)) : b.mul(minusX, filled(b, -value, y));
    return minusY === undefined ? undefined : b.neg(b.mul(x, minusY));
  }),
  binary("-x / y", "div", (b, x, y) =>
    isMap(x, "neg")
      ? b.neg(b.div(x.inputs[0]!, y))
      : isMap(y, "neg")
        ? b.neg(b.div(x, y.inputs[0]!))
        : undefined,
  ),
];

const logic: readonly MapRule[] = [
  ...(["min", "max", "and", "or"] as const).map((fn) =>
    binary(`${fn} of one`, fn, (_b, x, y) => (x === y ? x : undefined)),
  ),
  unary("not not x", "not", (_b, x) => (isMap(x, "not") ? x.inputs[0] : undefined)),
  ...(["and", "or", "xor", "eq", "ne"] as const).map((fn) =>
    withConstant(`${fn} with a known truth`, fn, (b, x, value) => {
      if (x.dtype !== "bool") return undefined;
      const table = [0, 1].map((truth) => evaluateMap(fn, "bool", truth, value, 0));
      return table[0] === table[1] ? filled(b, table[0]!, x) : table[0] === 0 ? x : b.map("not", x);
    }),
  ),
  unary("f32 of i32 of bool", "f32", (b, x) =>
    isMap(x, "i32") && x.inputs[0]!.dtype === "bool" ? b.cast(x.inputs[0]!, "f32") : undefined,
  ),
  unary("i32 of f32 of a whole number", "i32", (b, x) =>
    isMap(x, "f32") && isWhole(x.inputs[0]!) ? b.cast(x.inputs[0]!, "i32") : undefined,
  ),
  unary("stop stop x", "stop", (_b, x) => (isMap(x, "stop") ? x : undefined)),
  {
    name: "select of what is known",
    fn: "select",
    apply: (b, node) => {
      const [condition, x, y] = node.inputs as [Node, Node, Node];
      const truth = constantOf(condition);
      if (truth !== undefined) return truth === 0 ? y : x;
      if (x === y) return x;
      if (isMap(condition, "not")) return b.select(condition.inputs[0]!, y, x);
      if (isMap(x, "select") && x.inputs[0] === condition) return b.select(condition, x.inputs[1]!, y);
      if (isMap(y, "select") && y.inputs[0] === condition) return b.select(condition, x, y.inputs[2]!);
      if (node.dtype !== "bool") return undefined;
      const [whenTrue, whenFalse] = [constantOf(x), constantOf(y)];
      if (whenTrue === 1 && whenFalse === 0) return condition;
      return whenTrue === 0 && whenFalse === 1 ? b.map("not", condition) : undefined;
    },
  },
];

/** f(repeat x, repeat y) = repeat f(x, y), along every axis that all operands repeat. */
const beforeRepeat: MapRule = {
  name: "map before broadcast",
  apply: (b, node) => {
    if (!node.inputs.every((input) => isView(input, "broadcast"))) return undefined;
    const axes = new Set<number>();
    for (const input of node.inputs)
      if (isView(input, "broadcast") && input.view.kind === "broadcast")
        for (const axis of input.view.axes) axes.add(axis);
    if (axes.size === node.shape.length) return undefined;
    const kept = [...axes].sort((x, y) => x - y);
    const shape = kept.map((axis) => node.shape[axis]!);
    const inputs = node.inputs.map((input) => {
      const { view, input: inner } = input as ViewNode;
      if (view.kind !== "broadcast") throw new Error("internal: a broadcast changed");
      return b.broadcastTo(
        inner,
        shape,
        view.axes.map((axis) => kept.indexOf(axis)),
      );
    });
    return b.broadcastTo(b.map(node.fn, ...inputs), node.shape, kept);
  },
};

/** f(view x, view y) = view f(x, y), for a reshape or a permutation that all operands share; constants have any shape. */
const beforeView = (kind: "reshape" | "permute"): MapRule => ({
  name: `map before ${kind}`,
  apply: (b, node) => {
    let inner: Shape | undefined;
    let axes: readonly number[] | undefined;
    for (const input of node.inputs) {
      if (constantOf(input) !== undefined) continue;
      if (!isView(input, kind)) return undefined;
      const order = input.view.kind === "permute" ? input.view.axes : [];
      if (inner !== undefined && !sameShape(inner, input.input.shape)) return undefined;
      if (axes !== undefined && axes.join() !== order.join()) return undefined;
      inner = input.input.shape;
      axes = order;
    }
    if (inner === undefined || axes === undefined) return undefined;
    const shape = inner;
    const inputs = node.inputs.map((input) => {
      const value = constantOf(input);
      return value === undefined
        ? (input as ViewNode).input
        : filled(b, value, { dtype: input.dtype, shape });
    });
    const result = b.map(node.fn, ...inputs);
    return kind === "permute" ? b.permute(result, axes) : b.reshape(result, node.shape);
  },
});

export const mapRules: readonly MapRule[] = [
  ...constants,
  ...signs,
  ...logic,
  beforeRepeat,
  beforeView("reshape"),
  beforeView("permute"),
];

/** The rules of each function, in order: most rules are of one. */
export function rulesByFunction(rules: readonly MapRule[]): (fn: MapFn) => readonly Rule<MapNode>[] {
  const known = new Map<MapFn, readonly Rule<MapNode>[]>();
  return (fn) => {
    let own = known.get(fn);
    if (own === undefined)
      known.set(fn, (own = rules.filter((rule) => rule.fn === undefined || rule.fn === fn)));
    return own;
  };
}

/** After differentiation: what stopped a gradient is the identity. */
export const stopRule: MapRule = unary("stop x", "stop", (_b, x) => x);
