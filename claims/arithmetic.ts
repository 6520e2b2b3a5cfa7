// Multiply-adds for a token, forward. In: a compiled model, the loads of its routers, so many tokens that they were counted over. Out: a number.
// The planner counts routed experts at the most rows that a routing can make; here those contractions are left out and put back with the
// rows that were there: each row meets every element of its expert's matrices once.

import { costOf } from "../cli/cost.ts";
import { trainingSizes } from "../cli/sessions.ts";
import type { Compiled } from "../compiler/compile.ts";
import { withDefaults } from "../runtime/arena-plan.ts";
import type { Loads } from "../runtime/metrics.ts";
import type { Program } from "../runtime/program.ts";

export function arithmetic({ program }: Pick<Compiled, "program">, loads: Loads, tokens: number): number {
  const sizes = { ...withDefaults(program), ...trainingSizes(program) };
  const routed = new Set<string>();
  let called = 0;
  const shapes = new Map(program.tensors.map(({ name, shape }) => [name, shape]));
  for (const { name: router, pool } of program.routers)
    for (const { first, count, tensors } of pool) {
      const load = loads[router]!.slice(first, first + count).reduce((sum, each) => sum + each, 0);
      for (const name of tensors) {
        const [, ...own] = shapes.get(name)!;
        if (own.length < 2) continue;
        routed.add(name);
        called += (load / tokens) * own.reduce((product, size) => product * size, 1);
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
