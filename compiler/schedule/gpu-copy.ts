// Asynchronous staging on a GPU: a workgroup brings a block of an operand from memory to scratch in pieces of sixteen bytes, without
// waiting for them. In: an operand that lies in such pieces, where its blocks go. Out: statements that begin to copy a block.
// Neighbouring invocations copy neighbours. Rows and k that are not there become zeros. Groups and waits are gpu-pipeline.ts's.

import { copiedTogether } from "../half.ts";
import type { Expr, Stmt } from "../kernel.ts";
import type { ContractOperand, Place } from "./contract-spec.ts";
import { add, both, branch, int, less, letBool, letInt, minimum, multiply, subtract } from "./expr.ts";
import { elementsOf, placeIn, type Element, type Stage } from "./gpu-stage.ts";

/** The block that starts at k, to `offset` elements after its place. */
export type BeginCopy = (k: Expr, offset: Expr, into: Stmt[]) => void;

type Copied = NonNullable<ContractOperand["copied"]>;

/** Pushes what does not depend on k. */
export function prepareCopy(stage: Stage, copied: Copied, into: Stmt[]): BeginCopy {
  const parts = elementsOf(stage, copiedTogether(copied.type), into).map((element) =>
    preparePiece(stage, copied, element, into),
  );
  return (k, offset, body) => {
    for (const part of parts) part(k, offset, body);
  };
}

function preparePiece(stage: Stage, copied: Copied, { fast, slow, sure }: Element, into: Stmt[]): BeginCopy {
  const { fresh, operand, place, width, depth, from, end, whole, kEnd, scratch } = stage;
  const along = operand.contiguous === "k";
  const [row, k] = along ? [slow, fast] : [fast, slow];
  const own = letInt(fresh, into, "row", add(from, row));
  const always: Expr = { op: "literal", type: "bool", value: 1 };
  const rowThere = whole && sure ? always : letBool(fresh, into, "rowThere", less(own, end));
  const to = letInt(fresh, into, "to", add(placeIn(stage.layout, row, k), int(stage.at)));
  // What is read to find a row must be there, even where the row is not.
  let opened: Place | undefined;
  if (along) {
    const fixed = whole && sure ? own : letInt(fresh, into, "row", minimum(own, subtract(end, int(1))));
    opened = copied.open(place, fixed, into);
  }
  return (first, offset, list) => {
    const begin = (body: Stmt[]): void => {
      const position = letInt(fresh, body, "k", add(first, k));
      const there = both(rowThere, kEnd === undefined ? always : less(position, kEnd));
      const inside =
        kEnd === undefined || along
          ? position
          : letInt(fresh, body, "k", minimum(position, subtract(kEnd, int(1))));
      const { buffer, index } =
        opened === undefined ? copied.open(place, inside, body)(own, body) : opened(position, body);
      body.push({ op: "copy", scratch, index: add(to, offset), buffer, from: index, there });
    };
    // The last pieces of a small block are fewer than the invocations.
    const line = along ? depth : width;
    if (sure) begin(list);
    else branch(list, less(add(multiply(slow, int(line)), fast), int(width * depth)), begin);
  };
}
