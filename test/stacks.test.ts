// Stacks of experts that are longer than a binding may be: they lie in parts, and every entry computes what it computes with stacks
// in one piece. The limit is made small, so that small models have long stacks. In the kernel interpreter, which checks bounds and
// races; on a device in webgpu-stacks.test.ts.

import { describe, expect, test } from "vitest";
import { planModel } from "../compiler/compile.ts";
import { interpretGraph } from "../compiler/interpret-graph.ts";
import { stacksOf } from "../compiler/lower/stacks.ts";
import { defaultSizes, expectAlike, f32Tolerance, inputsFor, tensorsFor } from "./helpers/differential.ts";
import { hostOf } from "./helpers/elaborate.ts";
import { runEntry } from "./helpers/lowered.ts";
import { longStacks, stackBytes, stacked } from "./helpers/long-stacks.ts";

describe("parts of stacks", () => {
  const of = (shape: readonly number[], binding: number): unknown =>
    stacksOf([{ name: "w", shape }], binding).get("w");
  test("as few as will do, of whole experts, all equal", () => {
    expect(of([8, 4, 4], 8 * 64)).toBeUndefined();
    expect(of([8, 4, 4], 8 * 64 - 1)).toEqual({ count: 2, length: 4 });
    expect(of([6, 4, 4], 2 * 64)).toEqual({ count: 3, length: 2 });
    expect(of([7, 4, 4], 6 * 64)).toEqual({ count: 7, length: 1 });
  });
  test("none where one expert alone is too long, or there are no experts", () => {
    expect(of([8, 4, 4], 63)).toBeUndefined();
    expect(of([1000], 64)).toBeUndefined();
  });
  test("stacks of equally many experts have equal parts", () => {
    const stacks = stacksOf(
      [
        { name: "a", shape: [8, 4, 4] },
        { name: "b", shape: [8, 4, 8] },
      ],
      256,
    );
    expect([...stacks.values()]).toEqual([
      { count: 4, length: 2 },
      { count: 4, length: 2 },
    ]);
  });
});

test("what a kernel needs whole stays in one piece", () => {
  const text = stacked(12, "optimizer muon { rate = 0.01 }");
  const host = hostOf({ "main.moe": text });
  const planned = planModel({
    host,
    path: "main.moe",
    target: "webgpu",
    binding: stackBytes(12) / 2,
  }).planned!;
  const parts = new Map(planned.program.tensors.map((tensor) => [tensor.name, tensor.parts]));
  // Muon's products take all experts at once, and end in the new matrices.
  expect(parts.has("experts.routed.gate")).toBe(true);
  expect(parts.get("experts.routed.gate")).toBeUndefined();
  expect(planned.lowered.map(({ name }) => name)).toContain("update");
});

describe("entries with stacks in parts", () => {
  const hidden = 12;
  for (const { name, text, binding } of longStacks(hidden))
    test(name, () => {
      const host = hostOf({ "main.moe": text });
      const { planned, diagnostics } = planModel({
        ...{ host, path: "main.moe", target: "webgpu", verify: true, binding },
      });
      expect(diagnostics).toEqual([]);
      const { program, graphs, lowered } = planned!;
      // The matrices, their gradients and what the optimiser keeps of them.
      const stacks = program.tensors.filter((tensor) => tensor.name.includes("experts.routed."));
      expect(stacks.length).toBeGreaterThanOrEqual(6);
      const count = stackBytes(hidden) / binding;
      expect(stacks.map((tensor) => [tensor.name, tensor.parts])).toEqual(
        stacks.map((tensor) => [tensor.name, count]),
      );
      for (const { shape, parts: count = 1 } of program.tensors)
        expect((4 * shape.reduce((a, b) => a * b, 1)) / count).toBeLessThanOrEqual(binding);
      const sizes = defaultSizes(planned!, { B: 6 });
      const tensors = tensorsFor(planned!);
      for (const entry of lowered) {
        const inputs = inputsFor(planned!, program.entries[entry.name]!, sizes);
        const environment = { sizes, tensors, inputs };
        const wanted = interpretGraph(graphs[entry.name]!, environment);
        const run = runEntry(entry, environment, "interpreter");
        for (const [output, { data }] of wanted.outputs)
          expectAlike(run.outputs.get(output)!, data, `${entry.name} ${output}`, f32Tolerance);
        for (const [tensor, { data }] of wanted.updates)
          expectAlike(
            run.tensors.get(tensor) ?? tensors.get(tensor)!,
            data,
            `${entry.name} ${tensor}`,
            f32Tolerance,
          );
      }
    });
});
