// Flows: which boxes of a group feed which, found by following values through a graph. In: the nodes of a graph in order, and the
// path of a group. Out: the boxes' names in the order in which they first work, and edges. Boxes themselves are outline.ts's.

import type { Node } from "../../compiler/graph.ts";
import { operandsOf } from "../../compiler/graph-walk.ts";
import type { Program } from "../../runtime/program.ts";
import { sizeKey } from "../../runtime/size.ts";
import { inside, joinPath, stepBelow } from "./paths.ts";
import { tensorBehind, type Pool } from "./pool.ts";

export interface Edge {
  readonly from: string;
  readonly to: string;
}

/** What an outline is read from. */
export interface World {
  readonly program: Program;
  readonly nodes: readonly Node[];
  readonly outputs: ReadonlySet<Node>;
  readonly pools: ReadonlyMap<string, readonly Pool[]>;
}

export const inputId = "in";
export const outputId = "out";

const sources: ReadonlySet<Node["op"]> = new Set(["tensor", "const", "size", "index", "random"]);

/** The pool that a step of a place is drawn as part of. */
const poolOfStep = (world: World, place: string, step: string): Pool | undefined =>
  world.pools.get(place)?.find(({ steps }) => steps.has(step));

/** The pool, when it is all that is below a path: then the path is drawn as the pool. */
export function wholePool(world: World, path: string): Pool | undefined {
  const pools = world.pools.get(path);
  if (pools?.length !== 1) return undefined;
  const whole = world.nodes.every((node) => {
    const step = stepBelow(path, node.origin.path);
    return step === undefined || pools[0]!.steps.has(step);
  });
  return whole ? pools[0] : undefined;
}

/** Follows values through one group: which boxes each comes from. */
export class Flows {
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
    else if (node.op === "input")
      this.from.set(
        node,
        node.name.startsWith("$")
          ? new Set()
          : new Set([
              this.box(
                `input:${node.name}`,
                `${node.name} [${node.shape.map(({ size }) => sizeKey(size)).join(", ")}]`,
              ),
            ]),
      );
    else {
      // What depends on no input (masks, angles of positions) is nobody's message: layers share it without feeding each other.
      const step = stepBelow(base, node.origin.path);
      const unit = !this.moves(node)
        ? undefined
        : step === undefined
          ? this.operator(node)
          : this.box(poolOfStep(world, base, step)?.id ?? step);
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
    const named = operands
      .flatMap((operand) => tensorBehind(operand) ?? [])
      .map((name) => name.slice(name.lastIndexOf(".") + 1));
    if (node.op === "contract")
      return this.box(`op:${node.id}`, named.length > 0 ? `× ${named.join(", ")}` : "×");
    if (node.op === "take")
      return this.box(`op:${node.id}`, named.length > 0 ? `look up ${named.join(", ")}` : "look up");
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
