// Multiply-adds for a token, forward. In: a compiled model, the loads of its routers, so many tokens that they were counted over. Out: a number.
// The planner counts routed experts at the most rows that a routing can make; here those contractions are left out and put back with the
// rows that were there: each row meets every element of its expert's matrices once.

import { costOf } from "../cli/cost.ts";
import { routedTensors } from "../cli/draw/pool.ts";
import { expertTensors } from "../cli/report/parameters.ts";
import { trainingSizes } from "../cli/sessions.ts";
import type { Compiled } from "../compiler/compile.ts";
import { withDefaults } from "../runtime/arena-plan.ts";
import type { Loads } from "../runtime/metrics.ts";
import type { Program, Tensor } from "../runtime/program.ts";

export function arithmetic({ program, graphs }: Compiled, loads: Loads, tokens: number): number {
  const sizes = { ...withDefaults(program), ...trainingSizes(program) };
  const routed = new Set<string>();
  let called = 0;
  for (const [router, tensors] of metBy({ program, graphs })) {
    let from = 0;
    for (const { count, matrices } of partsOf(tensors)) {
      const load = loads[router]!.slice(from, from + count).reduce((sum, each) => sum + each, 0);
      for (const { name, shape } of matrices) {
        routed.add(name);
        called += (load / tokens) * shape.slice(1).reduce((product, size) => product * size, 1);
      }
      from += count;
    }
  }
  const { forward } = program.entries;
  const others = forward!.dispatches.filter(
    ({ buffers }) => !buffers.some((buffer) => buffer.kind === "tensor" && routed.has(buffer.name)),
  );
  const rest: Program = { ...program, entries: { forward: { ...forward!, dispatches: others } } };
  const { batch, length = 1 } = program.training!;
  return costOf(rest, "forward", sizes).multiplyAdds / (batch * length) + called;
}

/**
 * The experts that each router's rows meet. Names alone give the pools of a loop to each router in it, and experts to gates that only tell
 * others what to send; the graph alone gives what equal choices meet to the last of them, and does not see through rounded numbers.
 */
function metBy({
  program,
  graphs,
}: Pick<Compiled, "program" | "graphs">): ReadonlyMap<string, readonly Tensor[]> {
  const named = new Map(
    program.routers.map((router) => [
      router.name,
      new Map(expertTensors(program, router).map((tensor) => [tensor.name, tensor])),
    ]),
  );
  const told = routedTensors(program, graphs["evaluate"]!);
  const meets = (router: string, name: string): boolean => {
    const owners = [...told].filter(([, tensors]) => tensors.has(name)).map(([owner]) => owner);
    return owners.includes(router) || owners.every((owner) => !named.get(owner)!.has(name));
  };
  return new Map(
    [...named].map(([router, tensors]) => [
      router,
      [...tensors.values()].filter(({ name }) => meets(router, name)),
    ]),
  );
}

/** Experts of one kind lie together; kinds stand in the order of the pool. */
function partsOf(
  tensors: readonly Tensor[],
): readonly { readonly count: number; readonly matrices: readonly Tensor[] }[] {
  const parts = new Map<string, Tensor[]>();
  for (const tensor of tensors) {
    const part = /^(.*?\b(?:routed|pool)(?:\.\d+)?)(?=\.|$)/.exec(tensor.name)?.[1] ?? "";
    parts.set(part, [...(parts.get(part) ?? []), tensor]);
  }
  return [...parts.values()].map((part) => ({
    count: part[0]!.shape[0]!,
    matrices: part.filter(({ shape }) => shape.length > 2),
  }));
}
