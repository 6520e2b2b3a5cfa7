// Programs in a test: text in, what a model computes out. The graph interpreter runs them, in double precision.

import type { Diagnostic } from "../../grammar/diagnostic.ts";
import { checkModel } from "../../compiler/check/check.ts";
import {
  elaborateModel,
  modelsOf,
  type Built,
  type ElaborateOptions,
} from "../../compiler/elaborate/model.ts";
import { GraphBuilder } from "../../compiler/graph-builder.ts";
import { interpretGraph } from "../../compiler/interpret-graph.ts";
import type { Graph } from "../../compiler/graph.ts";
import { hasErrors, type Host, type Model } from "../../compiler/model.ts";
import { loadModel } from "../../compiler/resolve.ts";
import { stdlib } from "../../stdlib/sources.ts";

/** A host of texts: the standard library, and what the test gives. */
export const hostOf = (files: Readonly<Record<string, string>>): Host => ({
  read: (path) => files[path] ?? stdlib[path],
});

export const load = (text: string, others: Readonly<Record<string, string>> = {}): Model =>
  loadModel(hostOf({ "main.moe": text, ...others }), "main.moe");

/** `M0301 the text it stands at: the message`, for every diagnostic of the main module. */
export const told = (model: Model, diagnostics: readonly Diagnostic[]): readonly string[] =>
  diagnostics.map(
    ({ code, message, at }) =>
      `${code} ${model.modules.get(at.module)?.text.slice(at.span.start, at.span.end) ?? "?"}: ${message}`,
  );

export const checkText = (text: string): readonly string[] => {
  const model = load(text);
  return told(model, [...model.diagnostics, ...checkModel(model)]);
};

/** Elaborates the first model of a text; mistakes fail the test. */
export function buildText(
  text: string,
  options: Partial<ElaborateOptions> = {},
): { readonly built: Built; readonly builder: GraphBuilder } {
  const model = load(text);
  const found = [...model.diagnostics, ...checkModel(model)];
  if (hasErrors(found)) throw new Error(told(model, found).join("\n"));
  const builder = new GraphBuilder();
  const { built, diagnostics } = elaborateModel(model, modelsOf(model)[0]!.name.text, {
    mode: "training",
    ...options,
    builder,
  });
  if (built === undefined) throw new Error(told(model, diagnostics).join("\n"));
  return { built, builder };
}

/** Numbers that look random and are the same in every run. */
export function numbers(count: number, seed: number, scale = 1): number[] {
  let state = (seed * 2654435761) >>> 0;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) >>> 0;
    return ((state / 2 ** 32) * 2 - 1) * scale;
  });
}

/** Values for every parameter and state: given ones, or numbers from the name. */
export function valuesOf(
  built: Built,
  given: Readonly<Record<string, readonly number[]>> = {},
): Map<string, readonly number[]> {
  const hash = (text: string): number =>
    [...text].reduce((sum, letter) => (Math.imul(sum, 31) + letter.charCodeAt(0)) >>> 0, 7);
  return new Map(
    built.tensors.map(({ name, shape, role, init }) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const fresh =
        role === "state"
          ? new Array<number>(count).fill(init.kind === "constant" ? init.value : 0)
          : numbers(count, hash(name), 0.7);
      return [name, given[name] ?? fresh];
    }),
  );
}

export interface Ran {
  readonly [name: string]: { readonly dims: readonly number[]; readonly data: readonly number[] };
}

/** Runs nodes of a built model: `logits`, `loss`, metrics by name, `update <state>`, `load <router>`, `picks <router>`. */
export function runBuilt(
  { built, builder }: { readonly built: Built; readonly builder: GraphBuilder },
  inputs: Readonly<Record<string, readonly number[]>>,
  sizes: Readonly<Record<string, number>>,
  tensors: ReadonlyMap<string, readonly number[]> = valuesOf(built),
): Ran {
  const loss = built.losses.map(({ node }) => node).reduce((a, b) => builder.add(a, b), builder.constant(0));
  const graph: Graph = {
    name: "test",
    outputs: [
      ...built.outputs,
      { name: "loss", node: loss },
      ...built.metrics,
      ...built.updates.map(({ tensor, node }) => ({ name: `update ${tensor}`, node })),
      ...built.routers.flatMap(({ name, load, picks }) => [
        { name: `load ${name}`, node: load },
        { name: `picks ${name}`, node: picks },
      ]),
    ],
    updates: [],
  };
  const { outputs } = interpretGraph(graph, {
    sizes,
    inputs: new Map(Object.entries({ $step: [0], $draw: [0], $seed: [1], ...inputs })),
    tensors,
  });
  return Object.fromEntries([...outputs].map(([name, { dims, data }]) => [name, { dims, data: [...data] }]));
}
