// npm run gpu:check: the differential suite of a pack against the CUDA driver of this machine. In: the folder of an unpacked pack, texts of which a
// case's name must contain one, seconds that it may take. Out: a line for each case that fails, then which kernel it is, `N passed, N failed`;
// and the same in check.json, which is written after every case. Exit codes: 0 all passed, 1 not, 2 no such case, 3 no GPU to check on,
// 4 nothing failed, but not all was run. Cases run in processes of their own (jobs.ts): after a fault, a crash, or a kernel that does not end
// another process goes on with the next case.

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { Deadline, exitWithoutDevice, runJob, type Ending, type News } from "./jobs.ts";
import { readManifest, type Case } from "./manifest.ts";
import { keepRecord } from "./record.ts";
import { deviceOrSentence } from "./worker.ts";

export const recordFile = "check.json";
export const exitUnfinished = 4;

export interface CheckOptions {
  /** Texts of which a case's name must contain one; all when there are none. */
  readonly only: readonly string[];
  readonly seconds?: number | undefined;
  /** The program whose processes run cases; default: this one. */
  readonly module?: string;
  /** Seconds after which a case that says nothing is ended; in tests fewer. */
  readonly silence?: number;
}

/** Cases take a second, and some seconds where the driver compiles them; source alone is compiled once more for each. */
const silence = 90;
/** So many failures are looked into: they often have one reason. */
const mostDiagnoses = 12;

interface Result {
  readonly name: string;
  outcome: "passed" | "failed" | "not run";
  seconds?: number;
  text?: string;
  kernel?: string;
}
type Failed = Extract<News, { readonly is: "failed" }>;

export async function check(folder: string, options: CheckOptions): Promise<number> {
  const device = deviceOrSentence();
  if (device === undefined) return exitWithoutDevice;
  const { name, capability, processors } = device;
  // Where a GPU is for one process only, it must be free for those that run cases.
  device.dispose();
  const { only } = options;
  const { cases } = readManifest(folder);
  const chosen = cases.flatMap((tested, at) =>
    only.length === 0 || only.some((text) => tested.name.includes(text)) ? [at] : [],
  );
  if (chosen.length === 0) {
    console.error(`no case's name contains ${only.join(" or ")}`);
    return 2;
  }
  const about = `${name}, compute capability ${(capability / 10).toFixed(1)}, ${processors} processors`;
  console.log(about);
  return new Check(folder, about, cases, chosen, options).run();
}

class Check {
  readonly #folder: string;
  readonly #about: string;
  readonly #results: ReadonlyMap<number, Result>;
  readonly #failures: Failed[] = [];
  readonly #file: string;
  readonly #deadline: Deadline;
  readonly #module: string;
  readonly #silence: number;
  #kept = true;

  constructor(
    folder: string,
    about: string,
    cases: readonly Case[],
    chosen: readonly number[],
    options: CheckOptions,
  ) {
    [this.#folder, this.#about] = [folder, about];
    this.#results = new Map(chosen.map((at) => [at, { name: cases[at]!.name, outcome: "not run" }]));
    this.#file = join(folder, recordFile);
    this.#deadline = new Deadline(options.seconds);
    this.#module = options.module ?? process.argv[1]!;
    this.#silence = options.silence ?? silence;
  }

  async run(): Promise<number> {
    this.#keep();
    const ending = await this.#runCases();
    for (const failure of this.#failures.slice(0, mostDiagnoses))
      if (ending?.how !== "gone" && this.#deadline.left > 0) await this.#diagnose(failure);
    const all = [...this.#results.values()];
    const count = (outcome: Result["outcome"]): number =>
      all.filter((result) => result.outcome === outcome).length;
    const [failed, left] = [count("failed"), count("not run")];
    if (ending !== undefined) console.log(`${ending.text}: ${left} cases were not run`);
    this.#hint();
    if (!this.#kept) console.log(`${this.#file} cannot be written: what was found is only here`);
    console.log(`${count("passed")} passed, ${failed} failed${left > 0 ? `, ${left} not run` : ""}`);
    return failed > 0 ? 1 : left > 0 ? exitUnfinished : 0;
  }

  /** Why not all were run, where they were not. */
  async #runCases(): Promise<Ending | undefined> {
    for (;;) {
      const left = [...this.#results.keys()].filter((at) => this.#results.get(at)!.outcome === "not run");
      if (left.length === 0) return undefined;
      if (this.#deadline.left === 0) return { how: "over", text: "the time was up" };
      let current: number | undefined;
      let begun = false;
      const job = { kind: "cases", folder: this.#folder, cases: left } as const;
      const ending = await this.#job(job, (news) => {
        if (news.is === "begin") [current, begun] = [news.case, true];
        else if (news.is === "passed" || news.is === "failed") {
          current = undefined;
          this.#settle(news);
        }
      });
      if (ending.how === "over") return ending;
      if (current !== undefined) {
        const text = ending.how === "late" ? `it does not end: ${ending.text}` : ending.text;
        this.#settle({ is: "failed", case: current, seconds: 0, text });
      }
      // Another process would not begin anything either.
      else if (!begun) return ending;
    }
  }

  #settle(news: Extract<News, { readonly is: "passed" | "failed" }>): void {
    const result = this.#results.get(news.case)!;
    result.outcome = news.is;
    result.seconds = news.seconds;
    if (news.is === "failed") {
      result.text = news.text;
      this.#failures.push(news);
      console.log(`FAILED ${result.name}: ${news.text}`);
    }
    this.#keep();
  }

  /** In a process of its own, kernel by kernel: the one that was told of last is the one that it ended in. */
  async #diagnose({ case: at, entry, name }: Failed): Promise<void> {
    const result = this.#results.get(at)!;
    let last: string | undefined;
    let found: string | undefined;
    const job = { kind: "diagnose", folder: this.#folder, case: at, entry, name } as const;
    const { how, text } = await this.#job(job, (news) => {
      if (news.is === "kernel") last = news.what;
      if (news.is === "diagnosis") found = news.text;
    });
    if (found === undefined && how !== "over" && last !== undefined) found = `${text}, in ${last}`;
    if (found === undefined) return;
    result.kernel = found;
    console.log(`  ${result.name}: ${found}`);
    this.#keep();
  }

  #job(job: Parameters<typeof runJob>[0], heard: (news: News) => void): Promise<Ending> {
    return runJob(job, { module: this.#module, silence: this.#silence, deadline: this.#deadline, heard });
  }

  #hint(): void {
    const [first] = this.#failures;
    if (first === undefined || spawnSync("compute-sanitizer", ["--version"]).status !== 0) return;
    const job = JSON.stringify({ kind: "cases", folder: this.#folder, cases: [first.case] });
    const command = `compute-sanitizer ${process.execPath} ${this.#module} worker '${job}'`;
    console.log(`compute-sanitizer is here; of the first that failed it tells more: ${command}`);
  }

  #keep(): void {
    this.#kept = keepRecord(this.#file, { about: this.#about, cases: [...this.#results.values()] });
  }
}
