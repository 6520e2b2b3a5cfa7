// Outline: the boxes of a model and what flows between them, found in a graph by the paths of its nodes. In: a program and the
// graph of its forward pass. Out: a tree of boxes with edges, repeated layers folded into one. Places nothing.
// A box is an instance: a leaf with its parameters, a pool with its routers, or a group that holds boxes because a pool is
// somewhere inside. What a group's own body computes is shown where it matters: products with parameters, lookups, and
// additions where two flows meet; everything else is passed through.

import type { Graph } from "../../compiler/graph.ts";
import { nodesOf, rootsOf } from "../../compiler/graph-walk.ts";
import type { Program } from "../../runtime/program.ts";
import { placeOfRouter } from "../report/parameters.ts";
import { Flows, inputId, outputId, wholePool, type Edge, type World } from "./flows.ts";
import { inside, joinPath, splitStep, stepBelow } from "./paths.ts";
import { elements, poolsOf, tensorLines, type Pool, type PoolPicture } from "./pool.ts";

export interface Box {
  /** Unique among the boxes of a group. */
  readonly id: string;
  readonly kind: "input" | "output" | "operator" | "leaf" | "pool" | "group" | "port";
  readonly title: string;
  readonly path: string;
  /** Copies one after the other that this box stands for. */
  readonly times: number;
  readonly lines: readonly string[];
  readonly parameters: number;
  readonly pool?: PoolPicture;
  readonly content?: Content;
}
export interface Content {
  readonly boxes: readonly Box[];
  readonly edges: readonly Edge[];
}
export function outline(program: Program, graph: Graph, choices: Graph | undefined): Content {
  const world: World = {
    program,
    nodes: nodesOf(rootsOf(graph)),
    outputs: new Set(graph.outputs.map(({ node }) => node)),
    pools: poolsOf(program, choices),
  };
  return contentOf(world, "", graph.outputs.map(({ name }) => name).join(", "));
}

function contentOf(world: World, base: string, result: string): Content {
  const flows = new Flows(world, base);
  for (const node of world.nodes) flows.visit(node);
  const boxes: Box[] = [];
  const kept = flows.edges();
  for (const id of flows.order) {
    const box = boxOf(world, base, id, flows.labels.get(id), result);
    boxes.push(box);
  }
  return fold(world, { boxes, edges: kept });
}

function boxOf(world: World, base: string, id: string, label: string | undefined, result: string): Box {
  const plain = { id, times: 1, lines: [], parameters: 0, path: base };
  if (id === inputId || (id === outputId && base !== "")) return { ...plain, kind: "port", title: "" };
  if (id === outputId) return { ...plain, kind: "output", title: result };
  if (id.startsWith("input:")) return { ...plain, kind: "input", title: label ?? id };
  if (id.startsWith("op:")) return { ...plain, kind: "operator", title: label ?? "" };
  const here = world.pools.get(base)?.find((pool) => pool.id === id);
  if (here !== undefined) return poolBox(world, base, here, id, nameOf(here));
  const path = joinPath(base, id);
  const whole = wholePool(world, path);
  if (whole !== undefined) return poolBox(world, path, whole, id, splitStep(id).name);
  const tensors = tensorsIn(world, path);
  const parameters = tensors.reduce((sum, { shape }) => sum + elements(shape), 0);
  const common = { id, path, times: 1, title: splitStep(id).name, parameters };
  const routed = world.program.routers.some(({ name }) => name.startsWith(`${path}.`));
  return routed
    ? { ...common, kind: "group", lines: [], content: contentOf(world, path, "") }
    : { ...common, kind: "leaf", lines: tensorLines(tensors) };
}

const tensorsIn = (world: World, path: string) =>
  world.program.tensors.filter(({ role, name }) => role === "parameter" && inside(path, name));

/** `rows` of a pool that was bound to a name. */
function nameOf({ steps }: Pool): string {
  const named = [...steps]
    .map((step) => splitStep(step).name)
    .find((name) => !/^(router|routed|shared|pool)$/.test(name));
  return named ?? "pool";
}

function poolBox(world: World, place: string, { picture, steps }: Pool, id: string, name: string): Box {
  const routers = picture.routers.length;
  const title = routers > 1 ? `${name}: ${routers} routers, one pool` : name;
  const parameters = tensorsIn(world, place)
    .filter((tensor) => steps.has(stepBelow(place, tensor.name) ?? ""))
    .reduce((sum, { shape }) => sum + elements(shape), 0);
  return { id, kind: "pool", title, path: place, times: 1, lines: [], parameters, pool: picture };
}

/** What two copies of a layer have in common: names and shapes below them. */
function signature(world: World, path: string): string {
  const below = (name: string): string => name.slice(path.length);
  const tensors = tensorsIn(world, path).map(({ name, shape }) => `${below(name)}[${shape.join()}]`);
  const routers = world.program.routers
    .filter(({ name }) => inside(path, placeOfRouter(name)))
    .map(({ name, experts, nulls, width }) => `${below(name)} ${experts} ${nulls} ${width}`);
  const words = [...world.pools].flatMap(([place, pools]) =>
    inside(path, place) ? pools.flatMap(({ picture }) => picture.routers.map((router) => router.words)) : [],
  );
  return [...tensors, ...routers, ...words].join(" ");
}

/** `block.0` to `block.3`, alike and each fed by the one before: one box, times 4. */
function fold(world: World, { boxes, edges }: Content): Content {
  const into = new Map<string, string>();
  const times = new Map<string, number>();
  let head: Box | undefined;
  let last: Box | undefined;
  for (const box of boxes) {
    const { name, number } = splitStep(box.id);
    const before = last === undefined ? undefined : splitStep(last.id);
    const follows =
      number !== undefined &&
      before?.name === name &&
      before.number === number - 1 &&
      last!.parameters > 0 &&
      edges.some(({ from, to }) => from === last!.id && to === box.id) &&
      signature(world, last!.path) === signature(world, box.path);
    if (follows) {
      into.set(box.id, head!.id);
      times.set(head!.id, (times.get(head!.id) ?? 1) + 1);
    } else head = box;
    last = box;
  }
  const target = (id: string): string => into.get(id) ?? id;
  const merged = new Map<string, Edge>();
  for (const { from, to } of edges) {
    const [a, b] = [target(from), target(to)];
    if (a !== b) merged.set(`${a}>${b}`, { from: a, to: b });
  }
  return {
    boxes: boxes.filter(({ id }) => !into.has(id)).map((box) => ({ ...box, times: times.get(box.id) ?? 1 })),
    edges: [...merged.values()],
  };
}
