// What reads other positions of a text: `context(k)` (all positions so far) and `previous(x, n)` (n positions earlier).
// In training both look at the sequence itself; in decoding they read and extend a cache, so that one token costs one
// token's work. Caches are states `cache.<path>`, written back by the entry.

import type { Span } from "../../grammar/syntax.ts";
import { constant, named } from "../../runtime/size.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";
import { isLength, shapeOf } from "./align.ts";
import { build, checking, frameOf, join, report, type Elaboration } from "./elaboration.ts";
import { showShape } from "./number.ts";
import { tensor, type Tensor, type Value, type VisibleAxis } from "./value.ts";

/** The cache with the new positions written into it: [hidden.., context, rest..]. */
function cached(of: Elaboration, value: Tensor): Tensor | undefined {
  const { builder, decode } = of;
  if (builder === undefined || decode === undefined) throw new Error("internal: no decoding");
  const frame = frameOf(of);
  // A layer that is bound and applied twice has one set of parameters, and a cache for each application.
  let index = 0;
  const pathAt = (i: number): string => `cache.${join(frame.path, String(i))}`;
  while (of.collected.tensors.has(pathAt(index))) index++;
  const path = pathAt(index);
  const axes: readonly VisibleAxis[] = [
    { size: constant(decode.context), name: "context" },
    ...value.axes.slice(1),
  ];
  const sizes = [...value.hidden, ...axes].map(({ size }) =>
    size.length === 1 && size[0]!.factors.length === 0
      ? size[0]!.coefficient
      : size.length === 0
        ? 0
        : undefined,
  );
  if (value.hidden.some(({ kind }) => kind !== "lead") || sizes.includes(undefined)) {
    of.collected.undecodable.add(`${frame.path}: the size of what \`context\` keeps is not known`);
    return undefined;
  }
  const dtype = value.element === "number" ? "f32" : "i32";
  of.collected.tensors.set(path, {
    name: path,
    role: "state",
    type: dtype,
    shape: sizes as number[],
    init: { kind: "constant", value: 0 },
  });
  const shape = shapeOf(value.hidden, axes);
  const old = builder.tensor(path, shape, dtype);
  const h = value.hidden.length;
  const node = build(of, [value], (b, fresh) => {
    const position = b.input("$position", "i32");
    const place = b.sub(b.index(constant(decode.context)), position);
    const ids = b.broadcastTo(place, shape.slice(0, h + 1), [h]);
    const arrived = b.take(fresh, ids, h);
    const length = b.size(value.axes[0]!.size);
    const inside = b.map("and", b.map("le", b.constant(0, "i32"), place), b.map("lt", place, length));
    return b.select(b.broadcastTo(inside, shape, [h]), arrived, old);
  });
  const updated = tensor(value.element, value.hidden, axes, node);
  of.collected.updates.set(path, updated);
  return updated;
}

/** Every position of `value` that has been seen, along its first visible axis. */
export function context(of: Elaboration, span: Span, value: Tensor): Value {
  const [first] = value.axes;
  if (first === undefined)
    return report(of, "M0302", span, "`context` takes a sequence", {
      label: `this is ${showShape(value.axes)}`,
      help: "give it a tensor whose first axis is the sequence, such as `[T, D]`",
    });
  // While checking, what has been seen is another axis than the positions that are asked about: decoding tells them apart.
  if (checking(of))
    return tensor(
      value.element,
      value.hidden,
      [{ size: named("context"), name: "context" }, ...value.axes.slice(1)],
      undefined,
    );
  if (of.decode === undefined || !isLength(of, first.size))
    return tensor(
      value.element,
      value.hidden,
      [{ ...first, name: "context" }, ...value.axes.slice(1)],
      value.node,
    );
  return cached(of, value) ?? { kind: "broken" };
}

/** Shifts along an axis of the node: zeros come in from the start. */
function shifted(builder: GraphBuilder, node: Node, axis: number, by: number): Node {
  const size = node.shape[axis]!.size;
  return builder.slice(builder.pad(node, axis, constant(by), constant(0)), axis, constant(0), size);
}

/** The value `by` positions earlier; zeros before the start. */
export function previous(of: Elaboration, span: Span, value: Tensor, by: number): Value {
  const visible = value.axes.findIndex(({ size }) => isLength(of, size));
  const hidden = value.hidden.findLastIndex(
    ({ kind, size }) => kind === "lead" && (isLength(of, size) || visible < 0),
  );
  const lead = value.hidden.findLastIndex(({ kind, size }) => kind === "lead" && isLength(of, size));
  const axis =
    visible >= 0
      ? value.hidden.length + visible
      : lead >= 0
        ? lead
        : value.axes.length >= 2
          ? value.hidden.length
          : hidden;
  if (checking(of)) return value;
  if (axis < 0)
    return report(of, "M0302", span, "`previous` takes a sequence", {
      label: `this is ${showShape(value.axes)}`,
      help: "give it a tensor with an axis of positions",
    });
  if (value.hidden[axis]?.kind === "rows")
    return report(of, "M0302", span, "`previous` cannot look past the rows of a routing", {
      label: "inside a routed expert",
      help: "shift before routing",
    });
  if (by === 0) return value;
  if (of.decode === undefined) {
    const node = build(of, [value], (builder, from) => shifted(builder, from, axis, by));
    return tensor(value.element, value.hidden, value.axes, node);
  }
  // The sequence in front, kept in a cache, and read `by` places before each new position.
  const sequence = axis < value.hidden.length ? value.hidden[axis]! : value.axes[axis - value.hidden.length]!;
  const rank = value.hidden.length + value.axes.length;
  const others = value.hidden.filter((each) => each !== sequence);
  const rest = value.axes.filter((each) => each !== sequence);
  const all = [...value.hidden, ...value.axes];
  const order = [...others, sequence, ...rest].map((each) => all.indexOf(each));
  const moved = build(of, [value], (builder, from) => builder.permute(from, order));
  const front = tensor(value.element, others, [{ size: sequence.size }, ...rest], moved);
  const memory = cached(of, front);
  if (memory === undefined) return { kind: "broken" };
  const node = build(of, [memory], (builder, from) => {
    const h = others.length;
    const places = builder.add(
      builder.index(sequence.size),
      builder.sub(builder.input("$position", "i32"), builder.constant(by, "i32")),
    );
    const shape = [...shapeOf(others, []), ...shapeOf([], [{ size: sequence.size }])];
    const taken = builder.take(from, builder.broadcastTo(places, shape, [h]), h);
    const back = Array.from({ length: rank }, (_, i) => order.indexOf(i));
    return builder.permute(taken, back);
  });
  return tensor(value.element, value.hidden, value.axes, node);
}
