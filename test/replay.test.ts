// Equal layers are elaborated once and asked for again: what comes out is what elaborating each of them makes, to the last number
// of a node and the path of its origin.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { elaborateModel, modelsOf, type Built, type ElaborateOptions } from "../compiler/elaborate/model.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import { dependenciesOf, nodesOf } from "../compiler/graph-walk.ts";
import type { Node } from "../compiler/graph.ts";
import type { Model } from "../compiler/model.ts";
import { printOperation, printType } from "../compiler/print-graph.ts";
import { loadModel } from "../compiler/resolve.ts";
import { stdlib } from "../stdlib/sources.ts";
import { load, told } from "./helpers/elaborate.ts";

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "operands" in value;

/** All that a model is in one mode, as text. */
function written(built: Built): string {
  const roots = new Set<Node>();
  const text = JSON.stringify(built, (_, value: unknown) => {
    if (!isNode(value)) return value;
    roots.add(value);
    return `%${value.id}`;
  });
  const lines = nodesOf([...roots]).map((node) => {
    const operands = dependenciesOf(node).map(({ id }) => `%${id}`);
    return `%${node.id} ${printOperation(node)} ${operands.join(" ")} ${printType(node)} ${JSON.stringify(node.origin)}`;
  });
  return [...lines, text].join("\n");
}

/** Counts nodes that are asked for with their type: those of a layer that is repeated. */
class CountingBuilder extends GraphBuilder {
  repeated = 0;
  override make(...of: Parameters<GraphBuilder["make"]>): Node {
    if (of[2] !== undefined) this.repeated++;
    return super.make(...of);
  }
}

type Mode = Omit<ElaborateOptions, "builder" | "repeats">;
const modes: readonly Mode[] = [
  { mode: "training" },
  { mode: "inference" },
  { mode: "inference", decode: { context: 16, batch: 1 } },
];

function elaborated(model: Model, name: string, mode: Mode, repeats: boolean) {
  const builder = new CountingBuilder();
  const { built, diagnostics } = elaborateModel(model, name, { ...mode, builder, repeats });
  const text = built === undefined ? told(model, diagnostics).join("\n") : written(built);
  return { text, repeated: builder.repeated };
}

/** Whether layers were repeated, in training; what comes out must be the same in all modes, with and without. */
function compare(model: Model, good = true): boolean {
  let repeated = false;
  for (const { name } of modelsOf(model))
    for (const mode of modes) {
      const [once, each] = [true, false].map((repeats) => elaborated(model, name.text, mode, repeats));
      expect(once!.text).toBe(each!.text);
      if (good) expect(each!.text).toMatch(/^%\d/);
      expect(each!.repeated).toBe(0);
      if (mode.mode === "training") repeated ||= once!.repeated > 0;
    }
  return repeated;
}

/** A model of a text with some layers, and what is done with `x`; `;` ends a line. */
const withLayers = (layers: string, body: string): Model =>
  load(
    `
import std.attention { CausalAttention }
import std.experts { Relu, SwiGLU }
import std.norms { RMSNorm }
import std.routers { LossFree, TopK }
${layers}
model M {
  modality text = tokens(vocab = 5)
  param table: [5, 4]
  x = table[text]
  ${body}
  logits = x @ transpose(table)
  loss cross_entropy(logits, text.next)
}
train M {
  data text = bytes("data.txt")
  batch 2 of 6
  steps 4
  optimizer sgd { rate = 0.1 }
}`.replaceAll("; ", "\n"),
  );

const turns = (line: string): string => `repeat 4 { ${line} }`;
const block = `
moe Experts(D, H)(x: [D]) -> [D] {
  shared SwiGLU(D, H)
  routed SwiGLU(D, H) * 4
  null zero
  router LossFree { k = 2 }
}
layer Block(D)(x: [T, D]) -> [T, D] {
  x = x + CausalAttention(D, heads = 2)(RMSNorm(x))
  x + Experts(D, 2 * D)(RMSNorm(x))
}`;

describe("asked for again", () => {
  test.each<readonly [string, string, string]>([
    ["attention and routed experts with a state", block, turns("x = Block(4)(x)")],
    [
      "a layer of layers",
      `${block}; layer Two(D)(x: [T, D]) -> [T, D] { repeat 3 { x = Block(D)(x) }; x }`,
      turns("x = Two(4)(x)"),
    ],
    [
      "random numbers",
      "layer Noisy(D)(x: [D]) -> [D] { param w: [D, D]; x = x + normal(x); (x @ w) * uniform(x) }",
      turns("x = Noisy(x)"),
    ],
    [
      "losses and metrics",
      "layer Small(D)(x: [D]) -> [D] { param w: [D, D]; y = x @ w; loss small = 0.1 * mean(square(y)); metric size = mean(abs(y)); y }",
      turns("x = Small(x)"),
    ],
    [
      "an initialiser that copies",
      "layer Pair(D)(x: [D]) -> [D] { param a: [D, D]; param b: [D, D] = copy(a); x @ a + x @ b }",
      turns("x = Pair(x)"),
    ],
    [
      "two inputs",
      "layer Both(D)(x: [D], y: [D]) -> [D] { param w: [D, D]; x @ w + y }",
      turns("y = 2 * x; x = Both(x, y)"),
    ],
    [
      "what is left behind in decoding",
      "layer Before(D)(x: [T, D]) -> [T, D] { param w: [D, D]; x + previous(x, 1) @ w + mean(x over T) }",
      turns("x = Before(x)"),
    ],
    [
      "an expert as a static",
      "layer With(D, F)(x: [D]) -> [D] { x + F(x) }",
      turns("x = With { F = Relu { H = 6 } }(x)"),
    ],
  ])("%s", (_, layers, body) => expect(compare(withLayers(layers, body))).toBe(true));
});

const gain = "layer Gain(D, by)(x: [D]) -> [D] { param w: [D]; x + by * x * w }";
const both = "layer Both(D)(x: [D], y: [D]) -> [D] { param w: [D, D]; x @ w + y }";

describe("elaborated each", () => {
  test.each<readonly [string, string, string]>([
    ["another static in each turn", gain, "repeat i in 4 { x = Gain { by = i }(x) }"],
    [
      "parameters of others",
      "layer Own(D)(x: [D]) -> [D] { param w: [D, D]; x @ w }",
      `one = Own { D = 4 }; ${turns("x = one(x)")}`,
    ],
    [
      "a part that the giver has bound",
      "layer With(D, F)(x: [D]) -> [D] { x + F(x) }",
      `one = Relu(4, 6); ${turns("x = With { F = one }(x)")}`,
    ],
    ["one input first, then two", both, "repeat i in 2 { y = if i == 0 then x else 2 * x; x = Both(x, y) }"],
    [
      "a gradient, which looks into nodes",
      "layer Climb(D)(x: [D]) -> [D] { param v: [D]; x + gradient(sum(v * tanh(x)), x) }",
      turns("x = Climb(x)"),
    ],
    [
      "a function, whose parts are the caller's",
      `${gain}; function Twice(x: [D]) -> [D] { Gain { by = 2 }(x) }`,
      turns("x = Twice(x)"),
    ],
  ])("%s", (_, layers, body) => expect(compare(withLayers(layers, body))).toBe(false));
});

test("a mistake that only numbers show is found in the turn that makes it", () => {
  const model = withLayers(gain, "repeat i in 4 { x = Gain { by = 1 }(x[0, t]) }");
  expect(compare(model, false)).toBe(false);
});

const folders = ["examples", "test/programs"];
const files = folders.flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".moe") && !/(^|\/)(node_modules|runs)\//.test(file))
    .map((file) => join(folder, file)),
);

test("every program of the project", () => {
  const read = (path: string): string => stdlib[path] ?? readFileSync(path, "utf8");
  const repeated = files.filter((file) => compare(loadModel({ read }, file), false));
  expect(files.length).toBeGreaterThan(100);
  expect(repeated.length).toBeGreaterThan(5);
  expect(new Set(repeated.map((file) => dirname(file).split("/")[0]))).toEqual(new Set(["examples", "test"]));
});
