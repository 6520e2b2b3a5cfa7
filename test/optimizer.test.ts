// Each optimiser against an independent plain implementation, several steps, through the graph interpreter.
import { describe, expect, test } from "vitest";
import { clipping, optimise, optimizerDefaults, type OptimizerName } from "../compiler/build/optimizer.ts";
import { constantRate, cosine, exponential, linear, warmupStableDecay } from "../compiler/build/schedule.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Node } from "../compiler/graph.ts";
import { interpretGraph } from "../compiler/interpret-graph.ts";
import type { Tensor } from "../runtime/program.ts";

const tensor = (name: string, shape: readonly number[]): Tensor => ({
  name,
  role: "parameter",
  type: "f32",
  shape,
  init: { kind: "constant", value: 0 },
});

/** Deterministic, uneven numbers. */
const wave = (count: number, phase: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.sin(1.7 * i + phase) + 0.3 * Math.cos(0.31 * i * phase));

/** Values of a parameter after some steps of the compiled optimiser. */
function run(name: OptimizerName, shape: readonly number[], steps: number, rate = 0.1): number[] {
  const count = shape.reduce((a, b) => a * b, 1);
  let values = new Map<string, number[]>([["w", wave(count, 1)]]);
  for (let step = 0; step < steps; step++) {
    const builder = new GraphBuilder();
    const parameter = {
      tensor: tensor("w", shape),
      value: builder.tensor("w", shape),
      gradient: builder.input("g", "f32", shape),
      factor: 1,
    };
    const { updates, tensors } = optimise(builder, name, { rate }, [parameter], builder.input("step", "f32"));
    const { updates: results } = interpretGraph(
      { name, outputs: [], updates },
      {
        sizes: {},
        inputs: new Map([
          ["g", wave(count, step + 2)],
          ["step", [step]],
        ]),
        tensors: new Map([
          ...tensors.map(({ name }): [string, number[]] => [
            name,
            values.get(name) ?? wave(count, 0).fill(0),
          ]),
          ["w", values.get("w")!],
        ]),
      },
    );
    values = new Map([...results].map(([key, value]) => [key, [...value.data]]));
  }
  return values.get("w")!;
}

type Vector = number[];
/** One parameter's plain update: (w, g, memory, step) -> w. */
type Plain = (w: Vector, g: Vector, memory: Record<string, Vector>, step: number, matrix: boolean) => Vector;
const zeros = (w: Vector): Vector => w.map(() => 0);

const plain: Record<Exclude<OptimizerName, "muon">, Plain> = {
  adamw: (w, g, memory, step, matrix) => {
    const m = (memory["m"] = (memory["m"] ?? zeros(w)).map((m, i) => 0.9 * m + 0.1 * g[i]!));
    const v = (memory["v"] = (memory["v"] ?? zeros(w)).map((v, i) => 0.95 * v + 0.05 * g[i]! ** 2));
    return w.map((x, i) => {
      const mean = m[i]! / (1 - 0.9 ** (step + 1));
      const size = Math.sqrt(v[i]! / (1 - 0.95 ** (step + 1)));
      return x - 0.1 * (mean / (size + 1e-8) + (matrix ? 0.1 * x : 0));
    });
  },
  sgd: (w, g, memory) => {
    const v = (memory["v"] = (memory["v"] ?? zeros(w)).map((v, i) => 0.9 * v + g[i]!));
    return w.map((x, i) => x - 0.1 * v[i]!);
  },
  lion: (w, g, memory, _step, matrix) => {
    const m = memory["m"] ?? zeros(w);
    memory["m"] = m.map((m, i) => 0.99 * m + 0.01 * g[i]!);
    return w.map((x, i) => x - 0.1 * (Math.sign(0.9 * m[i]! + 0.1 * g[i]!) + (matrix ? 0.1 * x : 0)));
  },
};

describe("optimisers", () => {
  for (const name of ["adamw", "sgd", "lion"] as const)
    for (const shape of [[3, 4], [5]])
      test(`${name} on [${shape.join(", ")}]`, () => {
        const count = shape.reduce((a, b) => a * b, 1);
        let w = wave(count, 1);
        const memory = {};
        for (let step = 0; step < 4; step++)
          w = plain[name](w, wave(count, step + 2), memory, step, shape.length > 1);
        const ours = run(name, shape, 4);
        ours.forEach((value, i) => expect(value).toBeCloseTo(w[i]!, 10));
      });

  test("muon makes singular values alike, for stacks of matrices and both orientations", () => {
    for (const shape of [
      [2, 3, 5],
      [2, 5, 3],
      [4, 4],
    ]) {
      // One step from zero momentum along one gradient: the change is the orthogonalised gradient, up to scale.
      const count = shape.reduce((a, b) => a * b, 1);
      const before = wave(count, 1);
      const after = run("muon", shape, 1, 1);
      const [rows, columns] = shape.slice(-2) as [number, number];
      const scale = Math.sqrt(Math.max(1, rows / columns));
      const change = before.map((x, i) => (x * (1 - 0.1) - after[i]!) / scale);
      for (let at = 0; at < count; at += rows * columns) {
        const x = change.slice(at, at + rows * columns);
        // The trace of X X^T is the sum of squared singular values: each is in [0.68, 1.13] by Jordan's analysis.
        const squares = x.reduce((sum, value) => sum + value * value, 0);
        const rank = Math.min(rows, columns);
        expect(squares / rank).toBeGreaterThan(0.4);
        expect(squares / rank).toBeLessThan(1.4);
      }
    }
  });

  test("muon leaves tables and vectors to adamw", () => {
    expect(run("muon", [5], 1)).toEqual(runAs("muon-vector", [5]));
  });

  test("every optimiser needs a rate", () => {
    for (const name of Object.keys(optimizerDefaults) as OptimizerName[])
      expect(() => {
        const builder = new GraphBuilder();
        const w = builder.tensor("w", [2, 2]);
        optimise(
          builder,
          name,
          {},
          [{ tensor: tensor("w", [2, 2]), value: w, gradient: w, factor: 1 }],
          builder.constant(0),
        );
      }).toThrow(/internal: .* without rate/);
  });
});

/** AdamW's plain step with muon's rate for the rest (3e-3) on a vector. */
function runAs(_name: string, shape: readonly number[]): number[] {
  const count = shape[0]!;
  const g = wave(count, 2);
  return wave(count, 1).map((x, i) => {
    const mean = ((1 - 0.9) * g[i]!) / (1 - 0.9 ** 1);
    const size = Math.sqrt(((1 - 0.95) * g[i]! ** 2) / (1 - 0.95 ** 1));
    return x - 3e-3 * (mean / (size + 1e-8));
  });
}

const scalar = (make: (builder: GraphBuilder) => Node): number => {
  const builder = new GraphBuilder();
  const { outputs } = interpretGraph(
    { name: "scalar", outputs: [{ name: "out", node: make(builder) }], updates: [] },
    { sizes: {}, inputs: new Map(), tensors: new Map() },
  );
  return outputs.get("out")!.data[0]!;
};

describe("schedules", () => {
  const at = (step: number, make: (b: GraphBuilder, clock: { step: Node; steps: number }) => Node): number =>
    scalar((builder) => make(builder, { step: builder.constant(step), steps: 100 }));
  test.each([
    ["constant, warm-up", 0, 0.1],
    ["constant, warm-up", 9, 1],
    ["constant, warm-up", 99, 1],
  ])("%s at %d", (_, step, expected) => {
    expect(at(step, (b, clock) => constantRate(b, clock, 1, 10))).toBeCloseTo(expected, 12);
  });
  test.each([
    [0, 0.1],
    [9, 1],
    [10, 1],
    [55, 0.5 * 0.9 + 0.1],
    [100, 0.1],
  ])("cosine(1, warmup = 10, floor = 0.1) at %d", (step, expected) => {
    expect(at(step, (b, clock) => cosine(b, clock, 1, 10, 0.1))).toBeCloseTo(
      step === 0 ? 0.1 : step === 9 ? 1 : expected,
      10,
    );
  });
  test.each([
    [0, 2],
    [25, 1.5],
    [50, 1],
    [90, 1],
  ])("linear(2, 1, over = 50) at %d", (step, expected) => {
    expect(at(step, (b, clock) => linear(b, clock, 2, 1, 50))).toBeCloseTo(expected, 12);
  });
  test.each([
    [0, 1],
    [50, 0.1],
    [100, 0.01],
  ])("exponential(1, 0.01) at %d", (step, expected) => {
    expect(at(step, (b, clock) => exponential(b, clock, 1, 0.01))).toBeCloseTo(expected, 12);
  });
  test.each([
    [0, 0.1],
    [50, 1],
    [80, 1],
    [90, 0.5],
    [100, 0],
  ])("wsd(1, warmup = 10, decay = 0.2) at %d", (step, expected) => {
    expect(at(step, (b, clock) => warmupStableDecay(b, clock, 1, 10, 0.2))).toBeCloseTo(expected, 12);
  });
});

test("clipping brings the norm of all gradients down to the limit, and leaves small ones", () => {
  const of = (numbers: readonly number[], limit: number): { norm: number; factor: number } => ({
    norm: scalar(
      (b) =>
        clipping(
          b,
          numbers.map((n) => b.constant(n)),
          limit,
        ).norm,
    ),
    factor: scalar(
      (b) =>
        clipping(
          b,
          numbers.map((n) => b.constant(n)),
          limit,
        ).factor!,
    ),
  });
  expect(of([3, 4], 1)).toEqual({ norm: 5, factor: expect.closeTo(0.2, 10) });
  expect(of([0.3, 0.4], 1)).toEqual({ norm: 0.5, factor: 1 });
  expect(of([0, 0], 1)).toEqual({ norm: 0, factor: 1 });
});
