// A generated module whose recipe says `start from`: what is given for the sources is where training begins, and without it the model
// does not train. In: tiny models compiled here. Out: their tensors, or what is said.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, test } from "vitest";
import { moduleText } from "../cli/module/module.ts";
import type { LoadedModel } from "../runtime/model.ts";
import type { OpenOptions } from "../runtime/model-open.ts";
import { encodeSafetensors } from "../runtime/safetensors.ts";
import { joinedBytes } from "../runtime/join.ts";
import { compileText } from "./helpers/differential.ts";
import { errorOf, opened } from "./helpers/opened.ts";

const folder = mkdtempSync(join(tmpdir(), "moe-module-start-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const source = (start: string): string => `
expert Line(D)(x: [D]) -> [D] {
  param w: [D, D]
  x @ w
}
router Best(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  choose top 1 of softmax(x @ w)
}
model M {
  modality x = features(2)
  pool = Line(2) * 3
  logits = pool(x) by Best
  loss mean(square(logits))
}
train M {
  data x = csv("a.csv", "a", "b")
  optimizer sgd { rate = 0.1, momentum = 0 }
  batch 2
  ${start}
}`;
const one = source('start from "runs/base" {\n  "pool.w" = copy("line.w")\n}\n  steps 4');
const compiled = compileText(one);
const base = joinedBytes(
  encodeSafetensors([{ name: "line.w", type: "f32", shape: [2, 2], values: Float32Array.of(1, 2, 3, 4) }]),
);
const batch = { x: [[1, 2], [3, 4]] }; // prettier-ignore

const load = (options: OpenOptions, made: typeof compiled = compiled): Promise<LoadedModel> =>
  opened(made, options);
const weights = async (model: LoadedModel): Promise<readonly number[]> => [
  ...(await model.parameter("pool.w")).values,
];
const copied = [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4];

test("bytes, a path, a URL and the folder of a run are what it begins with", async () => {
  const run = join(folder, "base");
  mkdirSync(run);
  writeFileSync(join(run, "last.safetensors"), base);
  for (const from of [
    base,
    join(run, "last.safetensors"),
    pathToFileURL(join(run, "last.safetensors")),
    run,
  ]) {
    const model = await load({ start: { "runs/base": from } });
    expect(await weights(model)).toEqual(copied);
  }
  const better = Uint8Array.from(base);
  better.set(new Uint8Array(Float32Array.of(5).buffer), base.length - 16);
  writeFileSync(join(run, "best.safetensors"), better);
  expect((await weights(await load({ start: { "runs/base": run } }))).slice(0, 2)).toEqual([5, 2]);
});

test("it trains from there", async () => {
  const model = await load({ start: { "runs/base": base } });
  expect((await model.trainStep(batch)).step).toBe(1);
  expect(await weights(model)).not.toEqual(copied);
});

test("without what it starts from it runs, and does not train", async () => {
  const model = await load({});
  expect((await model.forward(batch))["logits"]!.shape).toEqual([2, 2]);
  expect(await errorOf(() => model.trainStep(batch))).toBe(
    "R0310 the recipe of M starts from runs/base, which it was not given = load it with " +
      '`start: { "runs/base": ... }`, with `start: "fresh"`, or with `weights` of its own',
  );
  // Weights of its own are as good, given later as well.
  await model.loadWeights(await (await load({ start: "fresh" })).saveWeights());
  expect((await model.trainStep(batch)).step).toBe(1);
});

test("it may begin with the initialisers, when that is said", async () => {
  const model = await load({ start: "fresh", seed: 3 });
  expect(await weights(model)).toEqual(await weights(await load({ seed: 3 })));
  expect((await model.trainStep(batch)).step).toBe(1);
});

const phases = compileText(
  source(
    'steps 1\n  phase first { steps 2 }\n  phase second { steps 2\n start { "pool.w" = copy("pool.w") } }',
  ),
);
const two = compileText(
  source(
    'start from a = "a.safetensors", b = "b.safetensors" {\n  "pool.w" = copy(mean(a("line.w"), b("line.w")))\n}\n steps 2',
  ),
);

test("several sources, and a phase before", async () => {
  const twice = joinedBytes(
    encodeSafetensors([{ name: "line.w", type: "f32", shape: [2, 2], values: Float32Array.of(3, 2, 3, 4) }]),
  );
  const model = await load({ start: { "a.safetensors": base, "b.safetensors": twice } }, two);
  expect((await weights(model)).slice(0, 4)).toEqual([2, 2, 3, 4]);
  const before = await (await load({ start: "fresh", seed: 9 }, phases)).saveWeights();
  const second = await load({ start: { "the phase before": before } }, phases);
  expect(await weights(second)).toEqual(await weights(await load({ weights: before }, phases)));
});

test.each<[string, OpenOptions, string]>([
  ["another name", { start: { base } }, "R0310 the recipe of M starts from runs/base, which is not given"],
  [
    "one too many",
    { start: { "runs/base": base, more: base } },
    'R0310 the recipe of M does not start from "more"',
  ],
  [
    "weights as well",
    { start: { "runs/base": base }, weights: base },
    "R0310 `weights` and `start` are both given for M = leave out `start`",
  ],
  ["no file", { start: { "runs/base": join(folder, "nowhere") } }, "R0201 there is no file"],
  ["bytes that are no tensors", { start: { "runs/base": new Uint8Array(9) } }, "R020"],
])("%s is refused", async (_, options, said) => {
  expect(await errorOf(() => load(options))).toContain(said);
});

test("a tensor that is not there, and a recipe that starts from nothing", async () => {
  const other = joinedBytes(
    encodeSafetensors([{ name: "other", type: "f32", shape: [1], values: Float32Array.of(1) }]),
  );
  expect(await errorOf(() => load({ start: { "runs/base": other } }))).toContain("R0306");
  expect(await errorOf(() => load({ start: "fresh" }, compileText(source("steps 4"))))).toContain(
    "R0310 the recipe of M starts from nothing",
  );
});

test("the types name the sources", async () => {
  const dts = async ({ program }: typeof compiled): Promise<string> =>
    (await moduleText(program, { source: "m.moe", version: "1", sourceHash: "0" })).dts;
  expect((await dts(compiled)).replaceAll(/\s+/g, " ")).toContain(
    'readonly start?: { readonly "runs/base": moe.BytesSource } | "fresh";',
  );
  expect(await dts(compileText(source("steps 4")))).toContain("options?: moe.LoadOptions)");
});
