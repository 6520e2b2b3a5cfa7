// Session: a program made ready to run. It holds the tensors, runs entries, reads and writes what is inside.
// In: a program and its wasm modules. Out: a `Session`. Does not train, save or sample: those are functions that use one.
// One memory holds, in this order: records of the pool, scratch of each thread, tensors, and an arena at the end that all
// entries and all sizes share, because only one of them runs at a time. Only the arena ever grows.

import { layoutArena } from "./arena.ts";
import { layoutMemory } from "./arena-plan.ts";
import { Bindings } from "./bindings.ts";
import type { Executor, ExecutorOptions, RunOptions, Timing, Visit } from "./executor.ts";
import { readAs } from "./halves.ts";
import { initialiseAll } from "./init.ts";
import { Pool } from "./pool.ts";
import type { Tape } from "./pool.ts";
import type { Entry, Program, Tensor } from "./program.ts";
import { disposed, openingOf, unknownEntry, unknownTensor, wrongLength } from "./session-checks.ts";
import type { Opening } from "./session-checks.ts";
import { prepareEntry } from "./session-entry.ts";
import type { Addresses, BoundBuffer, PreparedEntry } from "./session-entry.ts";
import { readOutputs, viewOf, writeInputs } from "./session-values.ts";
import type { Inputs, Outputs, Values } from "./session-values.ts";
import type { Sizes } from "./size.ts";
import { availableThreads, canShare } from "./wasm-host.ts";
import { compileModule, growMemory, makeMemory } from "./wasm-module.ts";
import type { WasmBytes } from "./wasm-module.ts";

export type { RunOptions, Timing, Visit } from "./executor.ts";
export type { Inputs, Outputs, Values } from "./session-values.ts";

export interface SessionOptions extends ExecutorOptions {
  /** The main thread counts. Default: one per core, at most eight. */
  readonly threads?: number;
}

/** The session's entries at certain sizes. */
export interface Binding {
  readonly sizes: Sizes;
  run(entry: string, inputs: Inputs, options?: RunOptions): Outputs;
}

interface Bound extends Binding {
  readonly prepared: Map<string, Ready>;
}
interface Ready extends PreparedEntry {
  tape: Tape | undefined;
  readonly times: Float64Array | undefined;
  runs: number;
}

export class Session implements Executor {
  readonly program: Program;
  readonly seed: number;
  /** Whether multiply-adds are fused: results of engines that differ here differ in their last bits. */
  readonly relaxed: boolean;
  readonly #entries: ReadonlyMap<string, Entry>;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  readonly #memory: WebAssembly.Memory;
  readonly #pool: Pool;
  readonly #addresses: Addresses;
  readonly #profile: boolean;
  readonly #bindings: Bindings<Bound>;
  #closed = false;

  /** Use `openSession`. */
  constructor(parts: SessionParts) {
    this.program = parts.program;
    this.seed = parts.seed;
    this.relaxed = parts.relaxed;
    this.#entries = parts.entries;
    this.#tensors = new Map(parts.tensors.map((tensor) => [tensor.name, tensor]));
    this.#memory = parts.memory;
    this.#pool = parts.pool;
    this.#addresses = parts.addresses;
    this.#profile = parts.profile;
    // Who still holds a binding that is not kept may go on using it: it prepares itself again.
    const drop = ({ prepared }: Bound): void => prepared.clear();
    this.#bindings = new Bindings(parts.program, parts.sizes, (sizes) => this.#bind(sizes), drop);
  }

  get threads(): number {
    return this.#pool.threads;
  }
  get sizes(): Sizes {
    return this.#bindings.current.sizes;
  }
  get where(): string {
    return `CPU, ${this.threads} thread${this.threads === 1 ? "" : "s"}`;
  }
  /** All that the session has allocated. */
  get bytes(): number {
    return this.#memory.buffer.byteLength;
  }
  /** Names of the entries that can be run. */
  get entries(): readonly string[] {
    return [...this.#entries.keys()];
  }

  prepare(entry: string): void {
    this.#buffer();
    const { current } = this.#bindings;
    if (!current.prepared.has(entry)) this.#prepare(current, entry);
  }

  /** Runs an entry at the session's sizes. Synchronous: it returns when the outputs are there. */
  run(entry: string, inputs: Inputs, options?: RunOptions): Outputs {
    return this.#bindings.current.run(entry, inputs, options);
  }

  /** The same tensors at other sizes. Cheap to ask for again: recent bindings are kept. */
  bind(sizes: Sizes): Binding {
    return this.#bindings.at(sizes);
  }

  /** Changes the session's own sizes; tensors stay as they are. */
  resize(sizes: Sizes): void {
    this.#bindings.resize(sizes);
  }

  /** The tensors that the session holds. */
  tensors(): readonly Tensor[] {
    return [...this.#tensors.values()];
  }

  /** The tensor itself, not a copy. Do not keep it across a `bind`, `resize` or first run: memory may move. */
  view(name: string): Values {
    const tensor = this.#tensor(name);
    const length = tensor.shape.reduce((a, b) => a * b, 1);
    return viewOf(this.#buffer(), tensor.type, this.#addresses.tensors.get(name)!, length);
  }

  read(name: string): Values {
    return this.view(name).slice();
  }

  /** Views: memory may move at the next run. */
  snapshot(names: readonly string[]): ReadonlyMap<string, Values> {
    return new Map(names.map((name) => [name, this.view(name)]));
  }

  clear(name: string): void {
    this.view(name).fill(0);
  }

  write(name: string, values: ArrayLike<number>): void {
    const view = this.view(name);
    if (values.length !== view.length) throw wrongLength(this.#tensor(name), view.length, values.length);
    view.set(values);
  }

  /** Writes all tensors that the session holds from a checkpoint's; others in it are left out. */
  load(values: ReadonlyMap<string, Values>): void {
    for (const name of this.#tensors.keys()) {
      const given = values.get(name);
      if (given !== undefined) this.write(name, given);
    }
  }

  /** Gives every tensor its initial value. The same seed gives the same bits everywhere. */
  initialise(seed: number = this.seed): void {
    initialiseAll(this.#tensors, seed, { view: (name) => this.view(name) });
  }

  /** Sums since the session was opened with `profile`, in order of dispatch. */
  timings(): readonly Timing[] {
    const timings: Timing[] = [];
    for (const { prepared } of this.#bindings.all())
      for (const { entry, dispatches, times, runs } of prepared.values())
        dispatches.forEach(({ label, kernel, multiplyAdds }, i) => {
          if (times === undefined || runs === 0) return;
          const milliseconds = times[i]!;
          timings.push({
            entry: entry.name,
            label,
            kernel,
            runs,
            milliseconds,
            multiplyAdds: multiplyAdds * runs,
          });
        });
    return timings;
  }

  /** Runs an entry dispatch by dispatch and shows what each one touched. Slow; buffers start as zeros, so that rows which a
   * routing leaves unused hold nothing from before. */
  trace(entry: string, inputs: Inputs, visit: Visit): void {
    const ready = this.#start(this.#bindings.current, entry, inputs);
    const values = ({ type, address, length }: BoundBuffer) =>
      viewOf(this.#buffer(), readAs(type), address, length);
    for (const [i, dispatch] of ready.dispatches.entries()) {
      for (const buffer of dispatch.buffers) if (buffer.fresh) values(buffer).fill(0);
      this.#pool.runStep(ready.tape!, i);
      if (!visit(dispatch, values, i)) return;
    }
  }

  /** Frees the threads. The session cannot be used afterwards. */
  dispose(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pool.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #buffer(): ArrayBufferLike {
    if (this.#closed) throw disposed(`the model ${this.program.name}`);
    return this.#memory.buffer;
  }

  #tensor(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (tensor !== undefined) return tensor;
    throw unknownTensor(this.program, name);
  }

  #bind(sizes: Sizes): Bound {
    const bound: Bound = {
      sizes,
      prepared: new Map(),
      run: (entry, inputs, options) => {
        const ready = this.#start(bound, entry, inputs);
        this.#pool.run(ready.tape!, ready.times);
        ready.runs++;
        const wanted = options?.outputs;
        const places =
          wanted === undefined
            ? ready.outputs
            : ready.outputs.filter(({ port }) => wanted.includes(port.name));
        return readOutputs(this.#memory.buffer, places, options?.views !== true);
      },
    };
    return bound;
  }

  /** Everything of a run but the run. */
  #start(bound: Bound, name: string, inputs: Inputs): Ready {
    this.#buffer();
    const ready = bound.prepared.get(name) ?? this.#prepare(bound, name);
    writeInputs(this.#memory.buffer, name, ready.inputs, inputs, this.seed);
    if (ready.tape === undefined || !this.#pool.holds(ready.tape)) ready.tape = this.#tape(ready);
    return ready;
  }

  #prepare(bound: Bound, name: string): Ready {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw unknownEntry(this.program, name, this.entries);
    const prepared = prepareEntry(this.program, entry, bound.sizes, this.#addresses);
    growMemory(this.#memory, this.#addresses.arena + prepared.layout.bytes);
    const times = this.#profile ? new Float64Array(prepared.dispatches.length) : undefined;
    const ready: Ready = { ...prepared, tape: undefined, times, runs: 0 };
    bound.prepared.set(name, ready);
    return ready;
  }

  #tape(ready: Ready): Tape {
    const tape = this.#pool.tape(ready.calls);
    if (tape !== undefined) return tape;
    this.#pool.forget();
    const again = this.#pool.tape(ready.calls);
    if (again === undefined) throw new Error("internal: the records of one entry do not fit");
    return again;
  }
}

interface SessionParts extends Opening {
  readonly relaxed: boolean;
  readonly tensors: readonly Tensor[];
  readonly memory: WebAssembly.Memory;
  readonly pool: Pool;
  readonly addresses: Addresses;
}

/** Loads a program. Errors: R0501 and R0502 too much memory, R0503 the engine is too old, R0505 no such entry, R0506 sizes,
 * R0607 a program for something else. */
export async function openSession(
  program: Program,
  wasm: WasmBytes,
  options: SessionOptions = {},
): Promise<Session> {
  const opening = openingOf(program, "wasm", options);
  const { entries, sizes } = opening;
  const wanted = options.threads ?? Math.min(8, await availableThreads());
  const threads = canShare() ? Math.max(1, Math.floor(wanted)) : 1;

  const layout = layoutMemory(program, [...entries.keys()], threads);
  const arena = [...entries.values()].reduce(
    (most, entry) => Math.max(most, layoutArena(entry, sizes).bytes),
    0,
  );
  const memory = makeMemory(layout.arena + arena, threads > 1);
  const { module, relaxed } = await compileModule(wasm, threads > 1);
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  const kernel = (index: number) => exports[`k${index}`] as (...args: number[]) => void;
  const pool = await Pool.start({ ...layout, threads, module, memory });
  const session = new Session({
    ...opening,
    relaxed,
    tensors: program.tensors.filter(({ name }) => layout.tensors.has(name)),
    memory,
    pool,
    addresses: { tensors: layout.tensors, arena: layout.arena, kernel },
  });
  if (options.initialise !== false) session.initialise();
  return session;
}
