// An executor that goes on elsewhere when the first one cannot run an entry: for models that may run on any device. A device refuses
// an entry when it is first used: a kernel that its driver does not take, a limit, memory for larger sizes. Nothing of that run has
// happened by then and the tensors are whole, so they move to the other executor, and the run is done there.
// In: an executor, and how the other is opened. A device that is lost is no refusal: what was on it is gone.

import { UserError } from "./errors.ts";
import type { Executor, ExecutorBinding, RunOptions, Timing, Visit } from "./executor.ts";
import type { Program, Tensor } from "./program.ts";
import type { Inputs, Outputs, Values } from "./session-values.ts";
import type { Sizes } from "./size.ts";

/** R0603 memory, R0604 limits, R0606 kernels. */
const refusals: ReadonlySet<string> = new Set(["R0603", "R0604", "R0606"]);

/** Opens the other executor without initial values, at these sizes. */
export type OpenOther = (sizes: Sizes) => Promise<Executor>;

export class Fallback implements Executor {
  #current: Executor;
  #other: OpenOther | undefined;
  #moving: Promise<void> | undefined;
  #refusal = "";

  constructor(first: Executor, other: OpenOther) {
    this.#current = first;
    this.#other = other;
  }

  get program(): Program {
    return this.#current.program;
  }
  get seed(): number {
    return this.#current.seed;
  }
  get sizes(): Sizes {
    return this.#current.sizes;
  }
  get bytes(): number {
    return this.#current.bytes;
  }
  get entries(): readonly string[] {
    return this.#current.entries;
  }
  /** After a refusal with its reason: `CPU, 2 threads (... refuses the kernel ...)`. */
  get where(): string {
    return `${this.#current.where}${this.#refusal}`;
  }
  get threads(): number | undefined {
    return this.#current.threads;
  }

  prepare(entry: string): Promise<void> {
    return this.#somewhere((executor) => executor.prepare(entry));
  }

  run(entry: string, inputs: Inputs, options?: RunOptions): Promise<Outputs> {
    return this.#somewhere((executor) => executor.run(entry, inputs, options));
  }

  bind(sizes: Sizes): ExecutorBinding {
    // Sizes that are wrong are told at once.
    const { sizes: all } = this.#current.bind(sizes);
    return {
      sizes: all,
      run: (entry, inputs, options) =>
        this.#somewhere((executor) => executor.bind(all).run(entry, inputs, options)),
    };
  }

  resize(sizes: Sizes): void {
    this.#current.resize(sizes);
  }
  tensors(): readonly Tensor[] {
    return this.#current.tensors();
  }
  read(name: string): Values | Promise<Values> {
    return this.#current.read(name);
  }
  snapshot(names: readonly string[]): ReturnType<Executor["snapshot"]> {
    return this.#current.snapshot(names);
  }
  write(name: string, values: ArrayLike<number>): void {
    this.#current.write(name, values);
  }
  clear(name: string): void {
    this.#current.clear(name);
  }
  load(values: ReadonlyMap<string, Values>): void {
    this.#current.load(values);
  }
  initialise(seed?: number): void {
    this.#current.initialise(seed);
  }
  trace(entry: string, inputs: Inputs, visit: Visit): Promise<void> {
    return this.#somewhere((executor) => executor.trace(entry, inputs, visit));
  }
  timings(): readonly Timing[] {
    return this.#current.timings();
  }
  dispose(): void {
    this.#current.dispose();
  }

  async #somewhere<Result>(act: (executor: Executor) => Result | Promise<Result>): Promise<Result> {
    const asked = this.#current;
    try {
      return await act(asked);
    } catch (error) {
      const refused = error instanceof UserError && refusals.has(error.code);
      if (!refused || (this.#other === undefined && asked === this.#current)) throw error;
      // Of several that are refused at a time, the first moves everything.
      await (this.#moving ??= this.#move(error));
      return act(this.#current);
    }
  }

  async #move({ message }: UserError): Promise<void> {
    const before = this.#current;
    const other = await this.#other!(before.sizes);
    try {
      other.load(await before.snapshot(before.tensors().map(({ name }) => name)));
    } catch (error) {
      other.dispose();
      throw error;
    }
    this.#current = other;
    this.#other = undefined;
    this.#refusal = ` (${message})`;
    before.dispose();
  }
}
