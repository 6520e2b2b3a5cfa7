// Multiply-adds, forward, for a token and for the steps of a training. In: a compiled model, the loads of its routers, so many tokens that they
// were counted over. Out: a number.
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

/** Adds up what the steps of a training take. Where routers have so many experts that not every step tells its loads, those that do stand
 * for the others. */
export class Spending {
  readonly #compiled: Pick<Compiled, "program">;
  readonly #loads = new Map<string, number[]>();
  #steps = 0;
  #told = 0;

  constructor(compiled: Pick<Compiled, "program">) {
    this.#compiled = compiled;
  }

  /** A step, with what each expert was given in it. */
  add(loads: Loads | undefined): void {
    this.#steps++;
    if (loads === undefined) return;
    this.#told++;
    for (const [router, counts] of Object.entries(loads)) {
      const before = this.#loads.get(router);
      this.#loads.set(
        router,
        counts.map((count, expert) => count + (before?.[expert] ?? 0)),
      );
    }
  }

  get total(): number {
    const { batch, length = 1, accumulate } = this.#compiled.program.training!;
    const tokens = batch * length * accumulate;
    const counted = tokens * Math.max(1, this.#told);
    return arithmetic(this.#compiled, Object.fromEntries(this.#loads), counted) * tokens * this.#steps;
  }
}
