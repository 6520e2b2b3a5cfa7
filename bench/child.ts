// Children: measurements that need a process of their own, so that what came before does not count: time from a cold start,
// peak memory. The bench starts itself again with `--child NAME`; the child prints one line of JSON.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { planOf } from "../cli/commands/plan.ts";
import { compile, planModel } from "../compiler/compile.ts";
import { memoryPlan, withDefaults } from "../runtime/arena-plan.ts";
import type { Program } from "../runtime/program.ts";
import { hostOf, openWorkload } from "./programs.ts";

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

export const trainingEntries = ["train", "update", "evaluate"];

/** Wall time from start to end of the process is `wall`. */
export function runChild(
  name: ChildName,
  argument: string,
  script = process.argv[1]!,
): Measured & { readonly wall: number } {
  const start = performance.now();
  const args = ["--expose-gc", script, "--child", name, argument];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`internal: the child ${name} failed: ${stderr}`);
  const wall = (performance.now() - start) / 1000;
  return { ...(JSON.parse(stdout) as Measured), wall };
}

export async function child(name: string, argument: string): Promise<void> {
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1000;
  const peak = (): number => process.resourceUsage().maxRSS * 1024;
  let measured: Measured;
  switch (name as ChildName) {
    case "plan": {
      const { planned } = planModel({ host: hostOf(), path: argument });
      if (planned === undefined) throw new Error(`internal: ${argument} has errors`);
      const { parameters } = planOf(planned.program, withDefaults(planned.program), 2);
      measured = { seconds: seconds(), peak: peak(), parameters: parameters.total };
      break;
    }
    case "compile": {
      if (compile({ host: hostOf(), path: argument }).compiled === undefined)
        throw new Error(`internal: ${argument} has errors`);
      measured = { seconds: seconds(), peak: peak() };
      break;
    }
    case "memory":
      measured = await trainingMemory(argument, seconds, peak);
      break;
    default:
      throw new Error(`internal: no child ${name}`);
  }
  console.log(JSON.stringify(measured));
}

/** Trains the compiled model in a folder for three steps, and sees how much the process has grown by it. The engine, machine
 * code and threads are not the plan's: they are there when the session is open, and what is held then is measured. */
async function trainingMemory(folder: string, seconds: () => number, peak: () => number): Promise<Measured> {
  const read = (name: string) => readFileSync(join(folder, name));
  const program = JSON.parse(read("program.json").toString()) as Program;
  const wasm = { plain: read("plain.wasm"), relaxed: read("relaxed.wasm") };
  const predicted = memoryPlan(program, trainingEntries, {}, 2).total;
  const workload = await openWorkload({ program, wasm }, { entries: trainingEntries, initialise: false });
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  const { session } = workload;
  session.initialise();
  let most = before;
  for (let step = 0; step < 3; step++) {
    workload.step();
    most = Math.max(most, process.memoryUsage.rss());
  }
  session.run("evaluate", workload.inputs("evaluate"), { views: true });
  most = Math.max(most, process.memoryUsage.rss());
  const { bytes } = session;
  session.dispose();
  return { seconds: seconds(), peak: peak(), before, most, allocated: bytes, predicted };
}
