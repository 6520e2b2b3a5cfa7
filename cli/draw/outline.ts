// Outline: the boxes of a model and what flows between them, found in a graph by the paths of its nodes. In: a program and the
// graph of its forward pass. Out: a tree of boxes with edges, repeated layers folded into one. Places nothing.
// A box is an instance: a leaf with its parameters, a pool with its routers, or a group that holds boxes because a pool is
// somewhere inside. What a group's own body computes is shown where it matters: products with parameters, lookups, and
// additions where two flows meet; everything else is passed through.

import type { Graph, Node } from "../../compiler/graph.ts";
import { nodesOf, operandsOf, rootsOf } from "../../compiler/graph-walk.ts";
import type { Program } from "../../runtime/program.ts";
import { sizeKey } from "../../runtime/size.ts";
import { placeOfRouter } from "../report/parameters.ts";
import { inside, joinPath, splitStep, stepBelow } from "./paths.ts";
import { elements, poolsOf, tensorBehind, tensorLines, type Pool, type PoolPicture } from "./pool.ts";

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
export interface Edge {
  readonly from: string;
  readonly to: string;
}

interface World {
  readonly program: Program;
  readonly nodes: readonly Node[];
  readonly outputs: ReadonlySet<Node>;
  readonly pools: ReadonlyMap<string, readonly Pool[]>;
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

const sources: ReadonlySet<Node["op"]> = new Set(["tensor", "const", "size", "index", "random"]);

/** The pool that a step of a place is drawn as part of. */
const poolOfStep = (world: World, place: string, step: string): Pool | undefined =>
  world.pools.get(place)?.find(({ steps }) => steps.has(step));

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

const inputId = "in";
const outputId = "out";

/** Follows values through one group: which boxes each comes from. */
class Flows {
  readonly order: string[] = [];
  readonly labels = new Map<string, string>();
  private readonly known = new Set<string>();
  private readonly from = new Map<Node, ReadonlySet<string>>();
  private readonly pairs = new Map<string, Edge>();
  private readonly poolIds = new Map<string, boolean>();
  private readonly world: World;
  private readonly base: string;

  constructor(world: World, base: string) {
    this.world = world;
    this.base = base;
    if (base !== "") this.box(inputId);
  }

  edges(): Edge[] {
    return [...this.pairs.values()];
  }

  visit(node: Node): void {
    const { base, world } = this;
    if (!inside(base, node.origin.path) || (node.op === "input" && base !== "")) {
      // Outside of the group: what enters it from there comes in at one place. Whoever reads a value of ours lets it out.
      const enters = node.op === "input" ? !node.name.startsWith("$") : this.moves(node);
      this.from.set(node, new Set(enters ? [inputId] : []));
      for (const operand of operandsOf(node)) if (this.ours(operand)) this.flow(operand, outputId);
      return;
    }
    if (sources.has(node.op)) this.from.set(node, new Set());
    else if (node.op === "input") this.from.set(node, node.name.startsWith("$") ? new Set() : new Set([this.box(`input:${node.name}`, `${node.name} [${node.shape.map(({ size }) => sizeKey(size)).join(", ")}]`)]));
    else {
      // What depends on no input (masks, angles of positions) is nobody's message: layers share it without feeding each other.
      const step = stepBelow(base, node.origin.path);
      const unit = !this.moves(node) ? undefined : step === undefined ? this.operator(node) : this.box(poolOfStep(world, base, step)?.id ?? step);
      if (unit === undefined) this.from.set(node, this.union(operandsOf(node)));
      else {
        for (const operand of operandsOf(node)) this.flow(operand, unit);
        this.from.set(node, new Set([unit]));
      }
    }
    if (world.outputs.has(node)) this.flow(node, outputId);
  }

  private moves(node: Node): boolean {
    return operandsOf(node).some((operand) => (this.from.get(operand)?.size ?? 0) > 0);
  }

  private isPool(id: string): boolean {
    const before = this.poolIds.get(id);
    if (before !== undefined) return before;
    const found = id.startsWith("pool:") || wholePool(this.world, joinPath(this.base, id)) !== undefined;
    this.poolIds.set(id, found);
    return found;
  }

  private ours(node: Node): boolean {
    return inside(this.base, node.origin.path) && !sources.has(node.op) && node.op !== "input";
  }

  private box(id: string, label?: string): string {
    if (!this.known.has(id)) {
      this.known.add(id);
      this.order.push(id);
      if (label !== undefined) this.labels.set(id, label);
    }
    return id;
  }

  private flow(from: Node, to: string): void {
    for (const source of this.from.get(from) ?? []) {
      if (source === to) continue;
      this.box(to);
      this.pairs.set(`${source}>${to}`, { from: source, to });
    }
  }

  private union(nodes: readonly Node[]): ReadonlySet<string> {
    const sets = nodes.map((node) => this.from.get(node) ?? new Set<string>()).filter(({ size }) => size > 0);
    if (sets.length <= 1) return sets[0] ?? new Set();
    return new Set(sets.flatMap((set) => [...set]));
  }

  /** A box of its own for an operation of the group's body, when it is worth one. */
  private operator(node: Node): string | undefined {
    const operands = operandsOf(node);
    const sources = operands.map((operand) => this.from.get(operand) ?? new Set<string>());
    const all = new Set(sources.flatMap((set) => [...set]));
    // What is made of nothing but a pool's results is still the pool: its merge, its constants.
    if (all.size === 1 && this.isPool([...all][0]!) && node.op !== "contract") return undefined;
    const named = operands.flatMap((operand) => tensorBehind(operand) ?? []).map((name) => name.slice(name.lastIndexOf(".") + 1));
    if (node.op === "contract") return this.box(`op:${node.id}`, named.length > 0 ? `× ${named.join(", ")}` : "×");
    if (node.op === "take") return this.box(`op:${node.id}`, named.length > 0 ? `look up ${named.join(", ")}` : "look up");
    const flowing = sources.filter(({ size }) => size > 0);
    if (node.op !== "map" || node.fn !== "add" || flowing.length !== 2) return undefined;
    const [a, b] = flowing as [ReadonlySet<string>, ReadonlySet<string>];
    if (a.size === b.size && [...a].every((source) => b.has(source))) return undefined;
    // Putting side by side is written as an addition of padded tensors.
    const padded = operands.some((operand) => operand.op === "view" && operand.view.kind === "pad");
    return this.sumOf(a, b) ?? this.sumOf(b, a) ?? this.box(`op:${node.id}`, padded ? "concat" : "+");
  }

  /** The sum that `sum` is, when all of `more` flows into it already: three terms from two places are one circle. */
  private sumOf(sum: ReadonlySet<string>, more: ReadonlySet<string>): string | undefined {
    const [only] = sum;
    if (sum.size !== 1 || only === undefined || this.labels.get(only) !== "+") return undefined;
    return [...more].every((source) => this.pairs.has(`${source}>${only}`)) ? only : undefined;
  }
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

/** The pool, when it is all that is below a path: then the path is drawn as the pool. */
function wholePool(world: World, path: string): Pool | undefined {
  const pools = world.pools.get(path);
  if (pools?.length !== 1) return undefined;
  const whole = world.nodes.every((node) => {
    const step = stepBelow(path, node.origin.path);
    return step === undefined || pools[0]!.steps.has(step);
  });
  return whole ? pools[0] : undefined;
}

/** `rows` of a pool that was bound to a name. */
function nameOf({ steps }: Pool): string {
  const named = [...steps].map((step) => splitStep(step).name).find((name) => !/^(router|routed|shared|pool)$/.test(name));
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
  const words = [...world.pools].flatMap(([place, pools]) => (inside(path, place) ? pools.flatMap(({ picture }) => picture.routers.map((router) => router.words)) : []));
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
