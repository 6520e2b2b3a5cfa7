// Kernels for one kind of device: variants replaced by what that device runs. In: a kernel, whether warpgroups multiply. Out: a kernel
// without variants; the same one where it has none.

import { replaced, someStatement } from "./kernel-walk.ts";
import type { Kernel, Stmt } from "./kernel.ts";

export function forDevice(kernel: Kernel, warpgroups: boolean): Kernel {
  if (!someStatement(kernel.body, ({ op }) => op === "variant")) return kernel;
  const chosen = (statement: Stmt): readonly Stmt[] => {
    if (statement.op !== "variant") return [statement];
    return warpgroups ? statement.warpgroups : statement.otherwise;
  };
  return { ...kernel, body: replaced(kernel.body, chosen) };
}
