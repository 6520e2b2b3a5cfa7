// Our side of the comparisons with other libraries: the two models, and what a peer must reproduce. In: nothing. Out:
// workloads, and a folder with the weights, the inputs, our forward output and our losses of the first steps.

import { compileFile, openWorkload, type Workload } from "./programs.ts";
import { writeExchange, type Shared } from "./peers/exchange.ts";

export interface Side {
  readonly workload: Workload;
  /** Parameters as they were before the first step. */
  readonly initial: ReadonlyMap<string, Float32Array | Int32Array>;
  /** Losses of the first steps. */
  readonly losses: readonly number[];
  /** Rows of the fullest expert of any layer in the first step. */
  readonly fullest: number;
}

export interface Comparison {
  readonly folder: string;
  readonly layer: Side;
  readonly language: Side;
}

export async function openComparison(): Promise<Comparison> {
  const arrays = new Map<string, Shared>();
  const layer = await openSide("bench/models/routed.moe", "layer", arrays);
  const language = await openSide("bench/models/language.moe", "language", arrays);
  return { folder: writeExchange(arrays), layer, language };
}

async function openSide(path: string, prefix: string, arrays: Map<string, Shared>): Promise<Side> {
  const workload = await openWorkload(compileFile(path));
  const { session, inputs } = workload;
  const { program } = session;
  const initial = new Map<string, Float32Array | Int32Array>();
  for (const { name, role, shape } of program.tensors) {
    if (role !== "parameter") continue;
    initial.set(name, session.read(name));
    arrays.set(`${prefix}.${name}`, { shape, values: initial.get(name)! });
  }
  const given = inputs("train");
  for (const port of program.entries["train"]!.inputs) {
    const values = given[port.name];
    if (!(values instanceof Float32Array || values instanceof Int32Array)) continue;
    const rows = session.sizes["B"]!;
    arrays.set(`${prefix}.${port.name}`, { shape: [rows, values.length / rows], values });
  }
  const { logits } = session.run("forward", inputs("forward"));
  arrays.set(`${prefix}.logits`, {
    shape: [session.sizes["B"]!, logits!.length / session.sizes["B"]!],
    values: logits!,
  });
  let fullest = 0;
  const losses = [0, 1, 2].map((step) => {
    const outputs = session.run("train", given);
    for (const { load } of program.routers) fullest = Math.max(fullest, ...outputs[load]!);
    session.run("update", { $step: step });
    return outputs["loss"]![0]!;
  });
  return { workload, initial, losses, fullest };
}
