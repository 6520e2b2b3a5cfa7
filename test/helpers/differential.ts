// One program on every back end: the graph interpreter in double precision (before and after simplification), the kernel
// interpreter, wasm in bare memory, and wasm in a session with one and two threads.
// In: the text of a module. Out: the first disagreement fails the test; what the double interpreter found comes back.
// Every entry starts from the same tensors on every back end: errors do not pile up, so tolerances stay tight.
// Does not decide what is right: the graph before simplification, interpreted in double, does.

import { expect } from "vitest";
import { compile, type Compiled, type CompileRequest } from "../../compiler/compile.ts";
import { interpretGraph, type Environment, type Value } from "../../compiler/interpret-graph.ts";
import type { Entry } from "../../runtime/program.ts";
import { threefry, uniform } from "../../runtime/random.ts";
import { openSession, type Session } from "../../runtime/session.ts";
import { evaluate, type Sizes } from "../../runtime/size.ts";
import { hostOf } from "./elaborate.ts";
import { runEntry, type Target } from "./lowered.ts";

export type Numbers = ReadonlyMap<string, Float64Array>;

/** Largest difference allowed, as a share of the largest number of a tensor, in f32 on every back end. */
export const f32Tolerance = 3e-5;
/** The same graph in double, before and after rewriting. */
export const doubleTolerance = 1e-9;

export function compileText(text: string, options: Partial<CompileRequest> = {}): Compiled {
  const { compiled, diagnostics } = compile({
    host: hostOf({ "main.moe": text }),
    path: "main.moe",
    verify: true,
    ...options,
  });
  const told = diagnostics.map(
    ({ code, message, at }) => `${code} at ${text.slice(at.span.start, at.span.end)}: ${message}`,
  );
  if (compiled === undefined || told.length > 0) expect.fail(`does not compile:\n${told.join("\n")}`);
  return compiled;
}

/** Numbers in [-1, 1) that are f32, and the same in every run. */
export const signedNumbers = (seed: number, length: number): Float64Array =>
  Float64Array.from({ length }, (_, i) => Math.fround(2 * uniform(threefry(seed, 23, i, 5)[0]) - 1));

const hash = (text: string): number =>
  [...text].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) | 0, 7);
const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Values for every tensor of the program: noise for parameters, the initial value plus a little for states. */
export function tensorsFor(
  { program }: Pick<Compiled, "program">,
  seed = 1,
  given: Readonly<Record<string, readonly number[]>> = {},
): Map<string, Float64Array> {
  return new Map(
    program.tensors.map(({ name, shape, role, init }) => {
      const values = given[name];
      if (values !== undefined) {
        if (values.length !== count(shape))
          throw new Error(`internal: ${name} has shape [${shape.join(", ")}], ${values.length} values given`);
        return [name, Float64Array.from(values, Math.fround)];
      }
      const noise = signedNumbers(seed * 7919 + hash(name), count(shape));
      const start = init.kind === "constant" ? init.value : 0;
      const random = role === "parameter" || (role === "state" && !name.startsWith("cache"));
      return [
        name,
        random
          ? noise.map((x) => Math.fround(start + x * (role === "parameter" ? 0.7 : 0.1)))
          : noise.fill(start),
      ];
    }),
  );
}

/** Inputs of an entry: ids below the modality's count, numbers elsewhere; `given` ones as they are. */
export function inputsFor(
  { program }: Pick<Compiled, "program">,
  entry: Entry,
  sizes: Sizes,
  seed = 1,
  given: Readonly<Record<string, readonly number[]>> = {},
): Map<string, Float64Array> {
  return new Map(
    entry.inputs.map((port): [string, Float64Array] => {
      const { name, type, shape } = port;
      const values = given[name];
      const length = count(shape.map((size) => evaluate(size, sizes)));
      // Decoding takes one sequence: the first.
      if (values !== undefined && values.length >= length)
        return [name, Float64Array.from(values.slice(0, length))];
      if (values !== undefined)
        throw new Error(`internal: ${entry.name} takes ${length} values of ${name}, ${values.length} given`);
      if (name.startsWith("$")) return [name, Float64Array.of({ $seed: 11, $draw: 3, $step: 2 }[name] ?? 0)];
      const modality = program.modalities.find(({ ports }) => ports.includes(name));
      const noise = signedNumbers(seed * 31 + hash(name), length);
      if (type === "i32") return [name, noise.map((x) => Math.floor(((x + 1) / 2) * (modality?.count ?? 2)))];
      return [name, modality?.kind === "image" ? noise.map((x) => Math.abs(x)) : noise];
    }),
  );
}

export const defaultSizes = ({ program }: Pick<Compiled, "program">, given: Sizes = {}): Sizes => ({
  ...Object.fromEntries(program.sizes.map(({ name, default: value }) => [name, value])),
  ...given,
});

/** Fails unless equal within a share of the largest number; infinities and NaN in the same places; integers exactly. */
export function expectAlike(
  actual: ArrayLike<number>,
  wanted: ArrayLike<number>,
  what: string,
  tolerance: number,
  slack?: ArrayLike<number>,
): void {
  if (actual.length !== wanted.length)
    expect.fail(`${what} has ${actual.length} elements, wanted ${wanted.length}`);
  // What cancels to nothing leaves a last digit of its terms.
  let largest = 3e-3;
  for (let i = 0; i < wanted.length; i++)
    if (Number.isFinite(wanted[i]!)) largest = Math.max(largest, Math.abs(wanted[i]!));
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [actual[i]!, wanted[i]!];
    if (Object.is(a, b) || a === b || Math.abs(a - b) <= tolerance * largest + (slack?.[i] ?? 0)) continue;
    expect.fail(`${what}[${i}] is ${a}, wanted ${b} (within ${tolerance * largest + (slack?.[i] ?? 0)})`);
  }
}

export interface DifferentialOptions {
  readonly sizes?: Sizes;
  readonly seed?: number;
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
  readonly tensors?: Readonly<Record<string, readonly number[]>>;
  /** Only these; all when not given. */
  readonly entries?: readonly string[];
  /** Optimiser steps; the second sees states that are not zero. */
  readonly steps?: number;
  /** Threads of the sessions, one when not given; an empty list: no sessions. */
  readonly threads?: readonly number[];
  /** Where kernels run by themselves, in memory that starts as NaN; both when not given. */
  readonly targets?: readonly Target[];
  readonly tolerance?: number;
  /** Widens the tolerance where the program itself magnifies: by how far results move when tensors move by one f32 step. A
   * program whose picks move too is nearly tied, and is left out. */
  readonly conditioned?: boolean;
}

export interface EntryRun {
  readonly environment: Environment;
  readonly outputs: ReadonlyMap<string, Value>;
  readonly updates: ReadonlyMap<string, Value>;
}
export type Differential = ReadonlyMap<string, EntryRun>;

/** Entries in the order in which they are run: training last, because it changes tensors. */
const order = ["forward", "evaluate", "decode", "train", "update"];

/** Runs everything everywhere. Undefined when `conditioned` and nearly tied. */
export async function expectDifferential(
  compiled: Compiled,
  options: DifferentialOptions = {},
): Promise<Differential | undefined> {
  const sizes = defaultSizes(compiled, options.sizes);
  const threads = options.threads ?? [1];
  const sessions: Session[] = [];
  for (const each of threads)
    sessions.push(
      await openSession(compiled.program, compiled.wasm, { threads: each, sizes, initialise: false }),
    );
  try {
    return runAll(compiled, sizes, sessions, options);
  } finally {
    for (const session of sessions) session.dispose();
  }
}

function runAll(
  compiled: Compiled,
  sizes: Sizes,
  sessions: readonly Session[],
  options: DifferentialOptions,
): Differential | undefined {
  const tensors = tensorsFor(compiled, options.seed, options.tensors);
  const runs = new Map<string, EntryRun>();
  const wanted = options.entries ?? Object.keys(compiled.program.entries);
  const names = [...wanted].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  const once = (name: string, step: number): boolean => {
    const entry = compiled.program.entries[name]!;
    const given = { ...options.inputs, $step: [step], $draw: [step] };
    const inputs = inputsFor(compiled, entry, sizes, (options.seed ?? 1) + step, given);
    const run = runEverywhere(
      compiled,
      name,
      { sizes, inputs, tensors: new Map(tensors) },
      sessions,
      options,
    );
    if (run === undefined) return false;
    const key = step === 0 ? name : `${name} ${step}`;
    if (!runs.has(key)) runs.set(key, run);
    // The next entry starts everywhere from the same f32 numbers.
    if (name === "train" || name === "update")
      for (const [tensor, { data }] of run.updates) tensors.set(tensor, data.map(Math.fround));
    return true;
  };
  for (const name of names.filter((each) => each !== "train" && each !== "update"))
    if (!once(name, 0)) return undefined;
  const { training } = compiled.program;
  if (training !== undefined && wanted.includes("train"))
    for (let step = 0; step < (options.steps ?? 2); step++) {
      for (let micro = 0; micro < training.accumulate; micro++) if (!once("train", step)) return undefined;
      if (wanted.includes("update") && !once("update", step)) return undefined;
    }
  return runs;
}

function runEverywhere(
  compiled: Compiled,
  name: string,
  environment: Environment,
  sessions: readonly Session[],
  options: DifferentialOptions,
): EntryRun | undefined {
  const tolerance = options.tolerance ?? f32Tolerance;
  const wanted = interpretGraph(compiled.drafts[name]!, environment);
  let slack: ReadonlyMap<string, Float64Array> | undefined;
  if (options.conditioned === true) {
    slack = movement(compiled, name, environment, wanted);
    if (slack === undefined) return undefined;
  }
  const compare = (
    results: {
      readonly outputs: ReadonlyMap<string, ArrayLike<number>>;
      readonly updates: ReadonlyMap<string, ArrayLike<number>>;
    },
    who: string,
    within: number,
  ): void => {
    for (const kind of ["outputs", "updates"] as const)
      for (const [key, { data }] of wanted[kind]) {
        // A tensor that no kernel writes keeps its value: its update is the tensor itself.
        const actual =
          results[kind].get(key) ?? (kind === "updates" ? environment.tensors.get(key) : undefined);
        if (actual === undefined) expect.fail(`${who}: ${name} gives no ${key}`);
        expectAlike(actual, data, `${who}: ${name} ${key}`, within, slack?.get(key));
      }
  };
  const plain = (values: ReadonlyMap<string, Value>): Map<string, Float64Array> =>
    new Map([...values].map(([key, { data }]) => [key, data]));
  const simple = interpretGraph(compiled.graphs[name]!, environment);
  compare({ outputs: plain(simple.outputs), updates: plain(simple.updates) }, "simplified", doubleTolerance);
  const lowered = compiled.lowered.find((entry) => entry.name === name)!;
  for (const target of options.targets ?? (["interpreter", "wasm"] as const)) {
    const { outputs, tensors } = runEntry(lowered, environment, target);
    compare({ outputs, updates: tensors }, target === "wasm" ? "wasm" : "kernels", tolerance);
  }
  const bits: {
    readonly outputs: ReadonlyMap<string, ArrayLike<number>>;
    readonly updates: ReadonlyMap<string, ArrayLike<number>>;
  }[] = [];
  for (const session of sessions) {
    for (const [tensor, values] of environment.tensors) session.write(tensor, values);
    const outputs = session.run(
      name,
      Object.fromEntries([...environment.inputs].map(([key, values]) => [key, Array.from(values)])),
    );
    const updates = new Map([...wanted.updates.keys()].map((tensor) => [tensor, session.read(tensor)]));
    const results = { outputs: new Map(Object.entries(outputs)), updates };
    compare(results, `session of ${session.threads}`, tolerance);
    bits.push(results);
  }
  for (const other of bits.slice(1))
    for (const kind of ["outputs", "updates"] as const)
      for (const [key, values] of bits[0]![kind])
        expect(other[kind].get(key), `${name} ${key} on more threads`).toEqual(values);
  return { environment, ...wanted };
}

/** How far every result moves when tensors and inputs move by about one f32 rounding, times a factor; undefined when an integer moves. */
function movement(
  compiled: Compiled,
  name: string,
  environment: Environment,
  wanted: { readonly outputs: ReadonlyMap<string, Value>; readonly updates: ReadonlyMap<string, Value> },
): ReadonlyMap<string, Float64Array> | undefined {
  const graph = compiled.drafts[name]!;
  const integers = new Set(
    graph.outputs.filter(({ node }) => node.dtype !== "f32").map((output) => output.name),
  );
  const slack = new Map<string, Float64Array>();
  for (const seed of [1]) {
    let salt = seed;
    const moved = new Map(
      [...environment.tensors].map(([key, values]) => {
        const noise = signedNumbers(salt++, values.length);
        return [key, Float64Array.from(values, (x, i) => x * (1 + 1e-6 * noise[i]!))];
      }),
    );
    const result = interpretGraph(graph, { ...environment, tensors: moved });
    for (const kind of ["outputs", "updates"] as const)
      for (const [key, { data }] of wanted[kind]) {
        const other = result[kind].get(key)!.data;
        const mine = slack.get(key) ?? new Float64Array(data.length);
        let most = 0;
        data.forEach((x, i) => (most = Math.max(most, Object.is(x, other[i]) ? 0 : Math.abs(x - other[i]!))));
        if ((integers.has(key) || key.startsWith("load.")) && most > 0) return undefined;
        if (!Number.isFinite(most)) return undefined;
        slack.set(
          key,
          mine.map((x) => Math.max(x, 20 * most)),
        );
      }
  }
  return slack;
}

/** The carried gradients of `train` against central differences of its loss in a random direction of all trained tensors. */
export function expectGradients(compiled: Compiled, run: EntryRun, what = "gradient"): void {
  const graph = compiled.drafts["train"]!;
  const gradients = [...run.updates].flatMap(([name, { data }]) =>
    name.startsWith("gradient.") ? [[name.slice(9), data] as const] : [],
  );
  expect(gradients.length, "trained tensors").toBeGreaterThan(0);
  for (const seed of [1, 2]) {
    const directions = new Map(
      gradients.map(([name, data]) => [name, signedNumbers(hash(name) + seed, data.length)]),
    );
    const lossAt = (by: number): number => {
      const tensors = new Map(run.environment.tensors);
      for (const [name, direction] of directions)
        tensors.set(
          name,
          Float64Array.from(run.environment.tensors.get(name)!, (x, i) => x + by * direction[i]!),
        );
      return interpretGraph(
        { ...graph, outputs: graph.outputs.filter(({ name }) => name === "loss"), updates: [] },
        { ...run.environment, tensors },
      ).outputs.get("loss")!.data[0]!;
    };
    const step = 1e-6;
    const expected = (lossAt(step) - lossAt(-step)) / (2 * step);
    let actual = 0;
    let size = 0;
    for (const [name, data] of gradients)
      data.forEach((x, i) => {
        actual += x * directions.get(name)![i]!;
        size += Math.abs(x * directions.get(name)![i]!);
      });
    expect(Math.abs(actual - expected), `${what}: ${actual}, by differences ${expected}`).toBeLessThanOrEqual(
      1e-6 * Math.max(1, size),
    );
  }
}
