// Value types of the Kernel IR: scalars, and four of them in one register. In and out: types.

import type { DType } from "./graph.ts";
import type { ElementType, ScalarType, UnaryFn, ValueType } from "./kernel.ts";

export const isVector = (type: ValueType): boolean => type.endsWith("x4");
/** Of one lane. */
export const scalarOf = (type: ValueType): ScalarType => type.replace("x4", "") as ScalarType;
/** What lanes see of memory: halves are read and written as f32, where nothing computes with them as they are. */
export const readAs = (type: ElementType): "f32" | "i32" => (type === "i32" ? "i32" : "f32");
/** Whether memory of a type gives and takes values of another, one or four. */
export function isHeldBy(memory: ElementType, value: ValueType): boolean {
  const scalar = scalarOf(value);
  return scalar === readAs(memory) || scalar === memory;
}
/** How values of the graph lie in memory, and what lanes compute with. */
export const storedAs = (type: DType): ElementType => (type === "bool" ? "i32" : type);
export const laneType = (type: DType): ScalarType => (type === "bool" ? type : readAs(type));
/** What a function of one number gives. */
export function typeOfUnary(fn: UnaryFn, a: ValueType): ValueType {
  if (fn !== "isnan" && fn !== "order") return a;
  const scalar = fn === "isnan" ? "bool" : "i32";
  return isVector(a) ? vectorOf(scalar) : scalar;
}
export const vectorOf = (type: ScalarType): "f32x4" | "i32x4" | "boolx4" | "f16x4" => `${type}x4`;
