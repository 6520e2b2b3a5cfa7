// `capacity c in each of 8 groups per batch drop lowest of max(p)`: how many tokens an expert (or a group of experts) takes, and
// who keeps a place. In: the statement, below a choice. Out: the router's picks with dropped ones at -1. The dropping itself is
// composed in compiler/build/capacity.ts.

import type { Statement } from "../../grammar/syntax.ts";
import { known } from "../../runtime/size.ts";
import { dropLast, dropLowest, dropLowestOfPicks, queuesOfGroups } from "../build/capacity.ts";
import { atPicks, chosenOf } from "../build/gates.ts";
import { castTo, expandTo, numberNode, toTensor } from "./align.ts";
import { divides } from "./choices.ts";
import { build, type Elaboration, report } from "./elaboration.ts";
import { notBelowNone, number, roundSize, sameSizes, showShape, showSize, valueOf } from "./number.ts";
import type { Scope } from "./scope.ts";
import { batchInWords, inRecipe } from "./recipe-sizes.ts";
import { countOf, expertAxis, expertsOf, routerOf } from "./scores.ts";
import { noteUndecodable } from "./sequence-notes.ts";
import { describe, isBroken, tensor, type Tensor } from "./value.ts";

type Capacity = Extract<Statement, { node: "capacity" }>;

export function limit(of: Elaboration, statement: Capacity, scope: Scope): void {
  const router = routerOf(of);
  const value = of.parts.evaluate(of, statement.value, scope);
  if (isBroken(value)) return;
  if (value.kind !== "number") {
    report(of, "M0508", statement.value.span, "a capacity must be a number or a size", {
      label: `this is ${describe(value)}`,
      help: "write tokens per expert: `capacity 1.25 * k * tokens / N`",
    });
    return;
  }
  const counted = valueOf(value);
  const places = counted ?? inRecipe(of, value);
  if (places !== undefined && !(places > 0)) {
    if (of.decode !== undefined)
      return noteUndecodable(
        of,
        "leaves no place when the batch is one token",
        "keep one: `capacity max(1, ...)`, or end the line with `in training`",
      );
    const where = counted === undefined ? batchInWords(of) : "";
    report(of, "M0508", statement.value.span, "a capacity must be more than 0", {
      label: `this is ${places}${where}: every pick would be dropped`,
      help: "write tokens per expert: `capacity 1.25 * k * tokens / N`",
    });
    return;
  }
  const { before } = router;
  if (before === undefined) {
    if (router.failed === true) return;
    report(of, "M0508", statement.span, "`capacity` stands before `choose`", {
      label: "nothing has been chosen yet",
      help: "move it below `choose`",
    });
    return;
  }
  const groups =
    statement.groups === undefined ? undefined : countOf(of, statement.groups, scope, "the number of groups");
  if (statement.groups !== undefined && (groups === undefined || !divides(of, statement.groups.span, groups)))
    return;
  const score = statement.of === undefined ? router.score : priorityOf(of, statement.of, scope);
  if (statement.drop === "lowest" && score === undefined) {
    if (statement.of === undefined)
      report(of, "M0508", statement.span, "`drop lowest` needs a choice by score", {
        label: "nothing says which picks are lowest",
        help: "say it: `drop lowest of p`, or write `drop last`",
      });
    return;
  }
  const experts = expertsOf(of);
  const inner = statement.scope === "sequence" ? Math.min(1, before.hidden.length) : before.hidden.length;
  const wide = score === undefined ? undefined : expandTo(of, score, before.hidden, [expertAxis(of)]);
  // More than there are tokens drops nothing; kernels count in 32 bits.
  const capacity = counted === undefined ? value : number(Math.min(counted, 2 ** 30));
  const node = build(of, [before], (builder, picks) => {
    const count = known(experts)!;
    const queues =
      groups === undefined ? { ids: picks, count } : queuesOfGroups(builder, picks, count, groups as number);
    if (statement.drop === "last")
      return dropLast(builder, picks, queues, numberNode(builder, capacity.poly!), inner);
    const rounded = notBelowNone(roundSize(capacity, "ceil").poly!);
    if (groups === undefined && router.distinct === true)
      return dropLowest(builder, picks, chosenOf(builder, picks, experts), wide!.node!, rounded, inner);
    return dropLowestOfPicks(builder, picks, queues, atPicks(builder, wide!.node!, picks), rounded, inner);
  });
  router.after = tensor("int", before.hidden, [{ size: before.axes[0]!.size }], node);
}

/** Who keeps a place: one number for each expert, or one for the token. */
function priorityOf(
  of: Elaboration,
  expression: NonNullable<Capacity["of"]>,
  scope: Scope,
): Tensor | undefined {
  const value = of.parts.evaluate(of, expression, scope);
  if (isBroken(value)) return undefined;
  const found = toTensor(of, value);
  const size = expertsOf(of);
  const fits =
    found !== undefined &&
    found.element !== "bool" &&
    (found.axes.length === 0 || (found.axes.length === 1 && sameSizes(found.axes[0]!.size, size)));
  if (fits) return castTo(of, found, "number");
  report(
    of,
    "M0522",
    expression.span,
    `who keeps a place is said by one number for each expert, \`[${showSize(size)}]\`, or one for the token`,
    {
      label:
        found === undefined
          ? `this is ${describe(value)}`
          : `this is ${found.element === "bool" ? "bool " : ""}${showShape(found.axes)}`,
      help: "write `drop lowest of p`, `drop lowest of max(p)` or `drop lowest of uniform(p)`",
    },
  );
  return undefined;
}
