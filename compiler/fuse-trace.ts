// What the kernel of one stored node reads: which nodes that have memory, and at which coordinates.
// In: a node and the set of nodes that have memory. Out: its reads, with coordinates over the axes of the node (`i0`, `i1`,
// ...) and of what it reduces. Found by writing the element's value into a kernel that is thrown away, so that fusion sees
// exactly what lowering will do. Deliberately absent: decisions.

import type { ContractNode, Node, PartNode, Shape } from "./graph.ts";
import { number, read, variable } from "./lower/affine.ts";
import type { Affine } from "./lower/affine.ts";
import type { ElementType, Expr } from "./kernel.ts";
import type { ReadonlyNodeSet } from "./graph-map.ts";
import { storedAs } from "./kernel-type.ts";
import type { Known } from "./known.ts";
import { literal } from "./lower/expr.ts";
import { operandsOf } from "./graph-walk.ts";
import type { Terms } from "./lower/terms.ts";
import { contractRoles } from "./lower/contract-roles.ts";
import { reductionOf } from "./lower/reduction.ts";
import { KernelEmitter } from "./lower/emitter.ts";
import type { Memory } from "./lower/emitter.ts";
import { canonical, partOf } from "./lower/parts.ts";
import { Values } from "./lower/value.ts";

export interface Read {
  readonly node: Node;
  /** Texts of the coordinates; `i0` is the node's own first axis. */
  readonly at: readonly string[];
}

export const axisName = (axis: number): string => `i${axis}`;

/** Every axis of a shape as a variable of its own. */
export const identity = (shape: Shape, prefix = "i"): Affine[] =>
  shape.map((axis, i) => variable(`${prefix}${i}`, 0, { bound: axis.size }));

const nowhere = (key: string, type: ElementType): Memory => ({
  key,
  type,
  length: number(1),
  buffer: { kind: "temporary", label: "", type, length: number(1) },
});
const nowhereOf = (node: Node): Memory => nowhere(`%${node.id}`, storedAs(node.dtype));

/** Nodes that exist before any kernel runs, and the parts of routings. */
export const isSource = (node: Node): boolean => node.op === "input" || node.op === "tensor";

/** A read of a leaf by its place in the term (of a part: its routing's). */
export interface NumberedRead {
  readonly leaf: number;
  readonly part: PartNode["part"] | undefined;
  readonly at: readonly string[];
}
const parts = ["offsets", "source", "group", "slot"] as const;

/** Layers repeat: a node like one that was traced before reads likewise. Coordinates that speak of nodes (a gather's
 * index) name them as the term does. */
export function readsOf(
  root: Node,
  stored: ReadonlyNodeSet,
  known: Known["reads"],
  terms: Terms,
): readonly Read[] {
  const { number, leaves } = terms.of(root);
  let numbered = known.get(number);
  if (numbered === undefined) {
    const names = namesIn(root, terms);
    numbered = traceReads(root, (node) => stored.has(node)).map(({ node, at }) => ({
      leaf: leaves.indexOf(node.op === "part" ? node.route : node),
      part: node.op === "part" ? node.part : undefined,
      at: at.map((text) => text.replace(/%-?\d+/g, (id) => names.get(id)!)),
    }));
    known.set(number, numbered);
  }
  return numbered.map(({ leaf, part, at }) => ({ node: leafOf(leaves[leaf], part), at }));
}

function leafOf(leaf: Node | undefined, part: PartNode["part"] | undefined): Node {
  if (part !== undefined && leaf?.op === "route") return partOf(leaf, part);
  if (leaf === undefined || part !== undefined) throw new Error("internal: a term without what it reads");
  return leaf;
}

/** Names of the nodes that a node is computed from, by their ids as coordinates write them: the same for equal terms. */
function namesIn(root: Node, terms: Terms): ReadonlyMap<string, string> {
  const { leaves } = terms.of(root);
  const names = new Map<string, string>();
  for (const [i, leaf] of leaves.entries()) {
    names.set(`%${leaf.id}`, `%#${i}`);
    if (leaf.op === "route")
      for (const part of parts) names.set(`%${partOf(leaf, part).id}`, `%#${i} ${part}`);
  }
  const rest = [...operandsOf(root)];
  for (let node = rest.pop(); node !== undefined; node = rest.pop()) {
    if (names.has(`%${node.id}`) || node.op === "part") continue;
    const term = terms.asRead(node);
    names.set(`%${node.id}`, `%${term.number}(${term.leaves.map((leaf) => leaves.indexOf(leaf)).join()})`);
    rest.push(...operandsOf(node));
  }
  return names;
}

function traceReads(root: Node, isStored: (node: Node) => boolean): readonly Read[] {
  const reads = new Map<string, Read>();
  const note = (node: Node, at: readonly Affine[]): void => {
    const keys = at.map(({ key }) => key);
    reads.set(`${node.id}[${keys.join(",")}]`, { node, at: keys });
  };
  const values = new Values(new KernelEmitter(), {
    memoryOf: (node) => {
      if (node === root) return undefined;
      return node.op === "part" || isSource(node) || isStored(node) ? nowhereOf(node) : undefined;
    },
    usesOf: () => 2,
    trace: { load: (node, at) => note(node, at) },
  });
  for (const tile of tilesBelow(root, isStored)) values.bind(tile, () => traceTile(tile, values));
  for (const axis of root.shape)
    if (axis.kind === "ragged" && root.op !== "route") note(partOf(axis.by, "offsets"), []);
  traceRoot(root, values, note);
  return [...reads.values()];
}

/** Contractions without memory that a node is computed from: tiles of streamed kernels. */
function tilesBelow(root: Node, isStored: (node: Node) => boolean): readonly ContractNode[] {
  const tiles: ContractNode[] = [];
  const seen = new Set<Node>();
  const stack = [...operandsOf(root)];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (seen.has(node) || isSource(node) || isStored(node)) continue;
    seen.add(node);
    if (node.op === "contract") tiles.push(node);
    stack.push(...operandsOf(node));
  }
  return tiles;
}

function traceTile(tile: ContractNode, values: Values): Expr {
  traceContract(tile, values, "t");
  return literal("f32", 0);
}

function traceRoot(root: Node, values: Values, note: (node: Node, at: readonly Affine[]) => void): void {
  switch (root.op) {
    case "reduce":
    case "contract": {
      const reduction = reductionOf(root);
      for (const axis of reduction.inner) if (axis.kind === "ragged") note(partOf(axis.by, "offsets"), []);
      if (reduction.groups !== undefined) note(partOf(reduction.groups.route, "offsets"), []);
      const roles = root.op === "contract" ? contractRoles(root) : undefined;
      const [out, inner] = [identity(root.shape), identity(reduction.inner, "r")];
      if (roles === undefined || root.op !== "contract") reduction.value(values, out, inner, 1);
      else traceContract(root, values);
      return;
    }
    case "scan":
      values.value(root.input, identity(root.shape), 1);
      return;
    case "choose":
      values.value(root.score, identity(root.score.shape), 1);
      return;
    case "route":
      values.value(root.picks, identity(root.picks.shape), 1);
      return;
    case "combine":
      if (root.per === "token") {
        const [token, ...rest] = identity(root.shape);
        const slot = partOf(root.route, "slot");
        const at = [token!, variable("k", 0, { bound: slot.shape[1]!.size })];
        values.value(root.input, [read(slot, at, root.route.bound), ...rest], 1);
        values.value(slot, at, 1);
        return;
      }
      break;
    case "part":
    case "input":
    case "tensor":
      note(canonical(root), identity(root.shape));
      return;
    case "const":
    case "size":
    case "index":
    case "map":
    case "view":
    case "dispatch":
    case "take":
    case "random":
      break;
    default:
      return root satisfies never;
  }
  values.value(root, identity(root.shape), 1);
}

/** A matrix product reads the matrix of the group whose rows it is at. */
function traceContract(node: ContractNode, values: Values, prefix?: string): void {
  const { labels } = node;
  const at = (text: string, shape: Shape): Affine[] =>
    [...text].map((label, i) => {
      const axis = labels.out.indexOf(label);
      const name = prefix !== undefined ? `${prefix}${label}` : axis >= 0 ? axisName(axis) : `r${label}`;
      return variable(name, 0, { bound: shape[i]!.size });
    });
  values.value(node.a, at(labels.a, node.a.shape), 1);
  values.value(node.b, at(labels.b, node.b.shape), 1);
}
