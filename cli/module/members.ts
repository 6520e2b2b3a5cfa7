// Members of the interfaces in a generated module: properties and methods with their comments, and those that every model has.
// In: names, types and words. Out: structures for ts-morph. Knows nothing of a program.

import type { MethodSignatureStructure, OptionalKind, PropertySignatureStructure } from "ts-morph";
import { propertyName, runtime } from "./names.ts";

export type Property = OptionalKind<PropertySignatureStructure>;
export type Method = OptionalKind<MethodSignatureStructure>;

export const port = (name: string, type: string, doc: string): Property => ({
  name: propertyName(name),
  isReadonly: true,
  type,
  ...documented(doc),
});

/** A comment may hold anything but its own end. */
export const documented = (text: string): { docs?: string[] } =>
  text.trim() === "" ? {} : { docs: [wrapped(text.trim()).replaceAll("*/", "*\\/")] };

const lineLength = 92;
/** Lines that are too long for an editor's pop-up, broken at spaces. */
const wrapped = (text: string): string =>
  text
    .split("\n")
    .map((line) => line.replaceAll(new RegExp(`(?=.{${lineLength + 1}})(.{1,${lineLength}}) `, "g"), "$1\n"))
    .join("\n");

/** `parameters`: types by name; a name with `?` at its end may be left out. */
export const method = (
  name: string,
  parameters: Readonly<Record<string, string>>,
  returnType: string,
  doc: string,
): Method => ({
  name,
  parameters: Object.entries(parameters).map(([each, type]) => ({
    name: each.replace(/\?$/, ""),
    hasQuestionToken: each.endsWith("?"),
    type,
  })),
  returnType,
  ...documented(doc),
});

export const properties = (model: string, isText: boolean): Property[] => [
  { name: "name", isReadonly: true, type: JSON.stringify(model) },
  {
    name: "step",
    type: "number",
    docs: ["Optimiser steps done; schedules go by it. Loaded weights bring theirs."],
  },
  ...(isText
    ? [
        {
          name: "tokenizer",
          isReadonly: true,
          type: `${runtime}.Tokenizer | undefined`,
          docs: [
            "How text becomes tokens; undefined until weights, data or the option `tokenizer` have brought it.",
          ],
        },
      ]
    : []),
  { name: "program", isReadonly: true, type: `${runtime}.Program`, docs: ["What was compiled, as data."] },
  {
    name: "session",
    isReadonly: true,
    type: `${runtime}.Executor`,
    docs: ["For what is not here: whole runs with `train` of the runtime, timings, single entries."],
  },
];

export const textMethods: readonly Method[] = [
  method("encode", { text: "string" }, "Int32Array", "Tokens of a text."),
  method("decode", { tokens: "ArrayLike<number>" }, "string", "The text of tokens."),
];

export const lifeMethods: readonly Method[] = [
  method(
    "saveWeights",
    { "options?": "{ readonly optimiser?: boolean }" },
    "Promise<Uint8Array<ArrayBuffer>>",
    "A safetensors file of parameters and state; with the optimiser's state, training can go on from it.",
  ),
  method(
    "loadWeights",
    { source: `${runtime}.BytesSource` },
    "Promise<void>",
    "Loads weights of this model: bytes, path or URL of a safetensors file or checkpoint. Changes nothing when they do not fit.",
  ),
  method(
    "dispose",
    {},
    "void",
    "Frees its threads, or its memory on the GPU. The model cannot be used afterwards.",
  ),
  { name: "[Symbol.dispose]", parameters: [], returnType: "void" },
];
