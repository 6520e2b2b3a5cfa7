// What layers for tasks, adapters and gates begin as: the values of the papers and of released codes, read from the program itself, so that the other
// tests of these layers may put any numbers in their place.

import { expect, test } from "vitest";
import { buildText } from "../helpers/elaborate.ts";

/** How tensors of a layer or a router of the standard library begin, by the end of their names. */
function begins(module: string, name: string, apply: string, ends: readonly string[]): unknown[] {
  const text = `import std.${module} { ${name} }
model M {
  modality text = tokens(vocab = 4)
  param table: [4, 6]
  x = table[text]
  y = ${apply}
  logits = y
}`;
  const { tensors } = buildText(text).built;
  return ends.map((end) => {
    const found = tensors.filter((tensor) => tensor.name.endsWith(`.${end}`));
    expect(found, end).toHaveLength(1);
    const { init } = found[0]!;
    return init.kind === "constant" ? init.value : init;
  });
}

const drawn: unknown = expect.objectContaining({ kind: "normal" });
test.each<[string, string, string, string, readonly string[], readonly unknown[]]>([
  [
    "a change of low rank is nothing, but can learn",
    "adapters",
    "MixtureOfAdapters",
    "MixtureOfAdapters(6, 8)(x)",
    ["gate_delta.up", "up_delta.up", "down_delta.up", "gate_delta.down", "up_delta.down", "down_delta.down"],
    [0, 0, 0, drawn, drawn, drawn],
  ],
  [
    "a view of features is the features, but can learn",
    "tasks",
    "FeatureGate",
    "FeatureGate(x)",
    ["A", "B", "choice"],
    [0, drawn, drawn],
  ],
  [
    "statistics are those of numbers that are normal already",
    "norms",
    "BatchNorm",
    "BatchNorm(x)",
    ["running_mean", "running_variance", "gain", "bias"],
    [0, 1, 1, 0],
  ],
  [
    "the temperature of a cosine is 0.3, in half as many dimensions as experts",
    "routers",
    "Cosine",
    "Cosine { N = 8 }(x).weight",
    ["temperature", "expert_point"],
    [expect.closeTo(0.3, 6), { kind: "normal", deviation: 0.5 }],
  ],
  [
    "and 0.07 where weights are sigmoids",
    "routers",
    "Cosine",
    "Cosine { N = 8, independent = true }(x).weight",
    ["temperature"],
    [expect.closeTo(0.07, 6)],
  ],
  [
    "the scale of a cosine is log 2",
    "routers",
    "ScaledCosine",
    "ScaledCosine { N = 4 }(x).weight",
    ["scale", "expert_point", "project_bias"],
    [expect.closeTo(Math.log(2), 6), { kind: "normal", deviation: 0.01 }, 0],
  ],
  [
    "centroids are orthogonal",
    "assignment",
    "Assigned",
    "Assigned { N = 4 }(x).weight",
    ["centroid"],
    [{ kind: "orthogonal", gain: 0.1 }],
  ],
])("%s", (_, module, name, apply, ends, wanted) => {
  expect(begins(module, name, apply, ends)).toEqual(wanted);
});
