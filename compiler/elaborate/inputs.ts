// Inputs: which argument of an application is which input, and what stands for one that is left out. In: a signature, arguments or
// values. Out: tensors and gates of the declared kinds, or a mistake reported. A default is an expression over statics and the
// inputs before it, evaluated where the body will run and repeated to the declared type, so that a body sees one type either way.

import type { Definition, Input, Name, Span } from "../../grammar/syntax.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import { castTo, expandTo, toTensor } from "./align.ts";
import { reportNotNumber } from "./arithmetic.ts";
import { type Elaboration, report } from "./elaboration.ts";
import { type Evaluated, signature } from "./instance.ts";
import { sameSizes, showShape } from "./number.ts";
import type { Scope } from "./scope.ts";
import {
  broken,
  describe,
  type Element,
  type Gates,
  isBroken,
  type Tensor,
  type Value,
  type VisibleAxis,
} from "./value.ts";

/** One value for each input, none where it is left out; a list may end early. */
export type Inputs = readonly (Value | undefined)[];

/** Inputs that every application gives: the first ones. */
export const requiredInputs = ({ inputs }: Definition): number =>
  inputs.filter(({ value }) => value === undefined).length;

/** "one input", "1 to 3 inputs" */
export function countInputs(definition: Definition): string {
  const [least, most] = [requiredInputs(definition), definition.inputs.length];
  if (least < most) return `${least} to ${most} inputs`;
  return most === 1 ? "one input" : most === 0 ? "no inputs" : `${most} inputs`;
}

/** Arguments in the order of the inputs: those without a name by position, the others by name. */
export function matchInputs(
  of: Elaboration,
  definition: Definition,
  given: readonly Evaluated[],
  span: Span,
): Inputs | undefined {
  const { inputs } = definition;
  const matched: (Value | undefined)[] = inputs.map(() => undefined);
  let next = 0;
  for (const { argument, value } of given) {
    const at = argument.name === undefined ? next++ : placeOf(of, definition, argument.name);
    if (at === undefined) return undefined;
    const input = inputs[at];
    if (input === undefined) return wrongNumber(of, definition, given.length, span);
    if (matched[at] !== undefined) {
      report(of, "M0219", argument.span, `\`${input.name.text}\` is given twice`, {
        label: "again here",
        help: "give it once, by position or by name",
      });
      return undefined;
    }
    matched[at] = value;
  }
  if (!allGiven(of, definition, matched, span)) return undefined;
  return matched.slice(0, matched.findLastIndex((value) => value !== undefined) + 1);
}

function placeOf(
  of: Elaboration,
  { name: owner, statics, inputs }: Definition,
  name: Name,
): number | undefined {
  const at = inputs.findIndex((input) => input.name.text === name.text);
  if (at >= 0) return at;
  if (statics.some((each) => each.name.text === name.text))
    report(of, "M0204", name.span, `\`${name.text}\` is a static of \`${owner.text}\`, not an input`, {
      label: "stands among the inputs",
      help: `give statics in braces: \`${owner.text} { ${name.text} = ... }(x)\``,
    });
  else {
    const known = inputs.map((input) => input.name.text);
    report(of, "M0103", name.span, `\`${owner.text}\` has no input \`${name.text}\``, {
      label: "not one of its inputs",
      help: didYouMean(name.text, known, `it has ${known.map((each) => `\`${each}\``).join(", ")}`),
    });
  }
  return undefined;
}

/** Whether there are not too many inputs, and none is missing that has no default. */
export function allGiven(of: Elaboration, definition: Definition, inputs: Inputs, span: Span): boolean {
  const given = inputs.filter((value) => value !== undefined).length;
  const required = requiredInputs(definition);
  const missing = definition.inputs.find((_, i) => i < required && inputs[i] === undefined);
  if (inputs.length <= definition.inputs.length && missing === undefined) return true;
  if (missing === undefined || given < required) wrongNumber(of, definition, given, span);
  else
    report(of, "M0204", span, `\`${missing.name.text}\` of \`${definition.name.text}\` is not given`, {
      label: "other inputs are given by name",
      help: `its signature is \`${signature(definition)}\``,
    });
  return false;
}

function wrongNumber(of: Elaboration, definition: Definition, given: number, span: Span): undefined {
  report(of, "M0204", span, `\`${definition.name.text}\` takes ${countInputs(definition)}, not ${given}`, {
    label: `${given === 1 ? "one is" : `${given} are`} given`,
    help: `its signature is \`${signature(definition)}\``,
  });
}

/** Inputs as tensors of the declared element types, or gates. */
export function readInputs(
  of: Elaboration,
  definition: Definition,
  inputs: Inputs,
  span: Span,
): readonly (Tensor | Gates | undefined)[] | undefined {
  const read: (Tensor | Gates | undefined)[] = [];
  for (const [i, { type, name }] of definition.inputs.entries()) {
    const value = inputs[i];
    if (value === undefined) {
      read.push(undefined);
      continue;
    }
    if (isBroken(value)) return undefined;
    if (type.element === "gates") {
      if (value.kind !== "gates") {
        report(
          of,
          "M0207",
          span,
          `\`${name.text}\` of \`${definition.name.text}\` is gates, not ${describe(value)}`,
          { label: `this is ${describe(value)}`, help: "give what a router returns" },
        );
        return undefined;
      }
      read.push(value);
      continue;
    }
    const given = toTensor(of, value, type.element);
    if (given === undefined) {
      reportNotNumber(of, span, value, `\`${definition.name.text}\``);
      return undefined;
    }
    if (!fits(given.element, type.element)) {
      report(
        of,
        "M0405",
        span,
        `\`${name.text}\` of \`${definition.name.text}\` is ${elementName(type.element)}, not ${elementName(given.element)}`,
        {
          label: elementName(given.element),
          help:
            given.element === "bool"
              ? "write `if x then 1 else 0`"
              : `give ${elementName(type.element)}, or declare \`${name.text}: ${given.element === "number" ? "" : `${given.element} `}[...]\``,
        },
      );
      return undefined;
    }
    read.push(castTo(of, given, type.element));
  }
  return read;
}

const fits = (given: Element, declared: Element): boolean =>
  given === declared || (declared === "number" && given === "int");
const elementName = (element: Element): string =>
  ({ number: "numbers", int: "integers", bool: "truth values" })[element];

/** Binds the inputs that are left out to their defaults, in order. Runs in the frame of the body. */
export function bindDefaults(of: Elaboration, definition: Definition, given: Inputs, scope: Scope): void {
  for (const [i, input] of definition.inputs.entries())
    if (given[i] === undefined) scope.names.set(input.name.text, defaultOf(of, input, scope));
}

/** What stands for an input that is left out, in the input's own type. */
export function defaultOf(of: Elaboration, { name, type, value }: Input, scope: Scope): Value {
  if (value === undefined) throw new Error("internal: an input without a default is left out");
  const found = of.parts.evaluate(of, value, scope);
  const axes = of.parts.axesOf(of, type, scope);
  if (isBroken(found) || axes === undefined) return broken;
  const wrong = (what: string): Value =>
    report(of, "M0220", value.span, `the default of \`${name.text}\` does not fit its type`, {
      label: what,
      help:
        type.element === "gates"
          ? "take gates of an input before it, or write no default"
          : axes.length === 0
            ? `write one ${elementName(type.element).replace(/s$/, "")}`
            : `write ${elementName(type.element)} of \`${showShape(axes)}\`, of its last axes, or one for all`,
    });
  if (type.element === "gates")
    return found.kind === "gates" && sameSizes(found.count, axes[0]!.size)
      ? found
      : wrong(`this is ${describe(found)}`);
  const given = toTensor(of, found, type.element);
  if (given === undefined) return wrong(`this is ${describe(found)}`);
  if (!fits(given.element, type.element)) return wrong(`these are ${elementName(given.element)}`);
  if (!repeats(given.axes, axes)) return wrong(`this is ${showShape(given.axes)}`);
  return { ...expandTo(of, castTo(of, given, type.element), given.hidden, axes), axes, ...constantOf(given) };
}

const constantOf = ({ constant }: Tensor): Pick<Tensor, "constant"> =>
  constant === undefined ? {} : { constant };

/** Whether axes are the last of others. */
const repeats = (axes: readonly VisibleAxis[], wide: readonly VisibleAxis[]): boolean =>
  axes.length <= wide.length &&
  axes.every(({ size }, i) => sameSizes(size, wide[wide.length - axes.length + i]!.size));
