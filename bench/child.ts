// Children: measurements that need a process of their own, so that what came before does not count: time from a cold start,
// peak memory. A child loads what it measures (child-main.ts) as one file, packages included, as the package does where it
// counts, and nothing of the bench; it prints one line of JSON.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";

export interface Measured {
  readonly seconds: number;
  /** Highest resident memory of the process, in bytes. */
  readonly peak: number;
  readonly parameters?: number;
  /** Of training: what the process held before the session touched its memory, and at most. */
  readonly before?: number;
  readonly most?: number;
  readonly allocated?: number;
  readonly predicted?: number;
}

export type ChildName = "plan" | "compile" | "memory";

let bundled: string | undefined;

/** The program of children, made once for this process. */
function program(): string {
  if (bundled !== undefined) return bundled;
  const folder = mkdtempSync(join(tmpdir(), "moe-bench-child-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  bundled = join(folder, "child.mjs");
  buildSync({
    entryPoints: ["bench/child-main.ts"],
    outfile: bundled,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "es2022",
    logLevel: "warning",
  });
  return bundled;
}

/** Wall time from start to end of the process is `wall`. */
export function runChild(name: ChildName, argument: string): Measured & { readonly wall: number } {
  const script = program();
  const start = performance.now();
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--expose-gc", script, name, argument], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`internal: the child ${name} failed: ${stderr}`);
  const wall = (performance.now() - start) / 1000;
  return { ...(JSON.parse(stdout) as Measured), wall };
}
