// Kernels for one kind of device: variants replaced by what that device runs. In: a kernel, whether warpgroups multiply. Out: a kernel
// without variants, and without another way to do its work; the same one where it has none.

import { replaced, someStatement } from "./kernel-walk.ts";
import type { Kernel, Stmt } from "./kernel.ts";

export function forDevice(given: Kernel, warpgroups: boolean): Kernel {
  const { warpgroups: way, ...usual } = given;
  const kernel = way === undefined ? given : warpgroups ? { ...usual, ...way } : usual;
  if (!someStatement(kernel.body, ({ op }) => op === "variant")) return kernel;
  const chosen = (statement: Stmt): readonly Stmt[] => {
    if (statement.op !== "variant") return [statement];
    return warpgroups ? statement.warpgroups : statement.otherwise;
  };
  return { ...kernel, body: replaced(kernel.body, chosen) };
}
