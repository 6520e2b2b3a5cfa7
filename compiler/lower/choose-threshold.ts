// Selection of many: which scores are the `wanted` largest, in time that grows with the row and not with its square.
// In: the scores of a row, how many are wanted. Out: statements that mark them. The bits of floats are in order like integers, so the
// largest key that `wanted` scores reach is found bit by bit, counting; what lies above it is chosen, and of what is equal to it the
// first ones, until there are enough. The counts are whole numbers, so any team finds the same.
// Deliberately absent: ids in falling order (choose.ts).

import type { Expr } from "../kernel.ts";
import { known, type Size } from "../../runtime/size.ts";
import type { Affine } from "./affine.ts";
import { countWhere } from "./choose-count.ts";
import type { ClusterKernel } from "./context.ts";
import {
  binary,
  cast,
  integer,
  invocation,
  literal,
  lowerOf,
  select,
  splat,
  unary,
  type Lanes,
} from "./expr.ts";
import { dealt, joinCost, meet, together } from "./team.ts";

export type ScoreAt = (at: Affine, lanes: Lanes) => Expr;

/** Times that the row is read: once for each bit, for what lies above, for the marks. */
const passes = 34;

/** Whether that is less work than to rank every score among all. A row whose length only the launch knows may be long. */
export function isLong({ team, emitter }: ClusterKernel, length: Size): boolean {
  const scores = known(length) ?? Infinity;
  if (team === "invocation") return passes < scores;
  const own = Math.ceil(scores / emitter.workgroup);
  return scores === Infinity || passes * (own + joinCost) < own * scores;
}

/** The key of what is never chosen; no score that can be chosen has it. */
const least = -(2 ** 31);

export function chooseAbove(
  kernel: ClusterKernel,
  row: { readonly extent: Expr; readonly bound: Size; readonly wanted: Expr; readonly scoreAt: ScoreAt },
  store: (at: Affine, value: Expr) => void,
): void {
  const { emitter, values } = kernel;
  const { extent, bound, wanted, scoreAt } = row;
  const keyAt = (index: Affine, lanes: Lanes): Expr => {
    const score = emitter.let(scoreAt(index, lanes));
    const zero = literal("f32", 0, lanes);
    const valid = binary("lt", literal("f32", -Infinity, lanes), score);
    // -0 and 0 are equal, and their bits are not
    const key = unary("order", select(binary("eq", score, zero), zero, score));
    return select(valid, key, literal("i32", least, lanes));
  };
  const countAll = (test: (key: Expr, lanes: Lanes) => Expr): Expr => {
    if (kernel.team === "invocation")
      return countWhere(emitter, extent, bound, (index, lanes) => test(keyAt(index, lanes), lanes));
    const count = emitter.var(integer(0));
    dealt(kernel, { to: extent, bound }, (index) =>
      count.set(binary("add", count.get, cast("i32", test(keyAt(index, 1), 1)))),
    );
    return together(kernel, "add", count.get);
  };
  const wide = (value: Expr, lanes: Lanes): Expr => (lanes === 1 ? value : splat(value));

  const reached = emitter.var(integer(least));
  emitter.for({ to: integer(32), hint: "bit" }, (round) => {
    const bit = binary("shl", integer(1), binary("sub", integer(31), values.index(round)));
    // the first bit is the sign: it turns the least key to 0
    const next = emitter.let(binary("xor", reached.get, bit));
    const count = countAll((key, lanes) => binary("le", wide(next, lanes), key));
    reached.set(select(binary("le", wanted, count), next, reached.get));
  });
  const threshold = emitter.let(reached.get);
  const above = countAll((key, lanes) => binary("lt", wide(threshold, lanes), key));
  const room = emitter.let(binary("sub", wanted, above));

  const isTied = (key: Expr): Expr =>
    binary("and", binary("eq", key, threshold), binary("lt", integer(least), key));
  const mark = (from: Expr, to: Expr, before: Expr): void => {
    const seen = emitter.var(before);
    emitter.for({ from, to, bound }, (index) => {
      const key = emitter.let(keyAt(index, 1));
      const tied = emitter.let(isTied(key));
      const fits = binary("and", tied, binary("lt", seen.get, room));
      store(index, binary("or", binary("lt", threshold, key), fits));
      seen.set(binary("add", seen.get, cast("i32", tied)));
    });
  };
  if (kernel.team === "invocation") return mark(integer(0), extent, integer(0));

  // Neighbours are one invocation's, which has to know how many are tied before them.
  const { workgroup } = emitter;
  const share = binary("div", binary("add", extent, integer(workgroup - 1)), integer(workgroup));
  const from = emitter.let(binary("mul", invocation, share));
  const to = emitter.let(lowerOf(binary("add", from, share), extent));
  const tied = emitter.scratch("i32", workgroup);
  const own = emitter.var(integer(0));
  emitter.for({ from, to, bound }, (index) =>
    own.set(binary("add", own.get, cast("i32", isTied(keyAt(index, 1))))),
  );
  emitter.push({ op: "store", buffer: tied, index: invocation, value: own.get });
  meet(kernel);
  const before = emitter.var(integer(0));
  emitter.for({ to: invocation, hint: "i" }, (other) =>
    before.set(
      binary("add", before.get, { op: "load", type: "i32", buffer: tied, index: values.index(other) }),
    ),
  );
  mark(from, to, before.get);
}
