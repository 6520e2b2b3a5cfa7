// Meaning: hashes of all that a result depends on, and of nothing else. In: a file of models, one of them, a folder. Out: two texts of
// sixteen digits. Two texts that elaborate to the same graphs, tensors and recipe mean the same: comments, names of bindings and the
// layout of a file do not count, nor do files of the standard library that the model does not use, nor the order in which the compiler
// makes nodes. So do two whose graphs are the same once they are simplified: an entry of std that multiplies by 1 where nothing is asked of
// it computes what it did. One of the two hashes is enough, so that neither a formula that is written differently nor a new rule of
// the simplifier makes a result stale. Bytes of data count. What graphs do not show counts by hand, through `machinery`: derivatives, optimisers, initial
// values, the order of data, measures. Kernels are left out on purpose: another schedule rounds differently, and an effect that would
// change with it is smaller than the spread over seeds.

import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { phaseNames } from "../compiler/compile.ts";
import { elaborateModel, type Built } from "../compiler/elaborate/model.ts";
import type { StartPlan } from "../compiler/elaborate/start.ts";
import { keyOfSize } from "../compiler/graph-axis.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Graph, Node } from "../compiler/graph.ts";
import { dependenciesOf, nodesOf, operandsOf } from "../compiler/graph-walk.ts";
import { printOperation } from "../compiler/print-graph.ts";
import { loadModel } from "../compiler/resolve.ts";
import { simplify } from "../compiler/simplify.ts";
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

/** A text of what is as it was elaborated, and one of what is left when graphs are simplified. */
interface Texts {
  readonly written: string;
  readonly simple: string;
}

/** Everything that a model is in one mode. */
function builtText(built: Built): Texts {
  // Gates of a metric are for reports alone.
  const steering = built.routers.filter(({ measured }) => measured !== true);
  const named: [string, Node][] = [
    ...built.losses.map(({ node, name, path }): [string, Node] => [`loss ${path} ${name ?? ""}`, node]),
    ...built.metrics.map(({ name, node }): [string, Node] => [`metric ${name}`, node]),
    ...built.updates.map(({ tensor, node }): [string, Node] => [`update ${tensor}`, node]),
    ...steering.flatMap(({ name, load, picks }): [string, Node][] => [
      [`load ${name}`, load],
      [`picks ${name}`, picks],
    ]),
    ...Object.entries(built.training?.optimizer.options ?? {}).map(([name, node]): [string, Node] => [
      `optimizer ${built.training!.optimizer.name} ${name}`,
      node,
    ]),
  ];
  const outputs = named.map(([name, node]) => ({ name, node }));
  const tensors = built.tensors.map(({ name, role, shape, init }) =>
    JSON.stringify([name, role, shape, init]),
  );
  const routers = steering.map(({ name, experts, nulls }) => `router ${name} ${experts} ${nulls}`);
  const text = (graph: Graph): string => {
    const hashes = nodeHashes(graph.outputs.map(({ node }) => node));
    const values = graph.outputs.map(({ name, node }) => `${name} ${hashes.get(node)!}`);
    return [...values, ...tensors, ...routers].join("\n");
  };
  const graph: Graph = { name: built.name, outputs, updates: [] };
  return { written: text(graph), simple: text(simplify(graph)) };
}

/** Without what the machinery sets itself: seeds, evaluations, checkpoints. */
export const recipeOf = ({ data, batch, length, steps, accumulate, holdOut }: Training): string =>
  JSON.stringify({ data, batch, length, steps, accumulate, holdOut });

const batchesOf = ({ data, batch, length, accumulate, holdOut }: Training): string =>
  JSON.stringify({ data, batch, length, accumulate, holdOut });

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

/** What an arm means, by its graphs as they are written and as they are simplified. */
export interface Marks {
  readonly hash: string;
  readonly simple: string;
}

/** Whether two mean the same: one mark is enough. `simple` is absent where a result was measured before there was such a mark. */
export const agree = (one: Pick<Marks, "hash"> & Partial<Marks>, other: Marks): boolean =>
  one.hash === other.hash || one.simple === other.simple;

export interface Meaning extends Marks {
  /** The same for arms that train on the same data in the same way. */
  readonly recipe: string;
  /** The same for arms that train on the same data in the same batches, for however many steps in however many phases. */
  readonly batches: string;
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
  const batches = new Set<string>();
  const phases: Texts[] = [];
  for (const phase of phaseNames(model, taught)) {
    const learning = elaborate(taught, "training", phase);
    const plan = learning.training;
    if (plan === undefined) throw new Error(`internal: ${name} of ${file} has no \`train\` block`);
    const data = await dataHash(plan.training, dirname(file));
    recipes.push([recipeOf(plan.training), data].join(" "));
    batches.add([batchesOf(plan.training), data].join(" "));
    const settings = JSON.stringify([plan.clip, plan.freeze, plan.rates]);
    const start = plan.start === undefined ? [] : [startText(plan.start)];
    const about = [settings, ...start].join("\n");
    const { written, simple } = builtText(learning);
    phases.push({ written: [about, written].join("\n"), simple: [about, simple].join("\n") });
  }
  const recipe = recipes.join("\n");
  const whole = [...phases, builtText(elaborate(name, "inference"))];
  const mark = (of: (texts: Texts) => string): string =>
    sha([String(machinery), recipe, ...whole.map(of)].join("\n"));
  return {
    hash: mark(({ written }) => written),
    simple: mark(({ simple }) => simple),
    recipe,
    batches: [...batches].sort().join("\n"),
  };
}
