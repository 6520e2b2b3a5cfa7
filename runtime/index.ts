// The runtime's public face, for pages and Node alike: load a program, run it, train it, let it speak. What needs a file
// system is in node.ts. The only file that re-exports others, with node.ts.

export { layoutArena, type ArenaLayout, type Placed } from "./arena.ts";
export { memoryPlan, savedTensors, type EntryMemory, type MemoryPlan } from "./arena-plan.ts";
export {
  decodeCheckpoint,
  decodeRunState,
  encodeCheckpoint,
  signature,
  type Checkpoint,
  type RunState,
} from "./checkpoint.ts";
export type { Batch, Batches, Data } from "./data/data.ts";
export { dataFromMemory } from "./data/open-memory.ts";
export { runtimeCodes, type RuntimeCode } from "./error-codes.ts";
export { UserError } from "./errors.ts";
export type { AnyArtifact, Artifact, Shader } from "./artifact.ts";
export { evaluate, type EvaluateOptions, type Evaluation } from "./evaluate.ts";
export type { Executor, ExecutorBinding } from "./executor.ts";
export { generate, type GenerateOptions } from "./generate.ts";
export {
  decodeRecords,
  encodeRecord,
  memoryMetrics,
  type EvaluationRecord,
  type Loads,
  type MetricsRecord,
  type PhaseRecord,
  type MetricsWriter,
  type Numbers,
  type StepRecord,
} from "./metrics.ts";
export { LoadedModel, type TextOptions, type TokenOptions } from "./model.ts";
export type { DataOptions, ModelData, ShapedBatch, ShapedBatches, Sources } from "./model-data.ts";
export type { BytesSource } from "./model-files.ts";
export { openModel, type LoadOptions, type ModelFiles, type OpenOptions } from "./model-open.ts";
export type { StartFiles } from "./model-start.ts";
export type * from "./program.ts";
export { sample, type SampleOptions } from "./sample.ts";
export {
  openSession,
  Session,
  type Binding,
  type Inputs,
  type Outputs,
  type RunOptions,
  type SessionOptions,
  type Timing,
  type Values,
} from "./session.ts";
export { tensor, type Nested, type Shape, type Shaped, type ShapedInput } from "./shaped.ts";
export type { Size, Sizes } from "./size.ts";
export { streamingDecoder, type StreamingDecoder, type Tokenizer, type TokenizerJSON } from "./tokenizer.ts";
export { tokenizerFromJSON } from "./tokenizer-load.ts";
export { train, type Progress, type TrainOptions, type TrainResult } from "./train.ts";
export type { WasmBytes } from "./wasm-module.ts";
export type { Device, DeviceOptions } from "./webgpu/device.ts";
export { openDevice, openWebGpu } from "./webgpu/open.ts";
export type { WebGpuOptions, WebGpuSession } from "./webgpu/session.ts";
