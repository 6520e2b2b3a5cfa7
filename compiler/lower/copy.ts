// Copies: one memory, or one number, into all of another memory.
// In: the two. Out: one kernel. Deliberately absent: conversions.

import { ceilDivide } from "../../runtime/size.ts";
import type { Affine } from "./affine.ts";
import { number } from "./affine.ts";
import { readAs } from "../kernel-type.ts";
import type { LoweredDispatch } from "../lowered.ts";
import { KernelEmitter } from "./emitter.ts";
import type { Memory } from "./emitter.ts";
import type { Lanes } from "./expr.ts";
import { binary, integer, invocation, literal, local, lowerOf, sizeExpr, workgroup } from "./expr.ts";
import { taskElements } from "./space.ts";
import type { Parallel } from "../target.ts";

/** Both memories have one length. */
export function copyMemory(
  from: Memory | number,
  to: Memory,
  label: string,
  parallel?: Parallel,
): LoweredDispatch {
  const emitter = new KernelEmitter();
  const { length } = to;
  const copyAt = (index: Affine, lanes: Lanes): void => {
    const at = emitter.index(index, (atom) => local(atom.key, "i32"));
    const value =
      typeof from === "number" ? literal(readAs(to.type), from, lanes) : emitter.load(from, at, lanes);
    emitter.store(to, at, value);
  };
  if (parallel !== undefined) {
    emitter.workgroup = parallel.workgroup;
    const first = emitter.let(binary("mul", workgroup, integer(parallel.workgroup)), "f");
    emitter.if(binary("lt", invocation, binary("sub", sizeExpr(length), first)), () =>
      copyAt(emitter.given(binary("add", first, invocation)), 1),
    );
    const { kernel, buffers } = emitter.finish({
      name: "copy",
      grid: ceilDivide(length, number(parallel.workgroup)),
    });
    return { kernel, buffers, label };
  }
  const start = emitter.let(binary("mul", { op: "workgroup", type: "i32" }, integer(taskElements)), "f");
  const end = emitter.let(lowerOf(binary("add", start, integer(taskElements)), sizeExpr(length)), "e");
  emitter.lanesFrom(start, end, length, copyAt);
  const { kernel, buffers } = emitter.finish({
    name: "copy",
    grid: ceilDivide(length, number(taskElements)),
  });
  return { kernel, buffers, label };
}
