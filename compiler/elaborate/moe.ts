// The statements of a `moe`: shared, routed and null experts, and the router. They are collected while the body runs; at its end
// the pool is routed and everything is summed. In: statements. Out: the layer's result.

import type { Statement } from "../../grammar/syntax.ts";
import { known } from "../../runtime/size.ts";
import { toTensor, unionHidden } from "./align.ts";
import { gatesFor } from "./by.ts";
import { checking, frameOf, report, type Elaboration, type PoolFrame } from "./elaboration.ts";
import { describe, broken, isBroken, type Pool, type Tensor, type Value } from "./value.ts";
import { asSize, number, showSize } from "./number.ts";
import { addAll, inputsOf, poolOf, scaleBy } from "./pool.ts";
import { runPool } from "./run-pool.ts";
import type { Scope } from "./scope.ts";

const poolFrame = (of: Elaboration): PoolFrame => {
  const { pool } = frameOf(of);
  if (pool === undefined) throw new Error("internal: not in a moe");
  return pool;
};

/** Evaluates a factor on what experts return. */
function weightOf(
  of: Elaboration,
  statement: Extract<Statement, { node: "shared" | "routed" }>,
  scope: Scope,
): Value | undefined {
  if (statement.weight === undefined) return undefined;
  const value = of.parts.evaluate(of, statement.weight, scope);
  if (isBroken(value)) return undefined;
  const found = toTensor(of, value);
  if (found !== undefined && found.axes.length === 0 && found.element !== "bool") return value;
  report(of, "M0517", statement.weight.span, "the weight of experts is one number for each token", {
    label: `this is ${describe(value)}`,
    help: "write a number, or something like `sigmoid(x @ w)` with `param w: [D]`",
  });
  return undefined;
}

export function sharedExperts(
  of: Elaboration,
  statement: Extract<Statement, { node: "shared" }>,
  scope: Scope,
): void {
  const pool = poolOf(of, of.parts.evaluate(of, statement.pool, scope), number(1), statement.pool.span);
  if (pool.kind !== "pool")
    return void poolFrame(of).unread.push({ span: statement.pool.span, routed: false });
  if (pool.nulls.length > 0) {
    report(of, "M0518", statement.pool.span, "null experts cannot be shared", {
      label: "every token would do nothing",
      help: "write `null zero * 8` for experts that do nothing",
    });
    return;
  }
  const weight = weightOf(of, statement, scope);
  poolFrame(of).shared.push({ pool, span: statement.span, ...(weight === undefined ? {} : { weight }) });
}

export function routedExperts(
  of: Elaboration,
  statement: Extract<Statement, { node: "routed" }>,
  scope: Scope,
): void {
  const pool = poolOf(of, of.parts.evaluate(of, statement.pool, scope), number(1), statement.pool.span);
  if (pool.kind !== "pool")
    return void poolFrame(of).unread.push({ span: statement.pool.span, routed: true });
  const weight = weightOf(of, statement, scope);
  const modality = statement.modality?.text;
  const frame = poolFrame(of);
  for (const segment of pool.segments)
    frame.segments.push({
      ...segment,
      ...(modality === undefined ? {} : { modality }),
      ...(weight === undefined ? {} : { weight }),
    });
  frame.nulls.push(...pool.nulls);
}

export function nullExperts(
  of: Elaboration,
  statement: Extract<Statement, { node: "null" }>,
  scope: Scope,
): void {
  const count = statement.count === undefined ? number(1) : of.parts.evaluate(of, statement.count, scope);
  if (isBroken(count)) return void poolFrame(of).unread.push({ span: statement.span, routed: true });
  const size = count.kind === "number" ? asSize(count, checking(of)) : undefined;
  const value = size?.kind === "size" ? known(size.size) : undefined;
  if (
    count.kind !== "number" ||
    size?.kind === "not whole" ||
    size?.kind === "negative" ||
    (value === undefined && !checking(of))
  ) {
    report(
      of,
      "M0504",
      statement.count?.span ?? statement.span,
      "the number of experts must be a whole number of at least 1",
      {
        label:
          size === undefined
            ? `this is ${describe(count)}`
            : size.kind === "size"
              ? showSize(size.size)
              : size.kind === "unknown"
                ? "not known"
                : `this is ${size.text}`,
        help: "write a number, or a static that is one",
      },
    );
    return void poolFrame(of).unread.push({ span: statement.span, routed: true });
  }
  if (value !== 0) poolFrame(of).nulls.push({ kind: statement.kind, count, span: statement.span });
}

export function routerStatement(
  of: Elaboration,
  statement: Extract<Statement, { node: "router" }>,
  scope: Scope,
): void {
  const frame = poolFrame(of);
  if (frame.router !== undefined && !checking(of)) {
    report(of, "M0519", statement.span, "a pool has one router", {
      label: "a second one",
      help: "keep one, or end them with `in training` and `in inference`",
    });
    return;
  }
  frame.router = { expression: statement.router, scope };
}

/** At the end of the body: everything that was collected, applied to the inputs. Undefined when nothing was. */
export function finishMoe(of: Elaboration, scope: Scope): Value | undefined {
  const { definition } = frameOf(of);
  const { shared, segments, nulls, unread, router } = poolFrame(of);
  if (shared.length + segments.length + nulls.length + unread.length === 0 && router === undefined)
    return undefined;
  const span = definition.name.span;
  const given = definition.inputs.map(({ name }) => scope.names.get(name.text) ?? broken);
  if (given.some(isBroken)) return broken;
  const inputs: Tensor[] = [];
  for (const value of given) {
    const found = toTensor(of, value);
    if (found !== undefined) inputs.push(found);
  }
  const parts: Tensor[] = [];
  const pool: Pool = { kind: "pool", segments, nulls };
  const unreadRouted = unread.filter(({ routed }) => routed);
  const [first] = [...segments, ...nulls, ...unreadRouted];
  if (first !== undefined) {
    if (router === undefined)
      return report(of, "M0514", first.span, "a pool needs a router", {
        label: "nothing says which experts to take",
        help: "write `router TopK { k = 2 }`",
      });
    // How many experts there are, nobody knows: what a router makes of them is seen when they are given.
    if (unreadRouted.length > 0) return broken;
    for (const { instance, span: place } of segments)
      if (inputsOf(of, place, instance, inputs) === undefined) return broken;
    const gates = gatesFor(of, router.expression, pool, inputs, router.scope);
    if (gates === undefined) return broken;
    if (gates.picks.axes.length > 1)
      return report(of, "M0513", router.expression.span, "the gates are for other tokens than the layer", {
        label: "more than one set of gates for each input",
        help: "let the router read a tensor without further axes",
      });
    const routed = runPool(of, span, pool, inputs, gates, { base: "routed", unique: true });
    if (routed.kind !== "tensor") return broken;
    parts.push(routed);
  } else if (router !== undefined)
    return report(of, "M0514", router.expression.span, "a router needs a pool", {
      label: "nothing to route to",
      help: "write `routed SwiGLU(D, H) * 64`",
    });
  for (const { pool: always, weight, span: place } of shared)
    for (const { instance, count } of always.segments) {
      const times = known(count.poly ?? []) ?? 1;
      const wanted = inputsOf(of, place, instance, inputs);
      if (wanted === undefined) return broken;
      const several = times > 1 || shared.length > 1 || always.segments.length > 1;
      for (let i = 0; i < times; i++) {
        const counters = frameOf(of).counters;
        const index = counters.get("shared") ?? 0;
        counters.set("shared", index + 1);
        const result = of.parts.apply(of, instance, wanted, place, {
          base: several ? `shared.${index}` : "shared",
          exact: true,
        });
        const value = toTensor(of, result);
        if (isBroken(result) || value === undefined) return broken;
        parts.push(scaleBy(of, value, weight));
      }
    }
  const sum = addAll(of, span, parts, "shared and routed experts");
  if (sum === undefined) return broken;
  return { ...sum, hidden: unionHidden([sum]) };
}
