// What a generated module's model does: inputs by shape, steps, text, weights, files; and what it says when something is wrong.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { savedTensors } from "../runtime/arena-plan.ts";
import { encodeCheckpoint } from "../runtime/checkpoint.ts";
import { UserError } from "../runtime/errors.ts";
import type { LoadedModel } from "../runtime/model.ts";
import { openModelData } from "../runtime/model-data.ts";
import { openModel, type LoadOptions } from "../runtime/model-open.ts";
import type { Program } from "../runtime/program.ts";
import { decodeSafetensors } from "../runtime/safetensors.ts";
import { openSession } from "../runtime/session.ts";
import { flatten, tensor } from "../runtime/shaped.ts";
import { shapedInputs } from "../runtime/shaped-inputs.ts";
import { constant, named } from "../runtime/size.ts";
import { bytesTokenizer, charactersTokenizer } from "../runtime/tokenizer.ts";
import { regression, speaker } from "./helpers/hand-written.ts";

const folder = mkdtempSync(join(tmpdir(), "moe-module-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const open: LoadedModel[] = [];
afterEach(() => open.splice(0).forEach((model) => model.dispose()));

type Made = ReturnType<typeof regression>;
async function start(
  { program, wasm }: Made = regression(),
  options: LoadOptions = {},
): Promise<LoadedModel> {
  const model = await openModel({ program, wasm }, { threads: 1, seed: 3, ...options });
  open.push(model);
  return model;
}

/** Code, message and help of the UserError that something ends with. */
async function errorOf(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return `${error.code} ${error.message} = ${error.help ?? ""}`;
  }
  return "no error";
}

const rows = (count: number, shift = 0): number[][] =>
  Array.from({ length: count }, (_, b) =>
    Array.from({ length: 4 }, (_, d) => ((7 * b + 3 * d + shift) % 11) / 11 - 0.5),
  );
const batch = (count = 8, shift = 0) => ({
  x: rows(count, shift),
  y: rows(count, shift).map(([a = 0, , , d = 0]) => 2 * a - d),
});

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
    const [one, other] = [await start(), await start()];
    const steps = [0, 1, 2].map((step) => batch(8, step));
    const apart: unknown[] = [];
    for (const each of steps) apart.push(await one.trainStep(each));
    expect(await Promise.all(steps.map((each) => other.trainStep(each)))).toEqual(apart);
    expect(await other.parameter("w")).toEqual(await one.parameter("w"));
  });

  test("are those of the entries, at any batch size", async () => {
    const model = await start();
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
    const model = await start(regression({ accumulate: 2 }));
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
    const model = await start();
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
    const [one, other] = [await start(carrying), await start(carrying)];
    const { x, y } = batch();
    expect(await errorOf(() => one.trainStep({ x, y: y.map(() => NaN) }))).toMatch(/^R0301 /);
    expect(await one.trainStep({ x, y })).toEqual(await other.trainStep({ x, y }));
    expect(await one.parameter("w")).toEqual(await other.parameter("w"));
  });

  test("evaluation changes nothing", async () => {
    const model = await start();
    const before = await model.saveWeights({ optimiser: true });
    const first = await model.evaluate(batch());
    expect(await model.evaluate(batch())).toEqual(first);
    expect(Object.keys(first)).toEqual(["loss"]);
    expect(await model.saveWeights({ optimiser: true })).toEqual(before);
  });

  test("are refused where there is nothing to train with", async () => {
    expect(await errorOf(async () => (await start(speaker() as Made)).trainStep({}))).toMatch(
      /^R0303 the model Speaker was built without `train`/,
    );
    expect(
      await errorOf(async () => (await start(regression(), { training: false })).trainStep(batch())),
    ).toMatch(/^R0505 the model Regression was loaded without `train` = load it without `training: false`/);
    expect(await errorOf(async () => (await start()).forward({}))).toMatch(
      /^R0505 the model Regression was built without `forward`/,
    );
    expect(await errorOf(async () => (await start(speaker() as Made)).data({ text: "a" }))).toMatch(
      /^R0303 the model Speaker has no recipe/,
    );
  });
});

describe("weights", () => {
  test("come back, and with the optimiser's state training goes on bit by bit", async () => {
    const [one, other] = [await start(), await start(regression(), { seed: 3 })];
    for (let step = 0; step < 5; step++) await one.trainStep(batch(8, step));
    await other.loadWeights(await one.saveWeights({ optimiser: true }));
    expect(other.step).toBe(5);
    expect(await other.trainStep(batch(8, 5))).toEqual(await one.trainStep(batch(8, 5)));
    expect(await other.parameter("w")).toEqual(await one.parameter("w"));
  });

  test("alone begin with a fresh optimiser, and are plain safetensors", async () => {
    const [one, used] = [await start(), await start()];
    await one.trainStep(batch());
    for (let step = 0; step < 3; step++) await used.trainStep(batch(8, 7 + step));
    const bytes = await one.saveWeights();
    expect([...decodeSafetensors(bytes, "w").tensors.keys()]).toEqual(["w"]);
    await used.loadWeights(bytes);
    one.session.clear("m.w");
    expect(await used.trainStep(batch(8, 1))).toEqual(await one.trainStep(batch(8, 1)));
    expect(await used.parameter("w")).toEqual(await one.parameter("w"));
  });

  test("a checkpoint, its URL, and the folder of a run", async () => {
    const one = await start();
    for (let step = 0; step < 3; step++) await one.trainStep(batch(8, step));
    const state = { model: "Regression", step: 3, position: 3, seed: 3 };
    const saved = await one.session.snapshot(savedTensors(one.program).map(({ name }) => name));
    const parts = encodeCheckpoint(savedTensors(one.program), (name) => saved.get(name)!, state);
    const run = join(folder, "a run");
    mkdirSync(run);
    const file = join(run, "last.safetensors");
    writeFileSync(file, Buffer.concat(parts));
    for (const weights of [
      file,
      pathToFileURL(file),
      pathToFileURL(file).href,
      run,
      `${run}/`,
      pathToFileURL(run),
    ]) {
      const model = await start(regression(), { weights });
      expect([model.step, await model.parameter("w")]).toEqual([3, await one.parameter("w")]);
    }
    const damaged = Buffer.concat(parts);
    damaged[damaged.length - 1]! ^= 1;
    expect(await errorOf(() => start(regression(), { weights: damaged }))).toMatch(
      /^R0203 the given file is damaged/,
    );
  });

  test.each<[string, () => string | Uint8Array, RegExp]>([
    [
      "no file",
      () => join(folder, "none.safetensors"),
      /^R0201 there is no file .*none\.safetensors = train first/,
    ],
    ["a folder without a run", () => folder, /^R0201 there is no file .*last\.safetensors/],
    ["no safetensors", () => new TextEncoder().encode("hello, I am a text"), /^R020[24] /],
    ["nothing at all", () => new Uint8Array(0), /^R020[24] /],
  ])("%s is refused", async (_name, weights, expected) =>
    expect(await errorOf(() => start(regression(), { weights: weights() }))).toMatch(expected),
  );

  test("of another model are refused, and change nothing", async () => {
    const [model, other] = [await start(), await start(speaker() as Made)];
    const before = await model.parameter("w");
    expect(await errorOf(async () => model.loadWeights(await other.saveWeights()))).toBe(
      "R0206 the given file is of another model: `w` is missing in it; the model has no `table` = load weights that Regression was trained to, or build the module from the `.moe` file of the run",
    );
    expect(await model.parameter("w")).toEqual(before);
  });

  test("one by one", async () => {
    const model = await start();
    model.setParameter("w", [1, 2, 3, 4]);
    expect(await model.parameter("w")).toEqual({ shape: [4], values: Float32Array.of(1, 2, 3, 4) });
    expect(Object.keys(model.parameters)).toEqual(["w"]);
    expect(await errorOf(() => model.setParameter("w", [1, 2]))).toMatch(/^R0505 `w` is \[4\], not \[2\]/);
    expect(await errorOf(() => model.parameter("m.w"))).toMatch(
      /^R0505 the model Regression has no parameter `m\.w`/,
    );
    expect(await errorOf(() => model.parameter("v"))).toMatch(
      /^R0505 the model Regression has no parameter `v`/,
    );
  });
});

describe("text", () => {
  const letters = charactersTokenizer("abcdef");
  const all = async (pieces: AsyncIterable<string | number>): Promise<unknown[]> => {
    const found = [];
    for await (const piece of pieces) found.push(piece);
    return found;
  };

  test("goes on, the same for the same seed, and as the tokens do", async () => {
    const model = await start(speaker() as Made, { tokenizer: letters });
    const options = { tokens: 12, seed: 5, stopAtEnd: false };
    const text = await all(model.generate("abc", options));
    expect(text).toEqual(await all(model.generate("abc", options)));
    const ids = (await all(model.generateTokens([1, 2, 3], { tokens: 12, seed: 5 }))) as number[];
    expect(text.join("")).toBe(letters.decode(ids));
    expect(model.decode(model.encode("abc"))).toBe("abc");
  });

  test("stops at the end of a document", async () => {
    const model = await start(speaker() as Made, { tokenizer: letters });
    const whole = (await all(model.generateTokens([1], { tokens: 60, seed: 2 }))) as number[];
    expect(whole).toContain(letters.end);
    const text = await all(model.generate("a", { tokens: 60, seed: 2 }));
    expect(text.join("")).toBe(letters.decode(whole.slice(0, whole.indexOf(letters.end))));
  });

  test("the tokenizer: given as JSON, as file, beside the weights", async () => {
    const file = join(folder, "letters.json");
    writeFileSync(file, JSON.stringify(letters.toJSON()));
    const run = join(folder, "speech");
    mkdirSync(run);
    writeFileSync(join(run, "tokenizer.text.json"), JSON.stringify(letters.toJSON()));
    writeFileSync(join(run, "last.safetensors"), await (await start(speaker() as Made)).saveWeights());
    for (const options of [
      { tokenizer: letters.toJSON() },
      { tokenizer: file },
      { tokenizer: pathToFileURL(file) },
      { weights: run },
    ])
      expect((await start(speaker() as Made, options)).tokenizer?.toJSON()).toEqual(letters.toJSON());
  });

  test("without a tokenizer", async () => {
    const model = await start(speaker() as Made);
    expect(await errorOf(() => all(model.generate("abc")))).toMatch(
      /^R0401 the model Speaker has no tokenizer.*= load it with the folder/,
    );
    expect(await errorOf(() => start(speaker() as Made, { tokenizer: join(folder, "none.json") }))).toMatch(
      /^R0201 /,
    );
    writeFileSync(join(folder, "odd.json"), "{]");
    expect(await errorOf(() => start(speaker() as Made, { tokenizer: join(folder, "odd.json") }))).toMatch(
      /^R0209 .*is not JSON/,
    );
    writeFileSync(join(folder, "odd.json"), "{}");
    expect(await errorOf(() => start(speaker() as Made, { tokenizer: join(folder, "odd.json") }))).toMatch(
      /^R0108 /,
    );
  });

  test("models that do not speak", async () => {
    const model = await start(regression(), { tokenizer: bytesTokenizer() });
    expect(model.tokenizer).toBeUndefined();
    expect(await errorOf(() => all(model.generateTokens([1])))).toMatch(
      /^R0401 the model Regression cannot generate/,
    );
  });
});

describe("files of the model", () => {
  const { program, wasm } = regression();
  const place = (name: string): URL => pathToFileURL(join(folder, name));
  writeFileSync(join(folder, "program.json"), JSON.stringify(program));
  writeFileSync(join(folder, "model.wasm"), wasm.plain);
  const files = { program: place("program.json"), wasm: { plain: place("model.wasm") } };

  test("are read, or given otherwise", async () => {
    const model = await openModel(files, { threads: 1, files: { program } });
    expect(model.name).toBe("Regression");
    model.dispose();
    const bytes = await openModel(files, { threads: 1, files: { wasm: { plain: wasm.plain } } });
    expect((await bytes.evaluate(batch()))["loss"]).toBeGreaterThan(0);
    bytes.dispose();
  });

  test.each<[string, string | Uint8Array | Partial<Program>, RegExp]>([
    [
      "missing",
      place("absent.json").href,
      /^R0507 there is no file .*absent\.json = put it beside the module/,
    ],
    [
      "cut off",
      new TextEncoder().encode('{"format": "moe-prog'),
      /^R0507 the given file is not JSON = it was edited or cut off/,
    ],
    [
      "another file",
      new TextEncoder().encode("{}"),
      /^R0507 the given file is not a program of this version of moe = build the model again/,
    ],
    [
      "of another version",
      new TextEncoder().encode('{"format":"moe-program","version":99}'),
      /^R0507 .*is not a program of this version/,
    ],
    ["a folder", place("").href, /^R0507 cannot read .*: it is a folder/],
  ])("%s", async (_name, where, expected) =>
    expect(await errorOf(() => openModel(files, { files: { program: where as string } }))).toMatch(expected),
  );

  test.skipIf(process.getuid?.() === 0)("without permission", async () => {
    const path = join(folder, "secret.wasm");
    writeFileSync(path, wasm.plain);
    chmodSync(path, 0);
    expect(await errorOf(() => openModel(files, { files: { wasm: { plain: path } } }))).toMatch(
      /^R0507 .*permission is denied/,
    );
  });
});

describe("data", () => {
  const { program: speech } = speaker();
  const port = (name: string) => ({ name, type: "i32" as const, shape: [named("B"), named("T")] });
  const program: Program = {
    ...speech,
    training: {
      ...regression().program.training!,
      data: [{ modality: "text", reader: "characters", path: "*.txt" }],
      batch: 2,
      length: 4,
      holdOut: 0.25,
    },
    entries: {
      ...speech.entries,
      train: { ...speech.entries["decode"]!, inputs: [port("text"), port("text.next")] },
    },
  };
  const text = "abcdef".repeat(20);

  test("are cut as the recipe says, with the tokenizer that they make", async () => {
    const { data, tokenizers } = await openModelData(program, { text }, {}, {});
    const { text: ids, "text.next": next } = data.train.batch(0) as Record<
      string,
      { shape: readonly number[]; values: Int32Array }
    >;
    expect([ids!.shape, next!.shape]).toEqual([
      [2, 4],
      [2, 4],
    ]);
    expect(Array.from(ids!.values.slice(1, 4))).toEqual(Array.from(next!.values.slice(0, 3)));
    expect(tokenizers["text"]!.count).toBe(7);
    expect(data.held.examples).toBeGreaterThan(0);
    const longer = await openModelData(program, { text }, { batch: 3, length: 5 }, {});
    expect(longer.data.train.batch(0)["text"]!.shape).toEqual([3, 5]);
  });

  test("keep to the tokenizer that the model has", async () => {
    const known = charactersTokenizer("abcdefgh");
    const { data, tokenizers } = await openModelData(program, { text }, {}, { text: known });
    const { values } = data.train.batch(0)["text"]!;
    expect(text).toContain(known.decode(values.slice(0, 4)));
    expect(tokenizers).toEqual({});
    expect(await errorOf(() => openModelData(program, { text: "axb" }, {}, { text: known }))).toMatch(
      /^R0107 the character "x" is not/,
    );
    expect(await errorOf(() => openModelData(program, { text: "abc" }, {}, { text: known }))).toMatch(
      /^R0104 the text of `text` has 4 tokens, too few for windows of 4/,
    );
  });

  test.each<[Record<string, string>, RegExp]>([
    [{}, /^R0132 no data are given for `text` = the recipe reads `text`/],
    [{ text, image: "" }, /^R0132 the recipe has no data for `image` = it reads `text`/],
    [{ text: "" }, /^R0103 /],
  ])("%j is refused", async (sources, expected) =>
    expect(await errorOf(() => openModelData(program, sources, {}, {}))).toMatch(expected),
  );
});
