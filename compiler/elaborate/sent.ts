// Sent: where the picks of routers go. In: segments of pools as they are run, tensors as they are declared inside of them. Out: for each
// router the kinds of experts that it sends to, and the tensors that those have, one entry of each for an expert.
// Reports, plans and drawings count experts by it: names do not tell, since a pool may have any, and neither do graphs, where equal
// choices of two routers are one node.

import type { ExpertsInfo } from "../../runtime/program.ts";
import type { Collected } from "./elaboration.ts";
import type { Hidden } from "./value.ts";

/** One segment of a pool, applied once. */
export interface Sent {
  /** Absent: gates that no router made. */
  readonly router: string | undefined;
  /** The axis that copies the segment's parameters. */
  readonly group: Hidden;
  readonly first: number;
  readonly count: number;
  readonly tensors: Set<string>;
}

export function noteSent({ sent }: Collected, segment: Omit<Sent, "tensors">): void {
  sent.push({ ...segment, tensors: new Set() });
}

/** A tensor that is declared, or shared, where parameters have these axes in front. */
export function noteHeld({ sent }: Collected, groups: readonly Hidden[], tensor: string): void {
  for (const group of groups) sent.findLast((each) => each.group === group)?.tensors.add(tensor);
}

/** Each kind once, however often its pool is applied. */
export function kindsOf({ sent }: Collected, router: string): readonly ExpertsInfo[] {
  const kinds = new Map<string, ExpertsInfo>();
  for (const { router: name, tensors, first, count } of sent)
    if (name === router) kinds.set([first, ...tensors].join("\n"), { first, count, tensors: [...tensors] });
  return [...kinds.values()];
}
