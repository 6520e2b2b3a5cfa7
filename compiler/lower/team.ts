// Teams: how the invocations of a kernel share what it does at a time. One invocation alone does all of it; a workgroup
// deals the elements out, invocation `i` gets i, i + workgroup, .., and meets to join or to read what others wrote.
// In: a kernel whose team is chosen. Out: loops and statements that are the same text for either team.
// Deliberately absent: shapes (space.ts), what a kernel does.

import type { Shape } from "../graph.ts";
import type { Expr, ReduceFn } from "../kernel.ts";
import type { Size } from "../../runtime/size.ts";
import { known } from "../../runtime/size.ts";
import type { Affine } from "./affine.ts";
import type { ClusterKernel } from "./context.ts";
import { binary, integer, invocation, local } from "./expr.ts";

/** The smallest workgroup that is worth one: as many invocations as the hardware runs in step. */
export const leastWorkgroup = 32;

/** What it takes to join the values of a workgroup, in steps of looking at one of them. */
export const joinCost = 16;

/** The least power of two that is no less. */
export const powerAbove = (count: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, count)));

/** From now on the kernel's workgroups have `size` invocations that work together. */
export function formWorkgroup(kernel: ClusterKernel, size: number): void {
  kernel.team = "workgroup";
  kernel.emitter.workgroup = size;
}

/** All of `from` .. `to` - 1, dealt out to the team. */
export function dealt(
  kernel: ClusterKernel,
  range: { readonly from?: Expr; readonly to: Expr; readonly bound?: Size; readonly hint?: string },
  body: (index: Affine) => void,
): void {
  if (kernel.team === "invocation") return kernel.emitter.for(range, body);
  const from = range.from === undefined ? invocation : binary("add", range.from, invocation);
  kernel.emitter.for({ ...range, from, step: kernel.emitter.workgroup }, body);
}

/** What the values of the team come to; every invocation gets it. */
export function together(kernel: ClusterKernel, fn: ReduceFn, value: Expr): Expr {
  const { emitter } = kernel;
  if (kernel.team === "invocation") return emitter.let(value);
  const name = emitter.fresh("v");
  emitter.push({ op: "reduce", name, fn, value });
  return local(name, value.type);
}

/** One of the team does it. */
export function byOne(kernel: ClusterKernel, body: () => void): void {
  if (kernel.team === "invocation") body();
  else kernel.emitter.if(binary("eq", invocation, integer(0)), body);
}

/** What the team wrote to scratch before, all of it read after. */
export function meet(kernel: ClusterKernel): void {
  if (kernel.team === "workgroup") kernel.emitter.push({ op: "barrier" });
}

/** How many elements a shape has for certain, when that is known. */
export const knownElements = (shape: Shape): number | undefined =>
  shape.reduce<number | undefined>((count, { size }) => {
    const value = known(size);
    return count === undefined || value === undefined ? undefined : count * value;
  }, 1);
