// Streamed kernels: what mixes rows of a sequence never stores a tile of [T, T], forward or backward, and says the same as
// the graph. Any mixing whose tile is summed away streams; masks, biases, caps and groups of heads are tables here.

import { describe, expect, test } from "vitest";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import { differentiate } from "../compiler/differentiate.ts";
import type { Graph, Node } from "../compiler/graph.ts";
import { lowerGraph } from "../compiler/lower.ts";
import type { LoweredBuffer, LoweredEntry } from "../compiler/lowered.ts";
import { nodesOf, rootsOf } from "../compiler/graph-walk.ts";
import type { Environment } from "../compiler/interpret-graph.ts";
import { simplify } from "../compiler/simplify.ts";
import { targets as devices, type Target } from "../compiler/target.ts";
import { evaluate, named, sizeKey } from "../runtime/size.ts";
import type { Size, Sizes } from "../runtime/size.ts";
import { expectWithinLimits, smallGpu } from "./helpers/gpu.ts";
import { noise } from "./helpers/gradient-check.ts";
import { expectLowered, runEntry } from "./helpers/lowered.ts";

const [B, T] = [named("B"), named("T")];

interface Mixing {
  /** Heads that queries, and that keys and values have. */
  readonly heads?: number;
  readonly shared?: number;
  readonly width?: number;
  readonly values?: number;
  /** Scores before the softmax, from products of queries and keys: [B, shared, heads of each, T, keys]. */
  readonly score?: (b: GraphBuilder, dot: Node, row: Node, column: Node) => Node;
  readonly share?: (b: GraphBuilder, score: Node) => Node;
  /** Positions of keys and values. */
  readonly keys?: Size;
  /** No gradients. */
  readonly forward?: boolean;
  /** Magnitude of queries. */
  readonly scale?: number;
  readonly tolerance?: number;
  /** Further outputs. */
  readonly also?: (b: GraphBuilder, share: Node) => Node;
}

const lowest = (b: GraphBuilder, like: Node): Node => b.broadcastTo(b.constant(-Infinity), like.shape);
const masked =
  (allowed: (b: GraphBuilder, row: Node, column: Node) => Node) =>
  (b: GraphBuilder, dot: Node, row: Node, column: Node): Node =>
    b.select(allowed(b, row, column), b.mul(dot, 0.3), lowest(b, dot));
const causal = masked((b, row, column) => b.map("le", column, row));
const and = (b: GraphBuilder, x: Node, y: Node): Node => b.map("and", x, y);
/** One value for each row, at every column. */
const along = (b: GraphBuilder, rows: Node, like: Node): Node =>
  b.expand(rows, like.shape, like.shape.length - 1);

const mixings: Readonly<Record<string, Mixing>> = {
  everything: { score: (b, dot) => b.mul(dot, 0.5) },
  causal: { heads: 2, score: causal },
  "later positions only": { score: masked((b, row, column) => b.map("lt", row, column)) },
  "a window": {
    score: masked((b, row, column) =>
      and(b, b.map("le", column, row), b.map("lt", b.sub(row, column), b.constant(7, "i32"))),
    ),
  },
  "a window on both sides": {
    score: masked((b, row, column) =>
      and(
        b,
        b.map("lt", b.sub(column, row), b.constant(3, "i32")),
        b.map("lt", b.sub(row, column), b.constant(20, "i32")),
      ),
    ),
  },
  "a mask for each head": {
    heads: 2,
    score: (b, dot, row, column) =>
      masked((_, m, j) => b.map("le", j, b.add(m, b.broadcastTo(b.index(dot.shape[1]!), dot.shape, [1]))))(
        b,
        dot,
        row,
        column,
      ),
  },
  "positions after others": {
    keys: named("S"),
    score: masked((b, row, column) =>
      b.map("le", column, b.add(row, b.broadcastTo(b.input("before", "i32"), row.shape))),
    ),
  },
  "a mask of data": {
    score: (b, dot, row, column) => {
      const there = b.map("lt", b.input("there", "f32", [T]), b.broadcastTo(b.constant(0.5), [T]));
      const first = b.map("eq", column, b.broadcastTo(b.constant(0, "i32"), column.shape));
      return causal(
        b,
        b.select(b.map("or", first, b.broadcastTo(there, dot.shape, [4])), dot, lowest(b, dot)),
        row,
        column,
      );
    },
  },
  "a bias by distance": {
    score: (b, dot, row, column) =>
      causal(b, b.sub(dot, b.mul(b.cast(b.sub(row, column), "f32"), 0.1)), row, column),
  },
  "a soft cap": {
    score: (b, dot, row, column) => causal(b, b.mul(b.map("tanh", b.div(dot, 4)), 4), row, column),
  },
  "two products in a score": {
    score: (b, dot, row, column) => {
      const x = b.input("x", "f32", [B, T, 3]);
      const other = b.contract(x, x, "btc,bsc->bts");
      return causal(b, b.add(dot, b.broadcastTo(other, dot.shape, [0, 3, 4])), row, column);
    },
  },
  "the difference of two softmaxes": {
    share: (b, score) => b.sub(b.softmax(score), b.mul(b.softmax(b.mul(score, -0.5)), 0.4)),
  },
  "keys of another sequence": { keys: named("S"), score: (b, dot) => b.mul(dot, 0.5) },
  "groups of heads": { heads: 4, shared: 2, width: 4, score: causal },
  "one key for all heads": { heads: 2, shared: 1, width: 4, score: causal },
  "wider values": { width: 4, values: 12, score: causal },
  "sigmoids instead of a softmax": {
    score: causal,
    share: (b, score) => b.map("sigmoid", score),
  },
  "sigmoids that sum to one": {
    score: causal,
    share: (b, score) => {
      const gate = b.map("sigmoid", score);
      return b.div(gate, along(b, b.sum(gate, [4]), gate));
    },
  },
  "a softmax with a silent one": {
    score: causal,
    share: (b, score) => {
      const e = b.map("exp", score);
      return b.div(e, along(b, b.add(b.sum(e, [4]), 1), e));
    },
  },
  // What is relative to a maximum of other numbers cannot be mended when that one grows.
  "a maximum of later scores only": {
    forward: true,
    scale: 3,
    share: (b, score) => {
      const [row, column] = [3, 4].map((axis) =>
        b.broadcastTo(b.index(score.shape[axis]!), score.shape, [axis]),
      ) as [Node, Node];
      const later = b.select(b.map("le", row, column), score, lowest(b, score));
      const e = b.map("exp", b.sub(score, along(b, b.reduce("max", later, [4]), score)));
      return b.div(e, along(b, b.sum(e, [4]), e));
    },
  },
  "large scores": { score: causal, scale: 100, tolerance: 5e-3 },
};

/** Two more bindings (the keys of random numbers) than the gradient of keys has to spare. */
const leftOut: Mixing = {
  score: causal,
  share: (b, score) =>
    b.mul(
      b.softmax(score),
      b.cast(b.map("lt", b.random(1, score.shape), b.broadcastTo(b.constant(0.7), score.shape)), "f32"),
    ),
};

interface Case {
  readonly graph: Graph;
  readonly inputs: (sizes: Sizes) => Map<string, Float64Array>;
}

/** q [B, T, shared, group, c], k [B, S, shared, c], v [B, S, shared, n] -> y [B, T, shared, group, n], and all gradients. */
function mixing({ heads = 1, shared = heads, width = 8, values = width, scale = 1, ...about }: Mixing): Case {
  const b = new GraphBuilder();
  const { keys = T } = about;
  const group = heads / shared;
  const [q, k, v, dy] = [
    b.input("q", "f32", [B, T, shared, group, width]),
    b.input("k", "f32", [B, keys, shared, width]),
    b.input("v", "f32", [B, keys, shared, values]),
    b.input("dy", "f32", [B, T, shared, group, values]),
  ];
  const dot = b.contract(q, k, "bthgc,bshc->bhgts");
  const row = b.broadcastTo(b.index(T), dot.shape, [3]);
  const column = b.broadcastTo(b.index(keys), dot.shape, [4]);
  const score = about.score?.(b, dot, row, column) ?? dot;
  const share = about.share?.(b, score) ?? b.softmax(score);
  const y = b.contract(share, v, "bhgts,bshn->bthgn");
  const outputs = [{ name: "y", node: y }];
  const leaves = about.forward === true ? [] : [q, k, v];
  for (const [leaf, node] of differentiate(b, b.sum(b.mul(y, dy)), leaves))
    outputs.push({ name: `d${leaf.op === "input" ? leaf.name : ""}`, node });
  if (about.also !== undefined) outputs.push({ name: "also", node: about.also(b, share) });
  const graph = simplify({ name: "mixing", outputs, updates: [] }, { removeStops: true });
  const inputs = (sizes: Sizes): Map<string, Float64Array> => {
    const given = new Map([
      ["$seed", Float64Array.of(5)],
      ["$draw", Float64Array.of(7)],
      ["before", Float64Array.of(1)],
    ]);
    for (const node of nodesOf(rootsOf(graph)))
      if (node.op === "input" && !given.has(node.name)) {
        const length = node.shape.reduce((count, { size }) => count * evaluate(size, sizes), 1);
        const factor = node.name === "q" ? scale : 1;
        given.set(
          node.name,
          noise(1 + given.size, length).map((x) => Math.fround(x * factor)),
        );
      }
    return given;
  };
  return { graph, inputs };
}

const environment = ({ inputs }: Case, sizes: Sizes): Environment => ({
  inputs: inputs(sizes),
  tensors: new Map(),
  sizes,
});

/** Temporaries that grow with the square of the length. */
function squares({ dispatches }: LoweredEntry): string[] {
  const at = (length: Size, long: number): number => evaluate(length, { B: 1, T: long, S: long });
  const found = new Set<string>();
  for (const { buffers } of dispatches)
    for (const buffer of buffers)
      if (buffer.kind === "temporary" && at(buffer.length, 2048) > 3 * at(buffer.length, 1024))
        found.add(buffer.label);
  return [...found];
}

/** Bytes that an entry's kernels read and write, and that its temporaries take. */
function traffic(
  { dispatches }: LoweredEntry,
  sizes: Sizes,
): { readonly moved: number; readonly kept: number } {
  const bytes = (length: Size): number => 4 * evaluate(length, sizes);
  const temporaries = new Set<LoweredBuffer>();
  let moved = 0;
  for (const { kernel, buffers } of dispatches)
    for (const [i, buffer] of buffers.entries()) {
      moved += bytes(kernel.buffers[i]!.length);
      if (buffer.kind === "temporary") temporaries.add(buffer);
    }
  const kept = [...temporaries].reduce(
    (sum, buffer) => sum + (buffer.kind === "temporary" ? bytes(buffer.length) : 0),
    0,
  );
  return { moved, kept };
}

const titles = ({ dispatches }: LoweredEntry): string[] =>
  dispatches.map(({ kernel, label }) => `${label.replace(/^.*: /, "")} | ${kernel.buffers.length}`);

describe("streams say what the graph says", () => {
  test.each(Object.entries(mixings))("%s", (_, about) => {
    const built = mixing(about);
    for (const [sizes, targets] of [
      [{ B: 2, T: 1, S: 3 }, ["interpreter", "wasm"]],
      [{ B: 1, T: 27, S: 5 }, ["interpreter", "wasm"]],
      [{ B: 1, T: 131, S: 50 }, ["wasm"]],
    ] as const) {
      const options = { stream: true, targets, tolerance: about.tolerance ?? 2e-4 };
      const entry = expectLowered(built.graph, environment(built, sizes), options);
      expect(squares(entry)).toEqual([]);
    }
  });
});

describe("streams on a GPU say what the graph says", () => {
  const check = (about: Mixing, sizes: Sizes, target: Target): void => {
    const built = mixing(about);
    const options = {
      stream: true,
      target,
      targets: ["interpreter"],
      tolerance: about.tolerance ?? 2e-4,
    } as const;
    const entry = expectLowered(built.graph, environment(built, sizes), options);
    expectWithinLimits(entry, target);
    expect(squares(entry)).toEqual([]);
  };
  test.each(Object.entries(mixings))("%s", (_, about) => check(about, { B: 1, T: 18, S: 34 }, smallGpu));

  test.each(["causal", "later positions only", "wider values"])("in larger workgroups: %s", (name) =>
    check(mixings[name]!, { B: 1, T: 37, S: 3 }, devices.cuda),
  );
});

describe("structure", () => {
  test("causal attention, forward and backward", () => {
    const entry = lowerGraph(mixing({ score: causal }).graph);
    expect(titles(entry)).toEqual([
      "stream max, sum, contract | 5",
      "sum | 3",
      "stream contract | 7",
      "stream contract x2 | 8",
    ]);
    expect(squares(entry)).toEqual([]);
  });

  test("heads of a usual size stream on every target; without a mask a thread stores them", () => {
    const usual = { width: 64, heads: 8 };
    for (const target of Object.values(devices))
      expect(squares(lowerGraph(mixing({ ...usual, score: causal }).graph, { target }))).toEqual([]);
    const whole = lowerGraph(mixing(usual).graph);
    expect(squares(whole)).not.toEqual([]);
    expect(whole.refusals.join("\n")).toMatch(/its products again in 3 kernels cost 1\.\d+ of storing it/);
  });

  test.each([
    ["the shares leave the entry", (_: GraphBuilder, share: Node) => share, "leaves the entry"],
    [
      "shares are mixed over heads",
      (b: GraphBuilder, share: Node) => b.contract(share, b.input("w", "f32", [2, 3]), "bhgts,hk->bkgts"),
      "sums neither side",
    ],
    ["the best share is chosen", (b: GraphBuilder, share: Node) => b.choose(share, 1), "choose reads"],
    [
      "shares are summed over everything",
      (b: GraphBuilder, share: Node) => b.sum(share),
      "over more than one side",
    ],
  ] as const)("stored when %s", (_, also, reason) => {
    const built = mixing({ heads: 2, score: causal, also });
    const entry = expectLowered(built.graph, environment(built, { B: 1, T: 9 }), {
      stream: true,
      targets: ["wasm"],
    });
    expect(entry.refusals.join("\n")).toContain(reason);
    expect(entry.dispatches.some(({ label }) => label.includes("stream"))).toBe(false);
  });

  test("stored when its kernels would bind too much", () => {
    const built = mixing(leftOut);
    const entry = expectLowered(built.graph, environment(built, { B: 1, T: 9 }), { stream: true });
    expect(entry.refusals.join("\n")).toContain("not streamed: more than 8 bindings");
    const forward = mixing({ ...leftOut, forward: true });
    const run = environment(forward, { B: 1, T: 29 });
    expect(squares(expectLowered(forward.graph, run, { stream: true }))).toEqual([]);
  });

  test.each([
    ["causal", causal, (row: number) => row < 72],
    ["a window", mixings["a window"]!.score!, (row: number) => row < 72 || row >= 152],
  ] as const)("%s: what the mask leaves out is not read", (_, score, untouched) => {
    const built = mixing({ score, forward: true });
    const run = environment(built, { B: 1, T: 200 });
    const poisoned = Array.from(run.inputs.get("v")!).map((x, i) => (i >= 72 * 8 && i < 100 * 8 ? NaN : x));
    const inputs = new Map([...run.inputs, ["v", poisoned]]);
    const entry = lowerGraph(built.graph, { stream: true });
    const y = runEntry(entry, { ...run, inputs }, "wasm").outputs.get("y")!;
    for (let row = 0; row < 200; row++) if (untouched(row)) expect(y[row * 8], `row ${row}`).not.toBeNaN();
    expect(y[90 * 8]).toBeNaN();
  });

  test("the softmax's gradient sums over the mixture, not over the tile", () => {
    const b = new GraphBuilder();
    const [x, v, dy] = ["x", "v", "dy"].map((name) => b.input(name, "f32", [T, 4])) as [Node, Node, Node];
    const y = b.contract(b.softmax(b.contract(x, x, "tc,sc->ts")), v, "ts,sc->tc");
    const node = differentiate(b, b.sum(b.mul(y, dy)), [x]).get(x)!;
    const rules: string[] = [];
    const graph = simplify(
      {
        name: "g",
        outputs: [
          { name: "y", node: y },
          { name: "dx", node },
        ],
        updates: [],
      },
      { trace: (rule) => rules.push(rule) },
    );
    expect(rules).toContain("row dot of a tile");
    const sums = nodesOf(rootsOf(graph)).filter((each) => each.op === "reduce" && each.fn === "sum");
    // the softmax's own sum, and the rows of y * dy
    expect(
      sums.map((each) => each.op === "reduce" && each.input.shape.map(({ size }) => sizeKey(size)).join()),
    ).toEqual(["T,T", "T,4"]);
  });

  test("bytes of a step", () => {
    const { graph } = mixing({ heads: 4, width: 32, score: causal });
    const lines = [128, 512, 2048].map((long) => {
      const sizes = { B: 4, T: long };
      const [stored, streamed] = [false, true].map((stream) =>
        traffic(lowerGraph(graph, { stream }), sizes),
      ) as [{ moved: number; kept: number }, { moved: number; kept: number }];
      expect(streamed.moved).toBeLessThan(stored.moved);
      // row values only: the maximum, the sum and the product of the mixture with its gradient
      expect(streamed.kept).toBe(3 * 4 * sizes.B * 4 * long);
      const mb = (bytes: number): string => (bytes / 1e6).toFixed(1).padStart(7);
      return `T ${String(long).padStart(4)}: moved ${mb(stored.moved)} -> ${mb(streamed.moved)} MB, kept ${mb(stored.kept)} -> ${mb(streamed.kept)} MB`;
    });
    console.log(lines.join("\n"));
  });
});
