// moe train: a file -> a run folder with checkpoints, metrics, a report, and for models of text a sample. In: a file, or with
// `--resume` a file or a run folder. Ctrl-C ends the run at a clean checkpoint.

import { join, resolve } from "node:path";
import type { Precision, Training } from "../../runtime/program.ts";
import type { Executor } from "../../runtime/executor.ts";
import type { TrainResult } from "../../runtime/train.ts";
import { trainInFolder } from "../../runtime/train-folder.ts";
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
import { startRun, type Start, type StartOptions } from "../train-start.ts";
import { tool } from "../version.ts";
import { defaultTemperature } from "./generate.ts";

export interface TrainOptions extends StartOptions {
  readonly threads?: number;
  readonly device?: DeviceName;
  /** Of contractions on CUDA. */
  readonly precision?: Precision;
  readonly quiet?: boolean;
  readonly json?: boolean;
}

export async function train(shell: Shell, given: string, options: TrainOptions): Promise<ExitCode> {
  await checkDevice(options.device, options.threads, options.precision);
  const start = await startRun(shell, given, options);
  if (start === undefined) return exitCodes.findings;
  try {
    return await trainRun(shell, given, start, options);
  } finally {
    start.data.close();
    start.lock.release();
  }
}

async function trainRun(shell: Shell, given: string, start: Start, options: TrainOptions): Promise<ExitCode> {
  const { artifact, data, run } = start;
  const folder = resolve(shell.folder, run);
  const quiet = options.quiet === true || options.json === true;
  const entries = ["train", "update", "evaluate"].filter(
    (name) => artifact.program.entries[name] !== undefined,
  );
  const session = await openOn(options.device, artifact, artifact.compileFor, {
    entries,
    sizes: trainingSizes(artifact.program),
    seed: start.note.seed,
    initialise: false,
    precision: options.precision,
    ...(options.threads === undefined ? {} : { threads: options.threads }),
  });
  try {
    // Before the first tensor is written: what the session allocated counts only when it is touched.
    const memory = watchMemory(artifact.program, entries, session);
    session.initialise();
    // What the device refuses, it refuses before the first step.
    for (const entry of entries) await session.prepare(entry);
    if (!quiet) shell.err(head(shell, start, session, memory));
    const about = { tool, source: start.note.main, where: session.where, data: data.summary };
    const result = await steps(shell, start, session, folder, quiet, about, memory);
    writeNote(folder, { ...start.note, state: result.reason });
    const routing = await collectRouting(session, data, { step: result.step });
    const sample = result.reason === "interrupted" ? undefined : await sampleOf(shell, run);
    await writeReport(folder, {
      ...about,
      state: result.reason,
      ...(routing === undefined ? {} : { routing }),
      ...sample,
    });
    if (options.json === true)
      shell.out(`${JSON.stringify(summary(start, result, memory, sample?.text), null, 2)}\n`);
    else if (!quiet) conclude(shell, given, start, result, memory, sample);
    return result.reason === "interrupted" ? exitCodes.interrupted : exitCodes.good;
  } finally {
    session.dispose();
  }
}

/** What is trained, on what, where. */
function head(
  shell: Shell,
  { artifact, data, run, training, resume }: Start,
  session: Executor,
  memory: MemoryWatch,
): string {
  const paint = paintWith(shell.colour.err);
  const { program } = artifact;
  const { total, active } = countParameters(program, (router) => Math.min(router.width, router.experts));
  const unit = training.length === undefined ? "example" : "token";
  const size = total === active ? "" : `, ${count(active)} active per ${unit}`;
  const facts: [string, string][] = [
    ["model", `${count(total)} parameters${size}`],
    ...data.summary.map((line): [string, string] => ["data", line]),
    ["recipe", recipe(training)],
    ["memory", showPlan(memory)],
    ["run", `${run}${resume ? ", continued" : ""}  (${session.where})`],
  ];
  return `${paint.bold(program.name)}\n${facts.map(([name, text]) => `  ${paint.dim(name.padEnd(7))} ${text}\n`).join("")}\n`;
}

const recipe = ({ steps, batch, length, accumulate, optimiser }: Training): string =>
  `${whole(steps)} steps of ${batch}${accumulate === 1 ? "" : ` x ${accumulate}`}${length === undefined ? "" : ` x ${length}`}, ${optimiser}`;

async function steps(
  shell: Shell,
  { data, training, note, run, restore }: Start,
  session: Executor,
  folder: string,
  quiet: boolean,
  about: ReportAbout,
  memory: MemoryWatch,
): Promise<TrainResult> {
  const view = await progressView(shell, training.steps, quiet);
  const stop = new AbortController();
  const undo = shell.onInterrupt(() => {
    view.note("stopping at the next step; again to stop at once");
    stop.abort();
  });
  try {
    return await trainInFolder(session, data, folder, {
      resume: restore?.(session) ?? false,
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

function summary(
  { run, training }: Start,
  result: TrainResult,
  { before, model, peak, device }: MemoryWatch,
  text: string | undefined,
): object {
  const { reason, step, evaluation, best, seconds } = result;
  return {
    run,
    state: reason,
    step,
    steps: training.steps,
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
  { run, training, note, resume }: Start,
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
    reason === "finished" ? `${whole(step)} steps` : `after ${whole(step)} of ${whole(training.steps)} steps`;
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
          ["go on", `${moe} train ${given.endsWith(".moe") ? run : given} --resume`] satisfies [
            string,
            string,
          ],
        ]
      : []),
    ...(sample === undefined
      ? [["evaluate", `${moe} eval ${run}`] satisfies [string, string]]
      : [
          [
            "more",
            `${moe} generate ${run} --prompt ${JSON.stringify(sample.prompt.split(" ").slice(0, 3).join(" "))}`,
          ] satisfies [string, string],
        ]),
  ];
  shell.out(`\n${next.map(([name, text]) => `  ${out.dim(name.padEnd(8))} ${out.cyan(text)}\n`).join("")}`);
}
