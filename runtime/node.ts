// What the runtime offers in Node besides index.ts: data, checkpoints, metrics and whole runs in folders; sessions on CUDA.

export { checkpointPath, readCheckpoint, readRunState, writeCheckpoint } from "./checkpoint-file.ts";
export { openCudaDevice, type CudaDevice, type CudaDeviceOptions } from "./cuda/device.ts";
export { readCudaArtifact } from "./cuda/folder.ts";
export { openCuda, type CudaOptions, type CudaSession } from "./cuda/session.ts";
export { openData } from "./data/open-node.ts";
export { openMetrics } from "./metrics-file.ts";
export { metricsPath, trainInFolder, type FolderOptions } from "./train-folder.ts";
