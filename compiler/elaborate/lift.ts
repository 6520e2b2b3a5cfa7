// Lifting: axes of an input in front of the declared ones become hidden while a body runs, and are visible again on its result.
// In: inputs and a signature. Out: tensors with hidden axes, and back.

import type { Definition, Span } from "../../grammar/syntax.ts";
import { expandTo, unionHidden } from "./align.ts";
import { type Elaboration, hiddenAxis, report } from "./elaboration.ts";
import { sameSizes, showShape, showSize } from "./number.ts";
import { type Gates, type Hidden, tensor, type Tensor, type VisibleAxis } from "./value.ts";

/** The axes of a value in front of the declared ones become hidden. */
export function hide(value: Tensor, rank: number, lifted: readonly Hidden[]): Tensor {
  const extra = value.axes.length - rank;
  if (extra <= 0) return value;
  return tensor(
    value.element,
    [...value.hidden, ...lifted.slice(lifted.length - extra)],
    value.axes.slice(extra),
    value.node,
  );
}

/** Hidden axes become visible again, in front; a value that does not vary along them is repeated. */
export function unhide(
  of: Elaboration,
  value: Tensor,
  lifted: readonly Hidden[],
  names: readonly (string | undefined)[] = [],
): Tensor {
  if (lifted.length === 0) return value;
  const hidden = unionHidden([value, { hidden: lifted }]);
  const wide = expandTo(of, value, hidden, value.axes);
  const shown: VisibleAxis[] = lifted.map((axis, i) => ({
    size: axis.size,
    ...(names[i] === undefined ? {} : { name: names[i] }),
    ...(axis.pieces === undefined ? {} : { pieces: axis.pieces }),
  }));
  return tensor(
    value.element,
    hidden.filter((axis) => !lifted.includes(axis)),
    [...shown, ...wide.axes],
    wide.node,
  );
}

export const unhideGates = (of: Elaboration, gates: Gates, lifted: readonly Hidden[]): Gates =>
  lifted.length === 0
    ? gates
    : {
        ...gates,
        picks: unhide(of, gates.picks, lifted),
        weight: unhide(of, gates.weight, lifted),
        chosen: unhide(of, gates.chosen, lifted),
      };

/** Lines up the axes that inputs have in front of the declared ones, and makes hidden axes of them. */
export function lift(
  of: Elaboration,
  definition: Definition,
  inputs: readonly (Tensor | Gates | undefined)[],
  span: Span,
): readonly Hidden[] | undefined {
  let longest: readonly VisibleAxis[] = [];
  for (const [i, value] of inputs.entries()) {
    if (value === undefined) continue;
    const declared = definition.inputs[i]!;
    const rank = declared.type.element === "gates" ? 1 : declared.type.axes.length;
    const axes = value.kind === "gates" ? value.picks.axes : value.axes;
    if (axes.length < rank) {
      report(
        of,
        "M0302",
        span,
        `\`${definition.name.text}\` takes \`${declared.name.text}: [${declared.type.axes.map(axisText).join(", ")}]\``,
        {
          label: `this is ${showShape(axes)}`,
          help: "give an input with at least as many axes",
        },
      );
      return undefined;
    }
    const extra = axes.slice(0, axes.length - rank);
    const [long, short] = extra.length > longest.length ? [extra, longest] : [longest, extra];
    const misfit = short.findIndex(
      (axis, j) => !sameSizes(axis.size, long[long.length - short.length + j]!.size),
    );
    if (misfit >= 0) {
      report(of, "M0301", span, `the inputs of \`${definition.name.text}\` are lifted over different axes`, {
        label: `\`${showSize(short[misfit]!.size)}\` and \`${showSize(long[long.length - short.length + misfit]!.size)}\``,
        help: "give inputs with the same axes in front, or without them",
      });
      return undefined;
    }
    longest = long;
  }
  return longest.map((axis) =>
    hiddenAxis(
      of,
      "lead",
      axis.size,
      axis.name ?? showSize(axis.size),
      axis.pieces === undefined ? {} : { pieces: axis.pieces },
    ),
  );
}
const axisText = (axis: Definition["inputs"][number]["type"]["axes"][number]): string =>
  axis.node === "name" ? axis.text : "...";
