// How a run begins: a new one from a file, or one that goes on from its folder. In: what the user named. Out: compiled phases of the
// recipe (most have one), their data, and a run folder that is whole before the first step and that no other process trains in.
// Nothing is written before the data, the checkpoint to go on from, and what a phase starts from have been read and found good.

import { existsSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { loadModel } from "../compiler/resolve.ts";
import { savedTensors } from "../runtime/arena-plan.ts";
import type { RunState } from "../runtime/checkpoint.ts";
import { checkpointPath, readCheckpoint, readRunState } from "../runtime/checkpoint-file.ts";
import type { Data } from "../runtime/data/data.ts";
import { UserError } from "../runtime/errors.ts";
import type { Executor } from "../runtime/executor.ts";
import { lockRun, type RunLock } from "../runtime/run-lock.ts";
import { checkResume, hasEnded } from "../runtime/train.ts";
import { compileFile, compileFor, phasesOfFile, type CompiledFile } from "./compiling.ts";
import type { Arithmetic } from "./device-names.ts";
import {
  createRun,
  freshFolder,
  givenFolder,
  isRunFolder,
  leaveNoFolder,
  openRun,
  runsIn,
  type Run,
  type RunNote,
} from "./run-folder.ts";
import { phaseFolder } from "./start-from.ts";
import type { Shell } from "./shell.ts";
import { modulePath, openSources, sourceHash } from "./sources.ts";
import { typed } from "./typed.ts";
import { closeAll, openAll, phaseOf, tryStarts, type TrainPhase } from "./train-phases.ts";

export interface StartOptions {
  readonly model?: string;
  readonly out?: string;
  readonly steps?: number;
  readonly seed?: number;
  readonly set?: readonly string[];
  readonly resume?: boolean;
}

export interface Start {
  /** In order; those before `first` have ended. */
  readonly phases: readonly TrainPhase[];
  readonly first: number;
  /** What paths of the recipe are relative to. */
  readonly base: string;
  /** As the user names it. */
  readonly run: string;
  readonly note: RunNote;
  readonly resume: boolean;
  /** Gives the session of the first phase the tensors of the checkpoint to go on from, once; says where the run stands. */
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
  const compileOptions = { model: options.model, settings: settingsOf(options) };
  const last = compileFile(shell, given, compileOptions);
  if (last === undefined) return undefined;
  const { training, name } = last.compiled.program;
  if (training === undefined)
    throw new UserError("C0304", `the model ${name} has no \`train\` block`, {
      file: given,
      help: `write \`train ${name} { ... }\` in ${given}`,
    });
  const read: CompiledFile[] = [];
  for (const phase of phasesOfFile(last).slice(0, -1)) {
    const earlier = compileFile({ ...shell, err: () => {} }, given, { ...compileOptions, phase });
    // Its mistakes were hidden above, where warnings would have been said twice.
    if (earlier === undefined) return void compileFile(shell, given, { ...compileOptions, phase });
    read.push(earlier);
  }
  read.push(last);
  const out = options.out === undefined ? undefined : givenFolder(shell.folder, options.out);
  const { base } = last;
  const all = await openAll(
    read.map(({ compiled }) => compiled.program),
    base,
  );
  let lock: RunLock | undefined;
  let fresh: string | undefined;
  try {
    tryStarts(
      read.map(({ compiled }) => compiled.program),
      base,
      all,
    );
    if (out === undefined) fresh = freshFolder(shell.folder, last.path);
    const run = out ?? fresh!;
    lock = lockRun(resolve(shell.folder, run));
    // Another process may have made a run of it meanwhile.
    if (out !== undefined) givenFolder(shell.folder, out);
    const data = all.at(-1)!;
    const prompt = promptOf(last, data);
    const earlier = read.slice(0, -1).map(({ compiled }) => ({
      name: compiled.program.training!.phase!,
      artifact: compiled,
    }));
    const note = createRun(
      resolve(shell.folder, run),
      last,
      data.tokenizers,
      { seed: training.seed, ...(prompt === undefined ? {} : { prompt }) },
      earlier,
    );
    const phases = read.map(({ compiled }, i): TrainPhase => {
      const { phase } = compiled.program.training!;
      const artifact = {
        ...compiled,
        compileFor: async (target: Parameters<typeof compileFor>[3], arithmetic: Arithmetic) =>
          compileFor(shell.folder, given, { ...compileOptions, phase, ...arithmetic }, target),
      };
      const folder = i === read.length - 1 ? run : phaseFolder(run, phase!);
      return phaseOf(artifact, all[i]!, resolve(shell.folder, folder));
    });
    return { phases, first: 0, base, run, note, resume: false, lock };
  } catch (error) {
    lock?.release();
    if (fresh !== undefined) leaveNoFolder(shell.folder, fresh);
    closeAll(all);
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
  const last = openRun(shell.folder, runToResume(shell, given, options.out));
  if (given.endsWith(".moe")) sameSource(shell, given, last);
  const runs = [...(last.note.phases ?? []).map(({ name }) => openRun(shell.folder, last.shown, name)), last];
  const programs = runs.map(({ program }) => program);
  if (last.program.training === undefined) throw new Error("internal: a run without a recipe");
  const lock = lockRun(last.folder);
  let all: readonly Data[] = [];
  try {
    const folders = runs.map(({ checkpoints }) => resolve(shell.folder, checkpoints));
    const there = folders.findLastIndex((folder) => existsSync(checkpointPath(folder, "last")));
    if (there < 0)
      throw new UserError("C0302", `${last.shown} has no checkpoint to go on from`, {
        file: last.shown,
        help: "begin a new run without --resume",
      });
    const base = resolve(last.folder, last.note.base);
    // A phase that has ended leaves the next one to begin.
    const state = readRunState(folders[there]!);
    const { training } = programs[there]!;
    const ended = there < runs.length - 1 && hasEnded(state, training!);
    const tensors = ended
      ? undefined
      : readCheckpoint(folders[there]!, savedTensors(programs[there]!)).tensors;
    all = await openAll(programs, base, last);
    const phases = runs.map((run, i) => phaseOf(run, all[i]!, folders[i]!));
    const common = { phases, base, run: last.shown, note: last.note, resume: true, lock };
    checkResume(state, { model: last.program.name, seed: training!.seed, data: all[there]!.fingerprint });
    if (tensors === undefined) return { ...common, first: there + 1 };
    // Emptied when the session has them: nobody keeps them while the run goes on.
    const values = new Map(tensors);
    const restore = (session: Executor): RunState => {
      session.load(values);
      values.clear();
      return state;
    };
    return { ...common, first: there, restore };
  } catch (error) {
    closeAll(all);
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
    help: `begin a new run without --resume, or continue the old one: moe train ${typed(run.shown)} --resume`,
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
