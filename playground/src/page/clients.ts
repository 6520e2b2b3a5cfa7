// Clients of the workers: questions to one that answers while one types, and compilations of which only the newest counts. In: requests.
// Out: answers. A worker that takes too long is ended and started anew, so that no text can hang the page.

import type {
  Answer,
  CompileAnswer,
  CompileAsked,
  CostAsked,
  LanguageAnswers,
  LanguageAsked,
  Role,
} from "../messages.ts";

export const startWorker = (name: Role): Worker =>
  new Worker(new URL("../work/work.worker.ts", import.meta.url), { type: "module", name });

/** How long an answer may take, in milliseconds, once the worker is loaded. */
const limits = { answer: 3000, compile: 12_000 };
/** A compilation that is stale goes on for so long before it is ended: starting another worker takes about as long. */
const patience = 600;

/** Questions to a worker, which starts with the first of them. */
class Asker<Asked> {
  private worker: Worker | undefined;
  private ready = false;
  private next = 0;
  private readonly waiting = new Map<number, (answer: unknown) => void>();
  private readonly role: Role;
  private readonly limit: number;
  private readonly slow: () => void;

  /** `limit`: milliseconds. `slow`: told when a question took longer. */
  constructor(role: Role, limit: number, slow: () => void) {
    this.role = role;
    this.limit = limit;
    this.slow = slow;
  }

  private start(): Worker {
    this.ready = false;
    const worker = startWorker(this.role);
    worker.addEventListener("message", ({ data }: MessageEvent<Answer<unknown>>) => {
      this.ready = true;
      const done = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      done?.(data.answer);
    });
    worker.addEventListener("error", () => worker === this.worker && this.end());
    return worker;
  }

  private end(): void {
    this.worker?.terminate();
    this.worker = undefined;
    for (const done of this.waiting.values()) done(undefined);
    this.waiting.clear();
  }

  /** Undefined when there is no answer. */
  protected send(asked: Asked): Promise<unknown> {
    const id = this.next++;
    const worker = (this.worker ??= this.start());
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      worker.postMessage({ id, asked });
      const look = (): void => {
        if (!this.waiting.has(id) || worker !== this.worker) return;
        // While it loads, nobody is to blame.
        if (!this.ready) return void setTimeout(look, this.limit);
        this.slow();
        this.end();
      };
      setTimeout(look, this.limit);
    });
  }
}

export class LanguageClient extends Asker<LanguageAsked> {
  constructor(slow: () => void) {
    super("language", limits.answer, slow);
  }

  ask<Asked extends LanguageAsked>(asked: Asked): Promise<LanguageAnswers[Asked["ask"]] | undefined> {
    return this.send(asked) as Promise<LanguageAnswers[Asked["ask"]] | undefined>;
  }
}

/** A cost takes a whole compilation: in a worker of its own no key press waits for it. */
export class CostClient extends Asker<CostAsked> {
  constructor() {
    super("costs", limits.compile, () => undefined);
  }

  /** Markdown; undefined where no model uses the definition, or when it took too long. */
  ask(asked: CostAsked): Promise<string | undefined> {
    return this.send(asked) as Promise<string | undefined>;
  }
}

export class CompileClient {
  private worker: Worker | undefined;
  private next = 0;
  private running: { readonly id: number; since: number; stale: boolean } | undefined;
  private queued: CompileAsked | undefined;
  /** The worker has loaded the compiler: only then does time count. */
  private ready = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly hear: (answer: CompileAnswer) => void;

  constructor(hear: (answer: CompileAnswer) => void) {
    this.hear = hear;
    this.start();
  }

  /** What was asked for before is forgotten. */
  compile(asked: CompileAsked): void {
    this.queued = asked;
    if (this.running === undefined) return this.begin();
    if (this.running.stale) return;
    this.running.stale = true;
    this.watch();
  }

  private start(): void {
    const worker = startWorker("compiler");
    this.worker = worker;
    this.ready = false;
    worker.addEventListener("message", ({ data: { id, answer } }: MessageEvent<Answer<CompileAnswer>>) => {
      if (worker !== this.worker) return;
      if (!this.ready) {
        this.ready = true;
        if (this.running !== undefined) this.running.since = performance.now();
        this.watch();
      }
      if (id !== this.running?.id || answer === undefined) return;
      if (!this.running.stale && answer.kind !== "done") this.hear(answer);
      if (answer.kind === "done" || answer.kind === "failed") this.finish();
    });
    worker.addEventListener("error", (event) => {
      event.preventDefault();
      if (worker !== this.worker) return;
      const stale = this.running?.stale === true;
      this.restart();
      if (!stale)
        this.hear({
          kind: "failed",
          message: "the compiler stopped: it found no more memory, or could not be loaded",
        });
    });
  }

  private begin(): void {
    const asked = this.queued;
    if (asked === undefined) return;
    this.queued = undefined;
    const id = this.next++;
    this.running = { id, since: performance.now(), stale: false };
    this.worker!.postMessage({ id, asked });
    this.watch();
  }

  /** Ends the worker when what it does takes too long. */
  private watch(): void {
    clearTimeout(this.timer);
    const { running } = this;
    if (!this.ready || running === undefined) return;
    const left = (running.stale ? patience : limits.compile) - (performance.now() - running.since);
    this.timer = setTimeout(
      () => {
        const { stale } = running;
        this.restart();
        if (!stale)
          this.hear({
            kind: "failed",
            message: `compiling took longer than ${limits.compile / 1000} seconds and was stopped: this text asks for a very large program`,
          });
      },
      Math.max(0, left),
    );
  }

  private finish(): void {
    clearTimeout(this.timer);
    this.running = undefined;
    this.begin();
  }

  private restart(): void {
    this.worker?.terminate();
    this.start();
    this.finish();
  }
}
