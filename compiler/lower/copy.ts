// Copies: one memory into another of the same length.
// In: two memories. Out: one kernel. Deliberately absent: conversions.

import { ceilDivide } from "../../runtime/size.ts";
import { number } from "./affine.ts";
import type { LoweredDispatch } from "../lowered.ts";
import { KernelEmitter } from "./emitter.ts";
import type { Memory } from "./emitter.ts";
import { binary, integer, local, lowerOf, sizeExpr } from "./expr.ts";
import { taskElements } from "./space.ts";

export function copyMemory(from: Memory, to: Memory, label: string): LoweredDispatch {
  const emitter = new KernelEmitter();
  const start = emitter.let(binary("mul", { op: "workgroup", type: "i32" }, integer(taskElements)), "f");
  const end = emitter.let(lowerOf(binary("add", start, integer(taskElements)), sizeExpr(from.length)), "e");
  emitter.lanesFrom(start, end, from.length, (index, lanes) => {
    const at = emitter.index(index, (atom) => local(atom.key, "i32"));
    emitter.store(to, at, emitter.load(from, at, lanes));
  });
  const { kernel, buffers } = emitter.finish({
    name: "copy",
    grid: ceilDivide(from.length, number(taskElements)),
  });
  return { kernel, buffers, label };
}
