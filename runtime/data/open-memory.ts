// Data from files in memory, for pages and tests: the readers are loaded when the first data are read, so that a page that only
// runs a model does without them.

import type { Modality, Training } from "../program.ts";
import type { Data } from "./data.ts";

/** `files`: by the paths of the recipe. */
export const dataFromMemory = async (
  files: Readonly<Record<string, string | Uint8Array>>,
  training: Training,
  modalities: readonly Modality[],
): Promise<Data> => (await import("./open.ts")).dataFromMemory(files, training, modalities);
