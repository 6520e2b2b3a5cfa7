// Measuring an arm: a model with trained tensors is looked at on all held-out data. In: a model, tensors, a seed. Out: plain numbers.

import { dirname } from "node:path";
import { costOf } from "../cli/cost.ts";
import { countParameters, expertTensors } from "../cli/report/parameters.ts";
import { nullShare, violation } from "../cli/report/measure.ts";
import { trainingSizes } from "../cli/sessions.ts";
import { withDefaults } from "../runtime/arena-plan.ts";
import type { Batch, Data } from "../runtime/data/data.ts";
import { openData } from "../runtime/data/open-node.ts";
import { evaluate } from "../runtime/evaluate.ts";
import type { Loads, Numbers } from "../runtime/metrics.ts";
import type { Program, RouterInfo, Tensor } from "../runtime/program.ts";
import type { Outputs } from "../runtime/session-values.ts";
import type { Session } from "../runtime/session.ts";
import { compileModel } from "./compiling.ts";
import { Specialisation } from "./specialisation.ts";
import { open, recipe, type Trained } from "./train.ts";
import type { Measure } from "./claim.ts";

export interface Measured {
  /** Losses with a name and metrics: means over held-out batches. */
  readonly metrics: Numbers;
  readonly violation: number;
  readonly nulls: number;
  readonly calls: number;
  readonly arithmetic: number;
  /** By modality of whole numbers. Absent: measured before there was such a measure. */
  readonly specialisation?: Numbers;
  readonly parameters: number;
  readonly steps: number;
  /** Of training, in this process. What else the machine does is in it. */
  readonly seconds: number;
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
  // What the model does not read, its routing may still be measured by.
  const modalities = program.modalities.map((each) =>
    each.ports.length === 0 ? { ...each, ports: [each.name] } : each,
  );
  const data = await openData(training, modalities, dirname(file));
  const session = await open(compiled, seed, ["evaluate"]);
  try {
    for (const { name, role } of session.tensors())
      if (role !== "optimiser" && role !== "carry" && !tensors.has(name))
        throw new Error(`internal: ${model} needs the tensor ${name}, which was not trained`);
    session.load(tensors);
    const { metrics, loads, specialisation, rows } = await look(session, data, training.steps);
    const { routers } = program;
    const mean = (of: (router: RouterInfo) => number): number =>
      routers.length === 0 ? 0 : routers.reduce((sum, router) => sum + of(router), 0) / routers.length;
    return {
      metrics,
      violation: mean(({ name, experts }) => violation(loads[name]!, experts)),
      nulls: mean(({ name, experts }) => nullShare(loads[name]!, experts)),
      calls: routers.reduce((sum, router) => sum + trueCalls(router, loads) / rows.tokens, 0),
      arithmetic: arithmetic(program, loads, rows.tokens),
      specialisation,
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

interface Looked {
  readonly metrics: Numbers;
  readonly loads: Loads;
  readonly specialisation: Numbers;
  readonly rows: { readonly tokens: number };
}

async function look(session: Session, data: Data, step: number): Promise<Looked> {
  const told = new Specialisation(session.program.routers);
  const visit = (batch: Batch, outputs: Outputs): void => told.add(batch, outputs);
  const found = await evaluate(session, data.held, { step, visit });
  if (found === undefined) throw new Error("internal: nothing is held out");
  return {
    metrics: found.metrics,
    loads: found.loads,
    specialisation: told.shares(),
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
      const [kind, name] = measure.split(" ") as ["metric" | "specialisation", string];
      const value = kind === "metric" ? measured.metrics[name] : measured.specialisation?.[name];
      if (value === undefined) throw new Error(`internal: there is no ${measure}`);
      return value;
    }
  }
}
