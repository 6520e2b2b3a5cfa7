// What stands in the way of decoding one token at a time: a sum over the positions of a text would see only the new ones.
// In: sizes of axes that something reduces. Out: reasons, each with the line that asks for it; the decode entry is not made when
// there is one.

import type { Size } from "../../runtime/size.ts";
import { isLength } from "./align.ts";
import type { Elaboration } from "./elaboration.ts";

const wayOut =
  "read other positions by `context` and a mask, by `previous`, or by a window into the past: `x[t - 1]`; what only a loss or a metric needs stands in it, or ends with `in training`";

/** Something that needs the whole text. `why` goes on after the place: "small.moe:12 ...". */
export function noteUndecodable(of: Elaboration, why: string, help = wayOut): void {
  const origin = of.builder?.origin ?? { path: "" };
  of.collected.undecodable.push({ why, help, origin });
}

/** The same, of what reads along an axis, if that is one of positions. */
export function noteMixing(of: Elaboration, size: Size, why: string, help = wayOut): void {
  if (of.decode !== undefined && isLength(of, size) && !of.afterStep) noteUndecodable(of, why, help);
}
