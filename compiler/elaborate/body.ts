// Bodies: runs the statements of a definition and makes what it returns: the last expression, the sum of a pool, gates.
// In: a definition with its names bound. Out: the result, checked against the declared type.

import type { Definition, Span, Statement } from "../../grammar/syntax.ts";
import { castTo, toTensor } from "./align.ts";
import { frameOf, report, type Elaboration } from "./elaboration.ts";
import { finishMoe } from "./moe.ts";
import { returnGates } from "./router.ts";
import { sameSizes, showShape, showSize } from "./number.ts";
import { lookUp, type Scope } from "./scope.ts";
import { broken, describe, isBroken, type Tensor, type Value } from "./value.ts";

/** What the body ends with: for errors about its result. */
const resultSpan = (definition: Definition): Span => {
  const last = definition.body.at(-1);
  return last === undefined ? definition.name.span : last.node === "result" ? last.value.span : last.span;
};

/** Without a last expression, the result is what was bound last. */
function lastBound(statements: readonly Statement[], scope: Scope): Value | undefined {
  const last = statements.findLast(
    ({ node }) => !["loss", "metric", "after", "state", "param"].includes(node),
  );
  if (last?.node === "bind") return lookUp(scope, last.name.text);
  if (last?.node === "repeat") return lastBound(last.body, scope);
  return undefined;
}

function checkResult(of: Elaboration, definition: Definition, value: Value, scope: Scope): Value {
  const { result, name } = definition;
  if (isBroken(value) || result === undefined) return value;
  const span = resultSpan(definition);
  const declared = { module: frameOf(of).module.path, span: result.span, label: "declared here" };
  if (result.element === "gates") {
    if (value.kind === "gates") return value;
    return report(of, "M0207", span, `\`${name.text}\` returns gates, and this is ${describe(value)}`, {
      label: `this is ${describe(value)}`,
      related: [declared],
      help: "end with `choose` and `weight`",
    });
  }
  const found = toTensor(of, value, result.element);
  if (found === undefined)
    return report(of, "M0214", span, `\`${name.text}\` returns a tensor, and this is ${describe(value)}`, {
      label: `this is ${describe(value)}`,
      related: [declared],
      help: "end with an expression of the declared type",
    });
  const axes = of.parts.axesOf(of, result, scope);
  if (axes === undefined) return broken;
  const fits =
    axes.length === found.axes.length && axes.every((axis, i) => sameSizes(axis.size, found.axes[i]!.size));
  if (!fits)
    return report(of, "M0312", span, `\`${name.text}\` returns another shape than it declares`, {
      label: `this is ${showShape(found.axes)}`,
      related: [{ ...declared, label: `declared as [${axes.map(({ size }) => showSize(size)).join(", ")}]` }],
      help: "change the result, or the declared type",
    });
  if (found.element !== result.element && !(result.element === "number" && found.element === "int"))
    return report(
      of,
      "M0405",
      span,
      `\`${name.text}\` returns ${found.element === "bool" ? "truth values" : found.element === "int" ? "integers" : "numbers"}, and declares ${result.element === "number" ? "numbers" : result.element}`,
      {
        label: found.element,
        related: [declared],
        help: "change the result, or the declared type",
      },
    );
  return castTo(of, found, result.element) satisfies Tensor;
}

/** Runs the body in the frame that is open. */
export function runBody(of: Elaboration, definition: Definition, scope: Scope): Value {
  const before = of.diagnostics.length;
  const ran = of.parts.run(of, definition.body, scope);
  const quiet = of.diagnostics.length > before;
  if (definition.kind === "router") {
    if (frameOf(of).router?.before !== undefined) return checkResult(of, definition, returnGates(of), scope);
    if (ran !== undefined) return checkResult(of, definition, ran, scope);
    const chooses = definition.body.some(({ node }) => node === "choose");
    return quiet || chooses
      ? broken
      : report(of, "M0507", definition.name.span, `the router \`${definition.name.text}\` never chooses`, {
          label: "no `choose`",
          help: "write `choose top 2 of score`",
        });
  }
  if (definition.kind === "moe") {
    const pooled = finishMoe(of, scope);
    if (pooled !== undefined) {
      if (ran !== undefined && !isBroken(ran) && !isBroken(pooled))
        return report(
          of,
          "M0520",
          resultSpan(definition),
          "a `moe` with a pool returns the sum of its experts",
          { label: "an expression besides", help: "put it into a layer around the `moe`" },
        );
      return checkResult(of, definition, pooled, scope);
    }
  }
  const value = ran ?? lastBound(definition.body, scope);
  if (value === undefined)
    return quiet
      ? broken
      : report(of, "M0214", definition.name.span, `\`${definition.name.text}\` returns nothing`, {
          label: "no expression at the end",
          help: "end the body with an expression",
        });
  return checkResult(of, definition, value, scope);
}
