// Routed layers: scores, selection, routing, grouped contractions, weighted merge; awkward routings; their gradients.

import { describe, test } from "vitest";
import { differentiate } from "../compiler/differentiate.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Graph, Node } from "../compiler/graph.ts";
import { simplify } from "../compiler/simplify.ts";
import { named } from "../runtime/size.ts";
import { noise } from "./helpers/gradient-check.ts";
import { expectLowered } from "./helpers/lowered.ts";

const T = named("T");
const graphOf = (outputs: Record<string, Node>): Graph => ({
  name: "test",
  outputs: Object.entries(outputs).map(([name, node]) => ({ name, node })),
  updates: [],
});

interface Layer {
  readonly experts: number;
  readonly k: number;
  readonly width: number;
  readonly hidden: number;
}

/** Weighted sum of routed SwiGLU experts. `picks` is [T, k]; `weight` [T, k]. */
function experts(
  b: GraphBuilder,
  x: Node,
  picks: Node,
  weight: Node,
  { experts: e, width, hidden }: Layer,
): Node {
  const route = b.route(picks, e);
  const rows = b.dispatch(x, route);
  const ragged = { row: "r", group: "e" };
  const gate = b.contract(rows, b.tensor("gate", [e, width, hidden]), "rk,ekn->rn", ragged);
  const up = b.contract(rows, b.tensor("up", [e, width, hidden]), "rk,ekn->rn", ragged);
  const down = b.contract(
    b.mul(b.silu(gate), up),
    b.tensor("down", [e, hidden, width]),
    "rk,ekn->rn",
    ragged,
  );
  const rowWeight = b.dispatch(weight, route, "pick");
  return b.combine(b.mul(down, b.broadcastTo(rowWeight, down.shape, [0])), route);
}

function routed(b: GraphBuilder, layer: Layer): Node {
  const { experts: e, k, width } = layer;
  const x = b.input("x", "f32", [T, width]);
  const score = b.softmax(b.contract(x, b.tensor("router", [width, e]), "td,de->te"));
  const picks = b.choose(score, k);
  const chosen = b.take(score, picks, 1);
  const weight = b.div(chosen, b.expand(b.sum(chosen, [1]), chosen.shape, 1));
  return b.add(x, experts(b, x, picks, weight, layer));
}

const tensorsOf = ({ experts: e, width, hidden }: Layer): Map<string, Float64Array> =>
  new Map([
    ["router", noise(2, width * e)],
    ["gate", noise(3, e * width * hidden)],
    ["up", noise(4, e * width * hidden)],
    ["down", noise(5, e * width * hidden)],
  ]);

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
  const cases: Record<string, readonly number[]> = {
    "an empty expert": [0, 2, 2, 0, 0, 2, 2, 0],
    "one takes all": [1, 1, 1, 1, 1, 1, 1, 1],
    nobody: [-1, -1, -1, -1, -1, -1, -1, -1],
    "beyond the experts": [3, 7, 0, -5, 2, 1, 100, 2],
    "one row": [-1, -1, -1, 2, -1, -1, -1, -1],
  };
  const layer: Layer = { experts: 3, k: 2, width: 8, hidden: 12 };
  for (const [name, picks] of Object.entries(cases))
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
