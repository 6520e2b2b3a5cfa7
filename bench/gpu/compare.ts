// One case on the CPU and on a GPU. In: the program for both, and the case. Out: what does not agree, and where; undefined when all does.
// Every entry starts from the same tensors on both; each runs twice on the GPU and must give the same bits.

import type { Executor } from "../../runtime/executor.ts";
import { threefry, uniform } from "../../runtime/random.ts";
import type { Tensor } from "../../runtime/program.ts";
import type { Inputs, Outputs, Values } from "../../runtime/session-values.ts";
import { evaluate } from "../../runtime/size.ts";
import { learnerBatch } from "../../test/helpers/device-texts.ts";
import type { Case } from "./manifest.ts";

export type Open = (where: "cpu" | "gpu") => Promise<Executor>;

export interface Disagreement {
  readonly text: string;
  /** Whose port or tensor `name` is wrong. */
  readonly entry: string;
  readonly name: string;
}

export async function disagreement(tested: Case, open: Open): Promise<Disagreement | undefined> {
  return tested.kind === "alike" ? entriesDiffer(tested, open) : curvesDiffer(tested, open);
}

/** Numbers in [-1, 1), the same in every run. */
export const noise = (seed: number, length: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => 2 * uniform(threefry(seed, 23, i, 5)[0]) - 1);

const hash = (text: string): number =>
  [...text].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) | 0, 7);

/** Parameters are noise, states what they begin with and a little more. */
export function noisy({ name, role, shape, init }: Tensor): Float32Array {
  const length = shape.reduce((a, b) => a * b, 1);
  const start = init.kind === "constant" ? init.value : 0;
  if (role === "parameter") return noise(hash(name), length).map((x) => start + 0.7 * x);
  if (role === "state" && !name.startsWith("cache"))
    return noise(hash(name), length).map((x) => start + 0.1 * x);
  return new Float32Array(length).fill(start);
}

/** Ids below the modality's count, numbers elsewhere; what the case gives as it is. */
export function inputsOf(
  { program, sizes }: Pick<Executor, "program" | "sizes">,
  entry: string,
  given: Case["inputs"] = {},
): Inputs {
  const inputs: Record<string, number[]> = {};
  for (const { name, type, shape } of program.entries[entry]!.inputs) {
    const length = shape.reduce((product, size) => product * evaluate(size, sizes), 1);
    const modality = program.modalities.find(({ ports }) => ports.includes(name));
    if (given[name] !== undefined) inputs[name] = given[name].slice(0, length).map(Number);
    else if (name.startsWith("$")) inputs[name] = [{ $seed: 11, $draw: 3, $step: 2 }[name] ?? 0];
    else if (type === "i32")
      inputs[name] = Array.from(noise(hash(name), length), (x) =>
        Math.floor(((x + 1) / 2) * (modality?.count ?? 2)),
      );
    else
      inputs[name] = Array.from(noise(hash(name), length), (x) =>
        modality?.kind === "image" ? Math.abs(x) : x,
      );
  }
  return inputs;
}

const order = ["forward", "evaluate", "decode", "train", "update"];
/** Those of a case. Update comes after train: it finds gradients to work with. */
export const entriesOf = (tested: Case, all: readonly string[]): readonly string[] =>
  all
    .filter((name) => tested.entries?.includes(name) !== false)
    .sort((a, b) => order.indexOf(a) - order.indexOf(b));

async function entriesDiffer(tested: Case, open: Open): Promise<Disagreement | undefined> {
  const cpu = await open("cpu");
  const gpu = await open("gpu");
  try {
    if (tested.start === "noise") for (const tensor of cpu.tensors()) cpu.write(tensor.name, noisy(tensor));
    const names = cpu.tensors().map(({ name }) => name);
    const fill = (from: ReadonlyMap<string, Values>): void => {
      for (const name of names) gpu.write(name, from.get(name)!);
    };
    for (const entry of entriesOf(tested, cpu.entries)) {
      const before = new Map<string, Values>();
      for (const name of names) before.set(name, (await cpu.read(name)).slice());
      const inputs = inputsOf(cpu, entry, tested.inputs);
      const wanted = await cpu.run(entry, inputs);
      fill(before);
      const found = await gpu.run(entry, inputs);
      const tensors = await snapshot(gpu, names);
      for (const [port, values] of Object.entries(wanted)) {
        const told = difference(found[port]!, values, tested.tolerance);
        if (told !== undefined) return { text: `${entry}: ${port}${told}`, entry, name: port };
      }
      for (const name of names) {
        const told = difference(tensors.get(name)!, await cpu.read(name), tested.tolerance);
        if (told !== undefined) return { text: `${entry}: the tensor ${name}${told}`, entry, name };
      }
      fill(before);
      const told =
        moved(found, await gpu.run(entry, inputs)) ??
        moved(Object.fromEntries(tensors), Object.fromEntries(await snapshot(gpu, names)));
      if (told !== undefined) return { ...told, entry, text: `${entry}: ${told.text}` };
    }
    return undefined;
  } finally {
    cpu.dispose();
    gpu.dispose();
  }
}

async function snapshot(session: Executor, names: readonly string[]): Promise<Map<string, Values>> {
  const all = new Map<string, Values>();
  for (const name of names) all.set(name, (await session.read(name)).slice());
  return all;
}

/** A difference of bits between two runs. */
function moved(one: Outputs, other: Outputs): Omit<Disagreement, "entry"> | undefined {
  for (const [name, values] of Object.entries(one)) {
    const [a, b] = [values, other[name]!].map((of) => new Uint32Array(of.buffer, of.byteOffset, of.length));
    const at = a!.findIndex((bits, i) => bits !== b![i]);
    if (at >= 0) {
      const text = `${name}[${at}] is ${values[at]}, and ${other[name]![at]} when it runs again`;
      return { name, text };
    }
  }
  return undefined;
}

/** Infinities and NaN must stand in the same places. `where` what is wanted was computed. */
export function difference(
  actual: ArrayLike<number>,
  wanted: ArrayLike<number>,
  tolerance: number,
  where = "on the CPU",
): string | undefined {
  if (actual.length !== wanted.length) return ` has ${actual.length} elements, and ${wanted.length} ${where}`;
  let largest = 1e-3;
  for (let i = 0; i < wanted.length; i++)
    if (Number.isFinite(wanted[i])) largest = Math.max(largest, Math.abs(wanted[i]!));
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [actual[i]!, wanted[i]!];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= tolerance * largest) continue;
    return `[${i}] is ${a}, and ${b} ${where} (within ${(tolerance * largest).toPrecision(2)})`;
  }
  return undefined;
}

async function losses(session: Executor): Promise<number[]> {
  const ports = new Map(
    ["train", "update"].map((entry) => [
      entry,
      new Set(session.program.entries[entry]!.inputs.map(({ name }) => name)),
    ]),
  );
  const only = (entry: string, inputs: Record<string, number | number[]>): Inputs =>
    Object.fromEntries(Object.entries(inputs).filter(([name]) => ports.get(entry)!.has(name)));
  const all: number[] = [];
  try {
    for (let step = 0; step < session.program.training!.steps; step++) {
      const { text, next } = learnerBatch(step);
      const inputs = { text, "text.next": next, $step: step };
      const { loss } = await session.run("train", only("train", inputs), { outputs: ["loss"] });
      await session.run("update", only("update", { $step: step }), { outputs: [] });
      all.push(loss![0]!);
    }
  } finally {
    session.dispose();
  }
  return all;
}

async function curvesDiffer({ tolerance }: Case, open: Open): Promise<Disagreement | undefined> {
  const wanted = await losses(await open("cpu"));
  const found = await losses(await open("gpu"));
  const again = await losses(await open("gpu"));
  const told = (text: string): Disagreement => ({ text, entry: "train", name: "loss" });
  for (const [step, loss] of found.entries()) {
    if (!(Math.abs(loss - wanted[step]!) <= tolerance * wanted[step]!))
      return told(`the loss of step ${step} is ${loss}, and ${wanted[step]} on the CPU`);
    if (loss !== again[step])
      return told(`the loss of step ${step} is ${loss}, and ${again[step]} when it runs again`);
  }
  if (found.at(-1)! >= 0.75 * found[0]!)
    return told(`nothing was learned: ${found[0]} became ${found.at(-1)}`);
  return undefined;
}
