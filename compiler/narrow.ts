// Narrow: operands of contractions become numbers of half width, in memory as in arithmetic. In: the simplified graphs of a program's
// entries, its tensors, the target. Out: the graphs with casts before contractions, and the copies that stand for parameters.
// A cast stands at what is computed, below views and gathers: one for all that read it, stored by the kernel that computes it
// (fuse-stored.ts). A parameter is rounded once and for all: entries read its copy, and whoever writes the parameter writes both.
// Not rounded: what something is chosen by (two scores that are near each other would change places, and a token its expert), the tiles
// of streamed kernels and what sums them, which are no products of matrices in memory, and contractions that are hardly matrices.
// Rows that a routing hands back are rounded, too, where such a contraction made them: they are written and read once for each pick,
// and summed in f32.
// Sums, gradients of parameters and everything else stay f32. Comes after differentiation: gradients are those of the f32 graph.

import type { ContractNode, Graph, Node, TensorNode } from "./graph.ts";
import { usersIn } from "./fuse-users.ts";
import { GraphBuilder } from "./graph-builder.ts";
import { NodeMap } from "./graph-map.ts";
import { rebuild } from "./graph-rebuild.ts";
import { nodesOf, operandsOf, rootsOf } from "./graph-walk.ts";
import { roundHalf } from "./half.ts";
import type { HalfType } from "./kernel.ts";
import { axisOfLabel, contractRoles } from "./lower/contract-roles.ts";
import { presume } from "./schedule/gpu-tiles.ts";
import { planStreams } from "./stream-plan.ts";
import type { Target } from "./target.ts";
import type { Copy, Tensor } from "../runtime/program.ts";
import { product } from "../runtime/size.ts";

export interface Narrowed {
  readonly graphs: readonly Graph[];
  readonly copies: readonly Copy[];
}

/** Fewer rows, columns or products than this are no work for matrix units. */
const least = 16;

/** `:` is in no name that a model can give. */
const copyName = (name: string, type: HalfType): string => `${name}:${type}`;

/** The graphs themselves where the target rounds nothing. */
export function narrow(graphs: readonly Graph[], tensors: readonly Tensor[], target: Target): Narrowed {
  const { narrow: type } = target;
  if (type === undefined) return { graphs, copies: [] };
  const parameters = new Map(
    tensors.flatMap((tensor) => (tensor.role === "parameter" ? [[tensor.name, tensor] as const] : [])),
  );
  const copies = new Map<string, Copy>();
  const copyOf = (builder: GraphBuilder, node: TensorNode): Node | undefined => {
    const parameter = parameters.get(node.name);
    if (parameter === undefined) return undefined;
    const name = copyName(node.name, type);
    copies.set(name, { name, of: node.name, type, shape: parameter.shape });
    return builder.tensor(name, node.shape, type);
  };
  const isParameter = (node: Node): boolean => node.op === "tensor" && parameters.has(node.name);
  const narrowed = graphs.map((graph) => {
    const builder = new GraphBuilder();
    const narrows = narrowing(graph, target, isParameter);
    return { builder, graph: castOperands(graph, builder, type, narrows, copyOf) };
  });
  return {
    graphs: narrowed.map(({ builder, graph }) => {
      const more = graph.updates.flatMap(({ tensor, node }) => {
        const name = copyName(tensor, type);
        if (!copies.has(name)) return [];
        builder.origin = node.origin;
        return [{ tensor: name, node: builder.cast(node, type) }];
      });
      return { ...graph, updates: [...graph.updates, ...more] };
    }),
    copies: [...copies.values()],
  };
}

/** The contractions whose operands are rounded. */
function narrowing(
  graph: Graph,
  target: Target,
  isParameter: (node: Node) => boolean,
): (node: ContractNode) => boolean {
  const roots = rootsOf(graph);
  const nodes = nodesOf(roots);
  const apart = selecting(nodes);
  const { streams } = planStreams(nodes, usersIn(nodes, new Set(roots)).users, {
    target,
    always: false,
    except: new Map(),
  });
  for (const { tiles, sinks } of streams)
    for (const node of [...tiles, ...sinks.map((each) => each.node)]) apart.add(node);
  return (node) => !apart.has(node) && isMatrixProduct(node, isParameter);
}

/** Contractions whose results reach a choice through element-wise functions, sums and views only: a router's scores. */
function selecting(nodes: readonly Node[]): Set<Node> {
  const contracts = new Set<Node>();
  const seen = new Set<Node>();
  const rest: Node[] = nodes.flatMap((node) => (node.op === "choose" ? [node.score] : []));
  for (let node = rest.pop(); node !== undefined; node = rest.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (node.op === "contract") contracts.add(node);
    else if (node.op === "map" || node.op === "view" || node.op === "reduce" || node.op === "scan")
      rest.push(...operandsOf(node));
  }
  return contracts;
}

/** Large enough on all sides; or few rows times a parameter, which is the same product when it is decoded. */
function isMatrixProduct(node: ContractNode, isParameter: (node: Node) => boolean): boolean {
  const roles = contractRoles(node);
  if (roles === undefined) return false;
  const extent = (labels: readonly string[]): number =>
    presume(product(labels.map((label) => axisOfLabel(node, label).size)));
  if (extent(roles.k) < least) return false;
  const [left, right] = roles.left === "a" ? [node.a, node.b] : [node.b, node.a];
  const [m, n] = [extent(roles.m), extent(roles.n)];
  return (
    (m >= least || isParameter(belowViews(right))) &&
    (n >= least || isParameter(belowViews(left))) &&
    Math.max(m, n) >= least
  );
}

/** What is looked at through views. */
function belowViews(node: Node): Node {
  let at = node;
  while (at.op === "view") at = at.input;
  return at;
}

function castOperands(
  graph: Graph,
  builder: GraphBuilder,
  type: HalfType,
  narrows: (node: ContractNode) => boolean,
  copyOf: (builder: GraphBuilder, node: TensorNode) => Node | undefined,
): Graph {
  const nodes = nodesOf(rootsOf(graph));
  const made = new NodeMap<Node>(nodes);
  /** Results of narrowed contractions, and what functions make of them. */
  const products = new Set<Node>();
  const halves = new Map<Node, Node>();
  const of = (node: Node): Node => made.get(node)!;
  const halfOf = (node: Node): Node => {
    let half = halves.get(node);
    if (half === undefined) {
      builder.origin = node.origin;
      halves.set(node, (half = cast(node)));
    }
    return half;
  };
  /** Views and gathers move what is rounded already. */
  const cast = (node: Node): Node => {
    switch (node.op) {
      case "view":
      case "dispatch":
        return rebuild(builder, node, (operand) => (operand === node.input ? halfOf(operand) : operand));
      case "combine":
        if (node.per === "token") return builder.cast(node, type);
        return rebuild(builder, node, (operand) => (operand === node.input ? halfOf(operand) : operand));
      case "take":
        return rebuild(builder, node, (operand) => (operand === node.table ? halfOf(operand) : operand));
      case "const":
        return builder.constant(roundHalf(type, node.value), type);
      case "tensor":
        return copyOf(builder, node) ?? builder.cast(node, type);
      default:
        return builder.cast(node, type);
    }
  };
  const remake = (node: Node): Node => {
    if (node.op === "contract" && narrows(node)) {
      products.add(node);
      const [a, b] = [halfOf(of(node.a)), halfOf(of(node.b))];
      builder.origin = node.origin;
      return rebuild(builder, node, (operand) => (operand === node.a ? a : b));
    }
    if ((node.op === "map" || node.op === "view") && operandsOf(node).some((each) => products.has(each)))
      products.add(node);
    builder.origin = node.origin;
    if (node.op === "combine" && node.per === "token" && node.dtype === "f32" && products.has(node.input)) {
      const rows = builder.cast(halfOf(of(node.input)), "f32");
      return rebuild(builder, node, (operand) => (operand === node.input ? rows : of(operand)));
    }
    return rebuild(builder, node, of);
  };
  for (const node of nodes) made.set(node, remake(node));
  return {
    ...graph,
    outputs: graph.outputs.map((output) => ({ ...output, node: of(output.node) })),
    updates: graph.updates.map((update) => ({ ...update, node: of(update.node) })),
  };
}
