// Instances: a definition with some of its statics. In: a definition or an instance, and arguments by position and by name.
// Out: an instance with more statics, or a mistake reported. Nothing is run here.

import type { Argument, Definition, Span } from "../../grammar/syntax.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import { lookInside, report, type Elaboration } from "./elaboration.ts";
import { showShape } from "./number.ts";
import { followsClock } from "./schedules.ts";
import type { Scope } from "./scope.ts";
import { asTensor, broken, describe, isBroken, type Broken, type Instance, type Value } from "./value.ts";

/** An argument with its value. */
export interface Evaluated {
  readonly argument: Argument;
  readonly value: Value;
}

export type Definable = Extract<Value, { kind: "definition" }> | Instance;

export const signature = ({ name, statics, inputs }: Definition): string => {
  const list = statics.map((each) => each.name.text).join(", ");
  const types = inputs.map((each) => each.name.text).join(", ");
  return `${name.text}${statics.length > 0 ? `(${list})` : ""}${inputs.length > 0 ? `(${types})` : ""}`;
};

export const asInstance = (value: Definable, span: Span): Instance =>
  value.kind === "instance"
    ? value
    : {
        kind: "instance",
        definition: value.definition,
        module: value.module,
        statics: new Map(),
        span,
        base: value.base,
      };

/** The same with statics by position (for those that have none yet, in order) and by name. */
export function withStatics(
  of: Elaboration,
  value: Definable,
  given: readonly Evaluated[],
  span: Span,
): Instance | Broken {
  const instance = asInstance(value, span);
  const { definition } = instance;
  const statics = new Map(instance.statics);
  const places = definition.statics.filter(({ name }) => !statics.has(name.text));
  let next = 0;
  for (const { argument, value: each } of given) {
    if (asTensor(each) !== undefined) lookInside(of);
    if (
      (asTensor(each) !== undefined && !followsClock(each)) ||
      each.kind === "gates" ||
      each.kind === "index" ||
      each.kind === "list"
    ) {
      const type = asTensor(each);
      return report(
        of,
        "M0203",
        argument.span,
        `a static of \`${definition.name.text}\` must be known when the model is compiled`,
        {
          label:
            type === undefined ? `this is ${describe(each)}` : `this is a tensor ${showShape(type.axes)}`,
          help: `give tensors in a second list: \`${signature(definition)}\``,
        },
      );
    }
    if (argument.name === undefined) {
      const place = places[next++];
      if (place === undefined)
        return report(
          of,
          "M0204",
          argument.span,
          `\`${definition.name.text}\` takes ${places.length === 0 ? "no more statics" : places.length === 1 ? "one static" : `${places.length} statics`}`,
          {
            label: "one too many",
            help: `its signature is \`${signature(definition)}\``,
          },
        );
      statics.set(place.name.text, each);
      continue;
    }
    const name = argument.name.text;
    const known = definition.statics.map((other) => other.name.text);
    if (!known.includes(name))
      return report(
        of,
        "M0103",
        argument.name.span,
        `\`${definition.name.text}\` has no static \`${name}\``,
        {
          label: "not one of its statics",
          help: didYouMean(
            name,
            known,
            known.length === 0
              ? "it takes none"
              : `it has ${known.map((other) => `\`${other}\``).join(", ")}`,
          ),
        },
      );
    statics.set(name, each);
  }
  return { ...instance, statics };
}

/** Evaluates arguments once, each with its value. */
export function evaluateArguments(
  of: Elaboration,
  list: readonly Argument[],
  scope: Scope,
): readonly Evaluated[] {
  return list.map((argument) => ({ argument, value: of.parts.evaluate(of, argument.value, scope) }));
}

/** Whether arguments are inputs (tensors) rather than statics of what is called. */
export function areInputs(value: Definable, given: readonly Evaluated[]): boolean {
  const { definition } = value;
  if (
    given.some(
      ({ value: each }) => asTensor(each) !== undefined || each.kind === "gates" || each.kind === "index",
    )
  )
    return true;
  const named = given.flatMap(({ argument }) => argument.name?.text ?? []);
  if (named.length > 0)
    return named.every((name) => definition.inputs.some((input) => input.name.text === name));
  const taken = value.kind === "instance" ? value.statics.size : 0;
  if (definition.statics.length === 0 || taken >= definition.statics.length) return true;
  if (given.length === 0) return definition.inputs.every((input) => input.value !== undefined);
  return false;
}

export const notDefinable = (of: Elaboration, span: Span, value: Value): Broken =>
  isBroken(value)
    ? broken
    : report(of, "M0205", span, `${describe(value)} cannot be called`, {
        label: `this is ${describe(value)}`,
        help: "call an expert, a layer, a router, a function or a pool",
      });
