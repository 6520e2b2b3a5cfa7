// Signature help: the parameters of what is being called or configured, and which of them the cursor is at. In: names of a module,
// its text, the cursor. Out: one signature, or nothing where nothing is called.

import type { IToken } from "chevrotain";
import * as T from "../../grammar/tokens.ts";
import { builtinNamed } from "./builtins.ts";
import { calledAt } from "./completion.ts";
import { calleeBefore, standAt } from "./cursor.ts";
import { headerOf } from "./headers.ts";
import type { Names } from "./names.ts";
import type { Library } from "./source.ts";

export interface Signature {
  readonly label: string;
  readonly parameters: readonly string[];
  readonly active: number;
  readonly doc?: string;
}

export function signatureAt(
  names: Names,
  text: string,
  offset: number,
  library: Library,
): Signature | undefined {
  const { stack, line } = standAt(text, offset);
  const bracket = stack.findLast(
    ({ what, bracket: sign }) => (what === "other" && sign === "(") || what === "options",
  );
  if (bracket === undefined || bracket.bracket === "[") return undefined;
  const callee = calleeBefore(bracket.before);
  if (callee === "") return undefined;
  const here = bracket === stack.at(-1) ? line : [];
  const called = calledAt(names, callee, bracket.at);
  if (called?.definition === undefined || called.module === undefined) {
    const builtin = builtinNamed(callee);
    if (builtin === undefined || builtin.parameters.length === 0) return undefined;
    const { signature, parameters, doc } = builtin;
    return { label: signature, parameters, active: activeOf(here, parameters), doc };
  }
  const source = library.open(called.module);
  if (source === undefined) return undefined;
  const header = headerOf(called.definition, source);
  // `F(a)(x)`, or sizes that come from the inputs: the second list is the inputs.
  const isSecond =
    bracket.before.at(-1)?.tokenType === T.RParen || bracket.before.at(-1)?.tokenType === T.RBrace;
  const isInputs =
    bracket.bracket === "(" &&
    (isSecond || header.statics.length === 0 || looksLikeInputs(here, header.statics.length, names, offset));
  const parameters = isInputs ? header.inputs : header.statics;
  const label = `${header.start}${[header.statics, header.inputs]
    .filter((list) => list.length > 0)
    .map((list) => `(${list.join(", ")})`)
    .join("")}${header.result}`;
  const { doc } = called;
  return { label, parameters, active: activeOf(here, parameters), ...(doc === undefined ? {} : { doc }) };
}

/** Whether a first argument names a tensor. */
function looksLikeInputs(line: readonly IToken[], _statics: number, names: Names, offset: number): boolean {
  const [first] = line;
  if (first === undefined) return false;
  const kinds = new Set(["input", "variable", "modality", "parameter", "state"]);
  return names.uses.some(
    ({ span, meaning }) => meaning.name === first.image && kinds.has(meaning.kind) && span.end <= offset,
  );
}

function activeOf(line: readonly IToken[], parameters: readonly string[]): number {
  const commas = line.filter(({ tokenType }) => tokenType === T.Comma).length;
  const last = line.findLastIndex(({ tokenType }) => tokenType === T.Comma);
  const item = line.slice(last + 1);
  if (item[1]?.tokenType !== T.Equals) return Math.min(commas, Math.max(0, parameters.length - 1));
  const named = parameters.findIndex((each) => each.split(/[ =:]/)[0] === item[0]!.image);
  return named < 0 ? commas : named;
}
