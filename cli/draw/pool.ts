// What a routed layer consists of, for its picture. In: a program and the graph that says which experts were picked. Out: its
// routers with their choice in words, its kinds of experts with their sizes, shared and null experts.

import type { Graph } from "../../compiler/graph.ts";
import { picksPort } from "../../compiler/entries.ts";
import type { Program, RouterInfo, Tensor } from "../../runtime/program.ts";
import { expertTensors, placeOfRouter } from "../report/parameters.ts";
import { choiceWords } from "./choice.ts";

export interface PoolPicture {
  readonly routers: readonly { readonly name: string; readonly words: string; readonly tensors: readonly string[]; readonly dropping: boolean }[];
  /** Kinds of experts, in their order: how many, and what one of them holds. */
  readonly kinds: readonly { readonly count: number; readonly tensors: readonly string[]; readonly parameters: number }[];
  readonly shared: readonly { readonly name: string; readonly tensors: readonly string[]; readonly parameters: number }[];
  readonly experts: number;
  readonly nulls: number;
  /** Picks of a token at most, over all routers. */
  readonly width: number;
}

export const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
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

const sumOf = (tensors: readonly Pick<Tensor, "shape">[]): number => tensors.reduce((sum, { shape }) => sum + elements(shape), 0);

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

/** Routers that stand at the same place share its pool. */
export function poolsOf(program: Program, graph: Graph | undefined): ReadonlyMap<string, PoolPicture> {
  const places = new Map<string, RouterInfo[]>();
  for (const router of program.routers) {
    const place = placeOfRouter(router.name);
    places.set(place, [...(places.get(place) ?? []), router]);
  }
  return new Map([...places].map(([place, routers]) => [place, poolAt(program, graph, place, routers)]));
}

function poolAt(program: Program, graph: Graph | undefined, place: string, routers: readonly RouterInfo[]): PoolPicture {
  const first = routers[0]!;
  const own = program.tensors.filter(({ role }) => role === "parameter" || role === "state");
  const kinds = [...grouped(expertTensors(program, first), place).values()];
  const sharedBase = place === "" ? "shared" : `${place}.shared`;
  const shared = own.filter(({ name, role }) => role === "parameter" && name.startsWith(`${sharedBase}.`));
  return {
    routers: routers.map(({ name, width, experts, nulls, dropping = false }) => ({
      name,
      words: choiceWords(graph?.outputs.find((output) => output.name === picksPort(name))?.node, width, experts + nulls),
      tensors: tensorLines(own.filter((tensor) => tensor.name.startsWith(`${name}.`))),
      dropping,
    })),
    kinds: kinds.map((tensors) => ({
      count: tensors[0]!.shape[0] ?? 1,
      tensors: tensorLines(tensors.map(({ name, shape }) => ({ name, shape: shape.slice(1) }))),
      parameters: sumOf(tensors) / Math.max(1, tensors[0]!.shape[0] ?? 1),
    })),
    shared: [...grouped(shared, place)].map(([name, tensors]) => ({ name, tensors: tensorLines(tensors), parameters: sumOf(tensors) })),
    experts: first.experts,
    nulls: first.nulls,
    width: Math.max(...routers.map(({ width }) => width)),
  };
}
