// Kernels for targets without asynchronous copies: each is done at once, and nobody can tell, since nobody may look between its
// beginning and the wait. In: a kernel. Out: the same one where it copies nothing, else one without copies, groups and waits.

import { copiedTogether } from "./half.ts";
import { readAs } from "./kernel-type.ts";
import { replaced, someStatement } from "./kernel-walk.ts";
import type { ElementType, Expr, Kernel, Stmt } from "./kernel.ts";
import { add, branch, int } from "./schedule/expr.ts";

type CopyStmt = Extract<Stmt, { readonly op: "copy" }>;

export function withPlainCopies(kernel: Kernel): Kernel {
  if (!someStatement(kernel.body, copies)) return kernel;
  const types = new Map(kernel.scratch.map(({ name, type }) => [name, type]));
  const plain = (statement: Stmt): readonly Stmt[] => {
    if (statement.op === "copy") return plainCopy(statement, types.get(statement.scratch)!);
    return copies(statement) ? [] : [statement];
  };
  return { ...kernel, body: replaced(kernel.body, plain) };
}

const copies = ({ op }: Stmt): boolean => op === "copy" || op === "group" || op === "wait";

function plainCopy({ scratch, index, buffer, from, there }: CopyStmt, type: ElementType): Stmt[] {
  const read = readAs(type);
  const four = `${read}x4` as const;
  const starts = Array.from({ length: copiedTogether(type) / 4 }, (_, i) => int(4 * i));
  const stores = (value: (start: Expr) => Expr) => (body: Stmt[]) => {
    for (const start of starts)
      body.push({ op: "store", buffer: scratch, index: add(index, start), value: value(start) });
  };
  const list: Stmt[] = [];
  branch(
    list,
    there,
    stores((start) => ({ op: "load", type: four, buffer, index: add(from, start) })),
    stores(() => ({ op: "splat", type: four, a: { op: "literal", type: read, value: 0 } })),
  );
  return list;
}
