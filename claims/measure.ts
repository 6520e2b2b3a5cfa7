// Measuring an arm: a model with trained tensors is looked at on all held-out data. In: a model, tensors, a seed. Out: plain numbers.

import { dirname } from "node:path";
import { countParameters } from "../cli/report/parameters.ts";
import { nullShare, violation } from "../cli/report/measure.ts";
import type { Batch, Data } from "../runtime/data/data.ts";
import { openData } from "../runtime/data/open-node.ts";
import { evaluate } from "../runtime/evaluate.ts";
import type { Loads, Numbers } from "../runtime/metrics.ts";
import type { Program, RouterInfo } from "../runtime/program.ts";
import type { Outputs } from "../runtime/session-values.ts";
import type { Session } from "../runtime/session.ts";
import { arithmetic } from "./arithmetic.ts";
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
  /** Multiply-adds of all of training, forward, with the picks that were made in it. Absent: measured before this was counted. */
  readonly spent?: number;
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
  { tensors, steps, spent, seconds }: Trained,
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
    const routers = routersOf(program);
    const mean = (of: (router: RouterInfo) => number): number =>
      routers.length === 0 ? 0 : routers.reduce((sum, router) => sum + of(router), 0) / routers.length;
    return {
      metrics,
      violation: mean(({ name, experts }) => violation(loads[name]!, experts)),
      nulls: mean(({ name, experts }) => nullShare(loads[name]!, experts)),
      calls: routers.reduce((sum, router) => sum + trueCalls(router, loads) / rows.tokens, 0),
      arithmetic: arithmetic(compiled, loads, rows.tokens),
      spent,
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

/** Gates of a metric are for reports alone: training does not count what they choose. */
function routersOf({ routers, entries }: Program): readonly RouterInfo[] {
  const counted = new Set(entries["train"]?.outputs.map(({ name }) => name));
  return routers.filter(({ load }) => counted.has(load));
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
  const told = new Specialisation(routersOf(session.program));
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
