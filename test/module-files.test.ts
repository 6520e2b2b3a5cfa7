// What a generated module's model has from outside: weights, tokenizers, its own files, data; and what it says when something is wrong.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { savedTensors } from "../runtime/arena-plan.ts";
import { encodeCheckpoint } from "../runtime/checkpoint.ts";
import { openModelData } from "../runtime/model-data.ts";
import { checksumOf, checksumOfJson, checksumOfText } from "../runtime/model-checks.ts";
import { openModel, type LoadOptions, type ModelFiles } from "../runtime/model-open.ts";
import type { Program } from "../runtime/program.ts";
import { decodeSafetensors } from "../runtime/safetensors.ts";
import { named } from "../runtime/size.ts";
import { bytesTokenizer, charactersTokenizer } from "../runtime/tokenizer.ts";
import { joinShaders } from "../runtime/webgpu/shader-file.ts";
import { regression, speaker } from "./helpers/hand-written.ts";
import { batch, errorOf, opened } from "./helpers/opened.ts";
import { forGpu } from "./helpers/webgpu-made.ts";

const folder = mkdtempSync(join(tmpdir(), "moe-module-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("weights", () => {
  test("come back, and with the optimiser's state training goes on bit by bit", async () => {
    const [one, other] = [await opened(), await opened(regression(), { seed: 3 })];
    for (let step = 0; step < 5; step++) await one.trainStep(batch(8, step));
    await other.loadWeights(await one.saveWeights({ optimiser: true }));
    expect(other.step).toBe(5);
    expect(await other.trainStep(batch(8, 5))).toEqual(await one.trainStep(batch(8, 5)));
    expect(await other.parameter("w")).toEqual(await one.parameter("w"));
  });

  test("alone begin with a fresh optimiser, and are plain safetensors", async () => {
    const [one, used] = [await opened(), await opened()];
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
    const one = await opened();
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
      const model = await opened(regression(), { weights });
      expect([model.step, await model.parameter("w")]).toEqual([3, await one.parameter("w")]);
    }
    const damaged = Buffer.concat(parts);
    damaged[damaged.length - 1]! ^= 1;
    expect(await errorOf(() => opened(regression(), { weights: damaged }))).toMatch(
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
    expect(await errorOf(() => opened(regression(), { weights: weights() }))).toMatch(expected),
  );

  test("of another model are refused, and change nothing", async () => {
    const [model, other] = [await opened(), await opened(speaker())];
    const before = await model.parameter("w");
    expect(await errorOf(async () => model.loadWeights(await other.saveWeights()))).toBe(
      "R0206 the given file is of another model: `w` is missing in it; the model has no `table` = load weights that Regression was trained to, or build the module from the `.moe` file of the run",
    );
    expect(await model.parameter("w")).toEqual(before);
  });

  test("one by one", async () => {
    const model = await opened();
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
    const model = await opened(speaker(), { tokenizer: letters });
    const options = { tokens: 12, seed: 5, stopAtEnd: false };
    const text = await all(model.generate("abc", options));
    expect(text).toEqual(await all(model.generate("abc", options)));
    const ids = (await all(model.generateTokens([1, 2, 3], { tokens: 12, seed: 5 }))) as number[];
    expect(text.join("")).toBe(letters.decode(ids));
    expect(model.decode(model.encode("abc"))).toBe("abc");
  });

  test("stops at the end of a document", async () => {
    const model = await opened(speaker(), { tokenizer: letters });
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
    writeFileSync(join(run, "last.safetensors"), await (await opened(speaker())).saveWeights());
    for (const options of [
      { tokenizer: letters.toJSON() },
      { tokenizer: file },
      { tokenizer: pathToFileURL(file) },
      { weights: run },
    ])
      expect((await opened(speaker(), options)).tokenizer?.toJSON()).toEqual(letters.toJSON());
  });

  test("without a tokenizer", async () => {
    const model = await opened(speaker());
    expect(await errorOf(() => all(model.generate("abc")))).toMatch(
      /^R0401 the model Speaker has no tokenizer.*= load it with the folder/,
    );
    expect(await errorOf(() => opened(speaker(), { tokenizer: join(folder, "none.json") }))).toMatch(
      /^R0201 /,
    );
    writeFileSync(join(folder, "odd.json"), "{]");
    expect(await errorOf(() => opened(speaker(), { tokenizer: join(folder, "odd.json") }))).toMatch(
      /^R0209 .*is not JSON/,
    );
    writeFileSync(join(folder, "odd.json"), "{}");
    expect(await errorOf(() => opened(speaker(), { tokenizer: join(folder, "odd.json") }))).toMatch(
      /^R0108 /,
    );
  });

  test("models that do not speak", async () => {
    const model = await opened(regression(), { tokenizer: bytesTokenizer() });
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

  describe("that are not of one build", () => {
    const other = speaker();
    const gpu = forGpu(regression());
    const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
    const shaders = joinShaders(gpu.shaders);
    const checksums = {
      "program.json": checksumOfJson(program),
      "model.wasm": checksumOf(wasm.plain),
      "program.webgpu.json": checksumOfJson(gpu.program),
      "model.wgsl": checksumOfText(shaders),
    };
    const open = (changed: Partial<ModelFiles>, options: LoadOptions = {}): Promise<string> =>
      errorOf(() =>
        openModel({ program: text(program), wasm: { plain: wasm.plain }, checksums, ...changed }, options),
      );
    const refused =
      /^R0507 .* is not the file that this module was built with = it was changed, cut off, or is of another build/;

    test.each<[string, Partial<ModelFiles>]>([
      ["a program of another build", { program: text(other.program) }],
      ["kernels of another build", { wasm: { plain: other.wasm.plain } }],
      ["kernels that are cut off", { wasm: { plain: wasm.plain.slice(0, -100) } }],
      ["a program that somebody edited", { program: text({ ...program, name: "Another" }) }],
    ])("%s", async (_name, changed) => {
      expect(await open(changed)).toMatch(refused);
    });

    test.each([
      ["a program of another build", { ...gpu.program, name: "Another" }, shaders],
      ["shaders that somebody edited", gpu.program, shaders.replace("@compute", "@compute ")],
    ])("on a GPU: %s", async (_name, changed, code) => {
      const webgpu = { program: text(changed), shaders: new TextEncoder().encode(code) };
      expect(await open({ webgpu }, { device: "webgpu" })).toMatch(refused);
      expect(await open({ webgpu }, { device: "auto" })).toMatch(refused);
    });

    test("line ends and the layout of JSON do not count, and files that are given are their giver's", async () => {
      const laidOut = JSON.stringify(program, null, 2).replaceAll("\n", "\r\n");
      const all = { program: new TextEncoder().encode(laidOut), wasm: { plain: wasm.plain }, checksums };
      (await openModel(all, { threads: 1 })).dispose();
      expect(checksumOfText(shaders.replaceAll("\n", "\r\n"))).toBe(checksums["model.wgsl"]);
      const own = { program: text(other.program), wasm: { plain: other.wasm.plain } };
      const model = await openModel(all, { threads: 1, files: own });
      expect(model.name).toBe(other.program.name);
      model.dispose();
    });
  });

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
