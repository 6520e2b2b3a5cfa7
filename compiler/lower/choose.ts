// Selection in a row: the ids of the `count` largest scores in falling order, or which scores those are.
// In: a choose node as a stage of a row kernel. Out: statements. Few: kept sorted in scratch while the row is read once.
// Many, or a number known only at launch: each score is ranked by counting the scores before it.
// Ties go to the lower index; NaN and -inf are never chosen. Deliberately absent: sorting networks.

import type { ChooseNode } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import { known } from "../../runtime/size.ts";
import { fixed, number, variable } from "./affine.ts";
import type { Affine } from "./affine.ts";
import type { ClusterKernel } from "./context.ts";
import { binary, cast, extract, float, integer, literal, select, sizeExpr, splat } from "./expr.ts";
import { bindKept, keepValue } from "./keep.ts";
import type { Keep } from "./keep.ts";
import { extentOf } from "./space.ts";
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
  if (count !== undefined && count <= mostSorted) {
    const ids = sorted(kernel, node, row, count);
    if (node.as === "ids")
      for (let i = 0; i < count; i++) store(fixed(number(i)), loadInteger(ids, integer(i)));
    else maskOf(kernel, node, ids, count, store);
  } else ranked(kernel, node, row, store);
  if (to.keep.kind !== "none") bindKept(kernel, node, to.keep, row);
  else if (to.isOutput) kernel.reveal(node);
}

const loadInteger = (scratch: string, index: Expr): Expr => ({
  op: "load",
  type: "i32",
  buffer: scratch,
  index,
});
const loadFloat = (scratch: string, index: Expr): Expr => ({
  op: "load",
  type: "f32",
  buffer: scratch,
  index,
});

/** Scratch of ids, best first, -1 where nothing was left. */
function sorted(kernel: ClusterKernel, node: ChooseNode, row: At, count: number): string {
  const { emitter, values } = kernel;
  const keys = emitter.scratch("f32", count);
  const ids = emitter.scratch("i32", count);
  for (let i = 0; i < count; i++) {
    emitter.push({ op: "store", buffer: keys, index: integer(i), value: float(-Infinity) });
    emitter.push({ op: "store", buffer: ids, index: integer(i), value: integer(-1) });
  }
  const axis = node.score.shape.at(-1)!;
  emitter.for({ to: extentOf(kernel, axis), bound: axis.size }, (index) => {
    const score = emitter.let(values.value(node.score, [...row, index], 1));
    const id = values.index(index);
    // keys fall, so `score` beats a key exactly when it beats all keys after it
    emitter.if(binary("lt", loadFloat(keys, integer(count - 1)), score), () => {
      for (let i = count - 1; i >= 0; i--) {
        const key = emitter.let(loadFloat(keys, integer(i)));
        const own = emitter.let(loadInteger(ids, integer(i)));
        const beats = emitter.let(binary("lt", key, score));
        let nextKey = score;
        let nextId = id;
        if (i > 0) {
          const above = emitter.let(loadFloat(keys, integer(i - 1)));
          const beatsAbove = binary("lt", above, score);
          nextKey = select(beatsAbove, above, score);
          nextId = select(beatsAbove, loadInteger(ids, integer(i - 1)), id);
        }
        emitter.push({ op: "store", buffer: keys, index: integer(i), value: select(beats, nextKey, key) });
        emitter.push({ op: "store", buffer: ids, index: integer(i), value: select(beats, nextId, own) });
      }
    });
  });
  return ids;
}

function maskOf(
  kernel: ClusterKernel,
  node: ChooseNode,
  ids: string,
  count: number,
  store: (at: Affine, value: Expr) => void,
): void {
  const { emitter, values } = kernel;
  const chosen = Array.from({ length: count }, (_, i) => emitter.let(loadInteger(ids, integer(i))));
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
  const chosen = emitter.var(integer(0));
  emitter.for({ to: extent, bound: axis.size }, (index) => {
    const own = emitter.let(values.value(node.score, [...row, index], 1));
    const id = emitter.let(values.index(index));
    const valid = emitter.let(binary("lt", float(-Infinity), own));
    if (node.as === "mask") {
      const rank = rankOf(kernel, node, row, own, id, extent);
      store(index, binary("and", valid, binary("lt", rank, wanted)));
      return;
    }
    emitter.if(valid, () => {
      const rank = rankOf(kernel, node, row, own, id, extent);
      emitter.if(binary("lt", rank, wanted), () => {
        chosen.set(binary("add", chosen.get, integer(1)));
        const name = rank.op === "local" ? rank.name : "";
        store(variable(name, emitter.depth), id);
      });
    });
  });
  if (node.as === "mask") return;
  const from = emitter.let(chosen.get);
  emitter.for({ from, to: wanted }, (index) => store(index, integer(-1)));
}

function rankOf(kernel: ClusterKernel, node: ChooseNode, row: At, own: Expr, id: Expr, extent: Expr): Expr {
  const { emitter, values } = kernel;
  const axis = node.score.shape.at(-1)!;
  const scalar = emitter.var(integer(0));
  const vector = emitter.var(literal("i32", 0, 4));
  emitter.lanesFrom(
    integer(0),
    extent,
    axis.size,
    (other, lanes) => {
      const score = emitter.let(values.value(node.score, [...row, other], lanes));
      const position: Expr =
        lanes === 1
          ? values.index(other)
          : binary("add", splat(values.index(other)), {
              op: "vector",
              type: "i32x4",
              lanes: [integer(0), integer(1), integer(2), integer(3)],
            });
      const [mine, at] = lanes === 1 ? [own, id] : [splat(own), splat(id)];
      const before = binary(
        "or",
        binary("lt", mine, score),
        binary("and", binary("eq", mine, score), binary("lt", position, at)),
      );
      const into = lanes === 1 ? scalar : vector;
      into.set(binary("add", into.get, cast(lanes === 1 ? "i32" : "i32x4", before)));
    },
    true,
  );
  let sum: Expr = scalar.get;
  for (const lane of [0, 1, 2, 3] as const) sum = binary("add", sum, extract(vector.get, lane));
  return emitter.let(sum);
}
