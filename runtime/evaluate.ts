// Evaluation: means of the metrics over held-out batches. In: a session opened with `evaluate`, and batches. Out: numbers;
// the session's tensors are not changed. Whoever wants more than means (which expert saw which token) looks at each
// batch through `visit`.

import type { Batch, Batches } from "./data/data.ts";
import type { Executor } from "./executor.ts";
import type { Loads, Numbers } from "./metrics.ts";
import type { Entry, Program } from "./program.ts";
import type { Inputs, Outputs } from "./session-values.ts";

export interface EvaluateOptions {
  /** At most so many batches, from the first on; default all. */
  readonly limit?: number;
  /** Optimiser steps done, for what depends on the step. */
  readonly step?: number;
  /** Sees each batch and all outputs of it, as views that the next batch overwrites. */
  readonly visit?: (batch: Batch, outputs: Outputs, index: number) => void;
  /** After each batch: how many are done of how many, and the means so far. */
  readonly onBatch?: (done: number, of: number, metrics: Numbers) => void;
}

export interface Evaluation {
  readonly metrics: Numbers;
  readonly loads: Loads;
  readonly batches: number;
}

/** Undefined when there are no batches. */
export async function evaluate(
  session: Executor,
  held: Batches,
  options: EvaluateOptions = {},
): Promise<Evaluation | undefined> {
  const batches = Math.min(held.batches, options.limit ?? Infinity);
  if (batches === 0) return undefined;
  const entry = session.program.entries["evaluate"];
  const sums = new Sums(session.program, scalarsOf(entry));
  // Who looks on sees everything; else only what is summed has to come back from a GPU.
  const wanted = options.visit === undefined ? { outputs: sums.ports } : {};
  for (let index = 0; index < batches; index++) {
    const batch = held.batch(index);
    const scalars = { $step: options.step ?? 0, $draw: index, $seed: session.seed };
    const outputs = await session.run("evaluate", inputsOf(entry, batch, scalars), {
      views: true,
      ...wanted,
    });
    sums.add(outputs);
    options.visit?.(batch, outputs, index);
    options.onBatch?.(index + 1, batches, sums.means());
  }
  return { metrics: sums.means(), loads: sums.loads(), batches };
}

/** Of what is at hand, what the entry takes. */
export function inputsOf(
  entry: Entry | undefined,
  batch: Batch,
  scalars: Readonly<Record<string, number>>,
): Inputs {
  const inputs: Record<string, number | ArrayLike<number>> = {};
  for (const { name } of entry?.inputs ?? []) {
    const given = batch[name] ?? scalars[name];
    if (given !== undefined) inputs[name] = given;
  }
  return inputs;
}

/** Metrics of an entry: a metric may be one of inference alone, of which the recipe does not know. */
const scalarsOf = (entry: Entry | undefined): readonly string[] =>
  (entry?.outputs ?? []).filter(({ shape }) => shape.length === 0).map(({ name }) => name);

/** Adds up the metrics and loads of several runs. In double precision: a mean over many batches loses nothing. */
export class Sums {
  readonly #program: Program;
  readonly #names: readonly string[];
  readonly #metrics = new Map<string, number>();
  readonly #loads = new Map<string, number[]>();
  #runs = 0;

  /** `more`: metrics besides those of the recipe. */
  constructor(program: Program, more: readonly string[] = []) {
    this.#program = program;
    this.#names = [...new Set([...(program.training?.metrics ?? ["loss"]), ...more])];
  }

  /** The outputs that are added up. */
  get ports(): readonly string[] {
    return [...this.#names, ...this.#program.routers.map(({ load }) => load)];
  }

  add(outputs: Outputs): void {
    this.#runs++;
    for (const name of this.#names) {
      const value = outputs[name];
      if (value?.length === 1) this.#metrics.set(name, (this.#metrics.get(name) ?? 0) + value[0]!);
    }
    for (const { name, load } of this.#program.routers) {
      const counts = outputs[load];
      if (counts === undefined) continue;
      const before = this.#loads.get(name);
      this.#loads.set(
        name,
        Array.from(counts, (count, expert) => count + (before?.[expert] ?? 0)),
      );
    }
  }

  means(): Numbers {
    return Object.fromEntries([...this.#metrics].map(([name, sum]) => [name, sum / this.#runs]));
  }

  loads(): Loads {
    return Object.fromEntries(this.#loads);
  }
}
