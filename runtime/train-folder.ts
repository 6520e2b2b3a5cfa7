// Training into a folder; Node only. The folder holds what a run needs to go on after anything: checkpoints
// (checkpoint-file.ts) and metrics.jsonl. In: a session, data, the folder. Out: as `train`.

import { join } from "node:path";
import { savedTensors } from "./arena-plan.ts";
import { encodeCheckpoint } from "./checkpoint.ts";
import { readCheckpoint, writeCheckpoint } from "./checkpoint-file.ts";
import type { Data } from "./data/data.ts";
import { openMetrics } from "./metrics-file.ts";
import type { Session } from "./session.ts";
import { train, type TrainOptions, type TrainResult } from "./train.ts";

export interface FolderOptions extends Omit<TrainOptions, "resume" | "save" | "metrics"> {
  /** Go on from the folder's last checkpoint; without, its contents are replaced as the run gets there. */
  readonly resume?: boolean;
}

export const metricsPath = (folder: string): string => join(folder, "metrics.jsonl");

export async function trainInFolder(
  session: Session,
  data: Data,
  folder: string,
  { resume, ...options }: FolderOptions = {},
): Promise<TrainResult> {
  const tensors = savedTensors(session.program);
  const checkpoint = resume === true ? readCheckpoint(folder, tensors) : undefined;
  const metrics = openMetrics(metricsPath(folder), checkpoint?.state.step ?? 0);
  try {
    return await train(session, data, {
      ...options,
      metrics,
      save: (kind, state) =>
        writeCheckpoint(
          folder,
          kind,
          encodeCheckpoint(tensors, (name) => session.view(name), state),
        ),
      ...(checkpoint === undefined ? {} : { resume: checkpoint }),
    });
  } finally {
    metrics.close();
  }
}
