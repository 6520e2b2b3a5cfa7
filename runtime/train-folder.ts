// Training into a folder; Node only. The folder holds what a run needs to go on after anything: checkpoints
// (checkpoint-file.ts) and metrics.jsonl. In: a session, data, the folder, which nobody else trains in meanwhile
// (run-lock.ts). Out: as `train`. Nothing is written before a checkpoint to go on from has been read and found good.

import { join } from "node:path";
import { savedTensors } from "./arena-plan.ts";
import { encodeCheckpoint, type RunState } from "./checkpoint.ts";
import { readCheckpoint, writeCheckpoint } from "./checkpoint-file.ts";
import type { Data } from "./data/data.ts";
import { openMetrics } from "./metrics-file.ts";
import type { Tensor } from "./program.ts";
import type { Executor } from "./executor.ts";
import { lockRun } from "./run-lock.ts";
import { checkResume, train, type TrainOptions, type TrainResult } from "./train.ts";

export interface FolderOptions extends Omit<TrainOptions, "resume" | "save" | "metrics"> {
  /** Go on from the folder's last checkpoint; or from the state of one whose tensors the session has already. Without, its contents
   * are replaced as the run gets there. */
  readonly resume?: boolean | RunState;
  /** Where metrics.jsonl lies, when not in the folder: phases of a run share one. */
  readonly metricsIn?: string;
  /** The caller holds the folder's lock. */
  readonly locked?: boolean;
}

export const metricsPath = (folder: string): string => join(folder, "metrics.jsonl");

export async function trainInFolder(
  session: Executor,
  data: Data,
  folder: string,
  { resume, locked, metricsIn, ...options }: FolderOptions = {},
): Promise<TrainResult> {
  const lock = locked === true ? undefined : lockRun(folder);
  try {
    const tensors = savedTensors(session.program);
    const state =
      resume === true ? load(session, data, folder, tensors) : resume === false ? undefined : resume;
    const done = (options.within?.steps ?? 0) + (state?.step ?? 0);
    const metrics = openMetrics(metricsPath(metricsIn ?? folder), done);
    const { phase } = session.program.training ?? {};
    try {
      if (phase !== undefined && (state?.step ?? 0) === 0)
        metrics.write({ kind: "phase", step: done + 1, name: phase });
      return await train(session, data, {
        ...options,
        metrics,
        save: async (kind, now) => {
          const values = await session.snapshot(tensors.map(({ name }) => name));
          writeCheckpoint(
            folder,
            kind,
            encodeCheckpoint(tensors, (name) => values.get(name)!, now),
          );
        },
        ...(state === undefined ? {} : { resume: { state } }),
      });
    } finally {
      metrics.close();
    }
  } finally {
    lock?.release();
  }
}

/** Here, not in `train`: nobody keeps the checkpoint's bytes while the run goes on. */
function load(session: Executor, data: Data, folder: string, tensors: readonly Tensor[]): RunState {
  const { state, tensors: values } = readCheckpoint(folder, tensors);
  checkResume(state, { model: session.program.name, seed: session.seed, data: data.fingerprint });
  session.load(values);
  return state;
}
