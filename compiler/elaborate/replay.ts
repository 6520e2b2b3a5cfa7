// Replay: layers that differ in their place and in what they read, and in nothing else, are elaborated once. The nodes that the
// first one asked for are asked for again over the other's inputs, under the other's path, and what it declared and reported is
// declared and reported again: the same nodes, in the same order, as elaboration would make.
// In: an application, and one before by the same words. Out: the same value as from `apply`.
// Only where that is certain: same definition, statics and types of inputs, no mistakes so far; a record is kept of an application that
// asked for no parameter of others, reads nodes that it was given or asked for, and looked at none from within (`lookInside`).
// Whatever elaboration notes besides nodes must be in `Collected`, whose parts are all named here.

import type { Span } from "../../grammar/syntax.ts";
import type { GraphBuilder } from "../graph-builder.ts";
import { rebuild } from "../graph-rebuild.ts";
import { dependenciesOf } from "../graph-walk.ts";
import type { Node, Origin } from "../graph.ts";
import { apply, pathOf } from "./apply.ts";
import { cachePath } from "./cache.ts";
import { frameOf, type ApplyHints, type Collected, type Elaboration, type Frame } from "./elaboration.ts";
import { noteHeld } from "./sent.ts";
import type { Inputs } from "./inputs.ts";
import { sameInputs, sameInstance } from "./same-value.ts";
import { mostWork } from "./statement.ts";
import type { Instance, Tensor, Value } from "./value.ts";

/** How far elaboration was at some moment. */
interface Mark {
  readonly asked: number;
  readonly counts: { readonly [Part in keyof Collected]: number };
  readonly order: number;
  readonly stream: number;
  readonly work: number;
  readonly looks: number;
}

/** One application as it was elaborated. */
interface Take {
  /** Where it stands: the body that is being run. */
  readonly frame: Frame;
  readonly instance: Instance;
  readonly inputs: readonly Tensor[];
  readonly path: string;
  readonly result: Tensor;
  readonly from: Mark;
  readonly to: Mark;
}

/** What is remembered while a model is elaborated. */
export interface Replay {
  /** Nodes that were asked for, new or not, in order, and where. */
  readonly nodes: Node[];
  readonly origins: Origin[];
  /** The last application that was elaborated, by the words that ask for it. */
  readonly takes: Map<Span, Take>;
}

/** Elaborates with layers remembered. */
export function remembering<T>(of: Elaboration, elaborate: () => T): T {
  const { builder } = of;
  if (builder === undefined) return elaborate();
  const replay: Replay = { nodes: [], origins: [], takes: new Map() };
  of.replay = replay;
  builder.asked = (node) => {
    replay.nodes.push(node);
    replay.origins.push(builder.origin);
  };
  try {
    return elaborate();
  } finally {
    of.replay = undefined;
    builder.asked = undefined;
  }
}

/** Kinds whose parameters lie below a path of their own, and that return a tensor. */
const ownPath: ReadonlySet<string> = new Set(["layer", "expert", "moe", "chain"]);

/** Applies an instance to its inputs, or repeats what the same application did before. */
export function applyOrReplay(
  of: Elaboration,
  instance: Instance,
  inputs: Inputs,
  span: Span,
  hints?: ApplyHints,
): Value {
  const { replay } = of;
  if (
    replay === undefined ||
    hints !== undefined ||
    instance.path !== undefined ||
    !ownPath.has(instance.definition.kind) ||
    !inputs.every((value): value is Tensor => value?.kind === "tensor" && value.node !== undefined) ||
    of.afterStep ||
    frameOf(of).router !== undefined ||
    of.diagnostics.length > 0
  )
    return apply(of, instance, inputs, span, hints);

  const frame = frameOf(of);
  const path = pathOf(of, instance);
  const before = replay.takes.get(span);
  if (
    before !== undefined &&
    before.frame === frame &&
    before.path !== path &&
    sameInstance(before.instance, instance) &&
    sameInputs(before.inputs, inputs) &&
    of.work + before.to.work - before.from.work <= mostWork
  )
    return again(of, replay, before, inputs, path);

  const from = markOf(of, replay);
  const result = apply(of, instance, inputs, span, { path });
  const to = markOf(of, replay);
  if (result.kind === "tensor") {
    const take = { frame, instance, inputs, path, result, from, to };
    if (of.diagnostics.length === 0 && standsAlone(replay, take)) replay.takes.set(span, take);
  }
  return result;
}

const markOf = (of: Elaboration, { nodes }: Replay): Mark => {
  const { tensors, losses, metrics, updates, routers, sent, modalities, undecodable, caches } = of.collected;
  return {
    asked: nodes.length,
    counts: {
      tensors: tensors.size,
      losses: losses.length,
      metrics: metrics.length,
      updates: updates.size,
      routers: routers.length,
      sent: sent.length,
      modalities: modalities.length,
      undecodable: undecodable.length,
      caches: caches.size,
    },
    order: of.nextOrder,
    stream: of.nextStream,
    work: of.work,
    looks: of.looks,
  };
};

/** Whether what an application did follows from its definition, its statics and the types of its inputs. */
function standsAlone({ nodes }: Replay, { frame, inputs, path, result, from, to }: Take): boolean {
  if (from.looks !== to.looks) return false;
  const isGiven = new Set(inputs.map(({ node }) => node!));
  const known = new Set<Node>(isGiven);
  for (const { route, rows } of [...frame.groups, ...inputs.flatMap(({ hidden }) => hidden)]) {
    const own = route ?? rows?.route;
    if (own !== undefined) known.add(own);
  }
  const moves = renaming(path, "");
  for (let i = from.asked; i < to.asked; i++) {
    const node = nodes[i]!;
    // What is made again by the body itself could not be told from what is given.
    if (isGiven.has(node)) return false;
    if (node.op === "tensor" && moves(node.name) === node.name) return false;
    for (const operand of dependenciesOf(node)) if (!known.has(operand)) return false;
    known.add(node);
  }
  const outer = new Set(inputs.flatMap(({ hidden }) => hidden));
  return (
    known.has(result.node!) &&
    result.hidden.every((axis) => outer.has(axis)) &&
    result.axes.every(({ valid }) => valid === undefined)
  );
}

/** Names and paths below one path, below another. */
function renaming(from: string, to: string): (name: string) => string {
  const below = (name: string, path: string, other: string): string | undefined =>
    name === path
      ? other
      : name.startsWith(path) && name[path.length] === "."
        ? other + name.slice(path.length)
        : undefined;
  return (name) => below(name, from, to) ?? below(name, cachePath(from), cachePath(to)) ?? name;
}

/** What `take` did, with other inputs under another path. */
function again(of: Elaboration, replay: Replay, take: Take, inputs: readonly Tensor[], path: string): Tensor {
  const { from, to } = take;
  const rename = renaming(take.path, path);
  const made = new Map(take.inputs.map(({ node }, i) => [node!, inputs[i]!.node!]));
  const nodeOf = (node: Node): Node => made.get(node) ?? node;
  askAgain(of.builder!, replay, take, made, rename, of.nextStream - from.stream);
  reportAgain(of.collected, take, nodeOf, rename);
  of.nextOrder += to.order - from.order;
  of.nextStream += to.stream - from.stream;
  of.work += to.work - from.work;
  return { ...take.result, node: nodeOf(take.result.node!) };
}

/** Asks for the nodes of a take that depend on its inputs or its path, and adds them to `made`. */
function askAgain(
  builder: GraphBuilder,
  { nodes, origins }: Replay,
  { from, to }: Take,
  made: Map<Node, Node>,
  rename: (name: string) => string,
  streams: number,
): void {
  const nodeOf = (node: Node): Node => made.get(node) ?? node;
  const places = new Map<Origin, Origin>();
  const moved = (origin: Origin): Origin => {
    const before = places.get(origin) ?? { ...origin, path: rename(origin.path) };
    places.set(origin, before);
    return before;
  };
  const remade = (node: Node): Node | undefined => {
    if (node.op === "tensor") return builder.tensor(rename(node.name), node.shape, node.dtype);
    if (node.op === "random") return builder.random(node.stream + streams, node.shape);
    return dependenciesOf(node).some((each) => made.has(each)) ? rebuild(builder, node, nodeOf) : undefined;
  };
  const outside = builder.origin;
  for (let i = from.asked; i < to.asked; i++) {
    const node = nodes[i]!;
    if (made.has(node)) continue;
    builder.origin = moved(origins[i]!);
    const now = remade(node);
    if (now !== undefined) made.set(node, now);
  }
  builder.origin = outside;
}

/** Declares and reports what a take did. */
function reportAgain(
  collected: Collected,
  { frame, from: { counts: from }, to: { counts: to } }: Take,
  nodeOf: (node: Node) => Node,
  rename: (name: string) => string,
): void {
  const { tensors, losses, metrics, updates, routers, sent, undecodable, caches } = collected;
  const added = <T>(list: Iterable<T>, part: keyof Collected): readonly T[] =>
    from[part] === to[part] ? [] : [...list].slice(from[part], to[part]);
  const moved = (value: Tensor): Tensor =>
    value.node === undefined ? value : { ...value, node: nodeOf(value.node) };
  const measured = <T extends { readonly path: string; readonly node?: Node }>(each: T): T => ({
    ...each,
    path: rename(each.path),
    ...(each.node === undefined ? {} : { node: nodeOf(each.node) }),
  });

  for (const tensor of added(tensors.values(), "tensors")) {
    const { init } = tensor;
    const name = rename(tensor.name);
    const copied = init.kind === "copy" ? { init: { ...init, from: rename(init.from) } } : {};
    tensors.set(name, { ...tensor, name, ...copied });
    noteHeld(collected, frame.groups, name);
  }
  losses.push(...added(losses, "losses").map(measured));
  metrics.push(...added(metrics, "metrics").map(measured));
  for (const [name, value] of added(updates, "updates")) updates.set(rename(name), moved(value));
  for (const router of added(routers, "routers"))
    routers.push({
      ...router,
      name: rename(router.name),
      picks: nodeOf(router.picks),
      load: nodeOf(router.load),
    });
  for (const { router, tensors: names, ...segment } of added(sent, "sent"))
    sent.push({
      ...segment,
      router: router === undefined ? undefined : rename(router),
      tensors: new Set([...names].map(rename)),
    });
  for (const reason of added(undecodable, "undecodable"))
    undecodable.push({ ...reason, origin: { ...reason.origin, path: rename(reason.origin.path) } });
  for (const [node, value] of added(caches, "caches")) caches.set(nodeOf(node), moved(value));
}
