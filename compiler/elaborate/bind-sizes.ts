// Statics from the inputs: names in the types of inputs are bound to their sizes, then come defaults; whatever else the types say
// is compared. In: a signature and inputs. Out: names bound, or a mistake reported at the call.

import type { Span } from "../../grammar/syntax.ts";
import { type ApplyHints, checking, type Elaboration, type Frame, join, report } from "./elaboration.ts";
import { asSize, ofSize, sameSizes, showSize } from "./number.ts";
import type { Scope } from "./scope.ts";
import {
  describe,
  type Gates,
  type Instance,
  isBroken,
  type Tensor,
  type Value,
  type VisibleAxis,
} from "./value.ts";

/** The sizes of the inputs' types: names are bound, everything else is compared. */
export function bindSizes(
  of: Elaboration,
  instance: Instance,
  inputs: readonly (Tensor | Gates | undefined)[],
  frame: Frame,
  scope: Scope,
  span: Span,
  hints: ApplyHints,
): boolean {
  const { definition, module } = instance;
  const later: {
    readonly expression: (typeof definition.inputs)[number]["type"]["axes"][number];
    readonly axis: VisibleAxis;
    readonly input: string;
  }[] = [];
  const disagree = (input: string, wanted: string, axis: VisibleAxis): boolean => {
    const declared = definition.inputs.find((each) => each.name.text === input)!;
    report(
      of,
      "M0301",
      span,
      `\`${input}\` of \`${definition.name.text}\` has \`${showSize(axis.size)}\` where \`${wanted}\` is declared`,
      {
        label: `\`${showSize(axis.size)}\` here`,
        related: [{ module: module.path, span: declared.type.span, label: `\`${wanted}\` is declared here` }],
        help: "give an input of the declared size, or another static",
      },
    );
    return false;
  };
  const visible = inputs.map((value, i): readonly VisibleAxis[] => {
    const { type } = definition.inputs[i]!;
    if (value === undefined) return [];
    if (value.kind === "gates") return [{ size: value.count }];
    return value.axes.slice(value.axes.length - type.axes.length);
  });
  for (const [i, axes] of visible.entries()) {
    const { type, name: input } = definition.inputs[i]!;
    for (const [j, expression] of type.axes.entries()) {
      const axis = axes[j];
      if (axis === undefined) continue;
      const declaredDim =
        expression.node === "name" &&
        !definition.statics.some(({ name }) => name.text === expression.text) &&
        module.names.get(expression.text)?.kind === "dim";
      if (expression.node !== "name" || declaredDim) {
        later.push({ expression, axis, input: input.text });
        continue;
      }
      const before = scope.names.get(expression.text);
      if (before === undefined) {
        scope.names.set(expression.text, {
          ...ofSize(axis.size, axis.name),
          ...(axis.of === undefined ? {} : { of: axis.of }),
          ...(axis.pieces === undefined ? {} : { pieces: axis.pieces }),
        });
        continue;
      }
      if (isBroken(before) || before.kind !== "number" || before.poly === undefined) continue;
      if (!sameSizes(before.poly, axis.size))
        return disagree(
          input.text,
          expression.text === showSize(before.poly)
            ? expression.text
            : `${expression.text} = ${showSize(before.poly)}`,
          axis,
        );
    }
  }
  if (hints.count !== undefined && definition.result?.element === "gates") {
    const [count] = definition.result.axes;
    if (count?.node === "name" && !scope.names.has(count.text)) scope.names.set(count.text, hints.count);
  }
  of.frames.push(frame);
  try {
    for (const { name, value } of definition.statics) {
      if (scope.names.has(name.text)) continue;
      if (value === undefined) {
        of.frames.pop();
        const asked = report(
          of,
          "M0206",
          span,
          `\`${name.text}\` of \`${definition.name.text}\` is not given`,
          {
            label: "nothing here says what it is",
            related: [{ module: module.path, span: name.span, label: "declared here, without a default" }],
            help:
              definition.result?.element === "gates" && name.text === "N"
                ? `give it: \`{ N = 8 }\`, or use the router in a pool`
                : `give it: \`${definition.name.text} { ${name.text} = ... }\``,
          },
        );
        of.frames.push(frame);
        return asked.kind !== "broken";
      }
      scope.names.set(name.text, nameStatic(of.parts.evaluate(of, value, scope), frame.path, name.text));
    }
    for (const { expression, axis, input } of later) {
      const wanted = of.parts.evaluate(of, expression, scope);
      if (isBroken(wanted)) continue;
      const size = wanted.kind === "number" ? asSize(wanted, checking(of)) : undefined;
      if (size?.kind === "unknown") continue;
      if (size?.kind !== "size" || !sameSizes(size.size, axis.size)) {
        of.frames.pop();
        const text = size?.kind === "size" ? showSize(size.size) : describe(wanted);
        disagree(input, text, axis);
        of.frames.push(frame);
        return false;
      }
    }
  } finally {
    of.frames.pop();
  }
  return true;
}

/** What is given as a static is called by the static's name, a definition with some of its statics like one with none: every
 * application has parameters of its own. What the giver has bound to a name keeps its one set, and a pool has one. */
export const nameStatic = (value: Value, path: string, name: string): Value => {
  switch (value.kind) {
    case "definition":
      return { ...value, base: name.toLowerCase() };
    case "instance":
      return value.path === undefined ? { ...value, base: name.toLowerCase() } : value;
    case "pool":
      return value.path === undefined ? { ...value, path: join(path, name.toLowerCase()) } : value;
    default:
      return value;
  }
};
