// What kind of kernel computes a node, and what its rows are.
// In: a node. Out: the kind of its cluster, the axes that make a row, and what is small enough for a row kernel.
// Deliberately absent: which nodes come together (fuse.ts).

import type { ContractNode, Node, ReduceNode } from "./graph.ts";
import { elements } from "./estimate.ts";
import { operandsOf } from "./graph-walk.ts";
import { isHalf } from "./half.ts";
import { contractRoles } from "./lower/contract-roles.ts";
import { reductionOf } from "./lower/reduction.ts";
import type { Parallel } from "./target.ts";
import { known, product, sizeKey } from "../runtime/size.ts";

export type ClusterKind = "map" | "row" | "contract" | "stream" | "column" | "scan" | "route";

/** Elements of a row that a kernel may keep in scratch, as one array. A workgroup's scratch has room for several. */
export const mostScratch = (parallel: Parallel | undefined): number =>
  parallel === undefined ? 4096 : parallel.scratch / 32;
/** Elements that a row may reduce to an array. */
const mostSmall = 4096;

/** Nodes that are computed wherever they are read, unless they are roots. */
export const isVirtual = (node: Node): boolean => {
  switch (node.op) {
    case "const":
    case "size":
    case "index":
    case "map":
    case "view":
    case "dispatch":
    case "take":
    case "random":
      return true;
    case "combine":
      return node.per === "pick";
    case "input":
    case "tensor":
    case "reduce":
    case "scan":
    case "contract":
    case "choose":
    case "route":
    case "part":
      return false;
    default:
      return node satisfies never;
  }
};

/** Maps may be written to memory for speed; views, constants and gathers never gain by it. */
export const mayStore = (node: Node): boolean =>
  node.op === "map" || node.op === "take" || node.op === "random";

/** What the value of a node is made of; rows that it is gathered from are not. */
export const readOperands = (node: Node): readonly Node[] =>
  node.op === "dispatch" || node.op === "combine" ? [node.input] : node.op === "part" ? [] : operandsOf(node);

/** The node whose kernel writes a node: the parts of a routing are made by its route. */
export const makerOf = (node: Node): Node => (node.op === "part" ? node.route : node);

export function kindOf(node: Node): ClusterKind {
  switch (node.op) {
    case "reduce":
      return reductionOf(node).trailing || isSmallReduction(node, rowRankOf(node)) ? "row" : "column";
    case "choose":
      return "row";
    case "scan":
      return node.axis === node.shape.length - 1 ? "row" : "scan";
    case "contract":
      if (contractRoles(node) !== undefined) return "contract";
      return reductionOf(node).trailing || isSmallReduction(node, rowRankOf(node)) ? "row" : "column";
    case "route":
      return "route";
    case "combine":
    case "map":
    case "view":
    case "const":
    case "size":
    case "index":
    case "dispatch":
    case "take":
    case "random":
    case "input":
    case "tensor":
    case "part":
      return "map";
    default:
      return node satisfies never;
  }
}

/** How many leading axes make a row: all that a reduction over trailing axes keeps, those before the first reduced one
 * when it reduces others. */
export function rowRankOf(node: Node): number {
  if (node.op === "reduce") return reductionOf(node).trailing ? node.shape.length : node.axes[0]!;
  if (node.op === "contract") return reductionOf(node).trailing ? node.shape.length : node.shape.length - 1;
  if (node.op === "choose" || node.op === "scan") return node.shape.length - 1;
  return 0;
}

/** An array of a row that is no map, so that it cannot be computed again where it is read, and too long for scratch. */
export function isWideArray(node: Node, rank: number, parallel: Parallel | undefined): boolean {
  if (node.op === "map" || node.shape.length === rank) return false;
  const count = known(product(node.shape.slice(rank).map(({ size }) => size)));
  return count === undefined || count > mostScratch(parallel);
}

/** Whether a selection is among more scores than fit scratch. */
export const isWideChoice = (node: Node, parallel: Parallel | undefined): boolean =>
  node.op === "choose" && (known(node.score.shape.at(-1)!.size) ?? Infinity) > mostScratch(parallel);

/** Elements of scratch that a workgroup cannot do without when a node is a member of a row kernel: its array, and what it
 * is made with. */
export function scratchNeeded(node: Node, rank: number, parallel: Parallel): number {
  if (node.op === "map" || node.shape.length === rank) return 0;
  const own = isWideArray(node, rank, parallel) ? 0 : elements(node.shape.slice(rank));
  if (node.op === "scan") return own + 2 * parallel.workgroup;
  return node.op === "choose" && !isWideChoice(node, parallel)
    ? own + elements(node.score.shape.slice(rank))
    : own;
}

/** Elements of scratch that a row kernel may have, beside what joining a workgroup's numbers takes, and its whole numbers. */
export const scratchOf = (parallel: Parallel): number => parallel.scratch / 4 - 2 * parallel.workgroup;

/** Whether a reduction that leaves an array for each row is little work for one row, and there are many rows. */
export function isSmallReduction(node: ReduceNode | ContractNode, rank: number): boolean {
  const { inner, groups } = reductionOf(node);
  if (rank === 0 || groups !== undefined || inner.some(({ kind }) => kind === "ragged")) return false;
  if (node.op === "reduce" && node.axes[0]! < rank) return false;
  const array = node.shape.slice(rank);
  if (array.some(({ kind }) => kind === "ragged")) return false;
  return elements(node.shape.slice(0, rank)) >= 64 && elements(array) * elements(inner) <= mostSmall;
}

/** Whether a node is rounded to half width for contractions, which read it through views and gathers. */
export const isNarrowed = (node: Node): boolean => node.op === "map" && isHalf(node.fn);

/** Contractions with equal keys can share one staging of the left operand. */
export function siblingKey(node: ContractNode): string {
  const roles = contractRoles(node)!;
  const left = roles.left === "a" ? node.a : node.b;
  const shape = node.shape.map((axis) => sizeKey(axis.size)).join(",");
  return `${left.id} ${roles.left} ${node.labels.a},${node.labels.b}->${node.labels.out} ${node.ragged?.row ?? ""} ${shape}`;
}
