// Specialisation: how much the experts that a row took tell of what the row is. In: picks and values of rows, batch after batch. Out: the mutual
// information of expert and value as a share of the value's entropy: 0 says that the choice does not know the value, 1 that the expert gives
// it away. The share of the value's entropy, not of the expert's, so that more experts are not worse by being more. All picks of true
// experts count alike. As an estimate it is too high by about (experts - 1) (values - 1) / (2 picks) nats.

import { countValues } from "../cli/report/count.ts";
import type { Batch } from "../runtime/data/data.ts";
import type { RouterInfo } from "../runtime/program.ts";
import type { Outputs } from "../runtime/session-values.ts";

/** counts[value][expert] to I(value; expert) / H(value); 0 where there is one value only. */
export function toldShare(counts: readonly ArrayLike<number>[]): number {
  const rows = counts.map((row) => Array.from(row));
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const total = sum(rows.map(sum));
  const loads = rows[0]?.map((_, expert) => sum(rows.map((row) => row[expert]!))) ?? [];
  let [information, entropy] = [0, 0];
  for (const row of rows) {
    const own = sum(row);
    if (own === 0) continue;
    entropy -= (own / total) * Math.log(own / total);
    row.forEach((count, expert) => {
      if (count > 0) information += (count / total) * Math.log((count * total) / (own * loads[expert]!));
    });
  }
  return entropy > 0 ? information / entropy : 0;
}

/**
 * Counts picks of every router by the values of every modality of whole numbers: of the token, where there are as many values as rows, or of what the
 * row belongs to (the class of its document), where there are fewer. Values below 0 are padding.
 */
export class Specialisation {
  readonly #routers: readonly RouterInfo[];
  /** By modality, by router, by value: picks of each expert. */
  readonly #counts = new Map<string, Map<string, Map<number, Float64Array>>>();

  constructor(routers: readonly RouterInfo[]) {
    this.#routers = routers;
  }

  add(batch: Batch, outputs: Outputs): void {
    for (const [modality, values] of Object.entries(batch)) {
      if (!(values instanceof Int32Array) || modality.endsWith(".next")) continue;
      for (const { name, picks: port, width, experts } of this.#routers) {
        const picks = Int32Array.from(outputs[port] ?? []);
        const rows = picks.length / Math.max(1, width) / values.length;
        if (!Number.isInteger(rows) || rows === 0) continue;
        const found = countValues(picks, width, experts, (row) => values[Math.floor(row / rows)]!);
        for (const { value, counts } of found.values()) this.#add(modality, name, value, counts);
      }
    }
  }

  #add(modality: string, router: string, value: number, counts: Uint32Array): void {
    const routers = this.#counts.get(modality) ?? new Map<string, Map<number, Float64Array>>();
    const known = routers.get(router) ?? new Map<number, Float64Array>();
    const before = known.get(value);
    known.set(
      value,
      Float64Array.from(counts, (count, expert) => count + (before?.[expert] ?? 0)),
    );
    routers.set(router, known);
    this.#counts.set(modality, routers);
  }

  /** By modality: the mean over the routers that see it. */
  shares(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      [...this.#counts].map(([modality, routers]) => {
        const shares = [...routers.values()].map((values) => toldShare([...values.values()]));
        return [modality, shares.reduce((sum, share) => sum + share, 0) / shares.length];
      }),
    );
  }
}
