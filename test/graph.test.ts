// The graph level's ground: the builder's types and errors, the interpreter as the meaning of every operation, the
// printer and the verifier.

import { describe, expect, test } from "vitest";
import type { Graph, Node } from "../compiler/graph.ts";
import { raggedBy } from "../compiler/graph-axis.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import { interpretGraph, type Environment } from "../compiler/interpret-graph.ts";
import { printGraph } from "../compiler/print-graph.ts";
import { verifyGraph } from "../compiler/verify-graph.ts";
import { threefry } from "../runtime/random.ts";
import { add, constant, named } from "../runtime/size.ts";

type Numbers = Readonly<Record<string, readonly number[]>>;

const graphOf = (...nodes: readonly Node[]): Graph => ({
  name: "test",
  outputs: nodes.map((node, i) => ({ name: `o${i}`, node })),
  updates: [],
});

function evaluate(build: (b: GraphBuilder) => Node, values: Numbers = {}, sizes = {}): readonly number[] {
  const graph = graphOf(build(new GraphBuilder()));
  verifyGraph(graph);
  const given = new Map(Object.entries(values));
  const environment: Environment = { sizes, inputs: given, tensors: given };
  return [...interpretGraph(graph, environment).outputs.get("o0")!.data].map((x) => x + 0);
}

type Case = readonly [
  text: string,
  build: (b: GraphBuilder) => Node,
  expected: readonly number[],
  values?: Numbers,
];
function table(cases: readonly Case[]): void {
  const filled = cases.map(
    ([text, build, expected, values = {}]) => [text, build, expected, values] as const,
  );
  test.each(filled)("%s", (_, build, expected, values) => {
    const actual = evaluate(build, values, { T: 3 });
    expect(actual).toHaveLength(expected.length);
    expected.forEach((number, i) => expect(actual[i]).toBeCloseTo(number, 12));
  });
}

const x = (b: GraphBuilder, ...shape: number[]): Node => b.tensor("x", shape);
const ids = (b: GraphBuilder, ...shape: number[]): Node => b.input("ids", "i32", shape);
const count = (length: number): readonly number[] => Array.from({ length }, (_, i) => i + 1);

describe("element-wise", () => {
  table([
    [
      "round halves to even",
      (b) => b.map("round", x(b, 5)),
      [-2, 0, 0, 2, 2],
      { x: [-1.5, -0.5, 0.5, 1.5, 2.4] },
    ],
    ["truncate", (b) => b.cast(x(b, 4), "i32"), [1, -1, 0, 2147483647], { x: [1.9, -1.9, NaN, 1e20] }],
    ["min of NaN is the other", (b) => b.map("min", x(b, 2), 3), [3, 2], { x: [NaN, 2] }],
    ["max of NaN is the other", (b) => b.map("max", 3, x(b, 2)), [3, 4], { x: [NaN, 4] }],
    ["i32 wraps", (b) => b.map("mul", ids(b, 1), 65537), [-2147450880], { ids: [32768] }],
    ["i32 division", (b) => b.map("div", ids(b, 3), 3), [0, 1, 2], { ids: [2, 5, 6] }],
    ["i32 remainder", (b) => b.map("mod", ids(b, 3), 3), [2, 2, 0], { ids: [2, 5, 6] }],
    ["erf", (b) => b.map("erf", x(b, 3)), [0.8427007929497149, -0.9953222650189527, 1], { x: [1, -2, 7] }],
    ["select", (b) => b.select(b.map("lt", x(b, 2), 0), 1, x(b, 2)), [1, 5], { x: [-3, 5] }],
    ["a size", (b) => b.add(b.cast(b.size(add(named("T"), constant(1))), "f32"), 0.5), [4.5]],
    [
      "one hot, ids outside match nothing",
      (b) => b.cast(b.oneHot(ids(b, 3), 2), "f32"),
      [0, 1, 0, 0, 0, 0],
      { ids: [1, 2, -1] },
    ],
  ]);
});

describe("views", () => {
  const six = { x: count(6) };
  table([
    ["permute", (b) => b.permute(x(b, 1, 2, 3), [2, 0, 1]), [1, 4, 2, 5, 3, 6], six],
    ["reshape", (b) => b.sum(b.reshape(x(b, 6), [3, 2]), [1]), [3, 7, 11], six],
    ["broadcast", (b) => b.broadcastTo(x(b, 2), [2, 2, 2], [1]), [1, 1, 2, 2, 1, 1, 2, 2], { x: [1, 2] }],
    ["slice", (b) => b.slice(x(b, 2, 3), 1, 1, 2), [2, 3, 5, 6], six],
    ["pad", (b) => b.pad(x(b, 3), 0, 1, 2), [0, 1, 2, 3, 0, 0], { x: [1, 2, 3] }],
    ["concat", (b) => b.concat([x(b, 1, 3), b.mul(x(b, 1, 3), 2)], 0), [1, 2, 3, 2, 4, 6], { x: [1, 2, 3] }],
    ["a symbolic axis", (b) => b.index(named("T")), [0, 1, 2]],
  ]);
  test("identity views vanish", () => {
    const b = new GraphBuilder();
    const node = x(b, 2, 3);
    expect(b.permute(node, [0, 1])).toBe(node);
    expect(b.reshape(node, [2, 3])).toBe(node);
    expect(b.slice(node, 1, 0, 3)).toBe(node);
    expect(b.pad(node, 1, 0, 0)).toBe(node);
    expect(b.broadcastTo(node, [2, 3], [0, 1])).toBe(node);
  });
});

describe("reductions, scans, choices", () => {
  const scores = [0.5, NaN, 0.9, 0.5, -Infinity, -Infinity, NaN, -1];
  table([
    ["sum", (b) => b.sum(x(b, 2, 3), [0]), [5, 7, 9], { x: count(6) }],
    ["mean", (b) => b.mean(x(b, 2, 3), [-1]), [2, 5], { x: count(6) }],
    ["max passes over NaN", (b) => b.reduce("max", x(b, 3)), [2], { x: [1, NaN, 2] }],
    ["max of nothing", (b) => b.reduce("max", x(b, 0)), [-Infinity], { x: [] }],
    ["sum of nothing", (b) => b.sum(x(b, 0)), [0], { x: [] }],
    ["scan", (b) => b.scan(x(b, 2, 3), 1), [1, 3, 6, 4, 9, 15], { x: count(6) }],
    ["exclusive scan", (b) => b.scan(x(b, 3), 0, { exclusive: true }), [0, 1, 3], { x: count(3) }],
    ["reverse scan", (b) => b.scan(x(b, 3), 0, { reverse: true }), [6, 5, 3], { x: count(3) }],
    [
      "choose: NaN and -inf never, ties to the lower",
      (b) => b.choose(x(b, 2, 4), 3),
      [2, 0, 3, 3, -1, -1],
      { x: scores },
    ],
    [
      "choose as mask",
      (b) => b.cast(b.choose(x(b, 2, 4), 2, "mask"), "f32"),
      [1, 0, 1, 0, 0, 0, 0, 1],
      { x: scores },
    ],
    ["choose: infinite ties", (b) => b.choose(x(b, 3), 2), [0, 2], { x: [Infinity, 1, Infinity] }],
    ["softmax", (b) => b.softmax(x(b, 2)), [0.5, 0.5], { x: [1000, 1000] }],
    ["logsumexp", (b) => b.logsumexp(x(b, 2)), [1000 + Math.log(2)], { x: [1000, 1000] }],
    [
      "take",
      (b) => b.take(x(b, 2, 3), ids(b, 3)),
      [4, 5, 6, 0, 0, 0, 0, 0, 0],
      { x: count(6), ids: [1, 2, -1] },
    ],
    [
      "take with a shared axis",
      (b) => b.take(x(b, 2, 3), ids(b, 2, 2), 1),
      [2, 0, 4, 6],
      { x: count(6), ids: [1, 3, 0, 2] },
    ],
    ["contract", (b) => b.contract(x(b, 2, 3), x(b, 2, 3), "mk,nk->nm"), [14, 32, 32, 77], { x: count(6) }],
  ]);
});

describe("routing", () => {
  // Token 0: groups 2 and 0. Token 1: none, 2. Token 2: 2 and 9, which is no group.
  const picks = { picks: [2, 0, -1, 2, 2, 9], x: [1, 2, 3] };
  const route = (b: GraphBuilder) => b.route(b.input("picks", "i32", [3, 2]), 3);
  const rows = (b: GraphBuilder): Node => b.dispatch(x(b, 3), route(b));
  const grouped = { row: "r", group: "e" };
  table([
    ["offsets", (b) => b.part(route(b), "offsets"), [0, 1, 1, 4], picks],
    ["source", (b) => b.part(route(b), "source"), [1, 0, 3, 4], picks],
    ["group", (b) => b.part(route(b), "group"), [0, 2, 2, 2], picks],
    ["slot", (b) => b.part(route(b), "slot"), [1, 0, -1, 2, 3, -1], picks],
    ["dispatch per token", rows, [1, 1, 2, 3], picks],
    [
      "dispatch per pick",
      (b) => b.dispatch(b.cast(b.input("picks", "i32", [3, 2]), "f32"), route(b), "pick"),
      [0, 2, 2, 2],
      picks,
    ],
    ["combine per token", (b) => b.combine(b.mul(rows(b), rows(b)), route(b)), [2, 4, 9], picks],
    ["combine per pick", (b) => b.combine(rows(b), route(b), "pick"), [1, 1, 0, 2, 3, 0], picks],
    ["sum of rows", (b) => b.sum(rows(b)), [7], picks],
    ["sums of groups", (b) => b.reduceGroups("sum", rows(b)), [1, 0, 6], picks],
    ["maxima of groups", (b) => b.reduceGroups("max", rows(b)), [1, -Infinity, 3], picks],
    [
      "a number per group",
      (b) => b.contract(rows(b), b.cast(b.index(3), "f32"), "r,e->r", grouped),
      [0, 2, 4, 6],
      picks,
    ],
    ["sums of groups by contract", (b) => b.contract(rows(b), rows(b), "r,r->e", grouped), [1, 0, 14], picks],
    ["a repeat over rows", (b) => b.broadcastTo(b.constant(5), [raggedBy(route(b))]), [5, 5, 5, 5], picks],
    ["nothing routed", (b) => b.sum(rows(b)), [0], { picks: [-1, -1, -1, -1, -1, -1], x: [1, 2, 3] }],
  ]);
  test("dispatch and combine are transposes", () => {
    const sides = (b: GraphBuilder, side: "left" | "right"): Node => {
      const own = b.tensor("rows", [4]);
      const weight = b.take(own, b.cast(b.index(raggedBy(route(b))), "i32"));
      return side === "left"
        ? b.sum(b.mul(b.dispatch(x(b, 3), route(b)), weight))
        : b.sum(b.mul(x(b, 3), b.combine(weight, route(b))));
    };
    const values = { ...picks, rows: [0.3, -2, 0.7, 5] };
    expect(evaluate((b) => sides(b, "left"), values)).toEqual(evaluate((b) => sides(b, "right"), values));
  });
  test("more rows than the bound is an error", () => {
    const build = (b: GraphBuilder): Node =>
      b.part(b.route(b.input("picks", "i32", [3, 2]), 3, constant(3)), "offsets");
    expect(() => evaluate(build, picks)).toThrow("internal: a routing made 4 rows, bound 3");
  });
});

test("random numbers are counter-based", () => {
  const numbers = evaluate((b) => b.random(7, [2, 2]), { $seed: [11], $draw: [5] });
  expect(numbers).toEqual([0, 1, 2, 3].map((i) => (threefry(11, 5, i, 7)[0] >>> 8) * 2 ** -24));
});

test("nodes are made once, and letters do not matter", () => {
  const b = new GraphBuilder();
  expect(b.add(x(b, 3), 1)).toBe(b.add(x(b, 3), 1));
  expect(b.contract(x(b, 2, 2), x(b, 2, 2), "ik,kj->ij")).toBe(
    b.contract(x(b, 2, 2), x(b, 2, 2), "mk,kn->mn"),
  );
  expect(b.contract(x(b, 2, 2), x(b, 2, 2), "ik,kj->ji")).not.toBe(
    b.contract(x(b, 2, 2), x(b, 2, 2), "mk,kn->mn"),
  );
  expect(b.constant(0)).not.toBe(b.constant(-0));
  expect(b.constant(NaN)).toBe(b.constant(NaN));
  // Sizes are equal by what they say, not by the objects that say it.
  const batch = () => [named("B"), 3];
  expect(b.broadcastTo(b.constant(0), batch())).toBe(b.broadcastTo(b.constant(0), batch()));
});

test("nodes that differ in anything are different, and all have one layout", () => {
  const b = new GraphBuilder();
  const route = b.route(ids(b, 3, 2), 4);
  const square = x(b, 3, 3);
  const made = [
    ...[b.input("x", "f32", [3]), b.tensor("x", [3]), b.tensor("x", [4]), b.tensor("x", [3], "i32"), square],
    ...[b.constant(1), b.constant(1, "i32"), b.constant(true), b.index(3), b.index(4), b.random(1, [3])],
    ...[b.random(2, [3]), b.random(1, [4]), b.size(named("B")), b.size(named("T"))],
    ...[b.map("sub", x(b, 3), 1), b.map("sub", 1, x(b, 3)), b.map("min", x(b, 3), 1)],
    ...[b.permute(square, [1, 0]), b.reshape(square, [9]), b.reshape(square, [1, 9])],
    ...[b.broadcastTo(x(b, 3), [3, 3], [0]), b.broadcastTo(x(b, 3), [3, 3], [1])],
    ...[
      b.slice(square, 0, 1, 2),
      b.slice(square, 0, 0, 2),
      b.slice(square, 1, 1, 2),
      b.slice(square, 1, 1, 1),
    ],
    ...[b.pad(square, 0, 1, 0), b.pad(square, 0, 0, 1), b.pad(square, 1, 0, 1)],
    ...[b.reduce("sum", square, [0]), b.reduce("sum", square, [1]), b.reduce("max", square, [0])],
    ...[b.scan(square, 0), b.scan(square, 0, { reverse: true }), b.scan(square, 0, { exclusive: true })],
    ...[b.choose(square, 1), b.choose(square, 2), b.choose(square, 1, "mask")],
    ...[route, b.route(ids(b, 3, 2), 5), b.part(route, "slot"), b.part(route, "offsets")],
    ...[
      b.part(route, "source"),
      b.dispatch(square, route),
      b.dispatch(b.broadcastTo(square, [3, 2, 3], [0, 2]), route, "pick"),
    ],
    ...[b.combine(b.dispatch(square, route), route), b.combine(b.dispatch(square, route), route, "pick")],
    ...[b.take(square, ids(b, 3)), b.take(square, ids(b, 3), 1)],
  ];
  expect(new Set(made).size).toBe(made.length);
  expect(new Set(made.map((node) => Object.keys(node).join())).size).toBe(1);
});

describe("our own mistakes are named", () => {
  const route = (b: GraphBuilder) => b.route(ids(b, 3, 2), 4);
  const cases: readonly (readonly [string, (b: GraphBuilder) => Node])[] = [
    ["operands differ in shape, in add(%0: f32[3], %1: f32[4])", (b) => b.add(x(b, 3), x(b, 4))],
    ["operands differ in dtype", (b) => b.add(x(b, 3), ids(b, 3))],
    ["exp does not take i32", (b) => b.map("exp", ids(b, 3))],
    ["the condition is not bool", (b) => b.select(x(b, 3), 1, x(b, 3))],
    ["cannot reshape to [4], in reshape(%0: f32[3])", (b) => b.reshape(x(b, 3), [4])],
    ["cannot broadcast to [3, 2]", (b) => b.broadcastTo(x(b, 3), [3, 2], [1])],
    ["not a permutation", (b) => b.permute(x(b, 3, 2), [0, 0])],
    ["the slice is not within 3", (b) => b.slice(x(b, 3), 0, 2, 2)],
    [
      "k is 3 and 4, in contract mk,kn->mn",
      (b) => b.contract(x(b, 2, 3), b.tensor("y", [4, 2]), "mk,kn->mn"),
    ],
    ["nothing has the label z", (b) => b.contract(x(b, 2, 3), b.tensor("y", [3, 2]), "mk,kn->mz")],
    ["kk repeats a label", (b) => b.contract(x(b, 3, 3), x(b, 3, 3), "kk,kn->n")],
    [
      "r labels no ragged axis",
      (b) => b.contract(x(b, 3, 3), x(b, 3, 3), "rk,kn->rn", { row: "r", group: "e" }),
    ],
    ["picks are i32 [tokens, K]", (b) => b.route(ids(b, 3), 4, constant(3))],
    ["the operand does not begin with [3]", (b) => b.dispatch(x(b, 4), route(b))],
    ["cannot reshape", (b) => b.reshape(b.dispatch(x(b, 3), route(b)), [6])],
    ["slices a dense axis only", (b) => b.slice(b.dispatch(x(b, 3), route(b)), 0, 0, 1)],
    ["groups need one ragged axis", (b) => b.reduceGroups("sum", x(b, 3))],
    ["the mean over a ragged axis", (b) => b.mean(b.dispatch(x(b, 3), route(b)))],
  ];
  test.each(cases)("%s", (message, build) =>
    expect(() => build(new GraphBuilder())).toThrow(`internal: ${message}`),
  );

  test("two routings have different rows", () => {
    const b = new GraphBuilder();
    const other = b.route(ids(b, 3, 2), 5);
    expect(() => b.add(b.dispatch(x(b, 3), route(b)), b.dispatch(x(b, 3), other))).toThrow(
      "operands differ in shape",
    );
  });
});

describe("verify", () => {
  const b = new GraphBuilder();
  b.constant(7); // takes id 0, which the graph does not use
  const good = b.add(x(b, 3), 1);
  test("a wrong dtype", () =>
    expect(() => verifyGraph(graphOf({ ...good, dtype: "i32" } as Node))).toThrow(
      "internal: this should be f32[3]: %4 = add",
    ));
  test("an operand after its user", () =>
    expect(() => verifyGraph(graphOf({ ...good, id: 0 } as Node))).toThrow("is made after its user"));
  test("nodes of two builders", () => {
    const other = new GraphBuilder();
    other.constant(8);
    expect(() => verifyGraph(graphOf(good, x(other, 4)))).toThrow("nodes of two builders");
  });
  test("an update of another shape", () =>
    expect(() => verifyGraph({ ...graphOf(good), updates: [{ tensor: "x", node: b.sum(good) }] })).toThrow(
      "x is f32[3] and its new value is not",
    ));
  test("two outputs of one name", () =>
    expect(() =>
      verifyGraph({
        ...graphOf(),
        outputs: [
          { name: "y", node: good },
          { name: "y", node: good },
        ],
      }),
    ).toThrow("two outputs are called y"));
});

test("a graph prints one line per node", () => {
  const b = new GraphBuilder();
  b.origin = { path: "ffn" };
  const route = b.route(b.choose(b.tensor("scores", [named("T"), 4]), 2), 4);
  const rows = b.dispatch(b.tensor("x", [named("T"), 8]), route);
  const y = b.contract(rows, b.tensor("w", [4, 8, 16]), "rk,ekn->rn", { row: "r", group: "e" });
  b.origin = { path: "loss" };
  const graph: Graph = {
    name: "forward",
    outputs: [{ name: "load", node: b.part(route, "offsets") }],
    updates: [{ tensor: "seen", node: b.sum(y) }],
  };
  expect(printGraph(graph)).toBe(`graph forward
  %0 = tensor scores : f32[T, 4]  // ffn
  %1 = choose 2 as ids %0 : i32[T, 2]
  %2 = route to 4 within 2*T %1 : i32[2*T]
  %3 = tensor x : f32[T, 8]
  %4 = dispatch per token %3 %2 : f32[R<=2*T@2, 8]
  %5 = tensor w : f32[4, 8, 16]
  %6 = contract rk,ekn->rn (e of r) %4 %5 : f32[R<=2*T@2, 16]
  %7 = part offsets %2 : i32[5]  // loss
  %8 = reduce sum 0,1 %6 : f32
  output load = %7
  update seen = %8
`);
});
