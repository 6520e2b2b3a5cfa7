// Random well-typed graphs over small axes and one routing, from a list of choices (which fast-check shrinks).
// In: choices. Out: a graph, its environment. Everything is finite: no logarithms, no maxima over rows.

import { differentiate } from "../../compiler/differentiate.ts";
import { isDense, sameAxis, sameShape } from "../../compiler/graph-axis.ts";
import { GraphBuilder } from "../../compiler/graph-builder.ts";
import type { Graph, MapFn, Node, RouteNode } from "../../compiler/graph.ts";
import type { Environment } from "../../compiler/interpret-graph.ts";
import { known, multiply, named } from "../../runtime/size.ts";
import { noise } from "./gradient-check.ts";

export const routingShape = { tokens: 3, perToken: 2, experts: 3 };

export interface RandomGraph {
  readonly graph: Graph;
  readonly environment: Environment;
}

/** `choices` steer every decision; `picks` are the routing's; with `gradients`, of a sum of the last values. */
export function randomGraph(
  choices: readonly number[],
  picks: readonly number[],
  gradients: boolean,
): RandomGraph {
  const b = new GraphBuilder();
  const tensors = new Map<string, Float64Array>();
  let at = 0;
  const choose = (count: number): number => (choices[at++ % choices.length] ?? 0) % count;
  const from = <T>(list: readonly T[]): T => list[choose(list.length)]!;
  const tensor = (shape: readonly number[]): Node => {
    const name = `t${tensors.size}`;
    tensors.set(
      name,
      noise(
        tensors.size + 5,
        shape.reduce((x, y) => x * y, 1),
      ),
    );
    return b.tensor(name, shape);
  };
  const { tokens, perToken, experts } = routingShape;
  const route: RouteNode = b.route(b.input("picks", "i32", [tokens, perToken]), experts);
  const leaves = [tensor([3, 2]), tensor([2]), tensor([3, 2, 2]), tensor([2, 3]), tensor([3])];
  const pool: Node[] = [...leaves];
  // A symbolic axis (T = 2) beside the known ones.
  pool.push(b.broadcastTo(leaves[1]!, [named("T"), 2], [1]));

  const elements = (node: Node): number => node.shape.reduce((n, axis) => n * (known(axis.size) ?? 2), 1);
  const letters = (shape: readonly number[]): string => shape.map((i) => "abcdefgh"[i]).join("");
  const steps: readonly ((x: Node) => Node | undefined)[] = [
    (x) => b.map(from<MapFn>(["neg", "tanh", "sin", "abs", "sigmoid", "stop", "neg"]), x),
    (x) => {
      const y = from(pool.filter(({ shape }) => sameShape(shape, x.shape)));
      return b.map(from<MapFn>(["add", "sub", "mul", "min", "max"]), x, y);
    },
    (x) => b.map(from<MapFn>(["add", "mul", "sub", "div"]), x, from([1, -1, 2, 0.5, 3])),
    (x) => b.map(from<MapFn>(["add", "mul", "sub"]), from([0, 1, -1, 2]), x),
    (x) => {
      const left = x.shape.map((_, i) => i);
      const order: number[] = [];
      while (left.length > 0) order.push(...left.splice(choose(left.length), 1));
      return b.permute(x, order);
    },
    (x) =>
      x.shape.length < 4
        ? b.insertAxis(x, choose(x.shape.length + 1), from([1, 2, 3, named("T")]))
        : undefined,
    (x) => (x.shape.length > 0 ? b.sum(x, [choose(x.shape.length)]) : undefined),
    (x) => {
      const dense = x.shape.map((_, i) => i).filter((i) => isDense(x.shape[i]!));
      return dense.length > 0 ? b.reduce(from(["max", "min"] as const), x, [from(dense)]) : undefined;
    },
    (x) => {
      const axis = choose(Math.max(1, x.shape.length));
      const extent = x.shape[axis];
      const size = extent !== undefined && isDense(extent) ? known(extent.size) : undefined;
      if (size === undefined || size < 2) return undefined;
      const start = choose(size);
      return b.slice(x, axis, start, 1 + choose(size - start));
    },
    (x) => {
      const axis = choose(Math.max(1, x.shape.length));
      const extent = x.shape[axis];
      return extent !== undefined && isDense(extent) ? b.pad(x, axis, choose(2), choose(2)) : undefined;
    },
    (x) => {
      const axis = choose(Math.max(1, x.shape.length - 1));
      const [first, second] = [x.shape[axis], x.shape[axis + 1]];
      if (first === undefined || second === undefined || !isDense(first) || !isDense(second))
        return undefined;
      const shape = [
        ...x.shape.slice(0, axis),
        multiply(first.size, second.size),
        ...x.shape.slice(axis + 2),
      ];
      return b.reshape(x, shape);
    },
    (x) => {
      const ones = x.shape.findIndex((axis) => known(axis.size) === 1 && isDense(axis));
      return b.reshape(x, ones < 0 ? [...x.shape, 1] : x.shape.filter((_, i) => i !== ones));
    },
    // Index notation: a sum over a product of two repeated operands.
    (x) => {
      const y = from(pool);
      if (x.shape.length + y.shape.length > 5 || x.shape.length * y.shape.length === 0) return undefined;
      const i = choose(x.shape.length);
      const j = y.shape.findIndex((axis) => sameAxis(axis, x.shape[i]!));
      if (j < 0) return undefined;
      const others = y.shape.map((_, k) => k).filter((k) => k !== j);
      const shape = [...x.shape, ...others.map((k) => y.shape[k]!)];
      const turned = b.permute(y, [j, ...others]);
      const axes = [i, ...others.map((_, k) => x.shape.length + k)];
      const wide = b.broadcastTo(
        x,
        shape,
        x.shape.map((_, k) => k),
      );
      const product = b.mul(wide, b.broadcastTo(turned, shape, axes));
      const reduced = choose(3) === 0 ? [...new Set([i, shape.length - 1])] : [i];
      return b.sum(choose(2) === 0 ? product : b.mul(product, 0.5), reduced);
    },
    (x) => {
      const y = from(pool);
      if (x.shape.length + y.shape.length > 5 || x.shape.length * y.shape.length === 0) return undefined;
      const i = choose(x.shape.length);
      const j = y.shape.findIndex((axis) => sameAxis(axis, x.shape[i]!));
      if (j < 0) return undefined;
      const mine = x.shape.map((_, k) => k);
      const yours = y.shape.map((_, k) => (k === j ? i : x.shape.length + k));
      const all = [...mine, ...yours.filter((k) => k !== i)];
      const out = all.filter((k) => k !== i && choose(4) > 0);
      return b.contract(x, y, `${letters(mine)},${letters(yours)}->${letters(out)}`);
    },
    (x) => {
      const first = x.shape[0];
      if (first === undefined) return undefined;
      if (!isDense(first)) return b.combine(x, route, from(["token", "pick"] as const));
      if (known(first.size) !== tokens) return undefined;
      const second = x.shape[1];
      const perPick =
        second !== undefined && isDense(second) && known(second.size) === perToken && choose(2) === 0;
      return b.dispatch(x, route, perPick ? "pick" : "token");
    },
    (x) => {
      const first = x.shape[0];
      if (first === undefined || isDense(first) || x.shape.length !== 2 || known(x.shape[1]!.size) !== 2)
        return undefined;
      return b.contract(x, tensor([experts, 2, 2]), "rk,ekn->rn", { row: "r", group: "e" });
    },
    (x) => {
      const first = x.shape[0];
      if (first === undefined) return undefined;
      return isDense(first)
        ? known(first.size) === experts
          ? b.take(x, b.part(route, "group"))
          : undefined
        : b.reduceGroups("sum", x);
    },
    (x) => b.select(b.map("lt", x, 0), b.mul(x, 2), x),
  ];
  for (let step = 0; step < choices.length / 3; step++) {
    const recent = choose(3) === 0 ? pool : pool.slice(-3);
    const node = from(steps)(from(recent));
    if (node !== undefined && elements(node) <= 300) pool.push(node);
  }
  const last = pool.slice(-4);
  const outputs = last.map((node, i) => ({ name: `o${i}`, node }));
  if (gradients) {
    const loss = last.map((node) => b.sum(b.map("sin", node))).reduce((x, y) => b.add(x, y));
    for (const [leaf, gradient] of differentiate(b, loss, leaves))
      outputs.push({ name: `g${leaf.id}`, node: gradient });
  }
  return {
    graph: { name: "random", outputs, updates: [] },
    environment: { sizes: { T: 2 }, inputs: new Map([["picks", picks]]), tensors },
  };
}
