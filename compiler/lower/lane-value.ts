// A value that is at hand for four neighbours at once, read for all of them or for one. In: a node, where its element (or the first of
// four) is, and the value. Out: what is read at a place. A gather of what is made of the value asks for one lane at a time.

import type { Node } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import { isVector } from "../kernel-type.ts";
import { laneOf } from "./affine.ts";
import { extract, type Lanes } from "./expr.ts";
import { type At, flatIndex } from "./layout.ts";

const four = [0, 1, 2, 3] as const;

export function laneValue(node: Node, at: At, value: Expr): (wanted: At, lanes: Lanes) => Expr {
  if (!isVector(value.type)) return () => value;
  const first = flatIndex(node.shape, at);
  return (wanted, lanes) => {
    if (lanes === 4) return value;
    const { key } = flatIndex(node.shape, wanted);
    const lane = four.find((each) => laneOf(first, each).key === key);
    if (lane === undefined) throw new Error(`internal: ${key} is none of four from ${first.key} on`);
    return extract(value, lane);
  };
}
