// `pool(x) by TopK { k = 4 }`: a pool, what it reads, and the router that says which experts. A router that is given without
// inputs reads what the experts read. In: Syntax. Out: the merged result.

import type { Expression, Span } from "../../grammar/syntax.ts";
import { known } from "../../runtime/size.ts";
import { frameOf, report, type ApplyHints, type Elaboration } from "./elaboration.ts";
import { countInputs, matchInputs, requiredInputs } from "./inputs.ts";
import { areInputs, asInstance, evaluateArguments } from "./instance.ts";
import { openMask } from "./modality-mask.ts";
import { countsOf } from "./pool.ts";
import { headOf } from "./repeated.ts";
import { reportNulls } from "./router.ts";
import { applyPool } from "./run-pool.ts";
import { lookUp, type Scope } from "./scope.ts";
import { toTensor } from "./align.ts";
import { broken, describe, isBroken, type Gates, type Pool, type Value } from "./value.ts";

const bare = (expression: Expression): Expression =>
  expression.node === "group" ? bare(expression.inner) : expression;

/** What the router's parameters are called: `router`, whether it is written out or a static, or what the body has bound it to. */
function nameOf(of: Elaboration, expression: Expression, scope: Scope): string {
  const head = headOf(expression);
  const bound =
    head !== undefined &&
    lookUp(scope, head) !== undefined &&
    !frameOf(of).definition.statics.some(({ name }) => name.text === head);
  return bound ? head.toLowerCase() : "router";
}

/** Gates for a pool from what stands after `by` or `router`: a router to apply, a router applied, or gates. */
export function gatesFor(
  of: Elaboration,
  expression: Expression,
  pool: Pool,
  inputs: readonly Value[],
  scope: Scope,
): Gates | undefined {
  const { all, nulls } = countsOf(pool);
  const [x] = inputs;
  const open = x === undefined ? undefined : openMask(of, pool, toTensor(of, x), all);
  const hints: ApplyHints = {
    count: all,
    nulls,
    base: nameOf(of, expression, scope),
    ...(open === undefined ? {} : { open }),
  };
  const span = expression.span;
  const inner = bare(expression);
  let value: Value;
  if (inner.node === "call") {
    const callee = of.parts.evaluate(of, inner.callee, scope);
    if (callee.kind === "definition" || callee.kind === "instance") {
      const given = evaluateArguments(of, inner.arguments, scope);
      if (callee.definition.kind === "router" && areInputs(callee, given)) {
        const matched = matchInputs(of, callee.definition, given, span);
        if (matched === undefined) return undefined;
        value = of.parts.apply(of, asInstance(callee, span), matched, span, hints);
        return gatesOrReport(of, value, span);
      }
    }
  }
  value = of.parts.evaluate(of, expression, scope);
  if (value.kind === "definition" || value.kind === "instance") {
    if (value.definition.kind !== "router") {
      report(of, "M0515", span, `${describe(value)} stands where a router is wanted`, {
        label: `\`${value.definition.name.text}\` is ${describe(value)}`,
        help: "name a router, such as `TopK { k = 2 }`",
      });
      return undefined;
    }
    // What the experts read beside the token is theirs: inputs that a router may do without are given to it by name.
    const wants = requiredInputs(value.definition);
    if (wants > inputs.length) {
      report(
        of,
        "M0204",
        span,
        `\`${value.definition.name.text}\` takes ${countInputs(value.definition)}, and the pool has ${inputs.length}`,
        { label: "too few inputs", help: "apply the router to its inputs: `router Name(x, z)`" },
      );
      return undefined;
    }
    value = of.parts.apply(of, asInstance(value, span), inputs.slice(0, wants), span, hints);
  }
  if (value.kind === "gates") reportNulls(of, value, known(nulls.poly ?? []) ?? 0);
  return gatesOrReport(of, value, span);
}

function gatesOrReport(of: Elaboration, value: Value, span: Span): Gates | undefined {
  if (value.kind === "gates") return value;
  if (!isBroken(value))
    report(of, "M0515", span, `${describe(value)} stands where a router is wanted`, {
      label: `this is ${describe(value)}`,
      help: "name a router, such as `TopK { k = 2 }`, or give gates",
    });
  return undefined;
}

export function routePool(
  of: Elaboration,
  expression: Extract<Expression, { node: "by" }>,
  scope: Scope,
): Value {
  const call = bare(expression.of);
  if (call.node !== "call")
    return report(of, "M0514", expression.span, "`by` routes a pool that is applied", {
      label: "not applied to anything",
      help: "write `pool(x) by TopK { k = 2 }`",
    });
  const callee = of.parts.evaluate(of, call.callee, scope);
  const given = evaluateArguments(of, call.arguments, scope);
  if (isBroken(callee)) return broken;
  if (callee.kind !== "pool")
    return report(of, "M0514", call.callee.span, `\`by\` routes a pool, not ${describe(callee)}`, {
      label: `this is ${describe(callee)}`,
      help: "make a pool: `pool = SwiGLU(D, H) * 64`",
    });
  if (given.some(({ value }) => isBroken(value))) return broken;
  const named = given.find(({ argument }) => argument.name !== undefined)?.argument.name;
  if (named !== undefined)
    return report(of, "M0204", named.span, "what a pool reads is given by position", {
      label: "has a name",
      help: "experts of unlike kinds may call it differently: write `pool(x, other)`",
    });
  const inputs = given.map(({ value }) => value);
  if (inputs.length === 0)
    return report(of, "M0204", call.span, "a pool takes what its experts take", {
      label: "nothing is given",
      help: "write `pool(x) by ...`",
    });
  const gates = gatesFor(of, expression.router, callee, inputs, scope);
  if (gates === undefined) return broken;
  return applyPool(of, expression.span, callee, inputs, gates);
}
