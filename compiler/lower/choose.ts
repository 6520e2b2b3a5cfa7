// Selection in a row: the ids of the `count` largest scores in falling order, or which scores those are.
// In: a choose node as a stage of a row kernel. Out: statements. Few, by one invocation: kept sorted while the row is read
// once; by a workgroup: choose-together.ts. Many, or a number known only at launch: marks go to those above a threshold that is
// found first (choose-threshold.ts); ids, and marks in short rows, come of ranking each score by counting the scores before it.
// Ties go to the lower index; NaN and -inf are never chosen. Deliberately absent: sorting networks.

import type { ChooseNode } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import { known } from "../../runtime/size.ts";
import type { Size } from "../../runtime/size.ts";
import { estimate } from "../estimate.ts";
import { isWideChoice } from "../fuse-kinds.ts";
import { fixed, number, variable } from "./affine.ts";
import type { Affine } from "./affine.ts";
import type { ClusterKernel } from "./context.ts";
import { countWhere } from "./choose-count.ts";
import { chooseAbove, isLong, type ScoreAt } from "./choose-threshold.ts";
import { chooseTogether, isFew } from "./choose-together.ts";
import { binary, float, integer, literal, select, sizeExpr, splat } from "./expr.ts";
import { bindKept, keepValue } from "./keep.ts";
import type { Keep } from "./keep.ts";
import { extentOf } from "./space.ts";
import { dealt, meet, together } from "./team.ts";
import type { At } from "./layout.ts";
import { flatIndex } from "./layout.ts";

/** Choices up to which they are kept sorted; above, ranking is no slower. */
const mostSorted = 32;

export interface ChooseTarget {
  readonly isOutput: boolean;
  readonly keep: Keep;
}

export function lowerChoose(kernel: ClusterKernel, node: ChooseNode, row: At, to: ChooseTarget): void {
  const count = known(node.count);
  const store = (at: Affine, value: Expr, place: At = [...row, at]): void => {
    if (to.isOutput) kernel.values.store(kernel.memoryOf(node), flatIndex(node.shape, place), value);
    keepValue(kernel, node, to.keep, row, [at], value);
  };
  if (count !== undefined && count <= mostSorted && kernel.team === "invocation") {
    const ids = sorted(kernel, node, row, count);
    if (node.as === "ids") for (const [i, { get }] of ids.entries()) store(fixed(number(i)), get);
    else maskOf(kernel, node, ids, store);
  } else ranked(kernel, node, row, store);
  bindKept(kernel, node, to, row);
}

/** One of the best so far. */
interface Cell {
  readonly get: Expr;
  readonly set: (value: Expr) => void;
}

/** Where the best so far are: in scratch; in locals where many invocations share the scratch. */
function cells(kernel: ClusterKernel, count: number): { readonly keys: Cell[]; readonly ids: Cell[] } {
  const { emitter } = kernel;
  const [keys, ids]: [Cell[], Cell[]] = [[], []];
  if (kernel.parallel !== undefined) {
    for (let i = 0; i < count; i++) {
      keys.push(emitter.var(float(-Infinity)));
      ids.push(emitter.var(integer(-1)));
    }
    return { keys, ids };
  }
  const cell = (scratch: string, type: "f32" | "i32", i: number): Cell => ({
    get: { op: "load", type, buffer: scratch, index: integer(i) },
    set: (value) => emitter.push({ op: "store", buffer: scratch, index: integer(i), value }),
  });
  const [keyScratch, idScratch] = [emitter.scratch("f32", count), emitter.scratch("i32", count)];
  for (let i = 0; i < count; i++) {
    keys.push(cell(keyScratch, "f32", i));
    ids.push(cell(idScratch, "i32", i));
    keys[i]!.set(float(-Infinity));
    ids[i]!.set(integer(-1));
  }
  return { keys, ids };
}

/** Ids, best first, -1 where nothing was left. */
function sorted(kernel: ClusterKernel, node: ChooseNode, row: At, count: number): readonly Cell[] {
  const { emitter, values } = kernel;
  const { keys, ids } = cells(kernel, count);
  const axis = node.score.shape.at(-1)!;
  emitter.for({ to: extentOf(kernel, axis), bound: axis.size }, (index) => {
    const score = emitter.let(values.value(node.score, [...row, index], 1));
    const id = values.index(index);
    // keys fall, so `score` beats a key exactly when it beats all keys after it
    emitter.if(binary("lt", keys[count - 1]!.get, score), () => {
      for (let i = count - 1; i >= 0; i--) {
        const key = emitter.let(keys[i]!.get);
        const own = emitter.let(ids[i]!.get);
        const beats = emitter.let(binary("lt", key, score));
        let nextKey = score;
        let nextId = id;
        if (i > 0) {
          const above = emitter.let(keys[i - 1]!.get);
          const beatsAbove = binary("lt", above, score);
          nextKey = select(beatsAbove, above, score);
          nextId = select(beatsAbove, ids[i - 1]!.get, id);
        }
        keys[i]!.set(select(beats, nextKey, key));
        ids[i]!.set(select(beats, nextId, own));
      }
    });
  });
  return ids;
}

function maskOf(
  kernel: ClusterKernel,
  node: ChooseNode,
  ids: readonly Cell[],
  store: (at: Affine, value: Expr) => void,
): void {
  const { emitter, values } = kernel;
  const chosen = ids.map(({ get }) => emitter.let(get));
  const axis = node.shape.at(-1)!;
  emitter.for({ to: extentOf(kernel, axis), bound: axis.size }, (index) => {
    const id = values.index(index);
    let mask: Expr | undefined;
    for (const other of chosen) {
      const same = binary("eq", other, id);
      mask = mask === undefined ? same : binary("or", mask, same);
    }
    store(index, mask ?? literal("bool", 0));
  });
}

/** rank = how many scores come before this one. */
function ranked(
  kernel: ClusterKernel,
  node: ChooseNode,
  row: At,
  store: (at: Affine, value: Expr) => void,
): void {
  const { emitter, values } = kernel;
  const axis = node.score.shape.at(-1)!;
  const extent = emitter.let(extentOf(kernel, axis), "n");
  const wanted = sizeExpr(node.count);
  const few = known(node.count);
  const isTogether = kernel.team === "workgroup" && few !== undefined && few <= mostSorted;
  if (isTogether && isFew(few, estimate(axis.size), emitter.workgroup)) {
    // everyone reads its own scores only
    const own = values.isRead(node.score) ? scoreOf(kernel, node, row) : scoresOf(kernel, node, row, extent);
    const scoreAt = (at: Affine): Expr => own(at, 1);
    return chooseTogether(kernel, node, { count: few, extent, scoreAt }, store);
  }
  const score = scoresOf(kernel, node, row, extent);
  if (node.as === "mask" && isLong(kernel, axis.size))
    return chooseAbove(kernel, { extent, bound: axis.size, wanted, scoreAt: score }, store);
  const chosen = emitter.var(integer(0));
  dealt(kernel, { to: extent, bound: axis.size }, (index) => {
    const own = emitter.let(score(index, 1));
    const id = emitter.let(values.index(index));
    const valid = emitter.let(binary("lt", float(-Infinity), own));
    if (node.as === "mask") {
      const rank = rankOf(kernel, score, { own, id, extent, bound: axis.size });
      store(index, binary("and", valid, binary("lt", rank, wanted)));
      return;
    }
    emitter.if(valid, () => {
      const rank = rankOf(kernel, score, { own, id, extent, bound: axis.size });
      emitter.if(binary("lt", rank, wanted), () => {
        chosen.set(binary("add", chosen.get, integer(1)));
        const name = rank.op === "local" ? rank.name : "";
        store(variable(name, emitter.depth), id);
      });
    });
  });
  if (node.as === "mask") return;
  const from = together(kernel, "add", chosen.get);
  dealt(kernel, { from, to: wanted }, (index) => store(index, integer(-1)));
}

const scoreOf =
  ({ values }: ClusterKernel, node: ChooseNode, row: At): ScoreAt =>
  (index, lanes) =>
    values.value(node.score, [...row, index], lanes);

/** Scores that all of a workgroup read are put into scratch first, when they fit. */
function scoresOf(kernel: ClusterKernel, node: ChooseNode, row: At, extent: Expr): ScoreAt {
  const { emitter, values } = kernel;
  const at = scoreOf(kernel, node, row);
  if (kernel.team === "invocation" || isWideChoice(node, kernel.parallel)) return at;
  const axis = node.score.shape.at(-1)!;
  const scores = emitter.scratch("f32", known(axis.size)!);
  dealt(kernel, { to: extent, bound: axis.size }, (index) => {
    const value = at(index, 1);
    emitter.push({ op: "store", buffer: scores, index: values.index(index), value });
  });
  meet(kernel);
  return (index) => ({ op: "load", type: "f32", buffer: scores, index: values.index(index) });
}

/** How many scores come before one's own. */
const rankOf = (
  { emitter, values }: ClusterKernel,
  scoreAt: ScoreAt,
  {
    own,
    id,
    extent,
    bound,
  }: { readonly own: Expr; readonly id: Expr; readonly extent: Expr; readonly bound: Size },
): Expr =>
  countWhere(emitter, extent, bound, (other, lanes) => {
    const score = emitter.let(scoreAt(other, lanes));
    const position: Expr =
      lanes === 1
        ? values.index(other)
        : binary("add", splat(values.index(other)), {
            op: "vector",
            type: "i32x4",
            lanes: [integer(0), integer(1), integer(2), integer(3)],
          });
    const [mine, at] = lanes === 1 ? [own, id] : [splat(own), splat(id)];
    return binary(
      "or",
      binary("lt", mine, score),
      binary("and", binary("eq", mine, score), binary("lt", position, at)),
    );
  });
