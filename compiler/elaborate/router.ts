// Routers: `choose`, `capacity` and `weight`, and the names that a router knows of its choice. In: scores for N experts.
// Out: gates: picks, weights, who was chosen, the load. Selection itself is composed in compiler/build.

import type { Choice, Expression, Span, Statement } from "../../grammar/syntax.ts";
import { constant, known, multiply, named, product, type Size } from "../../runtime/size.ts";
import { dropLast, dropLowest } from "../build/capacity.ts";
import { chooseAll, chooseBest, chooseEach, chooseTokens, chooseTop, chooseUntil, chooseWhere, masked } from "../build/choose.ts";
import { atPicks, chosenOf, isPicked, loadOf } from "../build/gates.ts";
import type { Node } from "../graph.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { castTo, expandTo, numberNode, toTensor, unionHidden } from "./align.ts";
import { build, checking, frameOf, report, type Elaboration, type RouterFrame } from "./elaboration.ts";
import { asSize, roundSize, sameSizes, showShape, showSize, valueOf } from "./number.ts";
import type { Scope } from "./scope.ts";
import { broken, describe, isBroken, tensor, type Gates, type Hidden, type Tensor, type Value, type VisibleAxis } from "./value.ts";

const routerOf = (of: Elaboration): RouterFrame => {
  const { router } = frameOf(of);
  if (router === undefined) throw new Error("internal: no router is being elaborated");
  return router;
};
const expertsOf = (of: Elaboration): Size => routerOf(of).count.poly ?? named("N");
/** [N] */
const expertAxis = (of: Elaboration): VisibleAxis => ({ size: expertsOf(of), name: routerOf(of).axisName });

/** Tokens that the choice is made for: the axes that the router is lifted over. */
const tokensOf = (of: Elaboration, tensors: readonly Tensor[]): readonly Hidden[] =>
  unionHidden([...tensors, { hidden: frameOf(of).lead }]).filter(({ kind }) => kind !== "group");

/** A tensor over experts, [N], for every token. */
function overExperts(of: Elaboration, expression: Expression, scope: Scope, element: "number" | "bool", what: string): Tensor | undefined {
  const value = of.parts.evaluate(of, expression, scope);
  if (isBroken(value)) return undefined;
  const found = toTensor(of, value);
  const size = expertsOf(of);
  if (found === undefined || found.axes.length !== 1 || !sameSizes(found.axes[0]!.size, size)) {
    report(of, "M0502", expression.span, `${what} must have one entry for each expert: \`[${showSize(size)}]\``, {
      label: found === undefined ? `this is ${describe(value)}` : `this is ${showShape(found.axes)}`,
      help: "score the experts, for example with `x @ w` and `param w: [D, N]`",
    });
    return undefined;
  }
  if ((element === "bool") !== (found.element === "bool")) {
    report(of, "M0503", expression.span, `${what} must be ${element === "bool" ? "truth values" : "numbers"}`, {
      label: `these are ${found.element === "bool" ? "truth values" : "numbers"}`,
      help: element === "bool" ? "compare: `score > 0`" : "write `if x then 1 else 0`",
    });
    return undefined;
  }
  return element === "number" ? castTo(of, found, "number") : found;
}

/** A count that must be known when a graph is built; undefined while checking when it is not. */
function countOf(of: Elaboration, expression: Expression, scope: Scope, what: string): number | "unknown" | undefined {
  const value = of.parts.evaluate(of, expression, scope);
  if (isBroken(value)) return checking(of) ? "unknown" : undefined;
  const count = value.kind === "number" ? valueOf(value) : undefined;
  if (value.kind === "number" && count === undefined && checking(of)) return "unknown";
  if (count === undefined || !Number.isInteger(count) || count < 1) {
    report(of, "M0504", expression.span, `${what} must be a whole number of at least 1`, {
      label: count === undefined ? (value.kind === "number" ? "not known when the model is compiled" : `this is ${describe(value)}`) : `this is ${count}`,
      help: "write a number, or a static that is one",
    });
    return undefined;
  }
  return count;
}

const sizeFrom = (count: number | "unknown", name: string): Size => (count === "unknown" ? named(name) : constant(count));

function atMost(of: Elaboration, span: Span, count: number | "unknown", limit: Size, what: string, of_: string): boolean {
  const bound = known(limit);
  if (count === "unknown" || bound === undefined || count <= bound) return true;
  report(of, "M0501", span, `cannot choose ${count} of ${bound} ${what}`, { label: of_, help: `choose at most ${bound}, or have more ${what}` });
  return false;
}

/** The choice that was made: picks, and what they were chosen by. */
interface Made {
  readonly tensors: readonly Tensor[];
  readonly width: Size;
  readonly score?: Tensor;
  readonly bound?: Size;
  readonly empty: boolean;
  /** Picks from the operands' nodes, each with the tokens' axes in front. */
  readonly make: (builder: GraphBuilder, nodes: readonly Node[], only: Node | undefined) => Node;
}

function divides(of: Elaboration, span: Span, groups: number | "unknown"): boolean {
  const experts = known(expertsOf(of));
  if (groups === "unknown" || experts === undefined || experts % groups === 0) return true;
  report(of, "M0505", span, `${groups} groups do not divide ${experts} experts`, { label: `${experts} / ${groups} is not whole`, help: "choose a number of groups that divides the experts" });
  return false;
}

/** `until sum(p) > 0.4`: what stands in the sum. */
const summedOf = (expression: Expression): Expression =>
  expression.node === "call" && expression.callee.node === "name" && expression.callee.text === "sum" && expression.arguments[0] !== undefined
    ? expression.arguments[0].value
    : expression;

/** One expert for each token, as a list of one. */
const alone = (of: Elaboration, ids: Tensor): Tensor => {
  const axes: readonly VisibleAxis[] = [{ size: constant(1) }];
  return tensor(ids.element, ids.hidden, axes, build(of, [ids], (builder, node) => builder.reshape(node, [...node.shape, 1])));
};

function choiceOf(of: Elaboration, choice: Choice, scope: Scope): Made | undefined {
  const experts = expertsOf(of);
  switch (choice.form) {
    case "top": {
      const k = countOf(of, choice.count, scope, "the number of picks");
      const score = overExperts(of, choice.score, scope, "number", "the score");
      if (k === undefined || score === undefined || !atMost(of, choice.count.span, k, experts, "experts", "too many")) return undefined;
      return { tensors: [score], width: sizeFrom(k, "k"), score, empty: false, make: (builder, [s], only) => chooseTop(builder, masked(builder, s!, only), k as number) };
    }
    case "each": {
      const k = countOf(of, choice.count, scope, "the number of picks");
      const groups = countOf(of, choice.groups, scope, "the number of groups");
      const score = overExperts(of, choice.score, scope, "number", "the score");
      if (k === undefined || groups === undefined || score === undefined || !divides(of, choice.groups.span, groups)) return undefined;
      const inGroup = known(experts);
      if (inGroup !== undefined && groups !== "unknown" && !atMost(of, choice.count.span, k, constant(inGroup / groups), "experts of a group", "too many for one group")) return undefined;
      const width = k === "unknown" || groups === "unknown" ? named("k") : constant(k * groups);
      return { tensors: [score], width, score, empty: false, make: (builder, [s], only) => chooseEach(builder, masked(builder, s!, only), k as number, groups as number) };
    }
    case "best": {
      const k = countOf(of, choice.count, scope, "the number of picks");
      const best = countOf(of, choice.best, scope, "the number of best groups");
      const groups = countOf(of, choice.groups, scope, "the number of groups");
      const top = choice.by.top === undefined ? (choice.by.reduce.text === "max" ? 1 : "all") : countOf(of, choice.by.top, scope, "the number summed in a group");
      const score = overExperts(of, choice.score, scope, "number", "the score");
      const by = overExperts(of, choice.by.score, scope, "number", "the score of the groups");
      if (k === undefined || best === undefined || groups === undefined || top === undefined || score === undefined || by === undefined) return undefined;
      if (choice.by.reduce.text !== "sum" && choice.by.reduce.text !== "max") {
        report(of, "M0506", choice.by.reduce.span, "groups are ranked by `sum` or `max`", { label: `not by \`${choice.by.reduce.text}\``, help: "write `by max(q)` or `by sum(top 2 of q)`" });
        return undefined;
      }
      if (!divides(of, choice.groups.span, groups)) return undefined;
      if (groups !== "unknown" && !atMost(of, choice.best.span, best, constant(groups), "groups", "too many")) return undefined;
      const total = known(experts);
      if (total !== undefined && groups !== "unknown") {
        const inGroup = total / groups;
        if (best !== "unknown" && !atMost(of, choice.count.span, k, constant(inGroup * best), "experts of the best groups", "too many")) return undefined;
        if (top !== "all" && choice.by.top !== undefined && !atMost(of, choice.by.top.span, top, constant(inGroup), "experts of a group", "too many")) return undefined;
      }
      return {
        tensors: [score, by],
        width: sizeFrom(k, "k"),
        score,
        empty: false,
        make: (builder, [s, g], only) =>
          chooseBest(builder, masked(builder, s!, only), k as number, best as number, groups as number, {
            score: masked(builder, g!, only),
            top: top === "all" ? known(experts)! / (groups as number) : (top as number),
          }),
      };
    }
    case "until": {
      const summed = overExperts(of, summedOf(choice.summed), scope, "number", "what is summed");
      const by = overExperts(of, choice.by, scope, "number", "the score");
      const limit = of.parts.evaluate(of, choice.threshold, scope);
      const most = choice.most === undefined ? undefined : countOf(of, choice.most, scope, "the number of picks");
      if (summed === undefined || by === undefined || isBroken(limit) || (choice.most !== undefined && most === undefined)) return undefined;
      const threshold = toTensor(of, limit);
      if (threshold === undefined || threshold.axes.length > 0 || threshold.element === "bool") {
        report(of, "M0506", choice.threshold.span, "the threshold must be one number", { label: `this is ${describe(limit)}`, help: "write a number: `until sum(p) > 0.4 by p`" });
        return undefined;
      }
      if (most !== undefined && !atMost(of, choice.most!.span, most, experts, "experts", "too many")) return undefined;
      const bare = threshold.hidden.length === 0;
      return {
        tensors: bare ? [summed, by] : [summed, by, castTo(of, threshold, "number")],
        width: most === undefined ? experts : sizeFrom(most, "k"),
        score: by,
        empty: false,
        make: (builder, [s, b, t], only) =>
          chooseUntil(builder, s!, bare ? castTo(of, threshold, "number").node! : t!, choice.strict, masked(builder, b!, only), most === "unknown" ? undefined : most),
      };
    }
    case "where": {
      const condition = overExperts(of, choice.condition, scope, "bool", "the condition");
      const most = choice.most === undefined ? undefined : countOf(of, choice.most, scope, "the number of picks");
      const by = choice.by === undefined ? undefined : overExperts(of, choice.by, scope, "number", "the score");
      if (condition === undefined || (choice.most !== undefined && most === undefined) || (choice.by !== undefined && by === undefined)) return undefined;
      if ((most === undefined) !== (by === undefined)) {
        report(of, "M0506", choice.span, "`at most` and `by` go together", { label: most === undefined ? "`by` without `at most`" : "`at most` without `by`", help: "write `choose where score > 0 at most 4 by score`" });
        return undefined;
      }
      if (most !== undefined && !atMost(of, choice.most!.span, most, experts, "experts", "too many")) return undefined;
      return {
        tensors: by === undefined ? [condition] : [condition, by],
        width: most === undefined ? experts : sizeFrom(most, "k"),
        empty: true,
        make: (builder, [c, b], only) =>
          chooseWhere(builder, only === undefined ? c! : builder.map("and", c!, only), most === "unknown" ? undefined : most, b),
      };
    }
    case "all":
      return {
        tensors: [tensor("bool", [], [expertAxis(of)], of.builder === undefined ? undefined : of.builder.broadcastTo(of.builder.constant(true), [experts], []))],
        width: experts,
        empty: false,
        make: (builder, [like], only) => chooseAll(builder, like!, only),
      };
    case "tokens": {
      const score = overExperts(of, choice.score, scope, "number", "the score");
      const value = of.parts.evaluate(of, choice.count, scope);
      if (score === undefined || isBroken(value)) return undefined;
      if (value.kind !== "number") {
        report(of, "M0504", choice.count.span, "the number of tokens must be a number or a size", { label: `this is ${describe(value)}`, help: "write a size: `choose top ceil(2 * sequence / N) tokens of ...`" });
        return undefined;
      }
      if (of.decode !== undefined) of.collected.undecodable.add(`${frameOf(of).path}: experts choose among all tokens of the text`);
      const rounded = asSize(roundSize(value, "ceil"), checking(of));
      const count = rounded.kind === "size" ? rounded.size : undefined;
      if (count === undefined && !checking(of)) {
        report(of, "M0504", choice.count.span, "the number of tokens must be a size", { label: "not a size", help: "write whole numbers and sizes" });
        return undefined;
      }
      const tokens = tokensOf(of, [score]);
      const axes = choice.scope === "sequence" ? Math.min(1, tokens.length) : tokens.length;
      const outer = product(tokens.slice(0, tokens.length - axes).map(({ size }) => size));
      return {
        tensors: [score],
        width: experts,
        score,
        empty: true,
        ...(count === undefined ? {} : { bound: multiply(multiply(count, experts), outer) }),
        make: (builder, [s], only) => chooseTokens(builder, masked(builder, s!, only), count!, axes),
      };
    }
    case "given": {
      const route = of.parts.evaluate(of, choice.route, scope);
      if (isBroken(route)) return undefined;
      const given = route.kind === "gates" ? route.picks : toTensor(of, route);
      const picks = given?.axes.length === 0 ? alone(of, given) : given;
      if (picks === undefined || picks.element !== "int" || picks.axes.length !== 1) {
        report(of, "M0506", choice.route.span, "`choose given` takes gates or integers `int [K]`", { label: picks === undefined ? `this is ${describe(route)}` : `this is ${picks.element} ${showShape(picks.axes)}`, help: "give gates, or the experts of each token" });
        return undefined;
      }
      return {
        tensors: [picks],
        width: picks.axes[0]!.size,
        empty: true,
        make: (builder, [p], only) => {
          if (only === undefined) return p!;
          const open = builder.take(builder.cast(only, "i32"), p!, p!.shape.length - 1);
          return builder.select(builder.map("lt", builder.constant(0, "i32"), open), p!, -1);
        },
      };
    }
    default:
      return choice satisfies never;
  }
}

/** `choose ... only where mask` */
export function choose(of: Elaboration, statement: Extract<Statement, { node: "choose" }>, scope: Scope): void {
  const router = routerOf(of);
  if (router.before !== undefined && !checking(of)) {
    report(of, "M0507", statement.span, "a router chooses once", { label: "again here", help: "keep one `choose`" });
    return;
  }
  const made = choiceOf(of, statement.choice, scope);
  const only = statement.only === undefined ? undefined : overExperts(of, statement.only, scope, "bool", "the mask");
  if (made === undefined || (statement.only !== undefined && only === undefined)) {
    router.failed = true;
    return;
  }
  const masks = [only, router.open].filter((each): each is Tensor => each !== undefined);
  const tokens = tokensOf(of, [...made.tensors, ...masks]);
  const wide = made.tensors.map((each) => expandTo(of, each, tokens, each.axes));
  const shut = masks.map((each) => expandTo(of, each, tokens, each.axes));
  const node = build(of, [...wide, ...shut], (builder, ...nodes) => {
    const mask = nodes.slice(wide.length).reduce<Node | undefined>((a, b) => (a === undefined ? b : builder.map("and", a, b)), undefined);
    return made.make(builder, nodes.slice(0, wide.length), mask);
  });
  const bare = tensor("int", tokens, [{ size: made.width }], node);
  const valid = tensor("bool", tokens, [{ size: made.width }], build(of, [bare], isPicked));
  router.before = { ...bare, axes: [{ size: made.width, name: "picks", valid }] };
  if (made.score !== undefined) router.score = made.score;
  if (made.bound !== undefined) router.bound = made.bound;
  router.mayBeEmpty = made.empty || masks.length > 0;
}

/** `capacity c per batch drop last` */
export function limit(of: Elaboration, statement: Extract<Statement, { node: "capacity" }>, scope: Scope): void {
  const router = routerOf(of);
  const value = of.parts.evaluate(of, statement.value, scope);
  if (isBroken(value)) return;
  if (value.kind !== "number") {
    report(of, "M0508", statement.value.span, "a capacity must be a number or a size", { label: `this is ${describe(value)}`, help: "write tokens per expert: `capacity 1.25 * k * tokens / N`" });
    return;
  }
  const { before, score } = router;
  if (before === undefined) {
    if (router.failed === true) return;
    report(of, "M0508", statement.span, "`capacity` stands before `choose`", { label: "nothing has been chosen yet", help: "move it below `choose`" });
    return;
  }
  if (statement.drop === "lowest" && score === undefined) {
    report(of, "M0508", statement.span, "`drop lowest` needs a choice by score", { label: "nothing says which picks are lowest", help: "write `drop last`, or choose by a score" });
    return;
  }
  const inner = statement.scope === "sequence" ? Math.min(1, before.hidden.length) : before.hidden.length;
  const experts = expertsOf(of);
  const wide = score === undefined ? undefined : expandTo(of, score, before.hidden, score.axes);
  const node = build(of, [before], (builder, picks) => {
    const count = known(experts)!;
    if (statement.drop === "last") return dropLast(builder, picks, count, numberNode(builder, value.poly!), inner);
    const rounded = roundSize(value, "ceil").poly!;
    return dropLowest(builder, picks, chosenOf(builder, picks, experts), wide!.node!, rounded, inner);
  });
  router.after = tensor("int", before.hidden, [{ size: before.axes[0]!.size }], node);
}

/** Inside a weight a tensor over experts stands for its chosen entries. */
export function restrict(of: Elaboration, value: Value): Value {
  const router = frameOf(of).router;
  if (router?.restricted !== true || router.before === undefined || value.kind !== "tensor" || value.axes.length !== 1) return value;
  const [axis] = value.axes;
  if (axis!.valid !== undefined || !sameSizes(axis!.size, expertsOf(of))) return value;
  if (axis!.name !== undefined && axis!.name !== router.axisName) return value;
  const { before } = router;
  const wide = value.hidden.length === 0 ? value : expandTo(of, value, unionHidden([value, before]), value.axes);
  return tensor(
    value.element,
    before.hidden,
    before.axes,
    build(of, [wide, before], (builder, table, picks) => atPicks(builder, table, picks)),
  );
}

/** `weight expr` */
export function weigh(of: Elaboration, statement: Extract<Statement, { node: "weight" }>, scope: Scope): void {
  const router = routerOf(of);
  if (router.before === undefined) {
    if (router.failed !== true)
      report(of, "M0509", statement.span, "`weight` stands before `choose`", { label: "nothing has been chosen yet", help: "move it below `choose`" });
    return;
  }
  router.restricted = true;
  const value = of.parts.evaluate(of, statement.value, scope);
  router.restricted = false;
  if (isBroken(value)) return;
  const found = toTensor(of, value);
  const picks = router.before.axes[0]!;
  if (found === undefined || found.element === "bool" || found.axes.length > 1 || (found.axes[0] !== undefined && !sameSizes(found.axes[0].size, picks.size))) {
    report(of, "M0509", statement.value.span, "a weight must be one number for each chosen expert", {
      label: found === undefined ? `this is ${describe(value)}` : `this is ${found.element} ${showShape(found.axes)}`,
      help: "write an expression of `[N]` tensors, such as `score / sum(score)`",
    });
    return;
  }
  router.weight = castTo(of, found, "number");
}

/** The gates that the statements so far make. */
export function finishGates(of: Elaboration): Gates | undefined {
  const router = routerOf(of);
  const { before } = router;
  if (before === undefined) return undefined;
  const experts = expertsOf(of);
  const picks = router.after ?? tensor("int", before.hidden, [{ size: before.axes[0]!.size }], before.node);
  const given = router.weight ?? (router.score === undefined ? undefined : (() => {
    router.restricted = true;
    const chosen = restrict(of, { ...router.score, axes: [{ size: experts }] });
    router.restricted = false;
    return chosen as Tensor;
  })());
  const hidden = given === undefined ? before.hidden : unionHidden([given, before]);
  const wide = given === undefined ? undefined : expandTo(of, given, hidden, before.axes);
  const at = expandTo(of, picks, hidden, picks.axes);
  const weight = tensor(
    "number",
    hidden,
    picks.axes,
    build(of, [at, wide], (builder, ids, values) => builder.select(isPicked(builder, ids), values ?? builder.broadcastTo(builder.constant(1), ids.shape, []), 0)),
  );
  const axis = expertAxis(of);
  const chosen = tensor("number", picks.hidden, [axis], build(of, [picks], (builder, ids) => chosenOf(builder, ids, experts)));
  const load = tensor("number", [], [axis], build(of, [picks], (builder, ids) => loadOf(builder, ids.shape.length === 1 ? builder.reshape(ids, [1, ...ids.shape]) : ids, known(experts)!)));
  // A weight that is written later is read with the gates that the router returns; what was read before has none of it.
  const gates: Gates = { kind: "gates", picks, weight, chosen, load, count: experts, ...(router.bound === undefined ? {} : { bound: router.bound }) };
  return gates;
}

/** `load`, `chosen`, `is_null`, `experts`, `tokens`, `sequence`: what a router knows. */
export function routerName(of: Elaboration, name: string): Value | undefined {
  const { router, lead } = frameOf(of);
  if (router === undefined) return undefined;
  switch (name) {
    case "load":
    case "chosen": {
      const gates = finishGates(of);
      if (gates === undefined) return undefined;
      return name === "load" ? gates.load : gates.chosen;
    }
    case "is_null": {
      const nulls = router.nulls.poly ?? [];
      const axis = expertAxis(of);
      const node = of.builder === undefined ? undefined : of.builder.map("le", of.builder.constant(known(axis.size)! - known(nulls)!, "i32"), of.builder.index(axis.size));
      return tensor("bool", [], [axis], node);
    }
    case "experts": {
      const [count, nulls] = [router.count.poly, router.nulls.poly];
      if (count === undefined || nulls === undefined) return { kind: "number" };
      return checking(of) ? { kind: "number", poly: named("experts"), name: "experts" } : { kind: "number", poly: constant(known(count)! - known(nulls)!), name: "experts" };
    }
    case "tokens":
      return { kind: "number", poly: checking(of) ? named("tokens") : product(lead.map(({ size }) => size)), name: "tokens" };
    case "sequence":
      return { kind: "number", poly: checking(of) ? named("sequence") : (lead.at(-1)?.size ?? constant(1)), name: "sequence" };
    default:
      return undefined;
  }
}
export const routerNames = ["load", "chosen", "is_null", "experts", "tokens", "sequence"] as const;

/** What the router returns, with its report registered. */
export function returnGates(of: Elaboration): Value {
  const frame = frameOf(of);
  const gates = finishGates(of);
  if (gates === undefined) return broken;
  const { picks, load } = gates;
  const width = known(picks.axes[0]!.size);
  if (picks.node !== undefined && load.node !== undefined && width !== undefined) {
    const nulls = known(frame.router!.nulls.poly ?? []) ?? 0;
    of.collected.routers.push({ name: frame.path, experts: known(gates.count)! - nulls, nulls, picks: picks.node, load: load.node, width });
  }
  return gates;
}
