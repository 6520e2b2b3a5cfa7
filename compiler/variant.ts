// Kernels for one kind of device: variants replaced by what that device runs. In: a kernel, whether warpgroups multiply. Out: a kernel
// without variants; the same one where it has none.

import type { Kernel, Stmt } from "./kernel.ts";

export function forDevice(kernel: Kernel, warpgroups: boolean): Kernel {
  if (!hasVariants(kernel.body)) return kernel;
  const chosen = (list: readonly Stmt[]): Stmt[] =>
    list.flatMap((statement): readonly Stmt[] => {
      switch (statement.op) {
        case "variant":
          return chosen(warpgroups ? statement.warpgroups : statement.otherwise);
        case "for":
          return [{ ...statement, body: chosen(statement.body) }];
        case "if":
          return [{ ...statement, then: chosen(statement.then), otherwise: chosen(statement.otherwise) }];
        default:
          return [statement];
      }
    });
  return { ...kernel, body: chosen(kernel.body) };
}

export const hasVariants = (list: readonly Stmt[]): boolean =>
  list.some(
    (each) =>
      each.op === "variant" ||
      (each.op === "for" && hasVariants(each.body)) ||
      (each.op === "if" && (hasVariants(each.then) || hasVariants(each.otherwise))),
  );
