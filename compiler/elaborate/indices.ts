// Index notation: `q[t, h, c]` names the axes of a tensor by making them hidden axes that line up by name; `table[ids]` looks
// up; `x[t, 0]` takes a place. `score[h, t, s] = ...` turns the named axes into visible ones again, in the order written.

import type { Expression, IndexBinder, Name, Span } from "../../grammar/syntax.ts";
import { constant, known, one } from "../../runtime/size.ts";
import type { Node } from "../graph.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { expandTo, toTensor, unionHidden } from "./align.ts";
import { build, checking, report, type Elaboration } from "./elaboration.ts";
import { asSize, showShape, showSize, valueOf } from "./number.ts";
import { lookUp, openScope, type Scope } from "./scope.ts";
import { noteMixing } from "./sequence-notes.ts";
import { boundAxis } from "./bound-axis.ts";
import { namesInSum, openWindows } from "./windows.ts";
import {
  asTensor,
  broken,
  describe,
  isBroken,
  tensor,
  type Hidden,
  type IndexValue,
  type Tensor,
  type Value,
  type VisibleAxis,
} from "./value.ts";

const newIndex = (of: Elaboration, name: string): IndexValue => ({
  kind: "index",
  name,
  order: of.nextOrder++,
  axis: undefined,
});

type Indexing = Extract<Expression, { node: "index" }>;
/** Bodies are elaborated many times, and their text stays the same. */
const indexings = new WeakMap<object, readonly Indexing[]>();

/** Every `of[indices]` in an expression or a list of them, outer ones first. */
function indexingsIn(expression: object): readonly Indexing[] {
  const before = indexings.get(expression);
  if (before !== undefined) return before;
  const found: Indexing[] = [];
  const collect = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if (Array.isArray(value)) return value.forEach(collect);
    if ((value as Partial<Indexing>).node === "index") found.push(value as Indexing);
    Object.values(value).forEach(collect);
  };
  collect(expression);
  indexings.set(expression, found);
  return found;
}

/** Gives indices their ranges from the tensors that they index, before anything is evaluated: an index may be used as a
 * number to the left of the tensor that bounds it. */
export function boundIndices(of: Elaboration, expression: object, scope: Scope): void {
  for (const { of: indexed, indices } of indexingsIn(expression)) {
    if (indexed.node !== "name") continue;
    const value = lookUp(scope, indexed.text);
    const bounding = value === undefined ? undefined : asTensor(value);
    if (value !== undefined && isBroken(value))
      for (const index of indices) {
        const meaning = index.node === "name" ? lookUp(scope, index.text) : undefined;
        if (meaning?.kind === "index") meaning.lost = true;
      }
    if (bounding === undefined) continue;
    indices.forEach((index, i) => {
      const axis = bounding.axes[i];
      if (index.node !== "name" || axis === undefined) return;
      const meaning = lookUp(scope, index.text);
      if (meaning?.kind === "index" && meaning.axis === undefined) boundAxis(of, meaning, axis, index.span);
    });
  }
}

/** A scope in which the names after `over` that stand in brackets are indices. */
export function overScope(of: Elaboration, over: readonly Name[], inner: object, scope: Scope): Scope {
  if (over.length === 0) return scope;
  const used = new Set<string>();
  for (const { indices } of indexingsIn(inner))
    for (const index of indices) for (const name of namesInSum(index)) used.add(name);
  const fresh = over.filter(({ text }) => used.has(text) && lookUp(scope, text)?.kind !== "index");
  if (fresh.length === 0) return scope;
  const inside = openScope(scope);
  for (const { text } of fresh) inside.names.set(text, newIndex(of, text));
  boundIndices(of, inner, inside);
  return inside;
}

/** Visible axes by position become hidden index axes. */
function label(of: Elaboration, value: Tensor, labels: ReadonlyMap<number, Hidden>): Tensor {
  if (labels.size === 0) return value;
  const added = [...labels.values()];
  const hidden = unionHidden([value, { hidden: added }]);
  const rest = value.axes.map((_, i) => i).filter((i) => !labels.has(i));
  const node = build(of, [value], (builder, from) => {
    const place = new Map<Hidden, number>(value.hidden.map((axis, i) => [axis, i]));
    labels.forEach((axis, i) => place.set(axis, value.hidden.length + i));
    return builder.permute(from, [
      ...hidden.map((axis) => place.get(axis)!),
      ...rest.map((i) => value.hidden.length + i),
    ]);
  });
  return tensor(
    value.element,
    hidden,
    rest.map((i) => value.axes[i]!),
    node,
  );
}

/** table[.., V, ..] at ids: the axis is replaced by the visible axes of the ids. */
export function lookUpAt(of: Elaboration, table: Tensor, axis: number, ids: Tensor): Tensor {
  noteMixing(of, table.axes[axis]!.size, "looks up other positions of the text by integers");
  const hidden = unionHidden([table, ids]);
  // Rows look up in their own expert's table: the groups stay where they are, in front, and are flattened with the axis.
  const grouped = table.hidden.findIndex((each) => each.kind === "group" && !hidden.includes(each));
  if (grouped >= 0)
    return lookUpAt(
      of,
      expandTo(of, table, unionHidden([table, { hidden: [table.hidden[grouped]!.rows!] }]), table.axes),
      axis,
      ids,
    );
  const before = table.axes.slice(0, axis);
  const after = table.axes.slice(axis + 1);
  const axes = [...before, ...ids.axes, ...after];
  const node = build(of, [table, ids], (builder, from, at) => {
    const shared = table.hidden;
    const others = hidden.filter((each) => !shared.includes(each));
    const wide = expandTo(of, { ...ids, node: at }, hidden, ids.axes).node!;
    const order = [...shared, ...others];
    const rank = hidden.length;
    const moved = builder.permute(wide, [
      ...order.map((each) => hidden.indexOf(each)),
      ...ids.axes.map((_, i) => rank + i),
    ]);
    const s = shared.length;
    const front = [
      ...shared.map((_, i) => i),
      s + axis,
      ...table.axes.flatMap((_, i) => (i === axis ? [] : [s + i])),
    ];
    const taken = builder.take(builder.permute(from, front), moved, s);
    const visible = rank + ids.axes.length;
    return builder.permute(taken, [
      ...hidden.map((each) => order.indexOf(each)),
      ...before.map((_, i) => visible + i),
      ...ids.axes.map((_, i) => rank + i),
      ...after.map((_, i) => visible + before.length + i),
    ]);
  });
  return tensor(table.element, hidden, axes, node);
}

function placeNode(builder: GraphBuilder, from: Node, axis: number, at: number): Node {
  const sliced = builder.slice(from, axis, constant(at), one);
  return builder.reshape(
    sliced,
    sliced.shape.filter((_, i) => i !== axis),
  );
}

/** `value[indices]` */
export function indexInto(
  of: Elaboration,
  span: Span,
  value: Value,
  indices: readonly Expression[],
  scope: Scope,
): Value {
  if (isBroken(value)) return broken;
  const base = asTensor(value);
  if (base === undefined)
    return report(of, "M0202", span, `only tensors can be indexed, not ${describe(value)}`, {
      label: `this is ${describe(value)}`,
      help: "index a tensor",
    });
  if (indices.length > base.axes.length)
    return report(
      of,
      "M0302",
      span,
      `${indices.length} indices for ${base.axes.length === 1 ? "one axis" : `${base.axes.length} axes`}`,
      {
        label: `the tensor is ${showShape(base.axes)}`,
        help: "give one index for each axis, from the left",
      },
    );
  const opened = openWindows(of, base, indices, scope);
  if (opened === undefined) return broken;
  return indexBy(of, span, opened.value, opened.entries, scope);
}

/** `value[indices]`, one entry for each of the first axes. */
function indexBy(
  of: Elaboration,
  span: Span,
  base: Tensor,
  entries: readonly (Expression | IndexValue)[],
  scope: Scope,
): Value {
  const labels = new Map<number, Hidden>();
  const places = new Map<number, number>();
  const lookups = new Map<number, Tensor>();
  for (const [i, entry] of entries.entries()) {
    const axis = base.axes[i]!;
    const index = "kind" in entry ? ({ node: "name", text: entry.name, span } as const) : entry;
    const meaning = "kind" in entry ? entry : index.node === "name" ? lookUp(scope, index.text) : undefined;
    if (meaning?.kind === "index") {
      const hidden = boundAxis(of, meaning, axis, index.span);
      if (hidden === undefined) return broken;
      if ([...labels.values()].includes(hidden) || base.hidden.includes(hidden))
        return report(of, "M0306", index.span, `the index \`${meaning.name}\` stands twice in one tensor`, {
          label: "again here",
          help: "use two indices and compare them: `if i == j then ... else 0`",
        });
      labels.set(i, hidden);
      continue;
    }
    const at = of.parts.evaluate(of, index, scope);
    if (isBroken(at)) return broken;
    if (at.kind === "number") {
      const place = valueOf(at);
      if (place === undefined && !checking(of))
        return report(
          of,
          "M0306",
          index.span,
          "a place must be a number that is known when the model is compiled",
          {
            label: "not known",
            help: "use an index, or a tensor of integers",
          },
        );
      const size = known(axis.size);
      if (
        place !== undefined &&
        (!Number.isInteger(place) || place < 0 || (size !== undefined && place >= size))
      )
        return report(
          of,
          "M0306",
          index.span,
          `there is no place ${place} on an axis of \`${showSize(axis.size)}\``,
          {
            label: "counted from 0",
            help: size === undefined ? "write a whole number from 0" : `write 0 to ${size - 1}`,
          },
        );
      places.set(i, place ?? 0);
      continue;
    }
    const ids = toTensor(of, at);
    if (ids?.element !== "int")
      return report(
        of,
        "M0403",
        index.span,
        `an axis is indexed by integers, not by ${ids === undefined ? describe(at) : ids.element === "bool" ? "truth values" : "numbers"}`,
        {
          label: ids === undefined ? `this is ${describe(at)}` : showShape(ids.axes),
          help: "use an index, a place, or integers: `int(...)` makes them of numbers",
        },
      );
    lookups.set(i, ids);
  }
  // Places first, from the right: positions are kept as they were written.
  let current = base;
  const left = base.axes.map((_, i) => i);
  for (const [i, at] of [...places].sort(([a], [b]) => b - a)) {
    const position = left.indexOf(i);
    const axis = current.hidden.length + position;
    noteMixing(of, current.axes[position]!.size, "picks out one position of the text");
    const node = build(of, [current], (builder, from) => placeNode(builder, from, axis, at));
    current = tensor(
      current.element,
      current.hidden,
      current.axes.filter((_, j) => j !== position),
      node,
    );
    left.splice(position, 1);
  }
  // Rows of one table are looked up where they lie, so that its gradient is routed to them; an index of the ids picks among tables.
  const added = [...labels.values()];
  if ([...lookups.values()].every(({ hidden }) => !added.some((axis) => hidden.includes(axis)))) {
    for (const [i, ids] of [...lookups].sort(([a], [b]) => b - a)) {
      const position = left.indexOf(i);
      current = lookUpAt(of, current, position, ids);
      left.splice(position, 1, ...ids.axes.map(() => -1));
    }
    return label(of, current, new Map([...labels].map(([i, axis]) => [left.indexOf(i), axis])));
  }
  const labelled = new Map([...labels].map(([i, axis]) => [left.indexOf(i), axis]));
  current = label(of, current, labelled);
  const remaining = left.filter((i) => !labels.has(i));
  for (const [i, ids] of [...lookups].sort(([a], [b]) => b - a))
    current = lookUpAt(of, current, remaining.indexOf(i), ids);
  return current;
}

/** The indices on the left of a binding, in a scope of their own; ranges that are given are bound. */
export function binderScope(
  of: Elaboration,
  binders: readonly IndexBinder[],
  scope: Scope,
): { readonly scope: Scope; readonly indices: readonly IndexValue[] } | undefined {
  const inside = openScope(scope);
  const indices: IndexValue[] = [];
  for (const { name, size } of binders) {
    if (inside.names.has(name.text)) {
      report(of, "M0102", name.span, `the index \`${name.text}\` stands twice`, {
        label: "again here",
        help: "give every axis an index of its own",
      });
      return undefined;
    }
    const index = newIndex(of, name.text);
    if (size !== undefined) {
      const range = of.parts.evaluate(of, size, scope);
      if (isBroken(range)) return undefined;
      const whole = range.kind === "number" ? asSize(range, checking(of)) : undefined;
      if (whole?.kind === "unknown") return undefined;
      if (whole?.kind !== "size") {
        report(of, "M0303", size.span, `the range of \`${name.text}\` is no size`, {
          label: whole === undefined ? `this is ${describe(range)}` : `this is ${whole.text}`,
          help: "write a size: `t: T`",
        });
        return undefined;
      }
      const stood = size.node === "name" ? { name: size.text } : {};
      index.axis = { kind: "index", order: index.order, size: whole.size, name: name.text, of: stood };
    }
    inside.names.set(name.text, index);
    indices.push(index);
  }
  return { scope: inside, indices };
}

/** The named axes of a value, visible again in the order of the left side, before those it shows already. */
export function showIndices(
  of: Elaboration,
  span: Span,
  value: Tensor,
  indices: readonly IndexValue[],
): Value {
  const unbound = indices.find(({ axis }) => axis === undefined);
  if (unbound?.lost === true) return broken;
  if (unbound !== undefined)
    return report(of, "M0307", span, `nothing bounds the index \`${unbound.name}\``, {
      label: "its range is not known",
      help: `give it on the left: \`${unbound.name}: T\``,
    });
  const axes = indices.map(({ axis }) => axis!);
  const extra = value.hidden.find(
    (axis) =>
      axis.kind === "index" &&
      !axes.includes(axis) &&
      axis.order > Math.min(...indices.map(({ order }) => order)),
  );
  if (extra !== undefined)
    return report(of, "M0308", span, `the index \`${extra.name}\` is not on the left`, {
      label: "left over on the right",
      help: `reduce it: \`sum(... over ${extra.name})\`, or name it on the left`,
    });
  const all = unionHidden([value, { hidden: axes }]);
  const wide = expandTo(of, value, all, value.axes);
  const hidden = all.filter((axis) => !axes.includes(axis));
  const visible: VisibleAxis[] = axes.map(({ size, name, of: stood, pieces }) => ({
    size,
    name,
    of: stood ?? {},
    ...(pieces === undefined ? {} : { pieces }),
  }));
  const node = build(of, [wide], (builder, from) =>
    builder.permute(from, [
      ...hidden.map((axis) => all.indexOf(axis)),
      ...axes.map((axis) => all.indexOf(axis)),
      ...value.axes.map((_, i) => all.length + i),
    ]),
  );
  return tensor(value.element, hidden, [...visible, ...value.axes], node);
}
