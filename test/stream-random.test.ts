// Random mixings of rows: labels in any order, heads that queries, keys and values share or not, masks, biases, shares of any
// kind. Whatever of it streams says what the graph says, forward and backward, on a CPU or on a small GPU.

import { describe, expect, test } from "vitest";
import { differentiate } from "../compiler/differentiate.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import { nodesOf, rootsOf } from "../compiler/graph-walk.ts";
import type { Graph, Node } from "../compiler/graph.ts";
import { simplify } from "../compiler/simplify.ts";
import { threefry, uniform } from "../runtime/random.ts";
import { evaluate, named, type Size } from "../runtime/size.ts";
import { smallGpu } from "./helpers/gpu.ts";
import { noise } from "./helpers/gradient-check.ts";
import { expectLowered, type Target } from "./helpers/lowered.ts";

class Dice {
  private readonly seed: number;
  private rolls = 0;

  constructor(seed: number) {
    this.seed = seed;
  }

  chance(): number {
    return uniform(threefry(this.seed, 29, this.rolls++, 7)[0]);
  }

  pick<X>(from: readonly X[]): X {
    return from[Math.floor(this.chance() * from.length)]!;
  }

  shuffle(labels: Iterable<string>): string {
    const order = [...labels].map((label) => [this.chance(), label] as const);
    return order
      .sort((a, b) => a[0] - b[0])
      .map(([, label]) => label)
      .join("");
  }
}

/** One step from products to scores. */
function step(b: GraphBuilder, dice: Dice, x: Node, labels: string): Node {
  const [t, s] = [labels.indexOf("t"), labels.indexOf("s")];
  const along = (axis: number): Node => b.broadcastTo(b.index(x.shape[axis]!), x.shape, [axis]);
  const whole = (value: number): Node => b.broadcastTo(b.constant(value, "i32"), x.shape);
  const lowest = b.broadcastTo(b.constant(-Infinity), x.shape);
  const bias = (name: string, axis: number): Node =>
    b.broadcastTo(b.input(name, "f32", [x.shape[axis]!]), x.shape, [axis]);
  const steps: readonly (() => Node)[] = [
    () => b.mul(x, 0.4),
    () => b.map("tanh", x),
    () => b.add(x, bias("row", t)),
    () => b.mul(x, bias("column", s)),
    () => b.select(b.map("le", along(s), b.add(along(t), whole(dice.pick([0, 1, 3])))), x, lowest),
    () => b.select(b.map("lt", b.sub(along(t), along(s)), whole(dice.pick([1, 5, 20]))), x, lowest),
  ];
  return dice.pick(steps)();
}

function shares(b: GraphBuilder, dice: Dice, x: Node, axis: number): Node {
  const back = (rows: Node): Node => b.expand(rows, x.shape, axis);
  const kinds: readonly (() => Node)[] = [
    () => b.softmax(x, axis),
    () => b.map("sigmoid", x),
    () => {
      const e = b.map("exp", b.map("tanh", x));
      return b.div(e, back(b.sum(e, [axis])));
    },
    () => {
      const e = b.map("exp", b.sub(x, back(b.reduce("max", x, [axis]))));
      return b.mul(e, back(b.div(1, b.add(b.sum(e, [axis]), 0.5))));
    },
  ];
  return dice.pick([kinds[0]!, ...kinds])();
}

function randomMixing(dice: Dice): Graph {
  const b = new GraphBuilder();
  const long: Size | number = dice.pick([named("T"), named("T"), 11, 26]);
  const sizes: Readonly<Record<string, Size | number>> = {
    b: dice.pick([named("B"), 1, 2]),
    h: dice.pick([1, 2, 3]),
    g: dice.pick([1, 2]),
    t: long,
    s: dice.pick([long, long, named("S"), 9]),
    c: dice.pick([1, 3, 8, 17]),
    n: dice.pick([1, 4, 5, 12, 33]),
  };
  const given = (name: string, labels: string): Node =>
    b.input(
      name,
      "f32",
      [...labels].map((label) => sizes[label]!),
    );
  const queries = dice.pick(["bhgt", "bht", "bt", "t", "hbt"]);
  const keys = dice.pick(["bhs", "bs", "s", "hs"]);
  const [forQ, forK] = [dice.shuffle(`${queries}c`), dice.shuffle(`${keys}c`)];
  const [q, k] = [given("q", forQ), given("k", forK)];
  const labels = dice.shuffle(new Set(queries + keys));
  let x = b.contract(q, k, `${forQ},${forK}->${labels}`);
  for (let i = 0; i < 3; i++) x = step(b, dice, x, labels);
  const share = shares(b, dice, x, labels.indexOf("s"));
  const common = [...dice.pick(["bhs", "bs", "s", keys])].filter((label) => labels.includes(label));
  const forV = dice.shuffle([...common, "n"]);
  const v = given("v", forV);
  const kept = [...labels].filter(
    (label) => label !== "s" && (common.includes(label) || label === "t" || dice.chance() < 0.7),
  );
  const y = b.contract(share, v, `${labels},${forV}->${dice.shuffle([...kept, "n"])}`);
  const outputs = [{ name: "y", node: y }];
  const loss = b.sum(b.map("sin", b.mul(y, 3)));
  for (const [leaf, node] of differentiate(b, loss, [q, k, v]))
    outputs.push({ name: `d${leaf.op === "input" ? leaf.name : ""}`, node });
  return simplify({ name: "mixing", outputs, updates: [] }, { removeStops: true });
}

describe("random mixings", () => {
  let streamed = 0;
  const seeds = Array.from({ length: 24 }, (_, i) => i + 1);

  test.each(seeds)("%i", (seed) => {
    const dice = new Dice(seed);
    const graph = randomMixing(dice);
    const sizes = { B: 2, T: dice.pick([1, 7, 30]), S: dice.pick([5, 29]) };
    const inputs = new Map<string, Float64Array>();
    for (const node of nodesOf(rootsOf(graph)))
      if (node.op === "input") {
        const length = node.shape.reduce((count, { size }) => count * evaluate(size, sizes), 1);
        inputs.set(node.name, noise(seed * 7 + inputs.size, length).map(Math.fround));
      }
    const environment = { inputs, tensors: new Map<string, Float64Array>(), sizes };
    const everywhere: readonly Target[] = ["interpreter", "wasm"];
    const where =
      seed % 4 === 0
        ? { target: smallGpu, targets: everywhere.slice(0, 1) }
        : { targets: seed % 4 === 1 ? everywhere : everywhere.slice(1) };
    const entry = expectLowered(graph, environment, { stream: true, tolerance: 1e-3, ...where });
    if (entry.dispatches.some(({ label }) => label.includes("stream"))) streamed++;
  });

  test("most of them stream", () => expect(streamed).toBeGreaterThan(seeds.length * 0.7));
});
