// The example of a plain TypeScript project: its model is built, it is compiled by TypeScript against the package as users get
// it, and run. And what does not fit the model does not compile.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileFile, writeBuilt } from "./helpers/built.ts";
import { compileProject, installRuntime, temporaryFolder } from "./helpers/package.ts";

const root = resolve(import.meta.dirname, "..");
const folder = temporaryFolder("app");

/** What compiles, and what does not, with a part of what TypeScript then says. */
const cases: readonly (readonly [code: string, expected?: string])[] = [
  [`await model.forward({ text: [[1, 2, 3]] });`],
  [`await model.forward({ text: [Int32Array.of(1, 2, 3)] });`],
  [`await model.forward({ text: tensor([2, 3], new Int32Array(6)) });`],
  [`await model.forward({ txt: [[1]] });`, "'txt' does not exist"],
  [`await model.forward({});`, "Property 'text' is missing"],
  [`await model.forward({ text: 3 });`, "not assignable"],
  [`await model.forward({ text: [3] });`, "not assignable"],
  [`await model.forward({ text: tensor([6], new Int32Array(6)) });`, "not assignable"],
  [`await model.forward({ text: tensor([2, 3], new Float32Array(6)) });`, "not assignable"],
  [`(await model.forward({ text: [[1]] })).logits.shape[2] satisfies 256;`],
  [`(await model.forward({ text: [[1]] })).logits.shape[2] satisfies 255;`, "expected type '255'"],
  [`(await model.forward({ text: [[1]] })).logit;`, "Did you mean 'logits'"],
  [`await model.trainStep({ text: [[1]] });`, `Property '"text.next"' is missing`],
  [`(await model.trainStep({ text: [[1]], "text.next": [[2]] })).accuracy.toFixed();`],
  [`(await model.trainStep({ text: [[1]], "text.next": [[2]] })).perplexity;`, "'perplexity' does not exist"],
  [`(await model.parameter("table")).shape satisfies readonly [256, 32];`],
  [`await model.parameter("tables");`, "not assignable"],
  [`model.setParameter("table", tensor([256, 32], new Float32Array(8192)));`],
  [`model.setParameter("table", tensor([32, 256], new Float32Array(8192)));`, "not assignable"],
  [`(await model.routes(await batch()))["block.0.experts.router"].load.shape satisfies readonly [4];`],
  [`(await model.routes(await batch()))["block.9.experts.router"];`, "Did you mean 'block.0.experts.router'"],
  [`await model.data({ texts: "" });`, "'texts' does not exist"],
  [`await load({ weight: "runs/small" });`, "'weight' does not exist"],
  [`model.generate(12);`, "not assignable"],
  [`model.step = 3;`],
  [`model.program = model.program;`, "read-only"],
  [`model.name satisfies "Small";`],
  // The declarations promise nothing that the class behind them does not have.
  [`null as unknown as Exclude<keyof Small, keyof LoadedModel> satisfies never;`],
];
const prelude = [
  `import { LoadedModel } from "moelang/runtime";`,
  `import { load, tensor, type Small, type SmallBatch } from "../model/small.js";`,
  `declare const model: Small; declare const batch: () => Promise<SmallBatch>;`,
];

let errors: readonly string[];
beforeAll(async () => {
  for (const file of ["package.json", "tsconfig.json", "src"])
    cpSync(join(root, "examples/app", file), join(folder, file), { recursive: true });
  await installRuntime(folder);
  mkdirSync(join(folder, "node_modules/@types"));
  for (const name of ["@types/node", "undici-types"])
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name), "dir");
  const compiled = compileFile(join(root, "examples/app/small.moe"));
  await writeBuilt(join(folder, "model"), compiled, compiled);
  writeFileSync(join(folder, "src/cases.ts"), [...prelude, ...cases.map(([code]) => code)].join("\n"));
  errors = compileProject(folder);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("examples/app", () => {
  test("has no type errors, nor have the module and the package that it imports", () => {
    expect(errors.filter((error) => !error.startsWith("src/cases.ts:"))).toEqual([]);
  });

  test("trains, and speaks", () => {
    const output = execFileSync(process.execPath, ["dist/main.js"], { cwd: folder, encoding: "utf8" });
    const lines = output.trimEnd().split("\n");
    expect(lines.slice(0, 6).map((line) => line.replaceAll(/\d+\.\d+/g, "#"))).toEqual(
      [0, 20, 40, 60, 80, 100].map((step) => `step ${step}: loss #, accuracy #, rate #`),
    );
    const losses = lines.slice(0, 7).map((line) => Number(/loss (\d+\.\d+)/.exec(line)![1]));
    expect(losses[0]).toBeGreaterThan(5);
    expect(losses[6]).toBeLessThan(1);
    expect(lines[7]).toMatch(/^block\.0\.experts\.router: \d+, \d+, \d+, \d+$/);
    // Two sentences, over and over: it has learned to spell them.
    expect(lines[9]).toMatch(/^the cat sat on the (mat|log)\. the (cat|dog) sat/);
    expect(lines[10]).toMatch(/^\d+ bytes of weights$/);
  });

  test.each(cases.map(([code, expected], index) => [code, expected, index] as const))(
    "%s",
    (_code, expected, index) => {
      const found = errors.filter((error) => error.startsWith(`src/cases.ts:${index + prelude.length + 1} `));
      expect(found.length > 0).toBe(expected !== undefined);
      if (expected !== undefined) expect(found.join("\n")).toContain(expected);
    },
  );
});
