// Which kinds of kernel a planned program has: the kind of its cluster, and how its team works together, stage by stage. In: a program
// that is planned for a GPU. Out: names of kinds, `row: alone` or `row: add f32, barrier in for`. Two kernels of one kind are made by the
// same parts of the lowering and go through the same parts of a printer, whatever their sizes and formulas.

import type { Stmt } from "../../compiler/kernel.ts";
import type { LoweredDispatch } from "../../compiler/lowered.ts";
import type { PlannedModel } from "../../compiler/compile.ts";

/** A part of a kernel in which its team meets: `reduce add f32`, `barrier in for`. */
function meetings(list: readonly Stmt[], around: string): string[] {
  return list.flatMap((statement): string[] => {
    switch (statement.op) {
      case "barrier":
        return [`barrier${around}`];
      case "reduce":
        return [`${statement.fn} ${statement.value.type}${around}`];
      case "for":
        return meetings(statement.body, " in a loop");
      case "if":
        return [...meetings(statement.then, around), ...meetings(statement.otherwise, around)];
      default:
        return [];
    }
  });
}

function kindsOf({ kernel, kind: cluster }: LoweredDispatch): string[] {
  const kind = cluster ?? "copy";
  if (kernel.workgroup === 1) return [`${kind}: alone`];
  const met = [...new Set(meetings(kernel.body, ""))];
  return met.length === 0 ? [`${kind}: each for itself`] : met.map((each) => `${kind}: ${each}`);
}

export const kernelKinds = ({ lowered }: Pick<PlannedModel, "lowered">): ReadonlySet<string> =>
  new Set(lowered.flatMap(({ dispatches }) => dispatches.flatMap(kindsOf)));
