// Built-in functions of one tensor, element by element: exp, silu, gelu and their kin. In: a value. Out: the same shape. Numbers
// that are known are computed here and now.

import type { GraphBuilder } from "../graph-builder.ts";
import type { Node, UnaryMap } from "../graph.ts";
import { erf } from "../graph-scalar.ts";
import { castTo, toTensor } from "./align.ts";
import { elementWise, reportNotNumber } from "./arithmetic.ts";
import { build, checking, type Elaboration } from "./elaboration.ts";
import type { Call } from "./call.ts";
import { number, roundSize, unknownNumber, valueOf } from "./number.ts";
import { broken, isBroken, tensor, type Value } from "./value.ts";

/** f32 -> f32, from nodes; and the same on a number that is known. */
interface Formula {
  readonly node: (builder: GraphBuilder, x: Node) => Node;
  readonly number: (x: number) => number;
}
const unary = (fn: UnaryMap, number: (x: number) => number): Formula => ({
  node: (builder, x) => builder.map(fn, x),
  number,
});
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export const formulas: Readonly<Record<string, Formula>> = {
  exp: unary("exp", Math.exp),
  log: unary("log", Math.log),
  sqrt: unary("sqrt", Math.sqrt),
  abs: unary("abs", Math.abs),
  sign: unary("sign", Math.sign),
  floor: unary("floor", Math.floor),
  ceil: unary("ceil", Math.ceil),
  round: unary("round", Math.round),
  sin: unary("sin", Math.sin),
  cos: unary("cos", Math.cos),
  tanh: unary("tanh", Math.tanh),
  sigmoid: unary("sigmoid", sigmoid),
  erf: unary("erf", erf),
  silu: { node: (builder, x) => builder.silu(x), number: (x) => x * sigmoid(x) },
  /** x / 2 * (1 + erf(x / sqrt 2)): exact, not the approximation by tanh. */
  gelu: {
    node: (builder, x) =>
      builder.mul(builder.mul(x, 0.5), builder.add(builder.map("erf", builder.mul(x, Math.SQRT1_2)), 1)),
    number: (x) => (x / 2) * (1 + erf(x * Math.SQRT1_2)),
  },
  relu: {
    node: (builder, x) => builder.select(builder.map("lt", 0, x), x, 0),
    number: (x) => Math.max(0, x),
  },
  /** max(x, 0) + log(1 + exp(-|x|)): no overflow. */
  softplus: {
    node: (builder, x) =>
      builder.add(
        builder.map("max", x, 0),
        builder.map("log", builder.add(builder.map("exp", builder.neg(builder.map("abs", x))), 1)),
      ),
    number: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  },
  square: { node: (builder, x) => builder.square(x), number: (x) => x * x },
};
const keepsIntegers = new Set(["abs", "sign", "square", "floor", "ceil", "round"]);

export function formula(of: Elaboration, { name, span, given }: Call): Value {
  const value = given[0]!.value;
  if (isBroken(value)) return broken;
  if (value.kind === "number") {
    if (name === "ceil" || name === "floor") return roundSize(value, name);
    const x = valueOf(value);
    if (x !== undefined && name === "round") return number(Math.round(x));
    if (x !== undefined) return number(formulas[name]!.number(x));
    if (checking(of)) return unknownNumber;
  }
  const operand = toTensor(of, value);
  if (operand === undefined || operand.element === "bool")
    return reportNotNumber(of, span, value, `\`${name}\``);
  if (operand.element === "int" && keepsIntegers.has(name)) {
    if (name === "floor" || name === "ceil" || name === "round") return operand;
    if (name === "square") return elementWise(of, span, "mul", [operand, operand], "int");
    return elementWise(of, span, name as UnaryMap, [operand], "int");
  }
  const x = castTo(of, operand, "number");
  return tensor("number", x.hidden, x.axes, build(of, [x], formulas[name]!.node));
}
