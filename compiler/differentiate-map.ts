// The gradients of element-wise functions. In: a map node and the gradient of its result. Out: gradients of its operands.
// Where a derivative may be infinite (x / 0, log 0, sqrt 0) a gradient that is exactly 0 stays 0, so that what a select
// masked out cannot come back as 0 * inf = NaN. Kinks: floor, ceil, round and sign have gradient 0, |x| has 0 at 0;
// the equal operands of min and max share the gradient if both want it, else there is none at the tie (relu).

import type { MapFn, MapNode, Node } from "./graph.ts";
import type { Backward } from "./differentiate.ts";
import { signOf } from "./graph-sign.ts";

type MapRule = (back: Backward, node: MapNode, gradient: Node) => void;

const flat: MapRule = () => {};
const afterwards: MapRule = (_, { fn }) => {
  throw new Error(`internal: ${fn} comes after differentiation (narrow.ts)`);
};

/** `value`, or 0 where the gradient is 0, unless `divisor` is never 0. */
const unlessZero = ({ builder }: Backward, gradient: Node, divisor: Node, value: Node): Node =>
  signOf(divisor) === "positive" ? value : builder.select(builder.map("eq", gradient, 0), 0, value);

/** The axes that `divisor` sums `node` over: node / sum node, as in a softmax. */
function normalises(divisor: Node, node: Node): readonly number[] | undefined {
  if (divisor.op !== "view" || divisor.view.kind !== "broadcast") return undefined;
  const sum = divisor.input;
  if (sum.op !== "reduce" || sum.fn !== "sum" || sum.groups || sum.input !== node) return undefined;
  const kept = divisor.view.axes;
  return kept.some((axis) => sum.axes.includes(axis)) ? undefined : sum.axes;
}

/** A rule for one operand: the gradient from (operand, result, gradient). */
const unary =
  (rule: (back: Backward, x: Node, y: Node, gradient: Node) => Node): MapRule =>
  (back, node, gradient) =>
    back.give(node.inputs[0]!, rule(back, node.inputs[0]!, node, gradient));

/** min and max: to the operand that was taken. `other < mine` for max. */
const extreme =
  (taken: "lt" | "gt"): MapRule =>
  (back, node, gradient) => {
    const { builder: b } = back;
    const [first, second] = node.inputs as [Node, Node];
    if (first === second) return back.give(first, gradient);
    const wanting = [first, second].filter(back.wants);
    for (const mine of wanting) {
      const other = mine === first ? second : first;
      if (wanting.length === 1) {
        const wins = taken === "lt" ? b.map("lt", other, mine) : b.map("lt", mine, other);
        back.give(mine, b.select(wins, gradient, 0));
      } else {
        const shared = b.select(b.map("eq", first, second), b.mul(gradient, 0.5), gradient);
        back.give(mine, b.select(b.map("eq", node, mine), shared, 0));
      }
    }
  };

export const mapRules: { readonly [F in MapFn]: MapRule } = {
  neg: unary(({ builder }, _x, _y, g) => builder.neg(g)),
  abs: unary(({ builder }, x, _y, g) => builder.mul(g, builder.map("sign", x))),
  exp: unary(({ builder }, _x, y, g) => {
    // From a softmax: y (g / sum y) as g (y / sum y), which is there already.
    const [numerator, divisor] = g.op === "map" && g.fn === "div" ? g.inputs : [];
    if (numerator !== undefined && divisor !== undefined && normalises(divisor, y) !== undefined)
      return builder.mul(numerator, builder.div(y, divisor));
    return builder.mul(g, y);
  }),
  log: unary((back, x, _y, g) => unlessZero(back, g, x, back.builder.div(g, x))),
  sqrt: unary((back, _x, y, g) => unlessZero(back, g, y, back.builder.div(back.builder.mul(g, 0.5), y))),
  tanh: unary(({ builder: b }, _x, y, g) => b.mul(g, b.sub(1, b.square(y)))),
  sin: unary(({ builder: b }, x, _y, g) => b.mul(g, b.map("cos", x))),
  cos: unary(({ builder: b }, x, _y, g) => b.neg(b.mul(g, b.map("sin", x)))),
  // erf' x = 2 / sqrt(pi) exp(-x^2)
  erf: unary(({ builder: b }, x, _y, g) =>
    b.mul(g, b.mul(b.map("exp", b.neg(b.square(x))), 2 / Math.sqrt(Math.PI))),
  ),
  sigmoid: unary(({ builder: b }, _x, y, g) => b.mul(g, b.mul(y, b.sub(1, y)))),
  floor: flat,
  ceil: flat,
  round: flat,
  sign: flat,
  not: flat,
  isnan: flat,
  stop: flat,
  f32: flat,
  i32: flat,
  bf16: afterwards,
  f16: afterwards,
  add: (back, node, gradient) => {
    for (const input of node.inputs) back.give(input, gradient);
  },
  sub: (back, node, gradient) => {
    const [a, b] = node.inputs as [Node, Node];
    back.give(a, gradient);
    if (back.wants(b)) back.give(b, back.builder.neg(gradient));
  },
  mul: (back, node, gradient) => {
    const { builder } = back;
    const [a, b] = node.inputs as [Node, Node];
    if (a === b) return back.give(a, builder.mul(builder.mul(gradient, a), 2));
    if (back.wants(a)) back.give(a, builder.mul(gradient, b));
    if (back.wants(b)) back.give(b, builder.mul(gradient, a));
  },
  div: (back, node, gradient) => {
    const { builder } = back;
    const [a, b] = node.inputs as [Node, Node];
    const axes = normalises(b, a);
    if (axes !== undefined && b.op === "view" && b.view.kind === "broadcast") {
      // The whole derivative of a / sum a at once: (g - sum (g y)) / sum a, and 0 where the sum is 0.
      const common = builder.sum(builder.mul(gradient, node), axes);
      const rest = builder.sub(gradient, builder.broadcastTo(common, b.shape, b.view.axes));
      const slope = builder.div(rest, b);
      return back.give(
        a,
        signOf(b) === "positive" ? slope : builder.select(builder.map("eq", b, 0), 0, slope),
      );
    }
    const quotient = builder.div(gradient, b);
    if (back.wants(a)) back.give(a, unlessZero(back, gradient, b, quotient));
    if (back.wants(b)) back.give(b, unlessZero(back, gradient, b, builder.neg(builder.mul(quotient, node))));
  },
  // x mod y = x - y trunc(x / y)
  mod: (back, node, gradient) => {
    const { builder } = back;
    const [a, b] = node.inputs as [Node, Node];
    back.give(a, gradient);
    if (!back.wants(b)) return;
    const times = builder.div(builder.sub(a, node), b);
    back.give(
      b,
      unlessZero(back, gradient, b, builder.neg(builder.mul(gradient, builder.map("round", times)))),
    );
  },
  min: extreme("gt"),
  max: extreme("lt"),
  pow: (back, node, gradient) => {
    const { builder } = back;
    const [x, y] = node.inputs as [Node, Node];
    if (back.wants(x)) {
      const slope = builder.mul(builder.mul(gradient, y), builder.map("pow", x, builder.sub(y, 1)));
      back.give(x, unlessZero(back, gradient, x, slope));
    }
    if (back.wants(y)) {
      const slope = builder.mul(builder.mul(gradient, node), builder.map("log", x));
      back.give(y, builder.select(builder.map("lt", 0, x), slope, 0));
    }
  },
  lt: flat,
  le: flat,
  eq: flat,
  ne: flat,
  and: flat,
  or: flat,
  xor: flat,
  select: (back, node, gradient) => {
    const { builder } = back;
    const [condition, a, b] = node.inputs as [Node, Node, Node];
    if (back.wants(a)) back.give(a, builder.select(condition, gradient, 0));
    if (back.wants(b)) back.give(b, builder.select(condition, 0, gradient));
  },
};
