// Operators: `+ - * / ^`, comparisons, `and or not`, `if then else`. On static numbers and truths they are computed here and
// now; on tensors they become element-wise nodes of the aligned operands. `@` is in contract.ts.

import type { BinaryOperator, Span } from "../../grammar/syntax.ts";
import type { BinaryMap, DType, MapFn } from "../graph.ts";
import { evaluateMap } from "../graph-scalar.ts";
import { align, castTo, expandTo, toTensor, unionHidden, type Misfit } from "./align.ts";
import { build, checking, frameOf, report, type Elaboration } from "./elaboration.ts";
import {
  addNumbers,
  divideNumbers,
  multiplyNumbers,
  number,
  powerNumbers,
  showShape,
  showSize,
  subtractNumbers,
  valueOf,
} from "./number.ts";
import {
  broken,
  describe,
  isBroken,
  tensor,
  truth,
  type Element,
  type NumberValue,
  type Tensor,
  type Value,
} from "./value.ts";

export type ElementWise = Exclude<BinaryOperator, "@">;

const maps: Readonly<
  Record<Exclude<ElementWise, "and" | "or">, { readonly fn: BinaryMap; readonly swap?: boolean }>
> = {
  "+": { fn: "add" },
  "-": { fn: "sub" },
  "*": { fn: "mul" },
  "/": { fn: "div" },
  "^": { fn: "pow" },
  "<": { fn: "lt" },
  "<=": { fn: "le" },
  ">": { fn: "lt", swap: true },
  ">=": { fn: "le", swap: true },
  "==": { fn: "eq" },
  "!=": { fn: "ne" },
};
const isComparison = (operator: ElementWise): boolean =>
  ["<", "<=", ">", ">=", "==", "!="].includes(operator);

/** Two tensors do not fit: says which axes. */
export function reportMisfit(
  of: Elaboration,
  span: Span,
  { left, right }: Misfit,
  tensors: readonly Tensor[],
  what: string,
): Value {
  const shapes = tensors.map(({ axes }) => showShape(axes)).join(" and ");
  return report(
    of,
    "M0301",
    span,
    `${what} do not fit: \`${showSize(left.size)}\` meets \`${showSize(right.size)}\``,
    {
      label: shapes,
      help: "give both the same size, or reduce the axis that one of them lacks",
    },
  );
}

/** An element-wise operation on tensors of one element type. */
export function elementWise(
  of: Elaboration,
  span: Span,
  fn: MapFn,
  operands: readonly Tensor[],
  element: Element,
  what = "the operands",
): Value {
  const aligned = align(of, operands);
  if ("left" in aligned) return reportMisfit(of, span, aligned, operands, what);
  const [first] = aligned;
  const valid = first!.axes;
  const axes = aligned.reduce(
    (best, { axes: each }) => (each.some((axis) => axis.valid !== undefined) ? each : best),
    valid,
  );
  const result = tensor(
    element,
    first!.hidden,
    axes,
    build(of, aligned, (builder, ...nodes) => builder.map(fn, ...nodes)),
  );
  const constant = constantOf(fn, operands);
  return constant === undefined ? result : { ...result, constant };
}

const dtypes: Readonly<Record<Element, DType>> = { number: "f32", int: "i32", bool: "bool" };

/** What comes of operands of which each is one number throughout. */
function constantOf(fn: MapFn, operands: readonly Tensor[]): number | undefined {
  const known = operands.flatMap(({ constant }) => constant ?? []);
  if (known.length < operands.length) return undefined;
  const [a = 0, b = 0, c = 0] = known;
  return evaluateMap(fn, dtypes[operands.at(-1)!.element], a, b, c);
}

function staticBinary(
  of: Elaboration,
  span: Span,
  operator: ElementWise,
  a: NumberValue,
  b: NumberValue,
): Value | undefined {
  const [x, y] = [valueOf(a), valueOf(b)];
  switch (operator) {
    case "+":
      return addNumbers(a, b);
    case "-":
      return subtractNumbers(a, b);
    case "*":
      return multiplyNumbers(a, b);
    case "/":
      if (y === 0)
        return report(of, "M0404", span, "division by zero", {
          label: "the divisor is 0",
          help: "divide by something else",
        });
      return divideNumbers(a, b);
    case "^": {
      const power = powerNumbers(a, b);
      return power.poly === undefined && !checking(of) ? undefined : power;
    }
    case "<":
    case "<=":
    case ">":
    case ">=":
    case "==":
    case "!=":
      if (x === undefined || y === undefined) return checking(of) ? truth(undefined) : undefined;
      return truth(
        { "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "==": x === y, "!=": x !== y }[operator],
      );
    case "and":
    case "or":
      return undefined;
    default:
      return operator satisfies never;
  }
}

function logical(of: Elaboration, span: Span, operator: "and" | "or", a: Value, b: Value): Value {
  if (a.kind === "truth" && b.kind === "truth") {
    if (operator === "and")
      return truth(
        a.value === false || b.value === false ? false : a.value === undefined ? undefined : b.value,
      );
    return truth(a.value === true || b.value === true ? true : a.value === undefined ? undefined : b.value);
  }
  const [x, y] = [toTensor(of, a), toTensor(of, b)];
  if (x?.element !== "bool" || y?.element !== "bool")
    return report(of, "M0402", span, `\`${operator}\` joins truth values`, {
      label: `${describe(a)} and ${describe(b)}`,
      help: "compare first: `a > 0 and b > 0`",
    });
  if (operator === "and" && isOne(a)) return y;
  if (operator === "and" && isOne(b)) return x;
  return elementWise(of, span, operator, [x, y], "bool");
}

/** What stands where numbers are wanted and cannot be one. */
export function reportNotNumber(of: Elaboration, span: Span, value: Value, where: string): Value {
  if (value.kind === "index" && value.lost === true) return broken;
  if (value.kind === "index")
    return report(of, "M0307", span, `nothing bounds the index \`${value.name}\``, {
      label: "its range is not known",
      help: `give it on the left: \`${value.name}: T\``,
    });
  return report(of, "M0201", span, `${where} takes numbers and tensors, not ${describe(value)}`, {
    label: `this is ${describe(value)}`,
    help:
      value.kind === "instance" || value.kind === "definition"
        ? "apply it to its inputs first: `Name(statics)(inputs)`"
        : value.kind === "gates"
          ? "read `.weight`, `.picks`, `.chosen` or `.load` of the gates"
          : "write a number or a tensor",
  });
}

/** Both as tensors of one element type. */
export function promote(of: Elaboration, a: Value, b: Value): readonly [Tensor, Tensor] | undefined {
  const [left, right] = [toTensor(of, a, "int"), toTensor(of, b, "int")];
  if (left === undefined || right === undefined) return undefined;
  if (left.element === right.element) {
    // Two static numbers: neither asks the other to be an integer.
    if (a.kind === "number" && b.kind === "number") return [toTensor(of, a)!, toTensor(of, b)!];
    return [left, right];
  }
  if (left.element === "bool" || right.element === "bool") return [left, right];
  return [
    castTo(of, a.kind === "number" ? toTensor(of, a)! : left, "number"),
    castTo(of, b.kind === "number" ? toTensor(of, b)! : right, "number"),
  ];
}

export function binary(of: Elaboration, span: Span, operator: ElementWise, a: Value, b: Value): Value {
  if (isBroken(a) || isBroken(b)) return broken;
  if (operator === "and" || operator === "or") return logical(of, span, operator, a, b);
  if (a.kind === "number" && b.kind === "number") {
    const value = staticBinary(of, span, operator, a, b);
    if (value !== undefined) return value;
  }
  if (a.kind === "truth" && b.kind === "truth" && (operator === "==" || operator === "!=")) {
    if (a.value === undefined || b.value === undefined) return truth(undefined);
    return truth((a.value === b.value) === (operator === "=="));
  }
  const pair = promote(of, a, b);
  if (pair === undefined) {
    const wrong = toTensor(of, a) === undefined ? a : b;
    return reportNotNumber(of, span, wrong, `\`${operator}\``);
  }
  if (operator === "/" && b.kind === "number" && valueOf(b) === 0)
    return staticBinary(of, span, operator, number(1), b) ?? broken;
  let [left, right] = pair;
  const comparison = isComparison(operator);
  const equality = operator === "==" || operator === "!=";
  if ((left.element === "bool" || right.element === "bool") && !(equality && left.element === right.element))
    return report(of, "M0401", span, `\`${operator}\` takes numbers, not truth values`, {
      label: "one side is a truth value",
      help: "write `if x then 1 else 0` to count with it",
    });
  if (operator === "/" || operator === "^")
    [left, right] = [castTo(of, left, "number"), castTo(of, right, "number")];
  if (operator === "/" && frameOf(of).router?.restricted === true) right = divisorOfChosen(of, right);
  // x ^ 2 is a product: exact, and its gradient needs no logarithm.
  if (operator === "^" && b.kind === "number" && valueOf(b) === 2)
    return elementWise(of, span, "mul", [left, left], "number");
  if (operator === "^" && b.kind === "number" && valueOf(b) === 1) return left;
  if (operator === "*" && isOne(a) && left.element === right.element) return right;
  if ((operator === "*" || operator === "/") && isOne(b) && left.element === right.element) return left;
  const { fn, swap } = maps[operator];
  return elementWise(
    of,
    span,
    fn,
    swap === true ? [right, left] : [left, right],
    comparison ? "bool" : left.element,
  );
}

/** A tensor that is 1 (true) by its default, in formulas that may do without: their nodes are then those of the text without it. What
 * the text itself says, 1 * x, stays until it is simplified. */
const isOne = (value: Value): boolean => value.kind === "tensor" && value.constant === 1 && isSingle(value);
const isSingle = ({ hidden, axes }: Tensor): boolean => hidden.length === 0 && axes.length === 0;

/** In a weight: a token without any expert divides by 1, so that no NaN reaches the gradient of its scores. */
function divisorOfChosen(of: Elaboration, divisor: Tensor): Tensor {
  const router = frameOf(of).router;
  const valid = router?.before?.axes.at(-1)?.valid;
  if (
    router?.mayBeEmpty !== true ||
    valid === undefined ||
    divisor.axes.length > 0 ||
    divisor.hidden.length === 0
  )
    return divisor;
  const hidden = unionHidden([divisor, valid]);
  const some = build(of, [valid], (builder, node) =>
    builder.map("lt", 0, builder.reduce("max", builder.cast(node, "f32"), [-1])),
  );
  const any = expandTo(of, tensor("bool", valid.hidden, [], some), hidden, []);
  const wide = expandTo(of, divisor, hidden, []);
  return tensor(
    "number",
    hidden,
    [],
    build(of, [any, wide], (builder, is, node) => builder.select(is, node, 1)),
  );
}

export function negate(of: Elaboration, span: Span, value: Value): Value {
  if (isBroken(value)) return broken;
  if (value.kind === "number") return multiplyNumbers(number(-1), value);
  const operand = toTensor(of, value);
  if (operand === undefined || operand.element === "bool") return reportNotNumber(of, span, value, "`-`");
  return elementWise(of, span, "neg", [operand], operand.element);
}

export function not(of: Elaboration, span: Span, value: Value): Value {
  if (isBroken(value)) return broken;
  if (value.kind === "truth") return truth(value.value === undefined ? undefined : !value.value);
  const operand = toTensor(of, value);
  if (operand?.element !== "bool")
    return report(of, "M0402", span, "`not` takes a truth value", {
      label: operand === undefined ? `this is ${describe(value)}` : "these are numbers",
      help: "compare first: `not (a > 0)`",
    });
  return elementWise(of, span, "not", [operand], "bool");
}

/** Element by element; a static condition has been decided by the caller. */
export function choice(of: Elaboration, span: Span, condition: Value, a: Value, b: Value): Value {
  if (isBroken(condition) || isBroken(a) || isBroken(b)) return broken;
  const test = toTensor(of, condition);
  if (test?.element !== "bool")
    return report(of, "M0402", span, "the condition of `if` is no truth value", {
      label: test === undefined ? `this is ${describe(condition)}` : "these are numbers",
      help: "compare: `if x > 0 then ... else ...`",
    });
  const chosen = [a, b].find(({ kind }) => kind === "definition" || kind === "instance" || kind === "pool");
  if (chosen !== undefined)
    return report(
      of,
      "M0211",
      span,
      "what chooses between definitions must be known when the model is compiled",
      {
        label: `a tensor would choose ${describe(chosen)}`,
        help: "choose by a static, or apply both: `if c then A(x) else B(x)`",
      },
    );
  const pair = promote(of, a, b);
  if (pair === undefined) return reportNotNumber(of, span, toTensor(of, a) === undefined ? a : b, "`if`");
  const [left, right] = pair;
  if (left.element !== right.element)
    return report(of, "M0401", span, "the branches of `if` differ in type", {
      label: `${left.element} and ${right.element}`,
      help: "make both numbers or both truth values",
    });
  if (isOne(condition) && isSingle(right)) return left;
  return elementWise(of, span, "select", [test, left, right], left.element, "the condition and the branches");
}
