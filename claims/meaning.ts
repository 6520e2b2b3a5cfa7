// Meaning: a hash of all that a result depends on, and of nothing else. In: a file of models, one of them, a folder. Out: a text of
// sixteen digits. Two texts that elaborate to the same graphs, tensors and recipe mean the same: comments, names of bindings and the
// layout of a file do not count, nor do files of the standard library that the model does not use, nor the order in which the compiler
// makes nodes. Bytes of data count. What graphs do not show counts by hand, through `machinery`: derivatives, optimisers, initial
// values, the order of data, measures. Kernels are left out on purpose: another schedule rounds differently, and an effect that would
// change with it is smaller than the spread over seeds.

import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { phaseNames } from "../compiler/compile.ts";
import { elaborateModel, type Built } from "../compiler/elaborate/model.ts";
import type { StartPlan } from "../compiler/elaborate/start.ts";
import { keyOfSize } from "../compiler/graph-axis.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Node } from "../compiler/graph.ts";
import { dependenciesOf, nodesOf, operandsOf } from "../compiler/graph-walk.ts";
import { printOperation } from "../compiler/print-graph.ts";
import { loadModel } from "../compiler/resolve.ts";
import { nodeFolder } from "../runtime/data/folder-node.ts";
import type { Training } from "../runtime/program.ts";
import { hostOf } from "./compiling.ts";

/** Raised when a result could change by something that graphs and data do not show. test/claims.test.ts has a run that notices. */
export const machinery = 1;

const sha = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 16);

/** By what a node computes: the same for equal subgraphs, whatever their ids. */
function nodeHashes(roots: readonly Node[]): ReadonlyMap<Node, string> {
  const hashes = new Map<Node, string>();
  for (const node of nodesOf(roots)) {
    const shape = node.shape.map((axis) =>
      axis.kind === "ragged" ? `rows of ${hashes.get(axis.by) ?? "itself"}` : keyOfSize(axis.size),
    );
    const inputs = operandsOf(node).map((operand) => hashes.get(operand)!);
    const others = dependenciesOf(node).length;
    hashes.set(
      node,
      sha([printOperation(node), node.dtype, shape.join(), inputs.join(), String(others)].join("\n")),
    );
  }
  return hashes;
}

/** Everything that a model is in one mode, as texts. */
function builtText(built: Built): readonly string[] {
  const named: [string, Node][] = [
    ...built.losses.map(({ node, name, path }): [string, Node] => [`loss ${path} ${name ?? ""}`, node]),
    ...built.metrics.map(({ name, node }): [string, Node] => [`metric ${name}`, node]),
    ...built.updates.map(({ tensor, node }): [string, Node] => [`update ${tensor}`, node]),
    ...built.routers.flatMap(({ name, load, picks }): [string, Node][] => [
      [`load ${name}`, load],
      [`picks ${name}`, picks],
    ]),
    ...Object.entries(built.training?.optimizer.options ?? {}).map(([name, node]): [string, Node] => [
      `optimizer ${built.training!.optimizer.name} ${name}`,
      node,
    ]),
  ];
  const hashes = nodeHashes(named.map(([, node]) => node));
  const tensors = built.tensors.map(({ name, role, shape, init }) =>
    JSON.stringify([name, role, shape, init]),
  );
  const routers = built.routers.map(({ name, experts, nulls }) => `router ${name} ${experts} ${nulls}`);
  return [...named.map(([name, node]) => `${name} ${hashes.get(node)!}`), ...tensors, ...routers];
}

/** Without what the machinery sets itself: seeds, evaluations, checkpoints. */
export const recipeOf = ({ data, batch, length, steps, accumulate, holdOut }: Training): string =>
  JSON.stringify({ data, batch, length, steps, accumulate, holdOut });

/** What a phase begins with; where its rules stand does not count. Files would count by their bytes: claims start from phases only. */
function startText({ sources, rules }: StartPlan): string {
  const file = sources.find((source) => typeof source === "string");
  if (file !== undefined) throw new Error(`internal: a claim starts from ${file}`);
  return JSON.stringify([sources, rules.map(({ target, value }) => [target, value])]);
}

async function dataHash({ data }: Training, base: string): Promise<string> {
  const hash = createHash("sha256");
  for (const { modality, reader, path, columns = [] } of data) {
    hash.update(JSON.stringify([modality, reader, columns]));
    for (const file of await nodeFolder(base).find(path)) {
      for await (const piece of file.chunks()) hash.update(piece);
      file.close();
    }
  }
  return hash.digest("hex").slice(0, 16);
}

export interface Meaning {
  readonly hash: string;
  /** The same for arms that train on the same data in the same way. */
  readonly recipe: string;
}

/** `trained`: the model that is trained, where another one is measured. */
export async function meaningOf(
  file: string,
  name: string,
  trained: string | undefined = undefined,
): Promise<Meaning> {
  const model = loadModel(hostOf(), file);
  const elaborate = (which: string, mode: "training" | "inference", phase?: string): Built => {
    const of = phase === undefined ? {} : { phase };
    const { built, diagnostics } = elaborateModel(model, which, { mode, builder: new GraphBuilder(), ...of });
    if (built !== undefined) return built;
    throw new Error(`internal: ${which} of ${file}: ${diagnostics.map(({ message }) => message).join("; ")}`);
  };
  const taught = trained ?? name;
  const recipes: string[] = [];
  const phases: string[] = [];
  for (const phase of phaseNames(model, taught)) {
    const learning = elaborate(taught, "training", phase);
    const plan = learning.training;
    if (plan === undefined) throw new Error(`internal: ${name} of ${file} has no \`train\` block`);
    const data = await dataHash(plan.training, dirname(file));
    recipes.push([recipeOf(plan.training), data].join(" "));
    const settings = JSON.stringify([plan.clip, plan.freeze, plan.rates]);
    const start = plan.start === undefined ? [] : [startText(plan.start)];
    phases.push(settings, ...start, ...builtText(learning));
  }
  const recipe = recipes.join("\n");
  const parts = [String(machinery), recipe, ...phases, ...builtText(elaborate(name, "inference"))];
  return { hash: sha(parts.join("\n")), recipe };
}
