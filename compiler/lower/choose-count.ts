// How many elements of a row fulfil a condition: four at a time where there are vectors. In: what to ask of an element. Out: statements
// and the count. All of the row, by one invocation; what a workgroup counts together is dealt out first.

import type { Expr } from "../kernel.ts";
import type { Size } from "../../runtime/size.ts";
import type { Affine } from "./affine.ts";
import type { KernelEmitter } from "./emitter.ts";
import { binary, cast, extract, integer, literal, type Lanes } from "./expr.ts";

export function countWhere(
  emitter: KernelEmitter,
  extent: Expr,
  bound: Size,
  test: (index: Affine, lanes: Lanes) => Expr,
): Expr {
  const scalar = emitter.var(integer(0));
  const vector = emitter.vectors ? emitter.var(literal("i32", 0, 4)) : scalar;
  emitter.lanesFrom(
    integer(0),
    extent,
    bound,
    (index, lanes) => {
      const into = lanes === 1 ? scalar : vector;
      into.set(binary("add", into.get, cast(lanes === 1 ? "i32" : "i32x4", test(index, lanes))));
    },
    true,
  );
  if (!emitter.vectors) return scalar.get;
  let sum: Expr = scalar.get;
  for (const lane of [0, 1, 2, 3] as const) sum = binary("add", sum, extract(vector.get, lane));
  return emitter.let(sum);
}
