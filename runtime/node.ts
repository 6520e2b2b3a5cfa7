// What the runtime offers in Node besides index.ts: data, checkpoints, metrics and whole runs in folders.

export { checkpointPath, readCheckpoint, readRunState, writeCheckpoint } from "./checkpoint-file.ts";
export { openData } from "./data/open-node.ts";
export { openMetrics } from "./metrics-file.ts";
export { metricsPath, trainInFolder, type FolderOptions } from "./train-folder.ts";
