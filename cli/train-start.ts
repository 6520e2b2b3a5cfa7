// How a run begins: a new one from a file, or one that goes on from its folder. In: what the user named. Out: a compiled model,
// its data, and a run folder that is whole before the first step and that no other process trains in. Nothing is written before
// the data, and the checkpoint to go on from, have been read and found good.

import { existsSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { loadModel } from "../compiler/resolve.ts";
import { savedTensors } from "../runtime/arena-plan.ts";
import type { RunState } from "../runtime/checkpoint.ts";
import { checkpointPath, readCheckpoint } from "../runtime/checkpoint-file.ts";
import type { Data } from "../runtime/data/data.ts";
import { openData } from "../runtime/data/open-node.ts";
import { UserError } from "../runtime/errors.ts";
import type { Executor } from "../runtime/executor.ts";
import type { Training } from "../runtime/program.ts";
import { lockRun, type RunLock } from "../runtime/run-lock.ts";
import { checkResume } from "../runtime/train.ts";
import { compileFile, compileFor, type CompiledFile } from "./compiling.ts";
import {
  createRun,
  freshFolder,
  givenFolder,
  isRunFolder,
  openRun,
  openRunData,
  runsIn,
  type Run,
  type RunNote,
} from "./run-folder.ts";
import type { Trained } from "./sessions.ts";
import type { Shell } from "./shell.ts";
import { modulePath, openSources, sourceHash } from "./sources.ts";

export interface StartOptions {
  readonly model?: string;
  readonly out?: string;
  readonly steps?: number;
  readonly seed?: number;
  readonly set?: readonly string[];
  readonly resume?: boolean;
}

export interface Start {
  readonly artifact: Trained;
  readonly training: Training;
  readonly data: Data;
  /** As the user names it. */
  readonly run: string;
  readonly note: RunNote;
  readonly resume: boolean;
  /** Gives the session the tensors of the checkpoint to go on from, once; says where the run stands. */
  readonly restore?: (session: Executor) => RunState;
  /** Of the run folder: whoever started the run releases it. */
  readonly lock: RunLock;
}

/** Undefined when the file has errors, which are then printed. */
export async function startRun(
  shell: Shell,
  given: string,
  options: StartOptions,
): Promise<Start | undefined> {
  if (options.resume === true) return resumeRun(shell, given, options);
  if (isRunFolder(shell.folder, given))
    throw new UserError("C0203", `${given} already holds a run`, {
      file: given,
      help: "continue it with --resume",
    });
  const settings = settingsOf(options);
  const read = compileFile(shell, given, { model: options.model, settings });
  if (read === undefined) return undefined;
  const { training, name } = { ...read.compiled.program };
  if (training === undefined)
    throw new UserError("C0304", `the model ${name} has no \`train\` block`, {
      file: given,
      help: `write \`train ${name} { ... }\` in ${given}`,
    });
  const out = options.out === undefined ? undefined : givenFolder(shell.folder, options.out);
  const data = await openData(training, read.compiled.program.modalities, read.base);
  let lock: RunLock | undefined;
  try {
    const run = out ?? freshFolder(shell.folder, read.path);
    lock = lockRun(resolve(shell.folder, run));
    // Another process may have made a run of it meanwhile.
    if (out !== undefined) givenFolder(shell.folder, out);
    const prompt = promptOf(read, data);
    const note = createRun(resolve(shell.folder, run), read, data.tokenizers, {
      seed: training.seed,
      ...(prompt === undefined ? {} : { prompt }),
    });
    const artifact: Trained = {
      ...read.compiled,
      compileFor: async (target, precision) =>
        compileFor(shell.folder, given, { model: options.model, settings, precision }, target),
    };
    return { artifact, training, data, run, note, resume: false, lock };
  } catch (error) {
    lock?.release();
    data.close();
    throw error;
  }
}

const settingsOf = ({ steps, seed, set = [] }: StartOptions): readonly string[] => [
  ...set,
  ...(steps === undefined ? [] : [`steps ${steps}`]),
  ...(seed === undefined ? [] : [`seed ${seed}`]),
];

async function resumeRun(shell: Shell, given: string, options: StartOptions): Promise<Start> {
  const changed = settingsOf(options);
  if (changed.length > 0)
    throw new UserError("C0403", "a run that is resumed keeps its recipe", {
      help: `leave out \`${changed[0]}\`, or begin a new run without --resume`,
    });
  const run = openRun(shell.folder, runToResume(shell, given, options.out));
  if (given.endsWith(".moe")) sameSource(shell, given, run);
  const { training, modalities, name } = run.program;
  if (training === undefined) throw new Error("internal: a run without a recipe");
  const lock = lockRun(run.folder);
  let data: Data | undefined;
  try {
    if (!existsSync(checkpointPath(run.folder, "last")))
      throw new UserError("C0302", `${run.shown} has no checkpoint to go on from`, {
        file: run.shown,
        help: "begin a new run without --resume",
      });
    const { state, tensors } = readCheckpoint(run.folder, savedTensors(run.program));
    data = await openRunData(run, training, modalities);
    checkResume(state, { model: name, seed: run.note.seed, data: data.fingerprint });
    // Emptied when the session has them: nobody keeps them while the run goes on.
    const values = new Map(tensors);
    const restore = (session: Executor): RunState => {
      session.load(values);
      values.clear();
      return state;
    };
    return { artifact: run, training, data, run: run.shown, note: run.note, resume: true, restore, lock };
  } catch (error) {
    data?.close();
    lock.release();
    throw error;
  }
}

/** The folder of `--out`, the folder that was named, or the latest run of the file. */
function runToResume(shell: Shell, given: string, out: string | undefined): string {
  if (out !== undefined) return out;
  if (!given.endsWith(".moe")) return given;
  const path = modulePath(shell.folder, given);
  const main = path.split("/").at(-1)!;
  const latest = runsIn(resolve(shell.folder, "runs"))
    .map((name) => join("runs", name))
    .findLast((shown) => openNote(shell, shown)?.main.split("/").at(-1) === main);
  if (latest !== undefined) return latest.split(sep).join("/");
  throw new UserError("C0302", `there is no run of ${given} in runs/`, {
    help: "begin one without --resume, or name its folder",
  });
}

function openNote(shell: Shell, shown: string): RunNote | undefined {
  try {
    return openRun(shell.folder, shown).note;
  } catch (error) {
    // Another run that is damaged is none of this command's business.
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** A run goes on with its own copy of the source; that the user meanwhile changed the file must not go unnoticed. */
function sameSource(shell: Shell, given: string, run: Run): void {
  const path = modulePath(shell.folder, given);
  const sources = openSources(shell.folder);
  loadModel(sources, path);
  if (sourceHash(path, sources.texts()) === (run.note.givenHash ?? run.note.sourceHash)) return;
  throw new UserError("C0303", `${given} changed since ${run.shown} began`, {
    file: given,
    help: `begin a new run without --resume, or continue the old one: moe train ${run.shown} --resume`,
  });
}

/** How a sample begins: a few words of the held-out text, which the model has never seen. */
function promptOf({ compiled }: CompiledFile, data: Data): string | undefined {
  const decode = compiled.program.entries["decode"];
  const text = compiled.program.modalities.find(({ kind }) => kind === "tokens");
  const tokenizer = text === undefined ? undefined : data.tokenizers[text.name];
  const source = data.held.batches > 0 ? data.held : data.train;
  if (decode === undefined || text === undefined || tokenizer === undefined || source.batches === 0)
    return undefined;
  const ids = source.batch(0)[text.name];
  if (ids === undefined) return undefined;
  const start = tokenizer.decode(
    ids.subarray(0, Math.min(ids.length, compiled.program.training?.length ?? 32, 48)),
  );
  // From the first whole word on, some words, cut at the last whole one.
  const words = start
    .replace(/\uFFFD/g, "")
    .split(/\s+/)
    .slice(1, 9);
  return words.length < 3 ? start.trim() : words.join(" ");
}
