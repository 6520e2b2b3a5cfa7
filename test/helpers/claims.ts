// A claim that takes no time, for tests of the claims' machinery: two regressions of a table, in a folder of their own.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Claim } from "../../claims/claim.ts";

export const tinyClaim: Claim = {
  name: "tiny",
  title: "Two experts beat one",
  says: "Two experts fit better than one.",
  paper: "Loss 2 → 1.",
  source: "nobody",
  entries: ["TopK"],
  data: "A table of forty rows.",
  arms: [
    { name: "one", model: "One" },
    { name: "two", model: "Two" },
    { name: "two as one", model: "One", weights: "two" },
  ],
  seeds: [1, 2, 3],
  comparisons: [
    { measure: "calls", arm: "two", against: "one", expect: "higher" },
    { measure: "metric error", arm: "two", against: "one", expect: "no higher", margin: 0.5 },
  ],
};

const model = (name: string, k: number): string => `
model ${name} {
  modality x = features(4)
  modality y = number
  param out: [4]
  z = Mixture(4, ${k})(x)
  logits = sum(z * out)
  loss error = square(logits - y)
}

train ${name} {
  data x = csv("../rows.csv", "a", "b", "c", "d")
  data y = csv("../rows.csv", "y")
  batch 8
  optimizer adamw { rate = 1e-2 }
  steps 12
  evaluate every 12 on 20%
}
`;

export const tinyModels = `import std.experts { Silu }
import std.routers { Strongest, TopK }

moe Mixture(D, k)(x: [D]) -> [D] {
  routed Silu(D, 4) * 3
  router TopK { k = k }
}
${model("One", 1)}${model("Two", 2)}`;

export function writeTinyClaim(folder: string, models = tinyModels, rows = 40): void {
  mkdirSync(join(folder, "tiny"), { recursive: true });
  writeFileSync(join(folder, "tiny", "models.moe"), models);
  const line = (i: number): string =>
    [...[1, 2, 3, 4].map((k) => Math.sin(i * k)), Math.sin(i) * Math.cos(i)].map((v) => v.toFixed(4)).join();
  writeFileSync(
    join(folder, "rows.csv"),
    `a,b,c,d,y\n${Array.from({ length: rows }, (_, i) => line(i)).join("\n")}\n`,
  );
}
