// Executor: what training, evaluation and generation need of a session, wherever it runs. A session on the CPU (session.ts)
// answers at once; one on a GPU gives promises. Whoever awaits what it gets need not know which it is.
// One run after another: the next may begin when the one before has answered.

import type { Program, Tensor } from "./program.ts";
import type { Inputs, Outputs, Values } from "./session-values.ts";
import type { BoundBuffer, DispatchInfo } from "./session-entry.ts";
import type { Sizes } from "./size.ts";

/** What every executor can be opened with. */
export interface ExecutorOptions {
  /** Values of symbolic sizes; the program's defaults for those not given. */
  readonly sizes?: Sizes;
  /** Keys the initial values, and `$seed` where an entry asks for it. Default: the recipe's. */
  readonly seed?: number;
  /** The entries that will be run; default: all. Fewer need less memory. */
  readonly entries?: readonly string[];
  /** False leaves all tensors zero: for callers that load a checkpoint next. */
  readonly initialise?: boolean;
  /** Measure each dispatch, where the device can; `timings` then has the sums. */
  readonly profile?: boolean;
}

export interface RunOptions {
  /** Give views of the session's memory, valid until the next run, instead of copies; where there are such views. */
  readonly views?: boolean;
  /** The outputs that are wanted; default: all. A GPU need not be waited for when there are none. */
  readonly outputs?: readonly string[];
}

/** An executor's entries at certain sizes. */
export interface ExecutorBinding {
  readonly sizes: Sizes;
  run(entry: string, inputs: Inputs, options?: RunOptions): Outputs | Promise<Outputs>;
}

export interface Timing {
  readonly entry: string;
  readonly label: string;
  readonly kernel: string;
  readonly runs: number;
  readonly milliseconds: number;
  /** Of all runs. */
  readonly multiplyAdds: number;
}

/** One dispatch of a traced run: what it touched. Return false to stop. */
export type Visit = (
  dispatch: DispatchInfo,
  values: (buffer: BoundBuffer) => Values,
  index: number,
) => boolean;

export interface Executor {
  readonly program: Program;
  readonly seed: number;
  readonly sizes: Sizes;
  /** All that it has allocated for tensors and values. */
  readonly bytes: number;
  /** Names of the entries that can be run. */
  readonly entries: readonly string[];
  /** Where it runs, in words: `CPU, 2 threads`. */
  readonly where: string;
  /** Of a CPU. */
  readonly threads?: number | undefined;
  /** Makes an entry ready to run at the executor's own sizes: what cannot be is refused here. */
  prepare(entry: string): void | Promise<void>;
  /** Runs an entry at the executor's own sizes. On a GPU the inputs must stay as they are until it has answered. */
  run(entry: string, inputs: Inputs, options?: RunOptions): Outputs | Promise<Outputs>;
  /** The same tensors at other sizes. */
  bind(sizes: Sizes): ExecutorBinding;
  /** Changes the executor's own sizes; tensors stay as they are. */
  resize(sizes: Sizes): void;
  tensors(): readonly Tensor[];
  /** A copy of a tensor. */
  read(name: string): Values | Promise<Values>;
  /** Tensors by name, as they are now; on a CPU without copying them, so use them before the next run. */
  snapshot(names: readonly string[]): ReadonlyMap<string, Values> | Promise<ReadonlyMap<string, Values>>;
  write(name: string, values: ArrayLike<number>): void;
  /** Makes a tensor zero. */
  clear(name: string): void;
  /** Writes all tensors that it holds from a checkpoint's; others in it are left out. */
  load(values: ReadonlyMap<string, Values>): void;
  /** Gives every tensor its initial value. The same seed gives the same bits everywhere. */
  initialise(seed?: number): void;
  /** Runs an entry dispatch by dispatch and shows what each one touched. Slow. */
  trace(entry: string, inputs: Inputs, visit: Visit): void | Promise<void>;
  /** Sums since it was opened with `profile`, in order of dispatch. */
  timings(): readonly Timing[];
  dispose(): void;
}
