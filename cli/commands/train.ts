// moe train: a file -> a run folder with checkpoints, metrics, a report, and for models of text a sample. In: a file, or with
// `--resume` a file or a run folder. Ctrl-C ends the run at a clean checkpoint.

import { join, resolve } from "node:path";
import type { Program, Training } from "../../runtime/program.ts";
import type { Executor } from "../../runtime/executor.ts";
import type { TrainResult } from "../../runtime/train.ts";
import { trainInFolder } from "../../runtime/train-folder.ts";
import type { Arithmetic } from "../device-names.ts";
import { checkDevice, openOn, type DeviceName } from "../devices.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import { showPeak, showPlan, watchMemory, type MemoryWatch } from "../memory.ts";
import { count, duration, loss, whole } from "../numbers.ts";
import { paintWith } from "../paint.ts";
import { progressView } from "../progress.ts";
import { collectRouting } from "../report/collect.ts";
import { countParameters } from "../report/parameters.ts";
import { writeReport } from "../report/report.ts";
import type { ReportAbout } from "../report/run.ts";
import { openRun, writeNote } from "../run-folder.ts";
import { printable, textOf } from "../sample.ts";
import { trainingSizes } from "../sessions.ts";
import type { Shell } from "../shell.ts";
import type { Beginning } from "../start-from.ts";
import { beginPhase, closeAll, stepsBefore, type TrainPhase } from "../train-phases.ts";
import { startRun, type Start, type StartOptions } from "../train-start.ts";
import { typed } from "../typed.ts";
import { tool } from "../version.ts";
import { defaultTemperature } from "./generate.ts";

export interface TrainOptions extends StartOptions, Arithmetic {
  readonly threads?: number;
  readonly device?: DeviceName;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function train(shell: Shell, given: string, options: TrainOptions): Promise<ExitCode> {
  await checkDevice(options.device, options.threads, options);
  const start = await startRun(shell, given, options);
  if (start === undefined) return exitCodes.findings;
  try {
    return await trainRun(shell, given, start, options);
  } finally {
    closeAll(start.phases.map(({ data }) => data));
    start.lock.release();
  }
}

/** One phase after the other; the last one that was begun is what the report and the last lines speak of. */
async function trainRun(shell: Shell, given: string, start: Start, options: TrainOptions): Promise<ExitCode> {
  let seconds = 0;
  for (let index = start.first; ; index++) {
    const done = await trainPhase(shell, given, start, index, seconds, options);
    if ("code" in done) return done.code;
    seconds = done.seconds;
  }
}

/** The seconds that were trained so far, where the next phase follows. */
async function trainPhase(
  shell: Shell,
  given: string,
  start: Start,
  index: number,
  seconds: number,
  options: TrainOptions,
): Promise<{ readonly seconds: number } | { readonly code: ExitCode }> {
  const { run, phases } = start;
  const phase = phases[index]!;
  const { artifact, data } = phase;
  const folder = resolve(shell.folder, run);
  const quiet = options.quiet === true || options.json === true;
  const entries = ["train", "update", "evaluate"].filter(
    (name) => artifact.program.entries[name] !== undefined,
  );
  const session = await openOn(options.device, artifact, artifact.compileFor, {
    entries,
    sizes: trainingSizes(artifact.program),
    seed: phase.training.seed,
    initialise: false,
    precision: options.precision,
    accumulation: options.accumulation,
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  });
  try {
    const restore = index === start.first ? start.restore : undefined;
    const beginning = restore === undefined ? beginPhase(phases, index, start.base) : undefined;
    // Before the first tensor is written: what the session allocated counts only when it is touched.
    const memory = watchMemory(artifact.program, entries, session);
    session.initialise();
    if (beginning !== undefined) session.load(beginning.values);
    // What the device refuses, it refuses before the first step.
    for (const entry of entries) await session.prepare(entry);
    if (!quiet) shell.err(head(shell, start, index, session, memory, beginning));
    const about = { tool, source: start.note.main, where: session.where, data: data.summary };
    const result = await steps(shell, start, index, seconds, session, folder, quiet, about, memory, restore);
    if (index < phases.length - 1 && result.reason !== "interrupted") return { seconds: result.seconds };
    writeNote(folder, { ...start.note, state: result.reason });
    const last = index === phases.length - 1;
    const routing = last ? await collectRouting(session, data, { step: result.step }) : undefined;
    const sample = result.reason === "interrupted" ? undefined : await sampleOf(shell, run);
    await writeReport(folder, {
      ...about,
      state: result.reason,
      ...(routing === undefined ? {} : { routing }),
      ...sample,
    });
    if (options.json === true)
      shell.out(`${JSON.stringify(summary(start, phase, result, memory, sample?.text), null, 2)}\n`);
    else if (!quiet) conclude(shell, given, start, result, memory, sample);
    return { code: result.reason === "interrupted" ? exitCodes.interrupted : exitCodes.good };
  } finally {
    session.dispose();
  }
}

/** What is trained, on what, where, from what. */
function head(
  shell: Shell,
  { phases, run, resume, first }: Start,
  index: number,
  session: Executor,
  memory: MemoryWatch,
  beginning: Beginning | undefined,
): string {
  const paint = paintWith(shell.colour.err);
  const { artifact, data, training } = phases[index]!;
  const { program } = artifact;
  const { total, active } = countParameters(program, (router) => Math.min(router.width, router.experts));
  const unit = training.length === undefined ? "example" : "token";
  const size = total === active ? "" : `, ${count(active)} active per ${unit}`;
  const title = training.phase === undefined ? program.name : `${program.name}, phase ${training.phase}`;
  const frozen = countFrozen(program);
  const facts: [string, string][] = [
    ["model", `${count(total)} parameters${size}${frozen === 0 ? "" : `, ${count(frozen)} frozen`}`],
    ...(beginning === undefined ? [] : [["start", beginning.told] satisfies [string, string]]),
    ...data.summary.map((line): [string, string] => ["data", line]),
    ["recipe", recipe(training)],
    ["memory", showPlan(memory)],
    ["run", `${run}${resume && index === first ? ", continued" : ""}  (${session.where})`],
  ];
  return `${paint.bold(title)}\n${facts.map(([name, text]) => `  ${paint.dim(name.padEnd(7))} ${text}\n`).join("")}\n`;
}

const countFrozen = (program: Program): number =>
  program.tensors.reduce(
    (sum, { frozen, shape }) => sum + (frozen === true ? shape.reduce((a, b) => a * b, 1) : 0),
    0,
  );

const recipe = ({ steps, batch, length, accumulate, optimiser }: Training): string =>
  `${whole(steps)} steps of ${batch}${accumulate === 1 ? "" : ` x ${accumulate}`}${length === undefined ? "" : ` x ${length}`}, ${optimiser}`;

async function steps(
  shell: Shell,
  { phases, note, run }: Start,
  index: number,
  seconds: number,
  session: Executor,
  folder: string,
  quiet: boolean,
  about: ReportAbout,
  memory: MemoryWatch,
  restore: Start["restore"],
): Promise<TrainResult> {
  const { data, folder: own } = phases[index]!;
  const within = { ...stepsBefore(phases, index), seconds };
  const view = await progressView(shell, within.of, quiet);
  const stop = new AbortController();
  const undo = shell.onInterrupt(() => {
    view.note("stopping at the next step; again to stop at once");
    stop.abort();
  });
  try {
    return await trainInFolder(session, data, own, {
      resume: restore?.(session) ?? false,
      within,
      metricsIn: folder,
      locked: true,
      signal: stop.signal,
      onStep: (progress) => {
        memory.look();
        view.step(progress);
      },
      onEvaluation: (record) => {
        memory.look();
        view.evaluation(record);
      },
    });
  } catch (error) {
    view.end();
    writeNote(folder, { ...note, state: "failed" });
    // What went wrong is often seen in the curves.
    const report = await writeReport(folder, { ...about, state: "failed" }).catch(() => undefined);
    if (report !== undefined) view.note(`\nthe run up to here: ${join(run, "report.html")}`);
    throw error;
  } finally {
    view.end();
    undo();
  }
}

interface Sample {
  readonly prompt: string;
  readonly text: string;
}
const sampleTokens = 120;

/** A few lines from the model, when it speaks. */
async function sampleOf(shell: Shell, shown: string): Promise<Sample | undefined> {
  const run = openRun(shell.folder, shown);
  if (run.program.entries["decode"] === undefined || run.note.prompt === undefined) return undefined;
  const prompt = run.note.prompt;
  let text = "";
  const how = { prompt, tokens: sampleTokens, temperature: defaultTemperature, threads: 1 };
  for await (const piece of textOf(shell.folder, run, how)) text += piece;
  return { prompt, text };
}

const allSteps = (phases: readonly TrainPhase[]): number =>
  phases.reduce((sum, { training }) => sum + training.steps, 0);

function summary(
  { run, phases }: Start,
  { training }: TrainPhase,
  result: TrainResult,
  { before, model, peak, device }: MemoryWatch,
  text: string | undefined,
): object {
  const { reason, step, evaluation, best, seconds } = result;
  return {
    run,
    state: reason,
    step,
    steps: allSteps(phases),
    ...(training.phase === undefined ? {} : { phase: training.phase }),
    ...(evaluation === undefined ? {} : { heldOut: evaluation.metrics }),
    ...(best === undefined ? {} : { best }),
    seconds,
    // What a GPU holds is not the process's.
    memory:
      device === undefined ? { planned: before + model, peak: peak() } : { device: model, peak: peak() },
    report: join(run, "report.html"),
    ...(text === undefined ? {} : { text }),
  };
}

function conclude(
  shell: Shell,
  given: string,
  { run, phases, note, resume }: Start,
  result: TrainResult,
  memory: MemoryWatch,
  sample: Sample | undefined,
): void {
  // A run that had ended before: nothing was done.
  const already =
    resume &&
    result.reason === note.state &&
    result.reason !== "interrupted" &&
    result.evaluation === undefined;
  const out = paintWith(shell.colour.out);
  const { reason, step, evaluation, best, seconds } = result;
  const held = evaluation?.metrics["loss"];
  const of =
    reason === "finished"
      ? `${whole(step)} steps`
      : `after ${whole(step)} of ${whole(allSteps(phases))} steps`;
  const facts = [
    ...(already
      ? [`already ${reason === "finished" ? "trained" : reason} ${of}`]
      : [`${reason === "finished" ? "trained" : reason} ${of}`, `in ${duration(seconds)}`]),
    ...(held === undefined
      ? []
      : [`held-out loss ${loss(held)}${best === undefined || best === held ? "" : ` (best ${loss(best)})`}`]),
  ];
  shell.out(`${out.bold(facts.join("  "))}\n`);
  if (!already) shell.out(`${out.dim(showPeak(memory))}\n`);
  if (sample !== undefined) shell.out(`\n${out.dim(printable(sample.prompt))}${printable(sample.text)}\n`);
  // Who came by an npm script or npx has no `moe` on the path.
  const moe = shell.environment["npm_lifecycle_event"] === undefined ? "moe" : "npx moe";
  const next: [string, string][] = [
    ["look", join(run, "report.html")],
    ...(reason === "interrupted"
      ? [
          ["go on", `${moe} train ${typed(given.endsWith(".moe") ? run : given)} --resume`] satisfies [
            string,
            string,
          ],
        ]
      : []),
    ...(sample === undefined
      ? [["evaluate", `${moe} eval ${typed(run)}`] satisfies [string, string]]
      : [
          [
            "more",
            `${moe} generate ${typed(run)} --prompt ${typed(sample.prompt.split(" ").slice(0, 3).join(" "))}`,
          ] satisfies [string, string],
        ]),
  ];
  shell.out(`\n${next.map(([name, text]) => `  ${out.dim(name.padEnd(8))} ${out.cyan(text)}\n`).join("")}`);
}
