// A call of a built-in function: what it was given, and what the functions share to look at it.

import type { Argument, Name, Span } from "../../grammar/syntax.ts";
import { castTo, toTensor } from "./align.ts";
import { reportNotNumber } from "./arithmetic.ts";
import { type Elaboration, report } from "./elaboration.ts";
import type { Scope } from "./scope.ts";
import { isBroken, type Tensor, type Value } from "./value.ts";

export interface Call {
  readonly name: string;
  readonly span: Span;
  readonly given: readonly { readonly argument: Argument; readonly value: Value }[];
  readonly over: readonly Name[];
  readonly scope: Scope;
}
export type Builtin = (of: Elaboration, call: Call) => Value;

/** Exactly so many arguments, by position. */
export function arity(of: Elaboration, { name, span, given }: Call, least: number, most = least): boolean {
  if (
    given.length >= least &&
    given.length <= most &&
    given.every(({ argument }) => argument.name === undefined)
  )
    return true;
  const named = given.find(({ argument }) => argument.name !== undefined);
  report(
    of,
    "M0204",
    named?.argument.span ?? span,
    named === undefined
      ? `\`${name}\` takes ${least === most ? (least === 1 ? "one argument" : `${least} arguments`) : `${least} to ${most} arguments`}, not ${given.length}`
      : `\`${name}\` takes its arguments by position`,
    {
      label: named === undefined ? `${given.length} given` : "has a name",
      help: "see the reference for what it takes",
    },
  );
  return false;
}

/** An argument as a tensor of numbers. */
export function numbersOf(of: Elaboration, call: Call, at: number): Tensor | undefined {
  const { value, argument } = call.given[at]!;
  if (isBroken(value)) return undefined;
  const found = toTensor(of, value);
  if (found === undefined || found.element === "bool") {
    reportNotNumber(of, argument.span, value, `\`${call.name}\``);
    return undefined;
  }
  return castTo(of, found, "number");
}
