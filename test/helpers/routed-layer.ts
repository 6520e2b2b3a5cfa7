// A routed layer as a graph, for tests: scores, selection, routing, grouped contractions, weighted merge; and picks that are
// awkward. In: sizes. Out: nodes, tensors, picks of four tokens with two slots among three experts.

import type { GraphBuilder } from "../../compiler/graph-builder.ts";
import type { Graph, Node } from "../../compiler/graph.ts";
import { named } from "../../runtime/size.ts";
import { noise } from "./gradient-check.ts";

export const T = named("T");
export const graphOf = (outputs: Record<string, Node>): Graph => ({
  name: "test",
  outputs: Object.entries(outputs).map(([name, node]) => ({ name, node })),
  updates: [],
});

export interface Layer {
  readonly experts: number;
  readonly k: number;
  readonly width: number;
  readonly hidden: number;
}

/** Weighted sum of routed SwiGLU experts. `picks` is [T, k]; `weight` [T, k]. */
export function experts(
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

export function routed(b: GraphBuilder, layer: Layer): Node {
  const { experts: e, k, width } = layer;
  const x = b.input("x", "f32", [T, width]);
  const score = b.softmax(b.contract(x, b.tensor("router", [width, e]), "td,de->te"));
  const picks = b.choose(score, k);
  const chosen = b.take(score, picks, 1);
  const weight = b.div(chosen, b.expand(b.sum(chosen, [1]), chosen.shape, 1));
  return b.add(x, experts(b, x, picks, weight, layer));
}

export const tensorsOf = ({ experts: e, width, hidden }: Layer): Map<string, Float64Array> =>
  new Map([
    ["router", noise(2, width * e)],
    ["gate", noise(3, e * width * hidden)],
    ["up", noise(4, e * width * hidden)],
    ["down", noise(5, e * width * hidden)],
  ]);

export const awkwardPicks: Record<string, readonly number[]> = {
  "an empty expert": [0, 2, 2, 0, 0, 2, 2, 0],
  "one takes all": [1, 1, 1, 1, 1, 1, 1, 1],
  nobody: [-1, -1, -1, -1, -1, -1, -1, -1],
  "beyond the experts": [3, 7, 0, -5, 2, 1, 100, 2],
  "one row": [-1, -1, -1, 2, -1, -1, -1, -1],
};
