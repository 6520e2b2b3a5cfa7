// Parameters of a program: all of them, and those that work on one token. In: a Program, and how many experts a row has on
// average. Out: numbers. The experts of a pool are known by their tensors: parameters beside the router whose first axis
// counts the pool's experts.

import type { Program, RouterInfo, Tensor } from "../../runtime/program.ts";

export interface ParameterCount {
  readonly total: number;
  /** Total less the share of the routed experts' parameters that a token does not use. */
  readonly active: number;
}

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
/** Where the router stands: `block.0.experts` of `block.0.experts.router` or `block.0.experts.router.1`. */
export const placeOfRouter = (name: string): string => name.replace(/(^|\.)[^.]+(\.\d+)?$/, "");

/** Parameters of the pool of a router, one entry for each expert. Unlike experts lie in parts: `routed.0`, `routed.1`. */
export function expertTensors(program: Program, router: RouterInfo): readonly Tensor[] {
  const base = placeOfRouter(router.name);
  const inside = (name: string): string | undefined =>
    base === "" ? name : name.startsWith(`${base}.`) ? name.slice(base.length + 1) : undefined;
  const parameters = program.tensors.filter(
    ({ role, name }) => role === "parameter" && !name.startsWith(`${router.name}.`),
  );
  const pool = parameters.filter(({ name }) => /^(routed|pool)(\.|$)/.test(inside(name) ?? ""));
  const parts = new Map<string, readonly Tensor[]>();
  for (const tensor of pool) {
    const part = /^[a-z]+(\.\d+)?/.exec(inside(tensor.name)!)![0];
    parts.set(part, [...(parts.get(part) ?? []), tensor]);
  }
  const counts = [...parts.values()].map((tensors) => tensors[0]!.shape[0] ?? 0);
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === router.experts) return pool;
  // A pool by another name: all that it holds has one entry for each expert.
  const groups = new Map<string, Tensor[]>();
  for (const tensor of parameters) {
    const name = /^[^.]+(?=\.)/.exec(inside(tensor.name) ?? "")?.[0];
    if (name !== undefined) groups.set(name, [...(groups.get(name) ?? []), tensor]);
  }
  return [...groups.values()]
    .filter((tensors) => tensors.every(({ shape }) => shape[0] === router.experts))
    .flat();
}

/** `active(router)`: true experts of a row on average. */
export function countParameters(program: Program, active: (router: RouterInfo) => number): ParameterCount {
  const parameters = program.tensors.filter(({ role }) => role === "parameter");
  const total = parameters.reduce((sum, { shape }) => sum + elements(shape), 0);
  // Routers that share one pool: a token uses at most all of it.
  const shares = new Map<string, { readonly size: number; share: number }>();
  for (const router of program.routers)
    for (const { name, shape } of expertTensors(program, router)) {
      const before = shares.get(name) ?? { size: elements(shape), share: 0 };
      const share = router.experts === 0 ? 0 : active(router) / router.experts;
      shares.set(name, { size: before.size, share: Math.min(1, before.share + share) });
    }
  let idle = 0;
  for (const { size, share } of shares.values()) idle += size * (1 - share);
  return { total, active: Math.round(total - idle) };
}
