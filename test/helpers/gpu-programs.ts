// Small programs in the kernels of a GPU, run by the kernel interpreter, which checks bounds, races and barriers: training
// (forward and backward), and the other entries where they have something of their own. In: names. Out: failures.

import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { planModel } from "../../compiler/compile.ts";
import { interpretGraph } from "../../compiler/interpret-graph.ts";
import { lowerGraph } from "../../compiler/lower.ts";
import { defaultSizes, expectAlike, f32Tolerance, inputsFor, tensorsFor } from "./differential.ts";
import { hostOf } from "./elaborate.ts";
import { expectWithinLimits, smallGpu } from "./gpu.ts";
import { runEntry } from "./lowered.ts";

const folder = new URL("../programs/", import.meta.url);
/** Optimisers and schedules are all in `update`; caches are only in `decode`; what differs by mode is in `evaluate`. */
const further: readonly (readonly [RegExp, string])[] = [
  [/optimizer-(adamw|muon)|schedules|recipe/, "update"],
  [/^attention.moe|latent|previous/, "decode"],
  [/by-mode|losses|noise/, "evaluate"],
];

export function expectProgram(name: string): void {
  const text = readFileSync(new URL(name, folder), "utf8");
  const { planned } = planModel({ host: hostOf({ "main.moe": text }), path: "main.moe" });
  if (planned === undefined) expect.fail("it does not compile");
  const sizes = defaultSizes(planned, text.includes("tokens(") ? { B: 2, T: 3 } : { B: 4 });
  const tensors = tensorsFor(planned);
  const entries = ["train", ...further.flatMap(([names, entry]) => (names.test(name) ? [entry] : []))];
  for (const key of entries) {
    const graph = planned.graphs[key];
    if (graph === undefined) continue;
    const inputs = inputsFor(planned, planned.program.entries[key]!, sizes);
    const environment = { sizes, tensors, inputs };
    const wanted = interpretGraph(graph, environment);
    const entry = lowerGraph(graph, { target: smallGpu });
    expectWithinLimits(entry);
    const run = runEntry(entry, environment, "interpreter");
    for (const [output, { data }] of wanted.outputs)
      expectAlike(run.outputs.get(output)!, data, `${key} ${output}`, f32Tolerance);
    for (const [tensor, { data }] of wanted.updates)
      expectAlike(run.tensors.get(tensor) ?? tensors.get(tensor)!, data, `${key} ${tensor}`, f32Tolerance);
  }
}
