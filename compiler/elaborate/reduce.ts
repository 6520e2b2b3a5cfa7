// Reductions and what runs along axes: sum mean max min any all softmax log_softmax logsumexp rms cumsum argmax.
// In: a tensor and the names after `over`. Out: a tensor without those axes (the softmax family and cumsum keep them).
// Along the picks of a router only the picks that are there count. Over rows of a routing only rows that are there count; in an
// expert these are its own, so that each expert has a sum, a maximum or a mean of itself alone.

import type { Name, Span } from "../../grammar/syntax.ts";
import { namesOf, product } from "../../runtime/size.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";
import { castTo, expandTo, numberNode, takeGroups, unionHidden } from "./align.ts";
import { build, frameOf, report, type Elaboration } from "./elaboration.ts";
import { sameSizes, showShape, showSize } from "./number.ts";
import { lookUp, type Scope } from "./scope.ts";
import { noteMixing } from "./sequence-notes.ts";
import { tensor, type Hidden, type Tensor, type Value, type VisibleAxis } from "./value.ts";

export const reductions = [
  "sum",
  "mean",
  "max",
  "min",
  "any",
  "all",
  "softmax",
  "log_softmax",
  "logsumexp",
  "rms",
  "cumsum",
  "argmax",
] as const;
export type Reduction = (typeof reductions)[number];
export const isReduction = (name: string): name is Reduction =>
  (reductions as readonly string[]).includes(name);

/** Axes that something runs along. */
export interface Along {
  readonly hidden: readonly Hidden[];
  /** Positions among the visible axes, increasing. */
  readonly visible: readonly number[];
  /** In an expert whose rows are among `hidden`: the experts, of which each goes over its own rows. */
  readonly experts?: Hidden;
}

function overOne(of: Elaboration, scope: Scope, name: Name, value: Tensor): Along | undefined {
  const lead = frameOf(of).lead;
  if (name.text === "tokens") return { hidden: lead, visible: [] };
  if (name.text === "sequence") return { hidden: lead.slice(-1), visible: [] };
  if (name.text === "batch") return { hidden: lead.slice(0, -1), visible: [] };
  const meaning = lookUp(scope, name.text);
  if (meaning?.kind === "index" && meaning.axis !== undefined) return { hidden: [meaning.axis], visible: [] };
  const named = value.axes.flatMap((axis, i) => (axis.name === name.text ? [i] : []));
  if (named.length > 0) return { hidden: [], visible: [named.at(-1)!] };
  if (meaning?.kind === "number" && meaning.poly !== undefined) {
    const sized = value.axes.flatMap((axis, i) => (sameSizes(axis.size, meaning.poly!) ? [i] : []));
    if (sized.length > 0) return { hidden: [], visible: [sized.at(-1)!] };
  }
  return undefined;
}

/** How to say the last axis. A size that has no name here, like how many a token picks where that is not known, is named by an index. */
function howToName(fn: string, axes: readonly VisibleAxis[], scope: Scope): string {
  const last = axes.at(-1)!;
  if (last.name !== undefined) return `write \`${fn}(... over ${last.name})\``;
  if ([...namesOf(last.size)].some((name) => lookUp(scope, name) === undefined)) {
    const indices = axes.map((_, i) => "ijklmn"[i] ?? `i${i}`);
    return `bind it, \`y = ...\`, and name its axes: \`${fn}(y[${indices.join(", ")}] over ${indices.at(-1)!})\``;
  }
  return `name the size (\`dim V = ${showSize(last.size)}\`) and write \`${fn}(... over V)\``;
}

/** What `over` names, or the only axis of a vector. */
export function along(
  of: Elaboration,
  scope: Scope,
  span: Span,
  fn: string,
  value: Tensor,
  over: readonly Name[],
): Along | undefined {
  if (over.length === 0) {
    if (value.axes.length === 1) return { hidden: [], visible: [0] };
    const lead = frameOf(of).lead.length > 0 || value.axes.length === 0;
    report(of, "M0303", span, `\`${fn}\` needs to know over which axis`, {
      label:
        value.axes.length === 0
          ? "a single number for each token"
          : `its argument is ${showShape(value.axes)}`,
      help:
        value.axes.length === 0 && lead
          ? `write \`${fn}(... over tokens)\``
          : howToName(fn, value.axes, scope),
    });
    return undefined;
  }
  const hidden = new Set<Hidden>();
  const visible = new Set<number>();
  for (const name of over) {
    const found = overOne(of, scope, name, value);
    if (found === undefined) {
      report(of, "M0304", name.span, `there is no axis \`${name.text}\` to go over`, {
        label: `the argument is ${showShape(value.axes)}`,
        help: "name a size or an index of the argument, or write tokens, sequence or batch",
      });
      return undefined;
    }
    found.hidden.forEach((axis) => hidden.add(axis));
    found.visible.forEach((axis) => visible.add(axis));
  }
  return {
    hidden: [...hidden].sort((a, b) => a.order - b.order),
    visible: [...visible].sort((a, b) => a - b),
  };
}

/** The value with the axes to go over as axes of its own, and their positions in its node. */
export function prepare(
  of: Elaboration,
  value: Tensor,
  { hidden, visible }: Along,
): { readonly wide: Tensor; readonly axes: readonly number[] } {
  const all = unionHidden([value, { hidden }]);
  const wide = expandTo(of, value, all, value.axes);
  return {
    wide,
    axes: [...hidden.map((axis) => all.indexOf(axis)), ...visible.map((axis) => all.length + axis)],
  };
}

/** The mask of picks among the axes to go over, in the shape of the value. */
function validOf(of: Elaboration, wide: Tensor, { visible }: Along): Tensor | undefined {
  const last = wide.axes.length - 1;
  const valid = visible.includes(last) ? wide.axes[last]?.valid : undefined;
  if (valid === undefined) return undefined;
  return expandTo(of, valid, unionHidden([wide, valid]), wide.axes);
}

/** How many elements a mean is taken over. */
function countOf(builder: GraphBuilder, wide: Tensor, over: Along): Node {
  const dense = over.hidden.filter((axis) => axis.kind !== "rows").map(({ size }) => size);
  const sizes = [...dense, ...over.visible.map((axis) => wide.axes[axis]!.size)];
  let count = numberNode(builder, product(sizes));
  for (const axis of over.hidden) {
    if (axis.kind !== "rows") continue;
    const offsets = builder.part(axis.route!, "offsets");
    const { groups } = axis.route!;
    const rows =
      over.experts?.rows === axis
        ? builder.sub(builder.slice(offsets, 0, 1, groups), builder.slice(offsets, 0, 0, groups))
        : builder.reshape(builder.slice(offsets, 0, groups, 1), []);
    const some = builder.map("max", builder.cast(rows, "f32"), 1);
    count = builder.mul(builder.broadcastTo(count, some.shape, []), some);
  }
  return count;
}

/** Folds axes of a node, and spreads what came out over the node's shape again. */
interface Fold {
  readonly fold: (fn: "sum" | "max" | "min", node: Node) => Node;
  readonly widen: (folded: Node) => Node;
  /** Divides what was folded by how many elements went into each. */
  readonly share: (folded: Node) => Node;
}

function foldOf(builder: GraphBuilder, wide: Tensor, axes: readonly number[], over: Along): Fold {
  const { shape } = wide.node!;
  const kept = shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const count = (): Node => countOf(builder, wide, over);
  const { experts } = over;
  const rows = experts?.rows === undefined ? -1 : wide.hidden.indexOf(experts.rows);
  if (experts === undefined || rows < 0)
    return {
      fold: (fn, node) => builder.reduce(fn, node, axes),
      widen: (folded) => builder.broadcastTo(folded, shape, kept),
      share: (folded) => builder.div(folded, builder.broadcastTo(count(), folded.shape, [])),
    };
  // Rows become experts at the place where they stand among the axes that stay.
  const dense = axes.filter((axis) => axis !== rows);
  const left = shape.map((_, i) => i).filter((i) => !dense.includes(i));
  const at = left.indexOf(rows);
  return {
    fold: (fn, node) => builder.reduceGroups(fn, builder.reduce(fn, node, dense), at),
    widen: (folded) => builder.broadcastTo(takeGroups(builder, folded, at, experts), shape, left),
    share: (folded) => builder.div(folded, builder.broadcastTo(count(), folded.shape, [at])),
  };
}

function reduceNode(
  builder: GraphBuilder,
  fn: Reduction,
  wide: Tensor,
  axes: readonly number[],
  over: Along,
  mask: Node | undefined,
): Node {
  const node = wide.node!;
  const masked = (value: Node, otherwise: number): Node =>
    mask === undefined ? value : builder.select(mask, value, otherwise);
  const sorted = [...axes].sort((a, b) => a - b);
  const { fold, widen, share } = foldOf(builder, wide, sorted, over);
  const sum = (value: Node): Node => fold("sum", masked(value, 0));
  const mean = (value: Node): Node => {
    if (mask === undefined) return share(sum(value));
    const some = fold("sum", builder.cast(mask, "f32"));
    return builder.div(sum(value), builder.map("max", some, 1));
  };
  const exponentials = (): { readonly shifted: Node; readonly max: Node } => {
    const highest = builder.stop(fold("max", masked(node, -Infinity)));
    const max =
      mask === undefined ? highest : builder.select(builder.map("lt", -Infinity, highest), highest, 0);
    return { shifted: builder.sub(masked(node, -Infinity), widen(max)), max };
  };
  switch (fn) {
    case "sum":
      return sum(node);
    case "mean":
      return mean(node);
    case "rms":
      return builder.map("sqrt", mean(builder.square(node)));
    case "max":
      return fold("max", masked(node, -Infinity));
    case "min":
      return fold("min", masked(node, Infinity));
    case "any":
      return builder.map("lt", 0, fold("max", masked(builder.cast(node, "f32"), 0)));
    case "all":
      return builder.map("lt", 0, fold("min", masked(builder.cast(node, "f32"), 1)));
    case "softmax": {
      const exp = builder.map("exp", exponentials().shifted);
      const total = fold("sum", exp);
      const safe = mask === undefined ? total : builder.select(builder.map("lt", 0, total), total, 1);
      return builder.div(exp, widen(safe));
    }
    case "logsumexp": {
      const { shifted, max } = exponentials();
      return builder.add(max, builder.map("log", fold("sum", builder.map("exp", shifted))));
    }
    case "log_softmax": {
      const { shifted } = exponentials();
      const log = builder.map("log", fold("sum", builder.map("exp", shifted)));
      return builder.sub(shifted, widen(log));
    }
    case "cumsum":
      return sorted.length === 1
        ? builder.scan(masked(node, 0), sorted[0]!)
        : alongLast(builder, masked(node, 0), sorted, (flat) => builder.scan(flat, flat.shape.length - 1));
    case "argmax": {
      const axis = sorted[0]!;
      const rest = node.shape.map((_, i) => i).filter((i) => i !== axis);
      const ids = builder.choose(builder.stop(masked(builder.permute(node, [...rest, axis]), -Infinity)), 1);
      return builder.reshape(ids, ids.shape.slice(0, -1));
    }
    default:
      return fn satisfies never;
  }
}

/** What keeps the shape, along axes as if they were one, of which the last runs fastest; it gets them as the last axis. */
export function alongLast(
  builder: GraphBuilder,
  node: Node,
  axes: readonly number[],
  act: (flat: Node) => Node,
): Node {
  const rest = node.shape.flatMap((_, i) => (axes.includes(i) ? [] : [i]));
  const order = [...rest, ...axes];
  const turned = builder.permute(node, order);
  const length = product(axes.map((axis) => node.shape[axis]!.size));
  const flat = builder.reshape(turned, [...turned.shape.slice(0, rest.length), length]);
  const back = order.map((_, axis) => order.indexOf(axis));
  return builder.permute(builder.reshape(act(flat), turned.shape), back);
}

const keeps = (fn: Reduction): boolean => fn === "softmax" || fn === "log_softmax" || fn === "cumsum";

/** One reduction of a tensor over the axes that `over` names. */
export function reduce(
  of: Elaboration,
  scope: Scope,
  span: Span,
  fn: Reduction,
  operand: Tensor,
  over: readonly Name[],
): Value {
  const logical = fn === "any" || fn === "all";
  if (logical && operand.element !== "bool")
    return report(of, "M0402", span, `\`${fn}\` takes truth values`, {
      label: `this is ${operand.element}`,
      help: `compare first: \`${fn}(x > 0)\``,
    });
  const value =
    logical ||
    (operand.element === "int" && (fn === "sum" || fn === "max" || fn === "min" || fn === "cumsum"))
      ? operand
      : castTo(of, operand, "number");
  const axes = along(of, scope, span, fn, value, over);
  if (axes === undefined) return { kind: "broken" };
  if (axes.hidden.length + axes.visible.length === 0) return value;
  if (fn === "argmax" && axes.hidden.length + axes.visible.length !== 1)
    return report(of, "M0303", span, `\`${fn}\` runs along one axis`, {
      label: "more than one",
      help: "name one axis after `over`",
    });
  const experts = frameOf(of).groups.find(({ rows }) => rows !== undefined && axes.hidden.includes(rows));
  return reduceAlong(of, fn, value, experts === undefined ? axes : { ...axes, experts });
}

/** The same with the axes known. */
export function reduceAlong(of: Elaboration, fn: Reduction, value: Tensor, axes: Along): Tensor {
  const { wide, axes: positions } = prepare(of, value, axes);
  for (const axis of [...axes.hidden, ...axes.visible.map((i) => wide.axes[i]!)])
    noteMixing(of, axis.size, `takes \`${fn}\` over the positions of the text`);
  const mask = validOf(of, wide, axes);
  const full = mask === undefined ? wide : expandTo(of, wide, mask.hidden, wide.axes);
  const hidden = full.hidden;
  const at =
    full === wide
      ? positions
      : positions.map((axis) =>
          axis >= wide.hidden.length
            ? axis - wide.hidden.length + hidden.length
            : hidden.indexOf(wide.hidden[axis]!),
        );
  const node = build(of, [full], (builder) => reduceNode(builder, fn, full, at, axes, mask?.node));
  const element = fn === "argmax" ? "int" : fn === "any" || fn === "all" ? "bool" : value.element;
  if (keeps(fn)) return tensor(element, hidden, full.axes, node);
  const { experts } = axes;
  const left = hidden.flatMap((axis) =>
    experts !== undefined && axis === experts.rows ? [experts] : axes.hidden.includes(axis) ? [] : [axis],
  );
  const result = tensor(
    element,
    left,
    full.axes.filter((_, i) => !axes.visible.includes(i)),
    node,
  );
  return fn === "mean" && value.constant !== undefined ? { ...result, constant: value.constant } : result;
}

/** The mean over every axis that remains: what `loss` and `metric` do. */
export function meanOfAll(of: Elaboration, value: Tensor): Tensor {
  const numbers = castTo(of, value, "number");
  if (numbers.hidden.length + numbers.axes.length === 0) return numbers;
  // A loss on parameters of experts counts every expert once.
  return reduceAlong(of, "mean", numbers, { hidden: numbers.hidden, visible: numbers.axes.map((_, i) => i) });
}
