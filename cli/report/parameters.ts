// Parameters of a program: all of them, and those that work on one token. In: a Program, and how many experts a row has on
// average. Out: numbers.

import type { Program, RouterInfo, Tensor } from "../../runtime/program.ts";

export interface ParameterCount {
  readonly total: number;
  /** Total less the share of the routed experts' parameters that a token does not use. */
  readonly active: number;
}

const elements = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
/** Where the router stands: `block.0.experts` of `block.0.experts.router` or `block.0.experts.router.1`. */
export const placeOfRouter = (name: string): string => name.replace(/(^|\.)[^.]+(\.\d+)?$/, "");

/** Parameters of the experts that a router sends to, kind by kind. */
export function expertTensors({ tensors }: Program, { pool }: RouterInfo): readonly Tensor[] {
  const names = new Set(pool.flatMap((kind) => kind.tensors));
  return tensors.filter(({ role, name }) => role === "parameter" && names.has(name));
}

/** The share of each expert tensor that works on one token. `active(router)`: true experts of a row on average. */
export function activeShares(
  program: Program,
  active: (router: RouterInfo) => number,
): ReadonlyMap<string, number> {
  const shares = new Map<string, number>();
  for (const router of program.routers) {
    const share = router.experts === 0 ? 0 : active(router) / router.experts;
    // Routers that share one pool: a token uses at most all of it.
    for (const name of router.pool.flatMap(({ tensors }) => tensors))
      shares.set(name, Math.min(1, (shares.get(name) ?? 0) + share));
  }
  return shares;
}

export function countParameters(program: Program, active: (router: RouterInfo) => number): ParameterCount {
  const shares = activeShares(program, active);
  let [total, used] = [0, 0];
  for (const { role, name, shape } of program.tensors) {
    if (role !== "parameter") continue;
    total += elements(shape);
    used += elements(shape) * (shares.get(name) ?? 1);
  }
  return { total, active: Math.round(used) };
}
