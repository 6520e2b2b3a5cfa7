// Programs kernel by kernel: what each kernel of an entry does, by the kernel interpreter, for a device to be compared with. In: a planned
// program, its sizes. Out: every launch with its memory before and after it; or the first disagreement with the graph interpreter,
// which fails. Entries run in order from the same tensors, so `update` finds the gradients of `train`, and copies of half width
// follow their parameters.
// A device that is given each launch's memory computes from the same numbers, so that nothing piles up: tolerances stay those of one kernel.

import { expect } from "vitest";
import type { PlannedModel } from "../../compiler/compile.ts";
import { interpretGraph, type Environment, type Value } from "../../compiler/interpret-graph.ts";
import { runKernel } from "../../compiler/interpret-kernel.ts";
import type { Kernel } from "../../compiler/kernel.ts";
import type { LoweredEntry } from "../../compiler/lowered.ts";
import { verifyKernel } from "../../compiler/verify-kernel.ts";
import type { Sizes } from "../../runtime/size.ts";
import { defaultSizes, expectAlike, inputsFor, tensorsFor } from "./differential.ts";
import { allocate } from "./lowered.ts";
import { withCopies } from "./narrowed.ts";

type Data = Float32Array | Int32Array;
export type Memory = Map<string, Data>;

export interface Launch {
  readonly kernel: Kernel;
  readonly sizes: Sizes;
  /** Of all that the kernel binds, by the kernel's names. Half width is given as f32. */
  readonly before: Memory;
  readonly after: Memory;
  /** `train: gradient of w`. */
  readonly what: string;
}

export interface LaunchOptions {
  readonly sizes?: Sizes;
  readonly seed?: number;
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  readonly entries?: readonly string[];
  /** Of entries against the graph interpreter; not compared when not given. */
  readonly tolerance?: number;
  /** Memory is kept of these only; default: of all. */
  readonly wanted?: (kernel: Kernel) => boolean;
}

const order = ["forward", "evaluate", "decode", "train", "update"];

export function launchesOf(planned: PlannedModel, options: LaunchOptions = {}): readonly Launch[] {
  const { program } = planned;
  const sizes = defaultSizes(planned, options.sizes);
  let tensors: ReadonlyMap<string, ArrayLike<number>> = tensorsFor(planned, options.seed);
  const entries = planned.lowered
    .filter(({ name }) => options.entries?.includes(name) !== false)
    .toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  return entries.flatMap((entry) => {
    const inputs = inputsFor(planned, program.entries[entry.name]!, sizes, options.seed, options.inputs);
    const environment = withCopies({ sizes, inputs, tensors }, program.copies);
    const { launches, results } = interpreted(entry, environment, options.wanted);
    const { outputs, updates } = interpretGraph(planned.graphs[entry.name]!, environment);
    const compare = (kind: "output" | "tensor", values: ReadonlyMap<string, Value>): void => {
      if (options.tolerance === undefined) return;
      for (const [name, { data }] of values) {
        const found = results.get(`${kind} ${name}`) ?? environment.tensors.get(name)!;
        expectAlike(found, data, `${entry.name} ${name}, by the kernel interpreter`, options.tolerance);
      }
    };
    compare("output", outputs);
    compare("tensor", updates);
    tensors = new Map([
      ...tensors,
      ...[...updates].map(([name, { data }]) => [name, data.map(Math.fround)] as const),
    ]);
    return launches;
  });
}

function interpreted(
  entry: LoweredEntry,
  environment: Environment,
  wanted: (kernel: Kernel) => boolean = () => true,
): { readonly launches: readonly Launch[]; readonly results: ReadonlyMap<string, Data> } {
  const memory = allocate(entry, environment);
  const launches = entry.dispatches.flatMap(({ kernel, buffers, launch, label }): Launch[] => {
    verifyKernel(kernel);
    const bound: Memory = new Map(kernel.buffers.map(({ name }, at) => [name, memory.get(buffers[at]!)!]));
    const sizes = { ...environment.sizes, ...launch };
    const before = wanted(kernel) ? copied(bound) : undefined;
    runKernel(kernel, bound, sizes);
    if (before === undefined) return [];
    return [{ kernel, sizes, before, after: copied(bound), what: `${entry.name}: ${label}` }];
  });
  const results = new Map(
    [...memory].flatMap(([buffer, data]) =>
      buffer.kind === "temporary" || ("part" in buffer && buffer.part !== undefined)
        ? []
        : [[`${buffer.kind} ${buffer.name}`, data] as const],
    ),
  );
  return { launches, results };
}

export const copied = (memory: Memory): Memory =>
  new Map([...memory].map(([name, data]) => [name, data.slice()]));

/** What a device left of a launch: whole numbers are equal, others within a share of the largest; nothing else is touched. */
export function expectLaunch({ kernel, after, what }: Launch, left: Memory, tolerance: number): void {
  for (const { name, access } of kernel.buffers) {
    const [actual, wanted] = [left.get(name)!, after.get(name)!];
    if (access === "read" || wanted instanceof Int32Array)
      expect(actual, `${what}: ${name} of ${kernel.name}`).toEqual(wanted);
    else expectAlike(actual, wanted, `${what}: ${name} of ${kernel.name}`, tolerance);
  }
}
