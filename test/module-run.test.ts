// What a generated module's model computes: inputs by shape, and steps; and what it says when something is wrong.
import { describe, expect, test } from "vitest";
import { openSession } from "../runtime/session.ts";
import { flatten, tensor } from "../runtime/shaped.ts";
import { shapedInputs } from "../runtime/shaped-inputs.ts";
import { constant, named } from "../runtime/size.ts";
import { regression, speaker } from "./helpers/hand-written.ts";
import { batch, errorOf, opened, rows } from "./helpers/opened.ts";

describe("shaped values", () => {
  test.each<[string, unknown, readonly number[], readonly number[]]>([
    ["a number", 3, [], [3]],
    ["a row", [1, 2], [2], [1, 2]],
    [
      "rows",
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
      [3, 2],
      [1, 2, 3, 4, 5, 6],
    ],
    ["typed rows", [Int32Array.of(1, 2), Float32Array.of(3, 4)], [2, 2], [1, 2, 3, 4]],
    ["nothing", [], [0], []],
    ["rows of nothing", [[], []], [2, 0], []],
    ["flat with a shape", tensor([1, 2], Float32Array.of(1, 2)), [1, 2], [1, 2]],
    ["three axes", [[[1], [2]]], [1, 2, 1], [1, 2]],
  ])("%s", (_name, given, shape, values) => {
    const flat = flatten("x", given);
    expect([[...flat.shape], Array.from(flat.values)]).toEqual([shape, values]);
  });

  test.each<[string, unknown, string]>([
    [
      "rows that differ",
      [[1, 2], [3]],
      "R0504 the rows of `x` differ: `x[1]` has length 1, and the first row 2 = give rows of one length",
    ],
    [
      "text",
      "abc",
      "R0504 `x` is string, not a number = give nested arrays of numbers, or tensor(shape, values)",
    ],
    [
      "null in a row",
      [[1, null]],
      "R0504 `x[0][1]` is null, not a number = give nested arrays of numbers, or tensor(shape, values)",
    ],
    [
      "a hole",
      [[1], undefined],
      "R0504 `x[1]` is missing, not a number = give nested arrays of numbers, or tensor(shape, values)",
    ],
    [
      "a number among rows",
      [[1], 2],
      "R0504 `x[1]` is number, not a number = give nested arrays of numbers, or tensor(shape, values)",
    ],
    [
      "a shape that lies",
      { shape: [2, 2], values: [1, 2, 3] },
      "R0504 a tensor of shape [2, 2] has 4 elements, and 3 are given = give as many values as the product of the shape",
    ],
  ])("%s", async (_name, given, expected) => expect(await errorOf(() => flatten("x", given))).toBe(expected));
});

describe("inputs of an entry", () => {
  const entry = {
    ...regression().program.entries["train"]!,
    inputs: [
      { name: "x", type: "f32" as const, shape: [named("B"), named("T"), constant(2)] },
      { name: "y", type: "i32" as const, shape: [named("B")] },
      { name: "$seed", type: "i32" as const, shape: [] },
    ],
  };
  const x = tensor([3, 5, 2], new Float32Array(30));
  test("give the sizes", () =>
    expect(shapedInputs(entry, { x, y: [0, 1, 2] }).sizes).toEqual({ B: 3, T: 5 }));
  test.each<[Record<string, unknown>, string]>([
    [{ x }, "R0504 `train` needs the input `y`, which is not given = give `y` as [B] whole numbers"],
    [
      { x, y: undefined },
      "R0504 `train` needs the input `y`, which is not given = give `y` as [B] whole numbers",
    ],
    [{ x, y: [0, 1, 2], z: 1 }, "R0504 `train` has no input `z` = its inputs are `x`, `y`"],
    [{ x, y: [0, 1, 2], $seed: 1 }, "R0504 `train` has no input `$seed` = its inputs are `x`, `y`"],
    [
      { x, y: [0, 1] },
      "R0504 `y` is [2] where [B] is wanted: its `B` is 2, and `x` has 3 = give all inputs the same `B`",
    ],
    [
      { x: tensor([3, 5, 3], new Float32Array(45)), y: [0, 1, 2] },
      "R0504 `x` is [3, 5, 3] (45 elements) where [B, T, 2] is wanted = give nested arrays of this shape, or tensor(shape, values); names stand for lengths of your choice",
    ],
    [
      { x: [1, 2], y: [0, 1, 2] },
      "R0504 `x` is [2] (2 elements) where [B, T, 2] is wanted = give nested arrays of this shape, or tensor(shape, values); names stand for lengths of your choice",
    ],
  ])("%j", async (given, expected) => expect(await errorOf(() => shapedInputs(entry, given))).toBe(expected));
});

describe("steps", () => {
  test("that are begun together are done one after the other", async () => {
    const [one, other] = [await opened(), await opened()];
    const steps = [0, 1, 2].map((step) => batch(8, step));
    const apart: unknown[] = [];
    for (const each of steps) apart.push(await one.trainStep(each));
    expect(await Promise.all(steps.map((each) => other.trainStep(each)))).toEqual(apart);
    expect(await other.parameter("w")).toEqual(await one.parameter("w"));
  });

  test("are those of the entries, at any batch size", async () => {
    const model = await opened();
    const { program, wasm } = regression();
    const session = await openSession(program, wasm, { threads: 1, seed: 3 });
    for (let step = 0; step < 6; step++) {
      const count = [8, 3, 5][step % 3]!;
      const { x, y } = batch(count, step);
      const at = session.bind({ B: count });
      const { loss } = at.run("train", { x: x.flat(), y, $draw: step, $seed: 3 });
      const { rate, norm } = at.run("update", { $step: step });
      expect(await model.trainStep({ x, y })).toEqual({
        step: step + 1,
        learningRate: rate![0],
        gradientNorm: norm![0],
        loss: loss![0],
      });
    }
    expect((await model.parameter("w")).values).toEqual(session.read("w"));
    session.dispose();
  });

  test("of several batches: an error in any of them leaves the model as it was", async () => {
    const model = await opened(regression({ accumulate: 2 }));
    const before = await model.saveWeights({ optimiser: true });
    expect(await errorOf(() => model.trainStep([batch()]))).toMatch(
      /^R0504 a step of Regression takes 2 batches, not 1/,
    );
    expect(await errorOf(() => model.trainStep([batch(), { x: rows(3), y: [1] }]))).toMatch(
      /^R0504 `y` is \[1\]/,
    );
    expect(await model.saveWeights({ optimiser: true })).toEqual(before);
    expect(model.step).toBe(0);
    const { step, loss } = await model.trainStep([batch(), batch(4)]);
    expect(step).toBe(1);
    expect(loss).toBeGreaterThan(0);
  });

  test("whose loss is not finite are refused, and say why", async () => {
    const model = await opened();
    const { x, y } = batch();
    expect(await errorOf(() => model.trainStep({ x, y: y.map(() => NaN) }))).toMatch(
      /^R0301 step 1 went wrong: its loss is NaN: the data hold a number that is NaN, in `y`/,
    );
    expect(model.step).toBe(0);
  });

  test("that failed leave nothing behind for the next one", async () => {
    const made = regression();
    const tensors = made.program.tensors.map((each) =>
      each.name === "grad.w" ? { ...each, role: "carry" as const } : each,
    );
    const carrying = { ...made, program: { ...made.program, tensors } };
    const [one, other] = [await opened(carrying), await opened(carrying)];
    const { x, y } = batch();
    expect(await errorOf(() => one.trainStep({ x, y: y.map(() => NaN) }))).toMatch(/^R0301 /);
    expect(await one.trainStep({ x, y })).toEqual(await other.trainStep({ x, y }));
    expect(await one.parameter("w")).toEqual(await other.parameter("w"));
  });

  test("evaluation changes nothing", async () => {
    const model = await opened();
    const before = await model.saveWeights({ optimiser: true });
    const first = await model.evaluate(batch());
    expect(await model.evaluate(batch())).toEqual(first);
    expect(Object.keys(first)).toEqual(["loss"]);
    expect(await model.saveWeights({ optimiser: true })).toEqual(before);
  });

  test("are refused where there is nothing to train with", async () => {
    expect(await errorOf(async () => (await opened(speaker())).trainStep({}))).toMatch(
      /^R0303 the model Speaker was built without `train`/,
    );
    expect(
      await errorOf(async () => (await opened(regression(), { training: false })).trainStep(batch())),
    ).toMatch(/^R0505 the model Regression was loaded without `train` = load it without `training: false`/);
    expect(await errorOf(async () => (await opened()).forward({}))).toMatch(
      /^R0505 the model Regression was built without `forward`/,
    );
    expect(await errorOf(async () => (await opened(speaker())).data({ text: "a" }))).toMatch(
      /^R0303 the model Speaker has no recipe/,
    );
  });
});
