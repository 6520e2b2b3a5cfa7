// Routers: `choose` and `weight`, and the names that a router knows of its choice. In: scores for N experts.
// Out: gates: picks, weights, who was chosen, the load. What a choice reads is in scores.ts, its forms are in choices.ts, `capacity` in capacity.ts.

import type { Expression, Statement } from "../../grammar/syntax.ts";
import { constant, known, named, product } from "../../runtime/size.ts";
import { atPicks, chosenOf, isPicked, loadOf } from "../build/gates.ts";
import type { Node } from "../graph.ts";
import { castTo, expandTo, toTensor, unionHidden } from "./align.ts";
import { choiceOf } from "./choices.ts";
import { build, checking, type Elaboration, frameOf, report } from "./elaboration.ts";
import { sameSizes, showShape } from "./number.ts";
import type { Scope } from "./scope.ts";
import { asExperts, expertAxis, expertsOf, routerOf, tokensOf } from "./scores.ts";
import { broken, describe, type Gates, isBroken, tensor, type Tensor, type Value } from "./value.ts";

/** `choose ... only where mask` */
export function choose(
  of: Elaboration,
  statement: Extract<Statement, { node: "choose" }>,
  scope: Scope,
): void {
  const router = routerOf(of);
  if (router.before !== undefined && !checking(of)) {
    report(of, "M0507", statement.span, "a router chooses once", {
      label: "again here",
      help: "keep one `choose`",
    });
    return;
  }
  const made = choiceOf(of, statement.choice, scope);
  const only = statement.only === undefined ? undefined : maskOf(of, statement.only, scope);
  if (made === undefined || (statement.only !== undefined && only === undefined)) {
    router.failed = true;
    return;
  }
  // A mask that is open to all, as one of an input that nobody gives, is none.
  const masks = [only, router.open].filter(
    (each): each is Tensor => each !== undefined && each.constant !== 1,
  );
  const tokens = tokensOf(of, [...made.tensors, ...masks]);
  const wide = made.tensors.map((each) => expandTo(of, each, tokens, each.axes));
  const shut = masks.map((each) => expandTo(of, each, tokens, each.axes));
  const node = build(of, [...wide, ...shut], (builder, ...nodes) => {
    const mask = nodes
      .slice(wide.length)
      .reduce<Node | undefined>((a, b) => (a === undefined ? b : builder.map("and", a, b)), undefined);
    return made.make(builder, nodes.slice(0, wide.length), mask);
  });
  const bare = tensor("int", tokens, [{ size: made.width }], node);
  const valid = tensor("bool", tokens, [{ size: made.width }], build(of, [bare], isPicked));
  router.before = { ...bare, axes: [{ size: made.width, name: "picks", valid }] };
  if (made.score !== undefined) router.score = made.score;
  if (made.bound !== undefined) router.bound = made.bound;
  router.distinct = made.distinct !== false;
  router.mayBeEmpty = made.empty || masks.length > 0;
}

/** One truth value for each expert, or one for the token. */
function maskOf(of: Elaboration, expression: Expression, scope: Scope): Tensor | undefined {
  const value = of.parts.evaluate(of, expression, scope);
  if (isBroken(value)) return undefined;
  const found = toTensor(of, value);
  return found?.element === "bool" && found.axes.length === 0
    ? { ...found, ...expandTo(of, found, found.hidden, [expertAxis(of)]) }
    : asExperts(of, expression, value, "bool", "the mask");
}

/** Inside a weight a tensor over experts stands for its chosen entries. */
export function restrict(of: Elaboration, value: Value): Value {
  const router = frameOf(of).router;
  if (
    router?.restricted !== true ||
    router.before === undefined ||
    value.kind !== "tensor" ||
    value.axes.length !== 1
  )
    return value;
  const [axis] = value.axes;
  if (axis!.valid !== undefined || !sameSizes(axis!.size, expertsOf(of))) return value;
  // Of another axis that happens to be as long: `D` where D = N. An index is of the axis that it stood for.
  const called = axis!.of === undefined ? axis!.name : axis!.of.name;
  if (called !== undefined && called !== router.axisName) return value;
  const { before } = router;
  const wide =
    value.hidden.length === 0 ? value : expandTo(of, value, unionHidden([value, before]), value.axes);
  return tensor(
    value.element,
    before.hidden,
    before.axes,
    build(of, [wide, before], (builder, table, picks) => atPicks(builder, table, picks)),
  );
}

/** `weight expr` */
export function weigh(
  of: Elaboration,
  statement: Extract<Statement, { node: "weight" }>,
  scope: Scope,
): void {
  const router = routerOf(of);
  if (router.before === undefined) {
    if (router.failed !== true)
      report(of, "M0509", statement.span, "`weight` stands before `choose`", {
        label: "nothing has been chosen yet",
        help: "move it below `choose`",
      });
    return;
  }
  router.restricted = true;
  const value = of.parts.evaluate(of, statement.value, scope);
  router.restricted = false;
  if (isBroken(value)) return;
  const found = toTensor(of, value);
  const picks = router.before.axes[0]!;
  if (
    found === undefined ||
    found.element === "bool" ||
    found.axes.length > 1 ||
    (found.axes[0] !== undefined && !sameSizes(found.axes[0].size, picks.size))
  ) {
    report(of, "M0509", statement.value.span, "a weight must be one number for each chosen expert", {
      label:
        found === undefined
          ? `this is ${describe(value)}`
          : `this is ${found.element} ${showShape(found.axes)}`,
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
  const given =
    router.weight ??
    (router.score === undefined
      ? undefined
      : (() => {
          const inside = router.restricted === true; // `chosen` and `load` are read inside of weights, too
          router.restricted = true;
          const chosen = restrict(of, { ...router.score, axes: [{ size: experts }] });
          router.restricted = inside;
          return chosen as Tensor;
        })());
  const hidden = given === undefined ? before.hidden : unionHidden([given, before]);
  const wide = given === undefined ? undefined : expandTo(of, given, hidden, before.axes);
  const at = expandTo(of, picks, hidden, picks.axes);
  const weight = tensor(
    "number",
    hidden,
    picks.axes,
    build(of, [at, wide], (builder, ids, values) =>
      builder.select(
        isPicked(builder, ids),
        values ?? builder.broadcastTo(builder.constant(1), ids.shape, []),
        0,
      ),
    ),
  );
  const axis = expertAxis(of);
  const chosen = tensor(
    "number",
    picks.hidden,
    [axis],
    build(of, [picks], (builder, ids) => chosenOf(builder, ids, experts)),
  );
  const load = tensor(
    "number",
    [],
    [axis],
    build(of, [picks], (builder, ids) =>
      loadOf(
        builder,
        ids.shape.length === 1 ? builder.reshape(ids, [1, ...ids.shape]) : ids,
        known(experts)!,
      ),
    ),
  );
  // A weight that is written later is read with the gates that the router returns; what was read before has none of it.
  const gates: Gates = {
    kind: "gates",
    picks,
    weight,
    chosen,
    load,
    count: experts,
    ...(router.bound === undefined ? {} : { bound: router.bound }),
  };
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
      const node =
        of.builder === undefined
          ? undefined
          : of.builder.map(
              "le",
              of.builder.constant(known(axis.size)! - known(nulls)!, "i32"),
              of.builder.index(axis.size),
            );
      return tensor("bool", [], [axis], node);
    }
    case "experts": {
      const [count, nulls] = [router.count.poly, router.nulls.poly];
      if (count === undefined || nulls === undefined) return { kind: "number" };
      return checking(of)
        ? { kind: "number", poly: named("experts"), name: "experts" }
        : { kind: "number", poly: constant(known(count)! - known(nulls)!), name: "experts" };
    }
    case "tokens":
      return {
        kind: "number",
        poly: checking(of) ? named("tokens") : product(lead.map(({ size }) => size)),
        name: "tokens",
      };
    case "sequence":
      return {
        kind: "number",
        poly: checking(of) ? named("sequence") : (lead.at(-1)?.size ?? constant(1)),
        name: "sequence",
      };
    default:
      return undefined;
  }
}
export const routerNames = ["load", "chosen", "is_null", "experts", "tokens", "sequence"] as const;

/** A router's path; of the second application of the same router `PATH.2`, and so on: each has a load of its own. */
function reportName(of: Elaboration, path: string): string {
  const taken = new Set(of.collected.routers.map(({ name }) => name));
  let name = path;
  for (let time = 2; taken.has(name); time++) name = `${path}.${time}`;
  return name;
}

/** What the router returns, with its report registered. */
export function returnGates(of: Elaboration): Value {
  const frame = frameOf(of);
  const gates = finishGates(of);
  if (gates === undefined) return broken;
  const { picks, load } = gates;
  const width = known(picks.axes[0]!.size);
  if (picks.node === undefined || load.node === undefined || width === undefined) return gates;
  const nulls = known(frame.router!.nulls.poly ?? []) ?? 0;
  const name = reportName(of, frame.path);
  of.collected.routers.push({
    name,
    experts: known(gates.count)! - nulls,
    nulls,
    picks: picks.node,
    load: load.node,
    width,
    dropping: frame.router!.after !== undefined,
  });
  return { ...gates, router: name };
}

/** Gates that were made on their own learn which of their experts are null ones from the first pool with such that they are given to. */
export function reportNulls(of: Elaboration, gates: Gates, nulls: number): void {
  const { routers } = of.collected;
  const at = routers.findIndex(({ name }) => name === gates.router);
  const made = routers[at];
  if (made?.nulls === 0) routers[at] = { ...made, experts: made.experts - nulls, nulls };
}
