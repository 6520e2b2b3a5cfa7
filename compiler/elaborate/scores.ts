// What a router's statements read: scores and masks with one entry for each expert, counts, and how many experts there are.
// In: expressions of a router. Out: tensors and numbers, or a mistake reported. The choices themselves are in choices.ts.

import type { Expression, Span } from "../../grammar/syntax.ts";
import { constant, known, named, type Size } from "../../runtime/size.ts";
import { castTo, toTensor, unionHidden } from "./align.ts";
import { checking, type Elaboration, frameOf, report, type RouterFrame } from "./elaboration.ts";
import { sameSizes, showShape, showSize, valueOf } from "./number.ts";
import type { Scope } from "./scope.ts";
import { describe, type Hidden, isBroken, type Tensor, type Value, type VisibleAxis } from "./value.ts";

export const routerOf = (of: Elaboration): RouterFrame => {
  const { router } = frameOf(of);
  if (router === undefined) throw new Error("internal: no router is being elaborated");
  return router;
};
export const expertsOf = (of: Elaboration): Size => routerOf(of).count.poly ?? named("N");
/** [N] */
export const expertAxis = (of: Elaboration): VisibleAxis => ({
  size: expertsOf(of),
  name: routerOf(of).axisName,
});

/** Tokens that the choice is made for: the axes that the router is lifted over. */
export const tokensOf = (of: Elaboration, tensors: readonly Tensor[]): readonly Hidden[] =>
  unionHidden([...tensors, { hidden: frameOf(of).lead }]).filter(({ kind }) => kind !== "group");

/** A tensor over experts, [N], for every token. */
export function overExperts(
  of: Elaboration,
  expression: Expression,
  scope: Scope,
  element: "number" | "bool",
  what: string,
): Tensor | undefined {
  return asExperts(of, expression, of.parts.evaluate(of, expression, scope), element, what);
}

/** The same of a value that an expression has. */
export function asExperts(
  of: Elaboration,
  expression: Expression,
  value: Value,
  element: "number" | "bool",
  what: string,
): Tensor | undefined {
  if (isBroken(value)) return undefined;
  const found = toTensor(of, value);
  const size = expertsOf(of);
  if (found === undefined || found.axes.length !== 1 || !sameSizes(found.axes[0]!.size, size)) {
    report(
      of,
      "M0502",
      expression.span,
      `${what} must have one entry for each expert: \`[${showSize(size)}]\``,
      {
        label: found === undefined ? `this is ${describe(value)}` : `this is ${showShape(found.axes)}`,
        help: "score the experts, for example with `x @ w` and `param w: [D, N]`",
      },
    );
    return undefined;
  }
  if ((element === "bool") !== (found.element === "bool")) {
    report(
      of,
      "M0503",
      expression.span,
      `${what} must be ${element === "bool" ? "truth values" : "numbers"}`,
      {
        label: `these are ${found.element === "bool" ? "truth values" : "numbers"}`,
        help: element === "bool" ? "compare: `score > 0`" : "write `if x then 1 else 0`",
      },
    );
    return undefined;
  }
  return element === "number" ? castTo(of, found, "number") : found;
}

/** A count that must be known when a graph is built; undefined while checking when it is not. */
export function countOf(
  of: Elaboration,
  expression: Expression,
  scope: Scope,
  what: string,
): number | "unknown" | undefined {
  const value = of.parts.evaluate(of, expression, scope);
  if (isBroken(value)) return checking(of) ? "unknown" : undefined;
  const count = value.kind === "number" ? valueOf(value) : undefined;
  if (value.kind === "number" && count === undefined && checking(of)) return "unknown";
  if (count === undefined || !Number.isInteger(count) || count < 1) {
    report(of, "M0504", expression.span, `${what} must be a whole number of at least 1`, {
      label:
        count === undefined
          ? value.kind === "number"
            ? "not known when the model is compiled"
            : `this is ${describe(value)}`
          : `this is ${count}`,
      help: "write a number, or a static that is one",
    });
    return undefined;
  }
  return count;
}

export const sizeFrom = (count: number | "unknown", name: string): Size =>
  count === "unknown" ? named(name) : constant(count);

export function atMost(
  of: Elaboration,
  span: Span,
  count: number | "unknown",
  limit: Size,
  what: string,
  of_: string,
): boolean {
  const bound = known(limit);
  if (count === "unknown" || bound === undefined || count <= bound) return true;
  report(of, "M0501", span, `cannot choose ${count} of ${bound} ${what}`, {
    label: of_,
    help: `choose at most ${bound}, or have more ${what}`,
  });
  return false;
}
