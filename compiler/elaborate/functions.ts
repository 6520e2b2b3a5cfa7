// Built-in functions of tensors: shapes, randomness, losses, other positions of a text. In: evaluated arguments. Out: a value, or a
// mistake reported. Element-wise functions are in element-wise.ts, reductions in reduce.ts, schedules in schedules.ts.

import { add, constant } from "../../runtime/size.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";
import { align, castTo, expandTo, toTensor, unionAxes, unionHidden } from "./align.ts";
import { elementWise, promote, reportMisfit, reportNotNumber } from "./arithmetic.ts";
import { build, checking, type Elaboration, report } from "./elaboration.ts";
import { formula, formulas } from "./element-wise.ts";
import { asSize, maxNumbers, minNumbers, number, showShape, unknownNumber, valueOf } from "./number.ts";
import { arity, numbersOf, type Builtin, type Call } from "./call.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { gradient } from "./gradient.ts";
import { largest } from "./largest.ts";
import { along } from "./reduce.ts";
import { context, previous } from "./sequence.ts";
import {
  asTensor,
  broken,
  describe,
  isBroken,
  tensor,
  type Tensor,
  type Value,
  type VisibleAxis,
} from "./value.ts";

/** max, min, mod with two arguments. */
function extreme(fn: "max" | "min" | "mod"): Builtin {
  return (of, call) => {
    if (!arity(of, call, 2)) return broken;
    const [a, b] = [call.given[0]!.value, call.given[1]!.value];
    if (isBroken(a) || isBroken(b)) return broken;
    if (a.kind === "number" && b.kind === "number") {
      const [x, y] = [valueOf(a), valueOf(b)];
      if (fn === "max") return maxNumbers(a, b);
      if (fn === "min") return minNumbers(a, b);
      if (x !== undefined && y !== undefined && y !== 0) return number(x % y);
      if (checking(of)) return unknownNumber;
    }
    const pair = promote(of, a, b);
    if (pair === undefined || pair[0].element === "bool" || pair[1].element === "bool")
      return reportNotNumber(
        of,
        call.span,
        toTensor(of, a) === undefined || asTensor(a)?.element === "bool" ? a : b,
        `\`${fn}\``,
      );
    return elementWise(of, call.span, fn, pair, pair[0].element);
  };
}
export const pairwise: Readonly<Record<"max" | "min", Builtin>> = {
  max: extreme("max"),
  min: extreme("min"),
};

/** f32 in (0, 1] in the shape of a tensor. */
function draw(of: Elaboration, builder: GraphBuilder, like: Node): Node {
  return builder.random(of.nextStream++, like.shape);
}
/** Away from 0, so that logarithms are finite. */
const positive = (builder: GraphBuilder, node: Node): Node => builder.map("max", node, 2 ** -25);

function random(make: (of: Elaboration, builder: GraphBuilder, like: Node) => Node): Builtin {
  return (of, call) => {
    if (!arity(of, call, 1)) return broken;
    const like = numbersOf(of, call, 0);
    if (like === undefined) return broken;
    if (like.hidden.some(({ kind }) => kind === "rows"))
      return report(of, "M0407", call.span, "randomness cannot be drawn inside a routed expert", {
        label: "rows of a routing",
        help: "draw it before routing and give it to the pool: `pool(x, noise)`",
      });
    return tensor(
      "number",
      like.hidden,
      like.axes,
      build(of, [like], (builder, node) => make(of, builder, node)),
    );
  };
}

function transpose(of: Elaboration, call: Call): Value {
  if (!arity(of, call, 1)) return broken;
  const value = call.given[0]!.value;
  if (isBroken(value)) return broken;
  const found = toTensor(of, value);
  if (found === undefined || found.axes.length < 2)
    return report(of, "M0302", call.span, "`transpose` takes a matrix", {
      label: found === undefined ? `this is ${describe(value)}` : `this is ${showShape(found.axes)}`,
      help: "give it a tensor with two axes or more",
    });
  const axes = [...found.axes.slice(0, -2), found.axes.at(-1)!, found.axes.at(-2)!];
  return tensor(
    found.element,
    found.hidden,
    axes,
    build(of, [found], (builder, node) => builder.transpose(node)),
  );
}

function concat(of: Elaboration, call: Call): Value {
  if (call.given.length < 1) return arity(of, call, 1) ? broken : broken;
  const parts: Tensor[] = [];
  for (const { value, argument } of call.given) {
    if (isBroken(value)) return broken;
    const found = toTensor(of, value);
    if (found === undefined) return reportNotNumber(of, argument.span, value, "`concat`");
    parts.push(found);
  }
  const [first] = parts;
  const rank = Math.max(...parts.map(({ axes }) => axes.length));
  if (rank === 0)
    return report(of, "M0302", call.span, "`concat` joins along an axis", {
      label: "these are single numbers",
      help: "give it vectors",
    });
  const at =
    call.over.length === 0
      ? rank - 1
      : along(of, call.scope, call.span, "concat", first!, call.over)?.visible[0];
  if (at === undefined) return broken;
  const element = parts.some((part) => part.element === "number") ? "number" : first!.element;
  const same = parts.map((part) => ({
    ...castTo(of, part, element),
    axes: part.axes.map((axis, i) => (i === at ? { size: constant(1) } : axis)),
  }));
  const axes = unionAxes(same);
  if ("left" in axes || parts.some((part) => part.axes.length !== rank)) {
    const misfit =
      "left" in axes
        ? axes
        : {
            left: first!.axes[0] ?? { size: constant(1) },
            right: parts[1]?.axes[0] ?? { size: constant(1) },
          };
    return reportMisfit(of, call.span, misfit, parts, "what `concat` joins");
  }
  const hidden = unionHidden(parts);
  const wide = parts.map((part) => expandTo(of, castTo(of, part, element), hidden, part.axes));
  const size = parts.map((part) => part.axes[at]!.size).reduce(add);
  const pieces = parts.every((part) => part.axes[at]!.pieces !== undefined)
    ? parts.flatMap((part) => [...part.axes[at]!.pieces!])
    : undefined;
  const joined: VisibleAxis = { size, ...(pieces === undefined ? {} : { pieces }) };
  const node = build(of, wide, (builder, ...nodes) => builder.concat(nodes, hidden.length + at));
  return tensor(
    element,
    hidden,
    axes.map((axis, i) => (i === at ? joined : axis)),
    node,
  );
}

function stop(of: Elaboration, call: Call): Value {
  if (!arity(of, call, 1)) return broken;
  const value = call.given[0]!.value;
  if (isBroken(value)) return broken;
  const found = toTensor(of, value);
  if (found === undefined) return reportNotNumber(of, call.span, value, "`stop`");
  return tensor(
    found.element,
    found.hidden,
    found.axes,
    build(of, [found], (builder, node) => builder.stop(node)),
  );
}

/** The first forward, the gradient of the second: second + stop(first - second). */
function straightThrough(of: Elaboration, call: Call): Value {
  if (!arity(of, call, 2)) return broken;
  const [value, gradient] = [numbersOf(of, call, 0), numbersOf(of, call, 1)];
  if (value === undefined || gradient === undefined) return broken;
  const aligned = align(of, [value, gradient]);
  if ("left" in aligned)
    return reportMisfit(of, call.span, aligned, [value, gradient], "the value and the gradient");
  const [a, b] = aligned;
  return tensor(
    "number",
    a!.hidden,
    a!.axes,
    build(of, [a, b], (builder, x, g) => builder.add(g, builder.stop(builder.sub(x, g)))),
  );
}

/** Whole numbers, as integers that look up and choose: what stands after the point is left out; truth values are 1 and 0. */
function integers(of: Elaboration, call: Call): Value {
  if (!arity(of, call, 1)) return broken;
  const { value, argument } = call.given[0]!;
  if (isBroken(value)) return broken;
  if (value.kind === "number") {
    const x = valueOf(value);
    if (x !== undefined && Number.isFinite(x)) return number(Math.trunc(x));
    if (checking(of)) return unknownNumber;
  }
  const found = toTensor(of, value);
  return found === undefined ? reportNotNumber(of, argument.span, value, "`int`") : castTo(of, found, "int");
}

function oneHot(of: Elaboration, call: Call): Value {
  if (!arity(of, call, 2)) return broken;
  const [ids, count] = [call.given[0]!.value, call.given[1]!.value];
  if (isBroken(ids) || isBroken(count)) return broken;
  const found = toTensor(of, ids, "int");
  const size = count.kind === "number" ? asSize(count, checking(of)) : undefined;
  if (found?.element !== "int")
    return report(of, "M0403", call.span, "`one_hot` takes integers", {
      label: `this is ${describe(ids)}`,
      help: "give it a tensor of integers and a size",
    });
  if (size?.kind !== "size")
    return size?.kind === "unknown"
      ? broken
      : report(of, "M0303", call.given[1]!.argument.span, "`one_hot` needs a size", {
          label: `this is ${describe(count)}`,
          help: "write `one_hot(ids, N)`",
        });
  const axis: VisibleAxis = {
    size: size.size,
    ...(count.kind === "number" && count.name !== undefined ? { name: count.name } : {}),
  };
  return tensor(
    "number",
    found.hidden,
    [...found.axes, axis],
    build(of, [found], (builder, node) => builder.cast(builder.oneHot(node, size.size), "f32")),
  );
}

function clamp(of: Elaboration, call: Call): Value {
  if (!arity(of, call, 3)) return broken;
  const [x, low, high] = call.given.map(({ value }) => value);
  if (call.given.some(({ value }) => isBroken(value))) return broken;
  const give = (value: Value): Call["given"][number] => ({ argument: call.given[0]!.argument, value });
  const raised = extreme("max")(of, { ...call, given: [give(x!), give(low!)] });
  return extreme("min")(of, { ...call, given: [give(raised), give(high!)] });
}

function contextOf(of: Elaboration, call: Call): Value {
  if (!arity(of, call, 1)) return broken;
  const value = call.given[0]!.value;
  if (isBroken(value)) return broken;
  const found = toTensor(of, value);
  return found === undefined
    ? reportNotNumber(of, call.span, value, "`context`")
    : context(of, call.span, found);
}

function previousOf(of: Elaboration, call: Call): Value {
  if (!arity(of, call, 1, 2)) return broken;
  const [value, by] = [call.given[0]!.value, call.given[1]?.value ?? number(1)];
  if (isBroken(value) || isBroken(by)) return broken;
  const found = toTensor(of, value);
  if (found === undefined) return reportNotNumber(of, call.span, value, "`previous`");
  const n = by.kind === "number" ? valueOf(by) : undefined;
  if (n === undefined && checking(of) && by.kind === "number") return found;
  if (n === undefined || !Number.isInteger(n) || n < 0)
    return report(
      of,
      "M0209",
      call.given[1]?.argument.span ?? call.span,
      "`previous` counts whole positions",
      { label: n === undefined ? `this is ${describe(by)}` : `this is ${n}`, help: "write `previous(x, 1)`" },
    );
  return previous(of, call.span, found, n);
}

const handlers: Readonly<Record<string, Builtin>> = {
  ...Object.fromEntries(
    Object.keys(formulas).map((name): [string, Builtin] => [
      name,
      (of, call) => (arity(of, call, 1) ? formula(of, call) : broken),
    ]),
  ),
  mod: extreme("mod"),
  clamp,
  transpose,
  concat,
  stop,
  straight_through: straightThrough,
  one_hot: oneHot,
  int: integers,
  cross_entropy: crossEntropy,
  context: contextOf,
  previous: previousOf,
  largest,
  gradient,
  uniform: random(draw),
  /** -log(-log u) */
  gumbel: random((of, builder, like) => {
    const u = positive(builder, draw(of, builder, like));
    return builder.neg(builder.map("log", positive(builder, builder.neg(builder.map("log", u)))));
  }),
  /** Box-Muller: sqrt(-2 log u) cos(2 pi v). */
  normal: random((of, builder, like) => {
    const u = positive(builder, draw(of, builder, like));
    const v = draw(of, builder, like);
    const radius = builder.map("sqrt", builder.mul(builder.map("log", u), -2));
    return builder.mul(radius, builder.map("cos", builder.mul(v, 2 * Math.PI)));
  }),
};

export const builtinNames: readonly string[] = Object.keys(handlers);
export const callBuiltin = (of: Elaboration, call: Call): Value | undefined =>
  Object.hasOwn(handlers, call.name) ? handlers[call.name]!(of, call) : undefined;
