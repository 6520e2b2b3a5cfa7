// Gates that are a metric: what weighs most in a mixture of all experts is measured and reported, and nothing else of the program
// knows of it.

import { expect, test } from "vitest";
import { loadHistory } from "../cli/report/measure.ts";
import { planModel, type PlannedModel } from "../compiler/compile.ts";
import { checkText, hostOf } from "./helpers/elaborate.ts";

const text = (line: string): string => `import std.experts { Relu }
import std.routers { Strongest, TopK }
layer Mixed(D, N)(x: [D]) -> [D] {
  param w: [D, N] = normal(1)
  param each: [N, D, D]
  share = softmax(x @ w)
  ${line}
  y[n, d] = sum(x[c] * each[n, c, d] over c)
  out[d] = sum(share[n] * y[n, d] over n)
}
model M {
  modality text = tokens(vocab = 7)
  param table: [7, 4] = normal(1)
  pool = Relu(4, 4) * 3
  x = Mixed(4, 5)(table[text])
  x = x + pool(x) by TopK
  logits = x @ transpose(table)
  loss cross_entropy(logits, text.next)
}
train M {
  data text = bytes("none")
  batch 2 of 8
  optimizer sgd { rate = 0.1 }
  steps 1
}
`;
const planned = (line: string): PlannedModel => {
  const { planned, diagnostics } = planModel({ host: hostOf({ "m.moe": text(line) }), path: "m.moe" });
  if (planned === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  return planned;
};
const dispatches = ({ program }: PlannedModel, entry: string): readonly string[] =>
  program.entries[entry]!.dispatches.map(
    ({ kernel, label }) => `${program.kernels[kernel]!.name} ${label.replace(/:\d+/g, "")}`,
  );
const outputs = ({ program }: PlannedModel, entry: string): readonly string[] =>
  program.entries[entry]!.outputs.map(({ name }) => name);

test("they are measured in evaluations, and cost nothing elsewhere", () => {
  const measured = planned("metric strongest = Strongest { N = N }(share)");
  const without = planned("");
  expect(measured.program.routers.map(({ name, experts }) => [name, experts])).toEqual([
    ["mixed.strongest", 5],
    ["router", 3],
  ]);
  expect(outputs(measured, "evaluate")).toEqual(
    expect.arrayContaining(["load.mixed.strongest", "picks.mixed.strongest", "load.router"]),
  );
  expect(outputs(measured, "train").filter((name) => name.startsWith("load"))).toEqual(["load.router"]);
  for (const entry of ["forward", "decode", "train", "update"])
    expect(dispatches(measured, entry), entry).toEqual(dispatches(without, entry));
  expect(dispatches(measured, "evaluate").length).toBeGreaterThan(dispatches(without, "evaluate").length);
});

test("gates that route are reported as ever, also when they are a metric", () => {
  const both = planned("g = TopK { N = N, k = 1 }(x)\n  metric chosen = g\n  share = share * g.chosen");
  expect(outputs(both, "train").filter((name) => name.startsWith("load"))).toEqual([
    "load.mixed.topk",
    "load.router",
  ]);
});

test("a loss is a number", () => {
  const model = text("loss strongest = Strongest { N = N }(share)");
  expect(checkText(model)).toEqual([expect.stringMatching(/^M0201 Strongest \{ N = N \}\(share\): `loss`/)]);
});

test("a report has their history from evaluations", () => {
  const loads = { gate: [1, 3] };
  const step = { kind: "step", step: 1, metrics: {}, seconds: 1 } as const;
  const evaluation = { kind: "evaluation", step: 2, metrics: {}, loads, seconds: 1 } as const;
  expect(loadHistory([{ ...step, loads: {} }, evaluation] as never, "gate", 8)).toEqual({
    steps: [2],
    loads: [[1, 3]],
  });
  expect(loadHistory([{ ...step, loads: { gate: [2, 2] } }, evaluation] as never, "gate", 8).steps).toEqual([
    1,
  ]);
});
