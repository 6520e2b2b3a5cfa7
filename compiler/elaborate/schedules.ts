// Schedules: `cosine(peak, warmup = 100)` and its kin, and the names `step`, `steps`, `progress`. In: numbers. Out: scalars
// that follow the optimiser's step. The formulas are in compiler/build/schedule.ts.

import {
  constantRate,
  cosine,
  exponential,
  linear,
  warmupStableDecay,
  type Clock,
} from "../build/schedule.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { nodesOf } from "../graph-walk.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import { checking, report, type Elaboration } from "./elaboration.ts";
import type { Call } from "./call.ts";
import { number, unknownNumber, valueOf } from "./number.ts";
import { broken, describe, isBroken, tensor, type Value } from "./value.ts";

/** What each schedule takes, in order; "steps" is the number of steps of the recipe. */
export const scheduleParameters: Readonly<
  Record<string, readonly { readonly name: string; readonly default?: number | "steps" }[]>
> = {
  cosine: [{ name: "peak" }, { name: "warmup", default: 0 }, { name: "floor", default: 0 }],
  linear: [{ name: "from" }, { name: "to" }, { name: "over", default: "steps" }],
  exponential: [{ name: "from" }, { name: "to" }, { name: "over", default: "steps" }],
  wsd: [
    { name: "peak" },
    { name: "warmup", default: 0 },
    { name: "decay", default: 0.2 },
    { name: "floor", default: 0 },
  ],
  constant: [{ name: "rate" }, { name: "warmup", default: 0 }],
};
export const scheduleNames: readonly string[] = Object.keys(scheduleParameters);
export const isSchedule = (name: string): boolean => Object.hasOwn(scheduleParameters, name);

/** Steps of a run of a model that says nothing of training. */
const otherwise = 1000;
const clockOf = (of: Elaboration, builder: GraphBuilder): Clock => ({
  step: builder.cast(builder.input("$step", "i32"), "f32"),
  steps: of.steps ?? otherwise,
});

export function callSchedule(of: Elaboration, { name, span, given }: Call): Value {
  const list = scheduleParameters[name]!;
  const values = new Map<string, number>();
  let next = 0;
  let known = true;
  for (const { argument, value } of given) {
    if (isBroken(value)) return broken;
    const parameter = argument.name === undefined ? list[next++]?.name : argument.name.text;
    if (parameter === undefined || !list.some((each) => each.name === parameter))
      return report(
        of,
        "M0204",
        argument.span,
        parameter === undefined
          ? `\`${name}\` takes ${list.length} arguments`
          : `\`${name}\` has no argument \`${parameter}\``,
        {
          label: parameter === undefined ? "one too many" : "not one of its arguments",
          help: didYouMean(
            parameter ?? "",
            list.map((each) => each.name),
            `it has ${list.map((each) => `\`${each.name}\``).join(", ")}`,
          ),
        },
      );
    const each = value.kind === "number" ? valueOf(value) : undefined;
    if (each === undefined && !(checking(of) && value.kind === "number"))
      return report(
        of,
        "M0209",
        argument.span,
        `an argument of \`${name}\` must be a number that is known when the model is compiled`,
        { label: `this is ${describe(value)}`, help: "write a number or a static" },
      );
    if (each === undefined) known = false;
    else values.set(parameter, each);
  }
  const missing = known
    ? list.find((each) => each.default === undefined && !values.has(each.name))
    : undefined;
  if (missing !== undefined)
    return report(of, "M0204", span, `\`${name}\` needs \`${missing.name}\``, {
      label: "not given",
      help: `write \`${name}(${list.map((each) => each.name).join(", ")})\``,
    });
  if (of.builder === undefined) return tensor("number", [], [], undefined);
  const { builder } = of;
  const clock = clockOf(of, builder);
  const value = (key: string): number => {
    const fallback = list.find((each) => each.name === key)!.default;
    return values.get(key) ?? (fallback === "steps" ? clock.steps : (fallback ?? 0));
  };
  const node = (() => {
    switch (name) {
      case "cosine":
        return cosine(builder, clock, value("peak"), value("warmup"), value("floor"));
      case "linear":
        return linear(builder, clock, value("from"), value("to"), value("over"));
      case "exponential":
        return exponential(builder, clock, value("from"), value("to"), value("over"));
      case "wsd":
        return warmupStableDecay(
          builder,
          clock,
          value("peak"),
          value("warmup"),
          value("decay"),
          value("floor"),
        );
      default:
        return constantRate(builder, clock, value("rate"), value("warmup"));
    }
  })();
  return tensor("number", [], [], node);
}

/** Whether a value is a number of each step and of nothing else, so that it can stand for a static. Without numbers (in checking) a single
 * number that belongs to no token is taken for one; building looks again. */
export const followsClock = (value: Value): boolean =>
  value.kind === "tensor" &&
  value.element === "number" &&
  value.axes.length === 0 &&
  value.hidden.length === 0 &&
  (value.node === undefined ||
    nodesOf([value.node]).every(
      (node) =>
        node.op === "const" ||
        node.op === "map" ||
        node.op === "view" ||
        (node.op === "input" && node.name === "$step"),
    ));

/** `step`, `steps`, `progress`. */
export function clockName(of: Elaboration, name: string): Value | undefined {
  const { builder } = of;
  if (name === "steps")
    return of.steps === undefined ? (checking(of) ? unknownNumber : number(otherwise)) : number(of.steps);
  if (name !== "step" && name !== "progress") return undefined;
  if (builder === undefined) return tensor("number", [], [], undefined);
  const { step, steps } = clockOf(of, builder);
  return tensor("number", [], [], name === "step" ? step : builder.div(step, Math.max(1, steps)));
}
