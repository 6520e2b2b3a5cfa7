// WebGPU on the CPU, for tests on machines without a GPU: SwiftShader, which comes with Debian's Chromium. Its Vulkan loader must
// be on the path of libraries when the process starts, so vitest.config.ts calls this before it starts workers. Does nothing
// where there is no such Chromium: a machine with a GPU and its driver needs nothing of this.

import { existsSync } from "node:fs";
import { tmpdir } from "node:os";

const folder = "/usr/lib/chromium";
const driver = `${folder}/vk_swiftshader_icd.json`;

export const hasSwiftShader = existsSync(driver);

/** What Dawn is to do without, there and in Chromium: workgroup memory that the driver sets to zero. SwiftShader makes a store of each number
 * of it, which takes it up to nine tenths of the time that it compiles a contraction. Dawn's own zeroes come of a loop. */
export const driverZeroes = "use_vulkan_zero_initialize_workgroup_memory_extension";

/** For Dawn in the processes that this one starts. */
export function useSwiftShader(environment: NodeJS.ProcessEnv = process.env): void {
  if (!hasSwiftShader) return;
  environment["VK_ICD_FILENAMES"] ??= driver;
  environment["XDG_RUNTIME_DIR"] ??= tmpdir();
  const before = environment["LD_LIBRARY_PATH"];
  environment["LD_LIBRARY_PATH"] = before === undefined ? folder : `${before}:${folder}`;
}
