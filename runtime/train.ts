// The training loop. In: a session opened with `train`, `update` and `evaluate`, data, and where to report and save.
// Out: how the run ended; the tensors in the session are trained. Optimiser, schedule, clipping and accumulation are in the
// program: the loop only says which step it is and what the data are.
// Everything that a step depends on is its number: the batch, the randomness, the schedule. So a run that was stopped and
// resumed does the same steps, bit for bit, as one that never stopped.

import type { Checkpoint, RunState } from "./checkpoint.ts";
import type { Data } from "./data/data.ts";
import { UserError } from "./errors.ts";
import { evaluate, inputsOf, Sums, type Evaluation } from "./evaluate.ts";
import type { EvaluationRecord, MetricsWriter, StepRecord } from "./metrics.ts";
import type { Training } from "./program.ts";
import type { Executor } from "./executor.ts";
import { diagnose, diagnoseGradient } from "./train-diagnose.ts";
import { Pace } from "./train-pace.ts";
import { turn } from "./wasm-host.ts";

export interface TrainOptions {
  /** Go on from here. The session gets the tensors; without them, it has them already. */
  readonly resume?: Pick<Checkpoint, "state"> & Partial<Checkpoint>;
  /** Keeps a checkpoint: at intervals, when the run ends, and (`best`) after the best evaluation so far. */
  readonly save?: (kind: "last" | "best", state: RunState) => void | Promise<void>;
  readonly metrics?: MetricsWriter;
  /** Ends the run after the step in progress, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onStep?: (progress: Progress) => void;
  readonly onEvaluation?: (record: EvaluationRecord) => void;
  /** Held-out batches per evaluation during the run; default 32. */
  readonly evaluateBatches?: number;
  /** This is a phase of a longer run: steps and batches of the phases before, the steps of all, and the seconds that this process has
   * trained. Records and batches count on. */
  readonly within?: {
    readonly steps: number;
    readonly batches: number;
    readonly of: number;
    readonly seconds: number;
  };
  /** Overrides of the program's recipe that need no other kernels. */
  readonly recipe?: Partial<Pick<Training, "evaluateEvery" | "checkpointEvery" | "patience">>;
}

export interface Progress extends StepRecord {
  /** The recipe's number of steps, of all phases. */
  readonly steps: number;
  readonly unit: "tokens" | "examples";
  readonly secondsLeft: number;
}

export interface TrainResult {
  readonly reason: "finished" | "stopped early" | "interrupted";
  /** Optimiser steps done, phases before included. */
  readonly step: number;
  /** Of the last evaluation in this process. */
  readonly evaluation?: Evaluation;
  /** The lowest held-out loss of the whole run. */
  readonly best?: number;
  readonly seconds: number;
}

/** Loads of more experts than this are not written at every step. */
const recordedExperts = 512;
/** Milliseconds of work between two turns of the event loop. */
const turnEvery = 20;

/** Errors: R0301 a loss that is not finite, R0303 nothing to train, R0304 a checkpoint of another run. */
export async function train(session: Executor, data: Data, options: TrainOptions = {}): Promise<TrainResult> {
  const { program } = session;
  const { train: entry, update } = program.entries;
  if (program.training === undefined || entry === undefined || update === undefined)
    throw new UserError(
      "R0303",
      `the model ${program.name} cannot be trained: it was compiled without a \`train\` block`,
      {
        help: "add a `loss` and a `train` block, and build again",
      },
    );
  const recipe: Training = { ...program.training, ...options.recipe };
  // Schedules and checkpoints count the steps of this phase; batches, draws and records those of the run.
  const before = options.within ?? { steps: 0, batches: 0, of: recipe.steps, seconds: 0 };
  let { step, best, waited } = begin(session, data, options.resume);
  let saved = options.resume?.state.step;
  let evaluation: Evaluation | undefined;

  const unit = recipe.length === undefined ? "examples" : "tokens";
  const pace = new Pace(recipe.batch * (recipe.length ?? 1) * recipe.accumulate);
  const experts = program.routers.reduce((sum, router) => sum + router.experts + router.nulls, 0);
  const loadEvery = Math.max(1, Math.ceil(experts / recordedExperts));
  const stateNow = (): RunState => ({
    model: program.name,
    step,
    position: before.batches + step * recipe.accumulate,
    seed: session.seed,
    ...(best === undefined ? {} : { best }),
    waited,
    data: data.fingerprint,
  });
  const savedStep = (): number | undefined => (saved === undefined ? undefined : before.steps + saved);
  const save = async (): Promise<void> => {
    if (saved === step) return;
    options.metrics?.sync();
    await options.save?.("last", stateNow());
    saved = step;
  };
  const end = async (reason: TrainResult["reason"]): Promise<TrainResult> => {
    await save();
    const known = {
      ...(evaluation === undefined ? {} : { evaluation }),
      ...(best === undefined ? {} : { best }),
    };
    return { reason, step: before.steps + step, ...known, seconds: before.seconds + pace.seconds };
  };

  if (recipe.patience > 0 && waited >= recipe.patience) return end("stopped early");
  let turned = performance.now();
  while (step < recipe.steps) {
    if (options.signal?.aborted === true) return end("interrupted");
    const sums = new Sums(program);
    for (let micro = 0; micro < recipe.accumulate; micro++) {
      const draw = before.batches + step * recipe.accumulate + micro;
      const scalars = { $step: step, $draw: draw, $seed: session.seed };
      const batch = data.train.batch(draw);
      const outputs = await session.run("train", inputsOf(entry, batch, scalars), { views: true });
      if (!Number.isFinite(outputs["loss"]?.[0] ?? 0)) {
        const loss = outputs["loss"]![0]!;
        throw notFinite(
          before.steps + step,
          `its loss is ${loss}: ${await diagnose(session, batch, scalars)}`,
          savedStep(),
        );
      }
      sums.add(outputs);
    }
    const scalars = { $step: step, $draw: before.batches + step * recipe.accumulate, $seed: session.seed };
    const updated = await session.run("update", inputsOf(update, {}, scalars), { views: true });
    const rate = updated[recipe.rate]?.[0] ?? NaN;
    const norm = updated[recipe.norm]?.[0] ?? NaN;
    if (updated[recipe.norm] !== undefined && !Number.isFinite(norm)) {
      const why = `its loss is finite, but the norm of its gradient is ${norm}: ${await diagnoseGradient(session)}`;
      throw notFinite(before.steps + step, why, savedStep());
    }
    step++;

    pace.count();
    const loads = experts > 0 && step % loadEvery === 0 ? { loads: sums.loads() } : {};
    const times = { seconds: before.seconds + pace.seconds, perSecond: pace.perSecond };
    const done = before.steps + step;
    const record: StepRecord = {
      kind: "step",
      step: done,
      metrics: sums.means(),
      rate,
      norm,
      ...loads,
      ...times,
    };
    options.metrics?.write(record);
    const secondsLeft = pace.secondsFor(before.of - done);
    options.onStep?.({ ...record, steps: before.of, unit, secondsLeft });

    const last = step === recipe.steps;
    if (last || (recipe.evaluateEvery > 0 && step % recipe.evaluateEvery === 0)) {
      pace.pause();
      evaluation = (await evaluateStep(session, data, options, step, done, times.seconds)) ?? evaluation;
      const loss = evaluation?.metrics["loss"];
      if (loss !== undefined) {
        const better = best === undefined || loss < best;
        [best, waited] = better ? [loss, 0] : [best, waited + 1];
        if (better && Number.isFinite(loss)) await options.save?.("best", stateNow());
      }
      pace.resume();
      if (recipe.patience > 0 && waited >= recipe.patience) return end("stopped early");
    }
    if (recipe.checkpointEvery > 0 && step % recipe.checkpointEvery === 0) await save();
    if (performance.now() - turned >= turnEvery) {
      await turn();
      turned = performance.now();
    }
  }
  return end("finished");
}

/** Where the run starts; loads the tensors of a checkpoint, if it is one of this very run. */
function begin(
  session: Executor,
  data: Data,
  resume: TrainOptions["resume"],
): { step: number; best: number | undefined; waited: number } {
  if (resume === undefined) return { step: 0, best: undefined, waited: 0 };
  const { state, tensors } = resume;
  checkResume(state, { model: session.program.name, seed: session.seed, data: data.fingerprint });
  if (tensors !== undefined) session.load(tensors);
  return { step: state.step, best: state.best, waited: state.waited ?? 0 };
}

/** Whether a run of this recipe that stands there has nothing left to do. */
export const hasEnded = ({ step, waited = 0 }: RunState, { steps, patience }: Training): boolean =>
  step >= steps || (patience > 0 && waited >= patience);

/** Whether a checkpoint is one of this very run. Errors: R0304. */
export function checkResume(
  state: RunState,
  run: { readonly model: string; readonly seed: number; readonly data: string },
): void {
  const differs = (what: string, then: string | number, now: string | number): never => {
    throw new UserError("R0304", `the checkpoint is of a run with ${what} ${then}, and this one has ${now}`, {
      help: `resume with the same ${what}, or start a new run in another folder`,
    });
  };
  if (state.model !== run.model) differs("the model", state.model, run.model);
  if (state.seed !== run.seed) differs("the seed", state.seed, run.seed);
  if (state.data !== undefined && state.data !== run.data)
    throw new UserError("R0304", "the data are not those that the run began with", {
      help: "restore the data files, or start a new run in another folder",
    });
}

async function evaluateStep(
  session: Executor,
  data: Data,
  options: TrainOptions,
  step: number,
  done: number,
  seconds: number,
): Promise<Evaluation | undefined> {
  if (session.program.entries["evaluate"] === undefined) return undefined;
  const evaluation = await evaluate(session, data.held, { limit: options.evaluateBatches ?? 32, step });
  if (evaluation === undefined) return undefined;
  const { metrics, loads } = evaluation;
  const record: EvaluationRecord = { kind: "evaluation", step: done, metrics, loads, seconds };
  options.metrics?.write(record);
  options.onEvaluation?.(record);
  return evaluation;
}

function notFinite(step: number, why: string, saved: number | undefined): UserError {
  const rescue =
    saved === undefined ? "no checkpoint was written yet" : `the checkpoint of step ${saved} is intact`;
  return new UserError("R0301", `step ${step + 1} went wrong: ${why}`, {
    help: `lower the learning rate, warm up longer or clip the gradient; ${rescue}`,
  });
}
