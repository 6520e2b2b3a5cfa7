// Sessions for commands: a program with the tensors of a checkpoint, ready to evaluate or to generate. In: a run folder, or a
// compiled file and a checkpoint. Out: a session; whoever opens it disposes of it.

import { existsSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { savedTensors } from "../runtime/arena-plan.ts";
import { checkpointPath, readCheckpoint } from "../runtime/checkpoint-file.ts";
import { UserError } from "../runtime/errors.ts";
import type { Program } from "../runtime/program.ts";
import type { Executor } from "../runtime/executor.ts";
import type { Sizes } from "../runtime/size.ts";
import type { Artifact } from "./artifact-folder.ts";
import type { Arithmetic } from "./device-names.ts";
import { openOn, type CompileFor, type DeviceName } from "./devices.ts";

export interface OpenOptions extends Arithmetic {
  readonly entries: readonly string[];
  readonly sizes?: Sizes;
  readonly threads?: number | undefined;
  readonly seed?: number | undefined;
  readonly device?: DeviceName | undefined;
}

/** What checkpoints are of. */
export interface Trained extends Artifact {
  readonly compileFor: CompileFor;
}

export interface Loaded {
  readonly session: Executor;
  /** Optimiser steps of the checkpoint. */
  readonly step: number;
  /** As the user would name it. */
  readonly checkpoint: string;
}

/** Opens a session and loads a checkpoint; `checkpoint` is relative to `folder`. */
export async function openTrained(
  { program, wasm, compileFor }: Trained,
  folder: string,
  checkpoint: string,
  { entries, sizes, threads, seed, device, precision, accumulation }: OpenOptions,
): Promise<Loaded> {
  const path = resolve(folder, checkpoint);
  const { state, tensors } = named(checkpoint, path, () => readCheckpoint(path, savedTensors(program)));
  const options = {
    entries,
    initialise: false,
    seed: seed ?? state.seed,
    ...(sizes === undefined ? {} : { sizes }),
    ...(threads === undefined ? {} : { threads }),
  };
  const session = await openOn(device, { program, wasm }, compileFor, {
    ...options,
    precision,
    accumulation,
  });
  session.load(tensors);
  return { session, step: state.step, checkpoint };
}

/** Errors name the file as the user did. */
function named<Result>(shown: string, path: string, act: () => Result): Result {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const { code, message, help } = error;
    throw new UserError(code, message.replaceAll(path, shown), {
      file: shown,
      ...(help === undefined ? {} : { help }),
    });
  }
}

/** The checkpoint of a run that is meant: `best` when there is one, else `last`; or `best`, `last`, `previous`, or a file. */
export function checkpointIn(folder: string, run: string, given: string | undefined): string {
  const shown = (kind: "best" | "last" | "previous"): string => checkpointPath(run, kind);
  if (given === undefined) return existsSync(resolve(folder, shown("best"))) ? shown("best") : shown("last");
  if (given === "best" || given === "last" || given === "previous") return shown(given);
  if (given.endsWith(".safetensors")) return given;
  if (isFolder(resolve(folder, given))) return join(given, "last.safetensors");
  throw new UserError("C0401", `${given} is no checkpoint`, {
    help: "give `best`, `last`, `previous`, a `.safetensors` file, or the folder of a run",
  });
}
const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** The sizes of training, as the recipe says them. */
export function trainingSizes(program: Program): Sizes {
  const { training, modalities, sizes } = program;
  if (training === undefined) return {};
  const known = new Set(sizes.map(({ name }) => name));
  const all: Record<string, number> = { B: training.batch };
  if (training.length !== undefined)
    for (const { length } of modalities) if (length !== undefined) all[length] = training.length;
  return Object.fromEntries(Object.entries(all).filter(([name]) => known.has(name)));
}
