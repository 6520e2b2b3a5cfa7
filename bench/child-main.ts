// The program of a child process (child.ts): measures one thing and prints it as a line of JSON.
// In: which (`plan`, `compile`, `memory`), and its file or folder. It imports what the measurement needs and nothing else.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { tuneEngine } from "../cli/engine.ts";
import { planOf } from "../cli/planned.ts";
import { compile, planModel } from "../compiler/compile.ts";
import { memoryPlan, withDefaults } from "../runtime/arena-plan.ts";
import type { Program } from "../runtime/program.ts";
import type { ChildName, Measured } from "./child.ts";
import { hostOf, openWorkload } from "./programs.ts";

const start = performance.now();
const seconds = (): number => (performance.now() - start) / 1000;
const peak = (): number => process.resourceUsage().maxRSS * 1024;

// As the command does.
tuneEngine();
const [name, argument] = process.argv.slice(2) as [ChildName, string];
console.log(JSON.stringify(await measure()));

async function measure(): Promise<Measured> {
  switch (name) {
    case "plan": {
      const { planned } = planModel({ host: hostOf(), path: argument });
      if (planned === undefined) throw new Error(`internal: ${argument} has errors`);
      const { parameters } = planOf(planned.program, withDefaults(planned.program), 2);
      return { seconds: seconds(), peak: peak(), parameters: parameters.total };
    }
    case "compile": {
      if (compile({ host: hostOf(), path: argument }).compiled === undefined)
        throw new Error(`internal: ${argument} has errors`);
      return { seconds: seconds(), peak: peak() };
    }
    case "memory":
      return trainingMemory(argument);
    default:
      return name satisfies never;
  }
}

/** Trains the compiled model in a folder for three steps, and sees how much the process has grown by it. The engine, machine
 * code and threads are not the plan's: they are there when the session is open, and what is held then is measured. */
async function trainingMemory(folder: string): Promise<Measured> {
  const trainingEntries = ["train", "update", "evaluate"];
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
