// What reads other positions of a text: `context(k)` (all positions so far) and `previous(x, n)` (n positions earlier).
// In training both look at the sequence itself; in decoding they read and extend a cache (cache.ts).

import type { Span } from "../../grammar/syntax.ts";
import { constant, named } from "../../runtime/size.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";
import { isLength } from "./align.ts";
import { cached, earlier } from "./cache.ts";
import { build, checking, report, type Elaboration } from "./elaboration.ts";
import { showShape } from "./number.ts";
import { broken, tensor, type Tensor, type Value } from "./value.ts";

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
  return cached(of, value) ?? broken;
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
  const node = earlier(of, value, axis, -by);
  return node === undefined ? broken : tensor(value.element, value.hidden, value.axes, node);
}
