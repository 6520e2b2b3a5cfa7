// Expressions: one function from an expression and the names in sight to a value. Each kind of expression has its file; this
// one says which. In: Syntax. Out: values (types, and nodes when a graph is being built).

import type { Expression, Type } from "../../grammar/syntax.ts";
import { product } from "../../runtime/size.ts";
import { choice, binary, negate, not, reportNotNumber } from "./arithmetic.ts";
import { shapeOf, toTensor, unionHidden } from "./align.ts";
import { contract } from "./contract.ts";
import { combineRows, dispatchTokens } from "./bare-routing.ts";
import { build, checking, frameOf, report, type Elaboration } from "./elaboration.ts";
import type { Call } from "./call.ts";
import { callBuiltin, pairwise } from "./functions.ts";
import { boundIndices, indexInto, overScope } from "./indices.ts";
import { matchInputs } from "./inputs.ts";
import { areInputs, asInstance, evaluateArguments, notDefinable, withStatics } from "./instance.ts";
import { isBuiltin, moduleName, readName } from "./names.ts";
import { asSize, number, sameSizes, showShape, showSize, valueOf } from "./number.ts";
import { routePool } from "./by.ts";
import { poolArithmetic } from "./pool.ts";
import { isReduction, reduce } from "./reduce.ts";
import { restrict } from "./router.ts";
import { callSchedule, isSchedule } from "./schedules.ts";
import { noteMixing } from "./sequence-notes.ts";
import { lookUp, spoil, type Scope } from "./scope.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import { asTensor, broken, describe, isBroken, tensor, type Value, type VisibleAxis } from "./value.ts";

/** The axes that a type writes out; undefined when a size is broken. */
export function axesOf(of: Elaboration, type: Type, scope: Scope): readonly VisibleAxis[] | undefined {
  const axes: VisibleAxis[] = [];
  let whole = true;
  for (const expression of type.axes) {
    const value = of.parts.evaluate(of, expression, scope);
    if (isBroken(value)) {
      whole = false;
      continue;
    }
    const size = value.kind === "number" ? asSize(value, checking(of)) : undefined;
    if (size?.kind === "unknown") {
      whole = false;
      continue;
    }
    if (size?.kind !== "size") {
      whole = false;
      if (expression.node === "name") spoil(scope, expression.text);
      report(
        of,
        "M0303",
        expression.span,
        size === undefined
          ? `a size is a number, not ${describe(value)}`
          : `\`${showText(expression)}\` is no whole size`,
        {
          label: size === undefined ? `this is ${describe(value)}` : `this is ${size.text}`,
          help:
            size?.kind === "negative"
              ? "make it positive"
              : size === undefined
                ? "write a size"
                : value.kind === "number" && valueOf(value) === undefined
                  ? "it is known only when the model runs: divide a size that is a number"
                  : "choose numbers that divide without rest",
        },
      );
      continue;
    }
    const name = expression.node === "name" ? expression.text : undefined;
    const pieces = value.kind === "number" ? value.pieces : undefined;
    axes.push({
      size: size.size,
      ...(name === undefined ? {} : { name }),
      ...(pieces === undefined ? {} : { pieces }),
    });
  }
  return whole ? axes : undefined;
}

function showText(expression: Expression): string {
  switch (expression.node) {
    case "name":
      return expression.text;
    case "number":
      return String(expression.value);
    case "binary":
      return `${showText(expression.left)} ${expression.operator} ${showText(expression.right)}`;
    case "group":
      return `(${showText(expression.inner)})`;
    default:
      return "...";
  }
}

/** `x as [T, heads, D / heads]` */
function reshape(of: Elaboration, expression: Extract<Expression, { node: "as" }>, scope: Scope): Value {
  const value = of.parts.evaluate(of, expression.of, scope);
  const axes = axesOf(of, expression.type, scope);
  if (isBroken(value) || axes === undefined) return broken;
  const found = toTensor(of, value);
  if (found === undefined) return reportNotNumber(of, expression.of.span, value, "`as`");
  const [before, after] = [
    product(found.axes.map(({ size }) => size)),
    product(axes.map(({ size }) => size)),
  ];
  if (!sameSizes(before, after))
    return report(
      of,
      "M0311",
      expression.span,
      `\`${showShape(found.axes)}\` does not have as many elements as \`${showShape(axes)}\``,
      {
        label: `${showSize(before)} and ${showSize(after)}`,
        help: "give sizes whose product is the same",
      },
    );
  // Axes that stay in front keep what is known of them; whatever else is reshaped is no longer a sequence of positions.
  const kept = axes.findIndex(
    (axis, i) => found.axes[i] === undefined || !sameSizes(axis.size, found.axes[i].size),
  );
  const same = kept < 0 ? axes.length : kept;
  found.axes
    .slice(same)
    .forEach(({ size }) => noteMixing(of, size, "merges the positions of the text with other axes by `as`"));
  const single = found.axes.find(({ pieces }) => pieces?.length === 1)?.pieces?.[0]?.modality;
  const shown = axes.map((axis, i) => {
    const pieces =
      i < same
        ? found.axes[i]!.pieces
        : single === undefined
          ? undefined
          : [{ modality: single, size: axis.size }];
    return pieces === undefined ? axis : { ...axis, pieces };
  });
  return tensor(
    found.element,
    found.hidden,
    shown,
    build(of, [found], (builder, node) => builder.reshape(node, shapeOf(found.hidden, shown))),
  );
}

function member(of: Elaboration, expression: Extract<Expression, { node: "member" }>, scope: Scope): Value {
  const value = of.parts.evaluate(of, expression.of, scope);
  if (isBroken(value)) return broken;
  const { name } = expression;
  if (value.kind === "modality") {
    const found = value.members.get(name.text);
    if (found !== undefined) return found;
    const known = [...value.members.keys()];
    return report(of, "M0105", name.span, `the modality \`${value.name}\` has no \`${name.text}\``, {
      label: "not one of its members",
      help: didYouMean(
        name.text,
        known,
        known.length === 0 ? "it has no members" : `it has ${known.map((each) => `\`.${each}\``).join(", ")}`,
      ),
    });
  }
  if (value.kind === "gates") {
    if (name.text === "weight" || name.text === "picks" || name.text === "chosen" || name.text === "load")
      return value[name.text];
    return report(of, "M0105", name.span, `gates have no \`${name.text}\``, {
      label: "not one of their members",
      help: didYouMean(
        name.text,
        ["weight", "picks", "chosen", "load"],
        "they have `.weight`, `.picks`, `.chosen`, `.load`",
      ),
    });
  }
  return report(of, "M0105", name.span, `${describe(value)} has no members`, {
    label: `this is ${describe(value)}`,
    help: "read members of modalities and of gates",
  });
}

/** Something that is bound or declared is called; names of built-ins that are bound again are what they are bound to. */
function callValue(
  of: Elaboration,
  expression: Extract<Expression, { node: "call" }>,
  callee: Value,
  scope: Scope,
): Value {
  const given = evaluateArguments(of, expression.arguments, scope);
  if (isBroken(callee) || given.some(({ value }) => value.kind === "broken")) return broken;
  if (callee.kind === "pool")
    return report(of, "M0514", expression.span, "a pool needs a router", {
      label: "nothing says which experts to take",
      help: "write `pool(x) by TopK { k = 2 }`",
    });
  if (callee.kind !== "definition" && callee.kind !== "instance")
    return notDefinable(of, expression.callee.span, callee);
  if (expression.over.length > 0)
    return report(of, "M0304", expression.over[0]!.span, "`over` belongs to reductions", {
      label: `\`${callee.definition.name.text}\` is ${describe(callee)}`,
      help: "remove it",
    });
  if (!areInputs(callee, given)) return withStatics(of, callee, given, expression.span);
  const inputs = matchInputs(of, callee.definition, given, expression.span);
  if (inputs === undefined) return broken;
  return of.parts.apply(of, asInstance(callee, expression.span), inputs, expression.span);
}

function call(of: Elaboration, expression: Extract<Expression, { node: "call" }>, scope: Scope): Value {
  const { callee, over, span } = expression;
  const builtin =
    callee.node === "name" &&
    lookUp(scope, callee.text) === undefined &&
    isBuiltin(callee.text) &&
    moduleName(of, callee.text) === undefined;
  if (!builtin) return callValue(of, expression, of.parts.evaluate(of, callee, scope), scope);
  const name = callee.text;
  const inside = overScope(of, over, expression.arguments, scope);
  const given = evaluateArguments(of, expression.arguments, inside);
  const asked: Call = { name, span, given, over, scope: inside };
  if (isReduction(name)) {
    if ((name === "max" || name === "min") && given.length === 2 && over.length === 0)
      return pairwise[name](of, asked);
    return callReduction(of, asked, name);
  }
  if (over.length > 0 && name !== "concat" && name !== "largest")
    return report(of, "M0304", over[0]!.span, `\`${name}\` does not go over an axis`, {
      label: "not for this function",
      help: "remove it",
    });
  if (isSchedule(name)) return callSchedule(of, asked);
  if (name === "dispatch") return dispatchTokens(of, asked);
  if (name === "combine") return combineRows(of, asked);
  return callBuiltin(of, asked) ?? broken;
}

function callReduction(
  of: Elaboration,
  { span, given, over, scope }: Call,
  name: Parameters<typeof reduce>[3],
): Value {
  const [only, ...more] = given;
  if (only === undefined || more.length > 0 || only.argument.name !== undefined)
    return report(
      of,
      "M0204",
      span,
      `\`${name}\` takes one tensor${name === "max" || name === "min" ? " or two" : ""}`,
      { label: `${given.length} given`, help: `write \`${name}(x)\` or \`${name}(x over D)\`` },
    );
  if (isBroken(only.value)) return broken;
  const operand = toTensor(of, only.value);
  if (operand === undefined) return reportNotNumber(of, only.argument.span, only.value, `\`${name}\``);
  const logical = name === "any" || name === "all";
  if (operand.element === "bool" && !logical && name !== "sum" && name !== "mean")
    return reportNotNumber(of, only.argument.span, only.value, `\`${name}\``);
  return reduce(of, scope, span, name, operand, over);
}

function evaluateList(of: Elaboration, items: readonly Expression[], scope: Scope): Value {
  return { kind: "list", items: items.map((item) => of.parts.evaluate(of, item, scope)) };
}

function conditional(of: Elaboration, expression: Extract<Expression, { node: "if" }>, scope: Scope): Value {
  const condition = of.parts.evaluate(of, expression.condition, scope);
  if (condition.kind === "truth" && condition.value !== undefined)
    return of.parts.evaluate(of, condition.value ? expression.then : expression.otherwise, scope);
  const then = of.parts.evaluate(of, expression.then, scope);
  const otherwise = of.parts.evaluate(of, expression.otherwise, scope);
  if (condition.kind !== "truth") return choice(of, expression.span, condition, then, otherwise);
  // A static choice whose condition is not known while checking: either may be the value.
  if (isBroken(then) || isBroken(otherwise)) return broken;
  const [a, b] = [asTensor(then), asTensor(otherwise)];
  if (
    a !== undefined &&
    b !== undefined &&
    a.element === b.element &&
    a.axes.length === b.axes.length &&
    a.axes.every((axis, i) => sameSizes(axis.size, b.axes[i]!.size))
  )
    return tensor(a.element, unionHidden([a, b]), a.axes, undefined);
  return then.kind === otherwise.kind && then.kind === "number" ? { kind: "number" } : { kind: "unknown" };
}

/** The value of an expression. */
export function evaluate(of: Elaboration, expression: Expression, scope: Scope): Value {
  const value = evaluateWhole(of, expression, scope);
  return frameOf(of).router?.restricted === true ? restrict(of, value) : value;
}

function evaluateWhole(of: Elaboration, expression: Expression, scope: Scope): Value {
  switch (expression.node) {
    case "number":
      return number(expression.value);
    case "string":
      return { kind: "text", value: expression.value };
    case "name":
      return readName(of, expression.text, expression.span, scope);
    case "list":
      return evaluateList(of, expression.items, scope);
    case "group":
      return evaluate(of, expression.inner, scope);
    case "unary": {
      const operand = evaluate(of, expression.operand, scope);
      return expression.operator === "-"
        ? negate(of, expression.span, operand)
        : not(of, expression.span, operand);
    }
    case "binary": {
      const left = evaluate(of, expression.left, scope);
      const right = evaluate(of, expression.right, scope);
      if (expression.operator === "@") return contract(of, expression.span, left, right);
      return (
        poolArithmetic(of, expression.span, expression.operator, left, right) ??
        binary(of, expression.span, expression.operator, left, right)
      );
    }
    case "if":
      return conditional(of, expression, scope);
    case "call":
      return call(of, expression, scope);
    case "configure": {
      const callee = evaluate(of, expression.callee, scope);
      const given = evaluateArguments(of, expression.options, scope);
      if (isBroken(callee)) return broken;
      if (callee.kind !== "definition" && callee.kind !== "instance")
        return notDefinable(of, expression.callee.span, callee);
      return withStatics(of, callee, given, expression.span);
    }
    case "index":
      return indexInto(of, expression.span, evaluate(of, expression.of, scope), expression.indices, scope);
    case "member":
      return member(of, expression, scope);
    case "by":
      return routePool(of, expression, scope);
    case "as":
      return reshape(of, expression, scope);
    case "broken":
      return broken;
    default:
      return expression satisfies never;
  }
}

/** The right side of a binding by indices. */
export function evaluateIndexed(of: Elaboration, expression: Expression, scope: Scope): Value {
  boundIndices(of, expression, scope);
  return evaluate(of, expression, scope);
}
