// What a routed layer consists of, for its picture. In: a program and the graph that says which experts were picked. Out: its
// routers with their choice in words, its kinds of experts with their sizes, shared and null experts.

import { picksPort } from "../../compiler/entries.ts";
import type { Graph, Node } from "../../compiler/graph.ts";
import type { Program, RouterInfo, Tensor } from "../../runtime/program.ts";
import { expertTensors, placeOfRouter } from "../report/parameters.ts";
import { choiceWords } from "./choice.ts";
import { stepBelow } from "./paths.ts";

export interface PoolPicture {
  readonly routers: readonly {
    readonly name: string;
    readonly words: string;
    readonly tensors: readonly string[];
    readonly dropping: boolean;
  }[];
  /** Kinds of experts, in their order: how many, and what one of them holds. */
  readonly kinds: readonly {
    readonly count: number;
    readonly tensors: readonly string[];
    readonly parameters: number;
  }[];
  readonly shared: readonly {
    readonly name: string;
    readonly tensors: readonly string[];
    readonly parameters: number;
  }[];
  readonly experts: number;
  readonly nulls: number;
  /** Picks of a token at most, over all routers. */
  readonly width: number;
}

export const elements = (shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, 1);
export const shapeText = (shape: readonly number[]): string => `[${shape.join(", ")}]`;

const lastPart = (path: string): string => path.slice(path.lastIndexOf(".") + 1);

/** `gate, up [128, 128]`: tensors of the same shape in one line. */
export function tensorLines(tensors: readonly Pick<Tensor, "name" | "shape">[]): string[] {
  const byShape = new Map<string, string[]>();
  for (const { name, shape } of tensors) {
    const names = byShape.get(shapeText(shape)) ?? [];
    if (!names.includes(lastPart(name))) names.push(lastPart(name));
    byShape.set(shapeText(shape), names);
  }
  return [...byShape].map(([shape, names]) => `${names.join(", ")} ${shape}`);
}

const sumOf = (tensors: readonly Pick<Tensor, "shape">[]): number =>
  tensors.reduce((sum, { shape }) => sum + elements(shape), 0);

/** Tensors by their path up to a part that matches: `routed.0`, `shared.1`. */
function grouped(tensors: readonly Tensor[], base: string): ReadonlyMap<string, readonly Tensor[]> {
  const groups = new Map<string, Tensor[]>();
  for (const tensor of tensors) {
    const rest = base === "" ? tensor.name : tensor.name.slice(base.length + 1);
    const part = /^[^.]+(\.\d+(?=\.))?/.exec(rest)?.[0] ?? rest;
    groups.set(part, [...(groups.get(part) ?? []), tensor]);
  }
  return groups;
}

/** A pool where it stands: the steps below its place that are drawn as one box. */
export interface Pool {
  readonly id: string;
  readonly steps: ReadonlySet<string>;
  readonly picture: PoolPicture;
}

/** Pools by their place. Routers at the same place that send to the same experts share one. */
export function poolsOf(program: Program, graph: Graph | undefined): ReadonlyMap<string, readonly Pool[]> {
  const drafts: {
    readonly place: string;
    readonly routers: RouterInfo[];
    readonly tensors: readonly Tensor[];
  }[] = [];
  for (const router of program.routers) {
    const place = placeOfRouter(router.name);
    const tensors = expertTensors(program, router);
    const shared = drafts.find(
      (draft) =>
        draft.place === place &&
        draft.tensors.some(({ name }) => tensors.some((other) => other.name === name)),
    );
    if (shared === undefined) drafts.push({ place, routers: [router], tensors });
    else shared.routers.push(router);
  }
  const pools = new Map<string, Pool[]>();
  for (const { place, routers, tensors } of drafts) {
    const here = pools.get(place) ?? [];
    const steps = new Set<string>();
    for (const path of [
      ...routers.map(({ name }) => name),
      ...tensors.map(({ name }) => name.slice(0, name.lastIndexOf("."))),
    ]) {
      const step = stepBelow(place, path);
      if (step !== undefined) steps.add(step);
    }
    // What every token passes beside the routed experts.
    if (here.length === 0)
      for (const { name } of program.tensors) {
        const step = stepBelow(place, name);
        if (step !== undefined && /^shared(\.\d+)?$/.test(step)) steps.add(step);
      }
    here.push({
      id: `pool:${here.length}`,
      steps,
      picture: pictureOf(program, graph, place, routers, tensors, steps),
    });
    pools.set(place, here);
  }
  return pools;
}

/** The name of the tensor that a node is a view of. */
export function tensorBehind(node: Node): string | undefined {
  let at = node;
  while (at.op === "view" || (at.op === "map" && at.inputs.length === 1))
    at = at.op === "view" ? at.input : at.inputs[0]!;
  return at.op === "tensor" ? at.name : undefined;
}

function pictureOf(
  program: Program,
  graph: Graph | undefined,
  place: string,
  routers: readonly RouterInfo[],
  tensors: readonly Tensor[],
  steps: ReadonlySet<string>,
): PoolPicture {
  const first = routers[0]!;
  const own = program.tensors.filter(({ role }) => role === "parameter" || role === "state");
  const shared = own.filter(({ name, role }) => {
    const step = stepBelow(place, name);
    return role === "parameter" && step !== undefined && steps.has(step) && /^shared(\.\d+)?$/.test(step);
  });
  return {
    routers: routers.map(({ name, width, experts, nulls, dropping = false }) => ({
      name,
      words: choiceWords(
        graph?.outputs.find((output) => output.name === picksPort(name))?.node,
        width,
        experts + nulls,
      ),
      tensors: tensorLines(own.filter((tensor) => tensor.name.startsWith(`${name}.`))),
      dropping,
    })),
    kinds: [...grouped(tensors, place).values()].map((kind) => ({
      count: kind[0]!.shape[0] ?? 1,
      tensors: tensorLines(kind.map(({ name, shape }) => ({ name, shape: shape.slice(1) }))),
      parameters: sumOf(kind) / Math.max(1, kind[0]!.shape[0] ?? 1),
    })),
    shared: [...grouped(shared, place)].map(([name, kind]) => ({
      name,
      tensors: tensorLines(kind),
      parameters: sumOf(kind),
    })),
    experts: first.experts,
    nulls: first.nulls,
    width: Math.max(...routers.map(({ width }) => width)),
  };
}
