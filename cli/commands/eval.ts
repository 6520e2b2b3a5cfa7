// moe eval: a trained model on held-out data. In: a run folder, or a file and a checkpoint. Out: metrics, and how evenly each
// router loads its experts. Changes nothing.

import { dirname } from "node:path";
import type { Data } from "../../runtime/data/data.ts";
import { openData } from "../../runtime/data/open-node.ts";
import { UserError } from "../../runtime/errors.ts";
import { evaluate, type EvaluateOptions, type Evaluation } from "../../runtime/evaluate.ts";
import type { Program, Training } from "../../runtime/program.ts";
import { Pace } from "../../runtime/train-pace.ts";
import { compileFile, compileFor, type CompileOptions } from "../compiling.ts";
import { checkDevice, type DeviceName } from "../devices.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import { loss, percent, plural } from "../numbers.ts";
import { paintWith } from "../paint.ts";
import { progressView } from "../progress.ts";
import { isRunFolder, openRun, openRunData } from "../run-folder.ts";
import { checkpointIn, openTrained, trainingSizes, type Trained } from "../sessions.ts";
import type { Shell } from "../shell.ts";
import { table } from "../table.ts";

export interface EvalOptions extends CompileOptions {
  readonly checkpoint?: string;
  readonly batches?: number;
  readonly threads?: number;
  readonly device?: DeviceName;
  readonly json?: boolean;
}

interface Subject extends Trained {
  readonly openData: (training: Training) => Promise<Data>;
  readonly checkpoint: string;
}

export async function evaluateCommand(shell: Shell, given: string, options: EvalOptions): Promise<ExitCode> {
  await checkDevice(options.device, options.threads, options);
  const subject = subjectOf(shell, given, options);
  if (subject === undefined) return exitCodes.findings;
  const { program } = subject;
  const { training } = program;
  if (training === undefined || program.entries["evaluate"] === undefined)
    throw new UserError("C0304", `the model ${program.name} names no data to evaluate on`, {
      file: given,
      help: "give it a `loss` and a `train` block",
    });
  const data = await subject.openData(training);
  try {
    const { session, step, checkpoint } = await openTrained(subject, shell.folder, subject.checkpoint, {
      entries: ["evaluate"],
      sizes: trainingSizes(program),
      threads: options.threads,
      device: options.device,
      precision: options.precision,
      accumulation: options.accumulation,
    });
    try {
      const limit = Math.min(data.held.batches, options.batches ?? Infinity);
      const { onBatch, end } = await watch(shell, training, limit, options.json === true);
      const found = await evaluate(session, data.held, { step, limit, onBatch }).finally(end);
      if (found === undefined)
        throw new UserError("C0304", "no data are held out", {
          file: given,
          help: "write `evaluate every 100 on 5%` in the `train` block",
        });
      shell.out(
        options.json === true
          ? `${JSON.stringify({ model: program.name, checkpoint, step, ...found }, null, 2)}\n`
          : print(shell, program, checkpoint, step, found),
      );
    } finally {
      session.dispose();
    }
  } finally {
    data.close();
  }
  return exitCodes.good;
}

/** Shows how far an evaluation is, for as long as it takes. */
async function watch(
  shell: Shell,
  { batch, length }: Training,
  batches: number,
  quiet: boolean,
): Promise<{ readonly onBatch: NonNullable<EvaluateOptions["onBatch"]>; readonly end: () => void }> {
  const view = await progressView(shell, batches, quiet, "batch");
  const pace = new Pace(batch * (length ?? 1));
  const unit = length === undefined ? "examples" : "tokens";
  const onBatch: EvaluateOptions["onBatch"] = (step, steps, metrics) => {
    pace.count();
    const { perSecond } = pace;
    view.step({ step, steps, metrics, unit, perSecond, secondsLeft: pace.secondsFor(steps - step) });
  };
  return { onBatch, end: () => view.end() };
}

function subjectOf(shell: Shell, given: string, options: EvalOptions): Subject | undefined {
  if (isRunFolder(shell.folder, given) || !given.endsWith(".moe")) {
    const run = openRun(shell.folder, given, options.phase);
    return {
      ...run,
      openData: (training) => openRunData(run, training, run.program.modalities),
      checkpoint: checkpointIn(shell.folder, run.checkpoints, options.checkpoint),
    };
  }
  if (options.checkpoint === undefined)
    throw new UserError("C0401", `${given} has no trained parameters of its own`, {
      file: given,
      help: "say which with --checkpoint, or give the folder of a run",
    });
  const read = compileFile(shell, given, options);
  if (read === undefined) return undefined;
  const checkpoint = checkpointIn(shell.folder, dirname(options.checkpoint), options.checkpoint);
  const { compiled, base } = read;
  return {
    ...compiled,
    compileFor: async (target, arithmetic) =>
      compileFor(shell.folder, given, { ...options, ...arithmetic }, target),
    openData: (training) => openData(training, compiled.program.modalities, base),
    checkpoint,
  };
}

function print(shell: Shell, program: Program, checkpoint: string, step: number, found: Evaluation): string {
  const paint = paintWith(shell.colour.out);
  const metrics = Object.entries(found.metrics).map(([name, value]) => [name, loss(value)]);
  const routers = program.routers.flatMap(({ name, experts, nulls }) => {
    const load = found.loads[name];
    if (load === undefined) return [];
    const trueLoad = load.slice(0, experts);
    const sum = trueLoad.reduce((a, b) => a + b, 0);
    const all = load.reduce((a, b) => a + b, 0);
    const most = sum === 0 ? "none" : `${((Math.max(...trueLoad) * experts) / sum).toFixed(2)} x`;
    return [[name, most, nulls === 0 || all === 0 ? "" : `${percent((all - sum) / all)} null`]];
  });
  return [
    `${paint.bold(program.name)}  ${paint.dim(`${checkpoint}, step ${step}, ${plural(found.batches, "held-out batch").replace("batchs", "batches")}`)}\n`,
    table(metrics, "lr", "  "),
    ...(routers.length === 0
      ? []
      : [
          `\n${paint.bold("Busiest expert")}  ${paint.dim("its picks, as a multiple of an even share")}\n`,
          table(routers, "lrr", "  "),
        ]),
  ].join("");
}
