// Selection of a few by a workgroup: the best, the best after it, and so on, each found by all invocations together.
// In: a choose node as a stage of a row kernel, and its scores. Out: statements. Which score comes after which is a matter of
// value and index alone, so nothing has to be marked as taken; NaN comes nowhere. Deliberately absent: many (choose.ts).

import type { ChooseNode } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import type { Affine } from "./affine.ts";
import type { ClusterKernel } from "./context.ts";
import { binary, float, integer, invocation, select } from "./expr.ts";
import { dealt, joinCost, together } from "./team.ts";

const nowhere = integer(2 ** 31 - 1);

/** Whether it is less work for a workgroup than to rank every score among all. */
export const isFew = (count: number, scores: number, workgroup: number): boolean => {
  const own = Math.ceil(scores / workgroup);
  return count * (2 * joinCost + own) < own * scores;
};

export function chooseTogether(
  kernel: ClusterKernel,
  node: ChooseNode,
  about: { readonly count: number; readonly extent: Expr; readonly scoreAt: (at: Affine) => Expr },
  store: (at: Affine, value: Expr) => void,
): void {
  const { emitter, values } = kernel;
  const { count, extent, scoreAt } = about;
  const bound = node.score.shape.at(-1)!.size;
  const last = { key: emitter.var(float(Infinity)), id: emitter.var(integer(-1)) };
  const mine = emitter.var(integer(-1));
  emitter.for({ to: integer(count), hint: "k" }, (round) => {
    const [key, id] = [emitter.var(float(-Infinity)), emitter.var(nowhere)];
    dealt(kernel, { to: extent, bound }, (index) => {
      const score = emitter.let(scoreAt(index));
      const at = values.index(index);
      const tie = binary("and", binary("eq", score, last.key.get), binary("lt", last.id.get, at));
      const after = binary("or", binary("lt", score, last.key.get), tie);
      const better = emitter.let(binary("and", after, binary("lt", key.get, score)));
      key.set(select(better, score, key.get));
      id.set(select(better, at, id.get));
    });
    const best = together(kernel, "max", key.get);
    const first = together(kernel, "min", select(binary("eq", key.get, best), id.get, nowhere));
    last.key.set(best);
    last.id.set(first);
    const found = select(binary("eq", first, nowhere), integer(-1), first);
    mine.set(select(binary("eq", invocation, values.index(round)), found, mine.get));
  });
  if (node.as === "ids") {
    // a round for each invocation, at most
    emitter.if(binary("lt", invocation, integer(count)), () => store(emitter.renamed(invocation), mine.get));
    return;
  }
  dealt(kernel, { to: extent, bound }, (index) => {
    const score = emitter.let(scoreAt(index));
    const tie = binary(
      "and",
      binary("eq", score, last.key.get),
      binary("le", values.index(index), last.id.get),
    );
    const chosen = binary("or", binary("lt", last.key.get, score), tie);
    store(index, binary("and", binary("lt", float(-Infinity), score), chosen));
  });
}
