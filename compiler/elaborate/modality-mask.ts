// Experts that are open to the tokens of one modality only: which experts may a token choose. In: a pool whose segments name
// modalities, and a tensor whose axes know which modality's tokens stand where. Out: a mask for the router.

import { add, constant, known } from "../../runtime/size.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";
import { expandTo, positions } from "./align.ts";
import { report, type Elaboration } from "./elaboration.ts";
import { tensor, type Hidden, type NumberValue, type Pool, type Tensor } from "./value.ts";

/** bool over the axis: positions of the modality. */
function inModality(builder: GraphBuilder, place: Node, axis: Hidden, modality: string): Node {
  let start = constant(0);
  let inside: Node | undefined;
  for (const piece of axis.pieces ?? []) {
    const end = add(start, piece.size);
    if (piece.modality === modality) {
      const within = builder.map(
        "and",
        builder.map("le", builder.size(start), place),
        builder.map("lt", place, builder.size(end)),
      );
      inside = inside === undefined ? within : builder.map("or", inside, within);
    }
    start = end;
  }
  return inside ?? builder.broadcastTo(builder.constant(false), place.shape, []);
}

/** [N] for every token; undefined when every expert is open to all. Looks for the innermost axis that knows its modalities:
 * hidden ones of a lifted definition, or visible ones in front of what the experts take. */
export function openMask(
  of: Elaboration,
  pool: Pool,
  x: Tensor | undefined,
  all: NumberValue,
): Tensor | undefined {
  const limited = pool.segments.find(({ modality }) => modality !== undefined);
  if (limited === undefined || x === undefined) return undefined;
  const axis = x.hidden.findLast(({ pieces }) => pieces !== undefined);
  const count = all.poly;
  if (of.builder === undefined || count === undefined) return undefined;
  if (axis === undefined) {
    report(of, "M0516", limited.span, `which tokens are \`${limited.modality}\` is not known here`, {
      label: "open to one modality only",
      help: "route a sequence that is made of modalities with `concat`",
    });
    return undefined;
  }
  const { builder } = of;
  const place = positions(of, axis).node!;
  const axes = [{ size: count, name: "N" }];
  const wide = (value: Tensor): Node => expandTo(of, value, [axis], axes).node!;
  const expert = wide(tensor("int", [], axes, builder.index(count)));
  const at = (value: number): Node => builder.constant(value, "i32");
  let mask: Node | undefined;
  let first = 0;
  for (const { count: many, modality } of pool.segments) {
    const next = first + (known(many.poly ?? []) ?? 0);
    if (modality !== undefined) {
      const outside = builder.map(
        "or",
        builder.map("lt", expert, at(first)),
        builder.map("le", at(next), expert),
      );
      const flags = builder.broadcastTo(inModality(builder, place, axis, modality), outside.shape, [0]);
      const open = builder.map("or", outside, flags);
      mask = mask === undefined ? open : builder.map("and", mask, open);
    }
    first = next;
  }
  return tensor("bool", [axis], axes, mask);
}
