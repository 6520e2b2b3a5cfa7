// How many multiply-adds kernels really execute, lanes counted one by one. In: a lowered entry and its environment. Out: a number for
// each dispatch. Every statement of a kernel is followed by one that adds its fused multiply-adds to a counter of its workgroup,
// so that loops that end early, tiles that are skipped and rows that nobody made count as what they are. For one invocation a workgroup.

import { runKernel } from "../../compiler/interpret-kernel.ts";
import type { Environment } from "../../compiler/interpret-graph.ts";
import { replaced } from "../../compiler/kernel-walk.ts";
import type { Expr, Kernel, Stmt } from "../../compiler/kernel.ts";
import type { LoweredEntry } from "../../compiler/lowered.ts";
import { evaluate } from "../../runtime/size.ts";
import { add, i, load, workgroup } from "./kernels.ts";
import { allocate } from "./lowered.ts";

const counter = "executedMultiplyAdds";

/** Fused multiply-adds in an expression, lanes one by one. */
function fusedIn(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + fusedIn(each), 0);
  const expr = value as Expr;
  const here = expr.op === "fma" ? (expr.type === "f32x4" ? 4 : 1) : 0;
  return Object.values(expr).reduce((sum: number, each) => sum + fusedIn(each), here);
}

function counted(statement: Stmt): readonly Stmt[] {
  const many = statement.op === "for" || statement.op === "if" ? 0 : fusedIn(statement);
  if (many === 0) return [statement];
  const value = add(load(counter, workgroup, "i32"), i(many));
  return [statement, { op: "store", buffer: counter, index: workgroup, value }];
}

const withCounter = (kernel: Kernel): Kernel => ({
  ...kernel,
  buffers: [...kernel.buffers, { name: counter, type: "i32", access: "update", length: kernel.grid }],
  body: replaced(kernel.body, counted),
});

export function executedMultiplyAdds(entry: LoweredEntry, environment: Environment): readonly number[] {
  const memory = allocate(entry, environment);
  return entry.dispatches.map(({ kernel, buffers, launch }) => {
    const sizes = { ...environment.sizes, ...launch };
    const count = new Int32Array(evaluate(kernel.grid, sizes));
    const bound = new Map(kernel.buffers.map(({ name }, at) => [name, memory.get(buffers[at]!)!]));
    runKernel(withCounter(kernel), bound.set(counter, count), sizes);
    return count.reduce((sum, each) => sum + each, 0);
  });
}
