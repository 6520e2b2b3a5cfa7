// Measuring side by side. In: candidates that do one turn of work when asked. Out: for each candidate its seconds in every
// round. All candidates take their turn in each round, so that what else the machine does falls on all of them alike;
// ratios are taken within a round. Of a turn, the fastest run counts. Does not know what is measured.

export interface Candidate {
  readonly name: string;
  /** Seconds of one run: the fastest of `runs`. */
  turn(runs: number): number | Promise<number>;
}

export interface MeasureOptions {
  readonly rounds: number;
  /** Of one turn, about; at least one run. */
  readonly milliseconds: number;
  /** Engines replace their first, quick code while it runs: so long each candidate runs before it counts. */
  readonly warm: number;
}

/** Seconds, by candidate, by round. */
export type Rounds = readonly (readonly number[])[];

export async function interleave(
  candidates: readonly Candidate[],
  { rounds, milliseconds, warm }: MeasureOptions,
): Promise<Rounds> {
  const runs: number[] = [];
  for (const candidate of candidates) {
    const start = performance.now();
    let seconds = await candidate.turn(1);
    while (performance.now() - start < warm) seconds = await candidate.turn(1);
    runs.push(Math.max(1, Math.round(milliseconds / 1000 / Math.max(seconds, 1e-7))));
  }
  const times = candidates.map((): number[] => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, candidate] of candidates.entries()) times[i]!.push(await candidate.turn(runs[i]!));
  return times;
}

/** A candidate that runs here and now. */
export const candidate = (name: string, run: () => void): Candidate => ({
  name,
  turn(runs) {
    let best = Infinity;
    for (let i = 0; i < runs; i++) {
      const start = performance.now();
      run();
      best = Math.min(best, (performance.now() - start) / 1000);
    }
    return best;
  },
});

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2;
  return { min: sorted[0]!, median, max: sorted.at(-1)! };
}

/** How many times as long the first took as the second, round by round. */
export const ratios = (first: readonly number[], second: readonly number[]): Spread =>
  spread(first.map((time, round) => time / second[round]!));
