// What the callbacks of a contraction's schedule stand on: the cluster that is lowered, and coordinates by label. In: places that the
// schedule names. Out: affine coordinates of operands and results. Deliberately absent: values (contract.ts).

import type { ContractNode, Shape } from "../graph.ts";
import type { Cluster } from "../fuse.ts";
import type { Expr, Stmt } from "../kernel.ts";
import type { ContractAxis, ContractPlace } from "../schedule/contract-spec.ts";
import type { Affine } from "./affine.ts";
import type { ClusterKernel, LowerContext } from "./context.ts";
import type { ContractRoles } from "./contract-roles.ts";
import type { At } from "./layout.ts";
import { split } from "./space.ts";

export interface List {
  readonly statements: Stmt[];
  readonly computed: Map<string, Expr>;
}
export const listOf = (statements: Stmt[]): List => ({ statements, computed: new Map() });

export interface About {
  readonly context: LowerContext;
  readonly cluster: Cluster;
  readonly kernel: ClusterKernel;
  readonly roles: ContractRoles;
  readonly shapes: Readonly<Record<ContractAxis, Shape>>;
  readonly first: ContractNode;
}

/** Coordinates by label, from the places that the schedule names. */
export function coordinates(
  { kernel, roles, shapes }: About,
  place: ContractPlace,
): { readonly set: (axis: ContractAxis, at: Affine) => void; readonly of: (labels: string) => At } {
  const known = new Map<string, Affine>();
  for (const [i, label] of roles.batch.entries()) known.set(label, kernel.emitter.given(place.batch[i]!));
  const group = roles.ragged?.group;
  if (group !== undefined && place.group !== undefined) known.set(group, kernel.emitter.given(place.group));
  return {
    set: (axis, at) => {
      for (const [i, coordinate] of split(shapes[axis], at).entries()) known.set(roles[axis][i]!, coordinate);
    },
    of: (labels) => [...labels].map((label) => known.get(label)!),
  };
}

export const raggedAxis = (roles: ContractRoles): ContractAxis | undefined =>
  roles.ragged === undefined ? undefined : roles.ragged.kind === "rows" ? "m" : "k";
