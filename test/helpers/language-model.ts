// A small routed language model as a graph, for tests of fusion and lowering: embedding, attention, routed SwiGLU experts,
// cross entropy, gradients of all parameters. In: sizes. Out: the graph, and the shapes of its tensors.

import { differentiate } from "../../compiler/differentiate.ts";
import { GraphBuilder } from "../../compiler/graph-builder.ts";
import type { Graph, Node } from "../../compiler/graph.ts";
import { multiply, named } from "../../runtime/size.ts";

export interface ModelSizes {
  readonly layers: number;
  readonly width: number;
  readonly hidden: number;
  readonly heads: number;
  readonly experts: number;
  readonly k: number;
  readonly vocabulary: number;
}

const [B, T] = [named("B"), named("T")];
const tokens = multiply(B, T);

export interface LanguageModel {
  readonly graph: Graph;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
}

export function languageModel(sizes: ModelSizes, train: boolean): LanguageModel {
  const { layers, width, vocabulary } = sizes;
  const b = new GraphBuilder();
  const shapes = new Map<string, readonly number[]>();
  const parameters: Node[] = [];
  const tensor = (name: string, shape: readonly number[]): Node => {
    shapes.set(name, shape);
    const node = b.tensor(name, shape);
    parameters.push(node);
    return node;
  };
  const at = <N>(path: string, make: () => N): N => b.at({ path }, make);
  const ids = b.reshape(b.input("text", "i32", [B, T]), [tokens]);
  const next = b.reshape(b.input("text.next", "i32", [B, T]), [tokens]);
  let x = at("embed", () => b.take(tensor("embed", [vocabulary, width]), ids));
  const norm = (path: string, input: Node): Node =>
    at(path, () => {
      const mean = b.div(b.sum(b.square(input), [-1]), width);
      const scale = b.div(1, b.map("sqrt", b.add(mean, 1e-6)));
      const gain = b.broadcastTo(tensor(`${path}.gain`, [width]), input.shape, [1]);
      return b.mul(b.mul(input, b.expand(scale, input.shape, -1)), gain);
    });
  for (let layer = 0; layer < layers; layer++) {
    const path = `block.${layer}`;
    x = b.add(x, attention(b, at, tensor, `${path}.attention`, norm(`${path}.norm1`, x), sizes));
    x = b.add(x, experts(b, at, tensor, `${path}.experts`, norm(`${path}.norm2`, x), sizes));
  }
  const logits = at("unembed", () =>
    b.contract(norm("norm", x), tensor("unembed", [width, vocabulary]), "td,dv->tv"),
  );
  const loss = at("loss", () => {
    const picked = b.take(b.logSoftmax(logits), b.reshape(next, [tokens, 1]), 1);
    return b.neg(b.mean(picked));
  });
  const outputs = [{ name: "loss", node: loss }];
  if (train)
    for (const [leaf, node] of differentiate(b, loss, parameters))
      if (leaf.op === "tensor") outputs.push({ name: `gradient ${leaf.name}`, node });
  return { graph: { name: train ? "train" : "evaluate", outputs, updates: [] }, shapes };
}

type At = <N>(path: string, make: () => N) => N;
type MakeTensor = (name: string, shape: readonly number[]) => Node;

function attention(
  b: GraphBuilder,
  at: At,
  tensor: MakeTensor,
  path: string,
  x: Node,
  sizes: ModelSizes,
): Node {
  const { width, heads } = sizes;
  const each = width / heads;
  return at(path, () => {
    const project = (name: string): Node =>
      b.reshape(b.contract(x, tensor(`${path}.${name}`, [width, width]), "td,dn->tn"), [B, T, heads, each]);
    const [q, k, v] = [project("q"), project("k"), project("v")];
    const scores = b.mul(b.contract(q, k, "bthd,bshd->bhts"), 1 / Math.sqrt(each));
    const index = b.index(T);
    const mask = b.map(
      "le",
      b.broadcastTo(index, scores.shape, [3]),
      b.broadcastTo(index, scores.shape, [2]),
    );
    const masked = b.select(mask, scores, b.broadcastTo(b.constant(-Infinity), scores.shape, []));
    const mixed = b.contract(b.softmax(masked), v, "bhts,bshd->bthd");
    return b.contract(b.reshape(mixed, [tokens, width]), tensor(`${path}.o`, [width, width]), "td,dn->tn");
  });
}

function experts(
  b: GraphBuilder,
  at: At,
  tensor: MakeTensor,
  path: string,
  x: Node,
  sizes: ModelSizes,
): Node {
  const { width, hidden, experts: count, k } = sizes;
  return at(path, () => {
    const score = b.softmax(b.contract(x, tensor(`${path}.router`, [width, count]), "td,de->te"));
    const picks = b.choose(score, k);
    const chosen = b.take(score, picks, 1);
    const weight = b.div(chosen, b.expand(b.sum(chosen, [1]), chosen.shape, 1));
    const route = b.route(picks, count);
    const rows = b.dispatch(x, route);
    const ragged = { row: "r", group: "e" };
    const gate = b.contract(rows, tensor(`${path}.gate`, [count, width, hidden]), "rk,ekn->rn", ragged);
    const up = b.contract(rows, tensor(`${path}.up`, [count, width, hidden]), "rk,ekn->rn", ragged);
    const inner = b.mul(b.silu(gate), up);
    const down = b.contract(inner, tensor(`${path}.down`, [count, hidden, width]), "rk,ekn->rn", ragged);
    const rowWeight = b.dispatch(weight, route, "pick");
    return b.combine(b.mul(down, b.broadcastTo(rowWeight, down.shape, [0])), route);
  });
}
