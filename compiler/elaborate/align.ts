// Alignment: several tensors brought to one shape, so that an element-wise operation or a contraction can read them side by
// side. Hidden axes line up by identity (a tensor without one is the same along it), visible axes from the right by size.
// In: tensors. Out: tensors of one shape, or where they do not fit. Makes broadcast views only.

import type { Node, Axis as GraphAxis } from "../graph.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { dense, raggedBy } from "../graph-axis.ts";
import { known, type Size } from "../../runtime/size.ts";
import { build, type Elaboration } from "./elaboration.ts";
import { sameSizes } from "./number.ts";
import {
  tensor,
  type Element,
  type Hidden,
  type IndexValue,
  type NumberValue,
  type Tensor,
  type Value,
  type VisibleAxis,
} from "./value.ts";

export function hiddenShape(hidden: readonly Hidden[]): readonly GraphAxis[] {
  return hidden.map((axis) => {
    if (axis.kind !== "rows") return dense(axis.size);
    if (axis.route === undefined) throw new Error("internal: rows without a routing");
    return raggedBy(axis.route);
  });
}
export const shapeOf = (hidden: readonly Hidden[], axes: readonly VisibleAxis[]): readonly GraphAxis[] => [
  ...hiddenShape(hidden),
  ...axes.map(({ size }) => dense(size)),
];

/** All hidden axes of some tensors, outer first. Rows stand for their groups where both occur. */
export function unionHidden(tensors: readonly { readonly hidden: readonly Hidden[] }[]): readonly Hidden[] {
  // Nearly always all that have any have the same.
  let widest: readonly Hidden[] = [];
  for (const { hidden } of tensors) if (hidden.length > widest.length) widest = hidden;
  if (
    widest.every((axis, i) => i === 0 || widest[i - 1]!.order <= axis.order) &&
    tensors.every(
      ({ hidden }) =>
        hidden === widest || hidden.length === 0 || hidden.every((axis, i) => axis === widest[i]),
    )
  )
    return widest;
  const all = new Set(tensors.flatMap(({ hidden }) => hidden));
  return [...all]
    .filter((axis) => axis.kind !== "group" || !all.has(axis.rows!))
    .sort((a, b) => a.order - b.order);
}

/** Where two visible axes do not fit, counted from the right. */
export interface Misfit {
  readonly left: VisibleAxis;
  readonly right: VisibleAxis;
}

const mergeAxis = (a: VisibleAxis, b: VisibleAxis): VisibleAxis => {
  const called = a.name === undefined ? b : a;
  const valid = a.valid ?? b.valid;
  const pieces = a.pieces ?? b.pieces;
  return {
    size: a.size,
    ...(called.name === undefined ? {} : { name: called.name }),
    ...(called.of === undefined ? {} : { of: called.of }),
    ...(valid === undefined ? {} : { valid }),
    ...(pieces === undefined ? {} : { pieces }),
  };
};

/** Visible axes of the result of an element-wise operation. */
export function unionAxes(
  tensors: readonly { readonly axes: readonly VisibleAxis[] }[],
): readonly VisibleAxis[] | Misfit {
  let merged: readonly VisibleAxis[] = [];
  for (const { axes } of tensors) {
    const [long, short] = axes.length > merged.length ? [axes, merged] : [merged, axes];
    const offset = long.length - short.length;
    const next: VisibleAxis[] = [];
    for (const [i, axis] of long.entries()) {
      const other = short[i - offset];
      if (other === undefined) next.push(axis);
      else if (sameSizes(axis.size, other.size)) next.push(mergeAxis(axis, other));
      else return long === axes ? { left: other, right: axis } : { left: axis, right: other };
    }
    merged = next;
  }
  return merged;
}

/** Each row's own entry of a tensor that has one for each group, which stand along axis `at`. */
export function takeGroups(builder: GraphBuilder, node: Node, at: number, group: Hidden): Node {
  const route = group.rows?.route;
  if (route === undefined) throw new Error("internal: groups without a routing");
  const rank = node.shape.length;
  const front = [at, ...Array.from({ length: rank }, (_, i) => i).filter((i) => i !== at)];
  const taken = builder.take(builder.permute(node, front), builder.part(route, "group"));
  const back = front.map((_, i) => front.indexOf(i));
  return builder.permute(taken, back);
}

/** A tensor seen in a larger shape: missing hidden axes and leading visible axes repeat it. */
export function expandTo(
  of: Elaboration,
  value: Tensor,
  hidden: readonly Hidden[],
  axes: readonly VisibleAxis[],
): Tensor {
  if (
    value.hidden.length === hidden.length &&
    value.axes.length === axes.length &&
    value.hidden.every((each, i) => each === hidden[i])
  )
    return value;
  const node = build(of, [value], (builder, from) => {
    let at = from;
    const positions: number[] = [];
    for (const [i, axis] of value.hidden.entries()) {
      let position = hidden.indexOf(axis);
      if (position < 0 && axis.kind === "group") {
        position = hidden.indexOf(axis.rows!);
        at = takeGroups(builder, at, i, axis);
      }
      if (position < 0) throw new Error(`internal: a tensor loses its axis ${axis.name}`);
      positions.push(position);
    }
    const offset = hidden.length + axes.length - value.axes.length;
    value.axes.forEach((_, i) => positions.push(offset + i));
    return builder.broadcastTo(at, shapeOf(hidden, axes), positions);
  });
  return tensor(value.element, hidden, axes, node);
}

/** Brings tensors to one shape. */
export function align(of: Elaboration, tensors: readonly Tensor[]): readonly Tensor[] | Misfit {
  const axes = unionAxes(tensors);
  if ("left" in axes) return axes;
  const hidden = unionHidden(tensors);
  return tensors.map((each) => expandTo(of, each, hidden, axes));
}

/** The value of a static number as a node of f32. */
export function numberNode(builder: GraphBuilder, poly: Size): Node {
  const value = known(poly);
  if (value !== undefined) return builder.constant(value);
  const plain = (size: Size): boolean =>
    size.every(
      ({ coefficient, factors }) =>
        Number.isInteger(coefficient) &&
        factors.every(
          (factor) =>
            typeof factor === "string" ||
            factor.fn === "min" ||
            factor.fn === "max" ||
            known(factor.by) !== undefined ||
            factor.fn === "ceil",
        ),
    );
  if (plain(poly)) return builder.cast(builder.size(poly), "f32");
  let sum: Node | undefined;
  for (const { coefficient, factors } of poly) {
    let term: Node = builder.constant(coefficient);
    for (const factor of factors)
      term =
        typeof factor === "string" || factor.fn !== "floor"
          ? builder.mul(term, builder.cast(builder.size([{ coefficient: 1, factors: [factor] }]), "f32"))
          : builder.mul(term, builder.div(numberNode(builder, factor.of), numberNode(builder, factor.by)));
    sum = sum === undefined ? term : builder.add(sum, term);
  }
  return sum!;
}

/** A static number as a scalar: an integer where one is wanted and it is one. */
export function scalarOf(of: Elaboration, value: NumberValue, want: Element = "number"): Tensor {
  const size = value.poly;
  const constant = size === undefined ? undefined : known(size);
  const same = constant === undefined ? {} : { constant };
  // A size is an integer, also while it has no number.
  const whole =
    size !== undefined &&
    (known(size) === undefined
      ? size.every(
          ({ coefficient, factors }) =>
            Number.isInteger(coefficient) && factors.every((factor) => typeof factor === "string"),
        )
      : Number.isInteger(known(size)));
  if (want === "int" && whole)
    return {
      ...tensor(
        "int",
        [],
        [],
        constant === undefined ? of.builder?.size(size) : of.builder?.constant(constant, "i32"),
      ),
      ...same,
    };
  const node = of.builder === undefined || size === undefined ? undefined : numberNode(of.builder, size);
  if (of.builder !== undefined && node === undefined)
    throw new Error("internal: a number without a value while a graph is being built");
  return { ...tensor("number", [], [], node), ...same };
}

/** Axes of these sizes are positions of a text. */
export const isLength = (of: Elaboration, size: Size): boolean =>
  size.length === 1 &&
  size[0]!.coefficient === 1 &&
  size[0]!.factors.length === 1 &&
  typeof size[0]!.factors[0] === "string" &&
  of.lengths.has(size[0]!.factors[0]);

/** Positions along an axis: in decoding, those of a text start where the caches end. */
export function positions(of: Elaboration, axis: Hidden): Tensor {
  const node =
    of.builder === undefined
      ? undefined
      : of.decode !== undefined && isLength(of, axis.size)
        ? of.builder.map("add", of.builder.index(axis.size), of.builder.input("$position", "i32"))
        : of.builder.index(axis.size);
  return tensor("int", [axis], [], node);
}

/** What a value is as a tensor; undefined when it cannot be one. An index must be bounded by now. */
export function toTensor(of: Elaboration, value: Value, want?: Element): Tensor | undefined {
  switch (value.kind) {
    case "tensor":
      return value;
    case "modality":
      return value.tensor;
    case "number":
      return scalarOf(of, value, want);
    case "truth":
      return {
        ...tensor("bool", [], [], of.builder?.constant(value.value ?? false)),
        ...(value.value === undefined ? {} : { constant: Number(value.value) }),
      };
    case "index":
      return value.axis === undefined
        ? undefined
        : positions(of, (value as IndexValue & { axis: Hidden }).axis);
    default:
      return undefined;
  }
}

/** Another element type for the same numbers. */
export function castTo(of: Elaboration, value: Tensor, element: Element): Tensor {
  if (value.element === element) return value;
  if (element === "bool") throw new Error("internal: nothing is cast to a truth value");
  const node = build(of, [value], (builder, from) => builder.cast(from, element === "int" ? "i32" : "f32"));
  const result = tensor(element, value.hidden, value.axes, node);
  return element === "number" && value.constant !== undefined
    ? { ...result, constant: value.constant }
    : result;
}
