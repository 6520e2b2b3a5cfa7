// The phases of a run: a recipe without phases is one. In: compiled programs, in order. Out: their data, where each keeps its
// checkpoints, what one starts from, and how many steps and batches lie before it.

import { checkpointPath, readRunState } from "../runtime/checkpoint-file.ts";
import type { Data } from "../runtime/data/data.ts";
import { openData } from "../runtime/data/open-node.ts";
import { UserError } from "../runtime/errors.ts";
import type { Program, Training } from "../runtime/program.ts";
import type { TrainOptions } from "../runtime/train.ts";
import { openRunData, type Run } from "./run-folder.ts";
import type { Trained } from "./sessions.ts";
import { beginningOf, expectedSource, phaseSource, readSources, type Beginning } from "./start-from.ts";
import type { StartSource } from "../runtime/start.ts";

export interface TrainPhase {
  readonly artifact: Trained;
  readonly training: Training;
  readonly data: Data;
  /** Absolute: where its checkpoints lie. */
  readonly folder: string;
}

export function phaseOf(artifact: Trained, data: Data, folder: string): TrainPhase {
  const { training } = artifact.program;
  if (training === undefined) throw new Error("internal: a phase without a recipe");
  return { artifact, training, data, folder };
}

/** The data of every phase, opened once where they are the same; of a run that goes on, from where they were. */
export async function openAll(
  programs: readonly Program[],
  base: string,
  run?: Run,
): Promise<readonly Data[]> {
  const opened = new Map<string, Data>();
  const all: Data[] = [];
  try {
    for (const { training, modalities } of programs) {
      const { data, batch, length, holdOut, seed } = training!;
      const key = JSON.stringify([data, batch, length, holdOut, seed, modalities]);
      const found =
        opened.get(key) ??
        (await (run === undefined
          ? openData(training!, modalities, base)
          : openRunData(run, training!, modalities)));
      opened.set(key, found);
      all.push(found);
    }
    sameTokenizers(all);
    return all;
  } catch (error) {
    closeAll([...opened.values()]);
    throw error;
  }
}

export const closeAll = (all: readonly Data[]): void => new Set(all).forEach((data) => data.close());

/** One table of tokens serves all phases. */
function sameTokenizers(all: readonly Data[]): void {
  const seen = new Map<string, string>();
  for (const { tokenizers } of all)
    for (const [name, tokenizer] of Object.entries(tokenizers)) {
      const json = JSON.stringify(tokenizer.toJSON());
      if ((seen.get(name) ?? json) !== json)
        throw new UserError("R0308", `the phases cut the text of \`${name}\` into different tokens`, {
          help: "give them the same text, or read it as `bytes`",
        });
      seen.set(name, json);
    }
}

/** Tries what phases start from, before anything is written; what comes out of it is thrown away. */
export function tryStarts(programs: readonly Program[], base: string, data: readonly Data[]): void {
  programs.forEach((program, i) => {
    const { start, seed } = program.training!;
    if (start === undefined) return;
    const phase = (name?: string): StartSource => {
      const earlier = programs
        .slice(0, i)
        .findLast(({ training }) => training?.phase === (name ?? training?.phase))!;
      return expectedSource(earlier.training!.phase!, earlier);
    };
    const sources = readSources(start, base, data[i]!.tokenizers, phase);
    beginningOf(program, start, sources, seed);
  });
}

/** What a phase begins with, other than its initialisers. */
export function beginPhase(
  phases: readonly TrainPhase[],
  index: number,
  base: string,
): Beginning | undefined {
  const { artifact, training, data } = phases[index]!;
  const { start, seed } = training;
  if (start === undefined) return undefined;
  const phase = (name?: string): StartSource => {
    const earlier = phases
      .slice(0, index)
      .findLast((each) => each.training.phase === (name ?? each.training.phase))!;
    return phaseSource(earlier.training.phase!, earlier.folder);
  };
  const sources = readSources(start, base, data.tokenizers, phase);
  return beginningOf(artifact.program, start, sources, seed);
}

/** Steps and batches of the phases before, which have ended, and the steps of the whole run. */
export function stepsBefore(
  phases: readonly TrainPhase[],
  index: number,
): Omit<NonNullable<TrainOptions["within"]>, "seconds"> {
  const states = phases.slice(0, index).map(({ folder }) => readRunState(checkpointPath(folder, "last")));
  const steps = states.reduce((sum, { step }) => sum + step, 0);
  return {
    steps,
    // The position of each counts on from the one before.
    batches: states.at(-1)?.position ?? 0,
    of: phases.slice(index).reduce((sum, { training }) => sum + training.steps, steps),
  };
}
