// Measuring an arm: a model is trained with one seed and looked at on all held-out data. In: an arm's models and a seed. Out: plain
// numbers. Everything runs in this process, on one thread, with the project's own compiler and runtime.

import { dirname } from "node:path";
import { costOf } from "../cli/cost.ts";
import { countParameters, expertTensors } from "../cli/report/parameters.ts";
import { nullShare, violation } from "../cli/report/measure.ts";
import { trainingSizes } from "../cli/sessions.ts";
import { withDefaults } from "../runtime/arena-plan.ts";
import type { Data } from "../runtime/data/data.ts";
import { openData } from "../runtime/data/open-node.ts";
import { evaluate } from "../runtime/evaluate.ts";
import type { Loads, Numbers } from "../runtime/metrics.ts";
import type { Program, RouterInfo, Tensor, Training } from "../runtime/program.ts";
import { openSession, type Session, type Values } from "../runtime/session.ts";
import { train } from "../runtime/train.ts";
import { compileModel } from "./compiling.ts";
import type { Measure } from "./claim.ts";

export interface Measured {
  /** Losses with a name and metrics: means over held-out batches. */
  readonly metrics: Numbers;
  readonly violation: number;
  readonly nulls: number;
  readonly calls: number;
  readonly arithmetic: number;
  readonly parameters: number;
  readonly steps: number;
  /** Of training, in this process. What else the machine does is in it. */
  readonly seconds: number;
}

export interface Trained {
  readonly tensors: ReadonlyMap<string, Values>;
  readonly steps: number;
  readonly seconds: number;
}

const open = async (
  { program, wasm }: ReturnType<typeof compileModel>,
  seed: number,
  entries: readonly string[],
): Promise<Session> =>
  openSession(program, wasm, { threads: 1, sizes: trainingSizes(program), seed, entries });

const recipe = (program: Program, seed: number): Training => {
  if (program.training === undefined) throw new Error(`internal: ${program.name} has no \`train\` block`);
  return { ...program.training, seed };
};

/** Trains a model. Nothing is saved: a run that is killed begins again. */
export async function trainArm(file: string, model: string, seed: number): Promise<Trained> {
  const compiled = compileModel(file, model);
  const { program } = compiled;
  const data = await openData(recipe(program, seed), program.modalities, dirname(file));
  const session = await open(compiled, seed, ["train", "update"]);
  try {
    const { step, seconds } = await train(session, data, {
      recipe: { evaluateEvery: 0, checkpointEvery: 0, patience: 0 },
      evaluateBatches: 0,
    });
    const kept = session.tensors().filter(({ role }) => role === "parameter" || role === "state");
    const tensors = new Map(kept.map(({ name }) => [name, session.read(name)]));
    return { tensors, steps: step, seconds };
  } finally {
    session.dispose();
    data.close();
  }
}

/** Measures a model with trained tensors: its own, or those of another model that has all that it needs. */
export async function measureArm(
  file: string,
  model: string,
  seed: number,
  { tensors, steps, seconds }: Trained,
): Promise<Measured> {
  const compiled = compileModel(file, model);
  const { program } = compiled;
  const training = recipe(program, seed);
  const data = await openData(training, program.modalities, dirname(file));
  const session = await open(compiled, seed, ["evaluate"]);
  try {
    for (const { name, role } of session.tensors())
      if (role !== "optimiser" && role !== "carry" && !tensors.has(name))
        throw new Error(`internal: ${model} needs the tensor ${name}, which was not trained`);
    session.load(tensors);
    const { metrics, loads, rows } = await look(session, data, training.steps);
    const { routers } = program;
    const mean = (of: (router: RouterInfo) => number): number =>
      routers.length === 0 ? 0 : routers.reduce((sum, router) => sum + of(router), 0) / routers.length;
    return {
      metrics,
      violation: mean(({ name, experts }) => violation(loads[name]!, experts)),
      nulls: mean(({ name, experts }) => nullShare(loads[name]!, experts)),
      calls: routers.reduce((sum, router) => sum + trueCalls(router, loads) / rows.tokens, 0),
      arithmetic: arithmetic(program, loads, rows.tokens),
      parameters: countParameters(program, ({ width }) => width).total,
      steps,
      seconds,
    };
  } finally {
    session.dispose();
    data.close();
  }
}

const trueCalls = ({ name, experts }: RouterInfo, loads: Loads): number =>
  loads[name]!.slice(0, experts).reduce((sum, load) => sum + load, 0);

async function look(
  session: Session,
  data: Data,
  step: number,
): Promise<{ readonly metrics: Numbers; readonly loads: Loads; readonly rows: { readonly tokens: number } }> {
  const found = await evaluate(session, data.held, { step });
  if (found === undefined) throw new Error("internal: nothing is held out");
  return {
    metrics: found.metrics,
    loads: found.loads,
    rows: { tokens: found.batches * tokensOf(session.program) },
  };
}

/** Tokens of a batch of the recipe, or examples where there are no tokens. */
const tokensOf = ({ training }: Program): number => training!.batch * (training!.length ?? 1);

/**
 * Multiply-adds for a token, forward. The planner counts routed experts at the most rows that a routing can make; here those
 * contractions are left out and put back with the rows that were there: each row meets every element of its expert's matrices once.
 */
export function arithmetic(program: Program, loads: Loads, tokens: number): number {
  const sizes = { ...withDefaults(program), ...trainingSizes(program) };
  const routed = new Set<string>();
  let called = 0;
  for (const router of program.routers) {
    let from = 0;
    for (const { count, matrices } of expertParts(program, router)) {
      const load = loads[router.name]!.slice(from, from + count).reduce((sum, each) => sum + each, 0);
      for (const { name, shape } of matrices) {
        routed.add(name);
        called += (load / tokens) * shape.slice(1).reduce((product, size) => product * size, 1);
      }
      from += count;
    }
  }
  const { forward } = program.entries;
  const others = forward!.dispatches.filter(
    ({ buffers }) => !buffers.some((buffer) => buffer.kind === "tensor" && routed.has(buffer.name)),
  );
  const rest: Program = { ...program, entries: { forward: { ...forward!, dispatches: others } } };
  return costOf(rest, "forward", sizes).multiplyAdds / tokensOf(program) + called;
}

/** Experts of one kind lie together; kinds stand in the order of the pool. */
function expertParts(
  program: Program,
  router: RouterInfo,
): readonly { readonly count: number; readonly matrices: readonly Tensor[] }[] {
  const parts = new Map<string, Tensor[]>();
  for (const tensor of expertTensors(program, router)) {
    const part = /^(.*?\b(?:routed|pool)(?:\.\d+)?)(?=\.|$)/.exec(tensor.name)?.[1] ?? "";
    parts.set(part, [...(parts.get(part) ?? []), tensor]);
  }
  return [...parts.values()].map((tensors) => ({
    count: tensors[0]!.shape[0]!,
    matrices: tensors.filter(({ shape }) => shape.length > 2),
  }));
}

/** One number of what was measured. */
export function valueOf(measured: Measured, measure: Measure): number {
  switch (measure) {
    case "violation":
    case "nulls":
    case "calls":
    case "arithmetic":
      return measured[measure];
    default: {
      const value = measured.metrics[measure.slice("metric ".length)];
      if (value === undefined) throw new Error(`internal: there is no ${measure}`);
      return value;
    }
  }
}
