// Routed layers: scores, selection, routing, grouped contractions, weighted merge; awkward routings; their gradients.

import { describe, test } from "vitest";
import { differentiate } from "../compiler/differentiate.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Node } from "../compiler/graph.ts";
import { simplify } from "../compiler/simplify.ts";
import { noise } from "./helpers/gradient-check.ts";
import { expectLowered } from "./helpers/lowered.ts";
import { awkwardPicks, experts, graphOf, routed, T, tensorsOf, type Layer } from "./helpers/routed-layer.ts";

describe("a routed layer", () => {
  const layers: Record<string, Layer & { readonly tokens: number }> = {
    "of four experts": { experts: 4, k: 2, width: 12, hidden: 20, tokens: 9 },
    "with k of all": { experts: 3, k: 3, width: 8, hidden: 8, tokens: 5 },
    "of one expert": { experts: 1, k: 1, width: 6, hidden: 5, tokens: 4 },
    "of one token": { experts: 6, k: 2, width: 8, hidden: 12, tokens: 1 },
    "of many experts": { experts: 40, k: 3, width: 8, hidden: 8, tokens: 7 },
  };
  for (const [name, { tokens, ...layer }] of Object.entries(layers))
    test(name, () => {
      const environment = {
        sizes: { T: tokens },
        inputs: new Map([["x", noise(1, tokens * layer.width)]]),
        tensors: tensorsOf(layer),
      };
      const b = new GraphBuilder();
      const y = routed(b, layer);
      for (const fuse of [true, false]) expectLowered(graphOf({ y }), environment, { fuse });
      const leaves = ["router", "gate", "up", "down"].map((leaf) => tensorNode(b, leaf, layer));
      const gradients = differentiate(b, b.sum(b.map("sin", y)), leaves);
      const outputs = Object.fromEntries([...gradients].map(([leaf, node]) => [nameOf(leaf), node]));
      expectLowered(simplify(graphOf({ y, ...outputs })), environment, { tolerance: 1e-3 });
    });
});

const nameOf = (node: Node): string => (node.op === "tensor" ? node.name : "");
const tensorNode = (b: GraphBuilder, name: string, { experts: e, width, hidden }: Layer): Node =>
  name === "router"
    ? b.tensor(name, [width, e])
    : b.tensor(name, name === "down" ? [e, hidden, width] : [e, width, hidden]);

describe("awkward picks", () => {
  const layer: Layer = { experts: 3, k: 2, width: 8, hidden: 12 };
  for (const [name, picks] of Object.entries(awkwardPicks))
    test(name, () => {
      const b = new GraphBuilder();
      const x = b.input("x", "f32", [T, 8]);
      const weight = b.input("weight", "f32", [T, 2]);
      const ids = b.input("picks", "i32", [T, 2]);
      const y = experts(b, x, ids, weight, layer);
      const route = b.route(ids, layer.experts);
      const all = [
        ...differentiate(b, b.sum(b.map("sin", y)), [x, b.tensor("gate", [3, 8, 12]), weight]).values(),
      ];
      const outputs = {
        y,
        offsets: b.part(route, "offsets"),
        group: b.part(route, "group"),
        slot: b.part(route, "slot"),
        source: b.part(route, "source"),
        dx: all[0]!,
        dgate: all[1]!,
        dweight: all[2]!,
      };
      const environment = {
        sizes: { T: 4 },
        inputs: new Map<string, ArrayLike<number>>([
          ["x", noise(1, 32)],
          ["weight", noise(2, 8)],
          ["picks", picks],
        ]),
        tensors: tensorsOf(layer),
      };
      for (const fuse of [true, false])
        expectLowered(graphOf(outputs), environment, { fuse, tolerance: 1e-3 });
      expectLowered(simplify(graphOf(outputs)), environment, { tolerance: 1e-3 });
    });
});
