// What programs mean: each is elaborated and run by the graph interpreter, and compared with plain loops.
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

/** A model that applies an expression to five numbers for each of B examples. */
const formula = (body: string): string => `
model M {
  modality x = features(4)
  ${body}
}`;

describe("expressions", () => {
  const x = numbers(8, 3);
  const run = (body: string): readonly number[] => runBuilt(buildText(formula(body)), { x }, { B: 2 })["logits"]!.data;
  const each = (f: (value: number) => number): number[] => x.map(f);
  const rows = (f: (row: readonly number[]) => number): number[] => [f(x.slice(0, 4)), f(x.slice(4))];
  const cases: readonly (readonly [string, readonly number[]])[] = [
    ["x + 1", each((v) => v + 1)],
    ["2 - 3 * x / 4", each((v) => 2 - (3 * v) / 4)],
    ["x ^ 2", each((v) => v * v)],
    ["-x", each((v) => -v)],
    ["if x > 0 then x else 0.5", each((v) => (v > 0 ? v : 0.5))],
    ["if x > 0 and not (x > 0.5) then 1 else 0", each((v) => (v > 0 && !(v > 0.5) ? 1 : 0))],
    ["max(x, 0.25)", each((v) => Math.max(v, 0.25))],
    ["clamp(x, -0.1, 0.1)", each((v) => Math.min(Math.max(v, -0.1), 0.1))],
    ["silu(x)", each((v) => v / (1 + Math.exp(-v)))],
    ["softplus(x)", each((v) => Math.log(1 + Math.exp(v)))],
    ["sum(x)", rows((row) => row.reduce((a, b) => a + b))],
    ["mean(x)", rows((row) => row.reduce((a, b) => a + b) / 4)],
    ["max(x)", rows((row) => Math.max(...row))],
    ["rms(x)", rows((row) => Math.sqrt(row.reduce((a, b) => a + b * b, 0) / 4))],
    ["logsumexp(x)", rows((row) => Math.log(row.reduce((a, b) => a + Math.exp(b), 0)))],
    ["sum(softmax(x))", [1, 1]],
    ["if any(x > 0.9) then 1 else 0", rows((row) => (row.some((v) => v > 0.9) ? 1 : 0))],
    ["cumsum(x)", x.map((_, i) => x.slice(i - (i % 4), i + 1).reduce((a, b) => a + b))],
    ["argmax(x) + 0", rows((row) => row.indexOf(Math.max(...row)))],
    ["one_hot(argmax(x), 4)", x.map((v, i) => (v === Math.max(...x.slice(i - (i % 4), i - (i % 4) + 4)) ? 1 : 0))],
    ["concat(x, 2 * x)", [...x.slice(0, 4), ...x.slice(0, 4).map((v) => 2 * v), ...x.slice(4), ...x.slice(4).map((v) => 2 * v)]],
    ["straight_through(sign(x), x)", each(Math.sign)],
    ["x[2]", [x[2]!, x[6]!]],
    ["mean(x over tokens)", [0, 1, 2, 3].map((i) => (x[i]! + x[i + 4]!) / 2)],
    ["if training then x else 0", x],
  ];
  test.each(cases)("%s", (text, want) => close(run(`logits = ${text}`), want));

  test("index notation sums, reorders and counts", () => {
    const got = run(`
      grid = x as [2, 2]
      logits[j, i] = sum(grid[i, k] * grid[k, j] over k) + 10 * i + 100 * j`);
    const want = [0, 4].flatMap((from) => {
      const g = x.slice(from, from + 4);
      return [0, 1].flatMap((j) => [0, 1].map((i) => [0, 1].reduce((s, k) => s + at(g, 2, i, k) * at(g, 2, k, j), 0) + 10 * i + 100 * j));
    });
    close(got, want);
  });

  test("an index with a range on the left, and a mask between two indices", () => {
    close(run("logits[i, j: 4] = if j <= i then x[i] else -1"), x.flatMap((v, i) => [0, 1, 2, 3].map((j) => (j <= i % 4 ? v : -1))));
  });

  test("repeat carries over what was bound outside", () => {
    close(run("logits = x\nrepeat i in 3 { logits = logits * 2 + i }"), each((v) => ((v * 2 + 0) * 2 + 1) * 2 + 2));
  });
});

describe("definitions", () => {
  test("a definition for one token is lifted over every axis in front", () => {
    const program = buildText(`
function Centred(D)(x: [D]) -> [D] { x - mean(x) }
model M {
  modality x = image(2, 3)
  logits = Centred(x)
}`);
    const x = numbers(12, 5);
    const want = x.map((v, i) => v - (x[i - (i % 3)]! + x[i - (i % 3) + 1]! + x[i - (i % 3) + 2]!) / 3);
    close(runBuilt(program, { x }, { B: 2 })["logits"]!.data, want);
  });

  test("an instance that is bound shares its parameters, others have their own", () => {
    const { built } = buildText(`
layer Scale(D)(x: [D]) -> [D] {
  param gain: [D] = 1
  x * gain
}
model M {
  modality x = features(4)
  both = Scale(4)
  logits = both(x) + both(2 * x) + Scale(x) + Scale(x)
  repeat 2 { logits = Scale(logits) }
}`);
    expect(built.tensors.map(({ name }) => name)).toEqual(["both.gain", "scale.0.gain", "scale.1.gain", "scale.2.gain", "scale.3.gain"]);
  });

  test("statics by position, by name, by default and from the inputs", () => {
    const { built } = buildText(`
layer Up(D, H = 2 * D, twice = false)(x: [D]) -> [H] {
  param w: [D, H]
  if twice { x = 2 * x }
  x @ w
}
model M {
  modality x = features(4)
  a = Up(4)(x)
  b = Up { H = 3 }(a)
  logits = Up(3, 5) { twice = true }(b)
}`);
    expect(built.tensors.map(({ shape }) => shape)).toEqual([[4, 8], [8, 3], [3, 5]]);
  });

  test("a definition given as a static", () => {
    const { built } = buildText(`
import std.experts { SwiGLU, Relu }
layer Wrap(D, Ffn = SwiGLU)(x: [D]) -> [D] { Ffn(D, 2 * D)(x) }
model M {
  modality x = features(4)
  logits = Wrap { Ffn = Relu }(Wrap(x))
}`);
    expect(built.tensors.map(({ name }) => name)).toEqual(["wrap.0.ffn.gate", "wrap.0.ffn.up", "wrap.0.ffn.down", "wrap.1.ffn.up", "wrap.1.ffn.down"]);
  });
});

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
function plainGates(x: readonly number[], w: readonly number[], n: number, k: number): { picks: number[]; weight: number[] } {
  const score = Array.from({ length: n }, (_, e) => x.reduce((sum, v, d) => sum + v * at(w, n, d, e), 0));
  const picks = score.map((_, e) => e).sort((a, b) => score[b]! - score[a]! || a - b).slice(0, k);
  const exp = picks.map((e) => Math.exp(score[e]!));
  return { picks, weight: exp.map((v) => v / exp.reduce((a, b) => a + b)) };
}

function mixed(x: readonly number[], w: readonly number[], bias: readonly number[], e: number): number[] {
  const d = x.length;
  return x.map((_, j) => Math.tanh(x.reduce((sum, v, i) => sum + v * w[(e * d + i) * d + j]!, 0) + bias[e * d + j]!));
}

describe("routing", () => {
  const examples = 5;
  const x = numbers(examples * 4, 11);
  const rowsOf = (f: (row: readonly number[]) => readonly number[]): number[] => Array.from({ length: examples }, (_, b) => f(x.slice(4 * b, 4 * b + 4))).flat();

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
      const routed = picks.map((e) => mixed(row, values.get("m4.routed.w")!, values.get("m4.routed.bias")!, e));
      return row.map((v, d) => 0.5 * v * values.get("m4.shared.gain")![d]! + routed.reduce((sum, y, i) => sum + weight[i]! * y[d]!, 0));
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

  test("an expert of a whole sequence under a router of one vector for each", () => {
    const program = buildText(`${scaling}
expert Turn(R, D)(x: [R, D]) -> [R, D] {
  param w: [R, R]
  y[i, d] = sum(w[i, j] * x[j, d] over j)
  y
}
model M {
  modality x = image(2, 2)
  pool = Turn(2, 2) * 3
  logits = pool(x) by Plain(mean(x over height)) { k = 1 }
}`.replace("by Plain(mean(x over height)) { k = 1 }", "by Plain { k = 1 }(mean(x over height))"));
    const values = valuesOf(program.built);
    const ran = runBuilt(program, { x }, { B: examples }, values);
    const want = rowsOf((row) => {
      const pooled = [(row[0]! + row[2]!) / 2, (row[1]! + row[3]!) / 2];
      const { picks } = plainGates(pooled, values.get("router.w")!, 3, 1);
      const w = values.get("pool.w")!.slice(picks[0]! * 4, picks[0]! * 4 + 4);
      return [0, 1].flatMap((i) => [0, 1].map((d) => at(w, 2, i, 0) * at(row, 2, 0, d) + at(w, 2, i, 1) * at(row, 2, 1, d)));
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

  test("dispatch and combine written out are the pool of the identity", () => {
    const program = buildText(`${scaling}
model M {
  modality x = features(4)
  g = Plain { N = 3 }(x)
  logits = combine(2 * dispatch(x, g), g)
}`);
    close(runBuilt(program, { x }, { B: examples })["logits"]!.data, x.map((v) => 2 * v));
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
    close(ran["update router.bias"]!.data, load.map((l) => 0.1 * Math.sign(mean - l)));
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
      const score = [0, 1, 2, 3].map((e) => row.reduce((sum, v, d) => sum + v * at(values.get("router.w")!, 4, d, e), 0));
      const picks = [0, 1, 2, 3].sort((a, b2) => score[b2]! - score[a]!).slice(0, 2);
      const total = picks.reduce((sum, e) => sum + score[e]!, 0);
      const all = row.reduce((a, b2) => a + b2);
      return row.map((v, d) => picks.reduce((sum, e) => sum + ((score[e]! * all) / total) * v * values.get("pool.gain")![e * 4 + d]!, 0));
    }).flat();
    close(runBuilt(program, { x }, { B: examples }, values)["logits"]!.data, want);
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

  const examples = readdirSync("examples", { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".moe"));
  test.each(examples)("%s checks and builds without a word", (file) => {
    const model = loadModel(hostOf({ [file]: readFileSync(`examples/${file}`, "utf8") }), file);
    expect(told(model, [...model.diagnostics, ...checkModel(model)])).toEqual([]);
    for (const { name } of modelsOf(model))
      for (const mode of ["training", "inference"] as const)
        expect(told(model, elaborateModel(model, name.text, { mode, builder: new GraphBuilder() }).diagnostics)).toEqual([]);
  });
});
