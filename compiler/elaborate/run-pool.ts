// Pools at work: experts of one or several kinds and null experts, run by gates. In: inputs and gates of the same tokens. Out: for
// each token the weighted sum of what its experts return.
// A segment is one kind of expert: its rows are dispatched by a routing of its own, its parameters have one more axis, one
// entry for each expert. Null experts, dropped tokens and experts that nobody chose get no rows.

import type { Span } from "../../grammar/syntax.ts";
import { constant, known, product, type Size } from "../../runtime/size.ts";
import type { Node, RouteNode } from "../graph.ts";
import { expandTo, toTensor, unionHidden } from "./align.ts";
import { reportNotNumber } from "./arithmetic.ts";
import { build, type Elaboration, frameOf, join, report } from "./elaboration.ts";
import { sameSizes, showShape, showSize } from "./number.ts";
import { addAll, asSizeOf, countsOf, inputsOf, sameSignature, scaleBy } from "./pool.ts";
import { noteSent } from "./sent.ts";
import { declareTensor } from "./tensors.ts";
import { flatten, localPicks, scaleTokens, type Tokens, unflatten, weightIn, zeros } from "./tokens.ts";
import {
  broken,
  type Gates,
  type Hidden,
  isBroken,
  type Pool,
  type Segment,
  tensor,
  type Tensor,
  type Value,
} from "./value.ts";

interface Routed {
  readonly tokens: Tokens;
  /** [tokens, K], when a graph is built. */
  readonly picks: Node | undefined;
  readonly weight: Node | undefined;
  readonly bound: Size | undefined;
  readonly router: string | undefined;
}

/** One kind of expert over its rows. */
function runSegment(
  of: Elaboration,
  segment: Segment,
  first: number,
  whole: boolean,
  inputs: readonly Tensor[],
  routed: Routed,
  base: string,
  path: string | undefined,
): Tensor | undefined {
  const { builder } = of;
  const { tokens } = routed;
  const count = known(asSizeOf(segment.count));
  let route: RouteNode | undefined;
  if (builder !== undefined) {
    if (routed.picks === undefined || count === undefined)
      throw new Error("internal: a routing without picks");
    route = builder.route(localPicks(builder, routed.picks, first, count, whole), count, routed.bound);
  }
  const order =
    Math.min(
      ...tokens.hidden.map((axis) => axis.order),
      ...inputs.flatMap(({ hidden }) => hidden.map((axis) => axis.order)),
      of.nextOrder,
    ) - 0.5;
  const rows: Hidden = {
    kind: "rows",
    order,
    size: route?.bound ?? constant(1),
    name: "rows",
    ...(route === undefined ? {} : { route }),
  };
  const group: Hidden = { kind: "group", order, size: asSizeOf(segment.count), name: "experts", rows };
  const given = inputs.slice(0, segment.instance.definition.inputs.length).map((input) => {
    // What is the same for all tokens needs no rows.
    if (!input.hidden.some((axis) => tokens.hidden.includes(axis)) && tokens.hidden.length > 0) return input;
    const { node, others } = flatten(of, input, tokens, input.axes);
    const dispatched =
      node === undefined || builder === undefined || route === undefined
        ? undefined
        : builder.dispatch(node, route);
    return tensor(input.element, [rows, ...others], input.axes, dispatched);
  });
  if (count !== undefined) noteSent(of.collected, { router: routed.router, group, first, count });
  const result = of.parts.apply(of, segment.instance, given, segment.span, {
    base,
    exact: true,
    groups: [group],
    ...(path === undefined ? {} : { path }),
  });
  const value = toTensor(of, result);
  if (isBroken(result) || value === undefined) return undefined;
  const all = unionHidden([value, { hidden: [rows] }]);
  const wide = expandTo(of, value, all, value.axes);
  const others = all.slice(1);
  if (builder === undefined || route === undefined || wide.node === undefined || routed.weight === undefined)
    return tensor("number", [...tokens.hidden, ...others], value.axes, undefined);
  const share = builder.dispatch(routed.weight, route, "pick");
  const weighted = builder.mul(wide.node, builder.broadcastTo(share, wide.node.shape, [0]));
  const merged = unflatten(of, builder.combine(weighted, route), tokens, others, value.axes);
  return scaleBy(of, merged, segment.weight);
}

/** Runs a pool on tokens whose gates are known. Inputs and gates have their token axes hidden. */
export function runPool(
  of: Elaboration,
  span: Span,
  pool: Pool,
  inputs: readonly Tensor[],
  gates: Gates,
  names: { readonly base: string; readonly path?: string; readonly unique: boolean },
): Value {
  const { builder } = of;
  const tokens: Tokens = {
    hidden: gates.picks.hidden,
    count: product(gates.picks.hidden.map(({ size }) => size)),
  };
  if (tokens.hidden.some(({ kind }) => kind === "rows"))
    return report(of, "M0511", span, "a routed expert cannot route again by itself", {
      label: "inside a routed expert",
      help: "route in a layer or a chain around the experts",
    });
  const experts = known(countsOf(pool).all.poly ?? gates.count);
  const gated = known(gates.count);
  if (experts !== undefined && gated !== undefined && experts !== gated)
    return report(of, "M0521", span, `the gates choose among ${gated}, and the pool has ${experts} experts`, {
      label: "null experts count",
      help: `give the router \`N = ${experts}\`, or write it after \`by\``,
    });
  const flatPicks = flatten(of, gates.picks, tokens, gates.picks.axes).node;
  const weights = flatten(of, gates.weight, tokens, gates.weight.axes);
  const routed: Routed = {
    tokens,
    picks: flatPicks,
    weight: weights.node,
    bound: gates.bound,
    router: gates.router,
  };
  const results: Tensor[] = [];
  let first = 0;
  for (const [i, segment] of pool.segments.entries()) {
    const base = names.unique && pool.segments.length === 1 ? names.base : `${names.base}.${i}`;
    const path =
      names.path === undefined ? undefined : pool.segments.length === 1 ? names.path : `${names.path}.${i}`;
    const whole = pool.segments.length === 1;
    const result = runSegment(of, segment, first, whole, inputs, routed, base, path);
    first += known(asSizeOf(segment.count)) ?? 1;
    if (result === undefined) return broken;
    results.push(result);
  }
  if (results.length > 0 && !sameSignature(of, pool, results)) return broken;
  const parts = [...results];
  const severalConstants = pool.nulls.filter(({ kind }) => kind === "constant").length > 1;
  let constants = 0;
  const [x] = inputs;
  for (const { kind, count, span: place } of pool.nulls) {
    const size = known(asSizeOf(count)) ?? 1;
    const from = first;
    first += size;
    if (kind === "zero") continue;
    const like = results[0];
    if (kind === "copy") {
      if (
        x === undefined ||
        (like !== undefined &&
          (like.axes.length !== x.axes.length ||
            !like.axes.every((axis, i) => sameSizes(axis.size, x.axes[i]!.size))))
      )
        return report(of, "M0512", place, "a null expert that copies must return what the experts return", {
          label: `the input is ${showShape(x?.axes ?? [])}, the experts return ${like === undefined ? "nothing" : showShape(like.axes)}`,
          help: "use `zero` or `constant`",
        });
      const share =
        builder === undefined ? undefined : weightIn(builder, flatPicks!, weights.node!, from, size);
      parts.push(scaleTokens(of, x, share, tokens));
      continue;
    }
    const axes = like?.axes ?? x?.axes ?? [];
    const name = severalConstants ? `constant.${constants++}` : "constant";
    const table = declareTensor(of, {
      name,
      path: names.path === undefined ? join(frameOf(of).path, name) : `${names.path}.${name}`,
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
    parts.push(
      node === undefined
        ? tensor("number", tokens.hidden, axes, undefined)
        : unflatten(of, node, tokens, [], axes),
    );
  }
  return (
    addAll(of, span, parts, "the results of the pool") ??
    (x === undefined
      ? broken
      : scaleTokens(of, x, builder === undefined ? undefined : zeros(builder, tokens.count), tokens))
  );
}

/** `pool(x, ...) by gates`: visible axes in front of what the experts take are tokens. */
export function applyPool(
  of: Elaboration,
  span: Span,
  pool: Pool,
  given: readonly Value[],
  gates: Gates,
): Value {
  if (given.some(isBroken)) return broken;
  const inputs: Tensor[] = [];
  for (const value of given) {
    const found = toTensor(of, value);
    if (found === undefined) return reportNotNumber(of, span, value, "a pool");
    inputs.push(found);
  }
  for (const { instance, span: place } of pool.segments)
    if (inputsOf(of, place, instance, inputs) === undefined) return broken;
  // Of unlike experts, the first that takes an input says its rank: some take fewer.
  const declared = inputs.map((_, i) =>
    pool.segments.map(({ instance }) => instance.definition.inputs[i]).find((each) => each !== undefined),
  );
  const extraOf = (input: Tensor, i: number): number =>
    input.axes.length - (declared[i]?.type.axes.length ?? 1);
  const widest = Math.max(0, ...inputs.map(extraOf));
  const gateAxes = gates.picks.axes.slice(0, -1);
  const long = inputs.find((input, i) => extraOf(input, i) === widest);
  const front = (long?.axes ?? []).slice(0, widest);
  const fits =
    gateAxes.length <= front.length && gateAxes.every((axis, i) => sameSizes(axis.size, front[i]!.size));
  if (!fits)
    return report(of, "M0513", span, "the gates are for other tokens than the experts", {
      label: `gates for ${showShape(gateAxes)}, experts run over ${showShape(front)}`,
      help: "let the router read a tensor with the same axes in front, one vector for each thing that is routed",
    });
  const lifted = front.map((axis): Hidden => ({
    kind: "lead",
    order: of.nextOrder++,
    size: axis.size,
    name: axis.name ?? showSize(axis.size),
    ...(axis.pieces === undefined ? {} : { pieces: axis.pieces }),
  }));
  const hide = (value: Tensor, extra: number, axes: readonly Hidden[]): Tensor =>
    tensor(value.element, [...value.hidden, ...axes], value.axes.slice(extra), value.node);
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
  const result = runPool(of, span, pool, inner, hidden, {
    base: "pool",
    unique: true,
    ...(pool.path === undefined ? {} : { path: pool.path }),
  });
  if (result.kind !== "tensor") return result;
  const all = unionHidden([result, { hidden: lifted }]);
  const wide = expandTo(of, result, all, result.axes);
  return tensor(
    "number",
    all.filter((axis) => !lifted.includes(axis)),
    [...front, ...wide.axes],
    wide.node,
  );
}
