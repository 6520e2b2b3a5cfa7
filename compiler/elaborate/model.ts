// A whole model: from its definition to what a graph computes for one mode. In: a checked Model, the name of one of its models,
// a graph builder. Out: outputs, losses, metrics, new states, routers, stored tensors, modalities; or diagnostics that only
// numbers could show. Makes no entries: those are the pipeline's.

import { error, type Diagnostic } from "../../grammar/diagnostic.ts";
import type { Argument, Definition, Name } from "../../grammar/syntax.ts";
import type { Modality, RouterInfo, SizeName, Tensor as StoredTensor } from "../../runtime/program.ts";
import { constant, named } from "../../runtime/size.ts";
import { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";
import { definitionsOf, type LoadedModule, type Model } from "../model.ts";
import { castTo, toTensor } from "./align.ts";
import {
  hiddenAxis,
  report,
  type BuiltRouter,
  type DecodeOptions,
  type Elaboration,
  type Frame,
  type ModeName,
  type Undecodable,
  type Watch,
} from "./elaboration.ts";
import { startElaboration } from "./elaborator.ts";
import { repeatedNames } from "./repeated.ts";
import { remembering } from "./replay.ts";
import { lookUp, openScope, type Scope } from "./scope.ts";
import { evaluateArguments, withStatics } from "./instance.ts";
import { nameStatic } from "./bind-sizes.ts";
import { phasesOf, type Phase } from "./phases.ts";
import { kindsOf } from "./sent.ts";
import { readTraining, type TrainingPlan } from "./training.ts";
import { isBroken, type Value } from "./value.ts";

export interface ElaborateOptions {
  readonly mode: ModeName;
  readonly builder: GraphBuilder;
  /** One token at a time: caches instead of sequences, and no losses. */
  readonly decode?: DecodeOptions;
  readonly watch?: Watch;
  /** A phase of its recipe; the last one when not given. */
  readonly phase?: string;
  /** false: equal layers are elaborated one by one (for tests: the same comes out). */
  readonly repeats?: boolean;
}

export interface Named {
  readonly name: string;
  readonly node: Node;
  readonly doc?: string;
}

/** What a model is in one mode, in one graph. */
export interface Built {
  readonly name: string;
  readonly doc?: string;
  /** `logits` first. */
  readonly outputs: readonly Named[];
  /** f32 scalars; their sum is what training makes small. */
  readonly losses: readonly { readonly name?: string; readonly path: string; readonly node: Node }[];
  /** f32 scalars by name: metrics, and losses that have a name. */
  readonly metrics: readonly Named[];
  /** New values of states, once a step; in decoding the caches. */
  readonly updates: readonly { readonly tensor: string; readonly node: Node }[];
  readonly routers: readonly (BuiltRouter & Pick<RouterInfo, "pool">)[];
  /** Parameters and states, in the order in which they are declared. */
  readonly tensors: readonly StoredTensor[];
  readonly modalities: readonly Modality[];
  /** Symbolic sizes: the batch `B`, the lengths of token modalities. */
  readonly sizes: readonly SizeName[];
  readonly training?: TrainingPlan;
  /** Why it cannot be decoded one token at a time; empty when it can. */
  readonly undecodable: readonly Undecodable[];
  /** Whether something in it is different in training and in inference, beside that states change only in training. */
  readonly modal: boolean;
}

export interface Elaborated {
  readonly built?: Built;
  readonly diagnostics: readonly Diagnostic[];
}

export const modelsOf = (model: Model): readonly Definition[] =>
  definitionsOf(model.main).filter(({ kind }) => kind === "model");

/** The first frame: that of the model itself. */
export function modelFrame(definition: Definition, module: LoadedModule, lead: Frame["lead"]): Frame {
  return {
    definition,
    module,
    path: "",
    lead,
    groups: [],
    repeated: repeatedNames(definition),
    counters: new Map(),
    stored: new Map(),
  };
}

/** Losses of one name are added up, as they are in the loss; metrics of one name are averaged. */
function merged(
  builder: GraphBuilder,
  list: readonly { readonly name: string; readonly node?: Node; readonly doc?: string }[],
  mean: boolean,
): readonly Named[] {
  const byName = new Map<string, { nodes: Node[]; doc: string | undefined }>();
  for (const { name, node, doc } of list) {
    if (node === undefined) continue;
    const entry = byName.get(name) ?? { nodes: [], doc };
    entry.nodes.push(node);
    byName.set(name, entry);
  }
  return [...byName].map(([name, { nodes, doc }]) => {
    const sum = nodes.reduce((a, b) => builder.add(a, b));
    const node = mean && nodes.length > 1 ? builder.div(sum, nodes.length) : sum;
    return { name, node, ...(doc === undefined ? {} : { doc }) };
  });
}

function sizesOf(modalities: readonly Modality[], training: TrainingPlan | undefined): readonly SizeName[] {
  const lengths = modalities.flatMap(({ kind, name, length }) =>
    kind === "tokens" && length !== undefined
      ? [
          {
            name: length,
            doc: `Positions of \`${name}\` in one sequence.`,
            default: training?.training.length ?? 128,
          },
        ]
      : [],
  );
  return [
    { name: "B", doc: "Sequences or examples in one batch.", default: training?.training.batch ?? 8 },
    ...lengths,
  ];
}

/** The value that the model gives: `logits`, or its last expression. */
function outputOf(
  of: Elaboration,
  definition: Definition,
  last: ReturnType<Elaboration["parts"]["run"]>,
  scope: ReturnType<typeof openScope>,
): Named | undefined {
  const value = lookUp(scope, "logits") ?? last;
  if (value === undefined) {
    if (of.diagnostics.length === 0)
      report(of, "M0604", definition.name.span, `the model \`${definition.name.text}\` has no output`, {
        label: "neither `logits` nor a last expression",
        help: "bind `logits = ...`",
      });
    return undefined;
  }
  if (isBroken(value)) return undefined;
  const found = toTensor(of, value);
  if (found === undefined) {
    report(of, "M0604", definition.name.span, `the output of \`${definition.name.text}\` is no tensor`, {
      label: "not a tensor",
      help: "bind `logits = ...` to a tensor",
    });
    return undefined;
  }
  const node = castTo(of, found, found.element === "bool" ? "bool" : found.element).node;
  return node === undefined ? undefined : { name: "logits", node };
}

/** The phases of a model's recipe, in order; none without a `train` block. */
export function phasesIn(module: LoadedModule, name: string): readonly Phase[] {
  const train = module.trains.find(({ model }) => model.text === name);
  return train === undefined ? [] : phasesOf(train);
}

/** Gives a model its statics: those that the recipe says, then defaults. False: a mistake has been reported. */
export function bindStatics(
  of: Elaboration,
  definition: Definition,
  module: LoadedModule,
  given: readonly Argument[],
  at: Name,
  scope: Scope,
): boolean {
  const value = { kind: "definition", definition, module, base: "" } as const;
  const instance = withStatics(of, value, evaluateArguments(of, given, openScope()), at.span);
  if (instance.kind === "broken") return false;
  for (const [name, found] of instance.statics) scope.names.set(name, nameStatic(found, "", name));
  for (const { name, value: fallback } of definition.statics) {
    if (scope.names.has(name.text)) continue;
    if (fallback === undefined) {
      report(of, "M0206", at.span, `\`${name.text}\` of \`${definition.name.text}\` is not given`, {
        label: "nothing here says what it is",
        related: [{ module: module.path, span: name.span, label: "declared here, without a default" }],
        help: `give it a default, or in the recipe: \`model ${definition.name.text} { ${name.text} = ... }\``,
      });
      return false;
    }
    scope.names.set(name.text, nameStatic(of.parts.evaluate(of, fallback, scope), "", name.text));
  }
  return true;
}

/** Elaborates one model in one mode. User mistakes that need numbers to be seen are diagnostics. */
export function elaborateModel(
  model: Model,
  name: string,
  { mode, builder, decode, watch, phase: wanted, repeats = true }: ElaborateOptions,
): Elaborated {
  const diagnostics: Diagnostic[] = [];
  const phases = phasesIn(model.main, name);
  const phase = wanted === undefined ? phases.at(-1) : phases.find((each) => each.name === wanted);
  if (phase === undefined && wanted !== undefined) {
    const known = phases.flatMap((each) => each.name ?? []).map((each) => `\`${each}\``);
    const recipe = model.main.trains.find((train) => train.model.text === name)?.model;
    const message = `the recipe of \`${name}\` has no phase \`${wanted}\``;
    const help =
      known.length === 0 ? "leave the phase out: the recipe has none" : `it has ${known.join(", ")}`;
    const span = recipe?.span ?? { start: 0, end: 0 };
    return { diagnostics: [error("M0616", message, model.main.path, span, "", help)] };
  }
  const definition = modelsOf(model).find((each) => each.name.text === (phase?.model.text ?? name));
  if (definition === undefined) {
    const known = modelsOf(model).map((each) => `\`${each.name.text}\``);
    const message = `there is no model \`${name}\``;
    const help = known.length === 0 ? "write a `model`" : `the file has ${known.join(", ")}`;
    return { diagnostics: [error("M0605", message, model.main.path, { start: 0, end: 0 }, "", help)] };
  }
  const recipe = phase === undefined ? undefined : recipeOf(model.main, definition, phase, diagnostics);
  const steps = recipe?.steps;
  const of = startElaboration({ builder, mode, decode, steps, recipe, diagnostics, watch });
  const batch = hiddenAxis(of, "lead", decode === undefined ? named("B") : constant(decode.batch), "batch");
  of.frames.push(modelFrame(definition, model.main, [batch]));
  const scope = openScope();
  if (!bindStatics(of, definition, model.main, phase?.statics ?? [], phase?.model ?? definition.name, scope))
    return { diagnostics };
  const body = (): Value | undefined => of.parts.run(of, definition.body, scope);
  const last = repeats && watch === undefined ? remembering(of, body) : body();
  const output = outputOf(of, definition, last, scope);
  const training = phase === undefined ? undefined : readTraining(of, phase);
  const { collected } = of;
  if (diagnostics.some(({ severity }) => severity === "error") || output === undefined)
    return { diagnostics };
  const losses = collected.losses.flatMap(({ node, ...rest }) =>
    node === undefined ? [] : [{ ...rest, node }],
  );
  const namedLosses = losses.flatMap(({ name: label, node }) =>
    label === undefined ? [] : [{ name: label, node }],
  );
  const metrics = [...merged(builder, namedLosses, false), ...merged(builder, collected.metrics, true)];
  const updates = [...collected.updates].flatMap(([tensor, { node }]) =>
    node === undefined ? [] : [{ tensor, node }],
  );
  return {
    built: {
      name,
      ...(definition.doc === undefined ? {} : { doc: definition.doc }),
      outputs: [output],
      losses,
      metrics,
      updates,
      routers: collected.routers.map((router) => ({ ...router, pool: kindsOf(collected, router.name) })),
      tensors: [...collected.tensors.values()],
      modalities: collected.modalities,
      sizes: sizesOf(collected.modalities, training),
      ...(training === undefined
        ? {}
        : {
            training: {
              ...training,
              training: { ...training.training, metrics: ["loss", ...metrics.map((each) => each.name)] },
            },
          }),
      undecodable: collected.undecodable,
      modal: of.modal,
    },
    diagnostics,
  };
}

/** What the recipe says, read before anything else: schedules need its steps, capacities its batch. */
function recipeOf(
  module: LoadedModule,
  definition: Definition,
  phase: Phase,
  diagnostics: Diagnostic[],
): TrainingPlan["training"] {
  const of = startElaboration({ builder: new GraphBuilder(), mode: "training", diagnostics });
  of.frames.push(modelFrame(definition, module, []));
  return readTraining(of, phase).training;
}
