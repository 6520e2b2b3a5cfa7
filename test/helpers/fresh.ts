// Kernels that have not run on a target yet. In: how the target writes a kernel; MOE_PASSED of the environment, a file. Out: those of a text that
// no other had, in this process or, with a file, in any before; what passes is added to the file. So a whole run may be cut, goes on
// where it was, and after a change runs what changed.

import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import type { Kernel } from "../../compiler/kernel.ts";

export interface Fresh {
  /** True once for each text. */
  readonly wanted: (kernel: Kernel) => boolean;
  passed(kernels: readonly Kernel[]): void;
}

/** `target`: under which name it stands in the file. `text`: of a kernel that is called nothing. */
export function freshKernels(target: string, text: (kernel: Kernel) => string): Fresh {
  const file = process.env["MOE_PASSED"];
  const keyOf = (kernel: Kernel): string =>
    `${target} ${createHash("sha256")
      .update(text({ ...kernel, name: "kernel" }))
      .digest("hex")}`;
  const seen = new Set(file !== undefined && existsSync(file) ? readFileSync(file, "utf8").split("\n") : []);
  return {
    wanted(kernel) {
      const key = keyOf(kernel);
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    },
    passed(kernels) {
      if (file !== undefined) appendFileSync(file, kernels.map((kernel) => `${keyOf(kernel)}\n`).join(""));
    },
  };
}
