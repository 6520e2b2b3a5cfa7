// Training an arm. In: its model and a seed. Out: trained tensors, in memory. Everything runs in this process, on one thread, with the
// project's own compiler and runtime. Phases follow each other as in `moe train`, each from what the ones before learned.

import { dirname } from "node:path";
import { phaseNames } from "../compiler/compile.ts";
import { loadModel } from "../compiler/resolve.ts";
import { readSources } from "../cli/start-from.ts";
import { trainingSizes } from "../cli/sessions.ts";
import { savedTensors } from "../runtime/arena-plan.ts";
import { openData } from "../runtime/data/open-node.ts";
import type { Program, Training } from "../runtime/program.ts";
import type { StoredTensor } from "../runtime/safetensors.ts";
import { openSession, type Session, type Values } from "../runtime/session.ts";
import { startValues, type StartSource } from "../runtime/start.ts";
import { train, type TrainOptions } from "../runtime/train.ts";
import { Spending } from "./arithmetic.ts";
import { compileModel, hostOf } from "./compiling.ts";

export interface Trained {
  readonly tensors: ReadonlyMap<string, Values>;
  readonly steps: number;
  /** Multiply-adds of all of it, forward. */
  readonly spent: number;
  readonly seconds: number;
}

export const open = async (
  { program, wasm }: ReturnType<typeof compileModel>,
  seed: number,
  entries: readonly string[],
): Promise<Session> =>
  openSession(program, wasm, { threads: 1, sizes: trainingSizes(program), seed, entries });

export const recipe = (program: Program, seed: number): Training => {
  if (program.training === undefined) throw new Error(`internal: ${program.name} has no \`train\` block`);
  return { ...program.training, seed };
};

type Within = NonNullable<TrainOptions["within"]>;

/** Trains a model. Nothing is saved: a run that is killed begins again. */
export async function trainArm(file: string, model: string, seed: number): Promise<Trained> {
  const phases = phaseNames(loadModel(hostOf(), file), model);
  const compiled = phases.map((phase) => compileModel(file, model, phase));
  const of = compiled.reduce((sum, { program }) => sum + recipe(program, seed).steps, 0);
  let within: Within = { steps: 0, batches: 0, of, seconds: 0 };
  let spent = 0;
  const earlier: StartSource[] = [];
  for (const [i, phase] of phases.entries()) {
    const { tensors, seconds, taken } = await trainPhase(file, compiled[i]!, seed, earlier, within);
    spent += taken;
    earlier.push({ shown: phase ?? "", tensors });
    const { steps, accumulate } = recipe(compiled[i]!.program, seed);
    within = {
      steps: within.steps + steps,
      batches: within.batches + steps * accumulate,
      of,
      seconds,
    };
  }
  const { tensors } = earlier.at(-1)!;
  const values = new Map([...tensors].map(([name, tensor]) => [name, tensor.values]));
  return { tensors: values, steps: within.steps, spent, seconds: within.seconds };
}

/** `earlier`: what the phases before ended with, called by their names. `taken`: the phase's multiply-adds. */
async function trainPhase(
  file: string,
  compiled: ReturnType<typeof compileModel>,
  seed: number,
  earlier: readonly StartSource[],
  within: Within,
): Promise<{
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly seconds: number;
  readonly taken: number;
}> {
  const { program } = compiled;
  const training = recipe(program, seed);
  const base = dirname(file);
  const data = await openData(training, program.modalities, base);
  const session = await open(compiled, seed, ["train", "update"]);
  try {
    if (training.start !== undefined) {
      const ofPhase = (name?: string): StartSource =>
        earlier.findLast(({ shown }) => shown === (name ?? shown))!;
      const sources = readSources(training.start, base, data.tokenizers, ofPhase);
      session.load(startValues(savedTensors(program), training.start, sources, seed).values);
    }
    const spending = new Spending(compiled);
    const { seconds } = await train(session, data, {
      recipe: { evaluateEvery: 0, checkpointEvery: 0, patience: 0 },
      evaluateBatches: 0,
      within,
      onStep: ({ loads }) => spending.add(loads),
    });
    const kept = session.tensors().filter(({ role }) => role === "parameter" || role === "state");
    const tensors = new Map(
      kept.map(({ name, type, shape }): [string, StoredTensor] => [
        name,
        { name, type, shape, values: session.read(name) },
      ]),
    );
    return { tensors, seconds, taken: spending.total };
  } finally {
    session.dispose();
    data.close();
  }
}
