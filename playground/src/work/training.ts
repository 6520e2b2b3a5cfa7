// Training: one model, from its text to the end of its recipe. In: what to train, pauses. Out: losses, loads of the experts, regions of
// the plane, texts, told often enough to watch and seldom enough that most of the time goes into training.

import { renderUserError } from "../../../cli/user-error.ts";
import { UserError } from "../../../runtime/errors.ts";
import type { LoadedModel } from "../../../runtime/model.ts";
import type { ShapedBatch } from "../../../runtime/model-data.ts";
import type { Training } from "../../../runtime/program.ts";
import { turn } from "../../../runtime/wasm-host.ts";
import type { FromTrainer, Loads, ToTrainer, TrainAsked } from "../messages.ts";
import { sourcesFor } from "./data.ts";
import { isGpuProblem, open, sentence } from "./opening.ts";
import { planeOf, regionsOf } from "./regions.ts";

type Tell = (message: FromTrainer) => void;

let paused = false;
let wake: (() => void) | undefined;

export async function hearTrainer(message: ToTrainer, tell: Tell): Promise<void> {
  switch (message.kind) {
    case "train":
      return train(message.asked, tell);
    case "pause":
      paused = true;
      return;
    case "go on":
      paused = false;
      wake?.();
      return;
    default:
      message satisfies never;
  }
}

/** What went wrong, as the command line says it. */
export function told(problem: unknown): string {
  if (problem instanceof UserError) return renderUserError(problem, false);
  if (problem instanceof Error && "isPicture" in problem) return problem.message;
  const message = problem instanceof Error ? problem.message : String(problem);
  if (/allocation failed|out of memory|could not allocate/i.test(message))
    return `error: the browser gives this page no more memory\n  = help: make the model or its batch smaller, or close other tabs`;
  return `internal error: ${message.replace(/^internal: /, "")}\n  = help: this is a mistake in moe, not in your file`;
}

async function train(asked: TrainAsked, tell: Tell): Promise<void> {
  const notice = (text: string): void => tell({ kind: "notice", text });
  const model = await open(asked, asked.device, notice);
  try {
    await run(model, asked, tell);
  } catch (problem) {
    model.dispose();
    if (!isGpuProblem(problem)) throw problem;
    notice(`${sentence(problem.message)} Training begins again on the CPU.`);
    await run(await open(asked, "cpu", notice), asked, tell);
  }
}

/** Something that is done now and then, so that it takes a small share of the time. */
function nowAndThen(
  every: number,
  share: number,
): (act: () => Promise<void>, now?: boolean) => Promise<void> {
  let due = 0;
  return async (act, now = false) => {
    const started = performance.now();
    if (started < due && !now) return;
    await act();
    const took = performance.now() - started;
    due = started + Math.max(every, took / share);
  };
}

async function run(model: LoadedModel, asked: TrainAsked, tell: Tell): Promise<void> {
  const { training } = model.program;
  if (training === undefined)
    throw new UserError("R0303", `the model ${model.name} has no recipe`, { help: "add a `train` block" });
  const {
    train: batches,
    held,
    summary,
  } = await model.data(await sourcesFor(model.program, asked), {
    seed: asked.seed,
  });
  const { steps, accumulate, evaluateEvery } = training;
  tell({ kind: "ready", on: model.session.where, steps, summary });
  const begins = beginning(training);
  if (begins !== undefined) tell({ kind: "notice", text: begins });

  const plane = planeOf(model.program);
  const sample = held.batches > 0 ? held.batch(0) : batches.batch(0);
  const [loads, regions, texts] = [nowAndThen(60, 0.1), nowAndThen(120, 0.3), nowAndThen(2500, 0.25)];
  const look = async (step: number, last: boolean): Promise<void> => {
    if (model.program.routers.length > 0)
      await loads(async () => tell({ kind: "loads", step, loads: await loadsOf(model, sample) }), last);
    if (plane !== undefined)
      await regions(async () => tell({ kind: "regions", regions: await regionsOf(model, plane) }), last);
    if (model.program.entries["decode"] !== undefined && step > 0)
      await texts(() => speak(model, asked.prompt, tell), last);
  };

  const began = performance.now();
  let [reported, done, busy, idle] = [began, 0, 0, 0];
  let losses: number[] = [];
  await look(0, true);
  for (let step = 0; step < steps; step++) {
    const started = performance.now();
    const given = Array.from({ length: accumulate }, (_, i) => batches.batch(step * accumulate + i));
    const {
      loss,
      step: _,
      learningRate: __,
      gradientNorm: ___,
      ...metrics
    } = await model.trainStep(accumulate === 1 ? given[0]! : given);
    losses.push(loss!);
    busy += performance.now() - started;
    done += 1;
    const isLast = step + 1 === steps;
    if (performance.now() - reported > 60 || isLast) {
      tell({ kind: "steps", last: step + 1, losses, metrics, perSecond: (1000 * done) / busy });
      [losses, reported] = [[], performance.now()];
      // Messages come in between turns only.
      await turn();
    }
    if (held.batches > 0 && ((evaluateEvery > 0 && (step + 1) % evaluateEvery === 0) || isLast))
      tell({ kind: "held", step: step + 1, metrics: await evaluated(model, held) });
    await look(step + 1, isLast);
    if (paused) {
      const since = performance.now();
      await new Promise<void>((resolve) => (wake = resolve));
      idle += performance.now() - since;
    }
  }
  tell({ kind: "done", seconds: (performance.now() - began - idle) / 1000 });
}

/** What the page does otherwise than `moe train`: it has no earlier runs, and trains one phase. */
function beginning({ phase, start }: Training): string | undefined {
  if (phase !== undefined)
    return `This recipe has phases: the page trains the last of them, ${phase}, from initial values.`;
  if (start !== undefined)
    return "This recipe starts from trained weights, which the page does not have: it trains from initial values.";
  return undefined;
}

/** Means over a few held-out batches. */
async function evaluated(
  model: LoadedModel,
  held: { readonly batches: number; batch(index: number): ShapedBatch },
): Promise<Readonly<Record<string, number>>> {
  const sums: Record<string, number> = {};
  const count = Math.min(4, held.batches);
  for (let i = 0; i < count; i++)
    for (const [name, value] of Object.entries(await model.evaluate(held.batch(i))))
      sums[name] = (sums[name] ?? 0) + value / count;
  return sums;
}

async function loadsOf(model: LoadedModel, batch: ShapedBatch): Promise<Loads> {
  const shares: Record<string, readonly number[]> = {};
  for (const [router, { load }] of Object.entries(await model.routes(batch))) {
    const counts = Array.from(load.values);
    const sum = counts.reduce((a, b) => a + b, 0);
    shares[router] = counts.map((each) => each / Math.max(1, sum));
  }
  return shares;
}

async function speak(model: LoadedModel, prompt: string, tell: Tell): Promise<void> {
  let text = "";
  const options = { tokens: 140, temperature: 0.7, seed: 1 };
  for await (const piece of model.generate(prompt === "" ? " " : prompt, options)) text += piece;
  tell({ kind: "text", prompt, text });
}
