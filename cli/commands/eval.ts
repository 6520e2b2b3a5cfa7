// moe eval: a trained model on held-out data. In: a run folder, or a file and a checkpoint. Out: metrics, and how evenly each
// router loads its experts. Changes nothing.

import { dirname, resolve } from "node:path";
import { openData } from "../../runtime/data/open-node.ts";
import { UserError } from "../../runtime/errors.ts";
import { evaluate, type Evaluation } from "../../runtime/evaluate.ts";
import type { Program } from "../../runtime/program.ts";
import type { Artifact } from "../artifact-folder.ts";
import { compileFile, type CompileOptions } from "../compiling.ts";
import { exitCodes, type ExitCode } from "../exit.ts";
import { loss, percent, plural } from "../numbers.ts";
import { paintWith } from "../paint.ts";
import { isRunFolder, openRun } from "../run-folder.ts";
import { checkpointIn, openTrained, trainingSizes } from "../sessions.ts";
import type { Shell } from "../shell.ts";
import { table } from "../table.ts";

export interface EvalOptions extends CompileOptions {
  readonly checkpoint?: string;
  readonly batches?: number;
  readonly threads?: number;
  readonly json?: boolean;
}

interface Subject extends Artifact {
  readonly base: string;
  readonly checkpoint: string;
}

export async function evaluateCommand(shell: Shell, given: string, options: EvalOptions): Promise<ExitCode> {
  const subject = subjectOf(shell, given, options);
  if (subject === undefined) return exitCodes.findings;
  const { program, base } = subject;
  const { training } = program;
  if (training === undefined || program.entries["evaluate"] === undefined)
    throw new UserError("C0304", `the model ${program.name} names no data to evaluate on`, {
      file: given,
      help: "give it a `loss` and a `train` block",
    });
  const data = await openData(training, program.modalities, base);
  try {
    const { session, step, checkpoint } = await openTrained(subject, shell.folder, subject.checkpoint, {
      entries: ["evaluate"],
      sizes: trainingSizes(program),
      threads: options.threads,
    });
    try {
      const limit = options.batches === undefined ? {} : { limit: options.batches };
      const found = evaluate(session, data.held, { step, ...limit });
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

function subjectOf(shell: Shell, given: string, options: EvalOptions): Subject | undefined {
  if (isRunFolder(shell.folder, given) || !given.endsWith(".moe")) {
    const run = openRun(shell.folder, given);
    const base = resolve(run.folder, run.note.base);
    return { ...run, base, checkpoint: checkpointIn(shell.folder, run.shown, options.checkpoint) };
  }
  if (options.checkpoint === undefined)
    throw new UserError("C0401", `${given} has no trained parameters of its own`, {
      file: given,
      help: "say which with --checkpoint, or give the folder of a run",
    });
  const read = compileFile(shell, given, options);
  if (read === undefined) return undefined;
  const checkpoint = checkpointIn(shell.folder, dirname(options.checkpoint), options.checkpoint);
  return { ...read.compiled, base: read.base, checkpoint };
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
