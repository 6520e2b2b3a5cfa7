// The bench's comparison on WebGPU, with a tiny layer and no other library: the page opens, our side runs, and on a software adapter no
// goal is judged. What the peers are given is tested where they are not needed.

import { describe, expect, test } from "vitest";
import { markdownSection, meets, type Row } from "../bench/section.ts";
import { standardForms, standardModel, weightFile } from "../bench/peers/onnx-standard.ts";
import { webgpuSection } from "../bench/sections/webgpu.ts";
import { noise } from "../bench/noise.ts";
import { settledTokens } from "../bench/webgpu-layer.ts";
import { chromiumPath } from "./helpers/browser.ts";

const layer = { width: 8, hidden: 4, experts: 3, k: 2, tokens: 5 };

test.skipIf(chromiumPath === undefined)(
  "our side runs in Chromium",
  async () => {
    const { title, rows, skipped } = await webgpuSection({
      ...{ rounds: 2, milliseconds: 1, warm: 0, withPeers: false },
      works: [{ layer, task: "forward" }],
    });
    expect(rows.map(({ name }) => name)).toEqual(["(8, 4, 3, 2), 5 tokens, forward, ours alone"]);
    expect(rows[0]!.min).toBeGreaterThan(0);
    expect(title).toMatch(/: .+, subgroups of (none|\d+ to \d+), Chromium \d+/);
    if (title.includes("software")) expect(skipped.join()).toContain("there is no GPU here");
    else expect(skipped).toEqual([]);
  },
  120_000,
);

describe("a goal that cannot be judged", () => {
  const row: Row = { name: "a : b", min: 1, median: 1, max: 1, goal: { least: 2 }, unjudged: "software" };

  test("is printed, and neither met nor missed", () => {
    expect(meets(row)).toBeUndefined();
    expect(markdownSection({ name: "x", title: "X", rows: [row], skipped: [] })).toContain(
      "| a : b | 1.00 | 1.00 | 1.00 | at least 2 | software |",
    );
  });
});

test("tokens are drawn whose choice no rounding changes", () => {
  const router = noise(layer.width * layer.experts, 9);
  const { x, fullest } = settledTokens(layer, router);
  const loads = Array.from({ length: layer.experts }, () => 0);
  for (let t = 0; t < layer.tokens; t++) {
    const scores = loads.map((_, e) =>
      Array.from(
        { length: layer.width },
        (_, d) => x[t * layer.width + d]! * router[d * layer.experts + e]!,
      ).reduce((a, b) => a + b),
    );
    const order = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!);
    expect(scores[order[1]!]! - scores[order[2]!]!).toBeGreaterThan(1e-4);
    for (const expert of order.slice(0, layer.k)) loads[expert]!++;
  }
  expect(fullest).toBe(Math.max(...loads));
  // A router that likes all experts alike leaves nothing to draw.
  expect(() => settledTokens(layer, new Float32Array(router.length))).toThrow(/tied/);
});

test("an ONNX file in standard operators names its weights' file and its operators", () => {
  const operators = { dense: "GreaterOrEqual", loop: "NonZero", chosen: "Gather" };
  for (const form of standardForms) {
    const text = Buffer.from(standardModel(layer, form)).toString("latin1");
    for (const word of [weightFile, "TopK", "MatMul", operators[form]]) expect(text).toContain(word);
    expect(text).not.toContain("MoE");
  }
});
