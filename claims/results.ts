// Results: what has been measured, kept beside the claim. In and out: `results.json`, a run for each arm and seed with the hash of all
// that made it. It is written whole after every run, so that whoever is interrupted loses only what was in progress; an old run is
// kept until a new one takes its place.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "../cli/files.ts";
import type { Claim } from "./claim.ts";
import { agree, type Marks } from "./meaning.ts";
import type { Measured } from "./measure.ts";

/** With what the arm meant when this was measured (meaning.ts). */
export type RunRecord = Measured & Pick<Marks, "hash"> & Partial<Marks>;

/** By arm, by seed. */
export type Results = Readonly<Record<string, Readonly<Record<string, RunRecord>>>>;

/** By arm. */
export type Hashes = Readonly<Record<string, Marks>>;

export const modelsPath = (folder: string, claim: Claim): string => join(folder, claim.name, "models.moe");
const resultsPath = (folder: string, name: string): string => join(folder, name, "results.json");

export const readResults = (folder: string, { name }: Claim): Results => resultsIn(folder, name);

function resultsIn(folder: string, name: string): Results {
  const path = resultsPath(folder, name);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as Results) : {};
}

/** Arms and seeds that the claim no longer has are left out. */
export function writeResults(folder: string, claim: Claim, results: Results): void {
  const kept = Object.fromEntries(
    claim.arms.map(({ name }) => [
      name,
      Object.fromEntries(
        claim.seeds.flatMap((seed) => {
          const run = results[name]?.[seed];
          return run === undefined ? [] : [[seed, run]];
        }),
      ),
    ]),
  );
  writeWhole(resultsPath(folder, claim.name), `${JSON.stringify(kept, null, 1)}\n`);
}

export const withRun = (
  results: Results,
  arm: string,
  seed: number,
  run: Measured,
  marks: Marks,
): Results => ({
  ...results,
  [arm]: { ...results[arm], [seed]: withMarks(run, marks) },
});

/** Whether a run has all that the claim weighs: older ones do not know what training took. */
const suffices = (claim: Claim, run: RunRecord): boolean =>
  claim.at !== "equal arithmetic" || run.spent !== undefined;

/** Runs that mean what the claim means now have both of its marks from here on. */
export const marked = (results: Results, hashes: Hashes): Results =>
  Object.fromEntries(
    Object.entries(results).map(([arm, runs]) => [
      arm,
      Object.fromEntries(
        Object.entries(runs).map(([seed, run]) => {
          const marks = hashes[arm];
          return [seed, marks === undefined || !agree(run, marks) ? run : withMarks(run, marks)];
        }),
      ),
    ]),
  );

/** What was measured may come with marks of its own; they stand first. */
const withMarks = (run: Measured, marks: Marks): RunRecord => Object.assign({ ...marks }, run, marks);

/** A run that means the same, with the same seed, of whichever claim: many compare something with the same plain model. */
export function twinOf(folder: string, claim: Claim, marks: Marks, seed: number): RunRecord | undefined {
  for (const name of readdirSync(folder))
    for (const { [seed]: run } of Object.values(resultsIn(folder, name)))
      if (run !== undefined && agree(run, marks) && suffices(claim, run)) return run;
  return undefined;
}

/** `stale`: all runs are there, and some are of something that meant another thing. */
export type Standing = "current" | "stale" | "incomplete";

export function standingOf(claim: Claim, results: Results, hashes: Hashes): Standing {
  const runs = claim.arms.flatMap(({ name }) =>
    claim.seeds.map((seed) => ({ name, run: results[name]?.[seed] })),
  );
  if (runs.some(({ run }) => run === undefined || !suffices(claim, run))) return "incomplete";
  return runs.some(({ name, run }) => !agree(run!, hashes[name]!)) ? "stale" : "current";
}

/** A training and what is measured of it. */
export interface Job {
  readonly claim: string;
  /** The arm that is trained. */
  readonly trained: string;
  readonly seed: number;
  /** Arms that lack a run with these weights. */
  readonly measured: readonly string[];
}

/** What has to be run for the claim to be current: seed by seed, so that a run cut short leaves whole pairs. */
export function jobsOf(claim: Claim, results: Results, hashes: Hashes): readonly Job[] {
  return claim.seeds.flatMap((seed) =>
    claim.arms
      .filter(({ weights }) => weights === undefined)
      .flatMap(({ name: trained }): Job[] => {
        const measured = claim.arms
          .filter(({ name, weights }) => (weights ?? name) === trained)
          .map(({ name }) => name)
          .filter((name) => {
            const run = results[name]?.[seed];
            return run === undefined || !agree(run, hashes[name]!) || !suffices(claim, run);
          });
        return measured.length === 0 ? [] : [{ claim: claim.name, trained, seed, measured }];
      }),
  );
}
