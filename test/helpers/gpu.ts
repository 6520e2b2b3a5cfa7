// A small GPU for tests: workgroups of few invocations, so that the kernel interpreter is quick and rows are soon long.
// In: entries lowered for it. Out: failures, where a kernel takes more than it has.

import { expect } from "vitest";
import { someStatement } from "../../compiler/kernel-walk.ts";
import type { Expr, Kernel, Stmt } from "../../compiler/kernel.ts";
import type { LoweredEntry } from "../../compiler/lowered.ts";
import type { Target } from "../../compiler/target.ts";

export const smallGpu = {
  name: "webgpu",
  bindings: 8,
  parallel: { workgroup: 32, scratch: 16384 },
} satisfies Target;

export function expectWithinLimits(entry: LoweredEntry, target: Target = smallGpu): void {
  const { bindings, parallel = smallGpu.parallel } = target;
  for (const { kernel } of entry.dispatches) {
    expectUniform(kernel);
    const bytes = kernel.scratch.reduce((sum, { length }) => sum + 4 * length, 0);
    expect(kernel.workgroup, kernel.name).toBeLessThanOrEqual(parallel.workgroup);
    expect(bytes, `${kernel.name}: bytes of scratch`).toBeLessThanOrEqual(parallel.scratch);
    expect(kernel.buffers.length, `${kernel.name}: buffers`).toBeLessThanOrEqual(bindings);
  }
}

/** WGSL lets a workgroup meet only where control flow is the same for all its invocations, and finds out from the text: sizes,
 * workgroup numbers, what is read from buffers that nobody writes, and what a workgroup has reduced are the same. */
export function expectUniform(kernel: Kernel): void {
  const readOnly = new Set(kernel.buffers.flatMap(({ name, access }) => (access === "read" ? [name] : [])));
  const uniform = new Set<string>();
  const same = (expr: Expr): boolean => {
    switch (expr.op) {
      case "literal":
      case "size":
      case "workgroup":
        return true;
      case "local":
        return uniform.has(expr.name);
      case "load":
        return readOnly.has(expr.buffer) && same(expr.index);
      case "unary":
      case "cast":
        return same(expr.a);
      case "binary":
        return same(expr.a) && same(expr.b);
      case "select":
        return same(expr.condition) && same(expr.a) && same(expr.b);
      default:
        return false;
    }
  };
  const meets = (statement: Stmt): boolean =>
    someStatement([statement], ({ op }) => op === "barrier" || op === "reduce");
  const walk = (body: readonly Stmt[]): void => {
    for (const statement of body) {
      if (statement.op === "let" && same(statement.value)) uniform.add(statement.name);
      if (statement.op === "reduce") uniform.add(statement.name);
      if (statement.op === "for") {
        const bounds = same(statement.from) && same(statement.to);
        if (bounds) uniform.add(statement.name);
        expect(bounds || !meets(statement), `${kernel.name}: the loop ${statement.name} is uniform`).toBe(
          true,
        );
        walk(statement.body);
      }
      if (statement.op === "if") {
        expect(same(statement.condition) || !meets(statement), `${kernel.name}: a condition is uniform`).toBe(
          true,
        );
        walk(statement.then);
        walk(statement.otherwise);
      }
    }
  };
  walk(kernel.body);
}
