// Running claims. In: claims, where they lie, and something that does a job. Out: results on disk, one job after another or several at
// once. A job that fails is told and left out; the others go on.

import { meaningOf, type Marks } from "./meaning.ts";
import { armOf, type Claim } from "./claim.ts";
import { measureArm, type Measured } from "./measure.ts";
import {
  jobsOf,
  marked,
  modelsPath,
  readResults,
  twinOf,
  withRun,
  writeResults,
  type Hashes,
  type Job,
} from "./results.ts";
import { trainArm } from "./train.ts";

/** What each arm means now. Errors: internal, when arms do not train on the same data in the same way; at equal arithmetic their steps
 * may differ. */
export async function hashesOf(folder: string, claim: Claim): Promise<Hashes> {
  const file = modelsPath(folder, claim);
  const hashes: Record<string, Marks> = {};
  const recipes = new Set<string>();
  for (const { name, model, weights } of claim.arms) {
    const trained = weights === undefined ? undefined : armOf(claim, weights).model;
    const { hash, simple, recipe, batches } = await meaningOf(file, model, trained);
    hashes[name] = { hash, simple };
    recipes.add(claim.at === "equal arithmetic" ? batches : recipe);
  }
  if (recipes.size > 1) {
    const what = claim.at === "equal arithmetic" ? "data or batch" : "data, batch or steps";
    throw new Error(`internal: the arms of ${claim.name} differ in their ${what}`);
  }
  return hashes;
}

/** Does a job here and now. */
export async function doJob(folder: string, claim: Claim, job: Job): Promise<Record<string, Measured>> {
  const file = modelsPath(folder, claim);
  const trained = await trainArm(file, armOf(claim, job.trained).model, job.seed);
  const measured: Record<string, Measured> = {};
  for (const name of job.measured)
    measured[name] = await measureArm(file, armOf(claim, name).model, job.seed, trained);
  return measured;
}

export interface RunOptions {
  readonly folder: string;
  /** How many at once. */
  readonly jobs: number;
  readonly execute: (job: Job) => Promise<Record<string, Measured>>;
  readonly say: (line: string) => void;
}

/** The number of jobs that failed. */
export async function runClaims(claims: readonly Claim[], options: RunOptions): Promise<number> {
  const { folder, execute, say } = options;
  const known = new Map<string, { readonly claim: Claim; readonly hashes: Hashes }>();
  const queue: Job[] = [];
  for (const claim of claims) {
    const hashes = await hashesOf(folder, claim);
    known.set(claim.name, { claim, hashes });
    const results = readResults(folder, claim);
    const now = marked(results, hashes);
    if (JSON.stringify(now) !== JSON.stringify(results)) writeResults(folder, claim, now);
    queue.push(...jobsOf(claim, now, hashes));
  }
  const all = queue.length;
  let [done, failed] = [0, 0];
  const worker = async (): Promise<void> => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
      const what = `${job.claim}: ${job.trained}, seed ${job.seed}`;
      try {
        const { claim, hashes } = known.get(job.claim)!;
        const twins = job.measured.map((arm) => twinOf(folder, claim, hashes[arm]!, job.seed));
        const had = twins.every((twin) => twin !== undefined);
        const measured = had
          ? Object.fromEntries(job.measured.map((arm, i) => [arm, twins[i]!]))
          : await execute(job);
        // Read again: another process may have written since.
        let results = readResults(folder, claim);
        for (const [arm, values] of Object.entries(measured))
          results = withRun(results, arm, job.seed, values, hashes[arm]!);
        writeResults(folder, claim, results);
        const seconds = Object.values(measured)[0]?.seconds ?? 0;
        say(`${++done} of ${all}  ${what}  ${had ? "as in another claim" : `${seconds.toFixed(0)} s`}`);
      } catch (error) {
        failed++;
        say(`${what} failed: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, worker));
  return failed;
}
