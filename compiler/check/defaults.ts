// Defaults of inputs, on their own: what they read, that they fit the declared types, and that every size is known without them.
// In: a definition whose statics and inputs are bound in a scope. Out: diagnostics.

import type { Definition, Expression, Input } from "../../grammar/syntax.ts";
import { childrenOf } from "../../grammar/walk.ts";
import { frameOf, report, type Elaboration } from "../elaborate/elaboration.ts";
import { defaultOf } from "../elaborate/inputs.ts";
import type { Scope } from "../elaborate/scope.ts";

const sizesIn = ({ type }: Input): readonly string[] =>
  type.axes.flatMap((axis) => (axis.node === "name" ? [axis.text] : []));

/** The first name of a text that is one of some, in the order of the text. */
function nameAmong(expression: Expression, names: ReadonlySet<string>): Expression | undefined {
  if (expression.node === "name") return names.has(expression.text) ? expression : undefined;
  for (const child of childrenOf(expression)) {
    const found = nameAmong(child, names);
    if (found !== undefined) return found;
  }
  return undefined;
}

export function checkDefaults(of: Elaboration, { statics, inputs }: Definition, scope: Scope): void {
  const always = inputs.filter(({ value }) => value === undefined);
  const bound = new Set([...statics.map(({ name }) => name.text), ...always.flatMap(sizesIn)]);
  const { module } = frameOf(of);
  for (const [i, input] of inputs.entries()) {
    const { name, type, value } = input;
    if (value === undefined) continue;
    for (const axis of type.axes) {
      if (axis.node !== "name" || bound.has(axis.text) || module.names.get(axis.text)?.kind === "dim")
        continue;
      bound.add(axis.text);
      report(of, "M0313", axis.span, `nothing binds \`${axis.text}\` when \`${name.text}\` is left out`, {
        label: "only an input with a default has this size",
        help: "make it a static, or take a size of an input that is always given",
      });
    }
    const later = new Set(inputs.slice(i).map((each) => each.name.text));
    const early = nameAmong(value, later);
    if (early?.node === "name")
      report(of, "M0106", early.span, `the default of \`${name.text}\` reads \`${early.text}\``, {
        label: early.text === name.text ? "the input itself" : "an input behind it",
        help: "read statics, and inputs before it",
      });
    else defaultOf(of, input, scope);
  }
}
