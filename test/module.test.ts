// The generated module as text: what it says of a model, that it is the same each time, and that no name or comment breaks it.
import ts from "typescript";
import { describe, expect, test } from "vitest";
import { docsOf, type Docs } from "../cli/module/docs.ts";
import { moduleText } from "../cli/module/module.ts";
import { propertyName, repeated, shapeType, typeName } from "../cli/module/names.ts";
import { loadModel } from "../compiler/resolve.ts";
import { checksumOf, checksumOfJson } from "../runtime/model-checks.ts";
import type { Program } from "../runtime/program.ts";
import { constant, multiply, named } from "../runtime/size.ts";
import { regression, speaker } from "./helpers/hand-written.ts";

const options = { source: "regression.moe", version: "0.1.0", sourceHash: "12ab" };
const { program } = regression();
const text = async (of: Program = program, docs?: Docs): Promise<{ js: string; dts: string }> =>
  moduleText(of, { ...options, ...(docs === undefined ? {} : { docs }) });

/** Syntax errors of a text. */
function syntaxErrors(source: string, file: string): string[] {
  const { diagnostics = [] } = ts.transpileModule(source, { fileName: file, reportDiagnostics: true });
  return diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "));
}

describe("the generated module", () => {
  test("its code", async () => {
    expect((await text()).js).toBe(`// Made by moelang 0.1.0 from regression.moe (12ab).
// Do not edit: change regression.moe and run \`moe build\` again.

import { openModel } from "moelang/runtime";

export { tensor } from "moelang/runtime";

const files = {
  program: new URL("./program.json", import.meta.url),
  wasm: {
    plain: new URL("./model.wasm", import.meta.url),
    relaxed: new URL("./model.relaxed.wasm", import.meta.url),
  },
};

export const load = (options) => openModel(files, options);

export default { name: "Regression", load };
`);
  });

  test("knows the files that it was built with", async () => {
    const files = new Map<string, string | Uint8Array>([
      ["program.json", '{"name": "Regression"}\n'],
      ["model.wasm", Uint8Array.of(0, 97, 13, 109)],
    ]);
    const { js } = await moduleText(program, { ...options, files });
    expect(js).toContain(`  checksums: {
    "program.json": "${checksumOfJson({ name: "Regression" })}",
    "model.wasm": "${checksumOf(Uint8Array.of(0, 97, 13, 109))}",
  },
};
`);
  });

  test("its declarations", async () => {
    const docs: Docs = {
      model: "A line through points.",
      modalities: { x: "Where a point is." },
      metrics: { loss: "Mean square." },
      tensors: { w: "The slope along each axis." },
    };
    const { dts } = await text(program, docs);
    expect(dts).toMatchInlineSnapshot(`
      "// Made by moelang 0.1.0 from regression.moe (12ab).
      // Do not edit: change regression.moe and run \`moe build\` again.

      /// <reference lib="esnext.disposable" />

      import type * as moe from "moelang/runtime";

      export { tensor } from "moelang/runtime";

      /**
       * A line through points.
       *
       * 4 parameters.
       */
      export interface Regression {
        readonly name: "Regression";
        /** Optimiser steps done; schedules go by it. Loaded weights bring theirs. */
        step: number;
        /** What was compiled, as data. */
        readonly program: moe.Program;
        /** For what is not here: whole runs with \`train\` of the runtime, timings, single entries. */
        readonly session: moe.Executor;
        /** Losses and metrics, in inference mode. Changes nothing. */
        evaluate(batch: RegressionBatch): Promise<RegressionMetrics>;
        /**
         * One training step on a batch: gradients, and the update of the recipe (momentum 0.9). Stops
         * with an error when the loss is not a finite number.
         */
        trainStep(batch: RegressionBatch): Promise<RegressionStep>;
        /** A copy of a parameter, or of a layer's state. */
        parameter<Name extends keyof RegressionParameters>(
          name: Name,
        ): Promise<RegressionParameters[Name]>;
        /** Replaces the values of one. */
        setParameter<Name extends keyof RegressionParameters>(
          name: Name,
          values: RegressionParameters[Name],
        ): void;
        /**
         * A safetensors file of parameters and state; with the optimiser's state, training can go on
         * from it.
         */
        saveWeights(options?: { readonly optimiser?: boolean }): Promise<Uint8Array<ArrayBuffer>>;
        /**
         * Loads weights of this model: bytes, path or URL of a safetensors file or checkpoint. Changes
         * nothing when they do not fit.
         */
        loadWeights(source: moe.BytesSource): Promise<void>;
        /** Frees its threads, or its memory on the GPU. The model cannot be used afterwards. */
        dispose(): void;
        [Symbol.dispose](): void;
      }

      /** Losses and metrics by name, as means over what was given. */
      export interface RegressionMetrics {
        /** Mean square. */
        readonly loss: number;
      }

      /** What \`trainStep\` takes. \`B\`: batch. */
      export interface RegressionBatch {
        /**
         * Where a point is.
         * 4 numbers for each example. Shape [B, 4].
         */
        readonly x: moe.ShapedInput<"f32", readonly [B: number, 4]>;
        /** Numbers. Shape [B]. */
        readonly y: moe.ShapedInput<"f32", readonly [B: number]>;
      }

      /** What a training step did. */
      export interface RegressionStep extends RegressionMetrics {
        /** Optimiser steps done, this one included. */
        readonly step: number;
        /** What the schedule said for this step. */
        readonly learningRate: number;
        /** Before clipping. */
        readonly gradientNorm: number;
      }

      /** Parameters, and state of layers, by name. */
      export interface RegressionParameters {
        /** The slope along each axis. */
        readonly w: moe.Shaped<"f32", readonly [4]>;
      }

      /** Loads Regression: with trained weights, or with fresh ones to train. */
      export declare function load(options?: moe.LoadOptions): Promise<Regression>;
      declare const model: { readonly name: "Regression"; readonly load: typeof load };
      export default model;
      "
    `);
  });

  test("is the same each time, with line feeds only", async () => {
    const [first, second] = [await text(), await text(regression().program)];
    expect(second).toEqual(first);
    expect(first.js + first.dts).not.toMatch(/\r|[ \t]\n|\n\n\n/);
  });

  test("a model without tokens has no text methods, one without training none to train", async () => {
    const numbers = (await text()).dts;
    expect(numbers).toMatch(/trainStep\(/);
    expect(numbers).not.toMatch(/generate|encode|forward\(/);
    const speech = (await text(speaker().program)).dts;
    expect(speech).toMatch(/generate\(prompt: string, options\?: moe\.TextOptions\): AsyncIterable<string>/);
    expect(speech).not.toMatch(/trainStep|evaluate|data\(/);
  });

  test("accumulated batches are a tuple", async () => {
    expect((await text(regression({ accumulate: 2 }).program)).dts).toMatch(
      /trainStep\(batches: readonly \[RegressionBatch, RegressionBatch\]\): Promise<RegressionStep>/,
    );
    expect(repeated("B", 3)).toBe("readonly [B, B, B]");
    expect(repeated("B", 17)).toBe("readonly B[]");
  });

  test("a metric called as what a step adds keeps its place", async () => {
    const { dts } = await text({ ...program, training: { ...program.training!, metrics: ["loss", "step"] } });
    expect(dts.match(/readonly step: number/g)).toHaveLength(1);
  });

  test.each<[string, Partial<Program>, Docs | undefined, string]>([
    ["a type of the language", { name: "Promise" }, undefined, "export interface PromiseModel {"],
    ["the name of the namespace", { name: "moe" }, undefined, "export interface moeModel {"],
    ["a word of TypeScript", { name: "class" }, undefined, "export interface classModel {"],
    ["no identifier", { name: '3 "quotes' }, undefined, "export interface _3__quotes {"],
    ["nothing", { name: "" }, undefined, "export interface _ {"],
    [
      "the end of a comment",
      { name: "*/ throw 1 /*" },
      { model: "*/ bad /*", modalities: {}, metrics: {}, tensors: {} },
      "*\\/ bad /*",
    ],
    [
      "an at sign",
      {},
      { model: "@deprecated {@link", modalities: {}, metrics: {}, tensors: {} },
      "@deprecated",
    ],
    ["an empty comment", {}, { model: " ", modalities: {}, metrics: {}, tensors: {} }, "parameters"],
  ])("a model that is called or described as %s", async (_what, change, docs, expected) => {
    const { js, dts } = await text({ ...program, ...change }, docs);
    expect(syntaxErrors(js, "m.js")).toEqual([]);
    expect(syntaxErrors(dts, "m.ts")).toEqual([]);
    expect(dts).toContain(expected);
  });

  test("a source that would end its line", async () => {
    const { js, dts } = await moduleText(program, { ...options, source: "a\nthrow 1;\u2028b.moe" });
    expect(js.split("\n")[0]).toBe("// Made by moelang 0.1.0 from a throw 1; b.moe (12ab).");
    expect(syntaxErrors(dts, "m.ts")).toEqual([]);
  });

  test.each([
    [[], "readonly []"],
    [[named("B"), constant(4)], "readonly [B: number, 4]"],
    [[multiply(constant(2), named("T"))], "readonly [number]"],
    [[named("a b")], "readonly [number]"],
  ])("the type of a shape", (shape, expected) => expect(shapeType(shape)).toBe(expected));

  test("names", () => {
    expect(["w", "block.0.w", "a-b", "class"].map(propertyName)).toEqual([
      "w",
      '"block.0.w"',
      '"a-b"',
      "class",
    ]);
    expect(["Small", "small-model", "as"].map(typeName)).toEqual(["Small", "small_model", "asModel"]);
  });
});

describe("comments of a `.moe` file", () => {
  const read = (source: string): Docs =>
    docsOf(loadModel({ read: (path) => (path === "a.moe" ? source : undefined) }, "a.moe"), "Small");
  const body = `{
  /// Bytes.
  modality text = tokens(vocab = 256)
  /// A row for each.
  param table: [256, 8]
  logits = table[text] @ transpose(table)
  /// Wrong bytes cost.
  loss wrong = cross_entropy(logits, text.next)
  /// Which are right.
  metric right = 0
}
`;

  test("stand on the model and its statements", () => {
    expect(read(`/// Speaks.\nmodel Small ${body}`)).toEqual({
      model: "Speaks.",
      modalities: { text: "Bytes." },
      metrics: { wrong: "Wrong bytes cost.", right: "Which are right." },
      tensors: { table: "A row for each." },
    });
  });
  test("one at the top of the file is about the only model", () => {
    expect(read(`/// The top.\n\nmodel Small ${body}`).model).toBe("The top.");
    expect(read(`/// The top.\n\nmodel Small ${body}\nmodel Other ${body}`).model).toBeUndefined();
  });
  test("a name that is no model has none", () => {
    expect(read("layer Small(x: [D]) -> [D] { x }\n")).toEqual({ modalities: {}, metrics: {}, tensors: {} });
  });
});
