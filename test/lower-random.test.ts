// Random graphs, forward and with gradients: fused = unfused = the graph interpreter, on the kernel interpreter and on wasm.

import fc from "fast-check";
import { expect, test } from "vitest";
import { interpretGraph } from "../compiler/interpret-graph.ts";
import { simplify } from "../compiler/simplify.ts";
import { expectLowered } from "./helpers/lowered.ts";
import { randomGraph, routingShape } from "./helpers/random-graph.ts";

const picks = fc.array(fc.integer({ min: -1, max: routingShape.experts - 1 }), {
  minLength: routingShape.tokens * routingShape.perToken,
  maxLength: routingShape.tokens * routingShape.perToken,
});
const choices = fc.array(fc.nat(1000), { minLength: 12, maxLength: 60 });

/** Graphs that once went wrong: rows by rows of one routing, summed by group. */
const examples: [number[], number[]][] = [
  [
    [
      439, 766, 928, 330, 254, 92, 700, 654, 789, 743, 934, 458, 448, 346, 931, 543, 81, 779, 502, 154, 890,
      471, 920, 704, 337, 930, 865, 183, 827, 123,
    ],
    [-1, -1, 0, 0, -1, 1],
  ],
];

/** Doubles that no f32 can follow are no test of a kernel. */
const isTame = (
  graph: Parameters<typeof interpretGraph>[0],
  environment: Parameters<typeof interpretGraph>[1],
): boolean =>
  [...interpretGraph(graph, environment).outputs.values()].every(({ data }) =>
    data.every((x) => Math.abs(x) < 1e4),
  );

for (const gradients of [false, true])
  test(gradients ? "random gradients" : "random graphs", () => {
    fc.assert(
      fc.property(choices, picks, (steps, routes) => {
        const { graph, environment } = randomGraph(steps, routes, gradients);
        if (!isTame(graph, environment)) return;
        expectLowered(graph, environment, { targets: ["wasm"], tolerance: 2e-3 });
        expectLowered(graph, environment, { fuse: false, targets: ["wasm"], tolerance: 2e-3 });
        const entry = expectLowered(simplify(graph), environment, {
          targets: ["interpreter"],
          tolerance: 2e-3,
        });
        for (const { kernel } of entry.dispatches) expect(kernel.buffers.length).toBeLessThanOrEqual(8);
      }),
      { numRuns: gradients ? 40 : 60, examples },
    );
  });
