// What stands in the way of decoding one token at a time: a sum over the positions of a text would see only the new ones.
// In: sizes of axes that something reduces. Out: reasons, collected; the decode entry is not made when there is one.

import type { Size } from "../../runtime/size.ts";
import { isLength } from "./align.ts";
import { frameOf, type Elaboration } from "./elaboration.ts";

export function noteMixing(of: Elaboration, size: Size, reason: string): void {
  if (of.decode !== undefined && isLength(of, size) && !of.afterStep)
    of.collected.undecodable.add(`${frameOf(of).path}: ${reason}`);
}
