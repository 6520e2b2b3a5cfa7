// What routing means: each program is elaborated and run by the graph interpreter, and compared with plain loops.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkModel } from "../compiler/check/check.ts";
import { elaborateModel, modelsOf } from "../compiler/elaborate/model.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import { loadModel } from "../compiler/resolve.ts";
import { stdlib } from "../stdlib/sources.ts";
import { buildText, hostOf, numbers, runBuilt, told, valuesOf } from "./helpers/elaborate.ts";

const close = (got: readonly number[], want: readonly number[], digits = 9): void => {
  expect(got.length).toBe(want.length);
  got.forEach((value, i) => expect(value, `at ${i}`).toBeCloseTo(want[i]!, digits));
};
const at = (list: readonly number[], width: number, i: number, j: number): number => list[i * width + j]!;

/** Experts that multiply by a vector of their own: easy to compute by hand. */
const scaling = `
expert Scale(D)(x: [D]) -> [D] {
  param gain: [D]
  x * gain
}
expert Mix(D)(x: [D]) -> [D] {
  param w: [D, D]
  param bias: [D]
  tanh(x @ w + bias)
}
router Plain(D, N, k = 2)(x: [D]) -> gates[N] {
  param w: [D, N]
  score = x @ w
  choose top k of score
  weight softmax(score)
}
`;

/** Gates of `Plain` by hand: experts in falling order of score, softmax of the chosen scores. */
function plainGates(
  x: readonly number[],
  w: readonly number[],
  n: number,
  k: number,
): { picks: number[]; weight: number[] } {
  const score = Array.from({ length: n }, (_, e) => x.reduce((sum, v, d) => sum + v * at(w, n, d, e), 0));
  const picks = score
    .map((_, e) => e)
    .sort((a, b) => score[b]! - score[a]! || a - b)
    .slice(0, k);
  const exp = picks.map((e) => Math.exp(score[e]!));
  return { picks, weight: exp.map((v) => v / exp.reduce((a, b) => a + b)) };
}

function mixed(x: readonly number[], w: readonly number[], bias: readonly number[], e: number): number[] {
  const d = x.length;
  return x.map((_, j) =>
    Math.tanh(x.reduce((sum, v, i) => sum + v * w[(e * d + i) * d + j]!, 0) + bias[e * d + j]!),
  );
}

describe("routing", () => {
  const examples = 5;
  const x = numbers(examples * 4, 11);
  const rowsOf = (f: (row: readonly number[]) => readonly number[]): number[] =>
    Array.from({ length: examples }, (_, b) => f(x.slice(4 * b, 4 * b + 4))).flat();

  test("a routed expert with matrices, biases and a shared one", () => {
    const program = buildText(`${scaling}
moe M4(D)(x: [D]) -> [D] {
  shared Scale(D) weight 0.5
  routed Mix(D) * 3
  router Plain
}
model M {
  modality x = features(4)
  logits = M4(4)(x)
}`);
    const values = valuesOf(program.built);
    expect([...values.keys()]).toEqual(["m4.router.w", "m4.routed.w", "m4.routed.bias", "m4.shared.gain"]);
    const ran = runBuilt(program, { x }, { B: examples }, values);
    const want = rowsOf((row) => {
      const { picks, weight } = plainGates(row, values.get("m4.router.w")!, 3, 2);
      const routed = picks.map((e) =>
        mixed(row, values.get("m4.routed.w")!, values.get("m4.routed.bias")!, e),
      );
      return row.map(
        (v, d) =>
          0.5 * v * values.get("m4.shared.gain")![d]! +
          routed.reduce((sum, y, i) => sum + weight[i]! * y[d]!, 0),
      );
    });
    close(ran["logits"]!.data, want);
    expect(ran["load m4.router"]!.data.reduce((a, b) => a + b)).toBe(examples * 2);
  });

  test("unlike experts and null experts of every kind in one pool", () => {
    const program = buildText(`${scaling}
model M {
  modality x = features(4)
  pool = Scale(4) * 2 + Mix(4) * 2 + zero + copy * 2 + constant
  logits = pool(x) by Plain { k = 5 }
}`);
    const values = valuesOf(program.built);
    const ran = runBuilt(program, { x }, { B: examples }, values);
    const want = rowsOf((row) => {
      const { picks, weight } = plainGates(row, values.get("router.w")!, 8, 5);
      const outs = picks.map((e): readonly number[] => {
        if (e < 2) return row.map((v, d) => v * values.get("pool.0.gain")![e * 4 + d]!);
        if (e < 4) return mixed(row, values.get("pool.1.w")!, values.get("pool.1.bias")!, e - 2);
        if (e === 4) return row.map(() => 0);
        return e < 7 ? row : values.get("pool.constant")!;
      });
      return row.map((_, d) => outs.reduce((sum, y, i) => sum + weight[i]! * y[d]!, 0));
    });
    close(ran["logits"]!.data, want);
    expect(program.built.routers).toMatchObject([{ name: "router", experts: 4, nulls: 4, width: 5 }]);
  });

  test("gates that were made on their own know their null experts from the pool that they are given to", () => {
    const program = buildText(`${scaling}
model M {
  modality x = features(4)
  pool = Scale(4) * 2 + zero + copy * 2
  g = Plain { k = 3, N = 5 }(x)
  logits = pool(x) by g
}`);
    expect(program.built.routers).toMatchObject([{ experts: 2, nulls: 3, width: 3 }]);
  });

  test("an expert of a whole sequence under a router of one vector for each", () => {
    const program = buildText(
      `${scaling}
expert Turn(R, D)(x: [R, D]) -> [R, D] {
  param w: [R, R]
  y[i, d] = sum(w[i, j] * x[j, d] over j)
  y
}
model M {
  modality x = image(2, 2)
  pool = Turn(2, 2) * 3
  logits = pool(x) by Plain(mean(x over height)) { k = 1 }
}`.replace("by Plain(mean(x over height)) { k = 1 }", "by Plain { k = 1 }(mean(x over height))"),
    );
    const values = valuesOf(program.built);
    const ran = runBuilt(program, { x }, { B: examples }, values);
    const want = rowsOf((row) => {
      const pooled = [(row[0]! + row[2]!) / 2, (row[1]! + row[3]!) / 2];
      const { picks } = plainGates(pooled, values.get("router.w")!, 3, 1);
      const w = values.get("pool.w")!.slice(picks[0]! * 4, picks[0]! * 4 + 4);
      return [0, 1].flatMap((i) =>
        [0, 1].map((d) => at(w, 2, i, 0) * at(row, 2, 0, d) + at(w, 2, i, 1) * at(row, 2, 1, d)),
      );
    });
    close(ran["logits"]!.data, want);
  });

  test("further inputs are dispatched with the token", () => {
    const program = buildText(`${scaling}
expert Adapt(D)(x: [D], base: [D]) -> [D] {
  param gain: [D]
  base + x * gain
}
model M {
  modality x = features(4)
  pool = Adapt(4) * 3
  logits = pool(x, 3 * x) by Plain { k = 1 }
}`);
    const values = valuesOf(program.built);
    const want = rowsOf((row) => {
      const [e] = plainGates(row, values.get("router.w")!, 3, 1).picks;
      return row.map((v, d) => 3 * v + v * values.get("pool.gain")![e! * 4 + d]!);
    });
    close(runBuilt(program, { x }, { B: examples }, values)["logits"]!.data, want);
  });

  test("a further input that only a later expert takes has the rank that that one declares", () => {
    const program = buildText(`${scaling}
expert Same(R, D)(x: [R, D]) -> [R, D] {
  x
}
expert Sum(R, D)(x: [R, D], other: [R, D]) -> [R, D] {
  x + other
}
model M {
  modality x = image(2, 2)
  pool = Same(2, 2) + Sum(2, 2)
  logits = pool(x, 3 * x) by Plain { k = 1 }(mean(x over height))
}`);
    const values = valuesOf(program.built);
    const want = rowsOf((row) => {
      const pooled = [(row[0]! + row[2]!) / 2, (row[1]! + row[3]!) / 2];
      const [e] = plainGates(pooled, values.get("router.w")!, 2, 1).picks;
      return row.map((v) => (e === 0 ? v : 4 * v));
    });
    close(runBuilt(program, { x }, { B: examples }, values)["logits"]!.data, want);
  });

  test("dispatch and combine written out are the pool of the identity", () => {
    const program = buildText(`${scaling}
model M {
  modality x = features(4)
  g = Plain { N = 3 }(x)
  logits = combine(2 * dispatch(x, g), g)
}`);
    close(
      runBuilt(program, { x }, { B: examples })["logits"]!.data,
      x.map((v) => 2 * v),
    );
  });

  test("a state follows the load, once a step", () => {
    const program = buildText(`
import std.routers { LossFree }
import std.experts { Relu }
model M {
  modality x = features(4)
  pool = Relu(4, 4) * 3
  logits = pool(x) by LossFree { k = 1, rate = 0.1 }
}`);
    const ran = runBuilt(program, { x }, { B: examples });
    const load = ran["load router"]!.data;
    const mean = load.reduce((a, b) => a + b) / 3;
    close(
      ran["update router.bias"]!.data,
      load.map((l) => 0.1 * Math.sign(mean - l)),
    );
  });

  test("capacity drops what comes too late, and a token without experts gets zero", () => {
    const program = buildText(`${scaling}
router Full(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  score = x @ w
  choose top 1 of score
  capacity 1
  weight 1
}
model M {
  modality x = features(4)
  pool = Scale(4) * 2
  logits = pool(x) by Full
}`);
    const values = valuesOf(program.built);
    const left = [1, 1];
    const want = rowsOf((row) => {
      const [e] = plainGates(row, values.get("router.w")!, 2, 1).picks;
      if (left[e!]!-- <= 0) return row.map(() => 0);
      return row.map((v, d) => v * values.get("pool.gain")![e! * 4 + d]!);
    });
    const ran = runBuilt(program, { x }, { B: examples }, values);
    close(ran["logits"]!.data, want);
    expect(ran["load router"]!.data).toEqual([1, 1]);
  });
});

describe("routers", () => {
  const examples = 3;
  const x = numbers(examples * 4, 21);

  test("a weight reads chosen entries by the name of the axis, also when D = N", () => {
    const program = buildText(`
expert Same(D)(x: [D]) -> [D] {
  param gain: [D]
  x * gain
}
router Mixed(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  score = x @ w
  choose top 2 of score
  weight score * sum(x) / sum(score)
}
model M {
  modality x = features(4)
  pool = Same(4) * 4
  logits = pool(x) by Mixed
}`);
    const values = valuesOf(program.built);
    const want = Array.from({ length: examples }, (_, b) => {
      const row = x.slice(4 * b, 4 * b + 4);
      const score = [0, 1, 2, 3].map((e) =>
        row.reduce((sum, v, d) => sum + v * at(values.get("router.w")!, 4, d, e), 0),
      );
      const picks = [0, 1, 2, 3].sort((a, b2) => score[b2]! - score[a]!).slice(0, 2);
      const total = picks.reduce((sum, e) => sum + score[e]!, 0);
      const all = row.reduce((a, b2) => a + b2);
      return row.map((v, d) =>
        picks.reduce(
          (sum, e) => sum + ((score[e]! * all) / total) * v * values.get("pool.gain")![e * 4 + d]!,
          0,
        ),
      );
    }).flat();
    close(runBuilt(program, { x }, { B: examples }, values)["logits"]!.data, want);
  });

  test("a weight may read who was chosen and the load, as [N] tensors like others", () => {
    const program = buildText(`
router Kept(N)(x: [N]) -> gates[N] {
  choose top 2 of x
  weight sum(chosen) + x * chosen + 0 * load
}
model M {
  modality x = features(4)
  logits = Kept { N = 4 }(x).weight
}`);
    const want = Array.from({ length: examples }, (_, b) =>
      [...x.slice(4 * b, 4 * b + 4)].sort((a, c) => c - a).slice(0, 2),
    ).flat();
    close(
      runBuilt(program, { x }, { B: examples }, valuesOf(program.built))["logits"]!.data,
      want.map((value) => 2 + value),
    );
  });

  test("tokens without a choice weigh nothing, and their weights are finite", () => {
    const program = buildText(`${scaling}
router Maybe(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  score = x @ w
  choose where score > 100
  weight score / sum(score)
}
model M {
  modality x = features(4)
  pool = Scale(4) * 2
  logits = pool(x) by Maybe
  metric heaviest = max(Maybe { N = 2 }(x).weight)
}`);
    const ran = runBuilt(program, { x }, { B: examples });
    expect(ran["logits"]!.data.every((v) => v === 0)).toBe(true);
    expect(ran["heaviest"]!.data).toEqual([0]);
  });

  test("one router in training, another in inference", () => {
    const text = `${scaling}
moe Two(D)(x: [D]) -> [D] {
  routed Scale(D) * 3
  router Plain { k = 2 } in training
  router Plain { k = 1 } in inference
}
model M {
  modality x = features(4)
  logits = Two(4)(x)
}`;
    expect(buildText(text).built.routers.map(({ width }) => width)).toEqual([2]);
    expect(buildText(text, { mode: "inference" }).built.routers.map(({ width }) => width)).toEqual([1]);
  });

  test("experts for one modality are closed to the tokens of others", () => {
    const program = buildText(`${scaling}
moe Split(D)(x: [D]) -> [D] {
  routed Scale(D) * 2 for words
  routed Scale(D) * 2 for picture
  routed Scale(D)
  router Plain { k = 2 }
}
model M {
  modality words = tokens(vocab = 5)
  modality picture = image(2, 4)
  param table: [5, 4]
  x = concat(table[words], picture over T)
  logits = Split(4)(x)
}`);
    const words = [1, 4, 0];
    const ran = runBuilt(program, { words, "words.next": words, picture: numbers(8, 2) }, { B: 1, T: 3 });
    const picks = ran["picks split.router"]!;
    expect(picks.dims).toEqual([1, 5, 2]);
    picks.data.forEach((pick, i) => expect(i < 6 ? [0, 1, 4] : [2, 3, 4]).toContain(pick));
    expect(new Set(picks.data).size).toBeGreaterThan(3);
  });

  test("a router replays what another decided", () => {
    const program = buildText(`${scaling}
router Replay(D, N)(x: [D], route: gates[N]) -> gates[N] { choose given route }
model M {
  modality x = features(4)
  pool = Scale(4) * 3
  g = Plain { N = 3 }(x)
  logits = pool(x) by Replay(x, g)
  metric agreement = if Replay(x, g).picks == g.picks then 1 else 0
}`);
    expect(runBuilt(program, { x }, { B: examples })["agreement"]!.data).toEqual([1]);
  });
});

describe("files", () => {
  test.each(Object.keys(stdlib))("%s checks without a word", (name) => {
    const model = loadModel(hostOf({}), name);
    expect(told(model, [...model.diagnostics, ...checkModel(model)])).toEqual([]);
  });

  const examples = readdirSync("examples", { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".moe"),
  );
  test.each(examples)("%s checks and builds without a word", (file) => {
    const model = loadModel(hostOf({ [file]: readFileSync(`examples/${file}`, "utf8") }), file);
    expect(told(model, [...model.diagnostics, ...checkModel(model)])).toEqual([]);
    for (const { name } of modelsOf(model))
      for (const mode of ["training", "inference"] as const)
        expect(
          told(model, elaborateModel(model, name.text, { mode, builder: new GraphBuilder() }).diagnostics),
        ).toEqual([]);
  });
});
