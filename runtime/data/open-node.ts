// Data of a recipe from disk; Node only.

import type { Modality, Training } from "../program.ts";
import type { Data } from "./data.ts";
import { nodeFolder } from "./folder-node.ts";
import { openDataIn } from "./open.ts";

/** `baseFolder` is the folder of the `.moe` file: paths of the recipe are relative to it. */
export const openData = (
  training: Training,
  modalities: readonly Modality[],
  baseFolder: string,
): Promise<Data> => openDataIn(nodeFolder(baseFolder), training, modalities);
