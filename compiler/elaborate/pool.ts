// Pools as values: `SwiGLU(D, H) * 64 + zero * 8`. In: experts, counts, null experts. Out: pools, their counts, and sums of what
// their parts return. How a pool is run is in run-pool.ts.

import type { Span } from "../../grammar/syntax.ts";
import { constant, known, type Size } from "../../runtime/size.ts";
import { expandTo, toTensor, unionAxes, unionHidden } from "./align.ts";
import { reportMisfit } from "./arithmetic.ts";
import { build, checking, type Elaboration, frameOf, report } from "./elaboration.ts";
import { countInputs, requiredInputs } from "./inputs.ts";
import { asInstance } from "./instance.ts";
import { addNumbers, asSize, ofSize, sameSizes, showShape, showSize } from "./number.ts";
import {
  broken,
  describe,
  type Instance,
  isBroken,
  type NumberValue,
  type Pool,
  tensor,
  type Tensor,
  type Value,
} from "./value.ts";

/** Experts and nulls of a pool. */
export function countsOf(pool: Pool): {
  readonly experts: NumberValue;
  readonly nulls: NumberValue;
  readonly all: NumberValue;
} {
  const sum = (list: readonly { readonly count: NumberValue }[]): NumberValue =>
    list.reduce((total, { count }) => addNumbers(total, count), ofSize(constant(0)));
  const [experts, nulls] = [sum(pool.segments), sum(pool.nulls)];
  return { experts, nulls, all: addNumbers(experts, nulls) };
}

/** What `*` and `+` make of experts, pools and null experts; undefined when neither side is one. */
export function poolArithmetic(
  of: Elaboration,
  span: Span,
  operator: string,
  a: Value,
  b: Value,
): Value | undefined {
  const part = (value: Value): boolean => ["definition", "instance", "pool", "null"].includes(value.kind);
  if (!part(a) && !part(b)) return undefined;
  // What is neither is no pool: the operator says so.
  const numeric = (value: Value): boolean =>
    ["tensor", "modality", "index", "truth", "gates", "text"].includes(value.kind);
  if (numeric(a) || numeric(b)) return undefined;
  if (operator === "*") {
    const [what, times] = part(a) ? [a, b] : [b, a];
    if (isBroken(times)) return broken;
    if (times.kind !== "number" || what.kind === "pool")
      return report(of, "M0208", span, "a pool counts its experts with a number", {
        label: `${describe(a)} * ${describe(b)}`,
        help: "write `SwiGLU(D, H) * 64`",
      });
    const count = asSize(times, checking(of));
    if (
      count.kind === "negative" ||
      count.kind === "not whole" ||
      (count.kind === "size" && known(count.size) === 0)
    )
      return report(of, "M0504", span, "the number of experts must be a whole number of at least 1", {
        label: count.kind === "size" ? "this is 0" : `this is ${count.text}`,
        help: "write a number, or a static that is one",
      });
    if (count.kind === "size" && known(count.size) === undefined && !checking(of))
      return report(of, "M0504", span, "the number of experts must be known when the model is compiled", {
        label: showSize(count.size),
        help: "write a number, or a static that is one",
      });
    return poolOf(of, what, times, span);
  }
  if (operator !== "+") return undefined;
  const left = poolOf(of, a, ofSize(constant(1)), span);
  const right = poolOf(of, b, ofSize(constant(1)), span);
  if (left.kind !== "pool" || right.kind !== "pool") return broken;
  return {
    kind: "pool",
    segments: [...left.segments, ...right.segments],
    nulls: [...left.nulls, ...right.nulls],
  };
}

/** A value as a pool: an expert alone is a pool of one. */
export function poolOf(
  of: Elaboration,
  value: Value,
  count: NumberValue,
  span: Span,
): Pool | { readonly kind: "broken" } {
  if (value.kind === "pool") return value;
  if (value.kind === "null")
    return { kind: "pool", segments: [], nulls: [{ kind: value.which, count, span }] };
  if (isBroken(value)) return broken;
  if (value.kind !== "definition" && value.kind !== "instance")
    return report(of, "M0208", span, `a pool is made of experts, not of ${describe(value)}`, {
      label: `this is ${describe(value)}`,
      help: "write `SwiGLU(D, H) * 64`",
    });
  const { kind, name } = value.definition;
  if (kind !== "expert" && kind !== "layer" && kind !== "moe" && kind !== "chain")
    return report(of, "M0208", span, `a pool is made of experts, not of ${describe(value)}`, {
      label: `\`${name.text}\` is ${describe(value)}`,
      help: "put an expert here",
    });
  return { kind: "pool", segments: [{ instance: asInstance(value, span), count, span }], nulls: [] };
}

export const asSizeOf = (count: NumberValue): Size => count.poly ?? constant(1);

/** Times a weight that is given in the text. */
export function scaleBy(of: Elaboration, value: Tensor, weight: Value | undefined): Tensor {
  if (weight === undefined) return value;
  const factor = toTensor(of, weight);
  if (factor === undefined) return value;
  const hidden = unionHidden([value, factor]);
  const [a, b] = [expandTo(of, value, hidden, value.axes), expandTo(of, { ...factor, axes: [] }, hidden, [])];
  const node = build(of, [a, b], (builder, x, w) =>
    builder.mul(
      x,
      builder.broadcastTo(
        w,
        x.shape,
        hidden.map((_, i) => i),
      ),
    ),
  );
  return tensor("number", hidden, value.axes, node);
}

/** Sums results that must fit each other. */
export function addAll(
  of: Elaboration,
  span: Span,
  parts: readonly Tensor[],
  what: string,
): Tensor | undefined {
  const [first, ...rest] = parts;
  if (first === undefined) return undefined;
  let sum = first;
  for (const part of rest) {
    const axes = unionAxes([sum, part]);
    if ("left" in axes || sum.axes.length !== part.axes.length) {
      reportMisfit(
        of,
        span,
        "left" in axes
          ? axes
          : { left: sum.axes[0] ?? { size: constant(1) }, right: part.axes[0] ?? { size: constant(1) } },
        [sum, part],
        what,
      );
      return undefined;
    }
    const hidden = unionHidden([sum, part]);
    const [a, b] = [expandTo(of, sum, hidden, axes), expandTo(of, part, hidden, axes)];
    sum = tensor(
      "number",
      hidden,
      axes,
      build(of, [a, b], (builder, x, y) => builder.add(x, y)),
    );
  }
  return sum;
}

/** Experts of one pool must agree on what they take and return. */
export function sameSignature(of: Elaboration, pool: Pool, results: readonly Tensor[]): boolean {
  const [first] = results;
  for (const [i, result] of results.entries()) {
    const fits =
      result.axes.length === first!.axes.length &&
      result.axes.every((axis, j) => sameSizes(axis.size, first!.axes[j]!.size));
    if (fits) continue;
    const [a, b] = [pool.segments[0]!, pool.segments[i]!];
    report(of, "M0510", b.span, "experts of one pool return different sizes", {
      label: `\`${b.instance.definition.name.text}\` returns ${showShape(result.axes)}`,
      related: [
        {
          module: frameOf(of).module.path,
          span: a.span,
          label: `\`${a.instance.definition.name.text}\` returns ${showShape(first!.axes)}`,
        },
      ],
      help: "end both with the same size",
    });
    return false;
  }
  return true;
}

/** Inputs that an expert takes, of those that are there. */
export function inputsOf(
  of: Elaboration,
  span: Span,
  instance: Instance,
  inputs: readonly Value[],
): readonly Value[] | undefined {
  const { definition } = instance;
  if (requiredInputs(definition) <= inputs.length) return inputs.slice(0, definition.inputs.length);
  report(
    of,
    "M0204",
    span,
    `\`${definition.name.text}\` takes ${countInputs(definition)}, and ${inputs.length === 1 ? "one is" : `${inputs.length} are`} there`,
    {
      label: "one input too few",
      help: "give the further inputs to the pool: `pool(x, other)`",
    },
  );
  return undefined;
}
