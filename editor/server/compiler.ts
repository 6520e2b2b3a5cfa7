// The compiler, in a worker of its own: one job at a time, checks before costs. In: what is to be checked. Out: promises. A job that
// a newer one replaces is never started; one that has become stale and takes long is ended with its worker. Node only.

import { Worker } from "node:worker_threads";
import type { Checked } from "../features/checked.ts";
import type { Costed } from "../features/costs.ts";
import type { Answer, Job } from "./jobs.ts";

/** A stale check may run on for so long before its worker is ended: starting another takes about as long. */
const patience = 1500;

type Asked = Job extends infer J ? (J extends Job ? Omit<J, "id"> : never) : never;

interface Waiting {
  readonly job: Job;
  readonly done: (answer: Answer) => void;
  started?: number;
}

export class Compiler {
  private readonly entry: URL;
  private readonly log: (message: string) => void;
  private worker: Worker | undefined;
  private queue: Waiting[] = [];
  private running: Waiting | undefined;
  private next = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(entry: URL, log: (message: string) => void) {
    this.entry = entry;
    this.log = log;
  }

  /** Undefined when a newer check of the same module has taken its place, or when it failed. */
  async check(path: string, texts: Readonly<Record<string, string>>): Promise<Checked | undefined> {
    this.drop(({ job }) => job.job === "check" && job.path === path);
    const answer = await this.ask({ job: "check", path, texts });
    return "checked" in answer ? answer.checked : undefined;
  }

  async cost(path: string, texts: Readonly<Record<string, string>>, of: Costed): Promise<string | undefined> {
    this.drop(({ job }) => job.job === "cost");
    const answer = await this.ask({ job: "cost", path, texts, of });
    return "cost" in answer ? answer.cost : undefined;
  }

  stop(): void {
    clearTimeout(this.timer);
    void this.worker?.terminate();
    this.worker = undefined;
  }

  private ask(asked: Asked): Promise<Answer> {
    const job = { ...asked, id: this.next++ } as Job;
    return new Promise((done) => {
      this.queue.push({ job, done });
      this.queue.sort((a, b) => rank(a.job) - rank(b.job) || a.job.id - b.job.id);
      this.start();
    });
  }

  /** Takes jobs back that nobody waits for any more. */
  private drop(isStale: (waiting: Waiting) => boolean): void {
    const [stale, kept] = [this.queue.filter(isStale), this.queue.filter((each) => !isStale(each))];
    this.queue = kept;
    for (const { job, done } of stale) done({ id: job.id, failed: "replaced" });
    const { running } = this;
    if (running === undefined || !isStale(running)) return;
    clearTimeout(this.timer);
    const left = patience - (Date.now() - (running.started ?? 0));
    this.timer = setTimeout(
      () => this.running === running && this.restart("it took too long"),
      Math.max(0, left),
    );
    this.timer.unref();
  }

  private start(): void {
    if (this.running !== undefined) return;
    const waiting = this.queue.shift();
    if (waiting === undefined) return;
    this.running = waiting;
    waiting.started = Date.now();
    this.worker ??= this.make();
    this.worker.postMessage(waiting.job);
  }

  private make(): Worker {
    // Texts of any depth are parsed without recursion, but a deep model needs room.
    const worker = new Worker(this.entry, { resourceLimits: { stackSizeMb: 16 }, stdout: true });
    worker.on("message", (answer: Answer) => {
      if (worker === this.worker) this.finish(answer);
    });
    const ended = (why: string): void => {
      if (worker === this.worker) this.restart(why);
    };
    worker.on("error", (error) => ended(error.message));
    worker.on("exit", (code) => ended(`exit code ${code}`));
    worker.unref();
    return worker;
  }

  private finish(answer: Answer): void {
    const { running } = this;
    this.running = undefined;
    if (running !== undefined) {
      if ("failed" in answer) this.log(`${running.job.job} of ${running.job.path}: ${answer.failed}`);
      running.done(answer);
    }
    this.start();
  }

  private restart(why: string): void {
    const { worker } = this;
    this.worker = undefined;
    void worker?.terminate();
    this.finish({ id: this.running?.job.id ?? -1, failed: why });
  }
}

const rank = ({ job }: Job): number => (job === "check" ? 0 : 1);
