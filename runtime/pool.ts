// Pool: runs a list of dispatches in order, each one's tasks spread over threads. The main thread works too, and alone
// where a dispatch is too small to share. Which thread takes which task changes nothing: tasks are independent, and each
// is computed in one way only, so results are the same bits for any number of threads.
// In: kernels with addresses worked out (session.ts). Knows nothing of tensors, entries or sizes.
// A thread that dies is noticed (in Node): the run ends with one error instead of waiting for ever.
// The protocol: the main thread writes a dispatch into its record, opens it, and counts `ready` up; threads take chunks of
// tasks from the record (pool-worker.ts) until none is left; the main thread goes on when all tasks are finished.

import { work } from "./pool-worker.ts";
import { UserError } from "./errors.ts";
import { line, record, recordWords, tapeBytes, words } from "./pool-record.ts";
import type { WorkerData } from "./pool-worker.ts";
import { startThread } from "./wasm-host.ts";
import type { Thread } from "./wasm-host.ts";

/** One dispatch, ready to run. */
export interface Call {
  /** For errors. */
  readonly what: string;
  readonly kernel: number;
  readonly run: (...args: number[]) => void;
  /** Buffer addresses in bytes, then sizes. */
  readonly args: readonly number[];
  readonly grid: number;
  /** About how much there is to do: multiply-adds, and four for each element touched. */
  readonly work: number;
}

/** Calls with their records in shared memory. */
export interface Tape {
  readonly steps: readonly Step[];
  /** Which life of the room for records it belongs to. */
  readonly epoch: number;
}

interface Step {
  readonly call: Call;
  /** The arguments of `run`: first task, end, scratch, then `call.args`. */
  readonly args: number[];
  /** Of the record, in 32-bit words; 0 when the main thread runs it alone. */
  readonly at: number;
  readonly id: number;
  readonly chunk: number;
}

const isShared = (call: Call): boolean => call.grid > 1 && call.work >= shareable;

/** Below this much work a dispatch is not worth waking anyone. */
const shareable = 32768;
/** A thread takes so many chunks of a dispatch: more balance better, fewer cost less. But none with less work than this. */
const chunksPerThread = 12;
const chunkWork = 8192;
/** Milliseconds to look before sleeping. */
const patience = 0.05;
/** Milliseconds of waiting after which the others are asked whether they are still there. */
const concern = 200;

export interface PoolOptions {
  readonly threads: number;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Byte addresses: of thread 0's scratch (the others follow), and of the space for records. */
  readonly scratch: number;
  readonly scratchBytes: number;
  readonly records: number;
  readonly recordsBytes: number;
  /** Tests start threads that die. */
  readonly startThread?: typeof startThread;
}

export class Pool {
  readonly threads: number;
  readonly #options: PoolOptions;
  readonly #workers: readonly Thread[];
  readonly #control: Int32Array;
  readonly #records: Int32Array;
  readonly #mayWait: boolean;
  #top: number;
  #id = 0;
  #epoch = 0;
  /** A thread died with a task in its hands: what it left is of no use. */
  #lost = false;

  private constructor(options: PoolOptions, control: Int32Array, workers: readonly Thread[]) {
    this.#options = options;
    this.#control = control;
    this.#workers = workers;
    this.threads = workers.length + 1;
    this.#records = new Int32Array(options.memory.buffer, 0, (options.records + options.recordsBytes) / 4);
    this.#top = options.records / 4;
    this.#mayWait = mayWait(control);
  }

  /** Starts the threads and waits until they are there. Where none can be started, the main thread works alone. */
  static async start(options: PoolOptions): Promise<Pool> {
    if (options.threads <= 1) return new Pool(options, new Int32Array(7 * line), []);
    const { module, memory } = options;
    const control = new Int32Array(new SharedArrayBuffer(4 * 7 * line));
    const starting = Array.from({ length: options.threads - 1 }, (_, i) => {
      const scratch = options.scratch + (i + 1) * options.scratchBytes;
      const data: WorkerData = { module, memory, control, words, scratch, patience };
      return (options.startThread ?? startThread)(work, data);
    });
    const started = await Promise.allSettled(starting);
    const workers = started.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    return new Pool(options, control, workers);
  }

  /** Writes the records of a list of dispatches. Undefined when there is no room: then `forget` and try again. */
  tape(calls: readonly Call[]): Tape | undefined {
    const shares = this.#workers.length > 0;
    const need = shares ? tapeBytes(calls.filter(isShared).map((call) => call.args.length)) / 4 : 0;
    if (need > 0 && this.#top + need > this.#records.length) return undefined;
    return { steps: calls.map((call) => this.#step(call, shares && isShared(call))), epoch: this.#epoch };
  }

  #step(call: Call, shared: boolean): Step {
    const args = [0, call.grid, this.#options.scratch, ...call.args];
    if (!shared) return { call, args, at: 0, id: 0, chunk: call.grid };
    const at = this.#top;
    const id = ++this.#id;
    const chunks = Math.min(this.threads * chunksPerThread, Math.max(this.threads, call.work / chunkWork));
    const chunk = Math.max(1, Math.floor(call.grid / chunks));
    this.#top += recordWords(call.args.length);
    const fields = this.#records;
    fields[at + record.id] = id;
    fields[at + record.kernel] = call.kernel;
    fields[at + record.grid] = call.grid;
    fields[at + record.chunk] = chunk;
    fields[at + record.count] = call.args.length;
    fields.set(call.args, at + record.args);
    return { call, args, at, id, chunk };
  }

  /** Whether the records of a tape are still there. */
  holds(tape: Tape): boolean {
    return tape.epoch === this.#epoch;
  }

  /** Makes the room of all tapes free. */
  forget(): void {
    this.#settle();
    this.#epoch++;
    this.#top = this.#options.records / 4;
  }

  /** Runs the dispatches in order. `times[i]`, when given, grows by the milliseconds that dispatch i took. */
  run(tape: Tape, times?: Float64Array): void {
    if (!this.holds(tape)) throw new Error("internal: the records of a tape are gone");
    this.#settle();
    const { steps } = tape;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]!;
      const start = times === undefined ? 0 : performance.now();
      if (step.at === 0) this.#alone(step);
      else this.#together(step);
      if (times !== undefined) times[i]! += performance.now() - start;
    }
    Atomics.store(this.#control, words.open, 0);
  }

  /** Runs one dispatch of a tape, as part of a run that goes step by step. */
  runStep(tape: Tape, i: number): void {
    this.run({ ...tape, steps: tape.steps.slice(i, i + 1) });
  }

  #alone({ call, args }: Step): void {
    args[0] = 0;
    args[1] = call.grid;
    if (call.grid === 0) return;
    try {
      call.run(...args);
    } catch (error) {
      this.#failed(call, error);
    }
  }

  #together({ call, args, at, id, chunk }: Step): void {
    const control = this.#control;
    const fields = this.#records;
    const next = at + record.next;
    const done = at + record.done;
    const { grid } = call;
    Atomics.store(fields, next, 0);
    Atomics.store(fields, done, 0);
    Atomics.store(control, words.open, at);
    Atomics.add(control, words.ready, 1);
    if (Atomics.load(control, words.sleepers) > 0) Atomics.notify(control, words.ready);
    for (;;) {
      const first = Atomics.add(fields, next, chunk);
      if (first >= grid) break;
      const end = Math.min(first + chunk, grid);
      args[0] = first;
      args[1] = end;
      try {
        call.run(...args);
      } catch (error) {
        // Take what is left, so that nobody works on, and wait for those who already do.
        Atomics.store(fields, next, grid);
        Atomics.store(control, words.open, 0);
        this.#failed(call, error);
      }
      Atomics.add(fields, done, end - first);
    }
    if (Atomics.load(fields, done) !== grid) this.#wait(done, grid);
    if (Atomics.load(control, words.failed) === id) {
      Atomics.store(control, words.open, 0);
      this.#failed(call, "in a worker thread");
    }
  }

  #wait(done: number, grid: number): void {
    const control = this.#control;
    const fields = this.#records;
    const start = performance.now();
    for (let look = 1; Atomics.load(fields, done) !== grid; look++) {
      if (!this.#mayWait || (look & 63) !== 0 || performance.now() - start < patience) continue;
      Atomics.store(control, words.waiting, 1);
      for (;;) {
        const value = Atomics.load(fields, done);
        if (value === grid) break;
        if (Atomics.wait(fields, done, value, concern) === "timed-out") this.#checkThreads();
      }
      Atomics.store(control, words.waiting, 0);
      return;
    }
  }

  /** Waits until no thread looks at a record, so that records may be used again. */
  #settle(): void {
    if (this.#lost) throw threadDied();
    Atomics.store(this.#control, words.open, 0);
    for (let look = 1; Atomics.load(this.#control, words.active) !== 0; look++)
      if ((look & 0xfffff) === 0) this.#checkThreads();
    Atomics.store(this.#control, words.failed, 0);
  }

  /** Who died may have held a task, and nobody would ever finish it. */
  #checkThreads(): void {
    if (!this.#workers.some((worker) => worker.ended())) return;
    this.#lost = true;
    Atomics.store(this.#control, words.open, 0);
    throw threadDied();
  }

  #failed(call: Call, error: unknown): never {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`internal: kernel ${call.kernel} failed (${call.what}): ${why}`);
  }

  /** Stops the threads. */
  dispose(): void {
    Atomics.store(this.#control, words.quit, 1);
    Atomics.add(this.#control, words.ready, 1);
    if (this.#workers.length > 0) Atomics.notify(this.#control, words.ready);
    for (const worker of this.#workers) worker.terminate();
  }
}

const threadDied = (): UserError =>
  new UserError(
    "R0508",
    "a thread died in the middle of its work: the engine stopped it, most likely for want of memory",
    {
      help: "try again with fewer threads (`--threads 1` starts none) or a smaller batch; a run goes on from its last checkpoint with --resume",
    },
  );

/** A page's main thread must not sleep; it looks until the others are done. */
function mayWait(control: Int32Array): boolean {
  try {
    Atomics.wait(control, words.failed, 1, 0);
    return true;
  } catch {
    return false;
  }
}
