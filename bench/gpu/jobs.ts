// Work on a GPU in a process of its own: a fault there, a kernel that does not end, or a crash takes nothing else with it. In: a job. Out: what its
// process tells, line by line as it happens, and how it ended. The process is this program again, started with `worker` (worker.ts).

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Ceilings } from "./ceilings.ts";

export type Job =
  /** Cases of the manifest by number, in this order. */
  | { readonly kind: "cases"; readonly folder: string; readonly cases: readonly number[] }
  /** Which kernel a case fails in. `entry` and `name`: what was found wrong, where something was. */
  | {
      readonly kind: "diagnose";
      readonly folder: string;
      readonly case: number;
      readonly entry?: string | undefined;
      readonly name?: string | undefined;
    }
  | { readonly kind: "ceilings"; readonly folder: string }
  /** A layer of the manifest by number, for so many tokens each, in this order. */
  | {
      readonly kind: "layer";
      readonly folder: string;
      readonly layer: number;
      readonly tokens: readonly number[];
    };

export type News =
  | { readonly is: "begin"; readonly case: number }
  | { readonly is: "passed"; readonly case: number; readonly seconds: number }
  | {
      readonly is: "failed";
      readonly case: number;
      readonly seconds: number;
      readonly text: string;
      readonly entry?: string | undefined;
      readonly name?: string | undefined;
    }
  /** The kernel that is about to run; what was found out of a failure. */
  | { readonly is: "kernel"; readonly what: string }
  | { readonly is: "diagnosis"; readonly text: string }
  | { readonly is: "ceilings"; readonly ceilings: Ceilings }
  /** Of a forward pass; of a step of training. */
  | { readonly is: "forward" | "step"; readonly tokens: number; readonly milliseconds: number }
  /** Those that at least one token chose. */
  | { readonly is: "chosen"; readonly tokens: number; readonly experts: number }
  | { readonly is: "refused"; readonly tokens: number; readonly text: string };

/** `gone`: the process found no GPU that it could use. `broken`: it ended otherwise than it should. `late`: it was ended, since nothing came for
 * too long; `over`: since the time for everything was up. */
export interface Ending {
  readonly how: "done" | "gone" | "broken" | "late" | "over";
  readonly text: string;
}

export interface JobOptions {
  /** The program to start again. */
  readonly module: string;
  /** Seconds without news after which the process is ended. */
  readonly silence: number;
  readonly deadline: Deadline;
  readonly heard: (news: News) => void;
}

/** No driver, no GPU, or one that cannot be used. */
export const exitWithoutDevice = 3;

/** What lines of news begin with; others are not ours. */
const mark = "\u0001";

export const sayNews = (news: News): void => void process.stdout.write(`${mark}${JSON.stringify(news)}\n`);

/** When everything must be done. */
export class Deadline {
  readonly #end: number;

  constructor(seconds: number = Infinity) {
    this.#end = performance.now() + 1e3 * seconds;
  }
  /** Seconds. */
  get left(): number {
    return Math.max(0, (this.#end - performance.now()) / 1e3);
  }
}

export function runJob(job: Job, { module, silence, deadline, heard }: JobOptions): Promise<Ending> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [module, "worker", JSON.stringify(job)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let killed: Ending | undefined;
    let timer: NodeJS.Timeout | undefined;
    const wait = (): void => {
      clearTimeout(timer);
      const over = deadline.left <= silence;
      const seconds = Math.min(silence, deadline.left);
      timer = setTimeout(() => {
        killed = over
          ? { how: "over", text: "the time was up" }
          : { how: "late", text: `nothing came back for ${silence} s` };
        child.kill("SIGKILL");
      }, 1e3 * seconds);
    };
    wait();
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      if (!line.startsWith(mark)) return;
      wait();
      heard(JSON.parse(line.slice(1)) as News);
    });
    const heardAll = new Promise<void>((done) => void lines.once("close", done));
    let said = "";
    child.stderr.on("data", (data: Buffer) => (said = `${said}${data.toString()}`.slice(-2000)));
    const end = (ending: Ending): void => {
      clearTimeout(timer);
      void heardAll.then(() => resolve(killed ?? ending));
    };
    child.once("error", ({ message }) => end({ how: "broken", text: message }));
    child.once("close", (code, signal) => {
      const last = said.trim().split("\n").at(-1) ?? "";
      if (code === 0) end({ how: "done", text: "" });
      else if (code === exitWithoutDevice) end({ how: "gone", text: last });
      else
        end({
          how: "broken",
          text: `its process ended with ${signal ?? `exit code ${code}`}${last === "" ? "" : `: ${last}`}`,
        });
    });
  });
}
