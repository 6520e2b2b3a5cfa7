// The range of an index: the first axis that it stands for; every other one must be as long.

import type { Span } from "../../grammar/syntax.ts";
import { report, type Elaboration } from "./elaboration.ts";
import { sameSizes, showSize } from "./number.ts";
import type { Hidden, IndexValue, VisibleAxis } from "./value.ts";

export function boundAxis(
  of: Elaboration,
  index: IndexValue,
  axis: Pick<VisibleAxis, "size" | "name" | "of" | "pieces">,
  span: Span,
): Hidden | undefined {
  if (index.axis === undefined) {
    index.axis = {
      kind: "index",
      order: index.order,
      size: axis.size,
      name: index.name,
      of: axis.of ?? (axis.name === undefined ? {} : { name: axis.name }),
      ...(axis.pieces === undefined ? {} : { pieces: axis.pieces }),
    };
    return index.axis;
  }
  if (sameSizes(index.axis.size, axis.size)) return index.axis;
  report(
    of,
    "M0305",
    span,
    `the index \`${index.name}\` runs over \`${showSize(index.axis.size)}\` and over \`${showSize(axis.size)}\``,
    {
      label: `\`${showSize(axis.size)}\` here`,
      help: "use another index for this axis",
    },
  );
  return undefined;
}
