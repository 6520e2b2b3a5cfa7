// The check and the bench for GPUs as a program, for tests that start its processes (bench/gpu/jobs.ts). In: a folder. Out: the bundled file there, beside
// which its packages are found.

import { symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { writePrograms } from "../../bench/gpu/pack.ts";

const root = resolve(import.meta.dirname, "../..");

export async function gpuProgramIn(folder: string): Promise<string> {
  await writePrograms(folder, root);
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  return join(folder, "gpu.mjs");
}
