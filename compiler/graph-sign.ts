// What is certain about the sign of a value: positive, not negative, or nothing. NaN is disregarded.
// In: a node. Out: a bound from below, from a few levels of its operands. Positive does not count on underflow: exp is
// only "not negative", but a softmax's sum, which contains exp 0, is positive.

import type { Node } from "./graph.ts";
import { surelyPositive } from "./graph-axis.ts";

export type Sign = "positive" | "not negative" | "any";
const depthLimit = 10;

/** The node below broadcasts, stops and casts, which keep a sign. */
function below(node: Node): Node {
  let inner = node;
  for (;;) {
    if (inner.op === "view" && inner.view.kind === "broadcast") inner = inner.input;
    else if (inner.op === "map" && inner.fn === "stop") inner = inner.inputs[0]!;
    else return inner;
  }
}

/** exp(x - max x), summed along the axes of the max, contains exp 0. */
function sumsToOneOrMore(node: Node): boolean {
  if (node.op !== "reduce" || node.fn !== "sum" || node.groups) return false;
  const exp = node.input;
  if (exp.op !== "map" || exp.fn !== "exp") return false;
  const difference = exp.inputs[0]!;
  if (difference.op !== "map" || difference.fn !== "sub") return false;
  const [x, shift] = difference.inputs;
  const max = below(shift!);
  return (
    max.op === "reduce" &&
    max.fn === "max" &&
    !max.groups &&
    max.input === x &&
    max.axes.join() === node.axes.join()
  );
}

export function signOf(node: Node, depth = 0): Sign {
  if (depth > depthLimit) return "any";
  const of = (inner: Node | undefined): Sign => signOf(inner!, depth + 1);
  switch (node.op) {
    case "const":
      return node.value > 0 ? "positive" : node.value === 0 ? "not negative" : "any";
    case "size":
      return surelyPositive(node.size) ? "positive" : "any";
    case "index":
    case "random":
      return "not negative";
    case "view":
      // A pad brings zeros.
      return node.view.kind !== "pad" ? of(node.input) : of(node.input) === "any" ? "any" : "not negative";
    case "reduce": {
      if (sumsToOneOrMore(node)) return "positive";
      if (of(node.input) === "any") return "any";
      const reduced = node.axes.map((axis) => node.input.shape[axis]!);
      const filled =
        !node.groups && reduced.every((axis) => axis.kind === "dense" && surelyPositive(axis.size));
      // The max of nothing is -inf, the sum of nothing 0.
      if (filled) return of(node.input);
      return node.fn === "sum" ? "not negative" : "any";
    }
    case "map": {
      const [a, b, c] = node.inputs;
      switch (node.fn) {
        case "exp":
        case "abs":
        case "sigmoid":
        case "not":
        case "isnan":
          return "not negative";
        case "stop":
        case "sqrt":
        case "f32":
          return a!.dtype === "bool" ? "not negative" : of(a);
        case "add": {
          const [x, y] = [of(a), of(b)];
          if (x === "any" || y === "any") return "any";
          return x === "positive" || y === "positive" ? "positive" : "not negative";
        }
        case "mul":
        case "div": {
          if (node.fn === "mul" && a === b) return of(a) === "positive" ? "positive" : "not negative";
          const [x, y] = [of(a), of(b)];
          if (x === "any" || y === "any") return "any";
          return x === "positive" && y === "positive" ? "positive" : "not negative";
        }
        case "max": {
          const both = [of(a), of(b)];
          return both.includes("positive")
            ? "positive"
            : both.includes("not negative")
              ? "not negative"
              : "any";
        }
        case "min":
        case "select": {
          const both = node.fn === "min" ? [of(a), of(b)] : [of(b), of(c)];
          return both.includes("any") ? "any" : both.includes("not negative") ? "not negative" : "positive";
        }
        default:
          return "any";
      }
    }
    default:
      return "any";
  }
}
