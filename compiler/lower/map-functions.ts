// Element-wise functions of the graph as kernel expressions.
// In: a map node and the expressions of its inputs. Out: one expression. `name` gives a sub-expression that is used twice a
// local. Deliberately absent: which element (value.ts).

import type { MapFn, MapNode } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import { binary, cast, literal, select, unary, withLanes } from "./expr.ts";
import { isVector } from "../kernel-type.ts";

/** Whether a map of four lanes is one vector expression; the others are computed lane by lane. */
export function worksOnLanes(node: MapNode): boolean {
  const integers = node.inputs.some(({ dtype }) => dtype === "i32");
  return !(integers && (node.fn === "div" || node.fn === "mod" || node.fn === "pow"));
}

export function emitMap(node: MapNode, inputs: readonly Expr[], name: (value: Expr) => Expr): Expr {
  const a = inputs[0]!;
  const b = inputs[1];
  const lanes = isVector(a.type) ? 4 : 1;
  const { fn } = node;
  switch (fn) {
    case "stop":
      return a;
    case "f32":
      return cast(withLanes("f32", lanes), a);
    case "i32":
      return cast(withLanes("i32", lanes), a);
    case "bf16":
    case "f16":
      return unary(fn, a);
    case "sigmoid": {
      const one = literal("f32", 1, lanes);
      return binary("div", one, binary("add", one, unary("exp", unary("neg", a))));
    }
    case "neg":
    case "abs":
    case "exp":
    case "log":
    case "sqrt":
    case "tanh":
    case "sin":
    case "cos":
    case "erf":
    case "floor":
    case "ceil":
    case "round":
    case "sign":
    case "not":
    case "isnan":
      return unary(fn, a);
    case "mod":
      if (node.dtype === "f32") {
        const x = name(a);
        const y = name(b!);
        const quotient = name(binary("div", x, y));
        const zero = literal("f32", 0, lanes);
        // the sign of the first operand, as in C
        const whole = select(binary("lt", quotient, zero), unary("ceil", quotient), unary("floor", quotient));
        return binary("sub", x, binary("mul", y, whole));
      }
      return binary(fn, a, b!);
    case "eq":
    case "ne":
    case "xor":
    case "lt":
    case "le":
      if (a.type === "bool" || a.type === "boolx4") {
        const type = withLanes("i32", lanes);
        return binary(fn === "xor" ? "ne" : fn, cast(type, a), cast(type, b!));
      }
      return binary(fn, a, b!);
    case "add":
    case "sub":
    case "mul":
    case "div":
    case "min":
    case "max":
    case "pow":
    case "and":
    case "or":
      return binary(fn, a, b!);
    case "select":
      return select(a, b!, inputs[2]!);
    default:
      return fn satisfies never;
  }
}

/** Rough cost of one element, in additions. */
export function workOf(fn: MapFn): number {
  switch (fn) {
    case "exp":
    case "log":
    case "sigmoid":
      return 12;
    case "tanh":
    case "sin":
    case "cos":
    case "erf":
      return 16;
    case "pow":
      return 30;
    case "div":
    case "sqrt":
    case "mod":
      return 4;
    case "stop":
      return 0;
    case "neg":
    case "abs":
    case "floor":
    case "ceil":
    case "round":
    case "sign":
    case "not":
    case "isnan":
    case "f32":
    case "i32":
    case "bf16":
    case "f16":
    case "add":
    case "sub":
    case "mul":
    case "min":
    case "max":
    case "lt":
    case "le":
    case "eq":
    case "ne":
    case "and":
    case "or":
    case "xor":
    case "select":
      return 1;
    default:
      return fn satisfies never;
  }
}
