// Pools: experts of one or several kinds and null experts, run by gates. In: inputs and gates of the same tokens. Out: for
// each token the weighted sum of what its experts return.
// A segment is one kind of expert: its rows are dispatched by a routing of its own, its parameters have one more axis, one
// entry for each expert. Null experts, dropped tokens and experts that nobody chose get no rows.

import type { Span } from "../../grammar/syntax.ts";
import { constant, known, product, type Size } from "../../runtime/size.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Node, RouteNode } from "../graph.ts";
import { expandTo, hiddenShape, toTensor, unionAxes, unionHidden } from "./align.ts";
import { reportNotNumber, reportMisfit } from "./arithmetic.ts";
import { build, checking, frameOf, join, report, type Elaboration } from "./elaboration.ts";
import { addNumbers, asSize, ofSize, sameSizes, showShape, showSize } from "./number.ts";
import { declareTensor } from "./tensors.ts";
import { broken, describe, isBroken, tensor, type Gates, type Hidden, type Instance, type NumberValue, type Pool, type Segment, type Tensor, type Value, type VisibleAxis } from "./value.ts";

/** Experts and nulls of a pool. */
export function countsOf(pool: Pool): { readonly experts: NumberValue; readonly nulls: NumberValue; readonly all: NumberValue } {
  const sum = (list: readonly { readonly count: NumberValue }[]): NumberValue => list.reduce((total, { count }) => addNumbers(total, count), ofSize(constant(0)));
  const [experts, nulls] = [sum(pool.segments), sum(pool.nulls)];
  return { experts, nulls, all: addNumbers(experts, nulls) };
}

/** What `*` and `+` make of experts, pools and null experts; undefined when neither side is one. */
export function poolArithmetic(of: Elaboration, span: Span, operator: string, a: Value, b: Value): Value | undefined {
  const part = (value: Value): boolean => ["definition", "instance", "pool", "null"].includes(value.kind);
  if (!part(a) && !part(b)) return undefined;
  // What is neither is no pool: the operator says so.
  const numeric = (value: Value): boolean => ["tensor", "modality", "index", "truth", "gates", "text"].includes(value.kind);
  if (numeric(a) || numeric(b)) return undefined;
  if (operator === "*") {
    const [what, times] = part(a) ? [a, b] : [b, a];
    if (isBroken(times)) return broken;
    if (times.kind !== "number" || what.kind === "pool")
      return report(of, "M0208", span, "a pool counts its experts with a number", { label: `${describe(a)} * ${describe(b)}`, help: "write `SwiGLU(D, H) * 64`" });
    const count = asSize(times, checking(of));
    if (count.kind === "negative" || count.kind === "not whole" || (count.kind === "size" && known(count.size) === 0))
      return report(of, "M0504", span, "the number of experts must be a whole number of at least 1", { label: count.kind === "size" ? "this is 0" : `this is ${count.text}`, help: "write a number, or a static that is one" });
    if (count.kind === "size" && known(count.size) === undefined && !checking(of))
      return report(of, "M0504", span, "the number of experts must be known when the model is compiled", { label: showSize(count.size), help: "write a number, or a static that is one" });
    return poolOf(of, what, times, span);
  }
  if (operator !== "+") return undefined;
  const left = poolOf(of, a, ofSize(constant(1)), span);
  const right = poolOf(of, b, ofSize(constant(1)), span);
  if (left.kind !== "pool" || right.kind !== "pool") return broken;
  return { kind: "pool", segments: [...left.segments, ...right.segments], nulls: [...left.nulls, ...right.nulls] };
}

/** A value as a pool: an expert alone is a pool of one. */
export function poolOf(of: Elaboration, value: Value, count: NumberValue, span: Span): Pool | { readonly kind: "broken" } {
  if (value.kind === "pool") return value;
  if (value.kind === "null") return { kind: "pool", segments: [], nulls: [{ kind: value.which, count, span }] };
  if (isBroken(value)) return broken;
  if (value.kind !== "definition" && value.kind !== "instance")
    return report(of, "M0208", span, `a pool is made of experts, not of ${describe(value)}`, { label: `this is ${describe(value)}`, help: "write `SwiGLU(D, H) * 64`" });
  const { kind, name } = value.definition;
  if (kind !== "expert" && kind !== "layer" && kind !== "moe" && kind !== "chain")
    return report(of, "M0208", span, `a pool is made of experts, not of ${describe(value)}`, { label: `\`${name.text}\` is ${describe(value)}`, help: "put an expert here" });
  const instance: Instance = value.kind === "instance" ? value : { kind: "instance", definition: value.definition, module: value.module, statics: new Map(), span, base: value.base };
  return { kind: "pool", segments: [{ instance, count, span }], nulls: [] };
}

/** Tokens of a choice as one axis. */
interface Tokens {
  readonly hidden: readonly Hidden[];
  readonly count: Size;
}

/** A tensor for each token, [tokens, others.., visible..]; `others` are hidden axes that are no tokens. */
function flatten(of: Elaboration, value: Tensor, tokens: Tokens, axes: readonly VisibleAxis[]): { readonly node: Node | undefined; readonly others: readonly Hidden[] } {
  const all = unionHidden([value, { hidden: tokens.hidden }]);
  const wide = expandTo(of, value, all, axes);
  const others = all.filter((axis) => !tokens.hidden.includes(axis));
  const node = build(of, [wide], (builder, from) => {
    const rank = all.length;
    const moved = builder.permute(from, [...tokens.hidden.map((axis) => all.indexOf(axis)), ...others.map((axis) => all.indexOf(axis)), ...axes.map((_, i) => rank + i)]);
    return builder.reshape(moved, [tokens.count, ...moved.shape.slice(tokens.hidden.length)]);
  });
  return { node, others };
}

/** Undoes `flatten`. */
function unflatten(of: Elaboration, node: Node, tokens: Tokens, others: readonly Hidden[], axes: readonly VisibleAxis[]): Tensor {
  const { builder } = of;
  if (builder === undefined) throw new Error("internal: no graph is being built");
  const split = builder.reshape(node, [...hiddenShape(tokens.hidden), ...node.shape.slice(1)]);
  const order = [...tokens.hidden, ...others];
  const all = unionHidden([{ hidden: order }]);
  const moved = builder.permute(split, [...all.map((axis) => order.indexOf(axis)), ...axes.map((_, i) => all.length + i)]);
  return tensor("number", all, axes, moved);
}

/** The picks of one range of experts, counted from its first; -1 elsewhere. */
function localPicks(builder: GraphBuilder, picks: Node, first: number, count: number, whole: boolean): Node {
  if (whole || first === 0) return picks; // picks beyond the groups get no row
  const at = (value: number): Node => builder.constant(value, "i32");
  const inside = builder.map("and", builder.map("le", at(first), picks), builder.map("lt", picks, at(first + count)));
  return builder.select(inside, builder.sub(picks, at(first)), at(-1));
}

/** Sum of the weights of the picks in a range: [tokens]. */
function weightIn(builder: GraphBuilder, picks: Node, weight: Node, first: number, count: number): Node {
  const at = (value: number): Node => builder.constant(value, "i32");
  const inside = builder.map("and", builder.map("le", at(first), picks), builder.map("lt", picks, at(first + count)));
  return builder.sum(builder.select(inside, weight, 0), [-1]);
}

interface Routed {
  readonly tokens: Tokens;
  /** [tokens, K], when a graph is built. */
  readonly picks: Node | undefined;
  readonly weight: Node | undefined;
  readonly bound: Size | undefined;
}

/** One kind of expert over its rows. */
function runSegment(of: Elaboration, segment: Segment, first: number, whole: boolean, inputs: readonly Tensor[], routed: Routed, base: string, path: string | undefined): Tensor | undefined {
  const { builder } = of;
  const { tokens } = routed;
  const count = known(asSizeOf(segment.count));
  let route: RouteNode | undefined;
  if (builder !== undefined) {
    if (routed.picks === undefined || count === undefined) throw new Error("internal: a routing without picks");
    route = builder.route(localPicks(builder, routed.picks, first, count, whole), count, routed.bound);
  }
  const order = Math.min(...tokens.hidden.map((axis) => axis.order), ...inputs.flatMap(({ hidden }) => hidden.map((axis) => axis.order)), of.nextOrder) - 0.5;
  const rows: Hidden = { kind: "rows", order, size: route?.bound ?? constant(1), name: "rows", ...(route === undefined ? {} : { route }) };
  const group: Hidden = { kind: "group", order, size: asSizeOf(segment.count), name: "experts", rows };
  const given = inputs.slice(0, segment.instance.definition.inputs.length).map((input) => {
    // What is the same for all tokens needs no rows.
    if (!input.hidden.some((axis) => tokens.hidden.includes(axis)) && tokens.hidden.length > 0) return input;
    const { node, others } = flatten(of, input, tokens, input.axes);
    const dispatched = node === undefined || builder === undefined || route === undefined ? undefined : builder.dispatch(node, route);
    return tensor(input.element, [rows, ...others], input.axes, dispatched);
  });
  const result = of.parts.apply(of, segment.instance, given, segment.span, { base, exact: true, groups: [group], ...(path === undefined ? {} : { path }) });
  const value = toTensor(of, result);
  if (isBroken(result) || value === undefined) return undefined;
  const all = unionHidden([value, { hidden: [rows] }]);
  const wide = expandTo(of, value, all, value.axes);
  const others = all.slice(1);
  if (builder === undefined || route === undefined || wide.node === undefined || routed.weight === undefined) return tensor("number", [...tokens.hidden, ...others], value.axes, undefined);
  const share = builder.dispatch(routed.weight, route, "pick");
  const weighted = builder.mul(wide.node, builder.broadcastTo(share, wide.node.shape, [0]));
  const merged = unflatten(of, builder.combine(weighted, route), tokens, others, value.axes);
  return scaleBy(of, merged, segment.weight);
}
const asSizeOf = (count: NumberValue): Size => count.poly ?? constant(1);

/** Times a weight that is given in the text. */
export function scaleBy(of: Elaboration, value: Tensor, weight: Value | undefined): Tensor {
  if (weight === undefined) return value;
  const factor = toTensor(of, weight);
  if (factor === undefined) return value;
  const hidden = unionHidden([value, factor]);
  const [a, b] = [expandTo(of, value, hidden, value.axes), expandTo(of, { ...factor, axes: [] }, hidden, [])];
  const node = build(of, [a, b], (builder, x, w) => builder.mul(x, builder.broadcastTo(w, x.shape, hidden.map((_, i) => i))));
  return tensor("number", hidden, value.axes, node);
}

/** Sums results that must fit each other. */
export function addAll(of: Elaboration, span: Span, parts: readonly Tensor[], what: string): Tensor | undefined {
  const [first, ...rest] = parts;
  if (first === undefined) return undefined;
  let sum = first;
  for (const part of rest) {
    const axes = unionAxes([sum, part]);
    if ("left" in axes || sum.axes.length !== part.axes.length) {
      reportMisfit(of, span, "left" in axes ? axes : { left: sum.axes[0] ?? { size: constant(1) }, right: part.axes[0] ?? { size: constant(1) } }, [sum, part], what);
      return undefined;
    }
    const hidden = unionHidden([sum, part]);
    const [a, b] = [expandTo(of, sum, hidden, axes), expandTo(of, part, hidden, axes)];
    sum = tensor("number", hidden, axes, build(of, [a, b], (builder, x, y) => builder.add(x, y)));
  }
  return sum;
}

/** Experts of one pool must agree on what they take and return. */
function sameSignature(of: Elaboration, pool: Pool, results: readonly Tensor[]): boolean {
  const [first] = results;
  for (const [i, result] of results.entries()) {
    const fits = result.axes.length === first!.axes.length && result.axes.every((axis, j) => sameSizes(axis.size, first!.axes[j]!.size));
    if (fits) continue;
    const [a, b] = [pool.segments[0]!, pool.segments[i]!];
    report(of, "M0510", b.span, "experts of one pool return different sizes", {
      label: `\`${b.instance.definition.name.text}\` returns ${showShape(result.axes)}`,
      related: [{ module: frameOf(of).module.path, span: a.span, label: `\`${a.instance.definition.name.text}\` returns ${showShape(first!.axes)}` }],
      help: "end both with the same size",
    });
    return false;
  }
  return true;
}

/** Runs a pool on tokens whose gates are known. Inputs and gates have their token axes hidden. */
export function runPool(of: Elaboration, span: Span, pool: Pool, inputs: readonly Tensor[], gates: Gates, names: { readonly base: string; readonly path?: string; readonly unique: boolean }): Value {
  const { builder } = of;
  const tokens: Tokens = { hidden: gates.picks.hidden, count: product(gates.picks.hidden.map(({ size }) => size)) };
  if (tokens.hidden.some(({ kind }) => kind === "rows"))
    return report(of, "M0511", span, "a routed expert cannot route again by itself", { label: "inside a routed expert", help: "route in a layer or a chain around the experts" });
  const experts = known(countsOf(pool).all.poly ?? gates.count);
  const gated = known(gates.count);
  if (experts !== undefined && gated !== undefined && experts !== gated)
    return report(of, "M0521", span, `the gates choose among ${gated}, and the pool has ${experts} experts`, { label: "null experts count", help: `give the router \`N = ${experts}\`, or write it after \`by\`` });
  const flatPicks = flatten(of, gates.picks, tokens, gates.picks.axes).node;
  const weights = flatten(of, gates.weight, tokens, gates.weight.axes);
  const routed: Routed = { tokens, picks: flatPicks, weight: weights.node, bound: gates.bound };
  const results: Tensor[] = [];
  let first = 0;
  for (const [i, segment] of pool.segments.entries()) {
    const base = names.unique && pool.segments.length === 1 ? names.base : `${names.base}.${i}`;
    const path = names.path === undefined ? undefined : pool.segments.length === 1 ? names.path : `${names.path}.${i}`;
    const whole = pool.segments.length === 1;
    const result = runSegment(of, segment, first, whole, inputs, routed, base, path);
    first += known(asSizeOf(segment.count)) ?? 1;
    if (result === undefined) return broken;
    results.push(result);
  }
  if (results.length > 0 && !sameSignature(of, pool, results)) return broken;
  const parts = [...results];
  const [x] = inputs;
  for (const { kind, count, span: place } of pool.nulls) {
    const size = known(asSizeOf(count)) ?? 1;
    const from = first;
    first += size;
    if (kind === "zero") continue;
    const like = results[0];
    if (kind === "copy") {
      if (x === undefined || (like !== undefined && (like.axes.length !== x.axes.length || !like.axes.every((axis, i) => sameSizes(axis.size, x.axes[i]!.size)))))
        return report(of, "M0512", place, "a null expert that copies must return what the experts return", {
          label: `the input is ${showShape(x?.axes ?? [])}, the experts return ${like === undefined ? "nothing" : showShape(like.axes)}`,
          help: "use `zero` or `constant`",
        });
      const share = builder === undefined ? undefined : weightIn(builder, flatPicks!, weights.node!, from, size);
      parts.push(scaleTokens(of, x, share, tokens));
      continue;
    }
    const axes = like?.axes ?? x?.axes ?? [];
    const table = declareTensor(of, {
      name: "constant",
      path: names.path === undefined ? join(frameOf(of).path, "constant") : `${names.path}.constant`,
      role: "parameter",
      element: "number",
      axes: [{ size: asSizeOf(count) }, ...axes],
      init: { kind: "constant", value: 0 },
      span: place,
      shared: true,
    });
    if (table === undefined) return broken;
    const node = build(of, [table], (b, vectors) => {
      const ids = localPicks(b, flatPicks!, from, size, false);
      const own = b.map("lt", ids, b.constant(size, "i32"));
      const taken = b.take(vectors, b.select(own, ids, b.constant(-1, "i32"))); // [tokens, K, ..]
      const share = b.broadcastTo(weights.node!, taken.shape, [0, 1]);
      return b.sum(b.mul(taken, share), [1]);
    });
    parts.push(node === undefined ? tensor("number", tokens.hidden, axes, undefined) : unflatten(of, node, tokens, [], axes));
  }
  return addAll(of, span, parts, "the results of the pool") ?? (x === undefined ? broken : scaleTokens(of, x, builder === undefined ? undefined : zeros(builder, tokens.count), tokens));
}

const zeros = (builder: GraphBuilder, count: Size): Node => builder.broadcastTo(builder.constant(0), [count], []);

/** x times one number for each token. */
function scaleTokens(of: Elaboration, x: Tensor, share: Node | undefined, tokens: Tokens): Tensor {
  const { node, others } = flatten(of, x, tokens, x.axes);
  if (node === undefined || share === undefined || of.builder === undefined) return tensor("number", unionHidden([x, { hidden: tokens.hidden }]), x.axes, undefined);
  return unflatten(of, of.builder.mul(node, of.builder.broadcastTo(share, node.shape, [0])), tokens, others, x.axes);
}

/** Inputs that an expert takes, of those that are there. */
export function inputsOf(of: Elaboration, span: Span, instance: Instance, inputs: readonly Value[]): readonly Value[] | undefined {
  const wants = instance.definition.inputs.length;
  if (wants <= inputs.length) return inputs.slice(0, wants);
  report(of, "M0204", span, `\`${instance.definition.name.text}\` takes ${wants} inputs, and ${inputs.length === 1 ? "one is" : `${inputs.length} are`} there`, {
    label: "one input too few",
    help: "give the further inputs to the pool: `pool(x, other)`",
  });
  return undefined;
}

/** `pool(x, ...) by gates`: visible axes in front of what the experts take are tokens. */
export function applyPool(of: Elaboration, span: Span, pool: Pool, given: readonly Value[], gates: Gates): Value {
  const expert = pool.segments[0]?.instance.definition;
  if (given.some(isBroken)) return broken;
  const inputs: Tensor[] = [];
  for (const value of given) {
    const found = toTensor(of, value);
    if (found === undefined) return reportNotNumber(of, span, value, "a pool");
    inputs.push(found);
  }
  for (const { instance, span: place } of pool.segments) if (inputsOf(of, place, instance, inputs) === undefined) return broken;
  const extraOf = (input: Tensor, i: number): number => input.axes.length - (expert?.inputs[i]?.type.axes.length ?? 1);
  const widest = Math.max(0, ...inputs.map(extraOf));
  const gateAxes = gates.picks.axes.slice(0, -1);
  const long = inputs.find((input, i) => extraOf(input, i) === widest);
  const front = (long?.axes ?? []).slice(0, widest);
  const fits = gateAxes.length <= front.length && gateAxes.every((axis, i) => sameSizes(axis.size, front[i]!.size));
  if (!fits)
    return report(of, "M0513", span, "the gates are for other tokens than the experts", {
      label: `gates for ${showShape(gateAxes)}, experts run over ${showShape(front)}`,
      help: "let the router read a tensor with the same axes in front, one vector for each thing that is routed",
    });
  const lifted = front.map((axis): Hidden => ({ kind: "lead", order: of.nextOrder++, size: axis.size, name: axis.name ?? showSize(axis.size), ...(axis.pieces === undefined ? {} : { pieces: axis.pieces }) }));
  const hide = (value: Tensor, extra: number, axes: readonly Hidden[]): Tensor => tensor(value.element, [...value.hidden, ...axes], value.axes.slice(extra), value.node);
  const inner = inputs.map((input, i) => {
    const extra = Math.max(0, extraOf(input, i));
    return hide(input, extra, lifted.slice(lifted.length - extra));
  });
  const own = lifted.slice(0, gateAxes.length);
  const hidden: Gates = {
    ...gates,
    picks: hide(gates.picks, own.length, own),
    weight: hide(gates.weight, own.length, own),
    chosen: hide(gates.chosen, own.length, own),
  };
  const result = runPool(of, span, pool, inner, hidden, { base: "pool", unique: true, ...(pool.path === undefined ? {} : { path: pool.path }) });
  if (result.kind !== "tensor") return result;
  const all = unionHidden([result, { hidden: lifted }]);
  const wide = expandTo(of, result, all, result.axes);
  return tensor("number", all.filter((axis) => !lifted.includes(axis)), [...front, ...wide.axes], wide.node);
}

