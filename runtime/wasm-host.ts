// Host: the few things that differ between Node and a browser: threads, engine flags, the number of cores, turns of the
// event loop. Everything else of the runtime is the same in both. Node's modules are named in variables, so that
// bundlers for pages do not look for them.

interface NodeWorker {
  postMessage(value: unknown): void;
  terminate(): Promise<number>;
  unref(): void;
  once(event: "message" | "exit", listener: (value: unknown) => void): void;
  on(event: "error", listener: (value: unknown) => void): void;
  readonly performance: { eventLoopUtilization(): { readonly idle: number } };
}

/** Whether this is Node (or a runtime that offers Node's modules and event loop). */
export const isNode = typeof process === "object" && typeof process.versions?.node === "string";

export const nodeModule = (name: string): Promise<unknown> =>
  import(/* @vite-ignore */ /* webpackIgnore: true */ `node:${name}`);

/** Whether the engine takes a module with relaxed SIMD. Node 20 has it behind a flag that can be set while running. */
export async function allowRelaxedSimd(bytes: Uint8Array): Promise<boolean> {
  const module = new Uint8Array(bytes);
  if (WebAssembly.validate(module)) return true;
  if (!isNode) return false;
  const { setFlagsFromString } = (await nodeModule("v8")) as { setFlagsFromString(flags: string): void };
  setFlagsFromString("--experimental-wasm-relaxed-simd");
  return WebAssembly.validate(module);
}

/** Threads worth starting. */
export async function availableThreads(): Promise<number> {
  if (!isNode) return typeof navigator === "object" ? navigator.hardwareConcurrency : 1;
  const os = (await nodeModule("os")) as { availableParallelism(): number };
  return os.availableParallelism();
}

/** Whether memory can be shared with workers: a page must be cross-origin isolated. */
export const canShare = (): boolean =>
  isNode || (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true;

export interface Thread {
  /** Stops it, whatever it does. */
  terminate(): void;
  /** Whether it is gone: stopped, out of memory. Can be asked while the event loop stands still. A page cannot know. */
  ended(): boolean;
}

/** Starts a worker that calls `body(data, ready)`; resolves when it has called `ready`. `body` must not refer to anything
 * outside of itself: its text is what the worker runs. A thread never keeps the process alive. */
export async function startThread<Data>(
  body: (data: Data, ready: () => void) => void,
  data: Data,
): Promise<Thread> {
  // Some loaders name functions through a helper; the text must also run where there is none.
  const text = `var __name = (f) => f; var body = ${body.toString()};`;
  if (isNode) {
    const { Worker } = (await nodeModule("worker_threads")) as {
      Worker: new (text: string, options: { eval: true; workerData: Data; execArgv: string[] }) => NodeWorker;
    };
    // In a turn of the thread's own event loop: only then does the engine keep the account that `ended` asks for.
    const start = `const t = require("node:worker_threads"); setImmediate(() => body(t.workerData, () => t.parentPort.postMessage(0)));`;
    const worker = new Worker(text + start, { eval: true, workerData: data, execArgv: [] });
    await new Promise<void>((resolve, reject) => {
      worker.once("message", () => resolve());
      worker.on("error", reject);
      worker.once("exit", () => reject(new Error("the thread ended")));
    });
    worker.unref();
    return {
      terminate: () => void worker.terminate(),
      // A thread's events come through the event loop, which a waiting main thread does not turn. Its account is read at
      // once, and is -1 for a thread that is gone.
      ended: () => worker.performance.eventLoopUtilization().idle < 0,
    };
  }
  const start = `onmessage = (event) => body(event.data, () => postMessage(0));`;
  const url = URL.createObjectURL(new Blob([text + start], { type: "text/javascript" }));
  const worker = new Worker(url);
  await new Promise<void>((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(data);
  });
  URL.revokeObjectURL(url);
  return { terminate: () => worker.terminate(), ended: () => false };
}

/** Lets the event loop take a turn: signals, timers and messages get through during long work. */
export const turn = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve);
    else {
      // Not setTimeout: browsers delay nested timers by four milliseconds.
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(0);
    }
  });
