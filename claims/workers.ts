// Workers: processes that do jobs, so that two runs go side by side and one that dies takes no other with it. In: jobs. Out: what they
// measured. A worker keeps what it compiled, and ends when its parent does.

import { fork, type ChildProcess } from "node:child_process";
import type { Claim } from "./claim.ts";
import type { Measured } from "./measure.ts";
import type { Job } from "./results.ts";
import { doJob } from "./run.ts";

type Answer = { readonly measured: Record<string, Measured> } | { readonly error: string };

export class Workers {
  readonly #script: string;
  readonly #idle: ChildProcess[] = [];
  readonly #all = new Set<ChildProcess>();

  constructor(script: string) {
    this.#script = script;
  }

  readonly execute = async (job: Job): Promise<Record<string, Measured>> => {
    const worker = this.#idle.pop() ?? this.#start();
    const answer = await new Promise<Answer>((resolve) => {
      const ended = (code: number | null, signal: string | null): void =>
        resolve({ error: `the process ended (${signal ?? code})` });
      worker.once("exit", ended);
      worker.once("message", (message: Answer) => {
        worker.off("exit", ended);
        this.#idle.push(worker);
        resolve(message);
      });
      worker.send(job);
    });
    if ("error" in answer) throw new Error(answer.error);
    return answer.measured;
  };

  close(): void {
    for (const worker of this.#all) worker.disconnect();
  }

  #start(): ChildProcess {
    const worker = fork(this.#script, ["--worker"]);
    this.#all.add(worker);
    worker.once("exit", () => this.#all.delete(worker));
    return worker;
  }
}

/** The other side. */
export function work(folder: string, claims: readonly Claim[]): void {
  process.on("disconnect", () => process.exit());
  process.on("message", (job: Job) => {
    const claim = claims.find(({ name }) => name === job.claim)!;
    doJob(folder, claim, job).then(
      (measured) => process.send!({ measured } satisfies Answer),
      (error: unknown) =>
        process.send!({ error: error instanceof Error ? error.message : String(error) } satisfies Answer),
    );
  });
}
