// Arrays of a row that are read again: where they are kept, how they get there and how they are read.
// In: a member of a row cluster and its elements. Out: stores, and a binding for the members that come later.

import type { Node } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import type { Affine } from "./affine.ts";
import { add, number, scale, shift } from "./affine.ts";
import { elementOf } from "./context.ts";
import type { ClusterKernel } from "./context.ts";
import type { Memory } from "./emitter.ts";
import { binary, cast, literal } from "./expr.ts";
import type { Lanes } from "./expr.ts";
import { flatIndex } from "./layout.ts";
import type { At } from "./layout.ts";
import { meet } from "./team.ts";

/** Where an array of a row is kept for members that read it later. */
export type Keep =
  /** Nowhere but in its own memory, when it is a result. */
  | { readonly kind: "none" }
  /** Nowhere: it is computed again where it is read, because others of the team wrote its memory. */
  | { readonly kind: "again" }
  /** Shared: others of the team read it than wrote it. */
  | { readonly kind: "scratch"; readonly name: string; readonly shared: boolean }
  /** In the memory of a result that replaces it, element by element. */
  | { readonly kind: "alias"; readonly of: Node };

/** Writes an element of a row where it is kept. */
export function keepValue(kernel: ClusterKernel, node: Node, keep: Keep, row: At, at: At, value: Expr): void {
  if (keep.kind === "alias")
    kernel.values.store(kernel.memoryOf(keep.of), flatIndex(node.shape, [...row, ...at]), value);
  else if (keep.kind === "scratch") {
    const index = kernel.values.index(inScratch(kernel, flatIndex(node.shape.slice(row.length), at)));
    const stored =
      value.type === "bool" ? cast("i32", value) : value.type === "boolx4" ? cast("i32x4", value) : value;
    kernel.emitter.push({ op: "store", buffer: keep.name, index, value: stored });
  }
}

/** Every invocation that has a row of its own has every so many elements of an array, so that neighbours are in
 * different banks. */
function inScratch({ team, parallel, emitter }: ClusterKernel, index: Affine): Affine {
  if (parallel === undefined || team === "workgroup" || emitter.workgroup === 1) return index;
  return add(scale(index, number(emitter.workgroup)), emitter.lane());
}

/** Members that come later read the node where it is kept, or in its own memory when it is a result. */
export function bindKept(
  kernel: ClusterKernel,
  node: Node,
  { keep, isOutput }: { readonly keep: Keep; readonly isOutput: boolean },
  row: At,
): void {
  if (keep.kind === "again") return;
  if (keep.kind === "none") {
    if (isOutput) kernel.reveal(node);
    return;
  }
  if (keep.kind === "scratch" && keep.shared) meet(kernel);
  const { values } = kernel;
  const type = elementOf(node);
  values.bind(node, (at, lanes) => {
    const from =
      keep.kind === "alias"
        ? {
            flat: placedIn(kernel.memoryOf(keep.of), flatIndex(node.shape, at)),
            load: loadMemory(kernel, keep.of),
          }
        : {
            flat: inScratch(kernel, flatIndex(node.shape.slice(row.length), at.slice(row.length))),
            load: loadScratch(keep.name, type),
          };
    const value = values.loadAt(from.flat, lanes, from.load, type);
    return node.dtype === "bool" ? binary("ne", value, literal("i32", 0, lanes)) : value;
  });
}

const placedIn = (memory: Memory, flat: Affine): Affine =>
  memory.offset === undefined ? flat : shift(flat, memory.offset);

type Load = (index: Expr, lanes: Lanes) => Expr;
const loadMemory =
  (kernel: ClusterKernel, node: Node): Load =>
  (index, lanes) =>
    kernel.emitter.load(kernel.memoryOf(node), index, lanes);
const loadScratch =
  (name: string, type: "f32" | "i32"): Load =>
  (index, lanes) => ({ op: "load", type: lanes === 4 ? `${type}x4` : type, buffer: name, index });
