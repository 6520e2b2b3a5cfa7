// Index arithmetic: `x[t + 1]`, `x[i + a - 1, j + b - 1, c]`. An axis that is indexed by an index and a number is shifted; one that is
// indexed by two indices (a window, as in a convolution) becomes two axes. Outside of the axis there is nothing: 0, for integers -1, for
// truth values false. Everything is made of views: nothing is copied and nothing scatters. In: what is indexed, and what by. Out: the same
// with an axis for each index, and the indices.

import type { Expression, Span } from "../../grammar/syntax.ts";
import { add, constant, known, multiply, type Size } from "../../runtime/size.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";
import { isLength } from "./align.ts";
import { boundAxis } from "./bound-axis.ts";
import { earlier } from "./cache.ts";
import { build, checking, lookInside, report, type Elaboration } from "./elaboration.ts";
import { valueOf } from "./number.ts";
import { lookUp, type Scope } from "./scope.ts";
import { noteMixing } from "./sequence-notes.ts";
import { tensor, type IndexValue, type Tensor, type VisibleAxis } from "./value.ts";

/** `i + a - 1` */
interface Window {
  readonly indices: readonly IndexValue[];
  readonly by: number;
}

/** Names that stand in a sum of names and numbers. */
export function namesInSum(expression: Expression): readonly string[] {
  switch (expression.node) {
    case "name":
      return [expression.text];
    case "group":
      return namesInSum(expression.inner);
    case "binary":
      return expression.operator === "+" || expression.operator === "-"
        ? [...namesInSum(expression.left), ...namesInSum(expression.right)]
        : [];
    default:
      return [];
  }
}

/** What an expression in brackets is, when it is a sum of indices and numbers; undefined when it is anything else. */
function windowOf(of: Elaboration, expression: Expression, scope: Scope): Window | undefined {
  // Looked at before anything is evaluated: what is no window may be a tensor of integers, with mistakes of its own.
  const hasIndex = namesInSum(expression).some((name) => lookUp(scope, name)?.kind === "index");
  return hasIndex ? sumOf(of, expression, scope) : undefined;
}

function sumOf(of: Elaboration, expression: Expression, scope: Scope): Window | undefined {
  if (expression.node === "group") return sumOf(of, expression.inner, scope);
  if (expression.node === "binary" && (expression.operator === "+" || expression.operator === "-")) {
    const [left, right] = [sumOf(of, expression.left, scope), sumOf(of, expression.right, scope)];
    if (left === undefined || right === undefined) return undefined;
    if (expression.operator === "+")
      return { indices: [...left.indices, ...right.indices], by: left.by + right.by };
    return right.indices.length > 0 ? undefined : { indices: left.indices, by: left.by - right.by };
  }
  const meaning = expression.node === "name" ? lookUp(scope, expression.text) : undefined;
  if (meaning?.kind === "index") return { indices: [meaning], by: 0 };
  const value = of.parts.evaluate(of, expression, scope);
  if (value.kind !== "number") return undefined;
  const by = valueOf(value);
  if (by === undefined) return checking(of) ? { indices: [], by: 0 } : undefined;
  return { indices: [], by };
}

/** In `x[i + a]` the index that nothing else bounds runs over the axis: a window slides over all of it. */
function boundWindow(of: Elaboration, { indices }: Window, axis: VisibleAxis, span: Span): boolean {
  const open = indices.filter((index) => index.axis === undefined);
  if (open.some(({ lost }) => lost === true)) return false;
  if (open.length > 1) {
    report(of, "M0307", span, `nothing bounds the index \`${open[1]!.name}\``, {
      label: "its range is not known",
      help: "index another tensor by it, the weights of the window for example",
    });
    return false;
  }
  return open[0] === undefined || boundAxis(of, open[0], axis, span) !== undefined;
}

/** In decoding: `text.next`, which only losses and metrics read: further targets are in nobody's way when text is written. */
function isTarget(of: Elaboration, { node }: Tensor): boolean {
  if (of.decode === undefined) return false;
  lookInside(of);
  return node?.op === "input" && node.name.endsWith(".next");
}

/** Axes that are indexed by sums are shifted, or opened into two: then every entry is an index or what it was. */
export function openWindows(
  of: Elaboration,
  value: Tensor,
  indices: readonly Expression[],
  scope: Scope,
): { readonly value: Tensor; readonly entries: readonly (Expression | IndexValue)[] } | undefined {
  let current = value;
  const entries: (Expression | IndexValue)[] = [];
  for (const expression of indices) {
    const window = expression.node === "name" ? undefined : windowOf(of, expression, scope);
    const at = entries.length;
    const axis = current.axes[at];
    if (window === undefined || axis === undefined) {
      entries.push(expression);
      continue;
    }
    const [first, second, third] = window.indices;
    if (first === undefined || third !== undefined || first === second) {
      report(of, "M0306", expression.span, "a window is made of one or two indices and a number", {
        label: first === second ? `\`${first?.name ?? ""}\` twice` : `${window.indices.length} indices`,
        help: "write `x[i + a - 1]`",
      });
      return undefined;
    }
    if (!Number.isSafeInteger(window.by)) {
      report(of, "M0306", expression.span, "an axis is shifted by a whole number", {
        label: `by ${window.by}`,
        help: "write `x[i + 1]`, or look up by a tensor of integers",
      });
      return undefined;
    }
    if (!boundWindow(of, window, axis, expression.span)) return undefined;
    const sizes = window.indices.map((index) => ({ size: index.axis!.size }));
    const axes = [...current.axes.slice(0, at), ...sizes, ...current.axes.slice(at + 1)];
    const place = current.hidden.length + at;
    const past = isTarget(of, value) ? undefined : pastWindow(of, axis, window);
    const node =
      past === undefined
        ? build(of, [current], (builder, from) =>
            second === undefined
              ? shifted(builder, from, place, window.by, sizes[0]!.size)
              : windowed(builder, from, place, window.by, sizes[0]!.size, sizes[1]!.size),
          )
        : fromPast(of, current, place, window.by, past);
    if (past !== undefined && node === undefined) return undefined;
    current = tensor(current.element, current.hidden, axes, node);
    entries.push(...window.indices);
  }
  return { value: current, entries };
}

/** In decoding: a window whose index of positions reads no later ones, with what it is wide and whether that index stands second. */
interface Past {
  readonly width?: Size;
  readonly second: boolean;
}

/** A window into the past is read from a cache; any other, along positions of a text, needs the whole of it. */
function pastWindow(of: Elaboration, axis: VisibleAxis, { indices, by }: Window): Past | undefined {
  if (of.decode === undefined || !isLength(of, axis.size)) return undefined;
  const at = indices.findIndex((index) => isLength(of, index.axis!.size));
  const other = indices.find((_, i) => i !== at);
  const width = other === undefined ? 1 : known(other.axis!.size);
  if (at < 0 || width === undefined) {
    noteMixing(of, axis.size, "reads positions of the text by an index that counts others");
    return undefined;
  }
  if (by + width - 1 > 0) {
    noteMixing(
      of,
      axis.size,
      "reads later positions of the text by an index",
      "read none that is later: `x[t - 1]`, or `x[t + a - 2]` for `a` below 3",
    );
    return undefined;
  }
  return { second: at === 1, ...(other === undefined ? {} : { width: other.axis!.size }) };
}

function fromPast(of: Elaboration, value: Tensor, axis: number, by: number, past: Past): Node | undefined {
  // As in `filled`: where there is nothing an integer is -1, and a cache has 0 there.
  const plus = (node: Node | undefined, one: number): Node | undefined =>
    node?.dtype === "i32" ? of.builder!.add(node, of.builder!.constant(one, "i32")) : node;
  const raised = plus(value.node, 1);
  const read = earlier(
    of,
    { ...value, ...(raised === undefined ? {} : { node: raised }) },
    axis,
    by,
    past.width,
  );
  const node = plus(read, -1);
  if (node === undefined || !past.second) return node;
  const order = node.shape.map((_, i) => i);
  [order[axis], order[axis + 1]] = [axis + 1, axis];
  return of.builder!.permute(node, order);
}

/** Along one axis of `from`: y[i] = x[i + by] for i below `size`. */
function shifted(builder: GraphBuilder, from: Node, axis: number, by: number, size: Size): Node {
  return filled(builder, from, (node) => shiftedLine(builder, node, axis, by, size));
}

/** Two axes in the place of one: y[i, a] = x[i + a + by] for i below `size` and a below `width`. */
function windowed(
  builder: GraphBuilder,
  from: Node,
  axis: number,
  by: number,
  size: Size,
  width: Size,
): Node {
  return filled(builder, from, (node) => {
    const rank = node.shape.length;
    // Row a of a row-major [a, i] with rows one longer than the copies they are cut from begins a places further right.
    const length = add(size, width);
    const line = shiftedLine(builder, node, axis, by, length);
    const others = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis);
    const last = builder.permute(line, [...others, axis]);
    const outer = last.shape.slice(0, -1);
    const copies = builder.broadcastTo(last, [...outer, width, length], [...outer.map((_, i) => i), rank]);
    const flat = builder.reshape(copies, [...outer, multiply(width, length)]);
    const rows = builder.reshape(builder.pad(flat, rank - 1, constant(0), width), [
      ...outer,
      width,
      add(length, constant(1)),
    ]);
    const cut = builder.slice(rows, rank, constant(0), size);
    // [others.., a, i], with i and a brought to where the axis was.
    const order = others.map((_, i) => i);
    order.splice(axis, 0, rank, rank - 1);
    return builder.permute(cut, order);
  });
}

function shiftedLine(builder: GraphBuilder, node: Node, axis: number, by: number, length: Size): Node {
  const start = constant(Math.max(0, by));
  const wide = builder.pad(node, axis, constant(Math.max(0, -by)), add(length, start));
  return builder.slice(wide, axis, start, length);
}

/** Padding brings zeros: ids are one higher meanwhile, so that nothing is -1. */
function filled(builder: GraphBuilder, from: Node, view: (node: Node) => Node): Node {
  if (from.dtype !== "i32") return view(from);
  const one = builder.constant(1, "i32");
  return builder.sub(view(builder.add(from, one)), one);
}
