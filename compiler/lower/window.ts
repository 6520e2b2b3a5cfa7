// The window of a cluster: whether its kernel can be launched once for each part of the stacks that it touches (stacks.ts). It can when
// all that it touches of them is the expert's at hand: maps and reductions of each expert, sums over everything (each part alone),
// contractions of the rows of a routing. In: a cluster. Out: its window, or the tensors that would have to be in one piece; a device
// may refuse those. Finds out by evaluating the members and looking at what they read.

import type { ContractNode, Node, Shape } from "../graph.ts";
import { known } from "../../runtime/size.ts";
import type { Cluster } from "../fuse.ts";
import { identity } from "../fuse-trace.ts";
import { laneType } from "../kernel-type.ts";
import type { Affine } from "./affine.ts";
import { variable } from "./affine.ts";
import { ClusterKernel, type LowerContext } from "./context.ts";
import { axisOfLabel, contractRoles } from "./contract-roles.ts";
import { literal } from "./expr.ts";
import type { At } from "./layout.ts";
import { isReduction, reductionOf } from "./reduction.ts";
import type { Part, Window } from "./stacks.ts";

/** Undefined when the cluster touches nothing that lies in parts; else its window, or the tensors that it cannot take in parts. */
export function windowOf(
  context: LowerContext,
  cluster: Cluster,
): Window | { readonly unfit: readonly string[] } | undefined {
  if (context.stacks.size === 0) return undefined;
  const names = tensorsOf(context, cluster).filter((name) => context.stacks.has(name));
  if (names.length === 0) return undefined;
  const [part, ...others] = names.map((name) => context.stacks.get(name)!);
  const alike = others.every(({ count, length }) => count === part!.count && length === part!.length);
  const members = alike ? membersIn(context, cluster, part!) : undefined;
  return members === undefined ? { unfit: names } : { part: part!, members };
}

const readsOf = ({ fusion }: LowerContext, node: Node): readonly Node[] =>
  (fusion.reads.get(node) ?? []).map((read) => read.node);

function tensorsOf(context: LowerContext, cluster: Cluster): readonly string[] {
  const names = new Set<string>();
  for (const node of cluster.members)
    for (const leaf of readsOf(context, node)) if (leaf.op === "tensor") names.add(leaf.name);
  for (const node of cluster.outputs) {
    const buffer = context.memories.get(node)?.buffer;
    if (buffer?.kind === "tensor") names.add(buffer.name);
  }
  return [...names];
}

/** The members that touch parts; undefined when one of them touches other experts than its own. */
function membersIn(context: LowerContext, cluster: Cluster, part: Part): ReadonlySet<Node> | undefined {
  const { kind, members, outputs, rank } = cluster;
  const isStack = (shape: Shape): boolean =>
    shape[0]?.kind === "dense" && known(shape[0].size) === part.count * part.length;
  const inParts = (node: Node): boolean => {
    const buffer = context.memories.get(node)?.buffer;
    return buffer?.kind === "tensor" && context.stacks.has(buffer.name);
  };
  const touching = new Set<Node>(outputs.filter(inParts));
  let fits = outputs.every((node) => !inParts(node) || isStack(node.shape));
  /** Evaluates a member, and sees where it reads parts; `own` is its expert. */
  const look = (node: Node, own: Affine | undefined, evaluate: (trial: ClusterKernel) => void): void => {
    const load = (leaf: Node, at: At): void => {
      if (!inParts(leaf)) return;
      touching.add(node);
      fits &&= own !== undefined && at[0]?.key === own.key;
    };
    const trial = new ClusterKernel(context, cluster, { load });
    for (const member of members)
      if (member.op !== "map" && member !== node)
        trial.values.bind(member, (_, lanes) => literal(laneType(member.dtype), 0, lanes));
    evaluate(trial);
  };
  const lookAtMap = (node: Node, own: Affine | undefined): void =>
    look(node, own, ({ values }) => void values.value(node, identity(node.shape), 1));

  switch (kind) {
    case "map":
      if (!isStack(members[0]!.shape) || members.some(({ op }) => op !== "map")) return undefined;
      for (const node of members) lookAtMap(node, identity(node.shape)[0]);
      return fits ? touching : undefined;
    case "row":
      if (rank > 0 && !isStack(members[0]!.shape)) return undefined;
      for (const node of members) {
        if (isReduction(node)) {
          const { inner, value } = reductionOf(node);
          const [out, reduced] = [identity(node.shape), identity(inner, "r")];
          // Of sums over everything, each part is summed alone (total.ts).
          const isAlone = isStack(inner) && readsOf(context, node).every((read) => !members.includes(read));
          const own = rank > 0 ? out[0] : isAlone ? reduced[0] : undefined;
          look(node, own, ({ values }) => void value(values, out, reduced, 1));
        } else if (node.op === "map") lookAtMap(node, rank > 0 ? identity(node.shape)[0] : undefined);
        else return undefined;
      }
      return fits ? touching : undefined;
    case "contract": {
      const contracts = members.filter((node): node is ContractNode => node.op === "contract");
      const { ragged } = contractRoles(contracts[0]!)!;
      const group = ragged?.group;
      if (group === undefined) return undefined;
      const own = variable("at_group", 0);
      for (const node of contracts)
        for (const [operand, labels] of [
          [node.a, node.labels.a],
          [node.b, node.labels.b],
        ] as const) {
          const at = [...labels].map((label) =>
            label === group ? own : variable(`at_${label}`, 0, { bound: axisOfLabel(node, label).size }),
          );
          look(node, own, ({ values }) => void values.value(operand, at, 1));
        }
      const byGroup = contracts[0]!.labels.out[0] === group;
      for (const node of members)
        if (node.op === "map") lookAtMap(node, byGroup ? identity(node.shape)[0] : undefined);
      return fits && (byGroup || !outputs.some(inParts)) ? touching : undefined;
    }
    case "stream":
    case "column":
    case "scan":
    case "route":
      return undefined;
    default:
      return kind satisfies never;
  }
}
