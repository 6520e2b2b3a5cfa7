// Compile: from the text of a module to a program. In: a host that reads modules, the path of one, the name of a model in
// it. Out: the program with its kernels and wasm modules, every level on the way for those who look, or diagnostics; or only
// the diagnostics, of all its models.
// The order of the passes is in passes.ts. Reads no files and knows no Node API: it runs in a page.

import { error, type Diagnostic } from "../grammar/diagnostic.ts";
import { linesOf } from "../grammar/text.ts";
import type {
  Accumulation,
  Copy,
  Precision,
  Program,
  RouterInfo,
  SizeName,
  TargetName,
  Tensor,
  UndecodableLine,
} from "../runtime/program.ts";
import { named, sizeEquals } from "../runtime/size.ts";
import { artifact, type Artifact } from "./artifact.ts";
import { mistakesIn } from "./check/mistakes.ts";
import type { Watch } from "./elaborate/elaboration.ts";
import { elaborateModel, modelsOf, phasesIn, type Built } from "./elaborate/model.ts";
import {
  decodeGraph,
  evaluateGraph,
  forwardGraph,
  loadPort,
  picksPort,
  trainingGraphs,
  type Recipe,
  type TrainingGraphs,
} from "./entries.ts";
import { GraphBuilder } from "./graph-builder.ts";
import type { Graph, Origin } from "./graph.ts";
import type { Kernel } from "./kernel.ts";
import { nothingKnown } from "./known.ts";
import { lowerGraph } from "./lower.ts";
import { stacksOf, type Stacks } from "./lower/stacks.ts";
import type { LoweredEntry } from "./lowered.ts";
import { hasErrors, type Host, type Model } from "./model.ts";
import { matchesPattern } from "./pattern.ts";
import { plan, type ProgramAbout } from "./plan.ts";
import { loadModel } from "./resolve.ts";
import { narrow } from "./narrow.ts";
import { simplifyTogether } from "./simplify.ts";
import { startTensors } from "./start-tensors.ts";
import { targetFor, type Target as Machine, type Warpgroups } from "./target.ts";
import { verifyGraph } from "./verify-graph.ts";
import { verifyKernel } from "./verify-kernel.ts";

export interface CompileRequest<Target extends TargetName = "wasm"> {
  readonly host: Host;
  /** The main module, as the host knows it. */
  readonly path: string;
  /** Needed when the module has several models. */
  readonly model?: string;
  /** A phase of the model's recipe; default: the last. */
  readonly phase?: string;
  /** What the kernels are for; default: wasm. */
  readonly target?: Target;
  /** Of the operands of contractions; default: f32. `webgpu` has f16, `cuda` both others. */
  readonly precision?: Target extends "cuda" ? Precision : Target extends "webgpu" ? "f32" | "f16" : "f32";
  /** For WebGPU in f16: what a few products of contractions at a time are added up in, except for gradients; longer sums are f32. Default:
   * f32. */
  readonly accumulation?: Target extends "webgpu" ? Accumulation : "f32";
  /** For CUDA in bf16 or f16: kernels have a variant of their tiles that devices whose warpgroups multiply (sm_90a) run; or, `bulk`, do all
   * of their work there in another way, with bulk copies of tensors by warps of their own. Default: no, since nothing of it has been
   * measured. */
  readonly warpgroups?: Warpgroups;
  /** Positions that the caches of decoding hold; the training length when not given. */
  readonly context?: number;
  /** Checks every level after every pass. */
  readonly verify?: boolean;
  /** false: no fusion, every node a kernel of its own (for tests). */
  readonly fuse?: boolean;
  /** Bytes that a binding may cover, other than what the target guarantees (for tests). */
  readonly binding?: number;
}

/** A program and what it was made from, without printed kernels: enough to plan with, at any size. */
export interface PlannedModel {
  readonly program: Program;
  readonly kernels: readonly Kernel[];
  /** Before simplification, by entry. */
  readonly drafts: Readonly<Record<string, Graph>>;
  /** After simplification, by entry. */
  readonly graphs: Readonly<Record<string, Graph>>;
  readonly lowered: readonly LoweredEntry[];
  readonly model: Model;
}

/** With its kernels as the target takes them: `wasm`, `shaders` or `source`. */
export type Compiled<Target extends TargetName = "wasm"> = PlannedModel & Artifact<Target>;

export interface PlanResult {
  readonly planned?: PlannedModel;
  readonly diagnostics: readonly Diagnostic[];
}

export interface CompileResult<Target extends TargetName = "wasm"> {
  readonly compiled?: Compiled<Target>;
  readonly diagnostics: readonly Diagnostic[];
}

/** Everything but the printing of kernels; allocates nothing by the size of the parameters. */
export function planModel(request: CompileRequest<TargetName>): PlanResult {
  const model = loadModel(request.host, request.path);
  const diagnostics = [...mistakesIn(model, request.host)];
  if (hasErrors(diagnostics)) return { diagnostics };
  const name = request.model ?? onlyModel(model, diagnostics);
  if (name === undefined) return { diagnostics };
  const modes = elaborateModes(model, name, request);
  if ("diagnostics" in modes) return { diagnostics: [...diagnostics, ...modes.diagnostics] };
  return { planned: lowerAll(model, entriesOf(name, modes), request), diagnostics };
}

/**
 * Every mistake in a module and in what it imports: definitions with symbolic sizes, then each of its models with numbers,
 * because some mistakes (eight picks among six experts) only show there. Nothing is differentiated or lowered.
 */
export function checkModule(host: Host, path: string, watch?: Watch): readonly Diagnostic[] {
  const model = loadModel(host, path);
  const found = [...mistakesIn(model, host, watch)];
  if (!hasErrors(found))
    for (const { name } of modelsOf(model))
      for (const phase of phaseNames(model, name.text)) {
        const of = phase === undefined ? {} : { phase };
        const modes = elaborateModes(model, name.text, { host, path, ...of });
        if ("diagnostics" in modes) found.push(...modes.diagnostics);
      }
  return onceEach(found);
}

/** Of a model's recipe, in order; a recipe without phases, and a model without a recipe, is one of no name. */
export function phaseNames(model: Model, name: string): readonly (string | undefined)[] {
  const phases = phasesIn(model.main, name);
  return phases.length === 0 ? [undefined] : phases.map((phase) => phase.name);
}

/** Two modes, or two models with a layer in common, say the same mistake once. */
function onceEach(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.filter(({ code, message, at }) => {
    const key = JSON.stringify([code, message, at]);
    return !seen.has(key) && seen.add(key);
  });
}

export function compile<Target extends TargetName = "wasm">(
  request: CompileRequest<Target>,
): CompileResult<Target> {
  const { planned, diagnostics } = planModel(request);
  if (planned === undefined) return { diagnostics };
  const target = request.target ?? ("wasm" as Target);
  return { compiled: { ...planned, ...artifact(planned, target) }, diagnostics };
}

function onlyModel(model: Model, diagnostics: Diagnostic[]): string | undefined {
  const names = modelsOf(model).map(({ name }) => name.text);
  if (names.length === 1) return names[0];
  const listed = names.map((name) => `\`${name}\``).join(", ");
  const message = names.length === 0 ? "the file has no model" : "the file has several models";
  const help = names.length === 0 ? "write a `model`" : `say which, with \`--model\`: ${listed}`;
  diagnostics.push(error("M0605", message, model.main.path, { start: 0, end: 0 }, "", help));
  return undefined;
}

/** The model in every mode that it has entries for. */
interface Modes {
  readonly inferring: GraphBuilder;
  readonly inference: Built;
  readonly learning: GraphBuilder;
  readonly training: Built;
  /** One token at a time; absent when the model does not speak, or cannot be decoded. */
  readonly decoding?: { readonly built: Built; readonly context: number };
  /** Why a model that speaks cannot be decoded. */
  readonly undecodable?: Built["undecodable"];
}

interface Failed {
  readonly diagnostics: readonly Diagnostic[];
}

function elaborateModes(model: Model, name: string, request: CompileRequest<TargetName>): Modes | Failed {
  const phase = request.phase === undefined ? {} : { phase: request.phase };
  const learning = new GraphBuilder();
  const training = elaborateModel(model, name, { mode: "training", builder: learning, ...phase });
  // Most models are the same in both modes, and large ones take time.
  const same = training.built?.modal === false;
  const inferring = same ? learning : new GraphBuilder();
  const inference = same
    ? training
    : elaborateModel(model, name, { mode: "inference", builder: inferring, ...phase });
  if (inference.built === undefined || training.built === undefined)
    return { diagnostics: onceEach([...inference.diagnostics, ...training.diagnostics]) };
  const modes = { inferring, inference: inference.built, learning, training: training.built };
  if (!speaks(modes.inference)) return modes;

  const context = request.context ?? modes.training.training?.training.length ?? 128;
  const builder = new GraphBuilder();
  const decode = { context, batch: 1 };
  const { built, diagnostics } = elaborateModel(model, name, {
    mode: "inference",
    builder,
    decode,
    ...phase,
  });
  if (built === undefined) return { diagnostics };
  // Only decoding itself shows what stands in its way.
  const { undecodable } = built;
  return undecodable.length > 0 ? { ...modes, undecodable } : { ...modes, decoding: { built, context } };
}

/** The graphs of the entries before simplification, and all that they store. */
interface Entries {
  readonly name: string;
  readonly training: Built;
  readonly inference: Built;
  /** In order; those of one builder that have a forward pass in common stand together. */
  readonly graphs: readonly (readonly Graph[])[];
  readonly tensors: readonly Tensor[];
  readonly sizes: readonly SizeName[];
  readonly undecodable?: Built["undecodable"];
}

function entriesOf(name: string, modes: Modes): Entries {
  const { inferring, inference, learning, training, decoding, undecodable } = modes;
  const inferred = [forwardGraph(inference)];
  if (inference.losses.length > 0) inferred.push(evaluateGraph(inferring, inference));
  const graphs = [inferred];
  const extra: (readonly Tensor[])[] = [];
  const sizes = [...training.sizes];
  if (training.training !== undefined) {
    const graph = trainGraphs(learning, training);
    if (learning === inferring) inferred.push(graph.train);
    else graphs.push([graph.train]);
    graphs.push([graph.update]);
    extra.push(graph.tensors);
  }
  if (decoding !== undefined) {
    graphs.push([decodeGraph(decoding.built)]);
    extra.push(decoding.built.tensors);
    sizes.push({ name: "C", doc: "Positions that the caches of decoding hold.", default: decoding.context });
  }
  // Parameters of either mode (some exist in one only), then what the entries add.
  const tensors = new Map<string, Tensor>();
  for (const list of [training.tensors, inference.tensors, ...extra])
    for (const tensor of list) if (!tensors.has(tensor.name)) tensors.set(tensor.name, tensor);
  const frozen = frozenNames(training);
  return {
    name,
    training,
    inference,
    graphs,
    tensors: [...tensors.values()].map((tensor) =>
      tensor.role === "parameter" && frozen(tensor.name) ? { ...tensor, frozen: true } : tensor,
    ),
    sizes,
    ...(undecodable === undefined ? {} : { undecodable }),
  };
}

/** Whether tokens come out one by one: one modality of tokens, and an output for each. */
function speaks(built: Built): boolean {
  const tokens = built.modalities.filter(({ kind }) => kind === "tokens");
  const length = tokens[0]?.length;
  if (tokens.length !== 1 || length === undefined) return false;
  return built.outputs[0]!.node.shape.some((axis) => sizeEquals(axis.size, named(length)));
}

const frozenNames = (built: Built): ((name: string) => boolean) => {
  const patterns = built.training?.freeze ?? [];
  return (name) => patterns.some((pattern) => matchesPattern(pattern, name));
};

function trainGraphs(builder: GraphBuilder, built: Built): TrainingGraphs {
  const recipe = built.training!;
  const whole: Recipe = {
    training: recipe.training,
    optimizer: recipe.optimizer,
    ...(recipe.clip === undefined ? {} : { clip: recipe.clip }),
    frozen: frozenNames(built),
    factor: (name) => recipe.rates.findLast(({ pattern }) => matchesPattern(pattern, name))?.factor ?? 1,
  };
  return builder.at(recipe.origin, () =>
    trainingGraphs(builder, built, whole, builder.cast(builder.input("$step", "i32"), "f32")),
  );
}

/** The recipe, with a source for each tensor that does not begin with its initialiser. */
function trainingOf({ training, tensors }: Entries): Pick<ProgramAbout, "training"> {
  const plan = training.training;
  if (plan === undefined) return {};
  const start = plan.start === undefined ? {} : { start: startTensors(plan.start, tensors) };
  return { training: { ...plan.training, ...start } };
}

/** Stacks that are too long for a binding lie in parts, but for those that some kernel needs in one piece: only lowering shows. */
function lowerEntries(
  graphs: readonly Graph[],
  { tensors }: Entries,
  copies: readonly Copy[],
  target: Machine,
  fuse: boolean | undefined,
): { readonly lowered: readonly LoweredEntry[]; readonly stacks: Stacks } {
  let stacks = stacksOf(tensors, target.binding ?? Infinity, copies);
  const other = new Map(copies.flatMap(({ name, of }) => [[name, of] as const, [of, name] as const]));
  for (;;) {
    const known = nothingKnown();
    const whole = new Set<string>();
    const lowered = graphs.map((graph) =>
      lowerGraph(graph, {
        ...{ known, target, stacks, whole: (tensor: string) => void whole.add(tensor) },
        ...(fuse === undefined ? {} : { fuse }),
      }),
    );
    if (whole.size === 0) return { lowered, stacks };
    stacks = new Map([...stacks].filter(([name]) => !whole.has(name) && !whole.has(other.get(name) ?? "")));
  }
}

/** The lines that stand in the way of decoding, each reason once. */
function undecodableLines(
  { undecodable }: Entries,
  placeOf: ReturnType<typeof placesIn>,
): Pick<ProgramAbout, "undecodable"> {
  if (undecodable === undefined) return {};
  const lines = undecodable.map(({ origin, why, help }): UndecodableLine => {
    const place = placeOf(origin);
    return { ...(place === undefined ? {} : { place }), why, help };
  });
  const known = new Map(lines.map((line) => [`${line.place ?? ""} ${line.why}`, line]));
  return { undecodable: [...known.values()] };
}

/** Lines of the text by what came of them, in modules seen from the folder of the main one. */
function placesIn({ main, modules }: Model): (origin: Origin) => string | undefined {
  const folder = main.path.slice(0, main.path.lastIndexOf("/") + 1);
  const lines = new Map<string, (offset: number) => number>();
  return ({ module, span }) => {
    const text = module === undefined ? undefined : modules.get(module)?.text;
    if (module === undefined || span === undefined || text === undefined) return undefined;
    const lineOf = lines.get(module) ?? linesOf(text);
    lines.set(module, lineOf);
    return `${module.startsWith(folder) ? module.slice(folder.length) : module}:${lineOf(span.start)}`;
  };
}

const byName = (list: readonly Graph[]) => Object.fromEntries(list.map((each) => [each.name, each]));

function lowerAll(model: Model, entries: Entries, request: CompileRequest<TargetName>): PlannedModel {
  const { verify = false, target = "wasm", precision = "f32", accumulation = "f32" } = request;
  const machine = targetFor(request);
  if (verify) entries.graphs.flat().forEach(verifyGraph);
  // Only `train` has been differentiated; nothing needs to know any more where gradients stop.
  const simple = entries.graphs.flatMap((graphs) => simplifyTogether(graphs, { removeStops: true }));
  const { graphs: made, copies } = narrow(simple, entries.tensors, machine);
  if (verify) made.forEach(verifyGraph);
  const { lowered, stacks } = lowerEntries(made, entries, copies, machine, request.fuse);
  const { name, training, inference, tensors, sizes } = entries;
  const placeOf = placesIn(model);
  const inParts = <Stored extends Tensor | Copy>(tensor: Stored): Stored => {
    const part = stacks.get(tensor.name);
    return part === undefined ? tensor : { ...tensor, parts: part.count };
  };
  const about: ProgramAbout = {
    name,
    sizes,
    tensors: tensors.map(inParts),
    ...(copies.length === 0 ? {} : { copies: copies.map(inParts) }),
    modalities: training.modalities,
    // What `evaluate` reports: the routers of inference, which may differ from those of training.
    routers: inference.routers.map(({ name: router, experts, nulls, width, pool, dropping }): RouterInfo => ({
      ...{ name: router, experts, nulls, width, pool },
      load: loadPort(router),
      picks: picksPort(router),
      ...(dropping ? { dropping } : {}),
    })),
    ...trainingOf(entries),
    ...undecodableLines(entries, placeOf),
    ...(precision === "f32" ? {} : { precision }),
    ...(accumulation === "f32" ? {} : { accumulation }),
  };
  const { program, kernels } = plan(lowered, about, target, placeOf);
  if (verify) kernels.forEach(verifyKernel);
  return { program, kernels, drafts: byName(entries.graphs.flat()), graphs: byName(made), lowered, model };
}
