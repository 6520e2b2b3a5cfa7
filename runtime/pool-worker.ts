// The thread's side of the pool: waits for dispatches and takes tasks from them. `work` runs in a worker as text, so it
// refers to nothing outside of itself; its words and record layout are those of `pool.ts`, given to it as data.
//
// A dispatch is a record in the shared memory: how many tasks were taken (`next`), how many are finished (`done`), the
// kernel, its arguments. Whoever comes takes tasks; nobody waits for a thread that has none. So a thread that the system
// has put aside delays a dispatch only when it holds a task.

/** Where the control words lie (index in the control array, one per cache line) and the fields of a record. */
export interface PoolWords {
  /** Counts published dispatches; idle threads sleep on it. */
  readonly ready: number;
  /** Index, in 32-bit words of the memory, of the published record; 0 while no dispatch is open. */
  readonly open: number;
  /** Threads that may touch a record right now. */
  readonly active: number;
  readonly sleepers: number;
  /** 1 while the main thread sleeps on a record's `done`. */
  readonly waiting: number;
  /** Id of a record whose kernel failed in a worker. */
  readonly failed: number;
  readonly quit: number;
  readonly record: {
    readonly next: number;
    readonly done: number;
    readonly id: number;
    readonly kernel: number;
    readonly grid: number;
    readonly chunk: number;
    readonly count: number;
    readonly args: number;
  };
}

export interface WorkerData {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly control: Int32Array;
  readonly words: PoolWords;
  readonly scratch: number;
  /** How long to look for the next dispatch before going to sleep, in milliseconds. */
  readonly patience: number;
}

export function work(data: WorkerData, ready: () => void): void {
  const { module, memory, control, words, scratch, patience } = data;
  const { record } = words;
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const shared = new Int32Array(memory.buffer);
  /** Decoded records by id: an id is never used twice. */
  const calls = new Map<number, { run: (...args: number[]) => void; args: number[] }>();
  let seen = Atomics.load(control, words.ready);

  const decode = (at: number, id: number) => {
    const run = exports[`k${shared[at + record.kernel]}`] as (...args: number[]) => void;
    const args = [0, 0, scratch];
    const count = shared[at + record.count]!;
    for (let i = 0; i < count; i++) args.push(shared[at + record.args + i]!);
    const call = { run, args };
    if (calls.size > 20_000) calls.clear();
    calls.set(id, call);
    return call;
  };

  const take = (at: number): void => {
    const grid = shared[at + record.grid]!;
    const chunk = shared[at + record.chunk]!;
    const id = shared[at + record.id]!;
    let call: ReturnType<typeof decode> | undefined;
    for (;;) {
      const first = Atomics.add(shared, at + record.next, chunk);
      if (first >= grid) return;
      const end = Math.min(first + chunk, grid);
      try {
        call ??= calls.get(id) ?? decode(at, id);
        call.args[0] = first;
        call.args[1] = end;
        call.run(...call.args);
      } catch {
        Atomics.store(control, words.failed, id);
      }
      const before = Atomics.add(shared, at + record.done, end - first);
      if (before + end - first === grid && Atomics.load(control, words.waiting) === 1)
        Atomics.notify(shared, at + record.done);
    }
  };

  ready();
  for (;;) {
    // Look for a while before sleeping: waking takes longer than most gaps between dispatches.
    const start = performance.now();
    for (let look = 1; Atomics.load(control, words.ready) === seen; look++) {
      if ((look & 63) !== 0 || performance.now() - start < patience) continue;
      Atomics.add(control, words.sleepers, 1);
      Atomics.wait(control, words.ready, seen);
      Atomics.sub(control, words.sleepers, 1);
    }
    if (Atomics.load(control, words.quit) === 1) return;
    seen = Atomics.load(control, words.ready);
    // Announced before `open` is read: the main thread reuses records only when nobody is announced.
    Atomics.add(control, words.active, 1);
    const at = Atomics.load(control, words.open);
    if (at !== 0) take(at);
    Atomics.sub(control, words.active, 1);
  }
}
