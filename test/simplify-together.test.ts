// Graphs of one builder that are simplified together: each is what it is alone, and what they have in common is there once.

import fc from "fast-check";
import { expect, test } from "vitest";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import { nodesOf, rootsOf } from "../compiler/graph-walk.ts";
import type { Graph } from "../compiler/graph.ts";
import { interpretGraph } from "../compiler/interpret-graph.ts";
import { printOperation, printType } from "../compiler/print-graph.ts";
import { simplify, simplifyTogether } from "../compiler/simplify.ts";
import { verifyGraph } from "../compiler/verify-graph.ts";
import { randomGraph } from "./helpers/random-graph.ts";

/** What is computed, in any order. */
const made = (graph: Graph): readonly string[] =>
  nodesOf(rootsOf(graph))
    .map((node) => `${printOperation(node)}: ${printType(node).replaceAll(/@\d+/g, "")}`)
    .sort();

const choices = fc.array(fc.nat(1000), { minLength: 9, maxLength: 90 });
const somePicks = fc.array(fc.integer({ min: -1, max: 3 }), { minLength: 6, maxLength: 6 });

test("random graphs and a part of them, as alone", () => {
  fc.assert(
    fc.property(choices, somePicks, (list, picked) => {
      const { graph, environment } = randomGraph(list, picked, true);
      const part: Graph = { ...graph, outputs: graph.outputs.slice(0, 1), updates: [] };
      const together = simplifyTogether([part, graph], { removeStops: true });
      for (const [i, alone] of [part, graph].entries()) {
        const simple = together[i]!;
        verifyGraph(simple);
        expect(made(simple)).toEqual(made(simplify(alone, { removeStops: true })));
        const values = (of: Graph) =>
          [...interpretGraph(of, environment).outputs.values()].flatMap(({ data }) => [...data]);
        const wanted = values(alone);
        const given = values(simple);
        expect(given.length).toBe(wanted.length);
        for (const [j, value] of wanted.entries())
          if (Number.isFinite(value))
            expect(Math.abs(given[j]! - value)).toBeLessThanOrEqual(1e-8 * (1 + Math.abs(value)));
      }
    }),
    { numRuns: 80, seed: 9 },
  );
});

test("what two graphs have in common is made once", () => {
  const b = new GraphBuilder();
  const x = b.tensor("x", [3, 4]);
  const y = b.add(b.mul(x, 1), b.map("exp", x));
  const graphOf = (name: string, node: typeof x): Graph => ({ name, outputs: [{ name, node }], updates: [] });
  const [forward, loss] = simplifyTogether([graphOf("forward", y), graphOf("loss", b.sum(b.square(y)))]);
  const nodes = nodesOf(rootsOf(loss!));
  for (const node of nodesOf(rootsOf(forward!))) expect(nodes).toContain(node);
});
