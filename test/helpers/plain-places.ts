// Who keeps a place when an expert is full, as loops: what tests of capacities and of choices by chance have in common.

import type { Rows } from "./plain.ts";

/** Gumbel noise of uniform numbers. */
export const gumbels = (draws: readonly number[]): number[] => draws.map((u) => -Math.log(-Math.log(u)));

/** The picks that keep a place: for each expert the `places` with the highest priority, of equals the earlier token, then its earlier slot. */
export function kept(wished: Rows, places: number, priority: (token: number, slot: number) => number): Rows {
  const left = wished.map((row) => [...row]);
  for (const e of new Set(wished.flat())) {
    const asking = wished.flatMap((row, t) => row.flatMap((each, slot) => (each === e ? [[t, slot]] : [])));
    const order = asking.sort(([t, i], [u, j]) => priority(u!, j!) - priority(t!, i!) || t! - u! || i! - j!);
    for (const [t, slot] of order.slice(places)) left[t!]![slot!] = -1;
  }
  return left;
}
